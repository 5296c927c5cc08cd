//! Backups, their disks and the chains they form.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{BackupId, FailureCode, RepositoryId, VmId};

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupType {
    /// Every allocated cluster of every disk.
    Full,
    /// Only what changed since its parent.
    Incremental,
    /// A type that this version does not know.
    #[serde(other)]
    Unknown,
}

impl BackupType {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a job stands, with both dialects' words folded together (contract 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupStatus {
    /// `started`, `in_progress`, `running`, `pending`, `queued`.
    Active,
    /// `completed`, `success`, `succeeded`.
    Completed,
    /// `completed` as well, on a hub that says so before all disks are (contract H10, H42): not all of them are
    /// known to be, and what is there may not be restorable.
    Unconfirmed,
    /// `failed`, `error`.
    Failed,
    /// `cancelled`, `canceled`.
    Cancelled,
    /// A word this version does not know; treated as active for polling.
    Unknown,
}

impl BackupStatus {
    /// Folds a hub's word into one of ours.
    pub fn from_hub(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().as_str() {
            "started" | "in_progress" | "running" | "pending" | "queued" | "prepared"
            | "qemu_started" => Self::Active,
            "completed" | "success" | "succeeded" => Self::Completed,
            "failed" | "error" => Self::Failed,
            "cancelled" | "canceled" => Self::Cancelled,
            _ => Self::Unknown,
        }
    }

    /// The job will not change any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A backup job and its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    /// What the hub calls it.
    pub backup_id: BackupId,
    /// The VM it is of; empty on hubs that do not say.
    pub vm_context_id: Option<VmId>,
    /// The VM's name.
    pub vm_name: String,
    /// Where it is kept; `None` on hubs that do not say.
    pub repository_id: Option<RepositoryId>,
    /// Full or incremental.
    pub backup_type: BackupType,
    /// Where it stands.
    pub status: BackupStatus,
    /// The hub's own word for that.
    pub hub_status: String,
    /// Its disks; empty on hubs that do not list them (contract D19).
    pub disks: Vec<BackupDisk>,
    /// How many disks it has, where known.
    pub disk_count: Option<u32>,
    /// 0 to 100, where the hub says or it can be derived.
    pub progress_percent: Option<f64>,
    /// Bytes read so far. On deployed hubs of the last disk only (contract 6.5).
    pub bytes_transferred: Option<u64>,
    /// Bytes to read in all.
    pub total_bytes: Option<u64>,
    /// Room that its images take, in bytes, where the hub says.
    pub stored_bytes: Option<u64>,
    /// Size in GiB where the hub gives no bytes.
    pub total_size_gb: Option<f64>,
    /// `preparing`, `transferring`, …; free text.
    pub current_phase: Option<String>,
    /// Bytes per second, where the hub says.
    pub transfer_speed_bps: Option<u64>,
    /// Whether it is kept from being deleted; `None` on hubs that cannot pin.
    pub is_pinned: Option<bool>,
    /// What verifying found last; `None` when it never was, and on hubs that cannot.
    #[serde(default)]
    pub verification: Option<VerificationStatus>,
    /// When that was.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub verified_at: Option<Timestamp>,
    /// What an incremental one builds on: as the hub says, or where it never says that, the newest recovery point
    /// before it.
    #[serde(default)]
    pub parent_backup_id: Option<BackupId>,
    /// The recovery point in another repository that it is a copy of, where the hub says.
    #[serde(default)]
    pub copied_from: Option<BackupId>,
    /// Backups that are lost with it, youngest first, where the hub was asked for this one and says.
    #[serde(default)]
    pub dependents: Vec<BackupId>,
    /// The hub's reason for a failure.
    pub error_message: Option<String>,
    /// The same for programs, on hubs that say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<FailureCode>,
    /// When the hub last heard of it from what copies its disks, where the hub says.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub last_telemetry_at: Option<Timestamp>,
    /// When it was asked for.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub created_at: Option<Timestamp>,
    /// When it began.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub completed_at: Option<Timestamp>,
}

impl Backup {
    /// Puts backups in the order in which all lists show them; those of one second are told apart by id (contract H37).
    pub fn newest_first(backups: &mut [Self]) {
        backups.sort_by(|a, b| (b.created_at, &b.backup_id).cmp(&(a.created_at, &a.backup_id)));
    }
}

