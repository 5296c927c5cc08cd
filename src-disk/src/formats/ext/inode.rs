//! What the filesystem knows about one file.

use jiff::Timestamp;

use super::checksum::Checksum;
use crate::EntryKind;
use crate::formats::bytes::{joined, u16_at, u32_at};

/// The root folder.
pub(super) const ROOT: u32 = 2;

const ENCRYPTED: u32 = 0x800;
const EXTENTS: u32 = 0x8_0000;
const INLINE_DATA: u32 = 0x1000_0000;

/// The space for block pointers, which short links use for themselves.
const POINTERS: std::ops::Range<usize> = 0x28..0x28 + 60;

pub(super) struct Inode {
    pub(super) number: u32,
    pub(super) mode: u16,
    pub(super) size: u64,
    pub(super) modified: Option<Timestamp>,
    pub(super) pointers: [u8; 60],
    /// What the checksums of its other structures begin with, where there are any.
    pub(super) checksum: Option<Checksum>,
    flags: u32,
}

impl Inode {
    /// `None` for bytes that are too few.
    pub(super) fn new(number: u32, bytes: &[u8], checksum: Option<Checksum>) -> Option<Self> {
        let mode = u16_at(bytes, 0)?;
        let is_folder = mode >> 12 == 4;
        // For folders of old filesystems the upper half is something else.
        let size_high = if is_folder { 0 } else { u32_at(bytes, 0x6C)? };
        let extra_bytes = u16_at(bytes, 0x80).unwrap_or(0);
        let extra = match extra_bytes >= 12 {
            true => u32_at(bytes, 0x88).unwrap_or(0),
            false => 0,
        };
        Some(Self {
            number,
            mode,
            size: joined(u32_at(bytes, 0x04)?, size_high),
            modified: time(u32_at(bytes, 0x10)?, extra),
            pointers: bytes.get(POINTERS)?.try_into().ok()?,
            checksum,
            flags: u32_at(bytes, 0x20)?,
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

    /// Why its content cannot be read.
    pub(super) fn unreadable(&self) -> Option<&'static str> {
        if self.kind() == EntryKind::Other {
            Some("its kind is none that exists")
        } else if self.flags & ENCRYPTED != 0 {
            Some("encrypted by the filesystem, which cannot be read")
        } else if self.flags & INLINE_DATA != 0
            && self.inline_content().is_none()
            && self.inline_link().is_none()
        {
            Some("kept beside its attributes, where it cannot be read yet")
        } else {
            None
        }
    }

    /// A small file without blocks.
    pub(super) fn inline_content(&self) -> Option<&[u8]> {
        let is_inline = self.flags & INLINE_DATA != 0 && self.kind() == EntryKind::File;
        let len = usize::try_from(self.size).ok()?;
        is_inline.then(|| self.pointers.get(..len)).flatten()
    }

    /// A target without blocks.
    pub(super) fn inline_link(&self) -> Option<&[u8]> {
        let len = usize::try_from(self.size).ok()?;
        let is_link = self.kind() == EntryKind::Symlink;
        let is_short = is_link && len < self.pointers.len() && !self.has_extents();
        is_short.then(|| &self.pointers[..len])
    }
}

/// Seconds as of old, and two more bits for them and nanoseconds in the extra field.
fn time(seconds: u32, extra: u32) -> Option<Timestamp> {
    let seconds = i64::from(seconds.cast_signed()) + (i64::from(extra & 3) << 32);
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
