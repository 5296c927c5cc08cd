//! One face for all filesystems: folders, entries, files, links.
//!
//! The readers below it are libraries for formats that an attacker may have written; so every call
//! passes one boundary that turns a panic into [`Error::Corrupt`].

use std::fmt;

use jiff::Timestamp;

use crate::{
    Error, FsPath, Name, Result, Slice,
    formats::{
        ext::Ext,
        fat::Fat,
        ntfs::{NtfsVolume, Reference},
    },
    guard::guarded,
};

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
    fn settle(&mut self) {
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

fn widened(numbers: Vec<u32>) -> Vec<u64> {
    numbers.into_iter().map(u64::from).collect()
}

fn impossible(what: &str, name: &Name) -> String {
    format!("{what} has the name {name:?}, which no system allows: it is not shown")
}

/// An open filesystem; belongs to one thread.
pub struct FileSystem {
    reader: Reader,
    kind: FsKind,
}

enum Reader {
    Ntfs(Box<NtfsVolume>),
    Ext(Box<Ext>),
    Fat(Box<Fat>),
}

/// An open regular file. Reads go through the [`FileSystem`] that opened it.
#[derive(Clone, Debug)]
pub struct FileReader {
    path: FsPath,
    place: Place,
    size_bytes: u64,
}

/// How a filesystem finds the file again.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file of NTFS, or one of its named streams.
    Record(Reference, Option<Name>),
    Inode(u32),
    Cluster(u32),
}

impl FileReader {
    /// Size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Reads from a place in the file; 0 at its end. May read less than was asked for.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the filesystem is damaged, [`Error::Io`] where the image cannot be read.
    pub fn read(
        &mut self,
        filesystem: &mut FileSystem,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        let left = usize::try_from(self.size_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let buffer = &mut buffer[..wanted];
        let path = self.path.clone();
        let n_read = guarded(|| match (&mut filesystem.reader, &self.place) {
            (Reader::Ntfs(reader), Place::Record(reference, stream)) => {
                reader.read(*reference, stream.as_ref(), offset, buffer)
            }
            (Reader::Ext(reader), Place::Inode(number)) => reader.read(*number, offset, buffer),
            (Reader::Fat(reader), Place::Cluster(first)) => {
                reader.read(*first, &path, offset, buffer)
            }
            _ => Err(Error::NotFound {
                path: path.to_string(),
            }),
        })?;
        if n_read == 0 {
            return Err(Error::Corrupt {
                what: format!("{} ends before its size is reached", self.path),
                offset: None,
            });
        }
        Ok(n_read)
    }
}

impl FileSystem {
    pub(crate) fn mount(slice: Slice, kind: FsKind) -> Result<Self> {
        let reader = guarded(|| {
            Ok(match kind {
                FsKind::Ntfs => Reader::Ntfs(Box::new(NtfsVolume::open(slice)?)),
                FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4 => {
                    Reader::Ext(Box::new(Ext::open(slice)?))
                }
                FsKind::Fat => Reader::Fat(Box::new(Fat::open(slice)?)),
            })
        })?;
        Ok(Self { reader, kind })
    }

    /// Which filesystem it is.
    pub fn kind(&self) -> FsKind {
        self.kind
    }

    /// The name that it gives itself.
    pub fn label(&self) -> Option<String> {
        let label = match &self.reader {
            Reader::Ntfs(reader) => reader.label(),
            Reader::Ext(reader) => reader.label(),
            Reader::Fat(reader) => reader.label(),
        };
        let label = label.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        (!label.is_empty()).then(|| label.to_owned())
    }

    /// The entries of a folder. What cannot be read of it is part of the answer.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotADirectory`], and damage on the way to the folder.
    pub fn read_dir(&mut self, path: &FsPath) -> Result<Listing> {
        let mut listing = guarded(|| match &mut self.reader {
            Reader::Ntfs(reader) => reader.read_dir(path),
            Reader::Ext(reader) => reader.read_dir(path),
            Reader::Fat(reader) => reader.read_dir(path),
        })?;
        listing.settle();
        self.mark_circles(path, &mut listing);
        Ok(listing)
    }

