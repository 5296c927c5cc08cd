//! Why a hub did not do something, as codes for programs.

use serde::{Deserialize, Serialize};

macro_rules! failure_codes {
    ($(#[doc = $doc:literal] $code:ident,)*) => {
        /// Why a hub did not do something. Our hub says it in `code` beside `error`, and in `error_code` beside
        /// the `error_message` of a backup or copy; deployed hubs do not, and are understood by their texts.
        ///
        /// A variant exists only where a client says or does something else for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FailureCode {
            $(#[doc = $doc] $code,)*
            /// A reason that this version does not know: the text counts.
            #[serde(other)]
            Unknown,
        }

        impl FailureCode {
            /// All that this version knows.
            pub const ALL: &[Self] = &[$(Self::$code),*];
        }
    };
}

failure_codes! {
    /// Somebody ended it.
    Cancelled,
    /// Nobody is signed in.
    SignInRequired,
    /// The header of the token is not understood.
    BadAuthorization,
    /// The token is no longer accepted.
    SignInExpired,
    /// User name and password do not match.
    WrongCredentials,
    /// Too many sign-ins of this user failed; `Retry-After` says when the next one is looked at.
    TooManySignIns,
    /// The hub does not offer that.
    UnknownAddress,
    /// The hub is stopping and starts nothing new.
    Stopping,
    /// There is no such VM.
    VmNotFound,
    /// No disks of the VM are known.
    NoDisks,
    /// The hub could not look for VMs.
    DiscoveryFailed,
    /// Something else is being done to the backups of the VM.
    VmBusy,
    /// There is no such repository.
    RepositoryNotFound,
    /// The disk of the repository is not there.
    RepositoryNotConnected,
    /// The folder holds no repository.
    NoRepositoryThere,
    /// The repository is already connected in another folder.
    RepositoryElsewhere,
    /// The folder already holds a repository.
    RepositoryThere,
    /// The folder contains that of another repository, or is inside it.
    RepositoryInside,
    /// The repository holds backups.
    RepositoryHasBackups,
    /// The folder cannot be a repository.
    RepositoryConfig,
    /// The first repository of a hub stays.
    FirstRepository,
    /// The name is already in use.
    NameTaken,
    /// The hub is not allowed to write to the folder.
    FolderNotWritable,
    /// The hub could not write to the repository.
    RepositoryWrite,
    /// The repository has not enough room for what would be written.
    NoRoom,
    /// The repository became full.
    RepositoryFull,
    /// There is no such backup.
    BackupNotFound,
    /// A backup of the VM is running.
    BackupRunning,
    /// The backup is still running.
    BackupNotOver,
    /// The backup is over and cannot be cancelled.
    BackupOver,
    /// The recovery point is pinned.
    BackupPinned,
    /// Other recovery points build on this one.
    HasDependents,
    /// An incremental backup has nothing to build on.
    NoPreviousBackup,
    /// The backup is not complete.
    NothingToVerify,
    /// The backup is not being verified.
    NotVerified,
    /// Verifying the backup is over.
    VerificationOver,
    /// What was written is not what was read.
    NotProven,
    /// No retention is set for the VM.
    NoRetention,
    /// The recovery point is already being copied to that repository.
    CopyRunning,
    /// The recovery point is already in that repository.
    CopyInPlace,
    /// The copy is over and cannot be cancelled.
    CopyOver,
    /// The backup has no such disk.
    DiskNotFound,
    /// The image of the disk is missing.
    ImageMissing,
    /// No further mount is possible.
    TooManyMounts,
    /// The mount was closed, has expired, or never was.
    MountNotFound,
    /// Nothing on the disk can be browsed.
    NothingReadable,
    /// There is nothing at the path.
    PathNotFound,
    /// The path is not allowed.
    PathRefused,
    /// A file, where a folder was meant.
    NotADirectory,
    /// A folder, a link or a special file, where a file was meant.
    NotAFile,
    /// The content of the file cannot be read.
    ContentUnreadable,
    /// This part of the disk is damaged in the backup.
    DiskDamaged,
    /// A file of the backup is being downloaded.
    DownloadRunning,
    /// A disk of the backup is served to other programs.
    DiskServed,
    /// A machine runs from the recovery point, or from one that builds on it.
    HeldByLiveMachine,
    /// There is no such live machine.
    LiveMachineNotFound,
    /// The live machine has not been shut down.
    LiveMachineRuns,
    /// A live machine cannot be made in the folder.
    LiveFolder,
    /// The hub is busy with as many downloads as it allows.
    TooManyDownloads,
    /// A full restore cannot write into that folder.
    TargetRefused,
    /// A full restore would write over a file.
    TargetExists,
    /// A full restore is writing the same files.
    FullRestoreRunning,
    /// There is no such full restore.
    FullRestoreNotFound,
    /// The full restore is over and cannot be cancelled.
    FullRestoreOver,
    /// A disk does not fit into the format, or the machine does not run from it.
    FormatUnsuited,
    /// The folder has not enough room for what would be written.
    TargetNoRoom,
    /// The disk of the folder became full.
    TargetFull,
    /// The hub could not write into the folder.
    TargetWrite,
    /// A disk of the recovery point is not what was backed up.
    BackupDamaged,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_one_word_and_one_of_a_newer_hub_does_no_harm() {
        for code in FailureCode::ALL {
            let word = serde_json::to_string(code).unwrap();
            assert_eq!(serde_json::from_str::<FailureCode>(&word).unwrap(), *code);
        }
        let word = serde_json::to_string(&FailureCode::NoPreviousBackup).unwrap();
        assert_eq!(word, "\"no_previous_backup\"");
        let newer: FailureCode = serde_json::from_str("\"moon_in_the_way\"").unwrap();
        assert_eq!(newer, FailureCode::Unknown);
    }
}
