//! ext2, ext3 and ext4: folders, entries, files and links. Names and link targets are bytes.
//!
//! We read these ourselves because the existing library (`ext4-view` 1.0) takes blocks that were reserved but never
//! written for content, and moves everything after them to other positions in the file. Databases reserve blocks. The
//! format: <https://docs.kernel.org/filesystems/ext4/>.

mod checksum;
mod fast;
mod inode;
mod journal;
mod layout;
mod map;
mod newer;
mod volume;

pub(crate) use volume::has_copy;

use std::collections::HashMap;

use self::{
    inode::{Inode, ROOT, Run},
    layout::dir_entry,
    volume::Volume,
};
use super::{
    MAX_ENTRIES,
    bytes::{u16_at, u32_at},
    kept::Kept,
    too_many_entries,
};
use crate::{Entry, EntryKind, Error, FsPath, Listing, Name, Result, Slice};

/// Room for far more entries than are listed.
const MAX_FOLDER_BYTES: u64 = 1 << 30;
/// The kernel allows a block for a target, and blocks of 64 KiB.
const MAX_LINK_BYTES: u64 = 64 << 10;

pub(crate) struct Ext {
    volume: Volume,
    folders: Kept<u32, Folder>,
    /// The file that was read last.
    file: Option<Inode>,
    /// The file whose blocks were asked for last, from which block on, and what was found.
    last_run: Option<(u32, u64, Run)>,
}

/// The names in a folder, and the inodes behind them.
struct Folder {
    names: HashMap<Vec<u8>, u32>,
    /// Whether all of its names could be read.
    is_whole: bool,
}

/// Names in the order of the disk.
#[derive(Default)]
struct Names {
    names: Vec<(Vec<u8>, u32)>,
    damage: Vec<String>,
}

impl Ext {
    pub(crate) fn open(slice: Slice) -> Result<Self> {
        let mut volume = Volume::open(slice)?;
        journal::replay(&mut volume)?;
        if volume.inode(ROOT)?.kind() != EntryKind::Directory {
            return Err(Error::corrupt("ext filesystem: its root is no folder"));
        }
        Ok(Self {
            volume,
            folders: Kept::new(),
            file: None,
            last_run: None,
        })
    }

    pub(crate) fn label(&self) -> String {
        self.volume.label.clone()
    }

    /// A folder's entries, and the inodes from the root to it.
    pub(crate) fn read_dir(&mut self, path: &FsPath) -> Result<(Listing, Vec<u32>)> {
        let way = self.way_to(path)?;
        let number = way.last().copied().unwrap_or(ROOT);
        let folder = self.volume.inode(number)?;
        let mut entries = Vec::new();
        let found = self.names(&folder, path)?;
        for (name, number) in found.names {
            let name = Name::from_bytes(name);
            // Damage of one entry stays with that entry.
            entries.push(match self.volume.inode(number) {
                Ok(inode) => row(name, &inode),
                Err(error) => damaged(name, &error),
            });
        }
        let mut damage = found.damage;
        if path.is_root() {
            damage.extend(self.volume.notes.iter().cloned());
        }
        Ok((Listing { entries, damage }, way))
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
        Ok(self.way_to(path)?.last().copied().unwrap_or(ROOT))
    }

    /// The inodes from the root to where a path leads.
    fn way_to(&mut self, path: &FsPath) -> Result<Vec<u32>> {
        let mut number = ROOT;
        let mut way = vec![ROOT];
        for name in path.names() {
            let folder = self.names_of(number, path)?;
            number = match folder.names.get(name.as_bytes()) {
                Some(found) => *found,
                None if folder.is_whole => {
                    return Err(Error::NotFound {
                        path: path.to_string(),
                    });
                }
                // It may have been in the part that is gone.
                None => {
                    return Err(Error::corrupt(format!(
                        "{path} is not among the names of its folder that can still be read"
                    )));
                }
            };
            way.push(number);
        }
        Ok(way)
    }