/// One disk within a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupDisk {
    /// Position, counted from 0.
    pub disk_index: u32,
    /// Where it stands.
    pub status: BackupStatus,
    /// Size in GiB.
    pub size_gb: Option<f64>,
    /// The image in the repository, once it is there.
    pub qcow2_path: Option<String>,
    /// Bytes read so far, where the hub says.
    pub bytes_transferred: Option<u64>,
    /// Bytes to read, where the hub says.
    pub total_bytes: Option<u64>,
    /// 0 to 100, where the hub says.
    pub progress_percent: Option<f64>,
}

/// The backups of a VM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VmHistory {
    /// Newest first.
    pub backups: Vec<Backup>,
    /// The hub lists none of this VM; these are the ones it was known to have (contract H5).
    pub is_partial: bool,
}

/// The newest backups of all VMs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecentBackups {
    /// Newest first.
    pub backups: Vec<Backup>,
    /// Names of VMs whose backups the hub could not list, so that theirs are missing.
    pub unread: Vec<String>,
}

/// What incremental backups of a VM would build on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IncrementalBases {
    /// In each repository with recovery points of it.
    pub bases: Vec<IncrementalBase>,
    /// As in [`VmHistory`]: the hub lists no backups of this VM, and may never complete one (contract H5).
    pub is_partial: bool,
}

/// What an incremental backup of a VM into a repository would build on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IncrementalBase {
    /// The repository; `None` on hubs that do not say where backups are.
    pub repository_id: Option<RepositoryId>,
    /// The newest recovery point there, where an incremental backup is possible.
    pub parent: Option<Backup>,
    /// Why it is not, in words, where that is not simply for want of one.
    pub why_not: Option<String>,
}

/// What a hub answers to the start of a backup (contract 3.6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartedBackup {
    /// What the hub calls the new job.
    pub backup_id: BackupId,
    /// The VM it is of.
    pub vm_context_id: Option<VmId>,
    /// The VM's name.
    pub vm_name: String,
    /// Full or incremental.
    pub backup_type: BackupType,
    /// Why it is a full one though an incremental one was asked for, in the hub's words.
    #[serde(default)]
    pub full_reason: Option<String>,
    /// The disks it will hold.
    pub disk_results: Vec<StartedDisk>,
    /// When it was asked for.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub created_at: Option<Timestamp>,
}

/// One disk of a backup that was just started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartedDisk {
    /// Position, counted from 0.
    pub disk_index: u32,
    /// The image that will be written.
    pub qcow2_path: Option<String>,
}

/// The recovery points of one VM in one repository, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// The VM's name.
    pub vm_name: String,
    /// The repository.
    pub repository_id: Option<RepositoryId>,
    /// Its links, oldest first.
    pub chain: Vec<ChainLink>,
}

/// One recovery point within a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChainLink {
    /// The backup.
    pub backup_id: BackupId,
    /// Full or incremental.
    pub backup_type: BackupType,
    /// Position in the chain, counted from 1.
    pub sequence_number: Option<u32>,
    /// When it was taken.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub created_at: Option<Timestamp>,
    /// Size in GiB.
    pub size_gb: Option<f64>,
    /// The backup it builds on.
    pub parent_backup_id: Option<BackupId>,
    /// Whether the hub says it can be restored; `None` where it does not say.
    pub is_restorable: Option<bool>,
    /// Why it cannot, where the hub says.
    #[serde(default)]
    pub problem: Option<String>,
}

/// How many recovery points of a VM are kept; a point that any number keeps is kept. Only the local
/// hub knows retention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPolicy {
    /// The newest so many.
    #[serde(default)]
    pub keep_last: u32,
    /// The newest of each of the last so many days.
    #[serde(default)]
    pub keep_daily: u32,
    /// The newest of each of the last so many ISO weeks.
    #[serde(default)]
    pub keep_weekly: u32,
    /// The newest of each of the last so many months.
    #[serde(default)]
    pub keep_monthly: u32,
}

/// The retention of one VM, and how its newest run went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// `None`: all recovery points are kept.
    pub policy: Option<RetentionPolicy>,
    /// Where the newest run stands.
    pub status: RetentionStatus,
    /// Why the newest run ended early.
    pub error_message: Option<String>,
}

/// Where the newest run of retention stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetentionStatus {
    /// There was none since the hub was started.
    Idle,
    /// It goes on.
    Running,
    /// It did what the rules say.
    Done,
    /// It ended early.
    Failed,
    /// A word that this version does not know.
    #[serde(other)]
    Unknown,
}

