//! The shell: what makes a desktop app of the core and the user interface.
//!
//! Thin on purpose. Commands hand questions to the core, news of the core go to the window, the tray
//! and the notifications. What has memory or time in it lives in `sendense-core`; the hub of this
//! computer is reached through HTTP like any other, except for its start and stop. Reading order:
//! [`build`] (what there is), `commands` (a file for each subject), `news`, `window`, `work`.

mod commands;
mod diagnostics;
mod dialogs;
mod local_hub;
mod logs;
mod news;
mod notifications;
mod opening;
mod places;
mod preferences;
mod sample;
mod tray;
mod window;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use sendense_core::{
    BackupRecord, Backups, DownloadRecord, Downloads, Events, FullRestores, HubSession,
    MountRecord, Mounts, SavedHubs, Secrets, SettingsFile, UserFolders, open_keychain,
};
use sendense_hub::default_data_dir;
use sendense_words as words;
use tauri::{App, AppHandle, Builder, Manager, RunEvent, Runtime};
use tauri_plugin_log::TargetKind;

use crate::local_hub::OwnHub;
use crate::logs::LogFolder;
pub use crate::logs::log_to;
use crate::preferences::Preferences;

/// Shorthand for results: a command fails with what the user will read.
type Result<T, E = sendense_types::AppError> = std::result::Result<T, E>;

/// Runs the app until it is quit.
pub fn run() -> ExitCode {
    if std::env::var_os("SENDENSE_PSEUDO_LOCALE").is_some_and(|on| on == "1") {
        words::use_pseudo_locale();
    }
    let builder = Builder::default()
        // First, so that a second start does nothing but raise the window of the first.
        .plugin(tauri_plugin_single_instance::init(|app, _, _| {
            window::show(app);
        }))
        .plugin(tauri_plugin_window_state::Builder::default().build())
        .plugin(log_to(TargetKind::LogDir { file_name: None }));
    #[cfg(not(target_os = "linux"))]
    let builder = builder.plugin(tauri_plugin_notification::init());
    let app = build(builder)
        .setup(|app| {
            start(app, Surroundings::of_this_user()?);
            window::create(app.handle(), work::close)?;
            tray::create(app.handle())?;
            news::follow(app.handle());
            Ok(())
        })
        .build(tauri::generate_context!());
    match app {
        Ok(app) => app
            .run_return(on_run_event)
            .try_into()
            .map_or(ExitCode::FAILURE, |code: u8| ExitCode::from(code)),
        Err(error) => {
            tracing::error!(%error, "the app cannot start");
            ExitCode::FAILURE
        }
    }
}

/// Everything that a test with a runtime of its own needs as well: plugins, commands.
pub fn build<R: Runtime>(builder: Builder<R>) -> Builder<R> {
    macro_rules! handlers {
        ($($command:ident),*) => { tauri::generate_handler![$(commands::$command),*] };
    }
    builder
        .plugin(tauri_plugin_dialog::init())
        .plugin(
            tauri_plugin_opener::Builder::new()
                .open_js_links_on_click(false)
                .build(),
        )
        .invoke_handler(sendense_types::for_each_command!(handlers))
}

/// Where the app keeps what it remembers; tests have places of their own.
pub struct Surroundings {
    /// Tokens.
    pub secrets: Arc<dyn Secrets>,
    /// Database and backups of the hub of this computer, and the record of what was mounted, also on other hubs.
    pub data_folder: PathBuf,
    /// Settings and saved hubs.
    pub settings_file: PathBuf,
    /// Log files; who writes there is [`log_to`].
    pub log_folder: PathBuf,
}

impl Surroundings {
    /// The keychain and the folders of whoever runs the app.
    fn of_this_user() -> Result<Self, Box<dyn std::error::Error>> {
        let folders = UserFolders::of_this_user().ok_or(words::frame::no_home())?;
        Ok(Self {
            secrets: open_keychain(),
            data_folder: default_data_dir().ok_or(words::frame::no_home())?,
            settings_file: folders.settings_file,
            log_folder: folders.log_folder,
        })
    }
}

/// Puts the core together and starts the hub of this computer.
pub fn start<R: Runtime>(app: &App<R>, surroundings: Surroundings) {
    let Surroundings {
        secrets,
        data_folder,
        settings_file,
        log_folder,
    } = surroundings;
    let events = Events::new();
    let settings = SettingsFile::new(&settings_file);
    let saved_hubs = SavedHubs::new(settings.clone());
    let preferences = Preferences::load(settings, events.clone());
    let current = preferences.current_hub();
    // The core starts its tasks on the runtime that is entered here.
    let runtime = tauri::async_runtime::handle();
    let _entered = runtime.inner().enter();
    let hubs = saved_hubs.list();
    let session = HubSession::new(hubs, current.clone(), secrets, events.clone())
        .keeping(saved_hubs)
        .remembering(BackupRecord::in_folder(Some(&data_folder)));
    let backups = Backups::new(session.clone());
    let mounts = Mounts::new(
        session.clone(),
        preferences.watch(),
        Arc::new(work::now),
        MountRecord::in_folder(Some(&data_folder)),
    );
    let downloads = Downloads::new(
        session.clone(),
        mounts.clone(),
        events.clone(),
        DownloadRecord::in_folder(Some(&data_folder)),
    );
    app.manage(events);
    app.manage(preferences);
    app.manage(session.clone());
    app.manage(backups);
    app.manage(FullRestores::new(session.clone()));
    app.manage(mounts);
    app.manage(downloads);
    app.manage(OwnHub::new(data_folder));
    app.manage(LogFolder(log_folder));
    app.manage(work::Quitting::default());
    notifications::start(app.handle());
    app.manage(commands::FolderToUse::default());
    app.manage(commands::FolderToRestoreTo::default());
    let handle = app.handle().clone();
    tauri::async_runtime::spawn(async move {
        session.set_local_hub(handle.state::<OwnHub>().start().await);
        // A hub elsewhere does not wait for the one here, and a failure is in the session's state.
        if let Err(error) = session.connect(&current).await {
            tracing::warn!(%error, "could not connect to the hub of the last time");
        }
        session.follow_saved_hubs().await;
    });
}

fn on_run_event(app: &AppHandle, event: RunEvent) {
    match event {
        // Closing the last window is no reason to end: work may run, and quitting cleans up.
        RunEvent::ExitRequested {
            api, code: None, ..
        } => api.prevent_exit(),
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => window::show(app),
        _ => {}
    }
    // Used on one system only.
    let _: &AppHandle = app;
}
