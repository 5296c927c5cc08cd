//! The table of commands: everything the window can ask the shell.
//!
//! This is the only definition of that interface. The window's typed calls ([`Command`]), the shell's list of handlers
//! ([`for_each_command!`](crate::for_each_command)) and the names that each get a permission ([`COMMANDS`]) come from
//! it. A command without a function does not build; one not named in the capability file is denied.
//!
//! A new command takes three steps: its request and a line here, its function in the shell, and its permission in the
//! capability file.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    About, AddedVms, Backup, BackupId, BackupProgress, BackupType, Chain, ChosenFolder,
    DiscoveredVm, Download, DownloadId, FolderFormat, FolderSize, FullRestore, FullRestoreId,
    FullRestoreOrder, FullRestorePlan, HubCheck, HubId, IncrementalBases, Listing, MountId,
    MountSlots, OnConflict, OpenMount, RecentBackups, Repository, RepositoryId, RepositoryPlace,
    RepositoryTest, Rescan, Retention, RetentionPoint, RetentionPolicy, Secret, Session, Settings,
    StartedBackup, Trust, VcenterCredential, Vm, VmDisk, VmHistory, VmId, VmProtection, VmSource,
    VmSummary,
};

/// A request with a name and an answer.
pub trait Command: Serialize {
    /// The name it has on the way to the shell.
    const NAME: &'static str;
    /// What comes back.
    type Reply: DeserializeOwned;
}

/// The answer to a request, for signatures in the shell.
pub type Reply<C> = <C as Command>::Reply;

