//! Why a backup failed, in words stored in its row for the user to read, and why a repository cannot be used.

use std::{io, path::PathBuf};

use sendense_types::{ByteSize, ImageFormat};

use crate::unclear::Unclear;

/// The reason that jobs get which a killed hub left behind, or which it gave up when it stopped.
pub(crate) const HUB_STOPPED: &str = "the hub stopped while this backup ran";

/// Why a backup failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The hub was stopped.
    #[error("{HUB_STOPPED}")]
    Stopped,
    /// Somebody ended it.
    #[error("it was cancelled")]
    Cancelled,
    /// An image of the VM cannot be read.
    #[error("disk {disk_index} cannot be read: {}: {source}", path.display())]
    Source {
        /// The disk.
        disk_index: u32,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: sendense_disk::Error,
    },
    /// Somebody wrote to it meanwhile.
    #[error(
        "disk {disk_index} changed while it was being read: {}; shut the VM down and back it up again",
        path.display()
    )]
    SourceChanged {
        /// The disk.
        disk_index: u32,
        /// The file.
        path: PathBuf,
    },
    /// Another program writes to it.
    #[error("disk {disk_index} cannot be backed up now: {}: {in_use}", path.display())]
    SourceInUse {
        /// The disk.
        disk_index: u32,
        /// The file.
        path: PathBuf,
        /// How that shows.
        in_use: InUse,
    },
    /// It is not where it was.
    #[error("the file of disk {disk_index} is gone: {}; discover the VM again", path.display())]
    SourceGone {
        /// The disk.
        disk_index: u32,
        /// The file.
        path: PathBuf,
    },
    /// Which file a disk is cannot be told.
    #[error(transparent)]
    SourceUnclear(#[from] Unclear),
    /// It would not fit.
    #[error(
        "there is not enough room in the repository: {} are needed, {} are free",
        ByteSize(*needed_bytes), ByteSize(*available_bytes)
    )]
    NoRoom {
        /// So much it takes.
        needed_bytes: u64,
        /// So much there is.
        available_bytes: u64,
    },
    /// It did not fit.
    #[error("the repository is full")]
    RepositoryFull,
    /// What was written is not what was read.
    #[error(
        "disk {disk_index} could not be verified after it was written: {reason}; check the disk of the repository"
    )]
    NotProven {
        /// The disk.
        disk_index: u32,
        /// Why, in words.
        reason: String,
    },
    /// What was copied is not what it was copied from.
    #[error("{} differs from what was copied when it is read back; check the disk of the repository", path.display())]
    CopyDiffers {
        /// The file.
        path: PathBuf,
    },
    /// The original is damaged as well.
    #[error("the copy is like its original, and disk {disk_index} of both is damaged: {reason}")]
    CopyDamaged {
        /// The disk.
        disk_index: u32,
        /// Why, in words.
        reason: String,
    },
    /// Another backup has a file of that name there.
    #[error("{} belongs to {owner}, which stays as it is: delete that first, or copy to another repository", path.display())]
    CopyInTheWay {
        /// The file.
        path: PathBuf,
        /// That backup.
        owner: String,
    },
    /// A file that is to be copied cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    CopySource {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It would not fit.
    #[error(
        "there is not enough room in {}: {} are needed, {} are free",
        folder.display(), ByteSize(*needed_bytes), ByteSize(*available_bytes)
    )]
    TargetNoRoom {
        /// The folder that is restored to.
        folder: PathBuf,
        /// So much it takes.
        needed_bytes: u64,
        /// So much there is.
        available_bytes: u64,
    },
    /// It did not fit.
    #[error(
        "the disk of {} is full; make room and restore again into the same folder to go on",
        path.display()
    )]
    TargetFull {
        /// The file that was being written.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Target {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody made it meanwhile. Nothing is written over.
    #[error("{} exists already: move it away and restore again into the same folder to go on", path.display())]
    TargetThere {
        /// The file.
        path: PathBuf,
    },
    /// What would be restored is not what was backed up.
    #[error(
        "disk {disk_index} is not what was backed up, at byte {offset}: nothing was restored; verify the backup, and \
         restore another recovery point"
    )]
    BackupDamaged {
        /// The disk.
        disk_index: u32,
        /// The first place that differs, in bytes.
        offset: u64,
    },
    /// An image of the recovery point cannot be read.
    #[error(
        "disk {disk_index} cannot be read from the backup: {source}; nothing was restored; verify the backup, and \
         restore another recovery point"
    )]
    BackupUnreadable {
        /// The disk.
        disk_index: u32,
        /// What is wrong.
        source: sendense_disk::Error,
    },
    /// The recovery point has changed since it was asked for.
    #[error("{why}")]
    NotRestorable {
        /// Why, in words.
        why: String,
    },
    /// The format has no room for it.
    #[error(
        "disk {disk_index} is too large for the format {}: that holds {} at most",
        format.as_str(), ByteSize(*limit_bytes)
    )]
    DiskTooLarge {
        /// The disk.
        disk_index: u32,
        /// The format.
        format: ImageFormat,
        /// The largest that it can hold, in bytes.
        limit_bytes: u64,
    },
    /// Something that it builds on is missing.
    #[error("{backup_id} is not on record with all that it builds on; verify it")]
    Incomplete {
        /// The backup.
        backup_id: String,
    },
    /// An image cannot be written anew.
    #[error("the image of disk {disk_index} cannot be merged: {why}")]
    Unmergeable {
        /// The disk.
        disk_index: u32,
        /// Why.
        why: Unmergeable,
    },
    /// A file of the repository cannot be written.
    #[error("cannot write to the repository: {}: {source}", path.display())]
    Repository {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It could not be written down.
    #[error("the backup could not be recorded in the hub's database: {0}")]
    Record(#[from] rusqlite::Error),
    /// A bug; the panic itself is in the log.
    #[error("the backup stopped unexpectedly because of an error in the hub")]
    Panicked,
}

/// Why an image cannot be written anew without the expired ones that it builds on.
#[derive(Debug, thiserror::Error)]
pub enum Unmergeable {
    /// Nobody knows where it lies.
    #[error("there is no image on record")]
    NoImage,
    /// It cannot be opened.
    #[error(transparent)]
    Image(#[from] sendense_disk::Error),
    /// What the image builds on from now on cannot be compared with.
    #[error("the map of the image below is no use: {0}")]
    MapBelow(#[source] io::Error),
    /// Merging would make it look right.
    #[error("it does not hold any more what was backed up; verify it")]
    Changed,
    /// What the image builds on from now on is damaged where the expired ones had data of their own.
    #[error("without the expired ones it would be damaged: {0}; verify what it builds on")]
    DamagedBelow(String),
}

/// How another program says that it writes to an image.
#[derive(Debug, thiserror::Error)]
pub enum InUse {
    /// QEMU and everything built on it.
    #[error("another program has it open for writing: shut the VM down and back it up again")]
    Locked,
    /// The same, and it cannot be copied at once.
    #[error(
        "another program has it open for writing, and {0}: shut the VM down and back it up again"
    )]
    Uncopyable(#[source] Uncopyable),
    /// It can be copied at once, but not all disks of its VM at the same moment.
    #[error(
        "another program has it open for writing, and something is written to the VM's disks all the time, \
         so that they cannot be copied at one moment: shut the VM down and back it up again"
    )]
    Restless,
    /// VMware products put a file or a folder beside it.
    #[error(
        "VMware has locked it ({}): shut the VM down; if it does not run, remove that lock",
        .0.display()
    )]
    VmwareLock(PathBuf),
}

