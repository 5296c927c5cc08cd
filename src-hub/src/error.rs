//! What can go wrong: [`ServeError`] for who starts a hub, [`Error`] for who asks one.
//!
//! Texts begin with the tokens that clients of deployed hubs look for (contract 5), and the status
//! beside them tells the truth (contract 8.9.4).

use std::{io, net::SocketAddr, path::PathBuf};

use axum::{
    Json,
    extract::rejection::{JsonRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    db,
    engine::Failure,
    repository::{MARKER, NotConnected},
    restore,
};

/// Shorthand for results of requests.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a hub cannot start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Two hubs on one data directory would destroy each other's work.
    #[error("another hub is already using {}", .0.display())]
    DataDirInUse(PathBuf),
    /// Without sign-in everybody who reaches the hub can read every backup.
    #[error(
        "a hub without sign-in may only listen on this computer's loopback address, not on {0}"
    )]
    NoAuthNeedsLoopback(SocketAddr),
    /// Something about the data directory.
    #[error("cannot use the data directory {}: {source}", path.display())]
    DataDir {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The address is taken, or not one of this computer.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The hub's own database.
    #[error("cannot open the hub's database: {0}")]
    Database(#[from] db::OpenError),
    /// What is on record could not be read or brought up to date.
    #[error("cannot use the hub's database: {0}")]
    Records(#[from] rusqlite::Error),
    /// A user's password could not be turned into what is stored of it.
    #[error("the password cannot be used: {0}")]
    Password(argon2::password_hash::Error),
}

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("Missing authorization header")]
    NoAuthorization,
    #[error("Invalid authorization format")]
    BadAuthorization,
    #[error("Invalid or expired token")]
    BadToken,
    #[error("a hub without sign-in answers programs of its own computer, not web pages")]
    WebPage,
    #[error("Invalid credentials")]
    BadCredentials,
    #[error("too many failed sign-ins for this user; try again in {seconds} s")]
    LockedOut { seconds: u64 },

    #[error("{0}")]
    BadBody(JsonRejection),
    #[error("{0}")]
    BadQuery(QueryRejection),
    #[error("the hub has no such address: {0}")]
    UnknownPath(String),
    #[error("the hub does not offer this method here")]
    WrongMethod,
    /// A field that has to be given.
    #[error("{0} is required")]
    Required(&'static str),
    #[error("backup_type must be 'full' or 'incremental', not '{0}'")]
    BackupType(String),
    #[error("status must be started, in_progress, completed, failed or cancelled, not '{0}'")]
    StatusFilter(String),

    #[error("VM context not found for: {0}")]
    VmNotFound(String),
    #[error("No disks found for VM {0}; discover it again")]
    NoDisks(String),
    #[error("path does not exist: {}", .0.display())]
    FolderMissing(PathBuf),
    #[error("not a directory: {}", .0.display())]
    NotAFolder(PathBuf),
    #[error("VM discovery failed: {} cannot be read: {source}", path.display())]
    FolderUnreadable { path: PathBuf, source: io::Error },
    #[error(
        "VM discovery failed: the folder holds more than {limit} files; choose one further down"
    )]
    FolderTooLarge { limit: usize },
    #[error(
        "this hub discovers VMs in folders of its own computer: give \"source\": {{\"folder\": \"...\"}}"
    )]
    SourceMissing,
    #[error("VM discovery failed: the folder must be an absolute path, not {}", .0.display())]
    FolderNotAbsolute(PathBuf),

    #[error("repository not found: {0}")]
    RepositoryNotFound(String),
    #[error("the repository {name} is not connected: {why}")]
    RepositoryNotConnected { name: String, why: NotConnected },
    #[error("no repository lies in {}: it has neither {MARKER} nor recovery points", .0.display())]
    NoRepositoryThere(PathBuf),
    #[error("the repository {name} is connected at {}: what lies elsewhere is a second copy of it", path.display())]
    RepositoryElsewhere { name: String, path: PathBuf },
    #[error("path is not writable: {}: {source}", path.display())]
    FolderUnwritable { path: PathBuf, source: io::Error },
    #[error("Invalid local repository config: {0}")]
    RepositoryConfig(String),
    #[error("Unsupported repository type: {0}; this hub keeps backups in folders ('local')")]
    RepositoryType(String),
    #[error("Duplicate entry: there is a repository named {0} already")]
    RepositoryNameTaken(String),
    #[error("a repository lies there already: {}; rescan that folder to use what is in it", .0.display())]
    RepositoryThere(PathBuf),
    #[error("{} lies in the folder of the repository {name}, or the other way round", path.display())]
    RepositoryInside { name: String, path: PathBuf },
    #[error("cannot delete a repository with existing backups: {name} holds {n_backups}")]
    RepositoryHasBackups { name: String, n_backups: usize },
    #[error("the first repository of a hub cannot be deleted")]
    FirstRepository,
    #[error("the repository {0} is not in use: enable it first")]
    RepositoryDisabled(String),
    #[error("backup not found: {0}")]
    BackupNotFound(String),
    #[error("a backup of {vm_name} is already running: {backup_id}")]
    BackupRunning { vm_name: String, backup_id: String },
    #[error("no previous backup found: run a full backup of {vm_name} first")]
    NoPreviousBackup { vm_name: String },
    #[error("the backup {0} is over and cannot be cancelled")]
    BackupOver(String),
    #[error("the backup {0} is not complete: there is nothing to verify")]
    BackupNotComplete(String),
    #[error("the backup {0} was not verified since the hub was started")]
    NotVerified(String),
    #[error("verifying this backup is over and cannot be cancelled")]
    VerificationOver,
    #[error("the backup {0} is still running: cancel it first")]
    BackupNotOver(String),
    #[error("the backup {0} is pinned: unpin it first")]
    BackupPinned(String),
    #[error("the backup {backup_id} cannot be deleted: other backups build on it: {}", dependents.join(", "))]
    HasDependents {
        backup_id: String,
        dependents: Vec<String>,
    },
    #[error("backups of {vm_name} are {doing}: try again when that is done")]
    VmBusy {
        vm_name: String,
        doing: &'static str,
    },
    #[error("a recovery point of {0} is being copied there already: wait for it, or cancel it")]
    CopyRunning(String),
    #[error("the backup {0} is in that repository")]
    CopyInPlace(String),
    #[error("copy not found: {0}")]
    CopyNotFound(i64),
    #[error("this copy is over and cannot be cancelled")]
    CopyNotRunning,
    #[error("no retention is set for {0}: all its recovery points are kept")]
    NoRetention(String),
    #[error("a retention that keeps nothing is none: give at least one number")]
    KeepsNothing,
    #[error("the hub is stopping and starts no more backups")]
    Stopping,

    /// What the engine could not do with the files of a backup.
    #[error("{0}")]
    Failed(Failure),

    /// Mounts, folders and downloads.
    #[error(transparent)]
    Restore(#[from] restore::Error),
    #[error("the hub could not read or write its database")]
    Database(#[from] rusqlite::Error),
    #[error("the hub could not finish this request")]
    TaskDied(#[from] tokio::task::JoinError),
    #[error("the password could not be checked")]
    PasswordCheck(argon2::password_hash::Error),
    #[error("Internal server error")]
    Panicked,
}

impl Error {
    /// The HTTP status that tells the truth.
    fn status(&self) -> StatusCode {
        match self {
            Self::NoAuthorization
            | Self::BadAuthorization
            | Self::BadToken
            | Self::BadCredentials => StatusCode::UNAUTHORIZED,
            Self::WebPage => StatusCode::FORBIDDEN,
            Self::LockedOut { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BadBody(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::BadBody(_)
            | Self::BadQuery(_)
            | Self::Required(_)
            | Self::BackupType(_)
            | Self::StatusFilter(_)
            | Self::NotAFolder(_)
            | Self::FolderUnreadable { .. }
            | Self::FolderUnwritable { .. }
            | Self::RepositoryConfig(_)
            | Self::RepositoryType(_)
            | Self::FolderNotAbsolute(_)
            | Self::FolderTooLarge { .. }
            | Self::SourceMissing
            | Self::KeepsNothing
            | Self::NoPreviousBackup { .. } => StatusCode::BAD_REQUEST,
            Self::UnknownPath(_)
            | Self::VmNotFound(_)
            | Self::NoDisks(_)
            | Self::FolderMissing(_)
            | Self::RepositoryNotFound(_)
            | Self::NoRepositoryThere(_)
            | Self::CopyNotFound(_)
            | Self::BackupNotFound(_)
            | Self::NoRetention(_)
            | Self::NotVerified(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::BackupRunning { .. }
            | Self::BackupOver(_)
            | Self::BackupNotOver(_)
            | Self::BackupNotComplete(_)
            | Self::VerificationOver
            | Self::BackupPinned(_)
            | Self::HasDependents { .. }
            | Self::RepositoryNotConnected { .. }
            | Self::RepositoryDisabled(_)
            | Self::RepositoryElsewhere { .. }
            | Self::RepositoryNameTaken(_)
            | Self::RepositoryThere(_)
            | Self::RepositoryInside { .. }
            | Self::RepositoryHasBackups { .. }
            | Self::FirstRepository
            | Self::CopyRunning(_)
            | Self::CopyInPlace(_)
            | Self::CopyNotRunning
            | Self::VmBusy { .. } => StatusCode::CONFLICT,
            Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::Restore(error) => error.status(),
            Self::Failed(_)
            | Self::Database(_)
            | Self::TaskDied(_)
            | Self::PasswordCheck(_)
            | Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What is worth knowing beside the message.
    fn details(&self) -> Option<String> {
        match self {
            Self::Restore(error) => error.details(),
            Self::BadBody(rejection) => Some(rejection.body_text()),
            Self::Database(error) => Some(error.to_string()),
            _ => None,
        }
    }
}

/// The one shape of a failure: `details` is left out where there is nothing more to say.
#[derive(Serialize)]
struct FailureBody {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(error = ?self, "a request failed");
        }
        let body = FailureBody {
            error: self.to_string(),
            details: self
                .details()
                .filter(|details| *details != self.to_string()),
        };
        let mut response = (status, Json(body)).into_response();
        if let Self::LockedOut { seconds } = self {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
