//! Work that would be lost, and what that means for closing and quitting.

use std::sync::atomic::{AtomicBool, Ordering};

use sendense_core::{Backups, Downloads, FullRestores, Mounts};
use sendense_types::HubId;
use sendense_words as words;
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
    verifications: usize,
    copies: usize,
    full_restores: usize,
}

impl Running {
    fn of<R: Runtime>(app: &AppHandle<R>) -> Self {
        let downloads = app.state::<Downloads>().running();
        if !app.state::<OwnHub>().is_running() {
            return Self {
                downloads,
                ..Self::default()
            };
        }
        let backups = app.state::<Backups>();
        let ours = HubId::this_computer();
        let (verifications, copies) = backups.verifying_and_copying(&ours);
        Self {
            backups: backups.running_at(&ours).len(),
            downloads,
            verifications,
            copies,
            full_restores: app.state::<FullRestores>().running_at(&ours),
        }
    }

    fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// "1 backup, 1 copy and 2 downloads"
    fn words(self) -> String {
        let kinds = [
            (
                self.backups,
                words::repositories::backups as fn(u64) -> String,
            ),
            (self.verifications, words::frame::verifications),
            (self.copies, words::frame::copies),
            (self.full_restores, words::frame::full_restores),
            (self.downloads, words::frame::downloads),
        ];
        let parts: Vec<String> = kinds
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, words)| words(count as u64))
            .collect();
        match parts.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => words::frame::and(others.join(", "), last),
            None => String::new(),
        }
    }
}

/// The window's close button: to the tray while work runs and the user wants that, else out.
pub(crate) fn close<R: Runtime>(app: &AppHandle<R>) {
    let running = Running::of(app);
    if running.is_nothing() || !app.state::<Preferences>().settings().close_to_tray {
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
            words::frame::in_tray(),
            &words::frame::in_tray_hint(running.words()),
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
            let mut text = words::frame::quit_hint(running.words());
            if running.copies > 0 {
                text += " ";
                text += words::frame::quit_copies_resume();
            }
            if running.full_restores > 0 {
                text += " ";
                text += words::frame::quit_full_restores_resume();
            }
            if running.downloads > 0 {
                text += " ";
                text += words::frame::quit_downloads_wait();
            }
            if !dialogs::confirm(
                &app,
                words::frame::quit_question(),
                &text,
                words::frame::tray_quit(),
                words::frame::keep_running(),
            )
            .await
            {
                app.state::<Quitting>()
                    .is_asking
                    .store(false, Ordering::Relaxed);
                return;
            }
        }
        app.state::<Downloads>().pause_all().await;
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
        let running = |backups, downloads| Running {
            backups,
            downloads,
            ..Running::default()
        };
        assert!(running(0, 0).is_nothing());
        assert_eq!(running(1, 0).words(), "1 backup");
        assert_eq!(running(2, 1).words(), "2 backups and 1 download");
        let copying = Running {
            copies: 1,
            verifications: 2,
            ..running(1, 0)
        };
        assert_eq!(copying.words(), "1 backup, 2 verifications and 1 copy");
    }
}