macro_rules! commands {
    // The dollar sign has to be handed in, because a macro cannot write one for the macro it makes.
    ($dollar:tt $($(#[$doc:meta])* $name:ident($request:ident) -> $reply:ty;)*) => {
        $(
            impl Command for $request {
                const NAME: &'static str = stringify!($name);
                type Reply = $reply;
            }
        )*

        /// The names of all commands.
        pub const COMMANDS: &[&str] = &[$(stringify!($name)),*];

        /// Hands the names of all commands to a macro of the caller.
        ///
        /// A caller that has no function for one of them does not build:
        ///
        /// ```compile_fail,E0425
        /// mod commands {
        ///     pub fn list_vms() {} // and none of the others
        /// }
        /// macro_rules! call_all {
        ///     ($($command:ident),*) => { $(commands::$command();)* };
        /// }
        /// sendense_types::for_each_command!(call_all);
        /// ```
        #[macro_export]
        macro_rules! for_each_command {
            ($dollar visit:ident) => { $dollar visit! { $($name),* } };
        }
    };
}

commands! { $
    // The hub
    get_session(GetSession) -> Session;
    test_hub(TestHub) -> HubCheck;
    add_hub(AddHub) -> Session;
    choose_ca_file(ChooseCaFile) -> Option<Trust>;
    trust_hub(TrustHub) -> Session;
    connect_hub(ConnectHub) -> Session;
    sign_in(SignIn) -> Session;
    sign_out(SignOut) -> Session;
    remove_hub(RemoveHub) -> Session;
    // VMs
    list_vms(ListVms) -> Vec<Vm>;
    list_vm_protection(ListVmProtection) -> Vec<VmProtection>;
    get_vm(GetVm) -> Vm;
    get_vm_summary(GetVmSummary) -> VmSummary;
    list_vm_disks(ListVmDisks) -> Vec<VmDisk>;
    choose_folder_of_images(ChooseFolderOfImages) -> Option<String>;
    list_vcenter_credentials(ListVcenterCredentials) -> Vec<VcenterCredential>;
    discover_vms(DiscoverVms) -> Vec<DiscoveredVm>;
    cancel_discovery(CancelDiscovery) -> ();
    add_vms(AddVms) -> AddedVms;
    add_sample_vm(AddSampleVm) -> AddedVms;
    // Backups
    start_backup(StartBackup) -> StartedBackup;
    cancel_backup(CancelBackup) -> ();
    list_running_backups(ListRunningBackups) -> Vec<BackupProgress>;
    list_recent_backups(ListRecentBackups) -> RecentBackups;
    list_backups(ListBackups) -> VmHistory;
    get_incremental_bases(GetIncrementalBases) -> IncrementalBases;
    get_backup(GetBackup) -> Backup;
    get_chain(GetChain) -> Chain;
    verify_backup(VerifyBackup) -> ();
    cancel_verification(CancelVerification) -> ();
    pin_backup(PinBackup) -> ();
    delete_backup(DeleteBackup) -> Vec<BackupId>;
    get_retention(GetRetention) -> Retention;
    set_retention(SetRetention) -> Retention;
    preview_retention(PreviewRetention) -> Vec<RetentionPoint>;
    run_retention(RunRetention) -> Vec<RetentionPoint>;
    copy_backup(CopyBackup) -> ();
    cancel_copy(CancelCopy) -> ();
    // Repositories
    list_repositories(ListRepositories) -> Vec<Repository>;
    choose_repository_folder(ChooseRepositoryFolder) -> Option<ChosenFolder>;
    add_repository(AddRepository) -> Repository;
    test_new_repository(TestNewRepository) -> RepositoryTest;
    add_remote_repository(AddRemoteRepository) -> Repository;
    test_repository(TestRepository) -> RepositoryTest;
    delete_repository(DeleteRepository) -> ();
    find_backups(FindBackups) -> Option<Rescan>;
    // Open mounts and their files
    list_mounts(ListMounts) -> Vec<OpenMount>;
    get_mount_slots(GetMountSlots) -> Option<MountSlots>;
    open_mount(OpenBackupDisk) -> OpenMount;
    keep_mount_open(KeepMountOpen) -> OpenMount;
    remount(Remount) -> OpenMount;
    close_mount(CloseMount) -> ();
    browse_folder(BrowseFolder) -> ();
    list_files(ListFiles) -> Listing;
    measure_folders(MeasureFolders) -> FolderSize;
    // Downloads
    save_file(SaveFile) -> Option<Download>;
    save_items(SaveItems) -> Vec<Download>;
    save_folder(SaveFolder) -> Option<Download>;
    list_full_restores(ListFullRestores) -> Option<Vec<FullRestore>>;
    choose_restore_folder(ChooseRestoreFolder) -> Option<String>;
    plan_full_restore(PlanFullRestore) -> FullRestorePlan;
    start_full_restore(StartFullRestore) -> FullRestore;
    cancel_full_restore(CancelFullRestore) -> ();
    show_full_restore(ShowFullRestore) -> ();
    list_downloads(ListDownloads) -> Vec<Download>;
    cancel_download(CancelDownload) -> ();
    pause_download(PauseDownload) -> ();
    retry_download(RetryDownload) -> Download;
    decide_download(DecideDownload) -> ();
    retry_failed_files(RetryFailedFiles) -> Vec<Download>;
    forget_download(ForgetDownload) -> ();
    open_download(OpenDownload) -> ();
    show_download(ShowDownload) -> ();
    // The app
    get_settings(GetSettings) -> Settings;
    save_settings(SaveSettings) -> Settings;
    choose_download_folder(ChooseDownloadFolder) -> Settings;
    forget_download_folder(ForgetDownloadFolder) -> Settings;
    get_about(GetAbout) -> About;
    get_diagnostics(GetDiagnostics) -> String;
    show_log_folder(ShowLogFolder) -> ();
    quit(Quit) -> ();
}

/// Saved hubs, the current one and how we stand with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetSession {}

/// Looks at an address without saving it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestHub {
    /// Address as it was typed.
    pub address: String,
    /// How its certificate is trusted.
    pub trust: Trust,
}

/// Saves a hub and connects to it. Nothing is saved when that fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddHub {
    /// The name it gets in the list; the address where it is empty.
    pub name: String,
    /// Address as it was typed.
    pub address: String,
    /// How its certificate is trusted.
    pub trust: Trust,
    /// What lets us in.
    pub credentials: Credentials,
}

/// Lets the user choose, in the system's dialog, a file of CA certificates, and reads it. `None` when they think better
/// of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChooseCaFile {}

/// Trusts the certificate of a saved hub in another way, because the user has decided so, and connects to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrustHub {
    /// One of the saved hubs.
    pub hub_id: HubId,
    /// How from now on.
    pub trust: Trust,
}

