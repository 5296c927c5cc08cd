//! Notifications of the desktop. A click on one opens what it is about, where the system can.

#[cfg(target_os = "linux")]
mod linux;

use sendense_core::Events;
use sendense_types::{AppEvent, Backup, BackupStatus, ByteSize, Expiry, OpenMount, Place};
use sendense_words as words;
use tauri::{AppHandle, Manager, Runtime};

use crate::window;

/// A backup is over, on the current hub unless another is named.
pub(crate) fn backup_over<R: Runtime>(app: &AppHandle<R>, backup: &Backup, hub_name: Option<&str>) {
    let name = &backup.vm_name;
    let (title, text) = match backup.status {
        BackupStatus::Completed => {
            let text = match backup.total_bytes {
                Some(bytes) => words::frame::new_point_of(ByteSize(bytes)),
                None => words::backups::new_point().to_owned(),
            };
            (words::backups::finished_toast(name), text)
        }
        BackupStatus::Unconfirmed => (
            words::backups::unconfirmed_toast(name),
            words::backups::unconfirmed_note().to_owned(),
        ),
        _ => {
            let text = match backup.error_message.as_deref() {
                Some(reason) => words::frame::backup_failed(reason.trim_end_matches('.')),
                None => words::frame::backup_failed_unexplained().to_owned(),
            };
            (words::backups::failed_toast(name), text)
        }
    };
    let place = backup
        .vm_context_id
        .clone()
        // The window shows the current hub.
        .filter(|_| hub_name.is_none())
        .map(|vm_id| Place::Backup { vm_id });
    say(app, &on(hub_name, title), &text, place);
}

/// A backup is no longer known to its hub.
pub(crate) fn backup_lost<R: Runtime>(
    app: &AppHandle<R>,
    vm_name: Option<&str>,
    hub_name: Option<&str>,
) {
    let name = vm_name.unwrap_or(words::frame::unknown_vm());
    say(
        app,
        &on(hub_name, words::backups::lost_toast(name)),
        words::backups::lost_note(),
        None,
    );
}

/// The hub of a running backup has been away for too long.
pub(crate) fn contact_lost<R: Runtime>(
    app: &AppHandle<R>,
    vm_name: &str,
    silent_for_seconds: u64,
    hub_name: Option<&str>,
) {
    let note = words::backups::contact_lost_note(silent_for_seconds.div_ceil(60));
    let title = on(hub_name, words::backups::contact_lost(vm_name));
    say(app, &title, &note, None);
}

/// What happened, with the hub where that is not the current one.
pub(crate) fn on(hub_name: Option<&str>, what: String) -> String {
    match hub_name {
        Some(hub) => words::hubs::on(hub, &what),
        None => what,
    }
}

/// A mount ends soon.
pub(crate) fn mount_expiring<R: Runtime>(app: &AppHandle<R>, mount: &OpenMount, minutes: u32) {
    let vm = mount.vm_name.as_deref();
    let vm = vm.unwrap_or(words::frame::unknown_vm());
    let shown = words::mounts::name_of(vm, mount.disk_index);
    let what_to_do = words::mounts::before_it_ends(mount.expiry == Expiry::Fixed);
    say(
        app,
        &words::frame::mount_expires(minutes.into()),
        &words::frame::mount_expires_hint(shown, what_to_do),
        Some(Place::Mount {
            mount_id: mount.mount_id.clone(),
        }),
    );
}

/// Shows a notification; a click on it raises the window and leads to the place.
#[cfg(target_os = "linux")]
pub(crate) fn say<R: Runtime>(app: &AppHandle<R>, title: &str, text: &str, place: Option<Place>) {
    app.state::<linux::Notices>().show(linux::Notice {
        title: title.to_owned(),
        text: text.to_owned(),
        place,
    });
}

/// Gets ready to show notifications, on the runtime that is entered.
pub(crate) fn start<R: Runtime>(app: &AppHandle<R>) {
    #[cfg(target_os = "linux")]
    {
        let clicked = app.clone();
        app.manage(linux::Notices::start(move |place| open(&clicked, place)));
    }
    // Used on one system only.
    let _: &AppHandle<R> = app;
}

/// Shows a notification.
#[cfg(not(target_os = "linux"))]
pub(crate) fn say<R: Runtime>(app: &AppHandle<R>, title: &str, text: &str, place: Option<Place>) {
    use tauri_plugin_notification::NotificationExt;

    // This system's plugin does not say when one is clicked.
    drop(place);
    let shown = app.notification().builder().title(title).body(text).show();
    if let Err(error) = shown {
        tracing::warn!(%error, "no notification could be shown");
    }
}

/// Raises the window and leads to a place in it.
pub(crate) fn open<R: Runtime>(app: &AppHandle<R>, place: Option<Place>) {
    window::show(app);
    if let Some(place) = place {
        app.state::<Events>().publish(AppEvent::Show { place });
    }
}
