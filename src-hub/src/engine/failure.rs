//! Why a backup failed, in words that end up in its row for the user to read.

use std::{io, path::PathBuf};

use sendense_types::ByteSize;

use super::in_use::InUse;
use crate::discovery::active::Unclear;

/// The reason that jobs get which a killed hub left behind, or which it gave up when it stopped.
pub(super) const HUB_STOPPED: &str = "the hub stopped while this backup ran";

/// Why a backup failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{HUB_STOPPED}")]
    Stopped,
    #[error("it was cancelled")]
    Cancelled,
    #[error("disk {disk_index} cannot be read: {}: {source}", path.display())]
    Source {
        disk_index: u32,
        path: PathBuf,
        source: sendense_disk::Error,
    },
    #[error(
        "disk {disk_index} changed while it was being read: {}; shut the VM down and back it up again",
        path.display()
    )]
    SourceChanged { disk_index: u32, path: PathBuf },
    #[error("disk {disk_index} cannot be backed up now: {}: {in_use}", path.display())]
    SourceInUse {
        disk_index: u32,
        path: PathBuf,
        in_use: InUse,
    },
    #[error("the file of disk {disk_index} is gone: {}; discover the VM again", path.display())]
    SourceGone { disk_index: u32, path: PathBuf },
    #[error("{0}")]
    SourceUnclear(#[from] Unclear),
    #[error(
        "there is not enough room in the repository: {} are needed, {} are free",
        ByteSize(*needed_bytes), ByteSize(*available_bytes)
    )]
    NoRoom {
        needed_bytes: u64,
        available_bytes: u64,
    },
    #[error("the repository is full")]
    RepositoryFull,
    #[error(
        "disk {disk_index} could not be verified after it was written: {reason}; check the disk of the repository"
    )]
    NotProven { disk_index: u32, reason: String },
    #[error("{} differs from what was copied when it is read back; check the disk of the repository", path.display())]
    CopyDiffers { path: PathBuf },
    #[error("the copy is like its original, and disk {disk_index} of both is damaged: {reason}")]
    CopyDamaged { disk_index: u32, reason: String },
    #[error("{} belongs to {owner}, which stays as it is: delete that first, or copy to another repository", path.display())]
    CopyInTheWay { path: PathBuf, owner: String },
    #[error("{} cannot be read: {source}", path.display())]
    CopySource { path: PathBuf, source: io::Error },
    #[error("{backup_id} is not on record with all that it builds on; verify it")]
    Incomplete { backup_id: String },
    #[error("the image of disk {disk_index} cannot be merged: {reason}")]
    Unmergeable { disk_index: u32, reason: String },
    #[error("cannot write to the repository: {}: {source}", path.display())]
    Repository { path: PathBuf, source: io::Error },
    #[error("the backup could not be recorded in the hub's database: {0}")]
    Record(#[from] rusqlite::Error),
    /// A bug; the panic itself is in the log.
    #[error("the backup stopped unexpectedly because of an error in the hub")]
    Panicked,
}

impl Failure {
    /// A failure to write a file of the repository.
    pub(super) fn repository(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::RepositoryFull,
            _ => Self::Repository { path, source },
        }
    }
}
