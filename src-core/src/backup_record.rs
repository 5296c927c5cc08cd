//! The record of the backups that this computer started or saw running. Whoever starts next asks for those that may
//! still run and tells how they ended; and of VMs whose backups a hub never lists, it is the list (contract H5).
//!
//! Window and terminal share one file of rows by hub. A row goes some days after its backup is over, or when the hub
//! no longer knows it.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use sendense_types::{Backup, BackupId, HubId, VmId};
use serde::{Deserialize, Serialize};

use crate::record::Record;

/// The file's name in the data folder that window and terminal share.
const FILE: &str = "backups.json";
/// Rows of each hub.
const MOST: usize = 512;
/// Rows of each VM whose backups are not listed: each is a question to the hub.
const MOST_UNLISTED: usize = 32;
/// A backup that is over so long is in the hub's list, and nowhere else.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Whether deployed hubs take the backups of a VM of this name for those of disks, and list none of them (contract H5).
pub(crate) fn is_unlisted(vm_name: &str) -> bool {
    vm_name.contains("-disk")
}

/// What this computer backed up, from one start to the next. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BackupRecord {
    record: Record<RecordedBackup>,
}

/// A backup that was started here, or seen running.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct RecordedBackup {
    /// What the hub calls it.
    pub(crate) backup_id: BackupId,
    /// The VM, where it is known.
    pub(crate) vm_id: Option<VmId>,
    /// Its name.
    pub(crate) vm_name: String,
    /// When it was started, by the hub's clock.
    pub(crate) started_at: Option<Timestamp>,
    /// When it was first known to be over, by the hub's clock.
    pub(crate) over_at: Option<Timestamp>,
}

impl RecordedBackup {
    /// A backup that runs.
    pub(crate) fn of(backup: &Backup) -> Self {
        Self {
            backup_id: backup.backup_id.clone(),
            vm_id: backup.vm_context_id.clone(),
            vm_name: backup.vm_name.clone(),
            started_at: backup.started_at.or(backup.created_at),
            over_at: None,
        }
    }
}

impl BackupRecord {
    /// The record in this data folder, which need not be there yet; without a folder it ends with the program.
    pub fn in_folder(folder: Option<&Path>) -> Self {
        Self {
            record: Record::new(folder, FILE, MOST),
        }
    }

    /// Notes a backup that was started or runs. What is known of one that has a row stays. `now` is the hub's time, where
    /// that is known.
    pub(crate) async fn note(&self, hub: &HubId, row: RecordedBackup, now: Option<Timestamp>) {
        let noting = self.record.change(hub, move |rows| {
            if !rows.iter().any(|known| known.backup_id == row.backup_id) {
                rows.push(row);
            }
            forget_old(rows, now);
        });
        noting.await;
    }

    /// Notes that a backup is over.
    pub(crate) async fn end(&self, hub: &HubId, id: &BackupId, now: Option<Timestamp>) {
        let id = id.clone();
        let ending = self.record.change(hub, move |rows| {
            if let Some(row) = rows.iter_mut().find(|row| row.backup_id == id) {
                let over_at = now.or(row.started_at).unwrap_or_default();
                row.over_at.get_or_insert(over_at);
            }
            forget_old(rows, now);
        });
        ending.await;
    }

    /// Forgets a backup that its hub does not know any more, and says what was known of it.
    pub(crate) async fn forget(&self, hub: &HubId, id: &BackupId) -> Option<RecordedBackup> {
        let id = id.clone();
        let forgetting = self.record.change(hub, move |rows| {
            let place = rows.iter().position(|row| row.backup_id == id)?;
            Some(rows.remove(place))
        });
        forgetting.await.flatten()
    }

    /// Those that are not known to be over, oldest first.
    pub(crate) async fn unfinished(&self, hub: &HubId) -> Vec<BackupId> {
        let rows = self.record.rows(hub).await.into_iter();
        let unfinished = rows.filter(|row| row.over_at.is_none());
        unfinished.map(|row| row.backup_id).collect()
    }

    /// Those of a VM.
    pub(crate) async fn of_vm(&self, hub: &HubId, vm: &VmId) -> Vec<BackupId> {
        let rows = self.record.rows(hub).await.into_iter();
        let of_vm = rows.filter(|row| row.vm_id.as_ref() == Some(vm));
        of_vm.map(|row| row.backup_id).collect()
    }
}

