//! What failures mean, by our hub's code or by a token in the text of a deployed hub (contract 5).

use sendense_types::{ErrorKind, FailureCode, Retry};
use sendense_words::{failures, mounts};

type Words = fn() -> &'static str;

/// One row of the table: a failure of this code, or without one a text that holds `token`, means this.
pub(super) struct Meaning {
    /// What our hub calls it; deployed hubs have texts only.
    pub(super) code: Option<FailureCode>,
    /// Part of the hub's text, in lower case.
    pub(super) token: &'static str,
    pub(super) kind: ErrorKind,
    pub(super) message: Words,
    pub(super) hint: Option<Words>,
    pub(super) retry: Retry,
}

const fn row(
    token: &'static str,
    kind: ErrorKind,
    retry: Retry,
    message: Words,
    hint: Option<Words>,
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
    /// With the code that our hub has for it.
    const fn coded(self, code: FailureCode) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }
}

/// Hubs chain their texts, so the more telling token stands first: `parent backup not found`
/// before `backup not found`.
pub(super) const MEANINGS: &[Meaning] = &[
    // Whatever was asked for.
    row(
        "is not connected:",
        ErrorKind::Conflict,
        Retry::Manual,
        failures::repository_not_connected,
        Some(failures::connect_repository),
    )
    .coded(FailureCode::RepositoryNotConnected),
    row(
        "it was cancelled",
        ErrorKind::Cancelled,
        Retry::Manual,
        failures::cancelled,
        None,
    )
    .coded(FailureCode::Cancelled),
    // Who may come in.
    row(
        "missing authorization header",
        ErrorKind::Unauthorized,
        Retry::AfterSignIn,
        failures::sign_in_required,
        Some(failures::sign_in_and_retry),
    )
    .coded(FailureCode::SignInRequired),
    row(
        "invalid authorization format",
        ErrorKind::Unauthorized,
        Retry::AfterSignIn,
        failures::token_not_understood,
        Some(failures::sign_in_again),
    )
    .coded(FailureCode::BadAuthorization),
    row(
        "expired token",
        ErrorKind::Unauthorized,
        Retry::AfterSignIn,
        failures::sign_in_expired,
        Some(failures::sign_in_again),
    )
    .coded(FailureCode::SignInExpired),
    row(
        "invalid credentials",
        ErrorKind::Unauthorized,
        Retry::AfterSignIn,
        failures::wrong_credentials,
        Some(failures::check_credentials),
    )
    .coded(FailureCode::WrongCredentials),
    row(
        "too many failed sign-ins",
        ErrorKind::Unauthorized,
        Retry::Manual,
        failures::too_many_sign_ins,
        Some(failures::wait_a_moment),
    )
    .coded(FailureCode::TooManySignIns),
    // Keeping backups in order.
    row(
        "other backups build on it",
        ErrorKind::Conflict,
        Retry::Never,
        failures::has_dependents,
        Some(failures::delete_dependents),
    )
    .coded(FailureCode::HasDependents),
    row(
        "is pinned: unpin it first",
        ErrorKind::Conflict,
        Retry::Never,
        failures::pinned,
        Some(failures::unpin_first),
    )
    .coded(FailureCode::BackupPinned),
    row(
        "try again when that is done",
        ErrorKind::Conflict,
        Retry::Manual,
        failures::vm_busy,
        Some(failures::retry_when_done),
    )
    .coded(FailureCode::VmBusy),
    row(
        "is still running: cancel it first",
        ErrorKind::Conflict,
        Retry::Manual,
        failures::backup_not_over,
        Some(failures::wait_or_cancel),
    )
    .coded(FailureCode::BackupNotOver),
    row(
        "is being downloaded",
        ErrorKind::Conflict,
        Retry::Manual,
        failures::backup_downloading,
        Some(failures::wait_or_cancel),
    )
    .coded(FailureCode::DownloadRunning),
    row(
        "a disk of the backup",
        ErrorKind::Conflict,
        Retry::Manual,
        failures::backup_served,
        Some(failures::end_serving),
    )
    .coded(FailureCode::DiskServed),
    row(
        "is held by the live machine",
        ErrorKind::Conflict,
        Retry::Manual,
        failures::backup_held_by_machine,
        Some(failures::stop_machine_first),
    )
    .coded(FailureCode::HeldByLiveMachine),
    row(
        "live machine not found",
        ErrorKind::NotFound,
        Retry::Never,
        failures::no_such_machine,
        Some(failures::list_machines),
    )
    .coded(FailureCode::LiveMachineNotFound),
    row(
        "shut it down first",
        ErrorKind::Conflict,
        Retry::Manual,
        failures::machine_runs,
        Some(failures::shut_machine_down),
    )
    .coded(FailureCode::LiveMachineRuns),
    row(
        "no machine can be started in",
        ErrorKind::Invalid,
        Retry::Never,
        failures::machine_folder,
        Some(failures::choose_empty_folder),
    )
    .coded(FailureCode::LiveFolder),
    row(
        "no retention is set",
        ErrorKind::NotFound,
        Retry::Never,
        failures::no_retention,
        Some(failures::set_retention_first),
    )
    .coded(FailureCode::NoRetention),
    // Mounts and files.
    row(
        "mount not found",
        ErrorKind::Expired,
        Retry::Manual,
        mounts::expired_error,
        Some(failures::expired_why),
    )
    .coded(FailureCode::MountNotFound),
    row(
        "mount not ready: status=mounting",
        ErrorKind::Conflict,
        Retry::AfterSeconds(2),
        failures::mount_opening,
        None,
    ),
    row(
        "mount not ready",
        ErrorKind::Expired,
        Retry::Manual,
        failures::mount_broken,
        Some(failures::mount_again),
    ),
    row(
        "disk not found",
        ErrorKind::NotFound,
        Retry::Never,
        failures::disk_not_found,
        Some(failures::disk_not_found_why),
    )
    .coded(FailureCode::DiskNotFound),
    row(
        "qcow2 file does not exist",
        ErrorKind::NotFound,
        Retry::Never,
        failures::image_missing,
        Some(failures::image_missing_hint),
    )
    .coded(FailureCode::ImageMissing),
    row(
        "maximum concurrent mounts reached",
        ErrorKind::Full,
        Retry::Manual,
        failures::too_many_mounts,
        Some(failures::close_a_mount),
    )
    .coded(FailureCode::TooManyMounts),
    row(
        "no available nbd devices",
        ErrorKind::Full,
        Retry::Manual,
        failures::no_mount_device,
        Some(failures::close_a_mount),
    ),
    row(
        "failed to create mount record",
        ErrorKind::Conflict,
        Retry::AfterSeconds(2),
        failures::leftover_mount,
        Some(failures::leftover_mount_hint),
    ),
    row(
        "timeout waiting for nbd device",
        ErrorKind::Internal,
        Retry::Manual,
        failures::opening_too_long,
        Some(failures::retry_later),
    ),
    row(
        "qemu-nbd failed",
        ErrorKind::Conflict,
        Retry::Manual,
        failures::image_not_opened,
        Some(failures::image_in_use),
    ),
    row(
        "no mountable partitions found",
        ErrorKind::Unsupported,
        Retry::Never,
        failures::nothing_readable,
        Some(failures::nothing_readable_hint),
    )
    .coded(FailureCode::NothingReadable),
    row(
        "invalid partition path",
        ErrorKind::NotFound,
        Retry::Never,
        failures::no_partition,
        None,
    ),
    row(
        "path is not a directory",
        ErrorKind::Invalid,
        Retry::Never,
        failures::not_a_folder,
        None,
    )
    .coded(FailureCode::NotADirectory),
    row(
        "not a directory",
        ErrorKind::Invalid,
        Retry::Never,
        failures::not_a_folder,
        None,
    ),
    row(
        "not a regular file",
        ErrorKind::Unsupported,
        Retry::Never,
        failures::not_a_file,
        Some(failures::not_a_file_why),
    )
    .coded(FailureCode::NotAFile),
    row(
        "the content of",
        ErrorKind::Unsupported,
        Retry::Never,
        failures::content_unreadable,
        Some(failures::rest_restorable),
    )
    .coded(FailureCode::ContentUnreadable),
    row(
        "the disk is damaged",
        ErrorKind::Corrupt,
        Retry::Never,
        failures::disk_damaged,
        Some(failures::disk_damaged_hint),
    )
    .coded(FailureCode::DiskDamaged),
    row(
        "unsupported archive type",
        ErrorKind::Unsupported,
        Retry::Never,
        failures::no_such_archive,
        None,
    ),
    row(
        "path does not exist",
        ErrorKind::NotFound,
        Retry::Never,
        failures::path_not_found,
        None,
    )
    .coded(FailureCode::PathNotFound),
    row(
        "invalid path",
        ErrorKind::Invalid,
        Retry::Never,
        failures::path_refused,
        Some(failures::path_rule),
    )
    .coded(FailureCode::PathRefused),
    // Ahead of the system's own texts, which follow it: on their own they are about what was read.
    row(
        "cannot write to the repository",
        ErrorKind::Internal,
        Retry::Manual,
        failures::repository_write,
        Some(failures::repository_write_hint),
    )
    .coded(FailureCode::RepositoryWrite),
    row(
        "permission denied",
        ErrorKind::Internal,
        Retry::Never,
        failures::read_refused,
        None,
    ),
    row(
        "input/output error",
        ErrorKind::Corrupt,
        Retry::Manual,
        failures::read_failed,
        Some(failures::read_failed_hint),
    ),
    row(
        "too many downloads",
        ErrorKind::Full,
        Retry::AfterSeconds(10),
        failures::too_many_downloads,
        Some(failures::retry_when_finished),
    )
    .coded(FailureCode::TooManyDownloads),
    // Starting backups.
    row(
        "is already running",
        ErrorKind::Conflict,
        Retry::Manual,
        failures::backup_running,
        Some(failures::wait_until_done),
    )
    .coded(FailureCode::BackupRunning),
    row(
        "failed to create parent backup job",
        ErrorKind::Conflict,
        Retry::Manual,
        failures::backup_starting,
        Some(failures::check_backups_first),
    ),
    row(
        "verifying this backup is over and cannot be cancelled",
        ErrorKind::Conflict,
        Retry::Never,
        failures::verification_over,
        None,
    )
    .coded(FailureCode::VerificationOver),
    row(
        "was not verified since the hub was started",
        ErrorKind::NotFound,
        Retry::Never,
        failures::not_verified,
        None,
    )
    .coded(FailureCode::NotVerified),
    row(
        "this copy is over",
        ErrorKind::Conflict,
        Retry::Never,
        failures::copy_over,
        None,
    )
    .coded(FailureCode::CopyOver),
    row(
        "is over and cannot be cancelled",
        ErrorKind::Conflict,
        Retry::Never,
        failures::backup_over,
        None,
    )
    .coded(FailureCode::BackupOver),
    row(
        "not enough room in the repository",
        ErrorKind::Full,
        Retry::Manual,
        failures::no_room,
        Some(failures::make_room),
    )
    .coded(FailureCode::NoRoom),
    row(
        "the repository is full",
        ErrorKind::Full,
        Retry::Manual,
        failures::repository_full,
        Some(failures::make_room),
    )
    .coded(FailureCode::RepositoryFull),
    row(
        "there is nothing to verify",
        ErrorKind::Conflict,
        Retry::Never,
        failures::nothing_to_verify,
        None,
    )
    .coded(FailureCode::NothingToVerify),
    row(
        "could not be verified after it was written",
        ErrorKind::Corrupt,
        Retry::Manual,
        failures::not_proven,
        Some(failures::not_proven_hint),
    )
    .coded(FailureCode::NotProven),
    row(
        "no previous backup found",
        ErrorKind::NeedsFull,
        Retry::Manual,
        failures::nothing_to_build_on,
        Some(failures::run_full_first),
    )
    .coded(FailureCode::NoPreviousBackup),
    row(
        "backup chain not found",
        ErrorKind::NeedsFull,
        Retry::Manual,
        failures::full_backup_lost,
        Some(failures::run_full),
    ),
    row(
        "no parent backup found",
        ErrorKind::NeedsFull,
        Retry::Manual,
        failures::full_backup_lost,
        Some(failures::run_full),
    ),
    row(
        "parent backup not found",
        ErrorKind::NeedsFull,
        Retry::Manual,
        failures::full_backup_elsewhere,
        Some(failures::back_up_there),
    ),
    row(
        "no disks found for vm",
        ErrorKind::NotFound,
        Retry::Manual,
        failures::no_disks,
        Some(failures::discover_again),
    )
    .coded(FailureCode::NoDisks),
    row(
        "total_bytes must be greater than 0",
        ErrorKind::Unsupported,
        Retry::Never,
        failures::disk_too_small,
        None,
    ),
    row(
        "no available ports",
        ErrorKind::Full,
        Retry::Manual,
        failures::too_many_backups,
        Some(failures::wait_for_one),
    ),
    row(
        "missing credential_id",
        ErrorKind::Invalid,
        Retry::Manual,
        failures::no_credential,
        Some(failures::add_with_credential),
    ),
    row(
        "failed to get vmware credentials",
        ErrorKind::Invalid,
        Retry::Manual,
        failures::bad_credential,
        Some(failures::check_credential),
    ),
    row(
        "data too long",
        ErrorKind::Unsupported,
        Retry::Never,
        failures::name_too_long,
        Some(failures::name_too_long_hint),
    ),
    row(
        "failed to load credentials",
        ErrorKind::Invalid,
        Retry::Manual,
        failures::bad_vcenter_sign_in,
        Some(failures::check_vcenter_sign_in),
    ),
    row(
        "failed to call sna api",
        ErrorKind::Offline,
        Retry::Manual,
        failures::appliance_away,
        Some(failures::nothing_backed_up),
    ),
    row(
        "sna api error",
        ErrorKind::Internal,
        Retry::Manual,
        failures::appliance_refused,
        Some(failures::nothing_backed_up),
    ),
    row(
        "no repository lies in",
        ErrorKind::NotFound,
        Retry::Never,
        failures::no_repository_there,
        Some(failures::choose_repository_folder),
    )
    .coded(FailureCode::NoRepositoryThere),
    row(
        "second copy of it",
        ErrorKind::Conflict,
        Retry::Never,
        failures::repository_elsewhere,
        Some(failures::repository_elsewhere_hint),
    )
    .coded(FailureCode::RepositoryElsewhere),
    row(
        "a repository lies there already",
        ErrorKind::Conflict,
        Retry::Never,
        failures::repository_there,
        Some(failures::rescan_folder),
    )
    .coded(FailureCode::RepositoryThere),
    row(
        "or the other way round",
        ErrorKind::Conflict,
        Retry::Never,
        failures::repository_inside,
        Some(failures::choose_separate_folder),
    )
    .coded(FailureCode::RepositoryInside),
    row(
        "the first repository of a hub cannot be deleted",
        ErrorKind::Conflict,
        Retry::Never,
        failures::first_repository,
        Some(failures::first_repository_why),
    )
    .coded(FailureCode::FirstRepository),
    row(
        "invalid local repository config",
        ErrorKind::Invalid,
        Retry::Never,
        failures::repository_config,
        None,
    )
    .coded(FailureCode::RepositoryConfig),
    row(
        "is in that repository",
        ErrorKind::Conflict,
        Retry::Never,
        failures::copy_in_place,
        Some(failures::choose_another),
    )
    .coded(FailureCode::CopyInPlace),
    row(
        "is being copied there already",
        ErrorKind::Conflict,
        Retry::Never,
        failures::copy_running,
        None,
    )
    .coded(FailureCode::CopyRunning),
    row(
        "existing backups",
        ErrorKind::Conflict,
        Retry::Never,
        failures::repository_has_backups,
        Some(failures::delete_backups_first),
    )
    .coded(FailureCode::RepositoryHasBackups),
    row(
        "repository not found",
        ErrorKind::NotFound,
        Retry::Never,
        failures::repository_not_found,
        None,
    )
    .coded(FailureCode::RepositoryNotFound),
    row(
        "foreign key",
        ErrorKind::NotFound,
        Retry::Never,
        failures::repository_gone,
        None,
    ),
    row(
        "failed to prepare backup disk",
        ErrorKind::Internal,
        Retry::Manual,
        failures::image_not_created,
        Some(failures::image_not_created_hint),
    ),
    row(
        "hub is stopping",
        ErrorKind::Offline,
        Retry::AfterSeconds(10),
        failures::stopping,
        None,
    )
    .coded(FailureCode::Stopping),
    row(
        "duplicate entry",
        ErrorKind::Conflict,
        Retry::Never,
        failures::name_taken,
        None,
    )
    .coded(FailureCode::NameTaken),
    row(
        "not writable",
        ErrorKind::Forbidden,
        Retry::Manual,
        failures::folder_not_writable,
        None,
    )
    .coded(FailureCode::FolderNotWritable),
    // Finding VMs.
    row(
        "vm context not found",
        ErrorKind::NotFound,
        Retry::Never,
        failures::vm_not_found,
        Some(failures::discover_first),
    )
    .coded(FailureCode::VmNotFound),
    row(
        "vm discovery failed",
        ErrorKind::Internal,
        Retry::Manual,
        failures::discovery_failed,
        None,
    )
    .coded(FailureCode::DiscoveryFailed),
    row(
        "sna discovery failed",
        ErrorKind::Internal,
        Retry::Manual,
        failures::appliance_discovery_failed,
        None,
    ),
    row(
        "backup not found",
        ErrorKind::NotFound,
        Retry::Never,
        failures::backup_not_found,
        Some(failures::backup_not_found_why),
    )
    .coded(FailureCode::BackupNotFound),
    // What Go's router says to a path that it does not have.
    row(
        "404 page not found",
        ErrorKind::Unsupported,
        Retry::Never,
        failures::not_offered,
        None,
    ),
    row(
        "the hub has no such address",
        ErrorKind::Unsupported,
        Retry::Never,
        failures::not_offered,
        None,
    )
    .coded(FailureCode::UnknownAddress),
    // Full restores, which only our own hub has.
    row(
        "lies in the repository",
        ErrorKind::Invalid,
        Retry::Never,
        failures::target_refused,
        Some(failures::choose_another_folder),
    )
    .coded(FailureCode::TargetRefused),
    row(
        "exists already:",
        ErrorKind::Conflict,
        Retry::Never,
        failures::target_exists,
        Some(failures::target_exists_hint),
    )
    .coded(FailureCode::TargetExists),
    row(
        "another full restore is writing",
        ErrorKind::Conflict,
        Retry::Manual,
        failures::full_restore_running,
        Some(failures::wait_or_cancel),
    )
    .coded(FailureCode::FullRestoreRunning),
    row(
        "full restore not found",
        ErrorKind::NotFound,
        Retry::Never,
        failures::full_restore_unknown,
        None,
    )
    .coded(FailureCode::FullRestoreNotFound),
    row(
        "this full restore is over",
        ErrorKind::Conflict,
        Retry::Never,
        failures::full_restore_over,
        None,
    )
    .coded(FailureCode::FullRestoreOver),
    row(
        "cannot run from disks in the format",
        ErrorKind::Invalid,
        Retry::Never,
        failures::format_unsuited,
        Some(failures::format_unsuited_hint),
    )
    .coded(FailureCode::FormatUnsuited),
    row(
        "there is not enough room in",
        ErrorKind::Full,
        Retry::Manual,
        failures::target_no_room,
        Some(failures::target_no_room_hint),
    )
    .coded(FailureCode::TargetNoRoom),
    row(
        "restore again into the same folder to go on",
        ErrorKind::Full,
        Retry::Manual,
        failures::target_full,
        Some(failures::full_restore_resumes),
    )
    .coded(FailureCode::TargetFull),
    row(
        "cannot write",
        ErrorKind::Forbidden,
        Retry::Manual,
        failures::target_write,
        Some(failures::full_restore_resumes),
    )
    .coded(FailureCode::TargetWrite),
    row(
        "nothing was restored; verify the backup",
        ErrorKind::Corrupt,
        Retry::Never,
        failures::backup_damaged,
        Some(failures::backup_damaged_hint),
    )
    .coded(FailureCode::BackupDamaged),
];
