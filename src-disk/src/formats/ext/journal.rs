//! What the journal holds that has not been written to its final location yet.
//!
//! A VM that is backed up while it runs leaves a journal to replay. Nothing is written here, so the newest copy of a
//! block is looked up when the block is read. A transaction counts once its commit block is there and any checksums the
//! journal has are correct: what the kernel and e2fsck reject does not count here either. Fast commits follow the last
//! transaction (`fast.rs`). The format: <https://docs.kernel.org/filesystems/ext4/journal.html>.

use std::collections::HashMap;

use super::{
    checksum::{Checksum, OldJournalSum},
    fast::{Fast, Scan},
    inode::Inode,
    layout::journal,
    map,
    newer::{Copied, MAGIC, Newer},
    volume::Volume,
};
use crate::formats::bytes::{joined, u16_be_at, u32_be_at};
use crate::{Error, Result};

const DESCRIPTOR: u32 = 1;
const COMMIT: u32 = 2;
const REVOCATION: u32 = 5;

const IS_64BIT: u32 = 0x2;
const CHECKSUM_V2: u32 = 0x8;
const CHECKSUM_V3: u32 = 0x10;
const FAST_COMMIT: u32 = 0x20;
const REVOCATIONS: u32 = 0x1;
/// With it, only checksums tell whether a transaction is whole.
const ASYNC_COMMIT: u32 = 0x4;
const READABLE: u32 =
    REVOCATIONS | IS_64BIT | ASYNC_COMMIT | CHECKSUM_V2 | CHECKSUM_V3 | FAST_COMMIT;
/// Among the features that whoever does not know them may ignore.
const CHECKSUM_V1: u32 = 0x1;
const CRC32: u8 = 1;

const DEFAULT_FAST_BLOCKS: u32 = 256;

const ESCAPED: u32 = 0x1;
const SAME_UUID: u32 = 0x2;
const LAST_TAG: u32 = 0x8;

/// A journal of 4 GiB with 4 KiB blocks; mke2fs makes 1 GiB at most.
const MAX_BLOCKS: u32 = 1 << 20;
const MAX_REVOCATIONS: usize = 1 << 22;

/// What a journal holds.
#[derive(Default)]
struct Replayed {
    newer: Newer,
    fast: Fast,
    /// What of it was damaged, a sentence each.
    notes: Vec<String>,
}

/// Brings a volume up to date that was not closed.
///
/// # Errors
/// Where its journal lies on another disk.
pub(super) fn replay(volume: &mut Volume) -> Result<()> {
    let Some(number) = volume.unreplayed else {
        return Ok(());
    };
    if number == 0 {
        return Err(Error::unsupported(
            "the journal of this ext filesystem lies on another disk, and has to be replayed",
        ));
    }
    match volume.inode(number).and_then(|journal| load(volume, &journal)) {
        Ok(replayed) => {
            volume.bring_up_to_date(replayed.newer, replayed.fast);
            volume.notes.extend(replayed.notes);
        }
        // What e2fsck does with such a journal: it leaves it, and looks at the rest.
        Err(error) => volume.notes.push(format!(
            "the journal of this filesystem cannot be used, so what was written last may be missing or \
             half done: {error}"
        )),
    }
    Ok(())
}

