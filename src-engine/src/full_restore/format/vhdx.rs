//! VHDX as [MS-VHDX] has it: identifier, two headers, two region tables, an empty log, metadata, block allocation
//! table, data. A dynamic disk without a parent.

use std::io;

use crc::{CRC_32_ISCSI, Crc};
use uuid::Uuid;

use super::super::layout::{Layout, Tables, put};

/// The largest disk of the format, [MS-VHDX] 2.6.2.2.
pub(crate) const MAX_DISK_BYTES: u64 = 64 << 40;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// 2.1: "CRC-32C".
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

const LOG: (u64, u64) = (MIB, MIB);
const METADATA: (u64, u64) = (2 * MIB, MIB);
const TABLE_START: u64 = 3 * MIB;
/// Items of the metadata begin so far behind its table.
const ITEMS: u64 = 64 * KIB;
const SECTOR_BYTES: u64 = 512;
const PHYSICAL_SECTOR_BYTES: u32 = 4096;

/// 2.2.3: known regions.
const BLOCK_TABLE_REGION: Uuid = Uuid::from_u128(0x2dc27766_f623_4200_9d64_115e9bfd4a08);
const METADATA_REGION: Uuid = Uuid::from_u128(0x8b7ca206_4790_4b9a_b8fe_575f050f886e);

/// 2.6.2: known items of the metadata.
const FILE_PARAMETERS: Uuid = Uuid::from_u128(0xcaa16737_fa36_4d43_b3b6_33f0aa44e76b);
const VIRTUAL_DISK_SIZE: Uuid = Uuid::from_u128(0x2fa54224_cd1b_4876_b211_5dbed83bf4b8);
const VIRTUAL_DISK_ID: Uuid = Uuid::from_u128(0xbeca12ab_b2e6_4523_93ef_c309e000c746);
const LOGICAL_SECTOR_SIZE: Uuid = Uuid::from_u128(0x8141bf1d_a96f_4709_ba47_f233a8faab5f);
const PHYSICAL_SECTOR_SIZE: Uuid = Uuid::from_u128(0xcda348c7_445d_4471_9cc9_e9885251c556);
/// 2.6.1.2: the item describes the disk, not the file; and who does not know it must not open the file.
const OF_DISK: u32 = 1 << 1;
const REQUIRED: u32 = 1 << 2;

/// 2.5.1.1: states of a block.
const ZERO: u64 = 2;
const FULLY_PRESENT: u64 = 6;

/// Small blocks keep what is copied elsewhere small; those of large disks keep the table small.
pub(crate) fn block_bytes(disk_bytes: u64) -> u64 {
    (disk_bytes >> 20).next_power_of_two().clamp(MIB, 256 * MIB)
}

/// Where data begins.
pub(crate) fn data_start(disk_bytes: u64) -> u64 {
    TABLE_START + table_bytes(disk_bytes)
}

fn table_bytes(disk_bytes: u64) -> u64 {
    (n_entries(disk_bytes) * 8).next_multiple_of(MIB).max(MIB)
}

/// Behind so many entries for blocks comes one for a bitmap, which only disks with a parent use (2.5).
fn chunk_ratio(disk_bytes: u64) -> u64 {
    (SECTOR_BYTES << 23) / block_bytes(disk_bytes)
}

fn n_blocks(disk_bytes: u64) -> u64 {
    disk_bytes.div_ceil(block_bytes(disk_bytes))
}

fn n_entries(disk_bytes: u64) -> u64 {
    let n_blocks = n_blocks(disk_bytes);
    n_blocks + n_blocks.saturating_sub(1) / chunk_ratio(disk_bytes)
}

/// Writes everything but data.
pub(crate) fn write_tables(layout: &Layout, tables: &mut Tables<'_>) -> io::Result<()> {
    let mut identifier = Vec::from(b"vhdxfile");
    identifier.extend("Sendense".encode_utf16().flat_map(u16::to_le_bytes));
    tables.put(0, &identifier)?;
    for (number, offset) in [(1, 64 * KIB), (2, 128 * KIB)] {
        tables.put(offset, &header(layout, number))?;
    }
    let regions = regions(layout.disk_bytes);
    tables.put(192 * KIB, &regions)?;
    tables.put(256 * KIB, &regions)?;
    let (table, items) = metadata(layout);
    tables.put(METADATA.0, &table)?;
    tables.put(METADATA.0 + ITEMS, &items)?;
    tables.put(TABLE_START, &block_table(layout))
}

