//! What the journal holds that has not reached its place yet.
//!
//! A machine that is backed up while it runs leaves a journal to replay. Nothing is written here, so the
//! newest copy of a block is looked up when the block is read. A transaction counts once its commit block is
//! there. "Fast commits" are not replayed: the state before them is a sound one, some seconds older.
//! The format: <https://docs.kernel.org/filesystems/ext4/journal.html>.

use std::collections::HashMap;

use super::{inode::Inode, map, volume::Volume};
use crate::formats::bytes::{joined, u32_be_at};
use crate::{Error, Result};

const MAGIC: u32 = 0xC03B_3998;
const DESCRIPTOR: u32 = 1;
const COMMIT: u32 = 2;
const REVOCATION: u32 = 5;

const IS_64BIT: u32 = 0x2;
const CHECKSUM_V2: u32 = 0x8;
const CHECKSUM_V3: u32 = 0x10;
const FAST_COMMIT: u32 = 0x20;
const REVOCATIONS: u32 = 0x1;
/// Not the asynchronous commit: there, only checksums tell whether a transaction is whole.
const READABLE: u32 = REVOCATIONS | IS_64BIT | CHECKSUM_V2 | CHECKSUM_V3 | FAST_COMMIT;
const DEFAULT_FAST_BLOCKS: u32 = 256;

const ESCAPED: u32 = 0x1;
const SAME_UUID: u32 = 0x2;
const LAST_TAG: u32 = 0x8;

/// A journal of 4 GiB with 4 KiB blocks; mke2fs makes 1 GiB at most.
const MAX_BLOCKS: u32 = 1 << 20;
const MAX_REVOCATIONS: usize = 1 << 22;

/// The newest copies of blocks, by block.
#[derive(Default)]
pub(super) struct Newer(HashMap<u64, Copied>);

/// A copy in the journal.
#[derive(Clone, Copy)]
pub(super) struct Copied {
    /// Where it lies on the volume.
    pub(super) block: u64,
    /// The block begins like one of the journal's own; its copy does not, lest it be taken for one.
    pub(super) is_escaped: bool,
    sequence: u32,
}

impl Newer {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, block: u64) -> Option<Copied> {
        self.0.get(&block).copied()
    }
}

impl Copied {
    /// Puts back the first four bytes.
    pub(super) fn restore(self, offset: u64, piece: &mut [u8]) {
        let magic = MAGIC.to_be_bytes();
        let first = usize::try_from(offset).unwrap_or(usize::MAX);
        for (byte, original) in piece.iter_mut().zip(magic.iter().skip(first)) {
            *byte = *original;
        }
    }
}

/// Reads a journal from its oldest transaction to the last that was committed.
pub(super) fn load(volume: &mut Volume, inode: &Inode) -> Result<Newer> {
    let head = block_of(volume, inode, 0)?.1;
    let word = |at: usize| u32_be_at(&head, at).unwrap_or(0);
    if word(0) != MAGIC || u64::from(word(0x0C)) != volume.block_bytes {
        return Err(Error::corrupt("ext filesystem: its journal is none"));
    }
    // The first version of the journal's superblock has no features, and rubbish in their place.
    let is_first_version = word(4) == 3;
    let features = if is_first_version { 0 } else { word(0x28) };
    if features & !READABLE != 0 {
        return Err(Error::unsupported(format!(
            "the journal of this ext filesystem uses features that cannot be read: {:#x}",
            features & !READABLE
        )));
    }
    let n_fast = match (features & FAST_COMMIT, word(0x54)) {
        (0, _) => 0,
        (_, 0) => DEFAULT_FAST_BLOCKS,
        (_, n_blocks) => n_blocks,
    };
    if word(0x10) > MAX_BLOCKS {
        return Err(Error::unsupported(
            "the journal of this ext filesystem is larger than any that is read",
        ));
    }
    let end = word(0x10).saturating_sub(n_fast);
    let (first, start) = (word(0x14), word(0x1C));
    if start == 0 {
        return Ok(Newer::default());
    }
    if first == 0 || first >= end || start < first || start >= end {
        return Err(Error::corrupt(
            "ext filesystem: its journal has no sound bounds",
        ));
    }
    let mut replay = Replay {
        features,
        sequence: word(0x18),
        committed: HashMap::new(),
        pending: Vec::new(),
        revoked: HashMap::new(),
        pending_revoked: Vec::new(),
    };
    let mut position = Ring {
        first,
        end,
        position: start,
    };
    // The ring is read once around at most.
    let mut n_left = end - first;
    while n_left > 0 {
        let n_used = replay.block(volume, inode, &mut position)?;
        if n_used == 0 {
            break;
        }
        n_left = n_left.saturating_sub(n_used);
    }
    Ok(replay.finish())
}

/// Blocks of the journal, which begins anew at its end.
struct Ring {
    first: u32,
    end: u32,
    position: u32,
}

impl Ring {
    fn next(&mut self) -> u32 {
        let position = self.position;
        self.position += 1;
        if self.position >= self.end {
            self.position = self.first;
        }
        position
    }
}