impl RetentionStatus {
    /// Understands the hub's word.
    pub fn from_hub(word: &str) -> Self {
        match word {
            "idle" => Self::Idle,
            "running" => Self::Running,
            "done" => Self::Done,
            "failed" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

/// What retention does with one recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionPoint {
    /// The recovery point.
    pub backup_id: BackupId,
    /// What becomes of it.
    pub action: RetentionAction,
    /// Why, in words.
    pub reason: String,
}

/// What becomes of a recovery point by the rules of retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetentionAction {
    /// It stays.
    Keep,
    /// It goes.
    Delete,
    /// It becomes part of the next one.
    Merge,
    /// A word that this version does not know: who shows it must not say that the point stays.
    #[serde(other)]
    Unknown,
}

impl RetentionAction {
    /// Understands the hub's word.
    pub fn from_hub(word: &str) -> Self {
        match word {
            "keep" => Self::Keep,
            "delete" => Self::Delete,
            "merge" => Self::Merge,
            _ => Self::Unknown,
        }
    }

    /// The hub's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Delete => "delete",
            Self::Merge => "merge",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether a backup still holds what was backed up; only the local hub can tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The backup.
    pub backup_id: BackupId,
    /// What was found, or that it is not over yet.
    pub status: VerificationStatus,
    /// 0 to 100.
    pub progress_percent: f64,
    /// What is wrong, disk by disk.
    pub problems: Vec<(u32, String)>,
    /// After damage: backups that cannot be restored any more.
    pub broken_backups: Vec<BackupId>,
    /// After damage: backups that were looked at as well, and can.
    pub intact_backups: Vec<BackupId>,
}

/// What verifying a backup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerificationStatus {
    /// It goes on.
    Running,
    /// It was ended before it was through; what was known before holds.
    Cancelled,
    /// Every cluster is what it was.
    Sound,
    /// Every cluster is what it was; its files have damage where that does not matter.
    Flawed,
    /// There is nothing to compare with.
    Unproven,
    /// It cannot be restored as it was.
    Damaged,
}

impl VerificationStatus {
    /// Understands the hub's word; one that it does not know proves nothing.
    pub fn from_hub(word: &str) -> Self {
        match word {
            "running" => Self::Running,
            "cancelled" => Self::Cancelled,
            "sound" => Self::Sound,
            "flawed" => Self::Flawed,
            "damaged" => Self::Damaged,
            _ => Self::Unproven,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contract D17, D18.
    #[test]
    fn both_dialects_words_fold_into_one_status() {
        for word in [
            "started",
            "in_progress",
            "running",
            "pending",
            "queued",
            " Running ",
        ] {
            assert_eq!(BackupStatus::from_hub(word), BackupStatus::Active, "{word}");
        }
        for word in ["completed", "success", "succeeded", "COMPLETED"] {
            assert_eq!(
                BackupStatus::from_hub(word),
                BackupStatus::Completed,
                "{word}"
            );
        }
        assert_eq!(BackupStatus::from_hub("error"), BackupStatus::Failed);
        assert_eq!(BackupStatus::from_hub("canceled"), BackupStatus::Cancelled);
        assert_eq!(
            BackupStatus::from_hub("defragmenting"),
            BackupStatus::Unknown
        );
    }

    #[test]
    fn words_of_retention_are_the_hubs_and_new_ones_do_no_harm() {
        for word in ["keep", "delete", "merge", "unknown"] {
            let action = RetentionAction::from_hub(word);
            assert_eq!(action.as_str(), word);
            assert_eq!(
                serde_json::to_string(&action).unwrap(),
                format!("\"{word}\"")
            );
        }
        for word in ["idle", "running", "done", "failed", "unknown"] {
            let status = RetentionStatus::from_hub(word);
            assert_eq!(
                serde_json::to_string(&status).unwrap(),
                format!("\"{word}\"")
            );
        }
        assert_eq!(
            RetentionAction::from_hub("shrink"),
            RetentionAction::Unknown
        );
        let newer: RetentionStatus = serde_json::from_str("\"paused\"").unwrap();
        assert_eq!(newer, RetentionStatus::Unknown);
    }

    #[test]
    fn a_newer_hubs_backup_type_does_not_break_decoding() {
        let unknown: BackupType = serde_json::from_str("\"synthetic\"").unwrap();
        assert_eq!(unknown, BackupType::Unknown);
    }
}
