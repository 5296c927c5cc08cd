//! Fast commits: small changes at the end of the journal that are in no transaction.
//!
//! What `fsync` has promised may be there and nowhere else. A series of records (tag, length, value) says which names
//! came and went, what inodes look like, and where parts of files are. It is valid from its head to the last tail with
//! a correct checksum. It is replayed in memory, in the way the kernel's `fs/ext4/fast_commit.c` does it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    checksum::Checksum,
    inode::{self, Run},
    layout::{extent, fast, inode::MODE},
};
use crate::formats::bytes::{joined, u16_at, u32_at};

const ADD_RANGE: u16 = 1;
const DEL_RANGE: u16 = 2;
const CREATE: u16 = 3;
const LINK: u16 = 4;
const UNLINK: u16 = 5;
const INODE: u16 = 6;
const PAD: u16 = 7;
const TAIL: u16 = 8;
const HEAD: u16 = 9;

/// What fast commits have changed.
#[derive(Default)]
pub(super) struct Fast {
    inodes: HashMap<u32, Vec<u8>>,
    /// By file: where parts of it lie now. Parts do not overlap.
    parts: HashMap<u32, BTreeMap<u64, Part>>,
    /// By folder, in order.
    names: HashMap<u32, Vec<Renamed>>,
    /// Folders that were made: what their blocks hold is of something older, or of nothing.
    new_folders: HashSet<u32>,
}

/// A name, and the inode that it has got, or none.
type Renamed = (Vec<u8>, Option<u32>);

/// A part of a file, up to `end`.
#[derive(Clone, Copy)]
struct Part {
    end: u64,
    /// Where its first block lies; `None` for zeros that lie nowhere.
    block: Option<u64>,
}

/// Reads the records of consecutive blocks of the journal.
pub(super) struct Scan {
    /// The transaction that the records follow.
    expected: u32,
    checksum: Checksum,
    /// Not confirmed by a tail yet.
    pending: Vec<Record>,
    confirmed: Vec<Record>,
    has_begun: bool,
}

/// A tag and its value.
struct Record {
    tag: u16,
    value: Vec<u8>,
}

impl Scan {
    /// Fast commits count when they follow the last transaction that does.
    pub(super) fn after(expected: u32) -> Self {
        Self {
            expected,
            checksum: Checksum::seeded(0),
            pending: Vec::new(),
            confirmed: Vec::new(),
            has_begun: false,
        }
    }

    /// Takes the records of one block; `false` where nothing behind it counts.
    pub(super) fn block(&mut self, block: &[u8]) -> bool {
        let mut rest = block;
        while let (Some(tag), Some(len)) = (u16_at(rest, fast::TAG), u16_at(rest, fast::LEN)) {
            let len = fast::TAG_BYTES + usize::from(len);
            let Some(record) = rest.get(..len) else {
                return false;
            };
            if !self.has_begun && tag != HEAD {
                return false;
            }
            self.has_begun = true;
            if !self.record(tag, record) {
                return false;
            }
            rest = rest.get(len..).unwrap_or_default();
        }
        true
    }

    fn record(&mut self, tag: u16, record: &[u8]) -> bool {
        let value = record.get(fast::TAG_BYTES..).unwrap_or_default();
        match tag {
            HEAD => {
                // No feature is known that a head could ask for.
                let features = u32_at(value, fast::HEAD_FEATURES);
                if features != Some(0) || u32_at(value, fast::HEAD_TID) != Some(self.expected) {
                    return false;
                }
                self.checksum = self.checksum.of(record);
            }
            TAIL => {
                let sum = self.checksum.of(record
                    .get(..fast::TAG_BYTES + fast::TAIL_CRC)
                    .unwrap_or_default());
                let is_sound = u32_at(value, fast::TAIL_TID) == Some(self.expected)
                    && u32_at(value, fast::TAIL_CRC) == Some(sum.value());
                if !is_sound {
                    return false;
                }
                self.confirmed.append(&mut self.pending);
                self.checksum = Checksum::seeded(0);
            }
            PAD => self.checksum = self.checksum.of(record),
            ADD_RANGE..=INODE => {
                self.checksum = self.checksum.of(record);
                self.pending.push(Record {
                    tag,
                    value: value.to_vec(),
                });
            }
            _ => return false,
        }
        true
    }

    /// What all of it changes.
    pub(super) fn finish(self) -> Fast {
        let mut fast = Fast::default();
        for record in &self.confirmed {
            // A record that is too short says nothing; its checksum was sound, so none is.
            let _ = fast.apply(record);
        }
        fast
    }
}

impl Fast {
    fn apply(&mut self, record: &Record) -> Option<()> {
        let value = &record.value;
        let first = u32_at(value, fast::INO)?;
        match record.tag {
            ADD_RANGE => {
                let part = value.get(fast::ADD_EXTENT..)?;
                let start = u64::from(u32_at(part, extent::FIRST)?);
                let (len, is_written) = extent::len(u16_at(part, extent::LEN)?);
                let high = u16_at(part, extent::START_HI)?;
                let block = joined(u32_at(part, extent::START_LO)?, u32::from(high));
                self.place(first, start, u64::from(len), is_written.then_some(block));
            }
            DEL_RANGE => {
                let start = u32_at(value, fast::DEL_FIRST)?;
                let len = u32_at(value, fast::DEL_LEN)?;
                self.place(first, u64::from(start), u64::from(len), None);
            }
            CREATE | LINK => {
                let name = value.get(fast::NAME..)?.to_vec();
                let inode = u32_at(value, fast::NAMED_INO)?;
                // What it is was recorded before it.
                if record.tag == CREATE && self.is_recorded_folder(inode) {
                    self.names.remove(&inode);
                    self.new_folders.insert(inode);
                }
                self.names
                    .entry(first)
                    .or_default()
                    .push((name, Some(inode)));
            }
            UNLINK => {
                let name = value.get(fast::NAME..)?.to_vec();
                self.names.entry(first).or_default().push((name, None));
            }
            INODE => {
                self.inodes
                    .insert(first, value.get(fast::RAW_INODE..)?.to_vec());
            }
            _ => {}
        }
        Some(())
    }

