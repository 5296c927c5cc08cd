//! What can go wrong between a mount and a file, in the tokens that clients look for
//! (contract 5) with true statuses beside them (contract 8.9.4).

use std::{io, path::PathBuf};

use axum::http::StatusCode;

use super::path::{PathRefusal, RequestPath};
use crate::repository::NotConnected;

/// Shorthand for results of restore.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be mounted, browsed or downloaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No such disk in a finished backup.
    #[error("disk not found: backup_id={backup_id}, disk_index={disk_index}")]
    DiskNotFound {
        backup_id: String,
        disk_index: u32,
        /// Why it is not there, where more is known than its absence.
        because: Option<&'static str>,
    },
    /// The row is there, the image is not.
    #[error("QCOW2 file does not exist: {}", path.display())]
    ImageGone { path: PathBuf },
    /// The disk that the repository lies on is not there; nothing is lost.
    #[error("the repository {name} is not connected: {why}")]
    RepositoryNotConnected { name: String, why: NotConnected },
    /// All slots are taken.
    #[error("maximum concurrent mounts reached ({limit})")]
    TooManyMounts { limit: usize },
    /// There is no filesystem on the disk that could be read.
    #[error("no mountable partitions found")]
    NothingReadable { seen: Vec<String> },
    /// Never existed, was closed, or expired.
    #[error("mount not found: {mount_id}")]
    MountNotFound { mount_id: String },
    /// The path is not one.
    #[error("invalid path: {0}")]
    PathRefused(PathRefusal),
    /// A query parameter is missing or makes no sense.
    #[error("{0}")]
    BadQuery(&'static str),
    /// There is no volume of that number.
    #[error("path does not exist: this disk has no partition {number}")]
    NoSuchVolume { number: u32 },
    /// The volume is there, but nothing in it can be read.
    #[error("partition {number} cannot be read: {reason}")]
    VolumeUnreadable { number: u32, reason: String },
    /// Nothing is there.
    #[error("path does not exist: {path}")]
    PathMissing { path: String },
    /// A file where a folder was meant.
    #[error("path is not a directory: {path}")]
    NotADirectory { path: String },
    /// A link or a special file.
    #[error("not a regular file: {path}: {what}")]
    NotAFile { path: String, what: String },
    /// A file whose content is damaged, encrypted, or not on the disk.
    #[error("the content of {path} cannot be read: {reason}")]
    ContentUnreadable { path: String, reason: String },
    /// Deleting its backup would take the file away from under it.
    #[error(
        "a file of the backup {backup_id} is being downloaded: wait until that is done, or stop it"
    )]
    DownloadRunning { backup_id: String },
    /// Every download slot is taken and none became free in time.
    #[error("too many downloads are running on this hub; try again when one has finished")]
    TooManyDownloads,
    /// The thread that owned the readers is gone or does not answer.
    #[error("the reader of this disk stopped unexpectedly; mount it again")]
    ReaderStopped,
    /// The disk takes too long to answer.
    #[error("the disk did not answer in time; try again")]
    ReaderBusy,
    /// The image or a filesystem on it.
    #[error(transparent)]
    Disk(#[from] sendense_disk::Error),
    /// The hub's own database.
    #[error("the hub could not read or write its database")]
    Database(#[from] rusqlite::Error),
    /// A thread could not be started.
    #[error("could not start a reader: {0}")]
    Thread(#[source] io::Error),
}

impl From<PathRefusal> for Error {
    fn from(refusal: PathRefusal) -> Self {
        Self::PathRefused(refusal)
    }
}

impl Error {
    /// Says which path it was, in the words that the client sent.
    pub(crate) fn at(path: &RequestPath, error: sendense_disk::Error) -> Self {
        let path = path.to_string();
        match error {
            sendense_disk::Error::NotFound { .. } => Self::PathMissing { path },
            sendense_disk::Error::NotADirectory { .. } => Self::NotADirectory { path },
            sendense_disk::Error::NotAFile { .. } => Self::NotAFile {
                path,
                what: "it is a folder, a link or a special file".to_owned(),
            },
            other => Self::Disk(other),
        }
    }

    /// The HTTP status that tells the truth.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::DiskNotFound { .. }
            | Self::ImageGone { .. }
            | Self::MountNotFound { .. }
            | Self::NoSuchVolume { .. }
            | Self::PathMissing { .. }
            | Self::Disk(sendense_disk::Error::NotFound { .. }) => StatusCode::NOT_FOUND,
            Self::TooManyMounts { .. }
            | Self::RepositoryNotConnected { .. }
            | Self::DownloadRunning { .. } => StatusCode::CONFLICT,
            Self::PathRefused(_)
            | Self::BadQuery(_)
            | Self::NotADirectory { .. }
            | Self::NotAFile { .. }
            | Self::Disk(
                sendense_disk::Error::NotADirectory { .. }
                | sendense_disk::Error::NotAFile { .. }
                | sendense_disk::Error::InvalidPath { .. },
            ) => StatusCode::BAD_REQUEST,
            // What is damaged stays so: it is no failure of the hub that another try could mend.
            Self::NothingReadable { .. }
            | Self::VolumeUnreadable { .. }
            | Self::ContentUnreadable { .. }
            | Self::Disk(
                sendense_disk::Error::Unsupported { .. } | sendense_disk::Error::Corrupt { .. },
            ) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyDownloads | Self::ReaderBusy => StatusCode::SERVICE_UNAVAILABLE,
            Self::ReaderStopped | Self::Disk(_) | Self::Database(_) | Self::Thread(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// What is worth knowing beside the message.
    pub(crate) fn details(&self) -> Option<String> {
        match self {
            Self::DiskNotFound { because, .. } => because.map(str::to_owned),
            Self::NothingReadable { seen } if seen.is_empty() => {
                Some("the disk is empty: no partition table and no filesystem".to_owned())
            }
            Self::NothingReadable { seen } => Some(seen.join("; ")),
            _ => None,
        }
    }
}
