//! Records: what NTFS writes in one operation, with marks that reveal a torn write.
//!
//! The last two bytes of every 512 bytes are kept in an array in the record. In their place is a mark that is the same
//! in all of them. File records (`FILE`) and index records (`INDX`) work this way.

use std::{
    ops::{Deref, Range},
    sync::Arc,
};

use crate::formats::bytes::{u16_at, u32_at, u64_at};

const STRIDE: usize = 512;
const MARKS: usize = 0x04;
const N_MARKS: usize = 0x06;
const SEQUENCE: usize = 0x10;
const FLAGS: usize = 0x16;
const BASE: usize = 0x20;

const IN_USE: u16 = 1;
const FOLDER: u16 = 2;

/// Puts back what the marks replaced. `None` where the record is not one, or was written in part.
pub(super) fn restore(bytes: &mut [u8], signature: &[u8; 4]) -> Option<()> {
    let marks = usize::from(u16_at(bytes, MARKS)?);
    let n_sectors = bytes.len() / STRIDE;
    if !bytes.starts_with(signature)
        || usize::from(u16_at(bytes, N_MARKS)?) != n_sectors.saturating_add(1)
    {
        return None;
    }
    let mark = u16_at(bytes, marks)?;
    for sector in 1..=n_sectors {
        let end = sector.saturating_mul(STRIDE).saturating_sub(2);
        let kept = u16_at(bytes, sector.saturating_mul(2).saturating_add(marks))?;
        if u16_at(bytes, end)? != mark {
            return None;
        }
        bytes
            .get_mut(end..)?
            .get_mut(..2)?
            .copy_from_slice(&kept.to_le_bytes());
    }
    Some(())
}

/// A reference to a file record: its number, and how often that number was given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Reference(pub(super) u64);

impl Reference {
    pub(super) fn number(self) -> u64 {
        self.0 & 0xFFFF_FFFF_FFFF
    }

    /// 0 where it is not known.
    fn sequence(self) -> u64 {
        self.0 >> 48
    }
}

/// Bytes of a record, or of something that was read whole: what is cut out of them is not copied.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    whole: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Piece {
    /// A piece of this one; `None` where it is not that long.
    pub(super) fn part(&self, range: Range<usize>) -> Option<Self> {
        self.get(range.clone())?;
        let start = self.range.start;
        Some(Self {
            whole: Arc::clone(&self.whole),
            range: start.checked_add(range.start)?..start.checked_add(range.end)?,
        })
    }
}

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        let whole = Arc::new(bytes);
        Self { whole, range }
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.whole.get(self.range.clone()).unwrap_or_default()
    }
}

/// A file record, whole.
pub(super) struct Record {
    pub(super) bytes: Piece,
    pub(super) reference: Reference,
    pub(super) is_folder: bool,
    /// Whose attributes these are; 0 where they are its own.
    pub(super) base: Reference,
}

impl Record {
    pub(super) fn parse(mut bytes: Vec<u8>, number: u64) -> Option<Self> {
        restore(&mut bytes, b"FILE")?;
        let flags = u16_at(&bytes, FLAGS)?;
        let sequence = u64::from(u16_at(&bytes, SEQUENCE)?);
        let base = Reference(u64_at(&bytes, BASE)?);
        (flags & IN_USE != 0).then_some(())?;
        u32_at(&bytes, 0x18)?;
        Some(Self {
            reference: Reference(number | (sequence << 48)),
            is_folder: flags & FOLDER != 0,
            base,
            bytes: bytes.into(),
        })
    }

    /// Whether this is still the record that was referred to.
    pub(super) fn is(&self, reference: Reference) -> bool {
        self.reference.number() == reference.number()
            && (reference.sequence() == 0 || reference.sequence() == self.reference.sequence())
    }
}
