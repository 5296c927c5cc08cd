//! Mounts of backup disks, and the files on them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{BackupId, LiveMachineId, MountId};

/// Whether a mount can be browsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountStatus {
    /// The hub is still opening the disk: wait, then ask again (contract 6.2).
    Mounting,
    /// Ready.
    Mounted,
    /// Anything else.
    #[serde(other)]
    Unknown,
}

/// An open mount: one disk of one backup, read-only (contract 3.8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mount {
    /// What the hub calls it.
    pub mount_id: MountId,
    /// The backup it is of; lists do not say (contract D42).
    pub backup_id: Option<BackupId>,
    /// The disk within the backup; lists do not say (contract D42).
    pub disk_index: Option<u32>,
    /// The hub's row for that disk.
    pub backup_disk_id: Option<u64>,
    /// Type of the filesystem, as a hint only (contract D61).
    pub filesystem_type: Option<String>,
    /// Whether it can be browsed yet.
    pub status: MountStatus,
    /// When it was opened.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub created_at: Option<Timestamp>,
    /// When the hub will close it.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub expires_at: Option<Timestamp>,
}

/// How many disks a hub has open, of how many that it can, whoever opened them (contract D62).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountSlots {
    /// That are open.
    pub used: u32,
    /// That can be.
    pub most: u32,
}

/// The disk of a mount, served read-only over NBD to programs of the hub's computer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NbdExport {
    /// The mount, with which it ends.
    pub mount_id: MountId,
    /// Where it listens: loopback of the hub's computer.
    pub address: String,
    /// The same.
    pub port: u16,
    /// What clients have to ask for; who does not know it is served nothing.
    pub export_name: String,
    /// All of this in the form that clients take.
    pub uri: String,
    /// Size of the disk in bytes.
    pub size_bytes: u64,
}

/// A machine that boots from a recovery point while nothing is copied, and holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveMachine {
    /// What the hub calls it.
    pub id: LiveMachineId,
    /// The recovery point.
    pub backup_id: BackupId,
    /// The VM that it is of.
    pub vm_name: String,
    /// Where what it writes goes.
    pub folder: String,
    /// The file that boots it.
    pub definition: String,
    /// Since when.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub created_at: Option<Timestamp>,
    /// After its start: what nobody knows of it and was assumed, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
}

/// What boots a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Launcher {
    /// A script that runs QEMU.
    Qemu,
    /// A domain for libvirt.
    Libvirt,
}

/// What an entry of a folder is, as far as a hub tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// Anything that is not a folder, special files and links to folders included.
    File,
    /// A folder, or a volume of the disk.
    Directory,
    /// A kind that this version does not know; it still gets a row.
    #[serde(other)]
    Unknown,
}

/// One entry of a folder on a mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// For the eye only.
    pub name: String,
    /// For every further call. Never built from names (contract 8.7).
    pub path: String,
    /// File or folder.
    #[serde(rename = "type")]
    pub kind: FileKind,
    /// Size in bytes; without meaning for folders (contract D46).
    pub size: Option<u64>,
    /// Permission bits, four octal digits.
    pub mode: Option<String>,
    /// When it was last changed.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub modified_time: Option<Timestamp>,
    /// A symbolic link, or on NTFS a reparse point that is one.
    pub is_symlink: bool,
    /// Where the link points, where the hub says.
    pub symlink_target: Option<String>,
    /// Why this entry cannot be opened (`BitLocker`, `socket`, …), where the hub says.
    pub unreadable: Option<String>,
    /// Its alternate data streams, where the hub says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<FileStream>,
}

/// An alternate data stream: content that NTFS keeps beside that of a file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStream {
    /// For the eye and for a call.
    pub name: String,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Why it cannot be opened, where the hub says.
    pub unreadable: Option<String>,
}

/// The entries of one folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The mount it is on.
    pub mount_id: MountId,
    /// The folder, as it was asked for.
    pub path: String,
    /// Its entries, in the hub's order.
    pub files: Vec<FileEntry>,
    /// What of the folder could not be read, a sentence each: entries may be missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<String>,
    /// What else is on the disk and is not shown, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<String>,
}