    /// Puts a part of a file in place, and cuts off what was known of it.
    fn place(&mut self, file: u32, start: u64, len: u64, block: Option<u64>) {
        if len == 0 {
            return;
        }
        let end = start.saturating_add(len);
        let parts = self.parts.entry(file).or_default();
        let before = parts
            .range(..end)
            .next_back()
            .map(|(at, part)| (*at, *part));
        // Behind the new part, what an old one had there goes on.
        if let Some((at, part)) = before.filter(|(_, part)| part.end > end) {
            let block = part
                .block
                .map(|block| block.saturating_add(end.saturating_sub(at)));
            parts.insert(
                end,
                Part {
                    end: part.end,
                    block,
                },
            );
        }
        if let Some((_, part)) = parts.range_mut(..start).next_back() {
            part.end = part.end.min(start);
        }
        let covered: Vec<u64> = parts.range(start..end).map(|(at, _)| *at).collect();
        for at in covered {
            parts.remove(&at);
        }
        parts.insert(start, Part { end, block });
    }

    fn is_recorded_folder(&self, inode: u32) -> bool {
        let mode = self
            .inodes
            .get(&inode)
            .and_then(|bytes| u16_at(bytes, MODE));
        mode.is_some_and(|mode| mode >> 12 == 4)
    }

    /// Whether a fast commit has made a folder, which then holds the names that it knows and no others.
    pub(super) fn is_new_folder(&self, number: u32) -> bool {
        self.new_folders.contains(&number)
    }

    /// Whether a fast commit has recorded an inode.
    pub(super) fn has_inode(&self, number: u32) -> bool {
        self.inodes.contains_key(&number)
    }

    /// The run at a block of a file: what fast commits know of it, or how far what the file's own tree says
    /// there holds.
    pub(super) fn run_at(&self, file: u32, block: u64) -> Result<Run, u64> {
        let Some(parts) = self.parts.get(&file) else {
            return Err(u64::MAX);
        };
        if let Some((start, part)) = parts.range(..=block).next_back()
            && part.end > block
        {
            return Ok(Run {
                block: part
                    .block
                    .map(|first| first.saturating_add(block.saturating_sub(*start))),
                n_blocks: part.end.saturating_sub(block),
            });
        }
        let next = parts.range(block..).next();
        Err(next.map_or(u64::MAX, |(start, _)| start.saturating_sub(block)))
    }

    /// Adds and takes away the names of a folder that have come and gone.
    pub(super) fn apply_names(&self, folder: u32, names: &mut Vec<(Vec<u8>, u32)>) {
        let Some(changes) = self.names.get(&folder) else {
            return;
        };
        let mut last: HashMap<&[u8], Option<u32>> = HashMap::new();
        for (name, inode) in changes {
            last.insert(name, *inode);
        }
        names.retain(|(name, _)| !last.contains_key(name.as_slice()));
        let added = last.into_iter();
        names.extend(added.filter_map(|(name, inode)| Some((name.to_vec(), inode?))));
    }

    /// The inode as fast commits have left it, if they have: all but where its content lies is in the record.
    pub(super) fn inode(&self, number: u32, table: &[u8]) -> Option<Vec<u8>> {
        let record = self.inodes.get(&number)?;
        Some(inode::merged(record, table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(fast: &Fast, block: u64) -> Option<(Option<u64>, u64)> {
        let run = fast.run_at(1, block).ok()?;
        Some((run.block, run.n_blocks))
    }

    #[test]
    fn a_later_part_cuts_an_earlier_one() {
        let mut fast = Fast::default();
        fast.place(1, 10, 20, Some(100));
        fast.place(1, 15, 5, None);
        assert_eq!(part(&fast, 9), None);
        assert_eq!(fast.run_at(1, 4), Err(6));
        assert_eq!(part(&fast, 12), Some((Some(102), 3)));
        assert_eq!(part(&fast, 15), Some((None, 5)));
        assert_eq!(part(&fast, 20), Some((Some(110), 10)));
        fast.place(1, 0, 100, Some(7));
        assert_eq!(part(&fast, 99), Some((Some(106), 1)));
        assert_eq!(fast.run_at(1, 100), Err(u64::MAX));
        assert_eq!(fast.run_at(2, 0), Err(u64::MAX));
    }

    #[test]
    fn names_come_go_and_come_again() {
        let mut fast = Fast::default();
        let changes = [
            ("new", Some(12)),
            ("old", None),
            ("back", None),
            ("back", Some(13)),
        ];
        let changes = changes.map(|(name, inode)| (name.as_bytes().to_vec(), inode));
        fast.names.insert(2, changes.into());
        let mut names = vec![
            (b"old".to_vec(), 3),
            (b"back".to_vec(), 4),
            (b"kept".to_vec(), 5),
        ];
        fast.apply_names(2, &mut names);
        names.sort();
        assert_eq!(
            names,
            [
                (b"back".to_vec(), 13),
                (b"kept".to_vec(), 5),
                (b"new".to_vec(), 12)
            ]
        );
    }
}
