//! What the filesystem knows about one file.

use jiff::Timestamp;

use super::{
    checksum::Checksum,
    layout::{attribute, extent, inode},
};
use crate::EntryKind;
use crate::formats::bytes::{joined, u16_at, u32_at};

/// The root folder.
pub(super) const ROOT: u32 = 2;

/// 2^32 blocks of 64 KiB.
const MAX_FILE_BYTES: u64 = 1 << 48;

const ENCRYPTED: u32 = 0x800;
const INDEXED: u32 = 0x1000;
const EXTENTS: u32 = 0x8_0000;
const INLINE_DATA: u32 = 0x1000_0000;

/// What the root of an extent tree begins with.
const EXTENT_MAGIC: [u8; 2] = [0x0A, 0xF3];

/// Attributes in the inode itself: what they begin with, and the one that holds the rest of a small file.
const ATTRIBUTES_MAGIC: u32 = 0xEA02_0000;
const SYSTEM: u8 = 7;
const INLINE_NAME: &[u8] = b"data";

/// Blocks of a file in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Where they lie; `None` for zeros that lie nowhere.
    pub(super) block: Option<u64>,
    /// How many; never 0.
    pub(super) n_blocks: u64,
}

pub(super) struct Inode {
    pub(super) number: u32,
    pub(super) mode: u16,
    pub(super) size: u64,
    pub(super) modified: Option<Timestamp>,
    pub(super) pointers: [u8; 60],
    /// What the checksums of its other structures begin with, where there are any.
    pub(super) checksum: Option<Checksum>,
    flags: u32,
    /// Content that lies in the inode: in the place of the pointers, then among the attributes.
    inline: Option<Vec<u8>>,
}

impl Inode {
    /// `None` for bytes that are too few.
    pub(super) fn new(number: u32, bytes: &[u8], checksum: Option<Checksum>) -> Option<Self> {
        let mode = u16_at(bytes, inode::MODE)?;
        let is_folder = mode >> 12 == 4;
        // For folders of old filesystems the upper half is something else.
        let size_high = if is_folder {
            0
        } else {
            u32_at(bytes, inode::SIZE_HIGH)?
        };
        let extra_bytes = usize::from(u16_at(bytes, inode::EXTRA_ISIZE).unwrap_or(0));
        let extra = match extra_bytes >= inode::MTIME_EXTRA + 4 - inode::OLD_BYTES {
            true => u32_at(bytes, inode::MTIME_EXTRA).unwrap_or(0),
            false => 0,
        };
        let flags = u32_at(bytes, inode::FLAGS)?;
        let inline = (flags & INLINE_DATA != 0).then(|| {
            let mut content = bytes.get(inode::BLOCK).unwrap_or_default().to_vec();
            content.extend_from_slice(inline_rest(bytes).unwrap_or_default());
            content
        });
        Some(Self {
            number,
            mode,
            size: joined(u32_at(bytes, inode::SIZE_LO)?, size_high),
            modified: time(u32_at(bytes, inode::MTIME)?, extra),
            pointers: bytes.get(inode::BLOCK)?.try_into().ok()?,
            checksum,
            flags,
            inline,
        })
    }

    pub(super) fn kind(&self) -> EntryKind {
        match self.mode >> 12 {
            0x1 => EntryKind::Fifo,
            0x2 => EntryKind::CharDevice,
            0x4 => EntryKind::Directory,
            0x6 => EntryKind::BlockDevice,
            0x8 => EntryKind::File,
            0xA => EntryKind::Symlink,
            0xC => EntryKind::Socket,
            _ => EntryKind::Other,
        }
    }

    pub(super) fn has_extents(&self) -> bool {
        self.flags & EXTENTS != 0
    }

    /// Whether the folder has an index of hashes.
    pub(super) fn is_indexed(&self) -> bool {
        self.flags & INDEXED != 0
    }

