//! VDI, version 1.1, of VirtualBox: header, block map, data in blocks of 1 MiB. The layout of its header is that of
//! QEMU's block/vdi.c and VirtualBox's VDICore.h.

use std::io;

use uuid::Uuid;

use super::super::layout::{Layout, Tables, put};
use crate::image::SECTOR_BYTES;

/// The only size of a block that every reader knows.
pub(crate) const BLOCK_BYTES: u64 = 1024 * 1024;
/// The largest disk that QEMU opens.
pub(crate) const MAX_DISK_BYTES: u64 = 0x3fff_ffff * BLOCK_BYTES;

/// Where the block map begins.
const MAP_START: u64 = BLOCK_BYTES;
/// There is no block here: it reads as zeros.
const NO_BLOCK: u32 = u32::MAX;
const TEXT: &[u8] = b"<<< Oracle VM VirtualBox Disk Image >>>\n";
const SIGNATURE: u32 = 0xbeda_107f;
const VERSION: u32 = 0x0001_0001;
/// From its own field on.
const HEADER_BYTES: u32 = 400;
/// Blocks are added as they are needed.
const DYNAMIC: u32 = 1;

/// The id by which VirtualBox knows the disk.
pub(crate) const MEDIUM: &str = "vdi image";

/// Where data begins.
pub(crate) fn data_start(disk_bytes: u64) -> u64 {
    MAP_START + (n_blocks(disk_bytes) * 4).next_multiple_of(BLOCK_BYTES)
}

fn n_blocks(disk_bytes: u64) -> u64 {
    disk_bytes.div_ceil(BLOCK_BYTES)
}

/// Writes everything but data.
pub(crate) fn write_tables(layout: &Layout, tables: &mut Tables<'_>) -> io::Result<()> {
    let mut header = [0; 512];
    let mut put_u32 = |at: usize, value: u32| put(&mut header, at, &value.to_le_bytes());
    put_u32(0x40, SIGNATURE);
    put_u32(0x44, VERSION);
    put_u32(0x48, HEADER_BYTES);
    put_u32(0x4c, DYNAMIC);
    put_u32(0x154, MAP_START as u32);
    put_u32(0x158, layout.data_start() as u32);
    put_u32(0x168, SECTOR_BYTES as u32);
    put_u32(0x178, BLOCK_BYTES as u32);
    put_u32(0x180, n_blocks(layout.disk_bytes) as u32);
    put_u32(0x184, layout.blocks.count() as u32);
    put(&mut header, 0, TEXT);
    put(&mut header, 0x170, &layout.disk_bytes.to_le_bytes());
    let id = |purpose: &str| layout.identity.id(purpose).to_bytes_le();
    put(&mut header, 0x188, &id(MEDIUM));
    put(&mut header, 0x198, &id("vdi modification"));
    put(&mut header, 0x1a8, &Uuid::nil().to_bytes_le());
    put(&mut header, 0x1b8, &Uuid::nil().to_bytes_le());
    tables.put(0, &header)?;

    let map = (0..n_blocks(layout.disk_bytes)).map(|block| match layout.blocks.is_set(block) {
        true => layout.blocks.rank(block) as u32,
        false => NO_BLOCK,
    });
    let map: Vec<u8> = map.flat_map(u32::to_le_bytes).collect();
    tables.put(MAP_START, &map)
}
