//! What can be asked for on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use sendense_types::{Fingerprint, FolderFormat, ImageFormat, MachineDefinition};
use sendense_words as words;

/// Back up VMs and restore single files.
#[derive(Debug, Parser)]
#[command(name = "sendense", version, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Without --hub, the command uses the hub that runs on the data directory, or else starts one for itself. The hubs that
\"sendense hub add\" saves are those of the window, and the other way round: --hub takes their names, and what was
signed in to is kept in the system's keychain.

Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 not found, 4 sign-in refused or certificate not trusted,
5 hub not reached, 6 something else is in the way, 7 no free space, 130 stopped by Ctrl-C.";

/// Options of all commands.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    #[arg(
        long,
        global = true,
        value_name = "HUB",
        env = "SENDENSE_HUB",
        help = "Name of a saved hub, or address of any, such as http://backup.example.com:8082"
    )]
    pub(crate) hub: Option<String>,
    /// Data directory of the hub on this computer.
    #[arg(long, global = true, value_name = "DIR", env = "SENDENSE_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// User to sign in as; prompts for the password unless it comes from standard input.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Read the password from standard input.
    #[arg(long, global = true, requires = "user")]
    pub(crate) password_stdin: bool,
    /// Use a bearer token, read from standard input; prompts for it on a terminal.
    #[arg(long, global = true, conflicts_with_all = ["user", "password_stdin"])]
    pub(crate) token_stdin: bool,
    /// Sign in with the token of an appliance, read from standard input; prompts for it on a terminal.
    #[arg(long, global = true, conflicts_with_all = ["user", "password_stdin", "token_stdin"])]
    pub(crate) appliance_token_stdin: bool,
    /// Trust only the hub's certificate with this SHA-256 fingerprint, whatever its name and dates are.
    #[arg(
        long,
        global = true,
        value_name = "SHA256",
        env = "SENDENSE_FINGERPRINT",
        value_parser = fingerprint
    )]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Trust a certificate of the hub only if a CA in this PEM file issued it.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SENDENSE_CA",
        conflicts_with = "fingerprint"
    )]
    pub(crate) ca: Option<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

fn fingerprint(text: &str) -> Result<Fingerprint, &'static str> {
    Fingerprint::parse(text).ok_or_else(words::terminal::bad_fingerprint)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a hub on this computer, and save others.
    #[command(subcommand)]
    Hub(HubCommand),
    /// Sign in to the saved hub that --hub names, and keep that in the system's keychain. For any other hub, sign in and
    /// print the token, or check that a token is valid.
    Login {
        /// For a saved hub as well, print the token instead of keeping it.
        #[arg(long)]
        print_token: bool,
    },
    /// Sign out of the saved hub that --hub names: end the session there and forget what is kept in the keychain.
    Logout,
    /// Find and list VMs.
    #[command(subcommand)]
    Vm(VmCommand),
    /// Make, verify, pin and delete backups.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Decide how many recovery points are kept.
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Manage where backups are kept, and copy them.
    #[command(subcommand)]
    Repository(RepositoryCommand),
    /// Mount disks of backups, and save files from them.
    #[command(subcommand)]
    Restore(RestoreCommand),
    /// Write a ZIP file for support: versions, settings, saved hubs, records, the newest 5 MB of the window's log, and how
    /// the hub of this computer is. Secrets are taken out of everything.
    Diagnostics {
        /// The file, which must not be there yet, or a folder for it; the current folder by default.
        file: Option<PathBuf>,
    },
    /// Print what a shell needs to complete commands and options.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual pages into a folder, such as /usr/local/share/man/man1.
    Manual {
        /// The folder, which has to be there.
        dir: PathBuf,
    },
}

