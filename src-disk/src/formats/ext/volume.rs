//! The superblock, and how blocks and inodes are found by their numbers.

use std::num::{NonZeroU32, NonZeroU64};

use super::{
    checksum::{Checksum, is_old_group},
    fast::Fast,
    inode::Inode,
    layout::{group, inode, superblock},
    newer::Newer,
};
use crate::formats::bytes::{joined, u16_at, u32_at};
use crate::{Error, Result, Slice};

const MAGIC: u16 = 0xEF53;
/// The largest block is 64 KiB.
const MAX_LOG_BLOCK_KIB: u32 = 6;
const HAS_JOURNAL: u32 = 0x4;
const CHECKSUMS: u32 = 0x400;
const GROUP_CHECKSUMS: u32 = 0x10;

const RECOVER: u32 = 0x4;
const JOURNAL_DEVICE: u32 = 0x8;
const META_BG: u32 = 0x10;
const IS_64BIT: u32 = 0x80;
const CHECKSUM_SEED: u32 = 0x2000;
/// Names with types, recovery, scattered descriptors, extents, 64 bit, protection against two mounts,
/// flexible groups, attributes in inodes, seeds, large folders, inline data, encryption, case folding:
/// read, or met where a file has it.
const READABLE: u32 = 0x2_0000
    | 0x1_0000
    | 0x8000
    | 0x4000
    | CHECKSUM_SEED
    | 0x400
    | 0x200
    | 0x100
    | IS_64BIT
    | 0x40
    | META_BG
    | RECOVER
    | 0x2;

pub(super) struct Volume {
    pub(super) label: String,
    pub(super) block_bytes: NonZeroU64,
    slice: Slice,
    first_block: u64,
    /// Where the superblock lies, behind which the descriptors of groups begin.
    superblock: u64,
    inode_bytes: usize,
    inodes_per_group: NonZeroU32,
    n_inodes: u32,
    blocks_per_group: u64,
    descriptor_bytes: u64,
    descriptors_per_block: NonZeroU64,
    /// The first group whose descriptor lies in the group itself.
    first_meta_group: Option<u64>,
    /// What all checksums begin with, where there are any.
    checksum: Option<Checksum>,
    newer: Newer,
    pub(super) fast: Fast,
    /// The group that was asked for last, and where its inodes lie: a folder's are mostly in one.
    last_group: Option<(u32, u64)>,
    /// What whoever looks at the volume has to know about it, a sentence each.
    pub(super) notes: Vec<String>,
    /// What the older checksums of groups begin with, where there are such.
    group_uuid: Option<Vec<u8>>,
    /// The inode of a journal that holds what has not reached its place; 0 where it lies on another disk.
    pub(super) unreplayed: Option<u32>,
}