/// 2.2.2. The one with the larger number is the current one.
fn header(layout: &Layout, number: u64) -> Vec<u8> {
    let mut header = vec![0; 4096];
    put(&mut header, 0, b"head");
    put(&mut header, 8, &number.to_le_bytes());
    let id = |purpose| layout.identity.id(purpose).to_bytes_le();
    put(&mut header, 16, &id("vhdx file write"));
    put(&mut header, 32, &id("vhdx data write"));
    // No id of a log: it is empty.
    put(&mut header, 66, &1_u16.to_le_bytes());
    put(&mut header, 68, &(LOG.1 as u32).to_le_bytes());
    put(&mut header, 72, &LOG.0.to_le_bytes());
    checked(header)
}

/// 2.2.3.
fn regions(disk_bytes: u64) -> Vec<u8> {
    let mut table = vec![0; 64 * KIB as usize];
    put(&mut table, 0, b"regi");
    put(&mut table, 8, &2_u32.to_le_bytes());
    let regions = [
        (BLOCK_TABLE_REGION, TABLE_START, table_bytes(disk_bytes)),
        (METADATA_REGION, METADATA.0, METADATA.1),
    ];
    for (number, (id, offset, len_bytes)) in regions.into_iter().enumerate() {
        let entry = &mut table[16 + 32 * number..];
        put(entry, 0, &id.to_bytes_le());
        put(entry, 16, &offset.to_le_bytes());
        put(entry, 24, &(len_bytes as u32).to_le_bytes());
        put(entry, 28, &1_u32.to_le_bytes());
    }
    checked(table)
}

/// Both kinds have their checksum behind their signature, taken while it is zero.
fn checked(mut structure: Vec<u8>) -> Vec<u8> {
    let checksum = CRC.checksum(&structure);
    put(&mut structure, 4, &checksum.to_le_bytes());
    structure
}

/// 2.6: the table, and the items behind it.
fn metadata(layout: &Layout) -> (Vec<u8>, Vec<u8>) {
    let mut parameters = Vec::from((block_bytes(layout.disk_bytes) as u32).to_le_bytes());
    parameters.extend(0_u32.to_le_bytes());
    let disk_id = layout.identity.id("vhdx disk").to_bytes_le();
    let all: [(Uuid, u32, Vec<u8>); 5] = [
        (FILE_PARAMETERS, REQUIRED, parameters),
        (
            VIRTUAL_DISK_SIZE,
            OF_DISK | REQUIRED,
            layout.disk_bytes.to_le_bytes().into(),
        ),
        (VIRTUAL_DISK_ID, OF_DISK | REQUIRED, disk_id.into()),
        (
            LOGICAL_SECTOR_SIZE,
            OF_DISK | REQUIRED,
            (SECTOR_BYTES as u32).to_le_bytes().into(),
        ),
        (
            PHYSICAL_SECTOR_SIZE,
            OF_DISK | REQUIRED,
            PHYSICAL_SECTOR_BYTES.to_le_bytes().into(),
        ),
    ];
    let mut table = vec![0; 32 + 32 * all.len()];
    put(&mut table, 0, b"metadata");
    put(&mut table, 10, &(all.len() as u16).to_le_bytes());
    let mut items = Vec::new();
    for (number, (id, flags, item)) in all.into_iter().enumerate() {
        let entry = &mut table[32 + 32 * number..];
        put(entry, 0, &id.to_bytes_le());
        let offset = ITEMS as u32 + items.len() as u32;
        put(entry, 16, &offset.to_le_bytes());
        put(entry, 20, &(item.len() as u32).to_le_bytes());
        put(entry, 24, &flags.to_le_bytes());
        items.extend(item);
    }
    (table, items)
}

/// 2.5. An entry holds the state of its block and its place, which is a multiple of 1 MiB.
fn block_table(layout: &Layout) -> Vec<u8> {
    let ratio = chunk_ratio(layout.disk_bytes);
    let mut table = vec![0; n_entries(layout.disk_bytes) as usize * 8];
    for block in 0..n_blocks(layout.disk_bytes) {
        let entry = match layout.blocks.is_set(block) {
            true => layout.block_place(block) | FULLY_PRESENT,
            false => ZERO,
        };
        let at = (block + block / ratio) as usize * 8;
        put(&mut table, at, &entry.to_le_bytes());
    }
    table
}
