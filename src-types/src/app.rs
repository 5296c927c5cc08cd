//! What the app itself knows: hubs, settings, VMs and how well they are protected, open mounts, downloads.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AppError, Backup, BackupId, BackupType, MountId, RepositoryTest, Trust, VmDisk, VmId};

/// Names one of the saved hubs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HubId(pub String);

impl HubId {
    /// The hub inside the app.
    pub fn this_computer() -> Self {
        Self("this-computer".to_owned())
    }
}

/// A hub that the app remembers. Its token is in the system's keychain, not here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedHub {
    /// Stays the same as long as it is saved.
    pub id: HubId,
    /// What the user calls it.
    pub name: String,
    /// `http://host:port`; `None` for this computer, whose address changes with every start.
    pub address: Option<String>,
    /// Who signed in last; `None` on hubs without sign-in and with a token.
    pub username: Option<String>,
    /// With what.
    #[serde(default)]
    pub sign_in: SignInKind,
    /// How its certificate is trusted, where it has one.
    #[serde(default)]
    pub trust: Trust,
}

/// What a hub wants from whoever signs in (contract 8.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInKind {
    /// Nothing.
    None,
    /// A name and a password.
    #[default]
    Password,
    /// The token of an appliance, for which a deployed hub gives its session token.
    Appliance,
    /// A bearer token that somebody else issued.
    Bearer,
}

impl SavedHub {
    /// The hub inside the app.
    pub fn is_this_computer(&self) -> bool {
        self.address.is_none()
    }
}

/// Saved hubs, the current one and how we stand with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// This computer first.
    pub hubs: Vec<SavedHub>,
    /// The one that everything else is asked of.
    pub current: HubId,
    /// How we stand with it.
    pub state: SessionState,
    /// Where tokens are kept.
    pub keychain: Keychain,
    /// Whether others on the network can read what is sent to the current hub: another computer, and no encryption.
    #[serde(default)]
    pub is_readable_on_the_way: bool,
}

impl Session {
    /// The current hub.
    pub fn current_hub(&self) -> Option<&SavedHub> {
        self.hubs.iter().find(|hub| hub.id == self.current)
    }
}

/// How we stand with the current hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// It is being asked; with `None` for the first time.
    Connecting,
    /// It answers, and we may use it.
    Connected,
    /// It answers, but wants somebody to sign in (again).
    SignedOut {
        /// Why the last token or password was not good, where there was one.
        error: Option<AppError>,
    },
    /// It does not answer; it is asked again by and by.
    Offline {
        /// Why.
        error: AppError,
    },
}

/// Where tokens are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keychain {
    /// In the system's keychain.
    System,
    /// This system has no keychain that answers: in memory, until the app ends.
    MemoryOnly,
}

/// What a look at an address found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HubCheck {
    /// The address as it would be saved.
    pub address: String,
    /// Whether it wants somebody to sign in.
    pub needs_sign_in: bool,
}

/// What the list of VMs shows about one of them beside its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmSummary {
    /// Its disks, in backup order.
    pub disks: Vec<VmDisk>,
    /// How well it is protected.
    pub state: VmState,
    /// Its newest backup that can be gone back to.
    pub latest_good: Option<Backup>,
    /// Its newest backup, whatever came of it.
    pub latest: Option<Backup>,
}

impl VmSummary {
    /// All its disks together, in bytes; `None` where the hub does not say.
    pub fn size_bytes(&self) -> Option<u64> {
        let sizes = self.disks.iter().map(VmDisk::size_bytes);
        sizes.sum::<Option<u64>>()
    }

    /// Whether the hub has rounded that size.
    pub fn is_rounded(&self) -> bool {
        self.disks.iter().any(VmDisk::is_rounded)
    }
}

/// A folder of this computer that was chosen for a new repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChosenFolder {
    /// Where it is.
    pub path: String,
    /// Whether it can be one.
    pub test: RepositoryTest,
}

