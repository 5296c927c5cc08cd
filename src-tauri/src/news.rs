//! News of the core, carried to the window, the tray, the notifications and the settings file.

use sendense_core::{Backups, Events};
use sendense_types::{AppEvent, BackupStatus, ErrorKind, SessionState};
use tauri::{AppHandle, Emitter, Manager, Runtime};
use tokio::sync::broadcast::error::RecvError;

use crate::preferences::Preferences;
use crate::{notifications, tray, window};

/// The one event the window listens to.
const EVENT: &str = "app-event";

/// Carries news as long as the app runs.
pub(crate) fn follow<R: Runtime>(app: &AppHandle<R>) {
    let app = app.clone();
    let mut news = app.state::<Events>().subscribe();
    tauri::async_runtime::spawn(async move {
        loop {
            match news.recv().await {
                Ok(event) => tell(&app, event),
                // Progress that came too fast; the next report makes up for it.
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "news were missed"),
                Err(RecvError::Closed) => return,
            }
        }
    });
}

fn tell<R: Runtime>(app: &AppHandle<R>, event: AppEvent) {
    let (hub_name, happened) = match &event {
        AppEvent::Elsewhere { hub_name, event } => (Some(hub_name.as_str()), event.as_ref()),
        event => (None, event),
    };
    // How far work on other hubs is only the tray says; the window would be drawn anew for nothing.
    let is_shown = hub_name.is_none() || !matches!(happened, AppEvent::BackupProgressed(_));
    if is_shown && let Err(error) = app.emit_to(window::LABEL, EVENT, &event) {
        tracing::warn!(%error, "could not tell the window");
    }
    match happened {
        AppEvent::SessionChanged { session } => {
            let kept = app
                .state::<Preferences>()
                .keep_current_hub(&session.current);
            if let Err(error) = kept {
                tracing::error!(%error, "could not keep which hub is in use");
            }
            if session.state == SessionState::Connected {
                let backups = app.state::<Backups>().inner().clone();
                tauri::async_runtime::spawn(async move { backups.resume().await });
            }
        }
        AppEvent::BackupFinished { backup } => {
            let settings = app.state::<Preferences>().settings();
            let is_wanted = match backup.status {
                BackupStatus::Completed => settings.notify_success,
                BackupStatus::Failed | BackupStatus::Unconfirmed => settings.notify_failure,
                _ => false,
            };
            if is_wanted {
                notifications::backup_over(app, backup, hub_name);
            }
        }
        AppEvent::BackupLost {
            vm_name,
            silent_for_seconds,
            error,
            ..
        } if app.state::<Preferences>().settings().notify_failure => {
            match (error.kind, vm_name, silent_for_seconds) {
                (ErrorKind::NotFound, name, _) => {
                    notifications::backup_lost(app, name.as_deref(), hub_name);
                }
                (_, Some(name), Some(seconds)) => {
                    notifications::contact_lost(app, name, *seconds, hub_name);
                }
                // Never seen here, it was not said to run either.
                _ => {}
            }
        }
        AppEvent::MountExpiring { mount, minutes } => {
            notifications::mount_expiring(app, mount, *minutes);
        }
        _ => {}
    }
    tray::follow(app, hub_name, happened);
}
