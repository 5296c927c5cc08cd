//! Repositories, their problems, and copies of backups between them.

use serde::{Deserialize, Serialize};

use crate::{BackupId, FailureCode, RepositoryId};

/// A backup repository (contract 3.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// What the hub calls it.
    pub id: RepositoryId,
    /// The name people know it by.
    pub name: String,
    /// `local`, `nfs`, `cifs`, …; free text.
    #[serde(rename = "type")]
    pub repository_type: String,
    /// Whether backups may go there.
    pub enabled: bool,
    /// The folder of a local repository.
    pub path: Option<String>,
    /// Size of the filesystem it lies on, where it could be read.
    pub total_bytes: Option<u64>,
    /// Room left on that filesystem.
    pub available_bytes: Option<u64>,
    /// Backups in it, as the hub counts them.
    pub backup_count: Option<u64>,
    /// Whether it is where it should be; its disk may not be plugged in. `None` on hubs that do not say.
    pub is_connected: Option<bool>,
    /// Why it is not.
    pub status_message: Option<String>,
    /// What in it is not as the hub has it on record.
    pub problems: Vec<RepositoryProblem>,
}

/// A file of a repository that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryProblem {
    /// The file.
    pub path: String,
    /// What that means, in the hub's words.
    pub problem: String,
}

/// Whether a folder could be a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryTest {
    /// Backups could go there.
    pub is_usable: bool,
    /// Why they could not.
    pub message: Option<String>,
}

/// What was found in the folder of a repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rescan {
    /// The repository, which is on record from now on.
    pub repository: Repository,
    /// Recovery points that were not on record and are now, oldest first.
    pub adopted_backups: Vec<BackupId>,
    /// How many were on record already.
    pub known_backups: u64,
    /// Files that could not be used.
    pub problems: Vec<RepositoryProblem>,
}

/// A recovery point copied, or being copied, to another repository with all it builds on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupCopy {
    /// What the hub calls the copy.
    pub id: u64,
    /// What is copied.
    pub source_backup_id: BackupId,
    /// Where to.
    pub repository_id: RepositoryId,
    /// The recovery point that it became.
    pub backup_id: Option<BackupId>,
    /// Where it stands.
    pub status: CopyStatus,
    /// 0 to 100.
    pub progress_percent: f64,
    /// Bytes that have to be copied.
    pub size_bytes: u64,
    /// The hub's reason for a failure.
    pub error_message: Option<String>,
    /// The same for programs, on hubs that say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<FailureCode>,
}

/// Where a copy stands (contract 3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyStatus {
    /// It has not begun.
    Pending,
    /// Its files are copied.
    Copying,
    /// What was copied is compared with what was backed up.
    Verifying,
    /// It is there, and it is right.
    Completed,
    /// It ended early; copied again, it goes on.
    Failed,
}

impl CopyStatus {
    /// It will not change any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}