/// How well a VM is protected, from one look at the backups of all VMs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmProtection {
    /// The VM.
    pub vm_id: VmId,
    /// How well.
    pub state: VmState,
    /// When its newest backup was taken that can be gone back to.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub latest_good: Option<Timestamp>,
}

/// How well a VM is protected, in the app's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VmState {
    /// There is no backup of it.
    NeverBackedUp,
    /// Its newest backup is good.
    Protected,
    /// A backup of it is running.
    Running,
    /// Its newest backup failed; older ones may be good.
    LastBackupFailed,
    /// Verifying found its newest backup damaged; older ones may be good.
    LastBackupDamaged,
    /// The hub calls its newest backup completed, and not all disks of it are known to be.
    LastBackupUnconfirmed,
    /// The hub could not be asked about this one.
    Unknown,
}

/// An open mount, with what the core knows beyond the hub's list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenMount {
    /// What the hub calls it.
    pub mount_id: MountId,
    /// The backup it is of, where the core opened it or the hub says.
    pub backup_id: Option<BackupId>,
    /// The disk within the backup, as above.
    pub disk_index: Option<u32>,
    /// The hub's own number of that disk, which says nothing else to anybody.
    pub backup_disk_id: Option<u64>,
    /// The VM, as above.
    pub vm_id: Option<VmId>,
    /// Its name, as above.
    pub vm_name: Option<String>,
    /// When the backup was taken, as above.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub backup_time: Option<Timestamp>,
    /// Full or incremental, as above.
    pub backup_type: Option<BackupType>,
    /// Type of the filesystem, as a hint only (contract D61).
    pub filesystem_type: Option<String>,
    /// When it ends by this computer's clock; the hub's clock may differ.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub expires_at: Option<Timestamp>,
    /// Whether the hub gives more time to a mount that is used.
    pub expiry: Expiry,
    /// Whether it can be browsed.
    pub is_open: bool,
    /// Who opened it, and so who closes it.
    pub opened_by: Opener,
    /// The folder that was looked at last.
    pub folder: String,
}

impl OpenMount {
    /// Whether it belongs to somebody else, and is left alone.
    pub fn is_somebody_elses(&self) -> bool {
        self.opened_by == Opener::SomebodyElse
    }
}

/// Who opened a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opener {
    /// The window of this computer, which closes it when it is no longer needed.
    Window,
    /// The terminal of this computer; nobody but its user knows when it is no longer needed.
    Terminal,
    /// Another computer, or nobody knows who.
    SomebodyElse,
}

/// How a hub ends its mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// Not seen yet.
    Unknown,
    /// So long after its last use (documented hubs).
    Idle,
    /// At a fixed time, whatever happens (deployed hubs): remount before or after.
    Fixed,
}

/// Names a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DownloadId(pub u32);

/// A file or folder on its way onto this computer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Download {
    /// What it is called by.
    pub download_id: DownloadId,
    /// The name it is saved under.
    pub name: String,
    /// The folder it is saved in.
    pub folder: String,
    /// The mount it comes from.
    pub mount_id: MountId,
    /// Where it lies on that mount.
    pub path: String,
    /// The VM it comes from, where that is known.
    pub vm_name: Option<String>,
    /// A file, or a folder and what becomes of it.
    pub kind: DownloadKind,
    /// Its size in bytes, as its folder says.
    pub size_bytes: Option<u64>,
    /// When it was changed last, as its folder says.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub modified_time: Option<Timestamp>,
    /// Where it stands.
    pub state: DownloadState,
    /// How far it is, or was when it ended.
    pub progress: Option<DownloadProgress>,
}

/// How far a download is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DownloadProgress {
    /// Bytes on disk so far.
    pub received_bytes: u64,
    /// Bytes in all; archives come without (contract D51).
    pub total_bytes: Option<u64>,
    /// Bytes per second over the last samples; `None` until that is stable.
    pub speed_bps: Option<u64>,
    /// Seconds left; `None` until that is stable.
    pub eta_seconds: Option<u64>,
}

