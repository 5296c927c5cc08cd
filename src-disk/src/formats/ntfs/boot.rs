//! The boot sector: sizes, and where the file table begins.

use crate::{
    Error, Result,
    formats::bytes::{u16_at, u64_at},
};

pub(super) const BOOT_BYTES: usize = 512;

const SIGNATURE: usize = 0x03;
const SECTOR_BYTES: usize = 0x0B;
const SECTORS_PER_CLUSTER: usize = 0x0D;
const TABLE_CLUSTER: usize = 0x30;
const MIRROR_CLUSTER: usize = 0x38;
const RECORD_SIZE: usize = 0x40;

const MAX_CLUSTER_BYTES: u64 = 2 << 20;
/// Windows makes file records of 1 or 4 KiB, and more are kept in memory where a file has many.
const MAX_RECORD_BYTES: u64 = 4 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Boot {
    pub(super) cluster_bytes: u64,
    pub(super) record_bytes: usize,
    /// In bytes from the beginning of the volume, like the next.
    pub(super) table: u64,
    pub(super) mirror: u64,
}

impl Boot {
    pub(super) fn parse(sector: &[u8]) -> Result<Self> {
        parse(sector).ok_or_else(|| Error::corrupt("NTFS: the boot sector is not sound"))
    }
}

fn parse(sector: &[u8]) -> Option<Boot> {
    if sector.get(SIGNATURE..SIGNATURE + 8)? != b"NTFS    " {
        return None;
    }
    let sector_bytes = u64::from(u16_at(sector, SECTOR_BYTES)?);
    if !sector_bytes.is_power_of_two() || !(256..=4096).contains(&sector_bytes) {
        return None;
    }
    // More than 128 sectors do not fit, and are written as a negative power of two.
    let n_sectors = match *sector.get(SECTORS_PER_CLUSTER)? {
        n if n <= 0x80 => u64::from(n),
        n => 1u64.checked_shl(u32::from(n.wrapping_neg()))?,
    };
    let cluster_bytes = sector_bytes.checked_mul(n_sectors)?;
    if !cluster_bytes.is_power_of_two() || cluster_bytes > MAX_CLUSTER_BYTES {
        return None;
    }
    let record_bytes = match i8::from_le_bytes([*sector.get(RECORD_SIZE)?]) {
        n if n > 0 => cluster_bytes.checked_mul(u64::try_from(n).ok()?)?,
        n => 1u64.checked_shl(u32::from(n.unsigned_abs()))?,
    };
    if !record_bytes.is_power_of_two() || !(512..=MAX_RECORD_BYTES).contains(&record_bytes) {
        return None;
    }
    Some(Boot {
        cluster_bytes,
        record_bytes: usize::try_from(record_bytes).ok()?,
        table: u64_at(sector, TABLE_CLUSTER)?.checked_mul(cluster_bytes)?,
        mirror: u64_at(sector, MIRROR_CLUSTER)?.checked_mul(cluster_bytes)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(sectors_per_cluster: u8) -> Vec<u8> {
        let mut sector = vec![0; BOOT_BYTES];
        sector[SIGNATURE..SIGNATURE + 8].copy_from_slice(b"NTFS    ");
        sector[SECTOR_BYTES + 1] = 2;
        sector[SECTORS_PER_CLUSTER] = sectors_per_cluster;
        sector[TABLE_CLUSTER] = 4;
        sector[RECORD_SIZE] = 0xF6;
        sector
    }

    #[test]
    fn large_clusters_are_written_as_a_negative_power_of_two() {
        for (byte, bytes) in [
            (1, 512),
            (128, 64 << 10),
            (0xF8, 128 << 10),
            (0xF4, 2 << 20),
        ] {
            let boot = Boot::parse(&sector(byte)).unwrap();
            assert_eq!((boot.cluster_bytes, boot.record_bytes), (bytes, 1024));
            assert_eq!(boot.table, 4 * bytes);
        }
        for byte in [0, 3, 0x81, 0xF3, 0xC0] {
            assert!(Boot::parse(&sector(byte)).is_err(), "{byte:#x}");
        }
    }
}