/// Why an image that is written to cannot be copied at once.
#[derive(Debug, thiserror::Error)]
pub enum Uncopyable {
    /// What is written to the image while there is a copy takes new room.
    #[error("its filesystem is nearly full")]
    NearlyFull,
    /// Most filesystems.
    #[error("its filesystem cannot copy it at once, as Btrfs and XFS can")]
    NotAtOnce,
    /// A copy lies beside its original.
    #[error("its folder cannot be written to, which a copy needs")]
    FolderReadOnly,
    /// Anything else.
    #[error("it could not be copied: {0}")]
    Failed(#[source] io::Error),
}

/// Why a repository cannot be used at the moment. Its backups are not lost.
#[derive(Debug, thiserror::Error)]
pub enum NotConnected {
    /// Its folder is not there.
    #[error("{} does not exist: connect the disk it lies on", .0.display())]
    Missing(PathBuf),
    /// The folder is there without the file that names the repository.
    #[error("{} does not hold it: the disk it lies on is probably not connected", .0.display())]
    NotThere(PathBuf),
    /// The folder holds another one.
    #[error("another repository lies in {}", .0.display())]
    Another(PathBuf),
    /// The file that names it cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<io::Error> for Uncopyable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The last one is what other filesystems of the kernel make of it.
            io::ErrorKind::Unsupported
            | io::ErrorKind::CrossesDevices
            | io::ErrorKind::InvalidInput => Self::NotAtOnce,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::FolderReadOnly
            }
            _ => Self::Failed(error),
        }
    }
}

impl Failure {
    /// A failure to write a file of the repository.
    pub(crate) fn repository(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::RepositoryFull,
            _ => Self::Repository { path, source },
        }
    }

    /// A failure to write a file outside of all repositories.
    pub(crate) fn target(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::TargetFull { path },
            _ => Self::Target { path, source },
        }
    }
}