    /// On a damaged disk a folder may be inside itself: whoever walks would never come to an end.
    fn mark_circles(&mut self, path: &FsPath, listing: &mut Listing) {
        let has_folders = listing
            .entries
            .iter()
            .any(|entry| entry.kind == EntryKind::Directory);
        if !has_folders {
            return;
        }
        let way = guarded(|| match &mut self.reader {
            Reader::Ntfs(reader) => reader.way_to(path),
            Reader::Ext(reader) => Ok(widened(reader.way_to(path)?)),
            Reader::Fat(reader) => Ok(widened(reader.way_to(path)?)),
        });
        let ids = way.unwrap_or_default();
        for entry in &mut listing.entries {
            let is_above = entry.id != 0 && ids.contains(&entry.id);
            if is_above && entry.kind == EntryKind::Directory {
                entry.unreadable =
                    Some("damaged: it is one of the folders that it lies in".to_owned());
            }
        }
    }

    /// One entry; a link at the end of the path is not followed, nor is one on the way.
    ///
    /// # Errors
    /// [`Error::NotFound`], and damage on the way.
    pub fn entry(&mut self, path: &FsPath) -> Result<Entry> {
        guarded(|| match &mut self.reader {
            Reader::Ntfs(reader) => reader.entry(path),
            Reader::Ext(reader) => reader.entry(path),
            Reader::Fat(reader) => reader.entry(path),
        })
    }

    /// Opens a regular file.
    ///
    /// # Errors
    /// [`Error::NotAFile`] for folders, links and special files, [`Error::Unsupported`] for content
    /// that cannot be read (compressed or encrypted).
    pub fn open(&mut self, path: &FsPath) -> Result<FileReader> {
        let entry = self.entry(path)?;
        if entry.kind != EntryKind::File {
            return Err(Error::NotAFile {
                path: path.to_string(),
            });
        }
        if let Some(reason) = entry.unreadable {
            return Err(Error::unsupported(format!("{path}: {reason}")));
        }
        let place = match &mut self.reader {
            Reader::Ntfs(reader) => Place::Record(guarded(|| reader.reference_of(path))?, None),
            Reader::Ext(reader) => Place::Inode(guarded(|| reader.inode_of(path))?),
            Reader::Fat(reader) => Place::Cluster(guarded(|| reader.first_cluster(path))?),
        };
        Ok(FileReader {
            path: path.clone(),
            place,
            size_bytes: entry.size_bytes,
        })
    }

    /// Opens a named stream of an entry, one of its [`Entry::streams`].
    ///
    /// # Errors
    /// [`Error::NotFound`] where the entry has no stream of that name.
    pub fn open_stream(&mut self, path: &FsPath, stream: &Name) -> Result<FileReader> {
        let entry = self.entry(path)?;
        let found = entry.streams.into_iter().find(|it| it.name == *stream);
        let (Reader::Ntfs(reader), Some(found)) = (&mut self.reader, found) else {
            return Err(Error::NotFound {
                path: format!("{path}:{}", stream.display()),
            });
        };
        if let Some(reason) = found.unreadable {
            return Err(Error::unsupported(format!(
                "{path}:{}: {reason}",
                stream.display()
            )));
        }
        Ok(FileReader {
            path: path.clone(),
            place: Place::Record(guarded(|| reader.reference_of(path))?, Some(found.name)),
            size_bytes: found.size_bytes,
        })
    }

    /// The Windows security descriptor of an entry (owner and access list), self-relative as the disk
    /// holds it; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::NotFound`], and damage on the way.
    pub fn security_descriptor(&mut self, path: &FsPath) -> Result<Option<Vec<u8>>> {
        guarded(|| match &mut self.reader {
            Reader::Ntfs(reader) => reader.security_descriptor(path),
            Reader::Ext(_) | Reader::Fat(_) => Ok(None),
        })
    }

    /// Where a link points, as the disk holds it.
    ///
    /// # Errors
    /// [`Error::NotAFile`] for anything that is no link.
    pub fn read_link(&mut self, path: &FsPath) -> Result<Name> {
        guarded(|| match &mut self.reader {
            Reader::Ntfs(reader) => reader.read_link(path),
            Reader::Ext(reader) => reader.read_link(path),
            Reader::Fat(_) => Err(Error::NotAFile {
                path: path.to_string(),
            }),
        })
    }
}

impl fmt::Debug for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSystem")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