/// How a hub is run.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8082")]
    pub(crate) listen: SocketAddr,
    /// Let everybody in without signing in; only on this computer's loopback addresses.
    #[arg(long, conflicts_with = "user")]
    pub(crate) no_auth: bool,
    /// PEM file of the certificate that the hub shows, then of those that issued it; connections are encrypted then.
    /// A renewed one is shown without a restart.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// PEM file of the private key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HubCommand {
    /// Run a hub until Ctrl-C. With --user, that user is created, or given a new password.
    Serve(Serve),
    /// Save a hub, for the window as well. With --user or a token, also sign in and keep that in the system's keychain.
    ///
    /// A certificate that the system does not trust is shown, and trusted only if you say so: at a terminal when you are
    /// asked, or with --fingerprint or --ca. How it is trusted is saved with the hub.
    Add {
        #[arg(help = "Address, such as https://backup.example.com:8443")]
        address: String,
        /// What to call it; its host and port without a name.
        #[arg(long)]
        name: Option<String>,
    },
    /// List the saved hubs.
    List,
    /// Test what answers there, whether it lets you in and what it offers; fails unless it lets you in.
    Test {
        /// Name of a saved hub or address of any; else the one that --hub names, or that of this computer.
        hub: Option<String>,
    },
    /// Trust the certificate of a saved hub in another way: as --fingerprint or --ca say, else you are asked.
    Trust {
        /// Name or address.
        hub: String,
    },
    /// Remove a saved hub and the sign-in that is kept for it. Nothing changes on the hub itself.
    Remove {
        /// Name or address.
        hub: String,
    },
    /// Find the recovery points in a repository's folder and record them again.
    ///
    /// For a repository whose hub has lost its database, or one that comes from another computer. Nothing in the
    /// folder is changed.
    Rescan {
        /// The folder of the repository, on the hub's computer.
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum VmCommand {
    /// Find VMs in a folder of disk images, and add them; or on a vCenter, and add those named.
    #[command(group(ArgGroup::new("source").required(true).args(["dir", "credential"])))]
    Discover {
        /// A folder on the hub's computer.
        dir: Option<PathBuf>,
        /// A vCenter, by the ID or the name of a sign-in that the hub keeps; "vm credentials" lists them.
        #[arg(long, value_name = "ID")]
        credential: Option<String>,
        /// Add the VM of this name; can be given several times.
        #[arg(long, value_name = "NAME", requires = "credential")]
        add: Vec<String>,
    },
    /// List the sign-ins for vCenters that the hub keeps.
    Credentials,
    /// List the VMs the hub knows.
    List,
    /// Show one VM and its disks.
    Show {
        /// Name or ID.
        vm: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Start a backup of all disks of a VM.
    Start {
        /// Name or ID.
        vm: String,
        /// What to back up.
        #[arg(long = "type", value_enum, default_value_t = Kind::Full)]
        kind: Kind,
        /// Repository to keep it in, by ID or name; needed when there are several.
        #[arg(long, value_name = "ID")]
        repository: Option<String>,
        /// Read everything back before the backup counts as done.
        #[arg(long)]
        verify: bool,
        /// Wait until it is done, and fail if it fails.
        #[arg(long)]
        wait: bool,
    },
    /// Watch a backup until it is over, whoever started it, and fail if it fails.
    Watch {
        /// ID of the backup.
        id: String,
    },
    /// List the backups of a VM, newest first.
    List {
        /// Name or ID.
        vm: String,
    },
    /// Show one backup and its disks.
    Show {
        /// ID of the backup.
        id: String,
    },
    /// Show the recovery points of a VM in a repository, and what builds on what.
    Chain {
        /// Name or ID.
        vm: String,
        /// ID or name, needed when there are several.
        #[arg(long, value_name = "ID")]
        repository: Option<String>,
    },
    /// Read a backup and compare it with what was backed up; fails unless it is sound.
    Verify {
        /// ID of the backup.
        id: String,
    },
    /// Cancel the verification of a backup.
    CancelVerify {
        /// ID of the backup.
        id: String,
    },
    /// Cancel a running backup; nothing of it is kept.
    Cancel {
        /// ID of the backup.
        id: String,
    },
    /// Keep a recovery point from being deleted, also by retention.
    Pin {
        /// ID of the backup.
        id: String,
    },
    /// Allow a recovery point to be deleted again.
    Unpin {
        /// ID of the backup.
        id: String,
    },
    /// Delete a backup permanently.
    Delete {
        /// ID of the backup.
        id: String,
        /// Also delete those that cannot be restored without it.
        #[arg(long)]
        with_dependents: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RepositoryCommand {
    /// List the repositories, with their free space and any problems.
    List,
    /// Make a folder or a share a repository.
    #[command(group(ArgGroup::new("place").required(true).args(["dir", "nfs", "cifs"])))]
    Add {
        /// A name for it.
        name: String,
        #[command(flatten)]
        place: PlaceOptions,
    },
    /// Test whether a place can be a repository, or whether one works; fails if not.
    #[command(group(ArgGroup::new("place").required(true).args(["dir", "nfs", "cifs", "repository"])))]
    Test {
        #[command(flatten)]
        place: PlaceOptions,
        /// A repository that the hub has, by ID or name.
        #[arg(long, value_name = "ID")]
        repository: Option<String>,
    },
    /// Remove a repository that holds no backups; what is in it stays.
    Delete {
        /// ID or name.
        repository: String,
    },
    /// Copy a recovery point with everything it builds on to another repository, and verify it there.
    ///
    /// A copy that was interrupted or cancelled continues where it stopped.
    Copy {
        /// ID of the backup.
        backup: String,
        /// The other repository, by ID or name.
        #[arg(long, value_name = "ID")]
        to: String,
    },
    /// Cancel a running copy; what has been copied is kept for the next one.
    CancelCopy {
        /// ID of the backup.
        backup: String,
        /// The other repository, by ID or name.
        #[arg(long, value_name = "ID")]
        to: String,
    },
}

/// Where a repository keeps its backups.
#[derive(Args, Debug)]
pub(crate) struct PlaceOptions {
    /// A folder on the hub's computer; created if it does not exist.
    pub(crate) dir: Option<PathBuf>,
    /// An NFS share that the hub mounts.
    #[arg(long, value_name = "SERVER:/EXPORT")]
    pub(crate) nfs: Option<String>,
    /// A CIFS (SMB) share that the hub mounts.
    #[arg(long, value_name = "//SERVER/SHARE", requires = "share_user")]
    pub(crate) cifs: Option<String>,
    /// The share's user; prompts for the password unless it comes from standard input.
    #[arg(long, value_name = "NAME", requires = "cifs")]
    pub(crate) share_user: Option<String>,
    /// Read the share's password from standard input, in the line behind that of the sign-in.
    #[arg(long, requires = "cifs")]
    pub(crate) share_password_stdin: bool,
    /// The domain of the share's user.
    #[arg(long, value_name = "NAME", requires = "cifs")]
    pub(crate) share_domain: Option<String>,
    /// Options for mounting the share, such as vers=4.1,soft.
    #[arg(long, value_name = "OPTIONS", conflicts_with = "dir")]
    pub(crate) mount_options: Option<String>,
    /// Where the hub mounts the share; a folder of the repository's name without it.
    #[arg(long, value_name = "PATH", conflicts_with = "dir")]
    pub(crate) mount_point: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RetentionCommand {
    /// Show how many recovery points of a VM are kept.
    Show {
        /// Name or ID.
        vm: String,
    },
    /// Set how many recovery points of a VM are kept; without any number, all are.
    ///
    /// A recovery point is kept if any of these rules keeps it. They are applied after each backup.
    Set {
        /// Name or ID.
        vm: String,
        /// Keep the newest N.
        #[arg(long, value_name = "N", default_value_t = 0)]
        last: u32,
        /// Keep the newest of each of the last N days.
        #[arg(long, value_name = "N", default_value_t = 0)]
        daily: u32,
        /// Keep the newest of each of the last N weeks.
        #[arg(long, value_name = "N", default_value_t = 0)]
        weekly: u32,
        /// Keep the newest of each of the last N months.
        #[arg(long, value_name = "N", default_value_t = 0)]
        monthly: u32,
    },
    /// Delete expired recovery points now.
    Run {
        /// Name or ID.
        vm: String,
        /// Only show what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Everything.
    Full,
    /// What changed since the last backup.
    Incremental,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RestoreCommand {
    /// Open a disk of a backup for browsing.
    Mount {
        /// ID of the backup.
        backup: String,
        /// Number of the disk, from 0.
        #[arg(long, value_name = "N", default_value_t = 0)]
        disk: u32,
    },
    /// List the open mounts.
    Mounts,
    /// List a folder.
    Ls {
        /// ID of the mount.
        mount: String,
        /// Path of the folder.
        #[arg(default_value = "/")]
        path: String,
    },
    /// Save a file, or continue one whose download broke off.
    Get {
        /// ID of the mount.
        mount: String,
        /// Path of the file.
        path: String,
        /// Save this alternate data stream of it instead of its content.
        #[arg(long, value_name = "NAME")]
        stream: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Save a folder, as it is or as an archive.
    GetDir {
        /// ID of the mount.
        mount: String,
        /// Path of the folder.
        path: String,
        #[command(flatten)]
        target: Target,
        /// What becomes of it; without this, what the ending of the output says, and else a folder.
        #[arg(long, value_enum)]
        format: Option<Format>,
    },
    /// Save several files and folders to one folder.
    GetMany {
        /// ID of the mount.
        mount: String,
        /// Paths of the files and folders.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<String>,
        /// Folder to write to; the current folder by default.
        #[arg(short, long, value_name = "FOLDER")]
        output: Option<PathBuf>,
        /// What becomes of folders.
        #[arg(long, value_enum, default_value_t = Format::Files)]
        format: Format,
        /// What to do with a name that is taken.
        #[arg(long, value_enum, default_value_t = Conflict::Fail)]
        on_conflict: Conflict,
    },
    /// Serve a disk of a backup to programs of this computer, read-only, until Ctrl-C.
    ///
    /// It is an NBD export, which QEMU, libnbd and others can open like a disk. Only those can that are told its address.
    Serve {
        /// ID of the backup.
        backup: String,
        /// Number of the disk, from 0.
        #[arg(long, value_name = "N", default_value_t = 0)]
        disk: u32,
    },
    /// Make a machine that boots from a backup at once, while nothing is copied.
    ///
    /// What it writes goes to a folder of this computer; the backup stays as it is, and cannot be deleted until "stop".
    Start {
        /// ID of the backup.
        backup: String,
        /// Folder for what the machine writes; it must be empty, or is created.
        #[arg(short, long, value_name = "FOLDER")]
        output: PathBuf,
        /// What is to boot it.
        #[arg(long, value_enum, default_value_t = Launcher::Qemu)]
        definition: Launcher,
    },
    /// List the VMs that run from a backup.
    Live,
    /// Let go of the backup of a machine that was shut down.
    Stop {
        /// ID of the machine.
        id: String,
        /// Also delete what the machine wrote.
        #[arg(long)]
        discard: bool,
    },
    /// Write one disk of a recovery point as an image into a folder.
    ///
    /// Everything is compared with what was backed up while it is written. A restore that broke off continues when the
    /// same disk is restored to the same folder again.
    Disk {
        /// ID of the backup.
        backup: String,
        /// Number of the disk, from 0.
        #[arg(long, value_name = "N", default_value_t = 0)]
        disk: u32,
        #[command(flatten)]
        target: FullTarget,
    },
    /// Write all disks of a recovery point as images into a folder, with a definition of the machine.
    ///
    /// Everything is compared with what was backed up while it is written. A restore that broke off continues when the
    /// same recovery point is restored to the same folder again.
    Vm {
        /// ID of the backup.
        backup: String,
        #[command(flatten)]
        target: FullTarget,
        /// What to describe the machine for.
        #[arg(long, value_enum, default_value_t = Definition::None)]
        definition: Definition,
    },
    /// Close a mount.
    Unmount {
        /// ID of the mount.
        mount: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Launcher {
    /// A script that runs QEMU.
    Qemu,
    /// A domain for libvirt.
    Libvirt,
}

/// Where to save.
#[derive(Args, Debug)]
pub(crate) struct Target {
    /// File to write, or folder to write to; the current folder by default.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What to do if that name is taken.
    #[arg(long, value_enum, default_value_t = Conflict::Fail)]
    pub(crate) on_conflict: Conflict,
    /// Replace a file that already exists: the same as `--on-conflict replace`.
    #[arg(long, conflicts_with = "on_conflict")]
    pub(crate) force: bool,
}

/// Where disks are written, and as what.
#[derive(Args, Debug)]
pub(crate) struct FullTarget {
    /// Folder to write to, on the hub's computer; the current folder by default.
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    /// What the disks become.
    #[arg(long, value_enum, default_value_t = DiskFormat::Qcow2)]
    pub(crate) format: DiskFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiskFormat {
    /// The bytes of the disk, with holes where it is empty.
    Raw,
    /// QEMU and libvirt.
    Qcow2,
    /// VMware and VirtualBox (monolithicSparse).
    Vmdk,
    /// VMware, compressed, for importing (streamOptimized).
    VmdkStream,
    /// VirtualBox.
    Vdi,
    /// Hyper-V.
    Vhdx,
}

impl From<DiskFormat> for ImageFormat {
    fn from(format: DiskFormat) -> Self {
        match format {
            DiskFormat::Raw => Self::Raw,
            DiskFormat::Qcow2 => Self::Qcow2,
            DiskFormat::Vmdk => Self::Vmdk,
            DiskFormat::VmdkStream => Self::VmdkStream,
            DiskFormat::Vdi => Self::Vdi,
            DiskFormat::Vhdx => Self::Vhdx,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Definition {
    /// Nothing.
    None,
    /// libvirt: an XML file for "virsh define"; from raw, qcow2, vmdk or vdi.
    Libvirt,
    /// VirtualBox: a .vbox file; from vdi or vmdk.
    Virtualbox,
    /// VMware: a .vmx file; from vmdk.
    Vmware,
}

impl From<Definition> for MachineDefinition {
    fn from(definition: Definition) -> Self {
        match definition {
            Definition::None => Self::None,
            Definition::Libvirt => Self::Libvirt,
            Definition::Virtualbox => Self::Virtualbox,
            Definition::Vmware => Self::Vmware,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Conflict {
    /// Save nothing and fail.
    Fail,
    /// Replace the file; a folder is never replaced.
    Replace,
    /// Save under another name.
    KeepBoth,
    /// Save nothing, and go on.
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One file that opens everywhere.
    Zip,
    /// A compressed TAR archive, which keeps links and permissions.
    #[value(name = "tar.gz", alias = "tgz")]
    TarGz,
    /// A folder with its files and folders.
    Files,
}

impl From<Format> for FolderFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Zip => Self::Zip,
            Format::TarGz => Self::TarGz,
            Format::Files => Self::Files,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
