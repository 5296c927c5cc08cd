//! ext2, ext3 and ext4, by `ext4-view`. Names and link targets are bytes.

use std::error::Error as StdError;

use ext4_view::{Ext4, Ext4Error, Ext4Read, FileType, Metadata, Path, PathBuf};
use jiff::Timestamp;

use super::{MAX_ENTRIES, too_many_entries};
use crate::{Entry, EntryKind, Error, FsPath, Name, Result, Slice};

/// The largest block is 64 KiB.
const MAX_LOG_BLOCK_KIB: u32 = 6;
/// `ext4-view` keeps all group descriptors: 64 MiB for these.
const MAX_GROUPS: u64 = 1 << 22;
/// The kernel allows a block for a target.
const MAX_LINK_BYTES: u64 = 64 << 10;
/// Room for far more entries than are listed.
const MAX_FOLDER_BYTES: u64 = 1 << 30;
/// `ext4-view` seeks by walking over every block from the beginning: about half a second for these.
const MAX_SKIPPED_BLOCKS: u64 = 1 << 26;

pub(crate) struct Ext {
    volume: Ext4,
    /// The file that was read last, so that reading on does not look it up again.
    open: Option<(FsPath, ext4_view::File)>,
    block_bytes: u64,
}

struct Reader {
    slice: Slice,
    block_bytes: usize,
}

impl Ext4Read for Reader {
    fn read(
        &mut self,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<(), Box<dyn StdError + Send + Sync>> {
        self.slice.read_at(start, buffer)?;
        // Block 0 belongs to no file: a pointer to it means a hole. `ext4-view` knows that for files'
        // blocks but not for the blocks of pointers to them (ext2, ext3), and would take the superblock
        // for pointers. Nothing else is read from there: it reads the superblock from byte 1024.
        if start == 0 {
            let n_hole = self.block_bytes.min(buffer.len());
            buffer[..n_hole].fill(0);
        }
        Ok(())
    }
}

impl Ext {
    pub(crate) fn open(mut slice: Slice) -> Result<Self> {
        let block_bytes = checked_block_bytes(&mut slice)?;
        let reader = Reader { slice, block_bytes };
        let volume =
            Ext4::load(Box::new(reader)).map_err(|error| present(error, &FsPath::root()))?;
        Ok(Self {
            volume,
            open: None,
            block_bytes: block_bytes as u64,
        })
    }

    pub(crate) fn label(&self) -> String {
        self.volume.label().display().to_string()
    }

    pub(crate) fn read_dir(&self, path: &FsPath) -> Result<Vec<Entry>> {
        let as_here = |error| present(error, path);
        let metadata = self.metadata(path)?;
        if !metadata.is_dir() {
            return Err(Error::NotADirectory {
                path: path.to_string(),
            });
        }
        refuse_large_folder(&metadata, path)?;
        let mut entries = Vec::new();
        for entry in self.volume.read_dir(&native(path)).map_err(as_here)? {
            let entry = entry.map_err(as_here)?;
            let file_name = entry.file_name();
            let bytes: &[u8] = file_name.as_ref();
            if bytes == b"." || bytes == b".." {
                continue;
            }
            let name = Name::from_bytes(bytes);
            let row = match entry.metadata() {
                Ok(metadata) => row(name, &metadata),
                Err(error) => Entry {
                    name,
                    kind: EntryKind::Other,
                    size_bytes: 0,
                    mode: 0,
                    modified: None,
                    unreadable: Some(present(error, path).to_string()),
                },
            };
            entries.push(row);
            if entries.len() > MAX_ENTRIES {
                return Err(too_many_entries(path));
            }
        }
        Ok(entries)
    }

    pub(crate) fn entry(&self, path: &FsPath) -> Result<Entry> {
        let name = path
            .names()
            .last()
            .cloned()
            .unwrap_or(Name::from_bytes("/"));
        Ok(row(name, &self.metadata(path)?))
    }

    pub(crate) fn read(&mut self, path: &FsPath, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut file = match self.open.take() {
            Some((open, file)) if open == *path => file,
            _ => self
                .volume
                .open(&native(path))
                .map_err(|error| present(error, path))?,
        };
        if file.position() != offset {
            if offset / self.block_bytes > MAX_SKIPPED_BLOCKS {
                return Err(Error::unsupported(format!(
                    "{path} can only be read from its beginning: it is too large"
                )));
            }
            file.seek_to(offset).map_err(|error| present(error, path))?;
        }
        let mut n_read = 0;
        while n_read < buffer.len() {
            match file
                .read_bytes(&mut buffer[n_read..])
                .map_err(|error| present(error, path))?
            {
                0 => break,
                n => n_read += n,
            }
        }
        self.open = Some((path.clone(), file));
        Ok(n_read)
    }