/// Reads a journal from its oldest transaction to the last that was committed.
fn load(volume: &mut Volume, inode: &Inode) -> Result<Replayed> {
    let head = block_of(volume, inode, 0)?.1;
    let word = |at: usize| u32_be_at(&head, at).unwrap_or(0);
    if word(journal::MAGIC) != MAGIC
        || u64::from(word(journal::BLOCK_SIZE)) != volume.block_bytes.get()
    {
        return Err(Error::corrupt("ext filesystem: its journal is none"));
    }
    // The first version of the journal's superblock has no features, and rubbish in their place.
    let is_first_version = word(journal::BLOCK_TYPE) == 3;
    let features = match is_first_version {
        true => 0,
        false => word(journal::FEATURE_INCOMPAT),
    };
    if features & !READABLE != 0 {
        return Err(Error::unsupported(format!(
            "the journal of this ext filesystem uses features that cannot be read: {:#x}",
            features & !READABLE
        )));
    }
    let is_summed = features & (CHECKSUM_V2 | CHECKSUM_V3) != 0;
    let superblock = head.get(..journal::SUPERBLOCK_BYTES).unwrap_or_default();
    if is_summed && !Checksum::new().is_journal_block(superblock, journal::CHECKSUM) {
        return Err(Error::corrupt(
            "ext filesystem: its journal's superblock has the wrong checksum",
        ));
    }
    let has_old_sums = !is_first_version && word(journal::FEATURE_COMPAT) & CHECKSUM_V1 != 0;
    let n_fast = match (features & FAST_COMMIT, word(journal::NUM_FC_BLOCKS)) {
        (0, _) => 0,
        (_, 0) => DEFAULT_FAST_BLOCKS,
        (_, n_blocks) => n_blocks,
    };
    let n_blocks = word(journal::MAX_LEN);
    if n_blocks > MAX_BLOCKS {
        return Err(Error::unsupported(
            "the journal of this ext filesystem is larger than any that is read",
        ));
    }
    let end = n_blocks.saturating_sub(n_fast);
    let (first, start) = (word(journal::FIRST), word(journal::START));
    if start == 0 {
        return Ok(Replayed::default());
    }
    if first == 0 || first >= end || start < first || start >= end {
        return Err(Error::corrupt(
            "ext filesystem: its journal has no sound bounds",
        ));
    }
    let mut replay = Replay {
        features,
        sequence: word(journal::FIRST_SEQUENCE),
        committed: HashMap::new(),
        pending: Vec::new(),
        revoked: HashMap::new(),
        pending_revoked: Vec::new(),
        checksum: is_summed
            .then(|| Checksum::new().of(head.get(journal::UUID).unwrap_or_default())),
        old_sum: has_old_sums.then(OldJournalSum::new),
        is_wrong: false,
        last_commit: 0,
        is_cut: false,
        is_void: false,
        damaged: HashMap::new(),
        pending_damaged: Vec::new(),
    };
    let mut position = Ring {
        first,
        end,
        position: start,
    };
    // The ring is read once around at most.
    let mut n_left = end.saturating_sub(first);
    while n_left > 0 {
        let n_used = replay.block(volume, inode, &mut position)?;
        if n_used == 0 {
            break;
        }
        n_left = n_left.saturating_sub(n_used);
    }
    let mut scan = Scan::after(replay.sequence);
    // The kernel leaves out the block where the ring ends.
    for number in (end..n_blocks).skip(1).take(n_fast.try_into().unwrap_or(0)) {
        if !scan.block(&block_of(volume, inode, number)?.1) {
            break;
        }
    }
    let (is_cut, is_void) = (replay.is_cut, replay.is_void);
    let (newer, n_damaged) = replay.finish();
    let mut notes = Vec::new();
    if is_cut {
        notes.push(
            "the journal of this filesystem is damaged: what was written last before the disk was copied is \
             missing"
                .to_owned(),
        );
    }
    if n_damaged > 0 {
        notes.push(format!(
            "{n_damaged} blocks in the journal of this filesystem are damaged: what was written there last is \
             as it was before"
        ));
    }
    if is_void {
        return Ok(Replayed {
            notes,
            ..Replayed::default()
        });
    }
    Ok(Replayed {
        newer,
        fast: scan.finish(),
        notes,
    })
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
        self.position = self.position.saturating_add(1);
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
    /// What checksums begin with, in versions 2 and 3.
    checksum: Option<Checksum>,
    /// Of the blocks of a transaction, in version 1.
    old_sum: Option<OldJournalSum>,
    /// Something of the transaction that is being read has the wrong checksum.
    is_wrong: bool,
    /// When the last transaction was committed, in seconds.
    last_commit: u64,
    /// Whether a transaction was committed and is damaged, which ends what counts.
    is_cut: bool,
    /// Whether which blocks belong to it is not known: then the kernel and e2fsck replay nothing at all.
    is_void: bool,
    /// Blocks whose copies were not taken because their checksum is wrong, with the transaction.
    damaged: HashMap<u64, u32>,
    pending_damaged: Vec<u64>,
}

