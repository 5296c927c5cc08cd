//! The boot sector: where the tables, the root folder and the clusters of a FAT volume are.
//!
//! The rules are those of the Linux kernel (`fs/fat/inode.c`), which reads volumes without the type name or without the
//! mark 55AA at the end of the sector; with one exception for the FAT in use, see [`Boot::active`].

use crate::formats::bytes::{u16_at, u32_at};

/// The largest numbers of clusters, by what their numbers leave room for.
const MAX_FAT12: u64 = 0xFF4;
const MAX_FAT16: u64 = 0xFFF4;
const MAX_FAT32: u64 = 0x0FFF_FFF6;
/// Bytes of one entry of a folder.
const ENTRY_BYTES: u64 = 32;

/// How wide the entries of the table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Twelve,
    Sixteen,
    ThirtyTwo,
}

/// What the boot sector says, checked. Places and lengths are in bytes from the volume's beginning.
#[derive(Clone, Debug)]
pub(crate) struct Boot {
    pub(crate) width: Width,
    pub(crate) cluster_bytes: u64,
    /// Clusters of content; their numbers begin at 2.
    pub(crate) n_clusters: u32,
    pub(crate) fat_start: u64,
    pub(crate) fat_bytes: u64,
    pub(crate) n_fats: u64,
    /// The table in use. Others are its copies, unless [`Boot::is_mirrored`] says that nobody keeps them.
    pub(crate) active: u64,
    pub(crate) is_mirrored: bool,
    /// FAT12 and FAT16 have their root folder in a place of its own.
    pub(crate) root_start: u64,
    pub(crate) root_bytes: u64,
    /// FAT32 has it in clusters.
    pub(crate) root_cluster: u32,
    pub(crate) content_start: u64,
    /// The name that the boot sector gives, as it is there.
    pub(crate) label: Option<[u8; 11]>,
}

