//! ext2, ext3 and ext4: folders, entries, files and links. Names and link targets are bytes.
//!
//! Read here and not by a library: the one there is (`ext4-view` 1.0) takes blocks that were reserved but
//! never written for content, and everything behind them for other places of the file. Databases
//! reserve blocks. The format: <https://docs.kernel.org/filesystems/ext4/>.

mod checksum;
mod inode;
mod journal;
mod map;
mod volume;

use std::collections::HashMap;

use self::{
    inode::{Inode, ROOT},
    map::Run,
    volume::Volume,
};
use super::{
    MAX_ENTRIES,
    bytes::{u16_at, u32_at},
    too_many_entries,
};
use crate::{Entry, EntryKind, Error, FsPath, Listing, Name, Result, Slice};

/// Room for far more entries than are listed.
const MAX_FOLDER_BYTES: u64 = 1 << 30;
/// The kernel allows a block for a target, and blocks of 64 KiB.
const MAX_LINK_BYTES: u64 = 64 << 10;

/// What is kept of folders, in names and in folders: some megabytes.
const MAX_KEPT_NAMES: usize = 100_000;
const MAX_KEPT_FOLDERS: usize = 32;

pub(crate) struct Ext {
    volume: Volume,
    /// The folders on the way to what was looked for last, newest at the end: without them, opening
    /// every file of a folder would read it, and all above it, as often as it has files.
    folders: Vec<(u32, HashMap<Vec<u8>, u32>)>,
    /// The file that was read last.
    file: Option<Inode>,
}

impl Ext {
    pub(crate) fn open(slice: Slice) -> Result<Self> {
        Ok(Self {
            volume: Volume::open(slice)?,
            folders: Vec::new(),
            file: None,
        })
    }

    pub(crate) fn label(&self) -> String {
        self.volume.label.clone()
    }

    pub(crate) fn read_dir(&mut self, path: &FsPath) -> Result<Listing> {
        let number = self.inode_of(path)?;
        let folder = self.volume.inode(number)?;
        let mut entries = Vec::new();
        for (name, number) in self.names(&folder, path)? {
            let name = Name::from_bytes(name);
            // Damage of one entry stays with that entry.
            entries.push(match self.volume.inode(number) {
                Ok(inode) => row(name, &inode),
                Err(error) => damaged(name, &error),
            });
        }
        Ok(Listing {
            entries,
            damage: Vec::new(),
        })
    }

    pub(crate) fn entry(&mut self, path: &FsPath) -> Result<Entry> {
        let number = self.inode_of(path)?;
        let inode = self.volume.inode(number)?;
        let name = path.names().last().cloned();
        Ok(row(name.unwrap_or(Name::from_bytes("/")), &inode))
    }

    /// The number of a path's inode. Links on the way are not followed: a path says exactly which
    /// folders it goes through.
    pub(crate) fn inode_of(&mut self, path: &FsPath) -> Result<u32> {
        let mut number = ROOT;
        for name in path.names() {
            let found = self.names_of(number, path)?.get(name.as_bytes());
            number = *found.ok_or_else(|| Error::NotFound {
                path: path.to_string(),
            })?;
        }
        Ok(number)
    }

    /// The names in the folder with that inode.
    fn names_of(&mut self, number: u32, path: &FsPath) -> Result<&HashMap<Vec<u8>, u32>> {
        match self.folders.iter().position(|(known, _)| *known == number) {
            Some(position) => {
                let folder = self.folders.remove(position);
                self.folders.push(folder);
            }
            None => {
                let folder = self.volume.inode(number)?;
                let names: HashMap<_, _> = self.names(&folder, path)?.into_iter().collect();
                self.folders.push((number, names));
                // The oldest go first; the newest stays, however large it is.
                let mut n_kept = 0;
                let mut n_names = 0;
                for (_, names) in self.folders.iter().rev().take(MAX_KEPT_FOLDERS) {
                    n_names += names.len();
                    if n_kept > 0 && n_names > MAX_KEPT_NAMES {
                        break;
                    }
                    n_kept += 1;
                }
                let n_dropped = self.folders.len() - n_kept;
                self.folders.drain(..n_dropped);
            }
        }
        let newest = self.folders.last().map(|(_, names)| names);
        newest.ok_or_else(|| Error::corrupt("ext filesystem: a folder was lost"))
    }

    pub(crate) fn read(&mut self, number: u32, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let inode = match self.file.take() {
            Some(inode) if inode.number == number => inode,
            _ => self.volume.inode(number)?,
        };
        let n_read = self.content(&inode, offset, buffer);
        self.file = Some(inode);
        n_read
    }

    pub(crate) fn read_link(&mut self, path: &FsPath) -> Result<Name> {
        let number = self.inode_of(path)?;
        let inode = self.volume.inode(number)?;
        if inode.kind() != EntryKind::Symlink {
            return Err(Error::NotAFile {
                path: path.to_string(),
            });
        }
        if let Some(reason) = inode.unreadable() {
            return Err(Error::unsupported(format!("{path}: {reason}")));
        }
        if inode.size > MAX_LINK_BYTES {
            return Err(Error::corrupt(format!("{path}: a link longer than any is")));
        }
        if let Some(target) = inode.inline_link() {
            return Ok(Name::from_bytes(target));
        }
        let mut target = vec![0; usize::try_from(inode.size).unwrap_or(0)];
        let n_read = self.content(&inode, 0, &mut target)?;
        target.truncate(n_read);
        Ok(Name::from_bytes(target))
    }

