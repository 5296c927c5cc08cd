//! The record of what this computer mounted. Lists of deployed hubs say neither the backup nor the disk of a mount
//! (contract D42), so whoever mounts something notes it here, and whoever lists mounts joins the rows with it.
//!
//! Window and terminal share one file of rows by hub. A row goes when the hub no longer lists its mount; one of the
//! window's goes when the window has been told so.

use std::path::Path;

use jiff::Timestamp;
use sendense_types::{Backup, BackupId, BackupType, Mount, MountId, Opener, VmId};
use serde::{Deserialize, Serialize};

use crate::hub::Purpose;
use crate::record::Record;
use crate::{HubClient, Result};

/// The file's name in the data folder that window and terminal share.
const FILE: &str = "mounts.json";
/// Mounts remembered of each hub. Hubs open eight at a time, so what is older has ended.
const MOST: usize = 64;

/// What this computer mounted, from one start to the next. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MountRecord {
    record: Record<Recorded>,
}

/// What is known of a mount beyond what the hub lists.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Recorded {
    /// What the hub calls it.
    pub mount_id: MountId,
    /// The hub's own number of the disk.
    pub backup_disk_id: Option<u64>,
    /// The backup it is of.
    pub backup_id: BackupId,
    /// The disk within the backup.
    pub disk_index: u32,
    /// The VM, where the hub said so.
    pub vm_id: Option<VmId>,
    /// Its name, as above.
    pub vm_name: Option<String>,
    /// When the backup was taken, as above.
    pub backup_time: Option<Timestamp>,
    /// Full or incremental, as above.
    pub backup_type: Option<BackupType>,
    /// Who opened it; not always we, because hubs share a mount that is there.
    pub opened_by: Opener,
    /// When, by the hub's clock.
    pub opened_at: Option<Timestamp>,
    /// The folder that was looked at last.
    pub folder: String,
}

/// A mount with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownMount {
    /// What the hub says, with backup and disk where only the record has them.
    pub mount: Mount,
    /// What else is known.
    pub known: Option<Recorded>,
}

/// What the list of a hub and the record have to say.
#[derive(Debug)]
pub struct Listed {
    /// The mounts that are open, those of others included.
    pub open: Vec<KnownMount>,
    /// Those in the record that are open no longer, although nobody here closed them.
    pub ended: Vec<Recorded>,
}

impl KnownMount {
    /// Who opened it.
    pub fn opened_by(&self) -> Opener {
        let known = self.known.as_ref();
        known.map_or(Opener::SomebodyElse, |known| known.opened_by)
    }
}

impl MountRecord {
    /// The record in this data folder, which need not be there yet; without a folder nothing is remembered.
    pub fn in_folder(folder: Option<&Path>) -> Self {
        let most = folder.map_or(0, |_| MOST);
        Self {
            record: Record::new(folder, FILE, most),
        }
    }

    /// Opens a disk of a backup and notes that. A mount that was there already is shared, and stays whose it is.
    ///
    /// # Errors
    /// As [`HubClient::mount`], and when the hub does not say what is open.
    pub async fn open(
        &self,
        hub: &HubClient,
        backup_id: &BackupId,
        disk_index: u32,
        opener: Opener,
    ) -> Result<KnownMount> {
        let disk = (backup_id, disk_index);
        self.open_for(Purpose::Files, hub, disk, opener).await
    }

