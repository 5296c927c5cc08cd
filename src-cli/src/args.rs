//! What can be asked for on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Back up virtual machines, and get single files back.
#[derive(Debug, Parser)]
#[command(name = "sendense", version, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Without --hub, the hub that runs on the data directory is asked, else one is started for the command.

Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 not found, 4 sign-in refused, 5 hub not reached,
6 something is in the way, 7 no room, 130 stopped by Ctrl-C.";

/// Options of all commands.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "SENDENSE_HUB",
        help = "Address of a hub, such as http://backup.example.com:8082"
    )]
    pub(crate) hub: Option<String>,
    /// Data directory of the hub on this computer.
    #[arg(long, global = true, value_name = "DIR", env = "SENDENSE_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// User to sign in as; the password is asked for unless it comes on standard input.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Read the password from standard input.
    #[arg(long, global = true, requires = "user")]
    pub(crate) password_stdin: bool,
    /// Read a bearer token from standard input.
    #[arg(long, global = true, conflicts_with_all = ["user", "password_stdin"])]
    pub(crate) token_stdin: bool,
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a hub on this computer.
    #[command(subcommand)]
    Hub(HubCommand),
    /// Sign in and print the token, or check that it is good.
    Login,
    /// Virtual machines.
    #[command(subcommand)]
    Vm(VmCommand),
    /// Backups.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// How many recovery points are kept.
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Places where backups are kept.
    #[command(subcommand)]
    Repository(RepositoryCommand),
    /// Disks of backups, and the files on them.
    #[command(subcommand)]
    Restore(RestoreCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum HubCommand {
    /// Run a hub until Ctrl-C. With --user, that user is created, or gets this password.
    Serve {
        /// Address and port to listen on.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8082")]
        listen: SocketAddr,
        /// Let in everybody who reaches it; only on this computer's own addresses.
        #[arg(long, conflicts_with = "user")]
        no_auth: bool,
    },
    /// Find the recovery points of a repository again, and take them on record.
    ///
    /// For a repository whose hub has lost its database, or that comes from another computer. Nothing in the
    /// folder is changed.
    Rescan {
        /// The folder of the repository, on the hub's computer.
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum VmCommand {
    /// Find VMs in a folder of disk images, and add them.
    Discover {
        /// A folder of the hub's computer.
        dir: PathBuf,
    },
    /// List the VMs the hub knows.
    List,
    /// Show one VM and its disks.
    Show {
        /// Name or id.
        vm: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Start a backup of all disks of a VM.
    Start {
        /// Name or id.
        vm: String,
        /// What to back up.
        #[arg(long = "type", value_enum, default_value_t = Kind::Full)]
        kind: Kind,
        /// Where to keep it; by id or name, needed when there are several.
        #[arg(long, value_name = "ID")]
        repository: Option<String>,
        /// Read everything back before the backup counts as done.
        #[arg(long)]
        verify: bool,
        /// Wait until it is done, and fail if it does.
        #[arg(long)]
        wait: bool,
    },
    /// List the backups of a VM, newest first.
    List {
        /// Name or id.
        vm: String,
    },
    /// Show one backup and its disks.
    Show {
        /// Id of the backup.
        id: String,
    },
    /// Show the recovery points of a VM in a repository, and what builds on what.
    Chain {
        /// Name or id.
        vm: String,
        /// By id or name, needed when there are several.
        #[arg(long, value_name = "ID")]
        repository: Option<String>,
    },
    /// Read a backup through and compare it with what was backed up; fails unless it is sound.
    Verify {
        /// Id of the backup.
        id: String,
    },
    /// End the verification of a backup.
    CancelVerify {
        /// Id of the backup.
        id: String,
    },
    /// End a running backup; nothing of it stays.
    Cancel {
        /// Id of the backup.
        id: String,
    },
    /// Keep a recovery point from being deleted, by retention too.
    Pin {
        /// Id of the backup.
        id: String,
    },
    /// Let a recovery point be deleted again.
    Unpin {
        /// Id of the backup.
        id: String,
    },
    /// Delete a backup for good.
    Delete {
        /// Id of the backup.
        id: String,
        /// Also those that cannot be restored without it.
        #[arg(long)]
        with_dependents: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RepositoryCommand {
    /// List the repositories, with their room and what is wrong with them.
    List,
    /// Make a folder a repository.
    Add {
        /// The name to know it by.
        name: String,
        /// A folder of the hub's computer; made when it is not there.
        dir: PathBuf,
    },
    /// Try whether a folder could be a repository; fails when it could not.
    Test {
        /// A folder of the hub's computer.
        dir: PathBuf,
    },
    /// Give up a repository without backups; its folder stays.
    Delete {
        /// By id or name.
        repository: String,
    },
    /// Copy a recovery point, with all it builds on, to another repository, and verify it there.
    ///
    /// A copy that was cut off or cancelled goes on where it ended.
    Copy {
        /// Id of the backup.
        backup: String,
        /// The other repository, by id or name.
        #[arg(long, value_name = "ID")]
        to: String,
    },
    /// End a copy that is being made; what is copied stays for the next one.
    CancelCopy {
        /// Id of the backup.
        backup: String,
        /// The other repository, by id or name.
        #[arg(long, value_name = "ID")]
        to: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RetentionCommand {
    /// Show how many recovery points of a VM are kept.
    Show {
        /// Name or id.
        vm: String,
    },
    /// Decide how many recovery points of a VM are kept; without a number, all are.
    ///
    /// A point that any of the numbers keeps is kept. It is done after each backup.
    Set {
        /// Name or id.
        vm: String,
        /// The newest so many.
        #[arg(long, value_name = "N", default_value_t = 0)]
        last: u32,
        /// The newest of each of the last so many days.
        #[arg(long, value_name = "N", default_value_t = 0)]
        daily: u32,
        /// The newest of each of the last so many weeks.
        #[arg(long, value_name = "N", default_value_t = 0)]
        weekly: u32,
        /// The newest of each of the last so many months.
        #[arg(long, value_name = "N", default_value_t = 0)]
        monthly: u32,
    },
    /// Delete what has expired now.
    Run {
        /// Name or id.
        vm: String,
        /// Only say what would be done.
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
        /// Id of the backup.
        backup: String,
        /// Number of the disk, from 0.
        #[arg(long, value_name = "N", default_value_t = 0)]
        disk: u32,
    },
    /// List the open mounts.
    Mounts,
    /// List a folder.
    Ls {
        /// Id of the mount.
        mount: String,
        /// Path of the folder.
        #[arg(default_value = "/")]
        path: String,
    },
    /// Save a file.
    Get {
        /// Id of the mount.
        mount: String,
        /// Path of the file.
        path: String,
        /// An alternate data stream of it instead of its content.
        #[arg(long, value_name = "NAME")]
        stream: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Save a folder as an archive.
    GetDir {
        /// Id of the mount.
        mount: String,
        /// Path of the folder.
        path: String,
        #[command(flatten)]
        target: Target,
        /// Kind of archive.
        #[arg(long, value_enum, default_value_t = Format::Zip)]
        format: Format,
    },
    /// Close a mount.
    Unmount {
        /// Id of the mount.
        mount: String,
    },
}

/// Where to save.
#[derive(Args, Debug)]
pub(crate) struct Target {
    /// File to write, or folder to write into; this folder unless given.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace a file that is there already.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Opens everywhere.
    Zip,
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
