//! The record of downloads that are not done, from one start of the app to the next.

use std::path::{Path, PathBuf};

use sendense_types::{BackupId, DownloadKind, DownloadProgress, HubId, MountId};
use serde::{Deserialize, Serialize};

use crate::record::Record;

/// The file's name in the data folder.
const FILE: &str = "downloads.json";
/// Downloads of each hub: as many as somebody may want to look through.
const MOST: usize = 10_000;

/// What was not done when the app ended. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DownloadRecord {
    record: Record<Unfinished>,
}

/// A download that is not done.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Unfinished {
    /// The disk that it is read from.
    pub(super) backup_id: BackupId,
    pub(super) disk_index: u32,
    /// The mount that it was asked for from, which may have ended.
    pub(super) mount_id: MountId,
    pub(super) vm_name: Option<String>,
    pub(super) path: String,
    pub(super) kind: DownloadKind,
    /// The file to write.
    pub(super) place: PathBuf,
    /// Whether that may take the place of another.
    pub(super) replaces: bool,
    pub(super) progress: Option<DownloadProgress>,
}

impl DownloadRecord {
    /// The record in this data folder, which need not be there yet; without a folder it ends with the program.
    pub fn in_folder(folder: Option<&Path>) -> Self {
        Self {
            record: Record::new(folder, FILE, MOST),
        }
    }

    /// What is not done of a hub, in the order in which it was asked for.
    pub(super) async fn of(&self, hub: &HubId) -> Vec<Unfinished> {
        self.record.rows(hub).await
    }

    /// Puts this in the place of what was recorded of a hub.
    pub(super) async fn replace(&self, hub: &HubId, rows: Vec<Unfinished>) {
        self.record.change(hub, move |known| *known = rows).await;
    }
}