/// What is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadKind {
    /// One file, as it is.
    File,
    /// A folder, and what becomes of it.
    Folder(FolderFormat),
}

/// What a folder is saved as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FolderFormat {
    /// A folder with its files and folders.
    #[default]
    Files,
    /// A zip archive, which opens everywhere.
    Zip,
    /// A tar archive, compressed with gzip, which keeps names, links and permissions as they are.
    TarGz,
}

impl FolderFormat {
    /// What the name of a folder saved so ends with.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Files => "",
            Self::Zip => ".zip",
            Self::TarGz => ".tar.gz",
        }
    }
}

/// Where a download stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadState {
    /// Others come first.
    Queued,
    /// It is under way.
    Running,
    /// It is on the disk, whole and checked.
    Done {
        /// Its size in bytes.
        size_bytes: u64,
        /// Of a folder, files in it.
        n_files: Option<usize>,
        /// What is missing, is not as it was, or could not be checked, in words.
        notes: Vec<String>,
        /// Files of a folder that could not be had and may be asked for again.
        n_failed: usize,
    },
    /// Its name is taken, and it waits until somebody says what to do.
    Taken {
        /// What is there.
        there: Occupant,
    },
    /// It ended early. What has arrived of a file may still be on the disk, to be gone on with.
    Failed {
        /// Why.
        error: AppError,
    },
    /// It is stopped until somebody goes on with it, as all that were not done when the app was started are.
    Paused,
    /// The user stopped it; nothing of it is on the disk.
    Cancelled,
}

/// What lies under a name that a download wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occupant {
    /// A file that takes its place replaces it; a folder is replaced by nothing.
    pub may_be_replaced: bool,
    /// Its size in bytes; `None` for what is no file.
    pub size_bytes: Option<u64>,
    /// When it was changed last.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub modified_time: Option<Timestamp>,
}

/// What to do with a download whose name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// It takes the place of what is there, once it is complete.
    Replace,
    /// It gets a name that is free.
    KeepBoth,
    /// It is not saved.
    Skip,
}

impl DownloadState {
    /// It will not change any more by itself.
    pub fn is_over(&self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// How much is in folders and everything below.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderSize {
    /// Bytes in all their files.
    pub size_bytes: u64,
    /// Number of their files.
    pub n_files: u64,
    /// What of it will not arrive, or not as it is, in sentences.
    pub warnings: Vec<String>,
}

/// What the user has decided about the app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light, dark, or as the system is.
    pub theme: Theme,
    /// Units that sizes are shown in.
    pub units: Units,
    /// Downloads go there without asking; `None` asks each time. Chosen in the system's dialog only.
    pub download_folder: Option<String>,
    /// A notification when a backup has finished well.
    pub notify_success: bool,
    /// A notification when a backup has failed.
    pub notify_failure: bool,
    /// Closing the window while work runs leaves the app in the tray.
    pub close_to_tray: bool,
    /// Mounts are kept open while somebody browses them.
    pub keep_mounts_open: bool,
    /// Leaving the file browser unmounts, once its downloads are done.
    pub unmount_on_close: bool,
    /// Machines as a table, not as cards.
    pub vms_as_table: bool,
    /// What folders are saved as.
    pub folder_format: FolderFormat,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: Theme::System,
            units: Units::Binary,
            download_folder: None,
            notify_success: true,
            notify_failure: true,
            close_to_tray: true,
            keep_mounts_open: true,
            unmount_on_close: true,
            vms_as_table: true,
            folder_format: FolderFormat::Files,
        }
    }
}

/// Light, dark, or as the system is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the system is.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// Units that sizes are shown in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Units {
    /// KiB, MiB, GiB: steps of 1024.
    #[default]
    Binary,
    /// kB, MB, GB: steps of 1000.
    Decimal,
}

/// What this app is and where it keeps things.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The app's version.
    pub version: String,
    /// Where the hub of this computer keeps database and backups.
    pub data_folder: String,
    /// Where the log files are.
    pub log_folder: String,
}