    /// Reads from a place in a file, as far as its size and the buffer go.
    fn content(&mut self, inode: &Inode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        if let Some(bytes) = inode.inline_content() {
            let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..));
            let rest = rest.unwrap_or_default();
            let n_read = rest.len().min(buffer.len());
            buffer[..n_read].copy_from_slice(&rest[..n_read]);
            return Ok(n_read);
        }
        let block_bytes = self.volume.block_bytes;
        let left = usize::try_from(inode.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let mut n_read = 0;
        while n_read < wanted {
            let at = offset + n_read as u64;
            let within = at % block_bytes;
            let Run { block, n_blocks } = map::run_at(&mut self.volume, inode, at / block_bytes)?;
            let run_bytes = n_blocks.saturating_mul(block_bytes).saturating_sub(within);
            let n = usize::try_from(run_bytes)
                .unwrap_or(usize::MAX)
                .min(wanted - n_read);
            let piece = &mut buffer[n_read..n_read + n];
            match block {
                Some(block) => self.volume.read_blocks(block, within, piece)?,
                None => piece.fill(0),
            }
            n_read += n;
        }
        Ok(n_read)
    }

    /// How long the hole at a place of a folder is; `None` where there is none. A damaged folder may
    /// claim a gigabyte of them.
    fn hole_at(&mut self, folder: &Inode, offset: u64) -> Result<Option<u64>> {
        if folder.inline_content().is_some() {
            return Ok(None);
        }
        let block_bytes = self.volume.block_bytes;
        let Run { block, n_blocks } = map::run_at(&mut self.volume, folder, offset / block_bytes)?;
        Ok(match block {
            Some(_) => None,
            None => Some(n_blocks.max(1).saturating_mul(block_bytes)),
        })
    }

    /// The names in a folder and the inodes behind them. Indexed folders read like others: to whoever
    /// does not look at the index, it is an unused entry.
    fn names(&mut self, folder: &Inode, path: &FsPath) -> Result<Vec<(Vec<u8>, u32)>> {
        if folder.kind() != EntryKind::Directory {
            return Err(match folder.kind() {
                EntryKind::Symlink => Error::NotFound {
                    path: path.to_string(),
                },
                _ => Error::NotADirectory {
                    path: path.to_string(),
                },
            });
        }
        if let Some(reason) = folder.unreadable() {
            return Err(Error::unsupported(format!("{path}: {reason}")));
        }
        if folder.size > MAX_FOLDER_BYTES {
            return Err(Error::corrupt(format!(
                "ext filesystem, {path}: a folder larger than any is"
            )));
        }
        let mut names = Vec::new();
        let mut block = vec![0; usize::try_from(self.volume.block_bytes).unwrap_or(0)];
        let mut offset = 0;
        while offset < folder.size {
            if let Some(hole_bytes) = self.hole_at(folder, offset)? {
                offset = offset.saturating_add(hole_bytes);
                continue;
            }
            let n_read = self.content(folder, offset, &mut block)?;
            let mut rest = block.get(..n_read).unwrap_or_default();
            if folder.checksum.is_some_and(|sum| !sum.is_folder(rest)) {
                return Err(Error::corrupt(format!(
                    "ext filesystem, {path}: a block of names has the wrong checksum"
                )));
            }
            // A block of zeros is as good as a hole, which the kernel passes over as well.
            while !rest.is_empty() && rest.iter().any(|byte| *byte != 0) {
                let (name, number, len) = split_entry(rest).ok_or_else(|| {
                    Error::corrupt(format!(
                        "ext filesystem, {path}: entries of no sound length"
                    ))
                })?;
                if number != 0 && name != b"." && name != b".." {
                    names.push((name.to_vec(), number));
                }
                rest = rest.get(len..).unwrap_or_default();
            }
            if names.len() > MAX_ENTRIES {
                return Err(too_many_entries(path));
            }
            offset += self.volume.block_bytes;
        }
        Ok(names)
    }
}

/// The first entry of a folder's block: name, inode and length of the entry.
fn split_entry(block: &[u8]) -> Option<(&[u8], u32, usize)> {
    let number = u32_at(block, 0)?;
    // In blocks of 64 KiB the largest length does not fit, and is written as one that cannot be.
    let len = match u16_at(block, 4)? {
        0 | u16::MAX => 1 << 16,
        len => usize::from(len),
    };
    let name_len = usize::from(*block.get(6)?);
    let is_sound = len >= 8 + name_len && len % 4 == 0 && len <= block.len();
    is_sound.then_some(())?;
    Some((block.get(8..8 + name_len)?, number, len))
}

fn row(name: Name, inode: &Inode) -> Entry {
    let kind = inode.kind();
    Entry {
        size_bytes: if kind == EntryKind::Directory {
            0
        } else {
            inode.size
        },
        mode: inode.mode & 0o7777,
        modified: inode.modified,
        unreadable: inode.unreadable().map(str::to_owned),
        ..Entry::new(name, kind)
    }
}

fn damaged(name: Name, error: &Error) -> Entry {
    Entry {
        mode: 0,
        unreadable: Some(error.to_string()),
        ..Entry::new(name, EntryKind::Other)
    }
}
