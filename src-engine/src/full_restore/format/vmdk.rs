//! VMDK, one file that grows (`monolithicSparse`), as VMware's "Virtual Disk Format 5.0" has it: header, descriptor,
//! spare grain directory and tables, grain directory and tables, grains of 64 KiB.

use std::io;

use super::super::layout::{Identity, Layout, Tables, put};
use crate::image::{CLUSTER_BYTES, SECTOR_BYTES};

/// Places in the file are counted in sectors, in 32 bits.
pub(crate) const MAX_DISK_BYTES: u64 = (u32::MAX as u64) * SECTOR_BYTES;

/// A grain is a cluster of ours, and VMware's default.
const GRAIN_SECTORS: u64 = CLUSTER_BYTES / SECTOR_BYTES;
/// Entries of one grain table.
pub(super) const TABLE_ENTRIES: u64 = 512;
const TABLE_SECTORS: u64 = TABLE_ENTRIES * 4 / SECTOR_BYTES;
/// Where the descriptor is, and how long it may be.
pub(super) const DESCRIPTOR: (u64, u64) = (1, 20);
/// There is a test for line ends, and a spare grain directory.
const FLAGS: u32 = 1 | 1 << 1;

/// The id by which VirtualBox knows the disk.
pub(crate) const MEDIUM: &str = "vmdk image";

/// Where the two directories, each followed by its tables, and the data begin, in sectors.
struct Places {
    n_tables: u64,
    spare: u64,
    main: u64,
    data: u64,
}

impl Places {
    fn of(disk_bytes: u64) -> Self {
        let n_tables = disk_bytes.div_ceil(TABLE_ENTRIES * CLUSTER_BYTES);
        let set_sectors = directory_sectors(n_tables) + n_tables * TABLE_SECTORS;
        let spare = DESCRIPTOR.0 + DESCRIPTOR.1;
        let main = spare + set_sectors;
        Self {
            n_tables,
            spare,
            main,
            data: (main + set_sectors).next_multiple_of(GRAIN_SECTORS),
        }
    }

    /// The first table of the set whose directory is there.
    fn tables(&self, directory: u64) -> u64 {
        directory + directory_sectors(self.n_tables)
    }
}

fn directory_sectors(n_tables: u64) -> u64 {
    (n_tables * 4).div_ceil(SECTOR_BYTES)
}

/// Where data begins.
pub(crate) fn data_start(disk_bytes: u64) -> u64 {
    Places::of(disk_bytes).data * SECTOR_BYTES
}

/// What the header of a sparse extent says.
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) flags: u32,
    pub(super) capacity_sectors: u64,
    pub(super) spare_directory: u64,
    pub(super) directory: u64,
    pub(super) data: u64,
    pub(super) compression: u16,
}

impl Header {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut header = vec![0; SECTOR_BYTES as usize];
        put(&mut header, 0, b"KDMV");
        put(&mut header, 4, &self.version.to_le_bytes());
        put(&mut header, 8, &self.flags.to_le_bytes());
        put(&mut header, 12, &self.capacity_sectors.to_le_bytes());
        put(&mut header, 20, &GRAIN_SECTORS.to_le_bytes());
        put(&mut header, 28, &DESCRIPTOR.0.to_le_bytes());
        put(&mut header, 36, &DESCRIPTOR.1.to_le_bytes());
        put(&mut header, 44, &(TABLE_ENTRIES as u32).to_le_bytes());
        put(&mut header, 48, &self.spare_directory.to_le_bytes());
        put(&mut header, 56, &self.directory.to_le_bytes());
        put(&mut header, 64, &self.data.to_le_bytes());
        put(&mut header, 73, b"\n \r\n");
        put(&mut header, 77, &self.compression.to_le_bytes());
        header
    }
}

/// Writes everything but data.
pub(crate) fn write_tables(layout: &Layout, tables: &mut Tables<'_>) -> io::Result<()> {
    let places = Places::of(layout.disk_bytes);
    let header = Header {
        version: 1,
        flags: FLAGS,
        capacity_sectors: layout.disk_bytes / SECTOR_BYTES,
        spare_directory: places.spare,
        directory: places.main,
        data: places.data,
        compression: 0,
    };
    tables.put(0, &header.bytes())?;
    let descriptor = descriptor(&layout.identity, layout.disk_bytes, "monolithicSparse");
    tables.put(DESCRIPTOR.0 * SECTOR_BYTES, descriptor.as_bytes())?;
    for directory in [places.spare, places.main] {
        let first = places.tables(directory);
        let all = (0..places.n_tables).map(|number| (first + number * TABLE_SECTORS) as u32);
        tables.put(directory * SECTOR_BYTES, &entries(all))?;
        for number in 0..places.n_tables {
            let grains = number * TABLE_ENTRIES..(number + 1) * TABLE_ENTRIES;
            let table = grains.map(|grain| match layout.blocks.is_set(grain) {
                true => (layout.block_place(grain) / SECTOR_BYTES) as u32,
                false => 0,
            });
            let place = first + number * TABLE_SECTORS;
            tables.put(place * SECTOR_BYTES, &entries(table))?;
        }
    }
    Ok(())
}

pub(super) fn entries(entries: impl Iterator<Item = u32>) -> Vec<u8> {
    entries.flat_map(u32::to_le_bytes).collect()
}

/// The text that describes the disk. Its geometry is what VMware and VirtualBox make of a disk of that size.
pub(super) fn descriptor(identity: &Identity, disk_bytes: u64, kind: &str) -> String {
    let sectors = disk_bytes / SECTOR_BYTES;
    let cylinders = (sectors / (16 * 63)).min(16383);
    let name = &identity.file_name;
    let content_id = identity.id("vmdk content").as_u128() as u32 & 0x7fff_ffff;
    let medium = identity.id(MEDIUM);
    let modification = identity.id("vmdk modification");
    format!(
        "# Disk DescriptorFile\n\
         version=1\n\
         encoding=\"UTF-8\"\n\
         CID={content_id:08x}\n\
         parentCID=ffffffff\n\
         createType=\"{kind}\"\n\
         \n\
         # Extent description\n\
         RW {sectors} SPARSE \"{name}\"\n\
         \n\
         # The Disk Data Base\n\
         #DDB\n\
         \n\
         ddb.virtualHWVersion = \"10\"\n\
         ddb.adapterType = \"ide\"\n\
         ddb.geometry.cylinders = \"{cylinders}\"\n\
         ddb.geometry.heads = \"16\"\n\
         ddb.geometry.sectors = \"63\"\n\
         ddb.uuid.image = \"{medium}\"\n\
         ddb.uuid.parent = \"00000000-0000-0000-0000-000000000000\"\n\
         ddb.uuid.modification = \"{modification}\"\n\
         ddb.uuid.parentmodification = \"00000000-0000-0000-0000-000000000000\"\n"
    )
}
