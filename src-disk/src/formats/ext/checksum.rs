//! Checksums of structures (`metadata_csum`), which distinguish damage from content that merely looks odd.
//!
//! All are CRC-32C without the usual final inversion, so that one can be continued by the next.

use super::layout::{dir_entry, extent, group, inode, superblock};
use crate::formats::bytes::{u16_at, u32_at, u32_be_at};
use crc::{Algorithm, CRC_16_MODBUS, CRC_32_ISCSI, CRC_32_MPEG_2, Crc, Digest, Table};

// Every entry of a folder is checked: sixteen bytes at a time is what listing it takes.
static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&Algorithm {
    xorout: 0,
    ..CRC_32_ISCSI
});

static OLD_CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_MPEG_2);

/// What the tail of a folder's block begins with: it looks like an entry that is not used.
const FOLDER_TAIL: [u8; 8] = [0, 0, 0, 0, 12, 0, 0, 0xDE];

/// A checksum so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checksum(u32);

impl Checksum {
    /// Goes on from a number of the superblock.
    pub(super) fn seeded(seed: u32) -> Self {
        Self(seed)
    }

    /// Of nothing yet.
    pub(super) fn new() -> Self {
        Self(u32::MAX)
    }

    #[must_use]
    pub(super) fn of(self, bytes: &[u8]) -> Self {
        // The library reverses the bits of what it is given to begin with.
        let mut digest = CRC.digest_with_initial(self.0.reverse_bits());
        digest.update(bytes);
        Self(digest.finalize())
    }

    /// Of bytes in which a checksum of `N` bytes itself counts as zeros, at these places in order.
    fn of_blanked<const N: usize>(self, bytes: &[u8], places: &[usize]) -> Self {
        let mut sum = self;
        let mut done = 0;
        for &place in places {
            let (Some(before), Some(end)) = (bytes.get(done..place), place.checked_add(N)) else {
                break;
            };
            if end > bytes.len() {
                break;
            }
            sum = sum.of(before).of(&[0; N]);
            done = end;
        }
        sum.of(bytes.get(done..).unwrap_or_default())
    }

    pub(super) fn is_superblock(bytes: &[u8]) -> bool {
        let (head, tail) = bytes.split_at(bytes.len().min(superblock::CHECKSUM));
        u32_at(tail, 0) == Some(Self::new().of(head).0)
    }

    /// What the structures of one file begin with.
    #[must_use]
    pub(super) fn of_file(self, number: u32, bytes: &[u8]) -> Self {
        let generation = u32_at(bytes, inode::GENERATION).unwrap_or(0);
        self.of(&number.to_le_bytes()).of(&generation.to_le_bytes())
    }

    /// Whether an inode is whole; to be asked of its file's checksum.
    pub(super) fn is_inode(self, bytes: &[u8]) -> bool {
        let is_long =
            bytes.len() > inode::OLD_BYTES && u16_at(bytes, inode::EXTRA_ISIZE) >= Some(4);
        let places: &[usize] = if is_long {
            &[inode::CHECKSUM_LO, inode::CHECKSUM_HI]
        } else {
            &[inode::CHECKSUM_LO]
        };
        let found = self.of_blanked::<2>(bytes, places).0;
        let half = |place: usize| u16_at(bytes, place).map(u32::from);
        half(inode::CHECKSUM_LO) == Some(found & 0xFFFF)
            && (!is_long || half(inode::CHECKSUM_HI) == Some(found >> 16))
    }

    pub(super) fn is_group(self, group: u32, descriptor: &[u8]) -> bool {
        let sum = self.of(&group.to_le_bytes());
        let found = sum.of_blanked::<2>(descriptor, &[group::CHECKSUM]).0;
        u16_at(descriptor, group::CHECKSUM).map(u32::from) == Some(found & 0xFFFF)
    }

    /// Whether a node of an extent tree is whole.
    pub(super) fn is_extents(self, node: &[u8]) -> bool {
        let n_entries = usize::from(u16_at(node, extent::HEADER_MAX).unwrap_or(0));
        let end = n_entries.saturating_add(1).saturating_mul(extent::BYTES);
        let sum = node.get(..end).map(|head| self.of(head).0);
        sum.is_some() && u32_at(node, end) == sum
    }

    /// Whether a block of names is whole. Blocks of a folder's index are not asked: what looks like a tail
    /// there may be left over from names that once were in the block.
    pub(super) fn is_folder(self, block: &[u8]) -> bool {
        let end = block.len().saturating_sub(dir_entry::TAIL_BYTES);
        let (head, tail) = block.split_at(end);
        !tail.starts_with(&FOLDER_TAIL)
            || u32_at(tail, dir_entry::TAIL_CHECKSUM) == Some(self.of(head).0)
    }

    /// Whether a block of the journal is whole, whose own checksum is big-endian and stands at `place`.
    pub(super) fn is_journal_block(self, block: &[u8], place: usize) -> bool {
        u32_be_at(block, place) == Some(self.of_blanked::<4>(block, &[place]).0)
    }

    /// The number itself, to be compared.
    pub(super) fn value(self) -> u32 {
        self.0
    }
}

const OLD_GROUP_CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_MODBUS);

/// Whether the descriptor of a group is whole by the checksum that came first (`uninit_bg`).
pub(super) fn is_old_group(uuid: &[u8], group: u32, descriptor: &[u8]) -> bool {
    let (head, tail) = descriptor.split_at(descriptor.len().min(group::CHECKSUM));
    let mut digest = OLD_GROUP_CRC.digest();
    digest.update(uuid);
    digest.update(&group.to_le_bytes());
    digest.update(head);
    digest.update(tail.get(2..).unwrap_or_default());
    u16_at(descriptor, group::CHECKSUM) == Some(digest.finalize())
}

/// What the first version of journal checksums is made by: CRC-32 with the highest bit first.
pub(super) struct OldJournalSum(Digest<'static, u32>);

impl OldJournalSum {
    pub(super) fn new() -> Self {
        Self(OLD_CRC.digest())
    }

    pub(super) fn add(&mut self, block: &[u8]) {
        self.0.update(block);
    }

    /// The sum so far, and a new beginning.
    pub(super) fn take(&mut self) -> u32 {
        std::mem::replace(&mut self.0, OLD_CRC.digest()).finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_goes_on_from_another() {
        let whole = Checksum::new().of(b"123456789");
        assert_eq!(Checksum::new().of(b"1234").of(b"56789"), whole);
        assert_eq!(!whole.0, 0xE306_9283, "the check value of CRC-32C");
    }
}