    pub(crate) fn read_link(&self, path: &FsPath) -> Result<Name> {
        // `ext4-view` allocates what the link claims as its length.
        if self.metadata(path)?.len() > MAX_LINK_BYTES {
            return Err(Error::corrupt(format!(
                "ext filesystem, {path}: a link longer than any is"
            )));
        }
        let target = self
            .volume
            .read_link(&native(path))
            .map_err(|error| present(error, path))?;
        let bytes: &[u8] = target.as_ref();
        Ok(Name::from_bytes(bytes))
    }

    /// Links on the way are not followed: a path says exactly which folders it goes through.
    fn metadata(&self, path: &FsPath) -> Result<Metadata> {
        let here = |folder: &FsPath| {
            let metadata = self.volume.symlink_metadata(&native(folder));
            metadata.map_err(|error| present(error, path))
        };
        let mut folder = FsPath::root();
        let mut metadata = here(&folder)?;
        for name in path.names() {
            if metadata.is_symlink() {
                return Err(Error::NotFound {
                    path: path.to_string(),
                });
            }
            refuse_large_folder(&metadata, &folder)?;
            folder = folder.join(name);
            metadata = here(&folder)?;
        }
        Ok(metadata)
    }
}

/// The block size of a superblock whose numbers `ext4-view` can be trusted with: it allocates caches of
/// blocks and a descriptor for each group before it has seen any of them.
fn checked_block_bytes(slice: &mut Slice) -> Result<usize> {
    let mut superblock = [0; 1024];
    slice.read_at(1024, &mut superblock)?;
    let number = |at: usize| {
        let bytes = [0, 1, 2, 3].map(|byte| superblock[at + byte]);
        u64::from(u32::from_le_bytes(bytes))
    };
    let log_block_kib = u32::try_from(number(0x18)).unwrap_or(u32::MAX);
    if log_block_kib > MAX_LOG_BLOCK_KIB {
        return Err(Error::corrupt("ext filesystem: blocks larger than 64 KiB"));
    }
    let n_blocks = number(0x04) | (number(0x150) << 32);
    let n_groups = n_blocks / number(0x20).max(1);
    if n_groups > MAX_GROUPS.min(slice.len_bytes() / 32) {
        return Err(Error::corrupt(
            "ext filesystem: more groups of blocks than the volume has room for",
        ));
    }
    Ok(1024 << log_block_kib)
}

/// A folder has no holes, so one of this size is damage, and walking over it takes forever.
fn refuse_large_folder(metadata: &Metadata, path: &FsPath) -> Result<()> {
    if metadata.is_dir() && metadata.len() > MAX_FOLDER_BYTES {
        return Err(Error::corrupt(format!(
            "ext filesystem, {path}: a folder larger than any is"
        )));
    }
    Ok(())
}

fn native(path: &FsPath) -> PathBuf {
    let mut bytes = Vec::new();
    for name in path.names() {
        bytes.push(b'/');
        bytes.extend_from_slice(name.as_bytes());
    }
    if bytes.is_empty() {
        bytes.push(b'/');
    }
    // Cannot fail: the path is absolute, and NUL was refused when it was parsed.
    Path::try_from(bytes.as_slice()).map_or_else(|_| PathBuf::new("/\u{FFFD}"), PathBuf::from)
}

fn row(name: Name, metadata: &Metadata) -> Entry {
    let kind = match metadata.file_type() {
        FileType::Regular => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        FileType::Fifo => EntryKind::Fifo,
        FileType::Socket => EntryKind::Socket,
        FileType::CharacterDevice => EntryKind::CharDevice,
        FileType::BlockDevice => EntryKind::BlockDevice,
    };
    let time = metadata.modified();
    let nanoseconds = i32::try_from(time.nanoseconds()).unwrap_or(0);
    Entry {
        name,
        kind,
        size_bytes: if kind == EntryKind::Directory {
            0
        } else {
            metadata.len()
        },
        mode: metadata.mode() & 0o7777,
        modified: Timestamp::new(time.seconds(), nanoseconds).ok(),
        unreadable: None,
    }
}

fn present(error: Ext4Error, path: &FsPath) -> Error {
    let path = path.to_string();
    match error {
        Ext4Error::NotFound | Ext4Error::MalformedPath => Error::NotFound { path },
        Ext4Error::NotADirectory => Error::NotADirectory { path },
        Ext4Error::IsADirectory | Ext4Error::IsASpecialFile | Ext4Error::NotASymlink => {
            Error::NotAFile { path }
        }
        Ext4Error::Incompatible(what) => Error::unsupported(format!(
            "this ext filesystem uses a feature that cannot be read: {what}"
        )),
        other => Error::corrupt(format!("ext filesystem, {path}: {other}")),
    }
}