impl Boot {
    /// `None` where these are not the first bytes of a FAT volume.
    #[cfg_attr(
        not(test),
        expect(
            clippy::arithmetic_side_effects,
            reason = "numbers of at most 32 bits, multiplied by one of at most 16, in 64 bits; the size of \
                      sectors and of clusters was found to be a power of two"
        )
    )]
    pub(crate) fn parse(sector: &[u8]) -> Option<Self> {
        let sector_bytes = u64::from(u16_at(sector, 11)?);
        let cluster_sectors = u64::from(*sector.get(13)?);
        let n_reserved = u64::from(u16_at(sector, 14)?);
        let n_fats = u64::from(*sector.get(16)?);
        let media = *sector.get(21)?;
        let is_sane = matches!(sector_bytes, 512 | 1024 | 2048 | 4096)
            && cluster_sectors.is_power_of_two()
            && n_reserved > 0
            && (1..=16).contains(&n_fats)
            && (media >= 0xF8 || media == 0xF0);
        if !is_sane {
            return None;
        }
        let short_fat = u64::from(u16_at(sector, 22)?);
        let long_fat = u64::from(u32_at(sector, 36)?);
        let is_fat32 = short_fat == 0;
        let fat_sectors = if is_fat32 { long_fat } else { short_fat };
        let n_root = if is_fat32 {
            0
        } else {
            u64::from(u16_at(sector, 17)?)
        };
        let n_sectors = match u16_at(sector, 19)? {
            0 => u64::from(u32_at(sector, 32)?),
            n => u64::from(n),
        };
        let root_sectors = (n_root * ENTRY_BYTES).div_ceil(sector_bytes);
        let root_at = n_reserved + n_fats * fat_sectors;
        let content_at = root_at + root_sectors;
        let n_clusters = n_sectors.checked_sub(content_at)? / cluster_sectors;
        let width = match () {
            () if is_fat32 => Width::ThirtyTwo,
            () if n_clusters > MAX_FAT12 => Width::Sixteen,
            () => Width::Twelve,
        };
        // A table may be too short for the volume: what it has no entries for cannot be used.
        let fat_bytes = fat_sectors * sector_bytes;
        let (n_entries, most) = match width {
            Width::Twelve => (fat_bytes * 2 / 3, MAX_FAT12),
            Width::Sixteen => (fat_bytes / 2, MAX_FAT16),
            Width::ThirtyTwo => (fat_bytes / 4, MAX_FAT32),
        };
        let n_clusters = n_clusters.min(n_entries.saturating_sub(2));
        if n_clusters == 0 || n_clusters > most || (!is_fat32 && n_root == 0) {
            return None;
        }
        let flags = if is_fat32 { u16_at(sector, 40)? } else { 0 };
        let is_mirrored = flags & 0x80 == 0;
        let active = if is_mirrored {
            0
        } else {
            u64::from(flags & 0x0F)
        };
        let named = if is_fat32 { 66 } else { 38 };
        let label = match sector.get(named)? {
            0x29 => sector.get(named + 5..named + 16)?.try_into().ok(),
            _ => None,
        };
        Some(Self {
            width,
            cluster_bytes: cluster_sectors * sector_bytes,
            n_clusters: u32::try_from(n_clusters).ok()?,
            fat_start: n_reserved * sector_bytes,
            fat_bytes,
            n_fats,
            // The kernel takes the first table whatever is said here; Windows, which sets it, does not.
            active: if active < n_fats { active } else { 0 },
            is_mirrored,
            root_start: root_at * sector_bytes,
            root_bytes: n_root * ENTRY_BYTES,
            root_cluster: if is_fat32 { u32_at(sector, 44)? } else { 0 },
            content_start: content_at * sector_bytes,
            label,
        })
    }

    /// Whether a cluster of that number exists.
    pub(crate) fn has(&self, cluster: u32) -> bool {
        let index = cluster.checked_sub(2);
        index.is_some_and(|index| index < self.n_clusters)
    }

    /// Where a cluster lies; only of those that exist.
    pub(crate) fn start_of(&self, cluster: u32) -> u64 {
        let index = u64::from(cluster.saturating_sub(2));
        let within = index.saturating_mul(self.cluster_bytes);
        within.saturating_add(self.content_start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A boot sector of 512-byte sectors, one each cluster.
    fn sector(n_sectors: u32, short_fat: u16, long_fat: u32, n_root: u16) -> Vec<u8> {
        let mut sector = vec![0; 512];
        sector[11..13].copy_from_slice(&512u16.to_le_bytes());
        sector[13] = 1;
        sector[14] = 32;
        sector[16] = 2;
        sector[17..19].copy_from_slice(&n_root.to_le_bytes());
        sector[21] = 0xF8;
        sector[22..24].copy_from_slice(&short_fat.to_le_bytes());
        sector[32..36].copy_from_slice(&n_sectors.to_le_bytes());
        sector[36..40].copy_from_slice(&long_fat.to_le_bytes());
        sector[44] = 2;
        sector
    }

    #[test]
    fn the_kind_is_told_by_the_number_of_clusters_and_fat32_by_its_table() {
        let width = |n_sectors, short, long, root| {
            Boot::parse(&sector(n_sectors, short, long, root)).map(|boot| boot.width)
        };
        assert_eq!(width(4000, 12, 0, 16), Some(Width::Twelve));
        assert_eq!(width(9000, 40, 0, 16), Some(Width::Sixteen));
        // Few clusters do not make a FAT12 of what has FAT32's table.
        assert_eq!(width(4000, 0, 40, 0), Some(Width::ThirtyTwo));
        assert_eq!(width(10, 12, 0, 16), None, "no room for a cluster");
    }

    #[test]
    fn a_table_too_short_for_the_volume_limits_its_clusters() {
        let boot = Boot::parse(&sector(9000, 10, 0, 16)).unwrap();
        assert_eq!(boot.n_clusters, 10 * 256 - 2);
        assert!(boot.has(2) && !boot.has(1) && !boot.has(boot.n_clusters + 2));
    }
}
