//! What filesystems contain: kinds of entries, entries in folders, listings.

use jiff::Timestamp;

use crate::Name;

/// Filesystems that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsKind {
    /// NTFS.
    Ntfs,
    /// ext2.
    Ext2,
    /// ext3.
    Ext3,
    /// ext4.
    Ext4,
    /// FAT12, FAT16 or FAT32.
    Fat,
}

impl FsKind {
    /// The word that Linux and deployed hubs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ntfs => "ntfs",
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Fat => "vfat",
        }
    }
}

/// What an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link, or an NTFS junction.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// Something that has no name here.
    Other,
}

/// One entry of a folder.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: Name,
    /// The number under which its filesystem knows it; hard links share it. 0 where it is not known.
    pub id: u64,
    /// What it is.
    pub kind: EntryKind,
    /// Size in bytes; 0 for folders.
    pub size_bytes: u64,
    /// Permission bits; 0o777 where the filesystem has none.
    pub mode: u16,
    /// When its content was last changed. FAT keeps local time without a zone: taken as UTC.
    pub modified: Option<Timestamp>,
    /// Why its content cannot be read.
    pub unreadable: Option<String>,
    /// What else it holds beside its content: the alternate data streams of NTFS, sorted by name.
    pub streams: Vec<DataStream>,
    /// Whether it is the filesystem's own (`$MFT`, `$Extend`) and of no use to who looks for files.
    pub is_internal: bool,
}

impl Entry {
    /// An entry of which nothing more is known.
    pub(crate) fn new(name: Name, kind: EntryKind) -> Self {
        Self {
            name,
            id: 0,
            kind,
            size_bytes: 0,
            mode: 0o777,
            modified: None,
            unreadable: None,
            streams: Vec::new(),
            is_internal: false,
        }
    }
}

/// A named stream of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataStream {
    /// Its name, without the colon that Windows writes before it.
    pub name: Name,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Why it cannot be read.
    pub unreadable: Option<String>,
}

/// What a folder holds, as far as it can be read: damage costs what is damaged and no more.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The entries, sorted by name, no two of one name. Entries that are damaged have a row as well.
    pub entries: Vec<Entry>,
    /// What could not be read of the folder itself, a sentence each; entries may be missing then.
    pub damage: Vec<String>,
}

impl Listing {
    /// Sorts, leaves out names that lead elsewhere, and tells entries apart that a damaged folder gives the same
    /// name: only the first of them is reached by its path, as with the kernel.
    pub(crate) fn settle(&mut self) {
        let mut damage = Vec::new();
        self.entries.retain_mut(|entry| {
            let of = entry.name.display();
            entry.streams.retain(|stream| {
                let is_possible = stream.name.is_possible();
                if !is_possible {
                    damage.push(impossible(&format!("a stream of {of}"), &stream.name));
                }
                is_possible
            });
            let is_possible = entry.name.is_possible();
            if !is_possible {
                damage.push(impossible("an entry", &entry.name));
            }
            is_possible
        });
        self.entries.sort_by(|a, b| a.name.cmp(&b.name));
        self.entries.dedup_by(|later, first| {
            let is_same = later.name == first.name;
            if is_same {
                damage.push(format!(
                    "the folder holds more than one entry called {}: only the first of them can be read",
                    first.name.display()
                ));
            }
            is_same
        });
        self.damage.append(&mut damage);
    }
}

fn impossible(what: &str, name: &Name) -> String {
    format!("{what} has the name {name:?}, which no system allows: it is not shown")
}
