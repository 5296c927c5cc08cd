//! The formats that a full restore writes, one file each. No library writes them sparse, in order, and so that writing
//! can go on later.

pub(crate) mod qcow2;
pub(crate) mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod vdi;
pub(crate) mod vhdx;
pub(crate) mod vmdk;

use std::io;

use sendense_types::ImageFormat;

use super::{
    layout::{Identity, Layout, Tables},
    occupancy::Occupancy,
};
use crate::image::{CLUSTER_BYTES, SECTOR_BYTES};

/// A disk that a format cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge {
    /// The format's limit in bytes.
    pub(crate) limit_bytes: u64,
}

/// The layout of an image of a disk of so many bytes, which holds something in those clusters.
///
/// # Errors
/// When the format cannot hold it.
pub(crate) fn lay_out(
    format: ImageFormat,
    disk_bytes: u64,
    clusters: Occupancy,
    identity: Identity,
) -> Result<Layout, TooLarge> {
    let disk_bytes = match format {
        ImageFormat::Raw => disk_bytes,
        _ => disk_bytes.next_multiple_of(SECTOR_BYTES),
    };
    let (unit_bytes, limit_bytes) = match format {
        ImageFormat::Raw | ImageFormat::Qcow2 => (CLUSTER_BYTES, u64::MAX),
        ImageFormat::Vmdk | ImageFormat::VmdkStream => (CLUSTER_BYTES, vmdk::MAX_DISK_BYTES),
        ImageFormat::Vdi => (vdi::BLOCK_BYTES, vdi::MAX_DISK_BYTES),
        ImageFormat::Vhdx => (vhdx::block_bytes(disk_bytes), vhdx::MAX_DISK_BYTES),
    };
    if disk_bytes > limit_bytes {
        return Err(TooLarge { limit_bytes });
    }
    let blocks = clusters.in_units_of(unit_bytes);
    let data_start = match format {
        ImageFormat::Raw | ImageFormat::VmdkStream => 0,
        ImageFormat::Qcow2 => qcow2::data_start(disk_bytes, &blocks),
        ImageFormat::Vmdk => vmdk::data_start(disk_bytes),
        ImageFormat::Vdi => vdi::data_start(disk_bytes),
        ImageFormat::Vhdx => vhdx::data_start(disk_bytes),
    };
    let layout = Layout::new(format, disk_bytes, clusters, blocks, identity, data_start);
    // Its places are counted in sectors, in 32 bits.
    if format == ImageFormat::Vmdk && layout.file_bytes() > vmdk::MAX_DISK_BYTES {
        return Err(TooLarge {
            limit_bytes: vmdk::MAX_DISK_BYTES,
        });
    }
    Ok(layout)
}

/// Writes everything but data; what is zero may be left a hole.
pub(crate) fn write_tables(
    layout: &Layout,
    write: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let tables = &mut Tables(write);
    match layout.format {
        ImageFormat::Raw | ImageFormat::VmdkStream => Ok(()),
        ImageFormat::Qcow2 => qcow2::write_tables(layout, tables),
        ImageFormat::Vmdk => vmdk::write_tables(layout, tables),
        ImageFormat::Vdi => vdi::write_tables(layout, tables),
        ImageFormat::Vhdx => vhdx::write_tables(layout, tables),
    }
}