/// What lets somebody in at a hub (contract 8.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Credentials {
    /// Nothing: the hub wants no sign-in.
    None,
    /// A name and a password.
    Password {
        /// Who; empty on hubs without sign-in.
        username: String,
        /// The password; used once and kept nowhere.
        password: Secret,
    },
    /// The token of an appliance; kept in the keychain, because a hub that restarts wants it again.
    Appliance {
        /// The secret.
        token: Secret,
    },
    /// A bearer token that somebody else issued; kept in the keychain and used as it is.
    Bearer {
        /// The secret.
        token: Secret,
    },
}

/// Makes a saved hub the current one and connects to it, with the token that is kept for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectHub {
    /// One of the saved hubs.
    pub hub_id: HubId,
}

/// Signs in (again) at the current hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignIn {
    /// What lets us in.
    pub credentials: Credentials,
}

/// Forgets the token of the current hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignOut {}

/// Forgets a hub and its token. This computer cannot be removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoveHub {
    /// One of the saved hubs.
    pub hub_id: HubId,
}

/// All VMs of the hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListVms {}

/// How well all VMs are protected, as far as the hub says in one answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListVmProtection {}

/// One VM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetVm {
    /// Which one.
    pub vm_id: VmId,
}

/// What the list of VMs shows about one of them beside its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetVmSummary {
    /// The whole VM, because hubs key some answers by name.
    pub vm: Vm,
}

/// The disks of a VM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListVmDisks {
    /// The VM.
    pub vm: Vm,
}

/// Keeps a recovery point from being deleted, or no longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PinBackup {
    /// Which one.
    pub backup_id: BackupId,
    /// Whether it is kept.
    pub is_pinned: bool,
}

/// Deletes a backup for good; answers with all that is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeleteBackup {
    /// Which one.
    pub backup_id: BackupId,
    /// Also those that cannot be restored without it.
    pub with_dependents: bool,
}

/// How many recovery points of a VM are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetRetention {
    /// The VM.
    pub vm: Vm,
}

/// Decides how many recovery points of a VM are kept from now on. Nothing is deleted before the next
/// backup, or before [`RunRetention`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetRetention {
    /// The VM.
    pub vm: Vm,
    /// `None`: all of them.
    pub policy: Option<RetentionPolicy>,
}

/// What retention would do with each recovery point of a VM under these rules. Changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewRetention {
    /// The VM.
    pub vm: Vm,
    /// The rules.
    pub policy: RetentionPolicy,
}

/// Deletes the recovery points of a VM that the rules do not keep; answers when it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRetention {
    /// The VM.
    pub vm: Vm,
}

/// Lets the user choose, in the system's dialog, a folder to look for disk images in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChooseFolderOfImages {}

/// The sign-ins for vCenters that the hub keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListVcenterCredentials {}

/// Looks for VMs. Adds nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscoverVms {
    /// Where.
    pub source: VmSource,
}

/// Ends looking for VMs: [`DiscoverVms`] answers that it was cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelDiscovery {}

/// Adds VMs that discovery found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddVms {
    /// Where they were found.
    pub source: VmSource,
    /// Their names.
    pub names: Vec<String>,
}

/// Unpacks the sample VM that comes with the app and adds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddSampleVm {}

/// Places where backups go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListRepositories {}

/// Lets the user choose, in the system's dialog, a folder for a new repository. The shell keeps which one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChooseRepositoryFolder {}

/// Makes the folder that was chosen last a repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddRepository {
    /// What it is called.
    pub name: String,
}

/// Tries whether backups could go to a place of a hub elsewhere; refused for the hub of this computer, whose folders
/// the window does not name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestNewRepository {
    /// Which place.
    pub place: RepositoryPlace,
}

/// Makes a place of a hub elsewhere a repository; refused as [`TestNewRepository`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddRemoteRepository {
    /// What it is called.
    pub name: String,
    /// Where it keeps its backups.
    pub place: RepositoryPlace,
}

/// Tries whether backups can go to a repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestRepository {
    /// Which one.
    pub repository_id: RepositoryId,
}