impl Volume {
    pub(super) fn open(mut slice: Slice) -> Result<Self> {
        let (bytes, copied_from) = sound_superblock(&mut slice)?;
        let nonsense = || Error::corrupt("ext filesystem: its superblock makes no sense");
        // All places below lie within the superblock.
        let word = |at: usize| u32_at(&bytes, at).unwrap_or(0);
        let half = |at: usize| u16_at(&bytes, at).unwrap_or(0);
        let incompatible = word(superblock::FEATURE_INCOMPAT);
        let read_only = word(superblock::FEATURE_RO_COMPAT);
        if incompatible & JOURNAL_DEVICE != 0 {
            return Err(Error::unsupported(
                "this is the journal of an ext filesystem on another disk; it holds no files of its own",
            ));
        }
        if incompatible & !READABLE != 0 {
            return Err(Error::unsupported(format!(
                "this ext filesystem uses features that cannot be read: {:#x}",
                incompatible & !READABLE
            )));
        }
        let log_block_kib = word(superblock::LOG_BLOCK_SIZE);
        let blocks_per_group = u64::from(word(superblock::BLOCKS_PER_GROUP));
        let inodes_per_group = NonZeroU32::new(word(superblock::INODES_PER_GROUP));
        let is_old = word(superblock::REV_LEVEL) == 0;
        let inode_bytes = match is_old {
            true => inode::OLD_BYTES,
            false => usize::from(half(superblock::INODE_SIZE)),
        };
        let block_bytes = 1024 << log_block_kib.min(MAX_LOG_BLOCK_KIB);
        let descriptor_bytes = match incompatible & IS_64BIT {
            0 => group::OLD_BYTES,
            _ => u64::from(half(superblock::DESC_SIZE)),
        };
        if log_block_kib > MAX_LOG_BLOCK_KIB
            || blocks_per_group == 0
            || !(inode::OLD_BYTES as u64..=block_bytes).contains(&(inode_bytes as u64))
            || !(group::OLD_BYTES..=block_bytes).contains(&descriptor_bytes)
        {
            return Err(nonsense());
        }
        let inodes_per_group = inodes_per_group.ok_or_else(nonsense)?;
        let descriptors_per_block = block_bytes.checked_div(descriptor_bytes);
        let descriptors_per_block = descriptors_per_block.and_then(NonZeroU64::new);
        let descriptors_per_block = descriptors_per_block.ok_or_else(nonsense)?;
        let first_meta_group = u64::from(word(superblock::FIRST_META_BG));
        let first_meta_group = first_meta_group.saturating_mul(descriptors_per_block.get());
        let has_checksums = read_only & CHECKSUMS != 0;
        let uuid = bytes.get(superblock::UUID).unwrap_or_default();
        let seed = match incompatible & CHECKSUM_SEED {
            0 => Checksum::new().of(uuid),
            _ => Checksum::seeded(word(superblock::CHECKSUM_SEED)),
        };
        let name = bytes.get(superblock::VOLUME_NAME).unwrap_or_default();
        let journal =
            word(superblock::FEATURE_COMPAT) & HAS_JOURNAL != 0 && incompatible & RECOVER != 0;
        Ok(Self {
            label: String::from_utf8_lossy(name).into_owned(),
            block_bytes: NonZeroU64::new(block_bytes).ok_or_else(nonsense)?,
            slice,
            first_block: u64::from(word(superblock::FIRST_DATA_BLOCK)),
            superblock: superblock::PLACE.checked_div(block_bytes).unwrap_or(0),
            inode_bytes,
            inodes_per_group,
            n_inodes: word(superblock::INODES_COUNT),
            blocks_per_group,
            descriptor_bytes,
            descriptors_per_block,
            first_meta_group: (incompatible & META_BG != 0).then_some(first_meta_group),
            checksum: has_checksums.then_some(seed),
            newer: Newer::default(),
            fast: Fast::default(),
            last_group: None,
            notes: copied_from.into_iter().collect(),
            group_uuid: (!has_checksums && read_only & GROUP_CHECKSUMS != 0).then(|| uuid.to_vec()),
            unreplayed: journal.then(|| word(superblock::JOURNAL_INUM)),
        })
    }

    /// Blocks and files are read as the journal has them from now on.
    pub(super) fn bring_up_to_date(&mut self, newer: Newer, fast: Fast) {
        self.newer = newer;
        self.fast = fast;
        self.last_group = None;
    }

    pub(super) fn inode(&mut self, number: u32) -> Result<Inode> {
        let damaged = || Error::corrupt(format!("ext filesystem: there is no file {number}"));
        let index = number.checked_sub(1).filter(|_| number <= self.n_inodes);
        let index = index.ok_or_else(damaged)?;
        let table = self.inode_table(index / self.inodes_per_group)?;
        let in_group = u64::from(index % self.inodes_per_group);
        let offset = in_group.saturating_mul(self.inode_bytes as u64);
        let block = table
            .checked_add(offset / self.block_bytes)
            .ok_or_else(damaged)?;
        let mut bytes = vec![0; self.inode_bytes];
        self.read_blocks(block, offset % self.block_bytes, &mut bytes)?;
        let mut checksum = self.checksum.map(|sum| sum.of_file(number, &bytes));
        // One that a fast commit has made need not be in the table yet.
        let is_replayed = self.fast.has_inode(number);
        if !is_replayed && checksum.is_some_and(|sum| !sum.is_inode(&bytes)) {
            return Err(Error::corrupt(format!(
                "ext filesystem: file {number} has the wrong checksum"
            )));
        }
        if let Some(newer) = self.fast.inode(number, &bytes) {
            checksum = self.checksum.map(|sum| sum.of_file(number, &newer));
            bytes = newer;
        }
        Inode::new(number, &bytes, checksum).ok_or_else(damaged)
    }

