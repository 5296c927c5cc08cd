//! Work that would be lost, and what that means for closing and quitting.

use std::sync::atomic::{AtomicBool, Ordering};

use sendense_core::{Backups, Downloads, HubSession, Mounts};
use tauri::{AppHandle, Manager, Runtime};

use crate::local_hub::OwnHub;
use crate::preferences::Preferences;
use crate::{dialogs, notifications, window};

/// The time, for whom it is passed to.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the clock that is passed"
)]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Whether the app is on its way out, and whether its user knows about the tray.
#[derive(Default)]
pub(crate) struct Quitting {
    is_asking: AtomicBool,
    has_told_of_tray: AtomicBool,
}

/// What runs and would be stopped by quitting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Running {
    /// Backups on the hub inside this app; those elsewhere go on without us.
    backups: usize,
    downloads: usize,
}

impl Running {
    fn of<R: Runtime>(app: &AppHandle<R>) -> Self {
        let session = app.state::<HubSession>().state();
        let is_ours = app.state::<OwnHub>().is_running()
            && session
                .current_hub()
                .is_some_and(sendense_types::SavedHub::is_this_computer);
        Self {
            backups: if is_ours {
                app.state::<Backups>().running().len()
            } else {
                0
            },
            downloads: app.state::<Downloads>().running(),
        }
    }

    fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// "1 backup and 2 downloads"
    fn words(self) -> String {
        let parts: Vec<String> = [(self.backups, "backup"), (self.downloads, "download")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
            .collect();
        parts.join(" and ")
    }

    fn verb(self) -> &'static str {
        if self.backups + self.downloads == 1 {
            "is"
        } else {
            "are"
        }
    }
}

/// The window's close button: to the tray while work runs and the user wants that, else out.
pub(crate) fn close<R: Runtime>(app: &AppHandle<R>) {
    let running = Running::of(app);
    if running.is_nothing() || !app.state::<Preferences<R>>().settings().close_to_tray {
        return quit(app);
    }
    if let Some(window) = app.get_webview_window(window::LABEL)
        && let Err(error) = window.hide()
    {
        tracing::warn!(%error, "could not hide the window");
    }
    let told = &app.state::<Quitting>().has_told_of_tray;
    if !told.swap(true, Ordering::Relaxed) {
        notifications::say(
            app,
            "Sendense goes on in the tray",
            &format!(
                "{} {} running. Open or quit Sendense by its tray icon, or start it again.",
                running.words(),
                running.verb()
            ),
            None,
        );
    }
}

/// Ends the app, asking first when work would be lost.
pub(crate) fn quit<R: Runtime>(app: &AppHandle<R>) {
    if app
        .state::<Quitting>()
        .is_asking
        .swap(true, Ordering::Relaxed)
    {
        return;
    }
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let running = Running::of(&app);
        if !running.is_nothing() {
            let text = format!(
                "{} {} running and will be stopped. Nothing half-done stays behind; finished backups and files are safe.",
                running.words(),
                running.verb()
            );
            if !dialogs::confirm(&app, "Quit Sendense?", &text, "Quit", "Keep running").await {
                app.state::<Quitting>()
                    .is_asking
                    .store(false, Ordering::Relaxed);
                return;
            }
        }
        app.state::<Downloads>().cancel_all().await;
        app.state::<Mounts>().close_all_ours().await;
        app.state::<OwnHub>().stop().await;
        app.exit(0);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_lost_is_said_in_words() {
        let running = |backups, downloads| Running { backups, downloads };
        assert!(running(0, 0).is_nothing());
        assert_eq!(running(1, 0).words(), "1 backup");
        assert_eq!(running(2, 1).words(), "2 backups and 1 download");
        assert_eq!((running(0, 1).verb(), running(1, 1).verb()), ("is", "are"));
    }
}