/// Whose copy follows a descriptor block.
struct Tag {
    target: u64,
    is_escaped: bool,
    /// The whole checksum of the copy, or in version 2 its lower half.
    checksum: u32,
}

impl Replay {
    /// Reads the next block of the journal and what belongs to it; 0 at the end of what counts.
    fn block(&mut self, volume: &mut Volume, inode: &Inode, ring: &mut Ring) -> Result<u32> {
        let (_, block) = block_of(volume, inode, ring.next())?;
        let word = |at: usize| u32_be_at(&block, at).unwrap_or(0);
        if word(journal::MAGIC) != MAGIC || word(journal::SEQUENCE) != self.sequence {
            return Ok(0);
        }
        match word(journal::BLOCK_TYPE) {
            DESCRIPTOR => {
                self.is_wrong |= !self.has_sound_tail(&block);
                if let Some(sum) = &mut self.old_sum {
                    sum.add(&block);
                }
                let tags = self.tags(&block);
                for tag in &tags {
                    self.copy(volume, inode, ring.next(), tag)?;
                }
                Ok(u32::try_from(tags.len())
                    .unwrap_or(u32::MAX)
                    .saturating_add(1))
            }
            COMMIT => {
                let at = joined(word(journal::COMMIT_SEC_LO), word(journal::COMMIT_SEC_HI));
                if !self.is_sound_commit(&block) || self.is_wrong {
                    // Leftovers of an older round of the journal are none of this one.
                    self.is_cut = at >= self.last_commit;
                    self.is_void = self.is_cut && self.is_wrong;
                    return Ok(0);
                }
                self.last_commit = at;
                self.committed.extend(self.pending.drain(..));
                for target in self.pending_damaged.drain(..) {
                    self.damaged.insert(target, self.sequence);
                }
                for target in self.pending_revoked.drain(..) {
                    self.revoked.insert(target, self.sequence);
                }
                self.sequence = self.sequence.wrapping_add(1);
                Ok(1)
            }
            REVOCATION => {
                self.is_wrong |= !self.has_sound_tail(&block);
                self.revocations(&block);
                let n_revoked = self
                    .revoked
                    .len()
                    .saturating_add(self.pending_revoked.len());
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

    /// Takes the copy of a block, unless it is damaged.
    fn copy(&mut self, volume: &mut Volume, inode: &Inode, number: u32, tag: &Tag) -> Result<()> {
        let (place, _) = place_of(volume, inode, number)?;
        if self.checksum.is_some() || self.old_sum.is_some() {
            let copy = volume.read_block(place)?;
            if let Some(sum) = &mut self.old_sum {
                sum.add(&copy);
            }
            let sum = self
                .checksum
                .map(|sum| sum.of(&self.sequence.to_be_bytes()).of(&copy).value());
            let mask = if self.features & CHECKSUM_V3 != 0 {
                u32::MAX
            } else {
                0xFFFF
            };
            if sum.is_some_and(|sum| sum & mask != tag.checksum) {
                self.pending_damaged.push(tag.target);
                return Ok(());
            }
        }
        let copied = Copied {
            block: place,
            is_escaped: tag.is_escaped,
            sequence: self.sequence,
        };
        self.pending.push((tag.target, copied));
        Ok(())
    }

    /// Whether a block that ends with its checksum is whole.
    fn has_sound_tail(&self, block: &[u8]) -> bool {
        let place = block.len().saturating_sub(journal::TAIL_BYTES);
        self.checksum
            .is_none_or(|sum| sum.is_journal_block(block, place))
    }

    fn is_sound_commit(&mut self, block: &[u8]) -> bool {
        if let Some(sum) = self.checksum {
            // Only the beginning was summed by some kernels, with zeros for the rest.
            let mut beginning = block.to_vec();
            if let Some(rest) = beginning.get_mut(journal::COMMIT_BYTES..) {
                rest.fill(0);
            }
            return sum.is_journal_block(block, journal::COMMIT_CHECKSUM)
                || sum.is_journal_block(&beginning, journal::COMMIT_CHECKSUM);
        }
        let Some(sum) = self.old_sum.as_mut().map(OldJournalSum::take) else {
            return true;
        };
        let kind = block
            .get(journal::COMMIT_CHECKSUM_TYPE)
            .copied()
            .unwrap_or(0);
        let len = block
            .get(journal::COMMIT_CHECKSUM_SIZE)
            .copied()
            .unwrap_or(0);
        let found = u32_be_at(block, journal::COMMIT_CHECKSUM).unwrap_or(0);
        // None at all: written before the journal had them.
        (kind, len, found) == (0, 0, 0) || (kind, len, found) == (CRC32, 4, sum)
    }

    /// Whose copies follow a descriptor block.
    fn tags(&self, block: &[u8]) -> Vec<Tag> {
        let has = |feature: u32| self.features & feature != 0;
        let tail_bytes = match has(CHECKSUM_V2 | CHECKSUM_V3) {
            true => journal::TAIL_BYTES,
            false => 0,
        };
        let tag_bytes = match (has(CHECKSUM_V3), has(CHECKSUM_V2), has(IS_64BIT)) {
            (true, ..) => 16,
            (_, true, true) => 14,
            (_, true, false) => 10,
            (_, _, true) => 12,
            (_, _, false) => 8,
        };
        let mut tags = Vec::new();
        let mut rest = block.get(journal::HEADER_BYTES..block.len().saturating_sub(tail_bytes));
        while let Some(tag) = rest.and_then(|rest| rest.get(..tag_bytes)) {
            let (Some(low), Some(flags)) = (
                u32_be_at(tag, journal::TAG_BLOCK),
                u32_be_at(tag, journal::TAG_FLAGS),
            ) else {
                break;
            };
            // Before version 3 the upper half of this word was a checksum; its flags are the lower.
            let high = if has(IS_64BIT) {
                u32_be_at(tag, journal::TAG_BLOCK_HIGH)
            } else {
                None
            };
            let checksum = match has(CHECKSUM_V3) {
                true => u32_be_at(tag, journal::TAG3_CHECKSUM),
                false => u16_be_at(tag, journal::TAG_CHECKSUM).map(u32::from),
            };
            tags.push(Tag {
                target: joined(low, high.unwrap_or(0)),
                is_escaped: flags & ESCAPED != 0,
                checksum: checksum.unwrap_or(0),
            });
            if flags & LAST_TAG != 0 {
                break;
            }
            let uuid_bytes = if flags & SAME_UUID != 0 { 0 } else { 16 };
            rest = rest.and_then(|rest| rest.get(tag_bytes..)?.get(uuid_bytes..));
        }
        tags
    }

    fn revocations(&mut self, block: &[u8]) {
        let len = u32_be_at(block, journal::REVOKE_COUNT).and_then(|len| usize::try_from(len).ok());
        let records = block
            .get(journal::REVOKE_BYTES..len.unwrap_or(0))
            .unwrap_or_default();
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

    /// The copies that count, and how many that would count are damaged. What was revoked later does not
    /// count: with journalled data its copies may have changed while they were written.
    fn finish(self) -> (Newer, usize) {
        let is_revoked = |target: &u64, sequence: u32| {
            let revoked = self.revoked.get(target);
            revoked.is_some_and(|revoked| !is_later(sequence, *revoked))
        };
        let mut committed = self.committed;
        committed.retain(|target, copied| !is_revoked(target, copied.sequence));
        let is_lost = |(target, sequence): &(&u64, &u32)| {
            let replaced = committed.get(*target);
            !is_revoked(target, **sequence)
                && replaced.is_none_or(|copied| is_later(**sequence, copied.sequence))
        };
        let n_damaged = self.damaged.iter().filter(is_lost).count();
        (Newer(committed), n_damaged)
    }
}

/// Sequence numbers go around: the difference says which is later.
fn is_later(sequence: u32, other: u32) -> bool {
    sequence.wrapping_sub(other).cast_signed() > 0
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