/// Gives up a repository without backups; its folder stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeleteRepository {
    /// Which one.
    pub repository_id: RepositoryId,
}

/// Lets the user choose, in the system's dialog, a folder of backups, and takes what is in it on record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindBackups {}

/// Copies a recovery point with all it builds on to another repository. How far that is comes as events,
/// because it outlasts the page; the answer comes when it is there and verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyBackup {
    /// Which one.
    pub backup_id: BackupId,
    /// Where to.
    pub repository_id: RepositoryId,
}

/// Ends a copy that is being made. What is copied stays for the next one, which goes on from there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelCopy {
    /// What is being copied.
    pub backup_id: BackupId,
    /// Where to.
    pub repository_id: RepositoryId,
}

/// Starts a backup of all disks of a VM; its progress comes as events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartBackup {
    /// The VM.
    pub vm: Vm,
    /// Full or incremental.
    pub backup_type: BackupType,
    /// Where to.
    pub repository_id: RepositoryId,
    /// Have it read back before it counts as completed, on hubs that can.
    pub verify: bool,
}

/// Stops a running backup; nothing of it stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelBackup {
    /// Which one.
    pub backup_id: BackupId,
}

/// Backups that are watched now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListRunningBackups {}

/// The newest backups of all VMs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListRecentBackups {}

/// Backups of a VM in all repositories, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListBackups {
    /// The VM.
    pub vm: Vm,
}

/// What incremental backups of a VM would build on, in each repository that holds recovery points of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetIncrementalBases {
    /// The VM.
    pub vm: Vm,
}

/// One backup with its disks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetBackup {
    /// Which one.
    pub backup_id: BackupId,
}

/// The recovery points of a VM in one repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetChain {
    /// The VM.
    pub vm: Vm,
    /// The repository.
    pub repository_id: RepositoryId,
}

/// Checks that a backup still holds what was backed up, where the hub can. How far that is and what it
/// finds comes as events, because it outlasts the page; the answer comes when it is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifyBackup {
    /// Which one.
    pub backup_id: BackupId,
}

/// Ends the verification of a backup; that it is over comes as an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelVerification {
    /// Which one.
    pub backup_id: BackupId,
}

/// All open mounts of the hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListMounts {}

/// How many disks the hub has open, of how many that it can; `None` on hubs that do not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetMountSlots {}

/// Mounts a disk of a backup, or answers the mount that is open already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenBackupDisk {
    /// The backup.
    pub backup_id: BackupId,
    /// The disk within it.
    pub disk_index: u32,
}

/// Asks the hub for more time, where it gives any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeepMountOpen {
    /// The mount.
    pub mount_id: MountId,
}

/// Mounts again what an expired mount showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remount {
    /// The mount that is gone.
    pub mount_id: MountId,
}

/// Unmounts. Refused while a download runs from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloseMount {
    /// The mount.
    pub mount_id: MountId,
}

/// Tells the core that a person looks at this folder, so that the mount is kept open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrowseFolder {
    /// The mount.
    pub mount_id: MountId,
    /// The folder; `None` when the browser is left.
    pub path: Option<String>,
}

/// The entries of a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListFiles {
    /// The mount.
    pub mount_id: MountId,
    /// The folder, as the hub names it.
    pub path: String,
}

/// How much is in folders and everything below, and what of it will not arrive as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureFolders {
    /// The mount.
    pub mount_id: MountId,
    /// The folders, as the hub names them.
    pub paths: Vec<String>,
    /// What they will be saved as.
    pub format: FolderFormat,
}

/// Saves one file. The user chooses where, in the system's dialog; `None` when they think better of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaveFile {
    /// The mount.
    pub mount_id: MountId,
    /// The file, as the hub names it.
    pub path: String,
    /// Its name for the eye, from which the suggested name is made.
    pub name: String,
}

/// Saves several files and folders into a folder that the user chooses; empty when they think better of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaveItems {
    /// The mount.
    pub mount_id: MountId,
    /// What is saved.
    pub items: Vec<SaveItem>,
    /// What becomes of folders.
    pub format: FolderFormat,
}

