//! The tray icon: its state by shape, running backups, open mounts, the ways in and out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use sendense_types::{AppEvent, BackupProgress, BackupStatus, HubId, OpenMount, Place};
use sendense_words as words;
use tauri::image::Image;
use tauri::menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Manager, Runtime};

use crate::{notifications, window, work};

const ID: &str = "main";
const OPEN: &str = "open";
const QUIT: &str = "quit";
const BACKUP: &str = "backup:";
const MOUNT: &str = "mount:";

/// What the tray shows.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shown {
    /// Line and VM of each running backup, by backup.
    backups: BTreeMap<String, (String, Option<String>)>,
    /// Line of each mount, by mount.
    mounts: BTreeMap<String, String>,
    /// VMs whose last backup failed.
    failed: BTreeSet<String>,
    /// The hub that all this is of.
    hub: Option<HubId>,
}

#[derive(Default)]
struct TrayState(Mutex<Shown>);

/// Puts the icon into the tray.
pub(crate) fn create<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<()> {
    app.manage(TrayState::default());
    let shown = Shown::default();
    TrayIconBuilder::with_id(ID)
        .tooltip(words::common::app_name())
        .icon(shown.icon()?)
        .menu(&shown.menu(app)?)
        .on_menu_event(|app, event| chosen(app, event.id().as_ref()))
        .build(app)?;
    Ok(())
}

/// Shows what happened, on the current hub unless another is named, if the tray is concerned.
pub(crate) fn follow<R: Runtime>(app: &AppHandle<R>, hub_name: Option<&str>, event: &AppEvent) {
    let Some(state) = app.try_state::<TrayState>() else {
        return;
    };
    let after = {
        let mut shown = state.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shown.clone();
        shown.take_in(hub_name, event);
        if *shown == before {
            return;
        }
        shown.clone()
    };
    let app = app.clone();
    // Menus belong to the thread that draws.
    let drawn = app.clone().run_on_main_thread(move || {
        if let Err(error) = draw(&app, &after) {
            tracing::warn!(%error, "could not draw the tray");
        }
    });
    if let Err(error) = drawn {
        tracing::warn!(%error, "could not draw the tray");
    }
}

fn draw<R: Runtime>(app: &AppHandle<R>, shown: &Shown) -> tauri::Result<()> {
    let Some(tray) = app.tray_by_id(ID) else {
        return Ok(());
    };
    tray.set_menu(Some(shown.menu(app)?))?;
    tray.set_icon(Some(shown.icon()?))?;
    tray.set_tooltip(Some(shown.state()))
}

fn chosen<R: Runtime>(app: &AppHandle<R>, item: &str) {
    if let Some(backup_id) = item.strip_prefix(BACKUP) {
        let vm_id = app.try_state::<TrayState>().and_then(|state| {
            let shown = state.0.lock().unwrap_or_else(PoisonError::into_inner);
            shown.backups.get(backup_id).and_then(|(_, vm)| vm.clone())
        });
        let place = vm_id.map(|vm_id| Place::Backup {
            vm_id: vm_id.into(),
        });
        return notifications::open(app, place);
    }
    if let Some(mount_id) = item.strip_prefix(MOUNT) {
        let mount_id = mount_id.into();
        return notifications::open(app, Some(Place::Mount { mount_id }));
    }
    match item {
        QUIT => work::quit(app),
        _ => window::show(app),
    }
}

impl Shown {
    /// What happened on the current hub unless another is named.
    fn take_in(&mut self, hub_name: Option<&str>, event: &AppEvent) {
        let named = |what: &str| notifications::on(hub_name, what.to_owned());
        match event {
            AppEvent::BackupProgressed(progress) => {
                let backup = &progress.backup;
                let vm_id = backup.vm_context_id.as_ref().map(ToString::to_string);
                // The window shows VMs of the current hub.
                let vm_id = vm_id.filter(|_| hub_name.is_none());
                self.backups.insert(
                    named(backup.backup_id.as_str()),
                    (named(&backup_line(progress)), vm_id),
                );
            }
            AppEvent::BackupFinished { backup } => {
                self.backups.remove(&named(backup.backup_id.as_str()));
                match backup.status {
                    BackupStatus::Failed | BackupStatus::Unconfirmed => {
                        self.failed.insert(named(&backup.vm_name));
                    }
                    BackupStatus::Completed => {
                        self.failed.remove(&named(&backup.vm_name));
                    }
                    _ => {}
                }
            }
            AppEvent::BackupLost { backup_id, .. } => {
                self.backups.remove(&named(backup_id.as_str()));
            }
            AppEvent::MountsChanged { mounts } => {
                let open = mounts.iter().filter(|mount| mount.is_open);
                self.mounts = open
                    .map(|mount| (mount.mount_id.to_string(), mount_line(mount)))
                    .collect();
            }
            // Another hub, other work; what goes on elsewhere is heard of again soon.
            AppEvent::SessionChanged { session } if self.hub.as_ref() != Some(&session.current) => {
                *self = Self {
                    hub: Some(session.current.clone()),
                    ..Self::default()
                };
            }
            _ => {}
        }
    }

