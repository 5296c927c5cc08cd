//! What can go wrong: [`OpenError`] when opening an engine, [`Error`] when asking one. A job that was started ends with
//! a [`Failure`] instead.
//!
//! Texts begin with the tokens that clients of deployed hubs look for (contract 5).

use std::{io, path::PathBuf};

use sendense_types::{ImageFormat, MachineDefinition};

use crate::{
    failure::{Failure, NotConnected},
    files::MARKER,
    restore,
    store::StoreError,
};

/// Shorthand for results of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something about the folder of the first repository.
    #[error("cannot use {}: {source}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database cannot be opened.
    #[error("cannot open the hub's database: {0}")]
    Database(#[from] StoreError),
    /// What is on record could not be read or brought up to date.
    #[error("cannot use the hub's database: {0}")]
    Records(#[from] rusqlite::Error),
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no VM of that name or id.
    #[error("VM context not found for: {0}")]
    VmNotFound(String),
    /// There is nothing to back up.
    #[error("No disks found for VM {0}; discover it again")]
    NoDisks(String),
    /// Nothing is there.
    #[error("path does not exist: {}", .0.display())]
    FolderMissing(PathBuf),
    /// A file is there.
    #[error("not a directory: {}", .0.display())]
    NotAFolder(PathBuf),
    /// The folder cannot be listed.
    #[error("VM discovery failed: {} cannot be read: {source}", path.display())]
    FolderUnreadable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Looking through it would take too long.
    #[error(
        "VM discovery failed: the folder holds more than {limit} files; choose one further down"
    )]
    FolderTooLarge {
        /// So many are looked at.
        limit: usize,
    },
    /// It would depend on where the hub was started.
    #[error("VM discovery failed: the folder must be an absolute path, not {}", .0.display())]
    FolderNotAbsolute(PathBuf),

    /// There is no repository with that id.
    #[error("repository not found: {0}")]
    RepositoryNotFound(String),
    /// Its disk is away. Nothing is lost.
    #[error("the repository {name} is not connected: {why}")]
    RepositoryNotConnected {
        /// The repository.
        name: String,
        /// How that shows.
        why: NotConnected,
    },
    /// The folder is none.
    #[error("no repository lies in {}: it has neither {MARKER} nor recovery points", .0.display())]
    NoRepositoryThere(PathBuf),
    /// The same one is connected at another place.
    #[error("the repository {name} is connected at {}: what lies elsewhere is a second copy of it", path.display())]
    RepositoryElsewhere {
        /// The repository.
        name: String,
        /// Where it is connected.
        path: PathBuf,
    },
    /// The folder cannot be written to.
    #[error("path is not writable: {}: {source}", path.display())]
    FolderUnwritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder cannot be a repository.
    #[error("Invalid local repository config: {0}")]
    RepositoryConfig(String),
    /// Names tell repositories apart.
    #[error("Duplicate entry: there is a repository named {0} already")]
    RepositoryNameTaken(String),
    /// It would become a second one.
    #[error("a repository lies there already: {}; rescan that folder to use what is in it", .0.display())]
    RepositoryThere(PathBuf),
    /// One would look through the other.
    #[error("{} lies in the folder of the repository {name}, or the other way round", path.display())]
    RepositoryInside {
        /// The other repository.
        name: String,
        /// The folder.
        path: PathBuf,
    },
    /// Its backups would be lost.
    #[error("cannot delete a repository with existing backups: {name} holds {n_backups}")]
    RepositoryHasBackups {
        /// The repository.
        name: String,
        /// So many it holds.
        n_backups: usize,
    },
    /// Every hub has it.
    #[error("the first repository of a hub cannot be deleted")]
    FirstRepository,
    /// Nothing is written to it.
    #[error("the repository {0} is not in use: enable it first")]
    RepositoryDisabled(String),
    /// There is no backup with that id.
    #[error("backup not found: {0}")]
    BackupNotFound(String),
    /// One at a time.
    #[error("a backup of {vm_name} is already running: {backup_id}")]
    BackupRunning {
        /// The VM.
        vm_name: String,
        /// The backup.
        backup_id: String,
    },
    /// An incremental backup builds on another one.
    #[error("no previous backup found: run a full backup of {vm_name} first")]
    NoPreviousBackup {
        /// The VM.
        vm_name: String,
    },
    /// It has ended already.
    #[error("the backup {0} is over and cannot be cancelled")]
    BackupOver(String),
    /// It failed, or still runs.
    #[error("the backup {0} is not complete: there is nothing to verify")]
    BackupNotComplete(String),
    /// Nothing is known about it.
    #[error("the backup {0} was not verified since the hub was started")]
    NotVerified(String),
    /// It has ended already.
    #[error("verifying this backup is over and cannot be cancelled")]
    VerificationOver,
    /// Its files are being written.
    #[error("the backup {0} is still running: cancel it first")]
    BackupNotOver(String),
    /// Somebody wants it kept.
    #[error("the backup {0} is pinned: unpin it first")]
    BackupPinned(String),
    /// They could not be restored without it.
    #[error("the backup {backup_id} cannot be deleted: other backups build on it: {}", dependents.join(", "))]
    HasDependents {
        /// The backup.
        backup_id: String,
        /// Those that build on it, youngest first.
        dependents: Vec<String>,
    },
    /// Something is done to the VM's backups that this does not go with.
    #[error("backups of {vm_name} are {doing}: try again when that is done")]
    VmBusy {
        /// The VM.
        vm_name: String,
        /// What is done, as in "being copied".
        doing: &'static str,
    },
    /// Two copies of one file would destroy each other.
    #[error("a recovery point of {0} is being copied there already: wait for it, or cancel it")]
    CopyRunning(String),
    /// There is nothing to copy.
    #[error("the backup {0} is in that repository")]
    CopyInPlace(String),
    /// There is no copy with that id.
    #[error("copy not found: {0}")]
    CopyNotFound(i64),
    /// It has ended already.
    #[error("this copy is over and cannot be cancelled")]
    CopyNotRunning,
    /// Its overlays would be worth nothing without it.
    #[error("the backup {backup_id} is held by the live machine {id}, which lies in {}: stop that first", folder.display())]
    HeldByLiveMachine {
        /// The backup.
        backup_id: String,
        /// The machine.
        id: String,
        /// Where its overlays are.
        folder: PathBuf,
    },
    /// There is no live machine with that id.
    #[error("live machine not found: {0}")]
    LiveMachineNotFound(String),
    /// QEMU has it.
    #[error("the live machine {id} is running: shut it down first ({} is in use)", disk.display())]
    LiveMachineRuns {
        /// The machine.
        id: String,
        /// The overlay that is locked.
        disk: PathBuf,
    },
    /// Its overlays cannot be made there.
    #[error("no machine can be started in {}: {why}", path.display())]
    LiveFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It would depend on where the hub was started.
    #[error("the folder to restore to must be an absolute path, not {}", .0.display())]
    TargetNotAbsolute(PathBuf),
    /// Nobody could be told what was written.
    #[error("the path of the folder to restore to is not text: {}", .0.display())]
    TargetNotText(PathBuf),
    /// The hub's own files are there.
    #[error("{} belongs to the hub: choose another folder to restore to", .0.display())]
    TargetOfHub(PathBuf),
    /// Backups are there.
    #[error("{} lies in the repository {name}: choose another folder to restore to", path.display())]
    TargetInRepository {
        /// The repository.
        name: String,
        /// The folder.
        path: PathBuf,
    },
    /// Nothing is written over.
    #[error("{} exists already: choose another folder to restore to, or move it away", .0.display())]
    TargetExists(PathBuf),
    /// Two would destroy each other's files.
    #[error("another full restore is writing {}: wait for it, or cancel it", .0.display())]
    FullRestoreRunning(PathBuf),
    /// There is no full restore with that id.
    #[error("full restore not found: {0}")]
    FullRestoreNotFound(String),
    /// It has ended already.
    #[error("this full restore is over and cannot be cancelled")]
    FullRestoreOver,
    /// The machine could not open the disks.
    #[error("a machine of {} cannot run from disks in the format {}", definition.as_str(), format.as_str())]
    DefinitionUnsuited {
        /// The kind of machine.
        definition: MachineDefinition,
        /// The format.
        format: ImageFormat,
    },
    /// There is nothing to do.
    #[error("no retention is set for {0}: all its recovery points are kept")]
    NoRetention(String),
    /// It would delete everything.
    #[error("a retention that keeps nothing is none: give at least one number")]
    KeepsNothing,
    /// Nothing new is begun.
    #[error("the hub is stopping and starts no more backups")]
    Stopping,

    /// What could not be done with the files of a backup.
    #[error("{0}")]
    Failed(#[from] Failure),

    /// Mounts, folders and downloads.
    #[error(transparent)]
    Restore(#[from] restore::Error),
    /// What is on record could not be read or changed.
    #[error("the hub could not read or write its database")]
    Database(#[from] rusqlite::Error),
}

impl Error {
    /// What is worth knowing beside the message.
    pub fn details(&self) -> Option<String> {
        match self {
            Self::Restore(error) => error.details(),
            Self::Database(error) => Some(error.to_string()),
            _ => None,
        }
    }
}