/// A file or folder to be saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaveItem {
    /// Its path, as the hub names it.
    pub path: String,
    /// Its name for the eye, from which that on this computer is made.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Of a file, its size in bytes, as its folder says.
    pub size_bytes: Option<u64>,
    /// When it was changed last, as its folder says, in milliseconds since 1970 (UTC): the window writes no times as
    /// text.
    pub modified_ms: Option<i64>,
}

/// Saves a folder. The user chooses where; `None` when they think better of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaveFolder {
    /// The mount.
    pub mount_id: MountId,
    /// The folder, as the hub names it.
    pub path: String,
    /// Its name for the eye, from which the suggested name is made.
    pub name: String,
    /// What becomes of it.
    pub format: FolderFormat,
}

/// Full restores that the hub has on record, newest first; `None` where it does not offer them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListFullRestores {}

/// Lets the user choose the folder of this computer that a full restore writes to; `None` when they think better of it.
/// The shell keeps it for the next one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChooseRestoreFolder {}

/// Finds out what a full restore would write. On the hub of this computer the folder is the one that was chosen last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanFullRestore {
    /// What is asked for.
    pub order: FullRestoreOrder,
}

/// Begins a full restore. On the hub of this computer the folder is the one that was chosen last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartFullRestore {
    /// What is asked for.
    pub order: FullRestoreOrder,
}

/// Ends a full restore; what it has written is removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelFullRestore {
    /// Which one.
    pub restore_id: FullRestoreId,
}

/// Shows what a full restore has written on this computer, in the system's file manager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShowFullRestore {
    /// Which one.
    pub restore_id: FullRestoreId,
}

/// All downloads since the app was started, and those that were not done then, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListDownloads {}

/// Stops a download; nothing of it stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelDownload {
    /// Which one.
    pub download_id: DownloadId,
}

/// Stops a download to be gone on with; what has arrived of a file stays, where its hub can send the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PauseDownload {
    /// Which one.
    pub download_id: DownloadId,
}

/// Starts a download that failed, was paused or was stopped again, to the same place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryDownload {
    /// Which one.
    pub download_id: DownloadId,
}

/// Says what to do with a download whose name is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecideDownload {
    /// Which one.
    pub download_id: DownloadId,
    /// What to do.
    pub decision: OnConflict,
    /// The same with all others that wait for this; a folder is replaced by nothing, and waits on.
    pub for_all: bool,
}

/// Asks again for the files of a saved folder that could not be had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryFailedFiles {
    /// The download of the folder.
    pub download_id: DownloadId,
}

/// Takes a download that is over off the list. The file stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForgetDownload {
    /// Which one.
    pub download_id: DownloadId,
}

/// Opens a saved file with the program the system has for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenDownload {
    /// Which one.
    pub download_id: DownloadId,
}

/// Shows a saved file in the system's file manager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShowDownload {
    /// Which one.
    pub download_id: DownloadId,
}

/// The settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetSettings {}

/// Replaces the settings. The download folder stays what it is: it is chosen in the system's dialog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaveSettings {
    /// All of them.
    pub settings: Settings,
}

/// Lets the user choose the folder that downloads go to without asking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChooseDownloadFolder {}

/// Asks for a place for every download again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForgetDownloadFolder {}

/// What this app is and where it keeps things.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetAbout {}

/// What a supporter needs to know, as text to copy; without secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetDiagnostics {}

/// Shows the folder of the log files in the system's file manager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShowLogFolder {}

/// Ends the app; asks first when work would be lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quit {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_name_of_its_own() {
        let mut names = COMMANDS.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COMMANDS.len());
        assert!(COMMANDS.contains(&"save_file"));
        assert_eq!(<ListFiles as Command>::NAME, "list_files");
    }

    /// Contract H34.
    #[test]
    fn passwords_and_tokens_are_not_logged() {
        let secret = || Secret::new("correct horse");
        for credentials in [
            Credentials::Password {
                username: "operator".to_owned(),
                password: secret(),
            },
            Credentials::Appliance { token: secret() },
            Credentials::Bearer { token: secret() },
        ] {
            let logged = format!("{:?}", SignIn { credentials });
            assert!(!logged.contains("horse"), "{logged}");
        }
    }
}