struct Replay {
    features: u32,
    /// The transaction that is being read.
    sequence: u32,
    committed: HashMap<u64, Copied>,
    /// Of the transaction that is being read.
    pending: Vec<(u64, Copied)>,
    /// Blocks whose copies no longer count, up to a transaction.
    revoked: HashMap<u64, u32>,
    pending_revoked: Vec<u64>,
}

impl Replay {
    /// Reads the next block of the journal and what belongs to it; 0 at the end of what counts.
    fn block(&mut self, volume: &mut Volume, inode: &Inode, ring: &mut Ring) -> Result<u32> {
        let (_, block) = block_of(volume, inode, ring.next())?;
        let word = |at: usize| u32_be_at(&block, at).unwrap_or(0);
        if word(0) != MAGIC || word(8) != self.sequence {
            return Ok(0);
        }
        match word(4) {
            DESCRIPTOR => {
                let tags = self.tags(&block);
                for (target, is_escaped) in &tags {
                    let (place, _) = place_of(volume, inode, ring.next())?;
                    let copied = Copied {
                        block: place,
                        is_escaped: *is_escaped,
                        sequence: self.sequence,
                    };
                    self.pending.push((*target, copied));
                }
                Ok(1 + u32::try_from(tags.len()).unwrap_or(u32::MAX))
            }
            COMMIT => {
                self.committed.extend(self.pending.drain(..));
                for target in self.pending_revoked.drain(..) {
                    self.revoked.insert(target, self.sequence);
                }
                self.sequence = self.sequence.wrapping_add(1);
                Ok(1)
            }
            REVOCATION => {
                self.revocations(&block);
                let n_revoked = self.revoked.len() + self.pending_revoked.len();
                if n_revoked > MAX_REVOCATIONS {
                    return Err(Error::corrupt(
                        "ext filesystem: its journal revokes too much",
                    ));
                }
                Ok(1)
            }
            _ => Ok(0),
        }
    }

    /// Whose copies follow a descriptor block.
    fn tags(&self, block: &[u8]) -> Vec<(u64, bool)> {
        let has = |feature: u32| self.features & feature != 0;
        let tail_bytes = if has(CHECKSUM_V2 | CHECKSUM_V3) { 4 } else { 0 };
        let tag_bytes = match (has(CHECKSUM_V3), has(CHECKSUM_V2), has(IS_64BIT)) {
            (true, ..) => 16,
            (_, true, true) => 14,
            (_, true, false) => 10,
            (_, _, true) => 12,
            (_, _, false) => 8,
        };
        let mut tags = Vec::new();
        let mut rest = block.get(12..block.len().saturating_sub(tail_bytes));
        while let Some(tag) = rest.and_then(|rest| rest.get(..tag_bytes)) {
            let (Some(low), Some(flags)) = (u32_be_at(tag, 0), u32_be_at(tag, 4)) else {
                break;
            };
            // Before version 3 the upper half of this word was a checksum; its flags are the lower.
            let high = if has(IS_64BIT) {
                u32_be_at(tag, 8)
            } else {
                None
            };
            tags.push((joined(low, high.unwrap_or(0)), flags & ESCAPED != 0));
            if flags & LAST_TAG != 0 {
                break;
            }
            let uuid_bytes = if flags & SAME_UUID != 0 { 0 } else { 16 };
            rest = rest.and_then(|rest| rest.get(tag_bytes + uuid_bytes..));
        }
        tags
    }

    fn revocations(&mut self, block: &[u8]) {
        let len = u32_be_at(block, 12).and_then(|len| usize::try_from(len).ok());
        let records = block.get(16..len.unwrap_or(0)).unwrap_or_default();
        let is_64bit = self.features & IS_64BIT != 0;
        let record_bytes = if is_64bit { 8 } else { 4 };
        for record in records.chunks_exact(record_bytes) {
            let first = u32_be_at(record, 0).unwrap_or(0);
            self.pending_revoked.push(match u32_be_at(record, 4) {
                Some(low) => joined(low, first),
                None => u64::from(first),
            });
        }
    }

    fn finish(self) -> Newer {
        let mut committed = self.committed;
        committed.retain(|target, copied| {
            let revoked = self.revoked.get(target);
            // Sequence numbers go around: the difference says which is later.
            revoked.is_none_or(|revoked| copied.sequence.wrapping_sub(*revoked).cast_signed() > 0)
        });
        Newer(committed)
    }
}

/// A block of the journal: where it lies, and what it holds.
fn block_of(volume: &mut Volume, inode: &Inode, number: u32) -> Result<(u64, Vec<u8>)> {
    let (place, _) = place_of(volume, inode, number)?;
    Ok((place, volume.read_block(place)?))
}

fn place_of(volume: &mut Volume, inode: &Inode, number: u32) -> Result<(u64, u64)> {
    let run = map::run_at(volume, inode, u64::from(number))?;
    run.block
        .map(|block| (block, run.n_blocks))
        .ok_or_else(|| Error::corrupt("ext filesystem: its journal has holes"))
}