    /// Where the inodes of a group lie.
    fn inode_table(&mut self, number: u32) -> Result<u64> {
        if let Some((_, table)) = self.last_group.filter(|(known, _)| *known == number) {
            return Ok(table);
        }
        let table = self.described_inode_table(number)?;
        self.last_group = Some((number, table));
        Ok(table)
    }

    /// The same from the group's description, or a copy of it.
    fn described_inode_table(&mut self, number: u32) -> Result<u64> {
        let group = u64::from(number);
        let per_block = self.descriptors_per_block;
        let (block, in_block) = (group / per_block, group % per_block);
        let mut places = Vec::new();
        match self.first_meta_group {
            Some(first) if group >= first => {
                // In the first group of as many as one block has descriptors for, behind a superblock
                // that the very first and some others have; copies are in the second group and the last.
                let leader = group.saturating_sub(in_block);
                let next = leader.saturating_add(per_block.get());
                for copy in [leader, leader.saturating_add(1), next.saturating_sub(1)] {
                    let has_superblock = has_superblock(copy);
                    // Without the block that boot loaders use, the first group begins before its superblock.
                    let is_shifted = copy == 0 && self.superblock > self.first_block;
                    let n_before = u64::from(has_superblock).saturating_add(u64::from(is_shifted));
                    places.push(self.group_start(copy).saturating_add(n_before));
                }
            }
            _ => {
                let starts = [1, 3, 5].map(|copy| self.group_start(copy));
                for start in [self.superblock].into_iter().chain(starts) {
                    places.push(start.saturating_add(1).saturating_add(block));
                }
            }
        }
        let mut bytes = vec![0; usize::try_from(self.descriptor_bytes).unwrap_or(0)];
        let offset = in_block.saturating_mul(self.descriptor_bytes);
        for place in places {
            let is_read = self.read_blocks(place, offset, &mut bytes).is_ok();
            let is_whole = match (self.checksum, &self.group_uuid) {
                (Some(sum), _) => sum.is_group(number, &bytes),
                (None, Some(uuid)) => is_old_group(uuid, number, &bytes),
                (None, None) => true,
            };
            if is_read && is_whole {
                let low = u32_at(&bytes, group::INODE_TABLE_LO).unwrap_or(0);
                let high = u32_at(&bytes, group::INODE_TABLE_HI).unwrap_or(0);
                return Ok(joined(low, high));
            }
        }
        Err(Error::corrupt(format!(
            "ext filesystem: no copy of the description of group {number} is sound"
        )))
    }

    /// The first block of a group; past all there are where a damaged superblock makes it larger than any number.
    fn group_start(&self, group: u64) -> u64 {
        let n_before = group.saturating_mul(self.blocks_per_group);
        n_before.saturating_add(self.first_block)
    }

    /// A whole block, in its newest state.
    pub(super) fn read_block(&mut self, block: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.block_bytes.get()).unwrap_or(0)];
        self.read_blocks(block, 0, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills a buffer from a place in blocks that lie in a row, in their newest state.
    pub(super) fn read_blocks(&mut self, block: u64, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if self.newer.is_empty() {
            return self.read_old(block, offset, buffer);
        }
        let block_bytes = self.block_bytes;
        let mut start = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let at = block.saturating_add(start / block_bytes);
            let within = start % block_bytes;
            let piece_bytes =
                usize::try_from(block_bytes.get().saturating_sub(within)).unwrap_or(0);
            let n = rest.len().min(piece_bytes);
            let (piece, after) = rest.split_at_mut(n);
            let copy = self.newer.get(at);
            self.read_old(copy.map_or(at, |copy| copy.block), within, piece)?;
            if let Some(copy) = copy
                && copy.is_escaped
            {
                copy.restore(within, piece);
            }
            start = start.saturating_add(n as u64);
            rest = after;
        }
        Ok(())
    }

    fn read_old(&mut self, block: u64, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let place = block
            .checked_mul(self.block_bytes.get())
            .and_then(|start| start.checked_add(offset));
        let place = place.ok_or_else(|| {
            Error::corrupt(format!("ext filesystem: block {block} lies outside of it"))
        })?;
        self.slice
            .read_at(place, buffer)
            .map_err(|error| Error::Corrupt {
                what: format!("ext filesystem, block {block}: {error}"),
                offset: Some(place),
            })
    }
}

