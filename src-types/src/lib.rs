//! The words that hub, core, app and terminal share: VMs, backups, mounts, files,
//! and the one error type and the one event type that reach a user.
//!
//! The crate contains only serde types, without I/O, so that it builds for WebAssembly. Field names are those of the
//! hub's REST contract (`backup_id`, `mount_id`, …), because the terminal prints these types as JSON. What hubs really
//! send is decoded in `sendense-core` (two dialects); the local hub builds its own answers in `sendense-hub`.
//!
//! Units: sizes are in bytes unless a name says otherwise (`size_gb`, `memory_mb`), times in UTC.

mod address;
mod app;
mod backup;
pub mod commands;
mod error;
mod event;
mod failure;
mod full_restore;
mod ids;
mod repository;
mod restore;
mod secret;
mod size;
mod time;
mod trust;
mod vm;

pub use address::{is_loopback, is_readable_on_the_way};
pub use app::{
    About, ChosenFolder, Download, DownloadId, DownloadKind, DownloadProgress, DownloadState,
    Expiry, FolderFormat, FolderSize, HubCheck, HubId, Keychain, Occupant, OnConflict, OpenMount,
    Opener, SavedHub, Session, SessionState, Settings, SignInKind, Theme, Units, VmProtection,
    VmState, VmSummary,
};
pub use backup::{
    Backup, BackupDisk, BackupStatus, BackupType, Chain, ChainLink, IncrementalBase,
    IncrementalBases, RecentBackups, Retention, RetentionAction, RetentionPoint, RetentionPolicy,
    RetentionStatus, StartedBackup, StartedDisk, Verification, VerificationStatus, VmHistory,
};
pub use error::{AppError, ErrorKind, Retry};
pub use event::{AppEvent, BackupProgress, Place};
pub use failure::FailureCode;
pub use full_restore::{
    FullRestore, FullRestoreOrder, FullRestorePlan, FullRestoreStatus, ImageFormat,
    MachineDefinition,
};
pub use ids::{BackupId, FullRestoreId, LiveMachineId, MountId, RepositoryId, VmId};
pub use repository::{
    BackupCopy, CopyStatus, Mounting, Repository, RepositoryPlace, RepositoryProblem,
    RepositoryTest, Rescan, Tried,
};
pub use restore::{
    FileEntry, FileKind, FileStream, Launcher, Listing, LiveMachine, Mount, MountSlots,
    MountStatus, NbdExport,
};
pub use secret::Secret;
pub use size::ByteSize;
pub use trust::{Certificate, CertificateProblem, Fingerprint, Trust};
pub use vm::{
    AddedVms, DiscoveredDisk, DiscoveredVm, LeftOut, VcenterCredential, Vm, VmDisk, VmSource,
};