    /// The state in words, for whoever reads or hears it.
    fn state(&self) -> String {
        match (self.backups.len(), self.failed.len()) {
            (0, 0) => words::frame::tray_idle().to_owned(),
            (0, count) => words::frame::tray_failed(count as u64),
            (count, _) => words::frame::tray_running(count as u64),
        }
    }

    fn icon(&self) -> tauri::Result<Image<'static>> {
        // Different shapes, not only colours.
        let png: &[u8] = match (self.backups.is_empty(), self.failed.is_empty()) {
            (false, _) => include_bytes!("../../icons/tray-running.png"),
            (true, false) => include_bytes!("../../icons/tray-attention.png"),
            (true, true) => include_bytes!("../../icons/tray-idle.png"),
        };
        Image::from_bytes(png)
    }

    fn menu<R: Runtime>(&self, app: &AppHandle<R>) -> tauri::Result<Menu<R>> {
        let line = || PredefinedMenuItem::separator(app);
        let item =
            |id: &str, text: &str, enabled| MenuItem::with_id(app, id, text, enabled, None::<&str>);
        let mut items: Vec<Box<dyn IsMenuItem<R>>> = vec![
            Box::new(item("state", &self.state(), false)?),
            Box::new(item(OPEN, words::frame::tray_open(), true)?),
        ];
        if !self.backups.is_empty() {
            items.push(Box::new(line()?));
        }
        for (backup_id, (text, _)) in &self.backups {
            items.push(Box::new(item(&format!("{BACKUP}{backup_id}"), text, true)?));
        }
        if !self.mounts.is_empty() {
            items.push(Box::new(line()?));
        }
        for (mount_id, text) in &self.mounts {
            items.push(Box::new(item(&format!("{MOUNT}{mount_id}"), text, true)?));
        }
        items.push(Box::new(line()?));
        items.push(Box::new(item(QUIT, words::frame::tray_quit(), true)?));
        let items: Vec<&dyn IsMenuItem<R>> = items.iter().map(AsRef::as_ref).collect();
        Menu::with_items(app, &items)
    }
}

/// "Backing up pgtest1: 40%"
fn backup_line(progress: &BackupProgress) -> String {
    let name = text(&progress.backup.vm_name);
    match progress.backup.progress_percent {
        Some(percent) => words::frame::backing_up_at(name, format_args!("{percent:.0}")),
        None => words::backups::backing_up(name),
    }
}

/// "Mounted: pgtest1 · Disk 0"
fn mount_line(mount: &OpenMount) -> String {
    let vm = mount.vm_name.as_deref();
    let vm = text(vm.unwrap_or(words::frame::unknown_vm()));
    words::frame::mounted(words::mounts::name_of(&vm, mount.disk_index))
}

/// Menus take `&` for a mark of the key to press.
fn text(name: &str) -> String {
    name.replace('&', "&&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icon_and_words_follow_the_state() {
        let mut shown = Shown::default();
        assert_eq!(shown.state(), "Sendense: idle");
        shown.backups.insert("b1".to_owned(), (String::new(), None));
        assert_eq!(shown.state(), "Sendense: 1 backup running");
        shown.backups.clear();
        let finished = |vm_name: &str, status: &str| {
            let backup = serde_json::from_value(serde_json::json!({
                "backup_id": "b1", "vm_context_id": null, "vm_name": vm_name, "repository_id": "local",
                "backup_type": "full", "status": status, "hub_status": status, "disks": [],
                "disk_count": 1, "progress_percent": null, "bytes_transferred": null,
                "total_bytes": null, "total_size_gb": null, "current_phase": null,
                "transfer_speed_bps": null, "error_message": null, "created_at": null,
                "started_at": null, "completed_at": null,
            }));
            AppEvent::BackupFinished {
                backup: Box::new(backup.unwrap()),
            }
        };
        shown.take_in(None, &finished("db", "failed"));
        // What happens to another one does not make up for it.
        shown.take_in(None, &finished("web", "completed"));
        assert_eq!(shown.state(), "Sendense: the last backup of 1 VM failed");
        shown.take_in(None, &finished("db", "completed"));
        assert_eq!(shown.state(), "Sendense: idle");
        // A VM of the same name on another hub is another one.
        let office = Some("Office");
        shown.take_in(office, &finished("db", "failed"));
        shown.take_in(None, &finished("db", "completed"));
        assert_eq!(shown.state(), "Sendense: the last backup of 1 VM failed");
        shown.take_in(office, &finished("db", "completed"));
        assert_eq!(shown.state(), "Sendense: idle");
    }

    #[test]
    fn the_three_icons_are_different_pictures() {
        let running = Shown {
            backups: BTreeMap::from([("b1".to_owned(), (String::new(), None))]),
            ..Shown::default()
        };
        let attention = Shown {
            failed: BTreeSet::from(["db".to_owned()]),
            ..Shown::default()
        };
        let icons = [Shown::default(), running, attention].map(|shown| shown.icon().unwrap());
        assert_ne!(icons[0].rgba(), icons[1].rgba());
        assert_ne!(icons[1].rgba(), icons[2].rgba());
        assert_ne!(icons[0].rgba(), icons[2].rgba());
    }
}