/// Whether there is a copy of a superblock where the first one is not.
pub(crate) fn has_copy(slice: &mut Slice) -> bool {
    sound_superblock(slice).is_ok_and(|(_, note)| note.is_some())
}

/// The superblock, or, where it is damaged, the first copy of it that is sound; then with a sentence.
fn sound_superblock(slice: &mut Slice) -> Result<([u8; superblock::BYTES], Option<String>)> {
    let is_sound = |bytes: &[u8]| {
        let read_only = u32_at(bytes, superblock::FEATURE_RO_COMPAT).unwrap_or(0);
        u16_at(bytes, superblock::MAGIC) == Some(MAGIC)
            && (read_only & CHECKSUMS == 0 || Checksum::is_superblock(bytes))
    };
    let mut bytes = [0; superblock::BYTES];
    slice.read_at(superblock::PLACE, &mut bytes)?;
    if is_sound(&bytes) {
        return Ok((bytes, None));
    }
    // Group 1 begins after as many blocks as a bitmap of one block has bits.
    for block_bytes in [1024_u64, 2048, 4096, 8192, 16384, 32768, 65536] {
        let n_before = block_bytes.saturating_mul(8);
        let start = n_before.saturating_add(u64::from(block_bytes == 1024));
        let start = start.saturating_mul(block_bytes);
        let mut copy = [0; superblock::BYTES];
        let is_its = |copy: &[u8]| {
            let log_block_kib = u32_at(copy, superblock::LOG_BLOCK_SIZE).unwrap_or(u32::MAX);
            // The first revision did not say it.
            let is_first_revision = u32_at(copy, superblock::REV_LEVEL) == Some(0);
            let is_of_group_1 =
                is_first_revision || u16_at(copy, superblock::BLOCK_GROUP_NR) == Some(1);
            is_of_group_1
                && log_block_kib <= MAX_LOG_BLOCK_KIB
                && 1024 << log_block_kib == block_bytes
        };
        if slice.read_at(start, &mut copy).is_ok() && is_sound(&copy) && is_its(&copy) {
            let note = "the superblock of this filesystem is damaged; a copy of it was used, and what was written \
                        last may be missing";
            return Ok((copy, Some(note.to_owned())));
        }
    }
    Err(Error::corrupt(
        "ext filesystem: its superblock is damaged, and no copy of it was found",
    ))
}

/// Groups 0 and 1 and the powers of 3, 5 and 7 keep copies of the superblock.
fn has_superblock(group: u64) -> bool {
    let is_power_of = |base: u64| {
        let mut power = base;
        while power < group {
            power = power.saturating_mul(base);
        }
        power == group
    };
    group <= 1 || [3, 5, 7].into_iter().any(is_power_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AllowedRoots, Image};

    #[test]
    fn groups_that_would_lie_past_all_numbers_are_damage_and_no_panic() {
        let mut disk = vec![0; 4096];
        let mut put = |at: usize, number: u32| {
            disk[1024 + at..][..4].copy_from_slice(&number.to_le_bytes());
        };
        put(superblock::INODES_COUNT, u32::MAX);
        put(superblock::INODES_PER_GROUP, 1);
        put(superblock::BLOCKS_PER_GROUP, u32::MAX);
        put(superblock::MAGIC, MAGIC.into());
        put(superblock::FEATURE_INCOMPAT, META_BG | IS_64BIT);
        // A block has no whole power of two of these, so that the last copy may be asked of group 2^32 and more.
        put(superblock::DESC_SIZE, 33);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), disk).unwrap();
        let image = Image::open(file.path(), &AllowedRoots::new([])).unwrap();
        let size = image.size_bytes();
        let mut volume = Volume::open(Slice::new(image, 0, size)).unwrap();
        let last = volume.inode(u32::MAX);
        assert!(matches!(last, Err(Error::Corrupt { .. })));
    }
}
