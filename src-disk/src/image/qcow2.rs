//! Whether everything a QCOW2 image refers to is inside its file.
//!
//! Past the end of a file imago reads zeros. So an image that was cut off, or whose tables point nowhere, would
//! silently be backed up as a disk with holes. Format: QEMU's docs/interop/qcow2.txt. [`find_flaw`] examines our own
//! images more closely.

mod flaw;
mod header;
mod structure;

use std::{
    collections::HashSet,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

pub use self::flaw::Flaw;
pub use self::structure::find_flaw;
use crate::{Error, Result};

/// Bits of an entry that hold a place in the file.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
/// Reads as zeros, whatever is in the file.
const ZERO: u64 = 1;
/// Incompatible feature: entries of twice the size, with a bitmap of subclusters.
const EXTENDED_L2: u64 = 1 << 4;
/// Clusters from 512 bytes to 2 MiB, as QEMU has it.
const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;

/// Longer names are none, says QEMU.
const MAX_NAME_BYTES: u64 = 1023;

struct Tables {
    file: File,
    file_bytes: u64,
    cluster_bits: u32,
    entry_bytes: u64,
}

/// Follows the tables of the image to the clusters of the disk, reading only the tables.
///
/// The work is bounded by the length of the file: no table may be used twice.
///
/// # Errors
/// [`Error::Corrupt`] where a table or cluster lies outside the file.
pub(crate) fn check_references(mut file: File, path: &Path) -> Result<()> {
    let file_bytes = file.metadata()?.len();
    let mut header = [0; 104];
    let header_bytes = usize::try_from(file_bytes).unwrap_or(104).min(104);
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut header[..header_bytes])?;
    let version = u32_at(&header, 4);
    let cluster_bits = u32_at(&header, 20);
    if !CLUSTER_BITS.contains(&cluster_bits) {
        return Err(damaged(path, "the size of its clusters makes no sense"));
    }
    let features = if version >= 3 { u64_at(&header, 72) } else { 0 };
    let mut tables = Tables {
        file,
        file_bytes,
        cluster_bits,
        entry_bytes: if features & EXTENDED_L2 == 0 { 8 } else { 16 },
    };
    let disk_bytes = u64_at(&header, 24);
    let l1_entries = u64::from(u32_at(&header, 36));
    let l2_entries = (1_u64 << cluster_bits) >> tables.entry_bytes.trailing_zeros();
    let needed = disk_bytes.div_ceil(l2_entries << cluster_bits);
    if l1_entries < needed {
        return Err(damaged(path, "its first table is too small for its disk"));
    }
    let l1 = tables.read(u64_at(&header, 40), needed.saturating_mul(8));
    let l1 = l1?.ok_or_else(|| cut_off(path))?;
    let mut seen = HashSet::new();
    for entry in entries(&l1, 8) {
        let l2_offset = entry & OFFSET;
        if l2_offset == 0 {
            continue;
        }
        if !seen.insert(l2_offset) {
            return Err(damaged(path, "two of its tables are one"));
        }
        let l2 = tables.read(l2_offset, 1 << cluster_bits)?;
        let l2 = l2.ok_or_else(|| cut_off(path))?;
        if entries(&l2, tables.entry_bytes).any(|entry| !tables.holds(entry)) {
            return Err(cut_off(path));
        }
    }
    Ok(())
}

/// The name of the image that a QCOW2 image says it builds on, as it stands in its header; `None` for
/// files that are none, or build on nothing. It is a claim: a guest can write one to a raw disk.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read.
pub fn backing_name(path: &Path) -> Result<Option<String>> {
    let mut file = File::open(path)?;
    let mut header = Vec::new();
    file.by_ref().take(20).read_to_end(&mut header)?;
    let (offset, len_bytes) = (u64_at(&header, 8), u64::from(u32_at(&header, 16)));
    if !header.starts_with(b"QFI\xfb") || offset == 0 || len_bytes > MAX_NAME_BYTES {
        return Ok(None);
    }
    let mut name = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(len_bytes).read_to_end(&mut name)?;
    Ok((!name.is_empty()).then(|| String::from_utf8_lossy(&name).into_owned()))
}

impl Tables {
    /// `None` where it does not lie in the file as a whole.
    fn read(&mut self, offset: u64, len_bytes: u64) -> Result<Option<Vec<u8>>> {
        let end = offset.checked_add(len_bytes);
        if end.is_none_or(|end| end > self.file_bytes) {
            return Ok(None);
        }
        let mut table = vec![0; usize::try_from(len_bytes).unwrap_or(usize::MAX)];
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(&mut table)?;
        Ok(Some(table))
    }

    /// Whether the cluster that an entry of a second-level table names begins in the file. The last
    /// one may reach behind its end: QEMU does not write the zeros there.
    fn holds(&self, entry: u64) -> bool {
        let offset = if entry & COMPRESSED != 0 {
            let offset_bits = 62_u32.saturating_sub(self.cluster_bits.saturating_sub(8));
            entry & !(u64::MAX << offset_bits)
        } else if self.entry_bytes == 8 && entry & ZERO != 0 {
            0
        } else {
            entry & OFFSET
        };
        offset < self.file_bytes
    }
}

/// The place in the file is the first word of an entry of either size.
fn entries(table: &[u8], entry_bytes: u64) -> impl Iterator<Item = u64> {
    let entry_bytes = usize::try_from(entry_bytes).unwrap_or(usize::MAX);
    table
        .chunks_exact(entry_bytes)
        .map(|entry| u64_at(entry, 0))
}

/// Callers ask for places within buffers of fixed size.
fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes
        .get(offset..)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    (u64::from(u32_at(bytes, offset)) << 32) | u64::from(u32_at(bytes, offset.saturating_add(4)))
}

fn cut_off(path: &Path) -> Error {
    damaged(
        path,
        "parts of its disk should lie behind the end of the file, which was cut off or damaged",
    )
}

fn damaged(path: &Path, why: &str) -> Error {
    Error::corrupt(format!(
        "{} is not a sound QCOW2 image: {why}",
        path.display()
    ))
}
