//! What can go wrong between a mount and a file, with the tokens that clients look for (contract 5).

use std::{io, path::PathBuf};

use super::path::{PathRefusal, RequestPath};
use crate::failure::NotConnected;

/// Shorthand for results of restore.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be mounted, browsed or downloaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such disk in a finished backup.
    #[error("disk not found: backup_id={backup_id}, disk_index={disk_index}")]
    DiskNotFound {
        /// The backup.
        backup_id: String,
        /// The disk.
        disk_index: u32,
        /// Why it is not there, where more is known than its absence.
        because: Option<&'static str>,
    },
    /// The row is there, the image is not.
    #[error("QCOW2 file does not exist: {}", path.display())]
    ImageGone {
        /// The file.
        path: PathBuf,
    },
    /// The disk that the repository lies on is not there; nothing is lost.
    #[error("the repository {name} is not connected: {why}")]
    RepositoryNotConnected {
        /// The repository.
        name: String,
        /// How that shows.
        why: NotConnected,
    },
    /// All slots are taken.
    #[error("maximum concurrent mounts reached ({limit})")]
    TooManyMounts {
        /// So many there may be.
        limit: usize,
    },
    /// There is no filesystem on the disk that could be read.
    #[error("no mountable partitions found")]
    NothingReadable {
        /// What is on the disk, in words.
        seen: Vec<String>,
    },
    /// Never existed, was closed, or expired.
    #[error("mount not found: {mount_id}")]
    MountNotFound {
        /// The mount.
        mount_id: String,
    },
    /// The path is not one.
    #[error("invalid path: {0}")]
    PathRefused(PathRefusal),
    /// There is no volume of that number.
    #[error("path does not exist: this disk has no partition {number}")]
    NoSuchVolume {
        /// The number that was asked for.
        number: u32,
    },
    /// The volume is there, but nothing in it can be read.
    #[error("partition {number} cannot be read: {reason}")]
    VolumeUnreadable {
        /// The number that was asked for.
        number: u32,
        /// Why, in words.
        reason: String,
    },
    /// Nothing is there.
    #[error("path does not exist: {path}")]
    PathMissing {
        /// The file.
        path: String,
    },
    /// A file where a folder was meant.
    #[error("path is not a directory: {path}")]
    NotADirectory {
        /// The file.
        path: String,
    },
    /// A link or a special file.
    #[error("not a regular file: {path}: {what}")]
    NotAFile {
        /// The file.
        path: String,
        /// What it is instead.
        what: String,
    },
    /// A file whose content is damaged, encrypted, or not on the disk.
    #[error("the content of {path} cannot be read: {reason}")]
    ContentUnreadable {
        /// The file.
        path: String,
        /// Why, in words.
        reason: String,
    },
    /// Deleting its backup would take the file away from under it.
    #[error(
        "a file of the backup {backup_id} is being downloaded: wait until that is done, or stop it"
    )]
    DownloadRunning {
        /// The backup.
        backup_id: String,
    },
    /// Deleting its backup would take the disk away from whoever reads it.
    #[error("a disk of the backup {backup_id} is served: end that first")]
    DiskServed {
        /// The backup.
        backup_id: String,
    },
    /// There was no port, or no thread.
    #[error("could not serve the disk: {0}")]
    NotServed(#[source] io::Error),
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

    /// What is worth knowing beside the message.
    pub fn details(&self) -> Option<String> {
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
