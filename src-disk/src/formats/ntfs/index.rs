//! Indexes: the names in a folder, and the volume's table of security descriptors.
//!
//! An index is an ordered tree of records. We read its records one after another, as listed in the bitmap beside them.
//! Every entry is in exactly one record, so there can be no loops, and a damaged record costs only its own entries.

use super::{
    attribute::{BITMAP, INDEX_ALLOCATION, INDEX_ROOT},
    record::{Reference, restore},
    volume::{File, Volume},
};
use crate::{
    Error, Result,
    formats::bytes::{u16_at, u32_at, u64_at},
};

const RECORD_BYTES: usize = 0x08;
const ROOT_HEAD: usize = 0x10;
const CLUSTER: usize = 0x10;
const RECORD_HEAD: usize = 0x18;
/// Below a cluster, index records are counted in these.
const BLOCK_BYTES: u64 = 512;
const MAX_RECORD_BYTES: usize = 2 << 20;
/// Room for more names than are listed.
const MAX_INDEX_BYTES: u64 = 1 << 30;

const LAST: u16 = 2;

/// An entry: what it says of its key is for who knows the index.
pub(super) struct IndexEntry<'index> {
    pub(super) bytes: &'index [u8],
    pub(super) key: &'index [u8],
}

impl IndexEntry<'_> {
    pub(super) fn reference(&self) -> Option<Reference> {
        u64_at(self.bytes, 0).map(Reference)
    }
}

/// Calls for every entry; answers how many pieces of the index could not be read.
pub(super) fn each(
    volume: &mut Volume,
    file: &File,
    name: &[u16],
    mut found: impl FnMut(&IndexEntry<'_>) -> Result<()>,
) -> Result<usize> {
    let root = volume.value(file, INDEX_ROOT, name)?;
    let root = root.ok_or_else(|| Error::corrupt("NTFS: an index without a root"))?;
    let mut n_damaged = usize::from(entries(&root, ROOT_HEAD, &mut found)?.is_none());
    let mut records = match volume.stream(file, INDEX_ALLOCATION, name) {
        Ok(Some(records)) => records,
        Ok(None) => return Ok(n_damaged),
        Err(_) => return Ok(n_damaged + 1),
    };
    let record_bytes = u32_at(&root, RECORD_BYTES).and_then(|n| usize::try_from(n).ok());
    let is_sound = |n: &usize| n.is_power_of_two() && (512..=MAX_RECORD_BYTES).contains(n);
    let record_bytes = record_bytes
        .filter(is_sound)
        .ok_or_else(|| Error::corrupt("NTFS: index records of a size that none has"))?;
    let bitmap = volume.value(file, BITMAP, name).ok().flatten();
    let unit = match volume.boot.cluster_bytes {
        cluster if cluster <= record_bytes as u64 => cluster,
        _ => BLOCK_BYTES,
    };
    let mut record = vec![0; record_bytes];
    let step = record_bytes as u64;
    let mut n_left = MAX_INDEX_BYTES / step;
    let mut at = 0;
    while let Some(allocated) = records.next_allocated(at) {
        at = allocated - allocated % step;
        if n_left == 0 {
            return Ok(n_damaged + 1);
        }
        n_left -= 1;
        if is_used(bitmap.as_deref(), at / step) {
            let is_sound = records
                .read_exact(&mut volume.slice, at, &mut record)
                .is_ok()
                && restore(&mut record, b"INDX").is_some()
                && u64_at(&record, CLUSTER) == Some(at / unit)
                && entries(&record, RECORD_HEAD, &mut found)?.is_some();
            n_damaged += usize::from(!is_sound);
        }
        at += step;
    }
    // What lies behind the end of its runs is lost with all that was in it.
    n_damaged += usize::from(records.allocated_bytes() < records.len_bytes());
    Ok(n_damaged)
}

/// Without a bitmap every record counts.
fn is_used(bitmap: Option<&[u8]>, number: u64) -> bool {
    bitmap.is_none_or(|bitmap| {
        let byte = usize::try_from(number / 8)
            .ok()
            .and_then(|at| bitmap.get(at));
        byte.is_some_and(|byte| byte >> (number % 8) & 1 != 0)
    })
}

/// The entries behind a head; `None` where they are not sound to the last.
fn entries(
    record: &[u8],
    head: usize,
    found: &mut impl FnMut(&IndexEntry<'_>) -> Result<()>,
) -> Result<Option<()>> {
    let bounds = (|| {
        let first = usize::try_from(u32_at(record, head)?).ok()?;
        let end = usize::try_from(u32_at(record, head + 4)?).ok()?;
        record.get(head.checked_add(first)?..head.checked_add(end)?)
    })();
    let Some(mut rest) = bounds else {
        return Ok(None);
    };
    loop {
        let (Some(len), Some(key_len), Some(flags)) =
            (u16_at(rest, 8), u16_at(rest, 10), u16_at(rest, 12))
        else {
            return Ok(None);
        };
        if flags & LAST != 0 {
            return Ok(Some(()));
        }
        let (len, key_end) = (usize::from(len), 16 + usize::from(key_len));
        let Some((entry, behind)) = rest.split_at_checked(len).filter(|_| len >= key_end) else {
            return Ok(None);
        };
        found(&IndexEntry {
            bytes: entry,
            key: &entry[16..key_end],
        })?;
        rest = behind;
    }
}
