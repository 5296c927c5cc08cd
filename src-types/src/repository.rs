//! Places where backups are kept.

use serde::{Deserialize, Serialize};

use crate::RepositoryId;

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
}
