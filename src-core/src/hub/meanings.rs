//! The table of failures: the codes of our hub, the tokens that texts of deployed hubs hold (contract 5),
//! and what that is to a user.

use sendense_types::{ErrorKind, FailureCode, Retry};

/// One row of the table: a failure of this code, or without one a text that holds `token`, means this.
pub(super) struct Meaning {
    /// What our hub calls it; deployed hubs have texts only.
    pub(super) code: Option<FailureCode>,
    /// Part of the hub's text, in lower case.
    pub(super) token: &'static str,
    pub(super) kind: ErrorKind,
    pub(super) message: &'static str,
    pub(super) hint: Option<&'static str>,
    pub(super) retry: Retry,
}

const fn row(
    token: &'static str,
    kind: ErrorKind,
    retry: Retry,
    message: &'static str,
    hint: Option<&'static str>,
) -> Meaning {
    Meaning {
        code: None,
        token,
        kind,
        message,
        hint,
        retry,
    }
}

impl Meaning {
    /// What our hub calls it, too.
    const fn coded(self, code: FailureCode) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }
}

/// Hubs chain their texts, so the more telling token stands first: `mount not found` before
/// `record not found` before `not found`.
pub(super) const MEANINGS: &[Meaning] = &[
    // Whatever was asked for.
    row(
        "is not connected:",
        ErrorKind::Conflict,
        Retry::Manual,
        "The repository is not connected.",
        Some("Connect the disk it lies on, then try again. What is in it is not lost."),
    )
    .coded(FailureCode::RepositoryNotConnected),
    row(
        "it was cancelled",
        ErrorKind::Cancelled,
        Retry::Manual,
        "It was cancelled.",
        None,
    )
    .coded(FailureCode::Cancelled),
    // Who may come in.
    row(
        "missing authorization header",
        ErrorKind::Unauthorized,
        Retry::AfterSignIn,
        "This hub wants you to sign in.",
        Some("Sign in and try again."),
    )
    .coded(FailureCode::SignInRequired),
    row(
        "invalid authorization format",
        ErrorKind::Unauthorized,
        Retry::AfterSignIn,
        "The hub did not understand the token.",
        Some("Sign in again."),
    )
    .coded(FailureCode::BadAuthorization),
    row(
        "expired token",
        ErrorKind::Unauthorized,
        Retry::AfterSignIn,
        "The hub does not accept this sign-in any more.",
        Some("Sign in again."),
    )
    .coded(FailureCode::SignInExpired),
    row(
        "invalid credentials",
        ErrorKind::Unauthorized,
        Retry::AfterSignIn,
        "The hub does not accept this user name and password.",
        Some("Check both and try again."),
    )
    .coded(FailureCode::WrongCredentials),
    row(
        "too many failed sign-ins",
        ErrorKind::Unauthorized,
        Retry::Manual,
        "There were too many failed sign-ins for this user.",
        Some("Wait a moment, then try again."),
    )
    .coded(FailureCode::TooManySignIns),
    // Keeping backups in order.
    row(
        "other backups build on it",
        ErrorKind::Conflict,
        Retry::Never,
        "Other recovery points cannot be restored without this one.",
        Some("Delete them together with it, or keep it."),
    )
    .coded(FailureCode::HasDependents),
    row(
        "is pinned: unpin it first",
        ErrorKind::Conflict,
        Retry::Never,
        "A pinned recovery point is not deleted.",
        Some("Unpin it first."),
    )
    .coded(FailureCode::BackupPinned),
    row(
        "try again when that is done",
        ErrorKind::Conflict,
        Retry::Manual,
        "Something else is being done to the backups of this machine.",
        Some("Try again when that is done."),
    )
    .coded(FailureCode::VmBusy),
    row(
        "is still running: cancel it first",
        ErrorKind::Conflict,
        Retry::Manual,
        "This backup is still running.",
        Some("Cancel it, or wait until it is done."),
    )
    .coded(FailureCode::BackupNotOver),
    row(
        "is being downloaded",
        ErrorKind::Conflict,
        Retry::Manual,
        "A file of this backup is being downloaded.",
        Some("Wait until that is done, or stop it."),
    )
    .coded(FailureCode::DownloadRunning),
    row(
        "no retention is set",
        ErrorKind::NotFound,
        Retry::Never,
        "This machine has no retention: all its recovery points are kept.",
        Some("Set one first."),
    )
    .coded(FailureCode::NoRetention),
    // Mounts and files.
    row(
        "mount not found",
        ErrorKind::Expired,
        Retry::Manual,
        "Mount expired, please remount.",
        Some("It was closed, it expired, or the hub knows no such mount."),
    )
    .coded(FailureCode::MountNotFound),
    row(
        "mount not ready: status=mounting",
        ErrorKind::Conflict,
        Retry::AfterSeconds(2),
        "The hub is still opening this disk.",
        None,
    ),
    row(
        "mount not ready",
        ErrorKind::Expired,
        Retry::Manual,
        "This mount cannot be used any more.",
        Some("Mount the disk again."),
    ),
    row(
        "disk not found",
        ErrorKind::NotFound,
        Retry::Never,
        "This disk of the backup cannot be restored.",
        Some("The backup has no such disk, or the disk was never finished."),
    )
    .coded(FailureCode::DiskNotFound),
    row(
        "qcow2 file does not exist",
        ErrorKind::NotFound,
        Retry::Never,
        "The data of this backup is missing on the hub.",
        Some("Restore from another backup, and look into the repository's folder."),
    )
    .coded(FailureCode::ImageMissing),
    row(
        "maximum concurrent mounts reached",
        ErrorKind::Full,
        Retry::Manual,
        "The hub has no free place for another mount.",
        Some("Close a mount, then try again."),
    )
    .coded(FailureCode::TooManyMounts),
    row(
        "no available nbd devices",
        ErrorKind::Full,
        Retry::Manual,
        "The hub has no free device for another mount.",
        Some("Close a mount, then try again."),
    ),
    row(
        "failed to create mount record",
        ErrorKind::Conflict,
        Retry::AfterSeconds(2),
        "The hub still holds a leftover of an earlier mount.",
        Some("If it stays, the hub's administrator has to remove the stale row of restore_mounts."),
    ),
    row(
        "timeout waiting for nbd device",
        ErrorKind::Internal,
        Retry::Manual,
        "The hub took too long to open this disk.",
        Some("Try again later."),
    ),
    row(
        "qemu-nbd failed",
        ErrorKind::Conflict,
        Retry::Manual,
        "The hub could not open the image of this disk.",
        Some("If the backup is still being written, wait until it is done."),
    ),
    row(
        "no mountable partitions found",
        ErrorKind::Unsupported,
        Retry::Never,
        "There is nothing on this disk that can be browsed.",
        Some("Its contents are backed up all the same; the whole image can be restored."),
    )
    .coded(FailureCode::NothingReadable),
    row(
        "invalid partition path",
        ErrorKind::NotFound,
        Retry::Never,
        "There is no such partition on this disk.",
        None,
    ),
    row(
        "path is not a directory",
        ErrorKind::Invalid,
        Retry::Never,
        "This is a file, not a folder.",
        None,
    )
    .coded(FailureCode::NotADirectory),
    row(
        "not a directory",
        ErrorKind::Invalid,
        Retry::Never,
        "This is a file, not a folder.",
        None,
    ),
    row(
        "not a regular file",
        ErrorKind::Unsupported,
        Retry::Never,
        "This cannot be downloaded as a file.",
        Some("It is a link, a special file, or its content cannot be read."),
    )
    .coded(FailureCode::NotAFile),
    row(
        "the content of",
        ErrorKind::Unsupported,
        Retry::Never,
        "The content of this file cannot be read.",
        Some("The rest of the disk can still be restored."),
    )
    .coded(FailureCode::ContentUnreadable),
    row(
        "the disk is damaged",
        ErrorKind::Corrupt,
        Retry::Never,
        "This part of the disk is damaged in this backup.",
        Some("Other files can still be restored. An older recovery point may hold this one whole."),
    )
    .coded(FailureCode::DiskDamaged),
    row(
        "unsupported archive type",
        ErrorKind::Unsupported,
        Retry::Never,
        "The hub does not offer this kind of archive.",
        None,
    ),
    row(
        "path does not exist",
        ErrorKind::NotFound,
        Retry::Never,
        "The path does not exist.",
        None,
    )
    .coded(FailureCode::PathNotFound),
    row(
        "invalid path",
        ErrorKind::Invalid,
        Retry::Never,
        "This path is not allowed.",
        Some("Paths lead down from the root of the mount; '..' is refused."),
    )
    .coded(FailureCode::PathRefused),
    // Before what the system says, which is of another file where something is read.
    row(
        "cannot write to the repository",
        ErrorKind::Internal,
        Retry::Manual,
        "The hub could not write to the repository.",
        Some(
            "Look at the disk of the repository; nothing of the backup was kept, earlier ones are as they were.",
        ),
    )
    .coded(FailureCode::RepositoryWrite),
    row(
        "permission denied",
        ErrorKind::Internal,
        Retry::Never,
        "The hub is not allowed to read this.",
        None,
    ),
    row(
        "input/output error",
        ErrorKind::Corrupt,
        Retry::Manual,
        "The hub could not read this from its disk.",
        Some("The backup may be damaged there; other files can still be restored."),
    ),
    row(
        "too many downloads",
        ErrorKind::Full,
        Retry::AfterSeconds(10),
        "The hub is busy with other downloads.",
        Some("Try again when one of them has finished."),
    )
    .coded(FailureCode::TooManyDownloads),
    // Starting backups.
    row(
        "is already running",
        ErrorKind::Conflict,
        Retry::Manual,
        "A backup of this VM is already running.",
        Some("Wait until it is done."),
    )
    .coded(FailureCode::BackupRunning),
    row(
        "failed to create parent backup job",
        ErrorKind::Conflict,
        Retry::Manual,
        "A backup of this VM is already starting.",
        Some("Look at its backups before you try again."),
    ),
    row(
        "verifying this backup is over and cannot be cancelled",
        ErrorKind::Conflict,
        Retry::Never,
        "This backup is not being verified any more.",
        None,
    )
    .coded(FailureCode::VerificationOver),
    row(
        "was not verified since the hub was started",
        ErrorKind::NotFound,
        Retry::Never,
        "This backup is not being verified.",
        None,
    )
    .coded(FailureCode::NotVerified),
    row(
        "this copy is over",
        ErrorKind::Conflict,
        Retry::Never,
        "This copy is over already.",
        None,
    )
    .coded(FailureCode::CopyOver),
    row(
        "is over and cannot be cancelled",
        ErrorKind::Conflict,
        Retry::Never,
        "This backup is over already.",
        None,
    )
    .coded(FailureCode::BackupOver),
    row(
        "not enough room in the repository",
        ErrorKind::Full,
        Retry::Manual,
        "There is not enough room in the repository.",
        Some("Make room there, or choose another repository; nothing was backed up."),
    )
    .coded(FailureCode::NoRoom),
    row(
        "the repository is full",
        ErrorKind::Full,
        Retry::Manual,
        "The repository is full.",
        Some("Make room there, or choose another repository; nothing was backed up."),
    )
    .coded(FailureCode::RepositoryFull),
    row(
        "there is nothing to verify",
        ErrorKind::Conflict,
        Retry::Never,
        "This backup is not complete, so there is nothing to verify.",
        None,
    )
    .coded(FailureCode::NothingToVerify),
    row(
        "could not be verified after it was written",
        ErrorKind::Corrupt,
        Retry::Manual,
        "What was written to the repository is not what was read.",
        Some(
            "Nothing of it was kept. Check the disk that the repository lies on before you trust it.",
        ),
    )
    .coded(FailureCode::NotProven),
    row(
        "no previous backup found",
        ErrorKind::NeedsFull,
        Retry::Manual,
        "There is no finished backup to build on.",
        Some("Run a full backup first."),
    )
    .coded(FailureCode::NoPreviousBackup),
    row(
        "backup chain not found",
        ErrorKind::NeedsFull,
        Retry::Manual,
        "The hub has lost track of the last full backup.",
        Some("Run a full backup."),
    ),
    row(
        "no parent backup found",
        ErrorKind::NeedsFull,
        Retry::Manual,
        "The hub has lost track of the last full backup.",
        Some("Run a full backup."),
    ),
    row(
        "parent backup not found",
        ErrorKind::NeedsFull,
        Retry::Manual,
        "The last full backup lies in another repository.",
        Some("Back up into that repository, or run a full backup into this one."),
    ),
    row(
        "no disks found for vm",
        ErrorKind::NotFound,
        Retry::Manual,
        "The hub knows no disks of this VM.",
        Some("Discover it again."),
    )
    .coded(FailureCode::NoDisks),
    row(
        "total_bytes must be greater than 0",
        ErrorKind::Unsupported,
        Retry::Never,
        "This hub cannot back up disks of less than 1 GiB.",
        None,
    ),
    row(
        "no available ports",
        ErrorKind::Full,
        Retry::Manual,
        "The hub has too many backups open.",
        Some("Wait until one of them is done."),
    ),
    row(
        "missing credential_id",
        ErrorKind::Invalid,
        Retry::Manual,
        "The hub has no vCenter credential for this VM.",
        Some("Add the VM again with a saved credential."),
    ),
    row(
        "failed to get vmware credentials",
        ErrorKind::Invalid,
        Retry::Manual,
        "The hub cannot use the vCenter credential of this VM.",
        Some("Check the credential on the hub."),
    ),
    row(
        "failed to call sna api",
        ErrorKind::Offline,
        Retry::Manual,
        "The hub cannot reach its capture appliance.",
        Some("Nothing was backed up."),
    ),
    row(
        "sna api error",
        ErrorKind::Internal,
        Retry::Manual,
        "The capture appliance refused the backup.",
        Some("Nothing was backed up."),
    ),
    row(
        "no repository lies in",
        ErrorKind::NotFound,
        Retry::Never,
        "There is no repository in this folder.",
        Some("Choose the folder that holds the file sendense-repository.json."),
    )
    .coded(FailureCode::NoRepositoryThere),
    row(
        "second copy of it",
        ErrorKind::Conflict,
        Retry::Never,
        "This repository is connected at another place already.",
        Some("Disconnect that one first, or go on with it."),
    )
    .coded(FailureCode::RepositoryElsewhere),
    row(
        "a repository lies there already",
        ErrorKind::Conflict,
        Retry::Never,
        "There is a repository in this folder already.",
        Some("Rescan the folder to use what is in it, or choose another one."),
    )
    .coded(FailureCode::RepositoryThere),
    row(
        "or the other way round",
        ErrorKind::Conflict,
        Retry::Never,
        "This folder and that of another repository lie in one another.",
        Some("Choose a folder of its own."),
    )
    .coded(FailureCode::RepositoryInside),
    row(
        "the first repository of a hub cannot be deleted",
        ErrorKind::Conflict,
        Retry::Never,
        "The first repository of a hub cannot be deleted.",
        Some("The hub would make it again."),
    )
    .coded(FailureCode::FirstRepository),
    row(
        "invalid local repository config",
        ErrorKind::Invalid,
        Retry::Never,
        "This folder cannot be a repository.",
        None,
    )
    .coded(FailureCode::RepositoryConfig),
    row(
        "is in that repository",
        ErrorKind::Conflict,
        Retry::Never,
        "The recovery point is in that repository.",
        Some("Choose another one."),
    )
    .coded(FailureCode::CopyInPlace),
    row(
        "is being copied there already",
        ErrorKind::Conflict,
        Retry::Never,
        "The recovery point is being copied there already.",
        None,
    )
    .coded(FailureCode::CopyRunning),
    row(
        "existing backups",
        ErrorKind::Conflict,
        Retry::Never,
        "There are backups in this repository.",
        Some("Delete them first."),
    )
    .coded(FailureCode::RepositoryHasBackups),
    row(
        "repository not found",
        ErrorKind::NotFound,
        Retry::Never,
        "The hub knows no such repository, or could not open it.",
        None,
    )
    .coded(FailureCode::RepositoryNotFound),
    row(
        "foreign key",
        ErrorKind::NotFound,
        Retry::Never,
        "The repository no longer exists on the hub.",
        None,
    ),
    row(
        "failed to prepare backup disk",
        ErrorKind::Internal,
        Retry::Manual,
        "The hub could not create the image of a disk.",
        Some("Look for room in the repository; nothing was backed up."),
    ),
    row(
        "hub is stopping",
        ErrorKind::Offline,
        Retry::AfterSeconds(10),
        "The hub is stopping and starts no more backups.",
        None,
    )
    .coded(FailureCode::Stopping),
    row(
        "duplicate entry",
        ErrorKind::Conflict,
        Retry::Never,
        "Something of that name is there already.",
        None,
    )
    .coded(FailureCode::NameTaken),
    row(
        "not writable",
        ErrorKind::Forbidden,
        Retry::Manual,
        "The hub may not write into this folder.",
        None,
    )
    .coded(FailureCode::FolderNotWritable),
    // Finding VMs.
    row(
        "vm context not found",
        ErrorKind::NotFound,
        Retry::Never,
        "The hub knows no such VM.",
        Some("Discover it first."),
    )
    .coded(FailureCode::VmNotFound),
    row(
        "vm discovery failed",
        ErrorKind::Internal,
        Retry::Manual,
        "The hub could not look for VMs.",
        None,
    )
    .coded(FailureCode::DiscoveryFailed),
    row(
        "sna discovery failed",
        ErrorKind::Internal,
        Retry::Manual,
        "The capture appliance could not look for VMs.",
        None,
    ),
    row(
        "backup not found",
        ErrorKind::NotFound,
        Retry::Never,
        "Backup not found.",
        Some("It was removed, or the id is wrong."),
    )
    .coded(FailureCode::BackupNotFound),
    // What Go's router says to a path it has not got.
    row(
        "404 page not found",
        ErrorKind::Unsupported,
        Retry::Never,
        "This hub does not offer that.",
        None,
    ),
    row(
        "the hub has no such address",
        ErrorKind::Unsupported,
        Retry::Never,
        "This hub does not offer that.",
        None,
    )
    .coded(FailureCode::UnknownAddress),
];
