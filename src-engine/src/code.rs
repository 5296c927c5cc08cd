//! The words for programs that failures have: [`FailureCode`] of every error of the engine, where a client says or does
//! something else for it.

use sendense_types::FailureCode;

use crate::{error::Error, failure::Failure, restore, store::Reason};

impl From<&Failure> for Reason {
    fn from(failure: &Failure) -> Self {
        Self {
            code: failure.code(),
            text: failure.to_string(),
        }
    }
}

impl Error {
    /// What it is called for programs; `None` where its text is all there is to say.
    pub fn code(&self) -> Option<FailureCode> {
        Some(match self {
            Self::VmNotFound(_) => FailureCode::VmNotFound,
            Self::NoDisks(_) => FailureCode::NoDisks,
            Self::FolderMissing(_) => FailureCode::PathNotFound,
            Self::NotAFolder(_) => FailureCode::NotADirectory,
            Self::FolderUnreadable { .. }
            | Self::FolderTooLarge { .. }
            | Self::FolderNotAbsolute(_) => FailureCode::DiscoveryFailed,
            Self::RepositoryNotFound(_) => FailureCode::RepositoryNotFound,
            Self::RepositoryNotConnected { .. } => FailureCode::RepositoryNotConnected,
            Self::NoRepositoryThere(_) => FailureCode::NoRepositoryThere,
            Self::RepositoryElsewhere { .. } => FailureCode::RepositoryElsewhere,
            Self::FolderUnwritable { .. } => FailureCode::FolderNotWritable,
            Self::RepositoryConfig(_) => FailureCode::RepositoryConfig,
            Self::RepositoryNameTaken(_) => FailureCode::NameTaken,
            Self::RepositoryThere(_) => FailureCode::RepositoryThere,
            Self::RepositoryInside { .. } => FailureCode::RepositoryInside,
            Self::RepositoryHasBackups { .. } => FailureCode::RepositoryHasBackups,
            Self::FirstRepository => FailureCode::FirstRepository,
            Self::BackupNotFound(_) => FailureCode::BackupNotFound,
            Self::BackupRunning { .. } => FailureCode::BackupRunning,
            Self::NoPreviousBackup { .. } => FailureCode::NoPreviousBackup,
            Self::BackupOver(_) => FailureCode::BackupOver,
            Self::BackupNotComplete(_) => FailureCode::NothingToVerify,
            Self::NotVerified(_) => FailureCode::NotVerified,
            Self::VerificationOver => FailureCode::VerificationOver,
            Self::BackupNotOver(_) => FailureCode::BackupNotOver,
            Self::BackupPinned(_) => FailureCode::BackupPinned,
            Self::HasDependents { .. } => FailureCode::HasDependents,
            Self::VmBusy { .. } => FailureCode::VmBusy,
            Self::CopyRunning(_) => FailureCode::CopyRunning,
            Self::CopyInPlace(_) => FailureCode::CopyInPlace,
            Self::CopyNotRunning => FailureCode::CopyOver,
            Self::TargetNotAbsolute(_)
            | Self::TargetNotText(_)
            | Self::TargetOfHub(_)
            | Self::TargetInRepository { .. } => FailureCode::TargetRefused,
            Self::TargetExists(_) => FailureCode::TargetExists,
            Self::FullRestoreRunning(_) => FailureCode::FullRestoreRunning,
            Self::FullRestoreNotFound(_) => FailureCode::FullRestoreNotFound,
            Self::FullRestoreOver => FailureCode::FullRestoreOver,
            Self::DefinitionUnsuited { .. } => FailureCode::FormatUnsuited,
            Self::NoRetention(_) => FailureCode::NoRetention,
            Self::HeldByLiveMachine { .. } => FailureCode::HeldByLiveMachine,
            Self::LiveMachineNotFound(_) => FailureCode::LiveMachineNotFound,
            Self::LiveMachineRuns { .. } => FailureCode::LiveMachineRuns,
            Self::LiveFolder { .. } => FailureCode::LiveFolder,
            Self::Stopping => FailureCode::Stopping,
            Self::Failed(failure) => return failure.code(),
            Self::Restore(error) => return error.code(),
            Self::RepositoryDisabled(_)
            | Self::CopyNotFound(_)
            | Self::KeepsNothing
            | Self::Database(_) => return None,
        })
    }
}

impl Failure {
    /// What it is called for programs; `None` where its text is all there is to say.
    pub fn code(&self) -> Option<FailureCode> {
        match self {
            Self::Cancelled => Some(FailureCode::Cancelled),
            Self::NoRoom { .. } => Some(FailureCode::NoRoom),
            Self::RepositoryFull => Some(FailureCode::RepositoryFull),
            Self::NotProven { .. } => Some(FailureCode::NotProven),
            Self::Repository { .. } => Some(FailureCode::RepositoryWrite),
            Self::TargetNoRoom { .. } => Some(FailureCode::TargetNoRoom),
            Self::TargetFull { .. } => Some(FailureCode::TargetFull),
            Self::Target { .. } => Some(FailureCode::TargetWrite),
            Self::TargetThere { .. } => Some(FailureCode::TargetExists),
            Self::BackupDamaged { .. } | Self::BackupUnreadable { .. } => {
                Some(FailureCode::BackupDamaged)
            }
            Self::DiskTooLarge { .. } => Some(FailureCode::FormatUnsuited),
            Self::Stopped
            | Self::Source { .. }
            | Self::SourceChanged { .. }
            | Self::SourceInUse { .. }
            | Self::SourceGone { .. }
            | Self::SourceUnclear(_)
            | Self::CopyDiffers { .. }
            | Self::CopyDamaged { .. }
            | Self::CopyInTheWay { .. }
            | Self::CopySource { .. }
            | Self::Incomplete { .. }
            | Self::NotRestorable { .. }
            | Self::Unmergeable { .. }
            | Self::Record(_)
            | Self::Panicked => None,
        }
    }
}

impl restore::Error {
    /// What it is called for programs; `None` where its text is all there is to say.
    pub fn code(&self) -> Option<FailureCode> {
        Some(match self {
            Self::DiskNotFound { .. } => FailureCode::DiskNotFound,
            Self::ImageGone { .. } => FailureCode::ImageMissing,
            Self::RepositoryNotConnected { .. } => FailureCode::RepositoryNotConnected,
            Self::TooManyMounts { .. } => FailureCode::TooManyMounts,
            Self::NothingReadable { .. } => FailureCode::NothingReadable,
            Self::MountNotFound { .. } => FailureCode::MountNotFound,
            Self::PathRefused(_) => FailureCode::PathRefused,
            Self::NoSuchVolume { .. } | Self::PathMissing { .. } => FailureCode::PathNotFound,
            Self::NotADirectory { .. } => FailureCode::NotADirectory,
            Self::NotAFile { .. } => FailureCode::NotAFile,
            Self::ContentUnreadable { .. } => FailureCode::ContentUnreadable,
            Self::DownloadRunning { .. } => FailureCode::DownloadRunning,
            Self::DiskServed { .. } => FailureCode::DiskServed,
            Self::TooManyDownloads => FailureCode::TooManyDownloads,
            Self::Disk(sendense_disk::Error::Corrupt { .. }) => FailureCode::DiskDamaged,
            Self::VolumeUnreadable { .. }
            | Self::ReaderStopped
            | Self::ReaderBusy
            | Self::Disk(_)
            | Self::Database(_)
            | Self::NotServed(_)
            | Self::Thread(_) => return None,
        })
    }
}
