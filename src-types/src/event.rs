//! News that nobody asked for: the core publishes it; the window, tray and terminal show it.

use serde::{Deserialize, Serialize};

use crate::{
    AppError, Backup, BackupCopy, BackupId, BackupStatus, Download, DownloadId, FullRestore,
    MountId, OpenMount, Session, Settings, Verification, VmId,
};

/// Something happened in the core.
///
/// The name of what happened stands outside its content, here as in all enums that travel: with a tag inside,
/// serde first reads everything into a tree, with a second reader for each type, and the window's module grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppEvent {
    /// A running backup moved on. At most ten a second for each job.
    BackupProgressed(BackupProgress),
    /// A backup is over, well or not.
    BackupFinished {
        /// How it ended.
        backup: Box<Backup>,
    },
    /// Verifying a backup moved on or is over.
    BackupVerified {
        /// How far it is, or what it found.
        verification: Box<Verification>,
    },
    /// Verifying a backup ended without a result.
    VerificationFailed {
        /// The backup.
        backup_id: BackupId,
        /// Why.
        error: AppError,
    },
    /// Copying a recovery point moved on or is over.
    BackupCopied {
        /// How far it is.
        copy: Box<BackupCopy>,
    },
    /// Copying a recovery point ended early.
    CopyFailed {
        /// What was copied.
        backup_id: BackupId,
        /// Why.
        error: AppError,
    },
    /// The core could not learn how a backup fares; it keeps trying.
    BackupUnreachable {
        /// The backup.
        backup_id: BackupId,
        /// Why.
        error: AppError,
    },
    /// A backup is watched no longer, and nobody knows how it ended: its hub has forgotten it, or was away for too long.
    BackupLost {
        /// The backup.
        backup_id: BackupId,
        /// Its VM, where that is known.
        vm_name: Option<String>,
        /// Seconds since its hub last said anything of it; `None` where it never did.
        silent_for_seconds: Option<u64>,
        /// Why.
        error: AppError,
    },
    /// A full restore moved on or is over.
    FullRestoreChanged {
        /// The full restore, whole.
        restore: Box<FullRestore>,
    },
    /// A download is new, moved on (at most ten a second for each) or is over.
    DownloadChanged {
        /// The download, whole.
        download: Box<Download>,
    },
    /// A download is off the list.
    DownloadForgotten {
        /// The download.
        download_id: DownloadId,
    },
    /// Mounts were opened, closed or given more time.
    MountsChanged {
        /// All open mounts.
        mounts: Vec<OpenMount>,
    },
    /// A mount of ours ends soon. Once ten and once two minutes before.
    MountExpiring {
        /// The mount.
        mount: Box<OpenMount>,
        /// Minutes left.
        minutes: u32,
    },
    /// A mount of ours is gone without our doing: remount it.
    MountLost {
        /// The mount.
        mount_id: MountId,
    },
    /// Something happened on a hub that is not the current one: to a backup, verification or copy that was asked for here.
    Elsewhere {
        /// What the user calls the hub.
        hub_name: String,
        /// What happened; never this kind of event itself.
        event: Box<Self>,
    },
    /// Another hub, signed in or out, reached again or lost.
    SessionChanged {
        /// How it is now.
        session: Box<Session>,
    },
    /// The settings were changed.
    SettingsChanged {
        /// All of them.
        settings: Box<Settings>,
    },
    /// The user asked, in the tray or by a notification, to see something.
    Show {
        /// What.
        place: Place,
    },
}

/// A place in the window that something outside of it leads to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The history of a VM, where this backup is.
    Backup {
        /// The VM.
        vm_id: VmId,
    },
    /// The file browser on a mount.
    Mount {
        /// The mount.
        mount_id: MountId,
    },
    /// The list of downloads.
    Downloads,
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