    /// The names in the folder with that inode.
    fn names_of(&mut self, number: u32, path: &FsPath) -> Result<&Folder> {
        if !self.folders.renew(&number) {
            let folder = self.volume.inode(number)?;
            let found = self.names(&folder, path)?;
            let mut names = HashMap::with_capacity(found.names.len());
            for (name, inode) in found.names {
                // As in a listing, the first of two that are called the same counts.
                names.entry(name).or_insert(inode);
            }
            let folder = Folder {
                names,
                is_whole: found.damage.is_empty(),
            };
            self.folders.add(number, folder, |it| it.names.len());
        }
        self.folders
            .newest()
            .ok_or_else(|| Error::corrupt("ext filesystem: a folder was lost"))
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
        let mut target = vec![0; usize::try_from(inode.size).unwrap_or(0)];
        let n_read = self.content(&inode, 0, &mut target)?;
        target.truncate(n_read);
        // To every system a link ends there.
        if let Some(end) = target.iter().position(|byte| *byte == 0) {
            target.truncate(end);
        }
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
        let mut at = offset;
        let mut rest = &mut buffer[..wanted];
        while !rest.is_empty() {
            let within = at % block_bytes;
            let Run { block, n_blocks } = self.run_at(inode, at / block_bytes)?;
            let run_bytes = n_blocks
                .saturating_mul(block_bytes.get())
                .saturating_sub(within);
            let n = usize::try_from(run_bytes).unwrap_or(usize::MAX);
            let (piece, after) = rest.split_at_mut(n.min(rest.len()));
            at = at.saturating_add(piece.len() as u64);
            match block {
                Some(block) => self.volume.read_blocks(block, within, piece)?,
                None => piece.fill(0),
            }
            rest = after;
        }
        Ok(wanted)
    }

    /// The blocks from one of a file on; who reads a file through asks for the same run again and again.
    fn run_at(&mut self, inode: &Inode, block: u64) -> Result<Run> {
        if let Some((number, first, run)) = self.last_run
            && number == inode.number
            && let Some(n_passed) = block.checked_sub(first)
            && n_passed < run.n_blocks
        {
            return Ok(Run {
                block: run.block.map(|start| start.saturating_add(n_passed)),
                n_blocks: run.n_blocks.saturating_sub(n_passed),
            });
        }
        let run = map::run_at(&mut self.volume, inode, block)?;
        self.last_run = Some((inode.number, block, run));
        Ok(run)
    }

    /// How long the hole at a place of a folder is; `None` where there is none. A damaged folder may
    /// claim a gigabyte of them.
    fn hole_at(&mut self, folder: &Inode, offset: u64) -> Result<Option<u64>> {
        let block_bytes = self.volume.block_bytes;
        let Run { block, n_blocks } = self.run_at(folder, offset / block_bytes)?;
        Ok(match block {
            Some(_) => None,
            None => Some(n_blocks.max(1).saturating_mul(block_bytes.get())),
        })
    }

    /// Whether a folder has blocks behind its end, at once or behind one hole.
    fn goes_on_at(&mut self, folder: &Inode, end: u64) -> bool {
        let mut number = end;
        for _ in 0..2 {
            match map::run_at(&mut self.volume, folder, number) {
                Ok(Run { block: Some(_), .. }) => return true,
                Ok(run) => number = number.saturating_add(run.n_blocks),
                Err(_) => return false,
            }
            if number > MAX_FOLDER_BYTES / self.volume.block_bytes {
                break;
            }
        }
        false
    }