    /// Why its content cannot be read.
    pub(super) fn unreadable(&self) -> Option<&'static str> {
        if self.kind() == EntryKind::Other {
            Some("damaged: its kind is none that exists")
        } else if self.size > 0
            && !matches!(
                self.kind(),
                EntryKind::File | EntryKind::Directory | EntryKind::Symlink
            )
        {
            Some("damaged: it claims to be a special file, and none of those has content")
        } else if self.kind() == EntryKind::File && self.size > MAX_FILE_BYTES {
            Some("damaged: its size is none that a file can have")
        } else if self.flags & ENCRYPTED != 0 {
            Some("encrypted by the filesystem, which cannot be read")
        } else if self.inline.is_some()
            && matches!(self.kind(), EntryKind::File | EntryKind::Symlink)
            && self.inline_content().is_none()
        {
            Some("damaged: the part of its content that lies among its attributes is missing")
        } else {
            None
        }
    }

    /// A small file or link without blocks.
    pub(super) fn inline_content(&self) -> Option<&[u8]> {
        let len = usize::try_from(self.size).ok()?;
        match &self.inline {
            Some(content) => content.get(..len),
            None => {
                let is_link = self.kind() == EntryKind::Symlink;
                let is_short = is_link && len < self.pointers.len() && !self.has_extents();
                is_short.then(|| &self.pointers[..len])
            }
        }
    }

    /// The two rows of names of a small folder without blocks; its first four bytes name its parent.
    pub(super) fn inline_names(&self) -> Option<[&[u8]; 2]> {
        let content = self.inline.as_deref()?;
        let end = usize::try_from(self.size)
            .unwrap_or(usize::MAX)
            .min(content.len());
        let (first, second) = content[..end].split_at(end.min(inode::BLOCK.len()));
        Some([first.get(4..).unwrap_or_default(), second])
    }
}

/// An inode of which a fast commit has recorded all but the place of its content: that stays as the table has it,
/// unless the content lies in the inode.
pub(super) fn merged(record: &[u8], table: &[u8]) -> Vec<u8> {
    let mut merged = table.to_vec();
    let flags = u32_at(record, inode::FLAGS).unwrap_or(0);
    let has_place = flags & INLINE_DATA != 0;
    let is_extents = flags & EXTENTS != 0;
    for (place, (new, old)) in record.iter().zip(&mut merged).enumerate() {
        if has_place || !inode::BLOCK.contains(&place) {
            *old = *new;
        }
    }
    // A file that is new has no tree yet: an empty one.
    if is_extents
        && let Some(pointers) = merged.get_mut(inode::BLOCK)
        && !pointers.starts_with(&EXTENT_MAGIC)
    {
        pointers.fill(0);
        pointers[..EXTENT_MAGIC.len()].copy_from_slice(&EXTENT_MAGIC);
        pointers[extent::HEADER_MAX] = 4;
    }
    merged
}

/// The value of the attribute `system.data`: what of a small file does not fit into the place of its pointers.
fn inline_rest(bytes: &[u8]) -> Option<&[u8]> {
    let start = inode::OLD_BYTES + usize::from(u16_at(bytes, inode::EXTRA_ISIZE)?);
    let attributes = bytes.get(start..)?;
    (u32_at(attributes, attribute::HEADER_MAGIC)? == ATTRIBUTES_MAGIC).then_some(())?;
    let entries = attributes.get(attribute::HEADER_BYTES..)?;
    let mut at = 0;
    let mut wanted = None;
    // A name of no length and kind ends them.
    while u32_at(entries, at)? != 0 {
        let entry = entries.get(at..)?;
        let name_len = usize::from(*entry.get(attribute::NAME_LEN)?);
        let end = attribute::NAME + name_len;
        let name = entry.get(attribute::NAME..end)?;
        if entry.get(attribute::NAME_INDEX) == Some(&SYSTEM) && name == INLINE_NAME {
            wanted = Some((
                usize::from(u16_at(entry, attribute::VALUE_OFFS)?),
                usize::try_from(u32_at(entry, attribute::VALUE_SIZE)?).ok()?,
            ));
        }
        at = at.saturating_add(end.next_multiple_of(4));
    }
    let (place, len) = wanted?;
    // Values lie behind all entries, or they would be part of one.
    (place >= at.saturating_add(4)).then_some(())?;
    entries.get(place..place.checked_add(len)?)
}

/// Seconds as of old, and two more bits for them and nanoseconds in the extra field.
fn time(seconds: u32, extra: u32) -> Option<Timestamp> {
    let later = i64::from(extra & 3) << 32;
    let seconds = i64::from(seconds.cast_signed()).saturating_add(later);
    Timestamp::new(seconds, i32::try_from(extra >> 2).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_and_after_2038_are_what_they_are() {
        let at = |seconds, extra| time(seconds, extra).unwrap().to_string();
        assert_eq!(at(0xFFFF_FFFF, 0), "1969-12-31T23:59:59Z");
        assert_eq!(at(0x8000_0000, 1), "2038-01-19T03:14:08Z");
        assert_eq!(at(0, 4 * 500_000_000), "1970-01-01T00:00:00.5Z");
        assert_eq!(time(0, u32::MAX), None, "there are no 1 073 741 823 ns");
    }
}
