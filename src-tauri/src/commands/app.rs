//! The app itself: settings, what it is, how it ends.

use std::path::PathBuf;

use sendense_core::{HubSession, Mounts};
use sendense_types::commands::{
    ChooseDownloadFolder, ForgetDownloadFolder, GetAbout, GetDiagnostics, GetSettings, Quit, Reply,
    SaveSettings, ShowLogFolder,
};
use sendense_types::{About, SessionState};
use tauri::{AppHandle, Manager, Runtime, State, command};
use tauri_plugin_opener::OpenerExt;

use super::downloads::not_shown;
use crate::local_hub::OwnHub;
use crate::preferences::Preferences;
use crate::{Result, dialogs, work};

#[command]
pub(crate) fn get_settings<R: Runtime>(
    app: AppHandle<R>,
    request: GetSettings,
) -> Reply<GetSettings> {
    let GetSettings {} = request;
    app.state::<Preferences<R>>().settings()
}

#[command]
pub(crate) async fn save_settings<R: Runtime>(
    app: AppHandle<R>,
    request: SaveSettings,
) -> Result<Reply<SaveSettings>> {
    app.state::<Preferences<R>>().change(|settings| {
        // Where files are written is chosen in the system's dialog, never by the window.
        let folder = settings.download_folder.take();
        *settings = request.settings;
        settings.download_folder = folder;
    })
}

#[command]
pub(crate) async fn choose_download_folder<R: Runtime>(
    app: AppHandle<R>,
    preferences: State<'_, Preferences<R>>,
    request: ChooseDownloadFolder,
) -> Result<Reply<ChooseDownloadFolder>> {
    let ChooseDownloadFolder {} = request;
    let now = preferences.settings().download_folder.map(PathBuf::from);
    match dialogs::choose_folder(&app, "Choose a folder for downloads", now.as_deref()).await? {
        Some(folder) => preferences.change(|settings| {
            settings.download_folder = Some(folder.to_string_lossy().into_owned());
        }),
        None => Ok(preferences.settings()),
    }
}

#[command]
pub(crate) async fn forget_download_folder<R: Runtime>(
    app: AppHandle<R>,
    request: ForgetDownloadFolder,
) -> Result<Reply<ForgetDownloadFolder>> {
    let ForgetDownloadFolder {} = request;
    app.state::<Preferences<R>>()
        .change(|settings| settings.download_folder = None)
}

#[command]
pub(crate) async fn get_about<R: Runtime>(
    app: AppHandle<R>,
    request: GetAbout,
) -> Result<Reply<GetAbout>> {
    let GetAbout {} = request;
    about(&app)
}

#[command]
pub(crate) async fn get_diagnostics<R: Runtime>(
    app: AppHandle<R>,
    session: State<'_, HubSession>,
    mounts: State<'_, Mounts>,
    request: GetDiagnostics,
) -> Result<Reply<GetDiagnostics>> {
    let GetDiagnostics {} = request;
    let About {
        version,
        data_folder,
        log_folder,
    } = about(&app)?;
    let session = session.state();
    let hub = match session.current_hub() {
        Some(hub) if hub.is_this_computer() => "this computer",
        Some(_) => "a remote hub",
        None => "none",
    };
    let state = match &session.state {
        SessionState::Connecting => "connecting".to_owned(),
        SessionState::Connected => "connected".to_owned(),
        SessionState::SignedOut { .. } => "signed out".to_owned(),
        SessionState::Offline { error } => format!("offline: {error}"),
    };
    let n_mounts = mounts.list().await.map_or(0, |mounts| mounts.len());
    Ok(format!(
        "Sendense {version} on {os} ({arch})\nHub: {hub}, {state}\nSaved hubs: {n_hubs}\nOpen mounts: {n_mounts}\nTokens: {keychain:?}\nData: {data_folder}\nLogs: {log_folder}\n",
        os = std::env::consts::OS,
        arch = std::env::consts::ARCH,
        n_hubs = session.hubs.len(),
        keychain = session.keychain,
    ))
}

#[command]
pub(crate) async fn show_log_folder<R: Runtime>(
    app: AppHandle<R>,
    request: ShowLogFolder,
) -> Result<Reply<ShowLogFolder>> {
    let ShowLogFolder {} = request;
    // Waits for the other program to start.
    tauri::async_runtime::spawn_blocking(move || {
        let folder = app
            .path()
            .app_log_dir()
            .map_err(|error| not_shown(&error))?;
        app.opener()
            .open_path(folder.to_string_lossy(), None::<&str>)
            .map_err(|error| not_shown(&error))
    })
    .await
    .map_err(|error| not_shown(&error))?
}

#[command]
pub(crate) fn quit<R: Runtime>(app: AppHandle<R>, request: Quit) -> Reply<Quit> {
    let Quit {} = request;
    work::quit(&app);
}

fn about<R: Runtime>(app: &AppHandle<R>) -> Result<About> {
    let logs = app
        .path()
        .app_log_dir()
        .map_err(|error| not_shown(&error))?;
    Ok(About {
        version: app.package_info().version.to_string(),
        data_folder: app
            .state::<OwnHub>()
            .data_folder()
            .to_string_lossy()
            .into_owned(),
        log_folder: logs.to_string_lossy().into_owned(),
    })
}