/// Drops the rows that nobody needs any more.
fn forget_old(rows: &mut Vec<RecordedBackup>, now: Option<Timestamp>) {
    let is_old = |row: &RecordedBackup| {
        let times = row.over_at.zip(now);
        times.is_some_and(|(over, now)| now.duration_since(over) >= KEPT_FOR)
    };
    rows.retain(|row| is_unlisted(&row.vm_name) || !is_old(row));
    // Of those that no list holds, the newest stay; one that may run always does.
    let mut n_of_vm = BTreeMap::<_, usize>::new();
    let mut is_kept: Vec<bool> = rows
        .iter()
        .rev()
        .map(|row| {
            let n_newest = n_of_vm.entry(row.vm_id.as_ref()).or_default();
            *n_newest += 1;
            row.over_at.is_none() || !is_unlisted(&row.vm_name) || *n_newest <= MOST_UNLISTED
        })
        .collect();
    rows.retain(|_| is_kept.pop().unwrap_or(true));
    while rows.len() > MOST {
        let over = rows.iter().position(|row| row.over_at.is_some());
        rows.remove(over.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: usize, vm: &str, over_at: Option<Timestamp>) -> RecordedBackup {
        RecordedBackup {
            backup_id: BackupId::new(format!("b{number}")),
            vm_id: Some(VmId::new(vm)),
            vm_name: vm.to_owned(),
            started_at: None,
            over_at,
        }
    }

    fn ids(rows: &[RecordedBackup]) -> Vec<&str> {
        rows.iter().map(|row| row.backup_id.as_str()).collect()
    }

    /// Contract H5.
    #[test]
    fn what_is_over_goes_after_some_days_unless_no_list_holds_it() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let days_ago = |days: i64| Some(now - SignedDuration::from_hours(24 * days));
        let mut rows = vec![
            row(1, "web", days_ago(8)),
            row(2, "web", days_ago(6)),
            row(3, "web", None),
            row(4, "web-disk01", days_ago(100)),
        ];
        forget_old(&mut rows, Some(now));
        assert_eq!(ids(&rows), ["b2", "b3", "b4"]);
    }

    #[test]
    fn the_record_is_bounded_and_loses_first_what_is_over() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let mut rows = vec![row(0, "web", None)];
        rows.extend((1..=MOST).map(|number| row(number, "web", Some(now))));
        forget_old(&mut rows, Some(now));
        assert_eq!(rows.len(), MOST);
        assert_eq!(ids(&rows)[..2], ["b0", "b2"]);
        let mut rows: Vec<_> = (0..MOST_UNLISTED + 5)
            .map(|number| row(number, "a-disk", Some(now)))
            .collect();
        forget_old(&mut rows, Some(now));
        assert_eq!((rows.len(), ids(&rows)[0]), (MOST_UNLISTED, "b5"));
    }

    #[tokio::test]
    async fn what_one_program_notes_the_next_one_finds() {
        let folder = tempfile::tempdir().unwrap();
        let hub = HubId("http://a:1".to_owned());
        let record = BackupRecord::in_folder(Some(folder.path()));
        record.note(&hub, row(1, "web", None), None).await;
        record.note(&hub, row(2, "db", None), None).await;
        // What is known stays, however often it is seen.
        record.note(&hub, row(1, "", None), None).await;
        let next = BackupRecord::in_folder(Some(folder.path()));
        let web = VmId::new("web");
        assert_eq!(next.of_vm(&hub, &web).await, [BackupId::new("b1")]);
        assert_eq!(next.unfinished(&hub).await.len(), 2);
        next.end(&hub, &BackupId::new("b1"), None).await;
        assert_eq!(record.unfinished(&hub).await, [BackupId::new("b2")]);
        assert_eq!(record.of_vm(&hub, &web).await.len(), 1);
        let gone = record.forget(&hub, &BackupId::new("b2")).await;
        assert_eq!(gone, Some(row(2, "db", None)));
        assert_eq!(next.unfinished(&hub).await, []);
        let elsewhere = HubId("http://b:1".to_owned());
        assert_eq!(next.of_vm(&elsewhere, &web).await, []);
    }
}