    /// As [`open`](Self::open), for the bytes of the disk: on our own hub there need be no files on it that could be
    /// browsed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_bytes(
        &self,
        hub: &HubClient,
        backup_id: &BackupId,
        disk_index: u32,
        opener: Opener,
    ) -> Result<KnownMount> {
        let disk = (backup_id, disk_index);
        self.open_for(Purpose::Bytes, hub, disk, opener).await
    }

    async fn open_for(
        &self,
        purpose: Purpose,
        hub: &HubClient,
        (backup_id, disk_index): (&BackupId, u32),
        opener: Opener,
    ) -> Result<KnownMount> {
        let before = hub.mounts().await?;
        let mut mount = hub.mount_for(purpose, backup_id, disk_index).await?;
        let is_there = |mount: &Mount| before.iter().any(|open| open.mount_id == mount.mount_id);
        let mut was_there = is_there(&mount);
        if was_there && hub.is_over(&mount) && self.is_of(opener, hub, &mount.mount_id).await {
            // Shared, it has the end of the first (contract section 12), and may be gone any moment.
            self.close(hub, &mount.mount_id).await?;
            mount = hub.mount_for(purpose, backup_id, disk_index).await?;
            was_there = is_there(&mount);
        }
        // Only for the eye: a mount is worth having without.
        let backup = hub.backup(backup_id).await.ok();
        let opened_by = match was_there {
            true => Opener::SomebodyElse,
            false => opener,
        };
        let row = Recorded::of(&mount, backup_id, disk_index, backup.as_ref(), opened_by);
        let noted = row.clone();
        let known = self
            .record
            .change(hub.id(), move |rows| note(rows, noted))
            .await
            .unwrap_or(row);
        Ok(joined(mount, Some(known)))
    }

    /// The open mounts of a hub with what is known of them, those of others included. What the hub no longer lists is
    /// told once and forgotten. What the window opened waits until the window asks, because it offers to open that again.
    ///
    /// # Errors
    /// When the hub does not answer; nothing is forgotten then.
    pub async fn list(&self, hub: &HubClient, asker: Opener) -> Result<Listed> {
        // Before the question: what is noted while the hub answers may be missing in the answer.
        let before = self.record.rows(hub.id()).await;
        let listed = hub.mounts().await?;
        let mut ended = ended(&before, &listed);
        ended.retain(|row| row.opened_by != Opener::Window || asker == Opener::Window);
        if !ended.is_empty() {
            let forget = move |rows: &mut Vec<Recorded>| {
                rows.extract_if(.., |row| ended.iter().any(|it| it.mount_id == row.mount_id))
                    .collect()
            };
            ended = self
                .record
                .change(hub.id(), forget)
                .await
                .unwrap_or_default();
        }
        let rows = self.record.rows(hub.id()).await;
        let mut open = Vec::new();
        for mount in listed {
            let known = match known(&rows, &mount) {
                None => asked(hub, &mount).await,
                known => known,
            };
            open.push(joined(mount, known));
        }
        Ok(Listed { open, ended })
    }

    /// Closes a mount and forgets it.
    ///
    /// # Errors
    /// As [`HubClient::unmount`].
    pub async fn close(&self, hub: &HubClient, mount_id: &MountId) -> Result<()> {
        hub.unmount(mount_id).await?;
        let mount_id = mount_id.clone();
        let forget = move |rows: &mut Vec<Recorded>| rows.retain(|row| row.mount_id != mount_id);
        self.record.change(hub.id(), forget).await;
        Ok(())
    }

    /// Whether this one opened it: what window and terminal opened they leave to each other.
    async fn is_of(&self, opener: Opener, hub: &HubClient, mount_id: &MountId) -> bool {
        let rows = self.record.rows(hub.id()).await;
        rows.iter()
            .any(|row| row.mount_id == *mount_id && row.opened_by == opener)
    }

    /// Notes which folders were looked at last, of mounts that are in the record.
    pub async fn note_folders(&self, hub: &HubClient, folders: Vec<(MountId, String)>) {
        let rows = self.record.rows(hub.id()).await;
        let is_news = |(id, folder): &(MountId, String)| {
            rows.iter()
                .any(|row| row.mount_id == *id && row.folder != *folder)
        };
        if !folders.iter().any(is_news) {
            return;
        }
        self.record
            .change(hub.id(), move |rows| {
                for (id, folder) in folders {
                    if let Some(row) = rows.iter_mut().find(|row| row.mount_id == id) {
                        row.folder = folder;
                    }
                }
            })
            .await;
    }
}