    /// The names in a folder and the inodes behind them. The index of a folder is passed over: all names are
    /// in the other blocks. What cannot be read costs the names that were there.
    fn names(&mut self, folder: &Inode, path: &FsPath) -> Result<Names> {
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
        let mut found = Names::default();
        let mut n_damaged: u64 = 0;
        if self.volume.fast.is_new_folder(folder.number) {
            // Nothing but what was recorded.
        } else if let Some(rows) = folder.inline_names() {
            n_damaged = rows
                .into_iter()
                .filter(|row| !take_names(row, &mut found.names))
                .count() as u64;
        } else {
            let block_bytes = self.volume.block_bytes.get();
            let mut block = vec![0; usize::try_from(block_bytes).unwrap_or(0)];
            let mut offset = 0;
            while let Some(left @ 1..) = folder.size.checked_sub(offset) {
                match self.hole_at(folder, offset) {
                    Ok(None) => {}
                    // No system makes any: what was there is gone.
                    Ok(Some(hole_bytes)) => {
                        let n_lost = left.min(hole_bytes).div_ceil(block_bytes);
                        n_damaged = n_damaged.saturating_add(n_lost);
                        offset = offset.saturating_add(hole_bytes);
                        continue;
                    }
                    // Where the blocks of the rest of the folder lie is not known either.
                    Err(_) => {
                        n_damaged = n_damaged.saturating_add(left.div_ceil(block_bytes));
                        break;
                    }
                }
                match self.content(folder, offset, &mut block) {
                    Ok(n_read) => {
                        let block = block.get(..n_read).unwrap_or_default();
                        let is_index = folder.is_indexed() && is_index(block, offset == 0);
                        // A damaged name could lead to the content of another.
                        let is_whole = is_index
                            || (folder.checksum.is_none_or(|sum| sum.is_folder(block))
                                && take_names(block, &mut found.names));
                        n_damaged = n_damaged.saturating_add(u64::from(!is_whole));
                    }
                    Err(_) => n_damaged = n_damaged.saturating_add(1),
                }
                if found.names.len() > MAX_ENTRIES {
                    return Err(too_many_entries(path));
                }
                offset = offset.saturating_add(block_bytes);
            }
            if self.goes_on_at(folder, folder.size.div_ceil(block_bytes)) {
                found.damage.push(
                    "this folder is longer than its size says: files and folders named behind it are missing"
                        .to_owned(),
                );
            }
        }
        if n_damaged > 0 {
            found.damage.push(format!(
                "{n_damaged} of the blocks that hold the names of this folder are damaged: files and folders \
                 named there are missing"
            ));
        }
        self.volume
            .fast
            .apply_names(folder.number, &mut found.names);
        Ok(found)
    }
}

/// Whether a block of an indexed folder is part of its index: the first one, which holds `.` and `..` before it,
/// and those that look like a single unused entry.
fn is_index(block: &[u8], is_first: bool) -> bool {
    let len_at = |place: usize| {
        u16_at(block, place.saturating_add(dir_entry::REC_LEN))
            .map(|len| entry_len(len, block.len()))
    };
    if is_first {
        len_at(0) == Some(dir_entry::DOT_BYTES)
            && len_at(dir_entry::DOT_BYTES)
                == Some(block.len().saturating_sub(dir_entry::DOT_BYTES))
    } else {
        u32_at(block, dir_entry::INODE) == Some(0)
            && block.get(dir_entry::NAME_LEN) == Some(&0)
            && len_at(0) == Some(block.len())
    }
}

/// Takes the names from a block up to where it makes no sense any more, which gives `false`.
fn take_names(block: &[u8], names: &mut Vec<(Vec<u8>, u32)>) -> bool {
    let mut rest = block;
    // A block of zeros is as good as a hole, which the kernel passes over as well.
    while !rest.is_empty() && rest.iter().any(|byte| *byte != 0) {
        let Some((name, number, len)) = split_entry(rest) else {
            return false;
        };
        if number != 0 && !name.is_empty() && name != b"." && name != b".." {
            names.push((name.to_vec(), number));
        }
        rest = rest.get(len..).unwrap_or_default();
    }
    true
}

/// In blocks of 64 KiB the largest length does not fit, and is written as one that cannot be.
fn entry_len(written: u16, block_bytes: usize) -> usize {
    match written {
        0 | u16::MAX => block_bytes,
        len => usize::from(len),
    }
}

/// The first entry of a folder's block: name, inode and length of the entry.
fn split_entry(block: &[u8]) -> Option<(&[u8], u32, usize)> {
    let number = u32_at(block, dir_entry::INODE)?;
    let len = entry_len(u16_at(block, dir_entry::REC_LEN)?, 1 << 16);
    let name_len = usize::from(*block.get(dir_entry::NAME_LEN)?);
    let name_end = dir_entry::NAME + name_len;
    let is_sound = len >= name_end && len.is_multiple_of(4) && len <= block.len();
    is_sound.then_some(())?;
    Some((block.get(dir_entry::NAME..name_end)?, number, len))
}

fn row(name: Name, inode: &Inode) -> Entry {
    let kind = inode.kind();
    Entry {
        id: inode.number.into(),
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
