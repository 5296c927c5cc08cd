//! What can go wrong: [`ServeError`] when starting a hub, [`Error`] when asking one.
//!
//! Texts begin with the tokens that clients of deployed hubs look for (contract 5), and the status beside them tells
//! the truth (contract 8.9.4).

use std::{io, net::SocketAddr, path::PathBuf};

use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use sendense_engine::{Failure, OpenError, restore};
use sendense_types::FailureCode;

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
    /// What the hub would prove itself with cannot be used.
    #[error("cannot use {} for encrypted connections: {why}", file.display())]
    Tls {
        /// The file of the certificate or of the key.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The engine cannot be opened.
    #[error(transparent)]
    Engine(OpenError),
    /// The users on record cannot be read or changed.
    #[error("cannot use the hub's database: {0}")]
    Users(sendense_engine::Error),
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
    #[error("{0}")]
    BadPath(PathRejection),
    #[error("the hub has no such address: {0}")]
    UnknownPath(String),
    #[error("the hub does not offer this method here")]
    WrongMethod,
    /// A field that has to be given.
    #[error("{0} is required")]
    Required(&'static str),
    #[error("backup_type must be 'full' or 'incremental', not '{0}'")]
    BackupType(String),
    #[error("format must be raw, qcow2, vmdk, vmdk_stream, vdi or vhdx, not '{0}'")]
    ImageFormat(String),
    #[error("definition must be none, libvirt, virtualbox or vmware, not '{0}'")]
    MachineDefinition(String),
    #[error("status must be started, in_progress, completed, failed or cancelled, not '{0}'")]
    StatusFilter(String),

    #[error(
        "this hub discovers VMs in folders of its own computer: give \"source\": {{\"folder\": \"...\"}}"
    )]
    SourceMissing,
    #[error("Unsupported repository type: {0}; this hub keeps backups in folders ('local')")]
    RepositoryType(String),
    /// A parameter of the query is missing or makes no sense.
    #[error("{0}")]
    BadParameter(&'static str),

    /// What the engine did not do.
    #[error(transparent)]
    Engine(#[from] sendense_engine::Error),
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
            | Self::BadPath(_)
            | Self::BadParameter(_)
            | Self::Required(_)
            | Self::BackupType(_)
            | Self::StatusFilter(_)
            | Self::ImageFormat(_)
            | Self::MachineDefinition(_)
            | Self::RepositoryType(_)
            | Self::SourceMissing => StatusCode::BAD_REQUEST,
            Self::UnknownPath(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Engine(error) => status_of(error),
            Self::TaskDied(_) | Self::PasswordCheck(_) | Self::Panicked => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// What it is called for programs; `None` where its text is all there is to say.
    fn code(&self) -> Option<FailureCode> {
        match self {
            Self::NoAuthorization => Some(FailureCode::SignInRequired),
            Self::BadAuthorization => Some(FailureCode::BadAuthorization),
            Self::BadToken => Some(FailureCode::SignInExpired),
            Self::BadCredentials => Some(FailureCode::WrongCredentials),
            Self::LockedOut { .. } => Some(FailureCode::TooManySignIns),
            Self::UnknownPath(_) => Some(FailureCode::UnknownAddress),
            Self::Engine(error) => error.code(),
            Self::WebPage
            | Self::BadBody(_)
            | Self::BadQuery(_)
            | Self::BadPath(_)
            | Self::WrongMethod
            | Self::Required(_)
            | Self::BackupType(_)
            | Self::StatusFilter(_)
            | Self::ImageFormat(_)
            | Self::MachineDefinition(_)
            | Self::SourceMissing
            | Self::RepositoryType(_)
            | Self::BadParameter(_)
            | Self::TaskDied(_)
            | Self::PasswordCheck(_)
            | Self::Panicked => None,
        }
    }

    /// What is worth knowing beside the message.
    fn details(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.details(),
            Self::BadBody(rejection) => Some(rejection.body_text()),
            _ => None,
        }
    }
}

/// The HTTP status of what the engine did not do.
fn status_of(error: &sendense_engine::Error) -> StatusCode {
    use sendense_engine::Error;
    match error {
        Error::NotAFolder(_)
        | Error::FolderUnreadable { .. }
        | Error::FolderUnwritable { .. }
        | Error::RepositoryConfig(_)
        | Error::FolderNotAbsolute(_)
        | Error::FolderTooLarge { .. }
        | Error::KeepsNothing
        | Error::LiveFolder { .. }
        | Error::TargetNotAbsolute(_)
        | Error::TargetNotText(_)
        | Error::TargetOfHub(_)
        | Error::TargetInRepository { .. }
        | Error::DefinitionUnsuited { .. }
        | Error::NoPreviousBackup { .. } => StatusCode::BAD_REQUEST,
        Error::VmNotFound(_)
        | Error::NoDisks(_)
        | Error::FolderMissing(_)
        | Error::RepositoryNotFound(_)
        | Error::NoRepositoryThere(_)
        | Error::CopyNotFound(_)
        | Error::FullRestoreNotFound(_)
        | Error::BackupNotFound(_)
        | Error::NoRetention(_)
        | Error::LiveMachineNotFound(_)
        | Error::NotVerified(_) => StatusCode::NOT_FOUND,
        Error::BackupRunning { .. }
        | Error::BackupOver(_)
        | Error::BackupNotOver(_)
        | Error::BackupNotComplete(_)
        | Error::VerificationOver
        | Error::BackupPinned(_)
        | Error::HasDependents { .. }
        | Error::RepositoryNotConnected { .. }
        | Error::RepositoryDisabled(_)
        | Error::RepositoryElsewhere { .. }
        | Error::RepositoryNameTaken(_)
        | Error::RepositoryThere(_)
        | Error::RepositoryInside { .. }
        | Error::RepositoryHasBackups { .. }
        | Error::FirstRepository
        | Error::HeldByLiveMachine { .. }
        | Error::LiveMachineRuns { .. }
        | Error::CopyRunning(_)
        | Error::CopyInPlace(_)
        | Error::CopyNotRunning
        | Error::TargetExists(_)
        | Error::FullRestoreRunning(_)
        | Error::FullRestoreOver
        | Error::VmBusy { .. } => StatusCode::CONFLICT,
        Error::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        Error::Restore(error) => status_of_restore(error),
        Error::Failed(failure) => status_of_failure(failure),
        Error::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The same of what could not be done with the files of a backup.
fn status_of_failure(failure: &Failure) -> StatusCode {
    match failure {
        Failure::TargetThere { .. } => StatusCode::CONFLICT,
        // What is damaged stays so: it is no failure of the hub that another try could mend.
        Failure::BackupDamaged { .. }
        | Failure::BackupUnreadable { .. }
        | Failure::DiskTooLarge { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The same of what the engine did not read.
fn status_of_restore(error: &restore::Error) -> StatusCode {
    match error {
        restore::Error::DiskNotFound { .. }
        | restore::Error::ImageGone { .. }
        | restore::Error::MountNotFound { .. }
        | restore::Error::NoSuchVolume { .. }
        | restore::Error::PathMissing { .. }
        | restore::Error::Disk(sendense_disk::Error::NotFound { .. }) => StatusCode::NOT_FOUND,
        restore::Error::TooManyMounts { .. }
        | restore::Error::RepositoryNotConnected { .. }
        | restore::Error::DownloadRunning { .. }
        | restore::Error::DiskServed { .. } => StatusCode::CONFLICT,
        restore::Error::PathRefused(_)
        | restore::Error::NotADirectory { .. }
        | restore::Error::NotAFile { .. }
        | restore::Error::Disk(
            sendense_disk::Error::NotADirectory { .. }
            | sendense_disk::Error::NotAFile { .. }
            | sendense_disk::Error::InvalidPath { .. },
        ) => StatusCode::BAD_REQUEST,
        // What is damaged stays so: it is no failure of the hub that another try could mend.
        restore::Error::NothingReadable { .. }
        | restore::Error::VolumeUnreadable { .. }
        | restore::Error::ContentUnreadable { .. }
        | restore::Error::Disk(
            sendense_disk::Error::Unsupported { .. } | sendense_disk::Error::Corrupt { .. },
        ) => StatusCode::UNPROCESSABLE_ENTITY,
        restore::Error::TooManyDownloads | restore::Error::ReaderBusy => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        restore::Error::ReaderStopped
        | restore::Error::Disk(_)
        | restore::Error::Database(_)
        | restore::Error::NotServed(_)
        | restore::Error::Thread(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The one shape of a failure: what there is nothing to say of is left out.
#[derive(Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Failure"))]
pub(crate) struct FailureBody {
    /// What happened, for people.
    error: String,
    /// The same for programs, where they may do something about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<Code>"))]
    code: Option<FailureCode>,
    /// What else is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
}

/// The schema of [`FailureCode`], whose crate knows none.
#[cfg(test)]
pub(crate) struct Code;

#[cfg(test)]
impl schemars::JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FailureCode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Why the hub did not do something. Later versions may know further reasons.",
            "enum": FailureCode::ALL,
        })
    }
}

/// Makes an answer what the documentation says: it knows no `code` (contract 2.4).
pub(crate) async fn as_documented(mut response: Response) -> Response {
    let failure = response.extensions_mut().remove::<FailureBody>();
    let Some(failure) = failure.filter(|failure| failure.code.is_some()) else {
        return response;
    };
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    let body = FailureBody {
        code: None,
        ..failure
    };
    (head, Json(body)).into_response()
}

impl From<OpenError> for ServeError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Folder { path, source } => Self::DataDir { path, source },
            error => Self::Engine(error),
        }
    }
}

impl From<restore::Error> for Error {
    fn from(error: restore::Error) -> Self {
        sendense_engine::Error::from(error).into()
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(error = ?self, "a request failed");
        }
        let body = FailureBody {
            error: self.to_string(),
            code: self.code(),
            details: self
                .details()
                .filter(|details| *details != self.to_string()),
        };
        let mut response = (status, Json(body.clone())).into_response();
        response.extensions_mut().insert(body);
        if let Self::LockedOut { seconds } = self {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