impl Recorded {
    fn of(
        mount: &Mount,
        backup_id: &BackupId,
        disk_index: u32,
        backup: Option<&Backup>,
        opened_by: Opener,
    ) -> Self {
        let name = backup.map(|backup| backup.vm_name.clone());
        Self {
            mount_id: mount.mount_id.clone(),
            backup_disk_id: mount.backup_disk_id,
            backup_id: backup_id.clone(),
            disk_index,
            vm_id: backup.and_then(|backup| backup.vm_context_id.clone()),
            vm_name: name.filter(|name| !name.is_empty()),
            backup_time: backup.and_then(|backup| backup.created_at),
            backup_type: backup.map(|backup| backup.backup_type),
            opened_by,
            opened_at: mount.created_at,
            folder: "/".to_owned(),
        }
    }
}

/// Adds a row, or says again what is known of a mount that has one: it stays whose it is, and where it was left.
fn note(rows: &mut Vec<Recorded>, row: Recorded) -> Recorded {
    match rows.iter_mut().find(|old| old.mount_id == row.mount_id) {
        Some(old) => {
            *old = Recorded {
                opened_by: old.opened_by,
                folder: std::mem::take(&mut old.folder),
                ..row
            };
            old.clone()
        }
        None => {
            rows.push(row.clone());
            row
        }
    }
}

/// The rows that were there `before` the hub was asked, and are of no mount that it lists. One stays as long as it says
/// what a mount without a row of its own is of.
fn ended(before: &[Recorded], listed: &[Mount]) -> Vec<Recorded> {
    let has_row = |mount: &Mount| before.iter().any(|row| row.mount_id == mount.mount_id);
    let is_needed = |row: &Recorded| {
        listed.iter().any(|mount| {
            mount.mount_id == row.mount_id || (!has_row(mount) && is_same_disk(row, mount))
        })
    };
    let ended = before.iter().filter(|row| !is_needed(row));
    ended.cloned().collect()
}

/// What the rows say of a mount. Somebody else may have opened a disk that we have had open before: the number of the
/// disk tells.
fn known(rows: &[Recorded], mount: &Mount) -> Option<Recorded> {
    let own = rows.iter().find(|row| row.mount_id == mount.mount_id);
    let of_its_disk = || {
        let row = rows.iter().rfind(|row| is_same_disk(row, mount))?;
        Some(Recorded {
            mount_id: mount.mount_id.clone(),
            opened_by: Opener::SomebodyElse,
            opened_at: mount.created_at,
            folder: "/".to_owned(),
            ..row.clone()
        })
    };
    own.cloned().or_else(of_its_disk)
}

/// The number of a disk is that of one disk in one backup, as far as the hub does not say otherwise.
fn is_same_disk(row: &Recorded, mount: &Mount) -> bool {
    let backup = mount.backup_id.as_ref();
    row.backup_disk_id.is_some()
        && row.backup_disk_id == mount.backup_disk_id
        && backup.is_none_or(|backup| *backup == row.backup_id)
}

/// What the hub knows of somebody else's mount, where its list says what that is of.
async fn asked(hub: &HubClient, mount: &Mount) -> Option<Recorded> {
    let (backup_id, disk_index) = (mount.backup_id.as_ref()?, mount.disk_index?);
    let backup = hub.backup(backup_id).await.ok();
    Some(Recorded::of(
        mount,
        backup_id,
        disk_index,
        backup.as_ref(),
        Opener::SomebodyElse,
    ))
}

