//! Repositories, their problems, and copies of backups between them.

use serde::{Deserialize, Serialize};

use crate::{BackupId, FailureCode, RepositoryId, Secret};

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
    /// Server and share of one on the network: `server:/export` or `//server/share`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// Size of the filesystem it lies on, where it could be read.
    pub total_bytes: Option<u64>,
    /// How much of that is in use, as the hub has it.
    #[serde(default)]
    pub used_bytes: Option<u64>,
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

impl Repository {
    /// One of which a hub says nothing but its id.
    pub fn of_id(id: RepositoryId) -> Self {
        Self {
            name: id.to_string(),
            id,
            repository_type: String::new(),
            enabled: true,
            path: None,
            share: None,
            total_bytes: None,
            used_bytes: None,
            available_bytes: None,
            backup_count: None,
            is_connected: None,
            status_message: None,
            problems: Vec::new(),
        }
    }
}

/// A file of a repository that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryProblem {
    /// The file.
    pub path: String,
    /// What that means, in the hub's words.
    pub problem: String,
}

/// Where a new repository keeps its backups (contract 3.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RepositoryPlace {
    /// In a folder of the hub's computer.
    Folder {
        /// Its whole path there.
        path: String,
    },
    /// In a share that a server offers by NFS.
    Nfs {
        /// The server's name or address.
        server: String,
        /// What it exports, such as `/exports/backups`.
        export_path: String,
        /// Where and how the hub mounts it.
        mounting: Mounting,
    },
    /// In a share that a server offers by CIFS, also called SMB.
    Cifs {
        /// The server's name or address.
        server: String,
        /// What it calls the share.
        share_name: String,
        /// Who the hub is to the server; deployed hubs mount nothing as nobody.
        username: String,
        /// Used once and kept nowhere; the hub keeps it.
        password: Secret,
        /// The domain of that user; may be empty.
        domain: String,
        /// Where and how the hub mounts it.
        mounting: Mounting,
    },
}

/// How a hub mounts a share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounting {
    /// The folder of the hub's computer where the share is seen; empty for one named after the repository.
    pub point: String,
    /// Options as `mount -o` takes them; empty for those of the hub.
    pub options: String,
}

impl RepositoryPlace {
    /// A folder of the hub's computer.
    pub fn folder(path: impl Into<String>) -> Self {
        Self::Folder { path: path.into() }
    }

    /// Whether all is there without which no hub can use it.
    pub fn is_complete(&self) -> bool {
        let is_given = |text: &String| !text.trim().is_empty();
        match self {
            Self::Folder { path } => is_given(path),
            Self::Nfs {
                server,
                export_path,
                ..
            } => is_given(server) && is_given(export_path),
            Self::Cifs {
                server,
                share_name,
                username,
                ..
            } => [server, share_name, username].into_iter().all(is_given),
        }
    }
}

/// Whether backups could go to a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryTest {
    /// Backups could go there, as far as the hub tried.
    pub is_usable: bool,
    /// What the hub did to find that out.
    #[serde(default)]
    pub tried: Tried,
    /// Why they could not, in the hub's words.
    pub message: Option<String>,
}

/// What a hub did to test a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tried {
    /// It wrote there.
    #[default]
    Writing,
    /// It reached the share and read how much room there is.
    Reaching,
    /// It looked only at what was typed.
    Nothing,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cifs(username: &str) -> RepositoryPlace {
        RepositoryPlace::Cifs {
            server: "nas".to_owned(),
            share_name: "backups".to_owned(),
            username: username.to_owned(),
            password: Secret::new("correct horse"),
            domain: String::new(),
            mounting: Mounting::default(),
        }
    }

    #[test]
    fn the_password_of_a_share_is_not_logged_and_arrives() {
        let place = cifs("backup");
        let logged = format!("{place:?}");
        assert!(!logged.contains("horse"), "{logged}");
        let sent = serde_json::to_string(&place).unwrap();
        assert_eq!(
            serde_json::from_str::<RepositoryPlace>(&sent).unwrap(),
            place
        );
    }

    #[test]
    fn a_place_is_complete_when_a_hub_can_use_it() {
        assert!(cifs("backup").is_complete());
        assert!(!cifs(" ").is_complete());
        assert!(RepositoryPlace::folder("/backup").is_complete());
        assert!(!RepositoryPlace::folder("").is_complete());
        let nfs = |export_path: &str| RepositoryPlace::Nfs {
            server: "nas".to_owned(),
            export_path: export_path.to_owned(),
            mounting: Mounting::default(),
        };
        assert!(nfs("/exports").is_complete());
        assert!(!nfs("").is_complete());
    }
}
