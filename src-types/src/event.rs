//! News that nobody asked for: the core publishes it, window, tray and terminal show it.

use serde::{Deserialize, Serialize};

use crate::{AppError, Backup, BackupId, BackupStatus};

/// Something happened in the core.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AppEvent {
    /// A running backup moved on. At most ten a second for each job.
    BackupProgressed(BackupProgress),
    /// A backup is over, well or not.
    BackupFinished {
        /// How it ended.
        backup: Box<Backup>,
    },
    /// The core could not learn how a backup fares; it keeps trying.
    BackupUnreachable {
        /// The backup.
        backup_id: BackupId,
        /// Why.
        error: AppError,
    },
    /// A download moved on. At most ten a second for each job.
    DownloadProgressed(DownloadProgress),
}

/// How far a backup is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupProgress {
    /// The backup, as last read.
    pub backup: Box<Backup>,
    /// Bytes per second over the last samples; `None` until that is stable.
    pub speed_bps: Option<u64>,
    /// Seconds left; `None` until that is stable.
    pub eta_seconds: Option<u64>,
    /// Nothing has changed for a minute (contract 8.4).
    pub is_stalled: bool,
}

impl BackupProgress {
    /// Where the job stands.
    pub fn status(&self) -> BackupStatus {
        self.backup.status
    }
}

/// How far a download is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DownloadProgress {
    /// Bytes on disk so far.
    pub received_bytes: u64,
    /// Bytes in all; archives come without (contract D51).
    pub total_bytes: Option<u64>,
    /// Bytes per second over the last samples; `None` until that is stable.
    pub speed_bps: Option<u64>,
    /// Seconds left; `None` until that is stable.
    pub eta_seconds: Option<u64>,
}