fn joined(mut mount: Mount, known: Option<Recorded>) -> KnownMount {
    if let Some(known) = &known {
        mount.backup_id.get_or_insert(known.backup_id.clone());
        mount.disk_index.get_or_insert(known.disk_index);
    }
    KnownMount { mount, known }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, OnceLock};

    use proptest::collection::btree_map;
    use proptest::prelude::*;
    use sendense_types::{HubId, MountStatus};

    use super::*;
    use crate::testing::{FakeHub, json};

    pub(in crate::mounts) fn row(id: &str, disk: u64) -> Recorded {
        Recorded {
            mount_id: MountId::new(id),
            backup_disk_id: Some(disk),
            backup_id: BackupId::new(format!("b{disk}")),
            disk_index: 1,
            vm_id: None,
            vm_name: Some("web".to_owned()),
            backup_time: None,
            backup_type: Some(BackupType::Full),
            opened_by: Opener::Window,
            opened_at: None,
            folder: "/etc".to_owned(),
        }
    }

    fn mount(id: &str, disk: u64) -> Mount {
        Mount {
            mount_id: MountId::new(id),
            backup_id: None,
            disk_index: None,
            backup_disk_id: Some(disk),
            filesystem_type: None,
            status: MountStatus::Mounted,
            created_at: None,
            expires_at: None,
        }
    }

    /// A hub that lists what it is told to, and a client of it.
    async fn hub(rows: &str) -> (FakeHub, HubClient) {
        let list = format!(r#"{{"mounts":[{rows}]}}"#);
        let hub = FakeHub::start(move |line| match line.split(' ').next() {
            Some("GET") if line.ends_with("/mounts") => json(200, "", &list),
            Some("POST") => json(200, "", r#"{"mount_id":"m1","backup_disk_id":7}"#),
            Some("DELETE") => json(200, "", "{}"),
            _ => json(404, "", r#"{"error":"backup not found"}"#),
        })
        .await;
        let client = HubClient::new(&hub.address, None).unwrap();
        (hub, client)
    }

    #[test]
    fn a_mount_of_a_disk_that_we_had_open_is_known_and_still_somebody_elses() {
        let rows = [row("m1", 7)];
        let own = known(&rows, &mount("m1", 7)).unwrap();
        assert_eq!(own, rows[0]);
        let others = known(&rows, &mount("m2", 7)).unwrap();
        assert_eq!(others.vm_name, own.vm_name);
        assert_eq!(others.opened_by, Opener::SomebodyElse);
        assert_eq!(others.folder, "/", "where we were is no business of theirs");
        assert_eq!(known(&rows, &mount("m2", 8)), None);
        let contradicted = Mount {
            backup_id: Some(BackupId::new("b9")),
            ..mount("m2", 7)
        };
        assert_eq!(known(&rows, &contradicted), None);
        let numberless = Mount {
            backup_disk_id: None,
            ..mount("m2", 7)
        };
        let unnumbered = Recorded {
            backup_disk_id: None,
            ..row("m1", 7)
        };
        assert_eq!(known(&[unnumbered], &numberless), None);
    }

    #[test]
    fn a_mount_that_is_shared_stays_whose_it_is_and_where_it_was_left() {
        let mut rows = vec![row("m1", 7)];
        let again = Recorded {
            opened_by: Opener::SomebodyElse,
            folder: "/".to_owned(),
            vm_name: Some("web2".to_owned()),
            ..row("m1", 7)
        };
        let noted = note(&mut rows, again);
        assert_eq!(noted.opened_by, Opener::Window);
        assert_eq!(noted.folder, "/etc");
        assert_eq!(noted.vm_name.as_deref(), Some("web2"));
        assert_eq!(rows, [noted]);
    }

    proptest! {
        /// What is listed keeps its row, what is not loses it; knowing less never makes a mount known.
        #[test]
        fn rows_go_with_their_mounts(
            rows in btree_map(0..6u64, 0..4u64, 0..6),
            listed in btree_map(0..6u64, 0..4u64, 0..6),
        ) {
            let id = |n: u64| format!("m{n}");
            let rows: Vec<Recorded> = rows.iter().map(|(n, disk)| row(&id(*n), *disk)).collect();
            let listed: Vec<Mount> = listed.iter().map(|(n, disk)| mount(&id(*n), *disk)).collect();
            let ended = ended(&rows, &listed);
            let mut left = rows.clone();
            left.retain(|row| !ended.contains(row));
            for mount in &listed {
                let (before, after) = (known(&rows, mount), known(&left, mount));
                prop_assert_eq!(before.is_some(), after.is_some());
                prop_assert_eq!(
                    before.map(|row| row.opened_by),
                    after.map(|row| row.opened_by)
                );
            }
            for row in &left {
                prop_assert!(listed.iter().any(|mount| known(std::slice::from_ref(row), mount).is_some()));
            }
            if listed.is_empty() {
                prop_assert!(left.is_empty());
            }
        }
    }

    #[tokio::test]
    async fn what_is_noted_while_the_hub_answers_is_not_forgotten_for_missing_in_the_answer() {
        let folder = tempfile::tempdir().unwrap();
        let record = MountRecord::in_folder(Some(folder.path()));
        let id = Arc::new(OnceLock::<HubId>::new());
        let (other, of) = (record.clone(), Arc::clone(&id));
        let hub = FakeHub::start(move |_| {
            // Another program mounts something right after the hub has looked.
            let (other, of) = (other.clone(), Arc::clone(&of));
            let noted = std::thread::spawn(move || {
                let noting = other
                    .record
                    .change(of.get().unwrap(), |rows| rows.push(row("late", 1)));
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.unwrap().block_on(noting)
            });
            noted.join().unwrap();
            json(200, "", r#"{"mounts":[]}"#)
        })
        .await;
        let client = HubClient::new(&hub.address, None).unwrap();
        id.set(client.id().clone()).unwrap();
        record
            .record
            .change(client.id(), |rows| rows.push(row("old", 2)))
            .await;
        assert_eq!(record.list(&client, Opener::Window).await.unwrap().open, []);
        let left = record.record.rows(client.id()).await;
        assert_eq!(left, [row("late", 1)]);
    }

    #[tokio::test]
    async fn nothing_is_forgotten_while_the_hub_does_not_answer() {
        let folder = tempfile::tempdir().unwrap();
        let record = MountRecord::in_folder(Some(folder.path()));
        let broken = FakeHub::start(|_| json(500, "", r#"{"error":"database is away"}"#)).await;
        let client = HubClient::new(&broken.address, None).unwrap();
        record
            .record
            .change(client.id(), |rows| rows.push(row("m1", 7)))
            .await;
        record.list(&client, Opener::Window).await.unwrap_err();
        record
            .open(&client, &BackupId::new("b7"), 1, Opener::Window)
            .await
            .unwrap_err();
        assert_eq!(record.record.rows(client.id()).await, [row("m1", 7)]);
    }

    /// Contract H13.
    #[tokio::test]
    async fn what_was_open_before_we_asked_for_it_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let record = MountRecord::in_folder(Some(folder.path()));
        let open = async |client: &HubClient| {
            let backup = BackupId::new("b7");
            let opened = record.open(client, &backup, 1, Opener::Terminal).await;
            opened.unwrap()
        };
        let (_free, client) = hub("").await;
        assert_eq!(open(&client).await.opened_by(), Opener::Terminal);
        let theirs = r#"{"mount_id":"m1","backup_disk_id":7,"backup_id":"","disk_index":0}"#;
        let (_shared, client) = hub(theirs).await;
        assert_eq!(open(&client).await.opened_by(), Opener::SomebodyElse);
        let listed = record
            .list(&client, Opener::Window)
            .await
            .unwrap()
            .open
            .remove(0);
        assert_eq!(listed.opened_by(), Opener::SomebodyElse);
        assert_eq!(listed.mount.backup_id, Some(BackupId::new("b7")));
        assert_eq!(listed.mount.disk_index, Some(1));
        record.close(&client, &MountId::new("m1")).await.unwrap();
        assert_eq!(record.record.rows(client.id()).await, []);
    }

    #[tokio::test]
    async fn without_a_folder_nothing_is_remembered_and_everything_works() {
        let record = MountRecord::in_folder(None);
        let (_hub, client) = hub(r#"{"mount_id":"m1","backup_disk_id":7}"#).await;
        let listed = record
            .list(&client, Opener::Window)
            .await
            .unwrap()
            .open
            .remove(0);
        assert_eq!(
            (listed.opened_by(), listed.known),
            (Opener::SomebodyElse, None)
        );
        let (_free, client) = hub("").await;
        let opened = record
            .open(&client, &BackupId::new("b7"), 1, Opener::Window)
            .await
            .unwrap();
        assert_eq!(opened.opened_by(), Opener::Window);
    }
}
