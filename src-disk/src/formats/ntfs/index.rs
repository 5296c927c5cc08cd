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
        Err(_) => return Ok(n_damaged.saturating_add(1)),
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
    let step_bits = record_bytes.trailing_zeros();
    let mut n_left = MAX_INDEX_BYTES >> step_bits;
    let mut next = Some(0);
    while let Some(allocated) = next.and_then(|next| records.next_allocated(next)) {
        let number = allocated >> step_bits;
        let at = number << step_bits;
        if n_left == 0 {
            return Ok(n_damaged.saturating_add(1));
        }
        n_left = n_left.saturating_sub(1);
        if is_used(bitmap.as_deref(), number) {
            let is_sound = records
                .read_exact(&mut volume.slice, at, &mut record)
                .is_ok()
                && restore(&mut record, b"INDX").is_some()
                && u64_at(&record, CLUSTER) == at.checked_div(unit)
                && entries(&record, RECORD_HEAD, &mut found)?.is_some();
            n_damaged = n_damaged.saturating_add(usize::from(!is_sound));
        }
        next = at.checked_add(record_bytes as u64);
    }
    // What lies behind the end of its runs is lost with all that was in it.
    let is_cut = records.allocated_bytes() < records.len_bytes();
    Ok(n_damaged.saturating_add(usize::from(is_cut)))
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
        let end = usize::try_from(u32_at(record, head.checked_add(4)?)?).ok()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AllowedRoots, Image, Slice,
        formats::ntfs::attribute::{Attribute, Body, DATA, Part},
    };

    const END: [u8; 4] = [0xFF; 4];

    /// A volume of nothing but a table of one record: the table's own.
    fn volume() -> Volume {
        let mut disk = vec![0; 8192];
        disk[3..11].copy_from_slice(b"NTFS    ");
        // Sectors of 512 bytes, clusters of one, the table in the fourth, records of 1 KiB.
        (disk[0x0C], disk[0x0D], disk[0x30], disk[0x40]) = (2, 1, 4, 0xF6);
        let record = &mut disk[2048..3072];
        record[..8].copy_from_slice(b"FILE\x30\0\x03\0");
        record[0x14] = 0x38;
        record[0x16] = 1;
        let data = &mut record[0x38..0x88];
        data[..4].copy_from_slice(&DATA.to_le_bytes());
        (data[0x04], data[0x08], data[0x20]) = (0x50, 1, 0x40);
        (data[0x31], data[0x39]) = (4, 4);
        data[0x40..0x43].copy_from_slice(&[0x11, 2, 4]);
        record[0x88..0x8C].copy_from_slice(&END);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), disk).unwrap();
        let image = Image::open(file.path(), &AllowedRoots::new([])).unwrap();
        let size = image.size_bytes();
        Volume::open(Slice::new(image, 0, size)).unwrap()
    }

    fn attribute(kind: u32, body: Body) -> Attribute {
        Attribute {
            kind,
            name: Vec::new(),
            instance: 0,
            is_compressed: false,
            is_encrypted: false,
            body,
        }
    }

    #[test]
    fn a_record_at_the_end_of_all_numbers_is_damage_and_no_panic() {
        let mut root = vec![0; 0x30];
        // Records of 1 KiB; the only entry here is the last.
        root[0x09] = 4;
        (root[0x10], root[0x14]) = (0x10, 0x20);
        (root[0x28], root[0x2C]) = (0x10, 2);
        let hole = [0x07, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
        let runs = [&hole[..], &[0x11, 1, 1, 0]].concat();
        let allocation = Part {
            first_cluster: 0,
            size: u64::MAX,
            initialized: u64::MAX,
            unit: 0,
            runs: runs.into(),
        };
        let file = File {
            reference: Reference(5),
            is_folder: true,
            attributes: vec![
                attribute(INDEX_ROOT, Body::Resident(root.into())),
                attribute(INDEX_ALLOCATION, Body::Runs(allocation)),
            ],
            is_damaged: false,
        };
        let n_damaged = each(&mut volume(), &file, &[], |_| Ok(())).unwrap();
        assert_eq!(n_damaged, 2, "the record, and what lies behind its runs");
    }
}
