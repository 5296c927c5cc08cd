//! The app itself: settings, what it is, how it ends.

use std::path::PathBuf;

use sendense_types::commands::{
    ChooseDownloadFolder, ForgetDownloadFolder, GetAbout, GetDiagnostics, GetSettings, Quit, Reply,
    SaveSettings, ShowLogFolder,
};
use sendense_words as words;
use tauri::{AppHandle, Manager, Runtime, State, command};

use crate::logs::LogFolder;
use crate::preferences::Preferences;
use crate::{Result, diagnostics, dialogs, opening, work};

#[command]
pub(crate) fn get_settings<R: Runtime>(
    app: AppHandle<R>,
    request: GetSettings,
) -> Reply<GetSettings> {
    let GetSettings {} = request;
    app.state::<Preferences>().settings()
}

#[command]
pub(crate) async fn save_settings<R: Runtime>(
    app: AppHandle<R>,
    request: SaveSettings,
) -> Result<Reply<SaveSettings>> {
    app.state::<Preferences>().change(|settings| {
        // Where files are written is chosen in the system's dialog, never by the window.
        let folder = settings.download_folder.take();
        *settings = request.settings;
        settings.download_folder = folder;
    })
}

#[command]
pub(crate) async fn choose_download_folder<R: Runtime>(
    app: AppHandle<R>,
    preferences: State<'_, Preferences>,
    request: ChooseDownloadFolder,
) -> Result<Reply<ChooseDownloadFolder>> {
    let ChooseDownloadFolder {} = request;
    let now = preferences.settings().download_folder.map(PathBuf::from);
    match dialogs::choose_folder(&app, words::frame::choose_downloads(), now.as_deref()).await? {
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
    app.state::<Preferences>()
        .change(|settings| settings.download_folder = None)
}

#[command]
pub(crate) async fn get_about<R: Runtime>(
    app: AppHandle<R>,
    request: GetAbout,
) -> Result<Reply<GetAbout>> {
    let GetAbout {} = request;
    Ok(diagnostics::about(&app))
}

#[command]
pub(crate) async fn get_diagnostics<R: Runtime>(
    app: AppHandle<R>,
    request: GetDiagnostics,
) -> Result<Reply<GetDiagnostics>> {
    let GetDiagnostics {} = request;
    Ok(diagnostics::text(&app).await)
}

#[command]
pub(crate) async fn show_log_folder<R: Runtime>(
    app: AppHandle<R>,
    request: ShowLogFolder,
) -> Result<Reply<ShowLogFolder>> {
    let ShowLogFolder {} = request;
    let folder = app.state::<LogFolder>().0.clone();
    opening::open(&app, folder).await
}

#[command]
pub(crate) fn quit<R: Runtime>(app: AppHandle<R>, request: Quit) -> Reply<Quit> {
    let Quit {} = request;
    work::quit(&app);
}
