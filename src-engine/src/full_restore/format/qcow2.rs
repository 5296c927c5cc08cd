//! QCOW2, version 3, as QEMU's docs/interop/qcow2.txt has it: header, table of reference counts, their blocks, first
//! table, second tables, data.

use std::io;

use super::super::{
    layout::{Layout, Tables, put},
    occupancy::Occupancy,
};
use crate::image::CLUSTER_BYTES;

const CLUSTER_BITS: u32 = CLUSTER_BYTES.trailing_zeros();
/// Entries of a cluster of 64-bit entries.
const ENTRIES: u64 = CLUSTER_BYTES / 8;
/// The part of a disk that one second table is for.
const TABLE_COVERS: u64 = ENTRIES * CLUSTER_BYTES;
/// Clusters that one block of 16-bit reference counts is for.
const BLOCK_COVERS: u64 = CLUSTER_BYTES / 2;
/// Nobody else refers to this cluster.
const COPIED: u64 = 1 << 63;

/// Where everything but data is, in clusters.
struct Places {
    n_refcount_tables: u64,
    n_refcount_blocks: u64,
    n_first_tables: u64,
    n_second_tables: u64,
}

impl Places {
    fn of(disk_bytes: u64, clusters: &Occupancy) -> Self {
        let mut places = Self {
            n_refcount_tables: 1,
            n_refcount_blocks: 1,
            n_first_tables: n_first_entries(disk_bytes).div_ceil(ENTRIES).max(1),
            n_second_tables: clusters.in_units_of(TABLE_COVERS).count(),
        };
        // Reference counts count their own clusters too.
        loop {
            let n_blocks = (places.data() + clusters.count()).div_ceil(BLOCK_COVERS);
            let n_tables = n_blocks.div_ceil(ENTRIES);
            if n_blocks == places.n_refcount_blocks && n_tables == places.n_refcount_tables {
                return places;
            }
            places.n_refcount_blocks = n_blocks;
            places.n_refcount_tables = n_tables;
        }
    }

    fn refcount_blocks(&self) -> u64 {
        1 + self.n_refcount_tables
    }

    fn first_table(&self) -> u64 {
        self.refcount_blocks() + self.n_refcount_blocks
    }

    fn second_tables(&self) -> u64 {
        self.first_table() + self.n_first_tables
    }

    fn data(&self) -> u64 {
        self.second_tables() + self.n_second_tables
    }
}

fn n_first_entries(disk_bytes: u64) -> u64 {
    disk_bytes.div_ceil(TABLE_COVERS)
}

/// Where data begins.
pub(crate) fn data_start(disk_bytes: u64, clusters: &Occupancy) -> u64 {
    Places::of(disk_bytes, clusters).data() * CLUSTER_BYTES
}

/// Writes everything but data.
pub(crate) fn write_tables(layout: &Layout, tables: &mut Tables<'_>) -> io::Result<()> {
    let places = Places::of(layout.disk_bytes, &layout.blocks);
    let n_clusters = places.data() + layout.blocks.count();
    let n_first_entries = n_first_entries(layout.disk_bytes);

    // The header ends with the end of its extensions, which is zeros.
    let mut header = [0; 112];
    put(&mut header, 0, b"QFI\xfb");
    put(&mut header, 4, &3_u32.to_be_bytes());
    put(&mut header, 20, &CLUSTER_BITS.to_be_bytes());
    put(&mut header, 24, &layout.disk_bytes.to_be_bytes());
    put(&mut header, 36, &(n_first_entries as u32).to_be_bytes());
    put(
        &mut header,
        40,
        &(places.first_table() * CLUSTER_BYTES).to_be_bytes(),
    );
    put(&mut header, 48, &CLUSTER_BYTES.to_be_bytes());
    put(
        &mut header,
        56,
        &(places.n_refcount_tables as u32).to_be_bytes(),
    );
    // Reference counts of 2^4 bits; the header without extensions has 104 bytes.
    put(&mut header, 96, &4_u32.to_be_bytes());
    put(&mut header, 100, &104_u32.to_be_bytes());
    tables.put(0, &header)?;

    let blocks = (0..places.n_refcount_blocks)
        .map(|number| (places.refcount_blocks() + number) * CLUSTER_BYTES);
    tables.put(CLUSTER_BYTES, &entries(blocks))?;
    for number in 0..places.n_refcount_blocks {
        let n_used = (n_clusters - number * BLOCK_COVERS).min(BLOCK_COVERS);
        let counts = 1_u16.to_be_bytes().repeat(n_used as usize);
        tables.put((places.refcount_blocks() + number) * CLUSTER_BYTES, &counts)?;
    }

    let with_table = layout.blocks.in_units_of(TABLE_COVERS);
    let table_place =
        |number: u64| (places.second_tables() + with_table.rank(number)) * CLUSTER_BYTES;
    let first = (0..n_first_entries).map(|number| match with_table.is_set(number) {
        true => table_place(number) | COPIED,
        false => 0,
    });
    tables.put(places.first_table() * CLUSTER_BYTES, &entries(first))?;
    for number in with_table.iter() {
        let clusters = number * ENTRIES..(number + 1) * ENTRIES;
        let second = clusters.map(|cluster| match layout.blocks.is_set(cluster) {
            true => layout.block_place(cluster) | COPIED,
            false => 0,
        });
        tables.put(table_place(number), &entries(second))?;
    }
    Ok(())
}

fn entries(entries: impl Iterator<Item = u64>) -> Vec<u8> {
    entries.flat_map(u64::to_be_bytes).collect()
}
