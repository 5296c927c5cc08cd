//! From a block of a file to a block of the volume: extent trees (ext4) and blocks of pointers (ext2, ext3).

use super::{
    inode::{Inode, Run},
    layout::extent,
    volume::Volume,
};
use crate::formats::bytes::{joined, u16_at, u32_at};
use crate::{Error, Result};

const EXTENT_MAGIC: u16 = 0xF30A;
const MAX_DEPTH: u16 = 5;
/// The kernel's limit for extents.
const MAX_FILE_BLOCKS: u64 = 1 << 32;
/// Of the pointers in an inode, how many lead to blocks of the file; the others lead to blocks of pointers.
const N_DIRECT: u64 = 12;
const INDIRECT: std::ops::Range<usize> = 12..15;
const POINTER_BYTES: usize = 4;

/// The blocks from one of a file on.
pub(super) fn run_at(volume: &mut Volume, inode: &Inode, block: u64) -> Result<Run> {
    let limit = match volume.fast.run_at(inode.number, block) {
        Ok(run) => return Ok(run),
        Err(limit) => limit,
    };
    let mut run = own_run_at(volume, inode, block)?;
    run.n_blocks = run.n_blocks.min(limit);
    Ok(run)
}

/// What the file's own tree or pointers say.
fn own_run_at(volume: &mut Volume, inode: &Inode, block: u64) -> Result<Run> {
    let run = if inode.has_extents() {
        extent_at(volume, inode, block)?
    } else {
        pointer_at(volume, inode, block)?
    };
    run.ok_or_else(|| {
        Error::corrupt(format!(
            "ext filesystem: where file {} lies is unknown",
            inode.number
        ))
    })
}

/// `Ok(None)` is damage here and below.
fn extent_at(volume: &mut Volume, inode: &Inode, block: u64) -> Result<Option<Run>> {
    let mut node = inode.pointers.to_vec();
    let mut depth = None;
    // Where the part of the file ends that the node speaks of.
    let mut end = MAX_FILE_BLOCKS.max(block.saturating_add(1));
    loop {
        let Some(found) = search(&node, block, &mut end) else {
            return Ok(None);
        };
        // Each level is one lower than that above, so no tree is a circle.
        if found.depth > MAX_DEPTH
            || depth.is_some_and(|above: u16| above.checked_sub(1) != Some(found.depth))
        {
            return Ok(None);
        }
        depth = Some(found.depth);
        let hole = Run {
            block: None,
            n_blocks: end.saturating_sub(block),
        };
        let Some(entry) = found.entry else {
            return Ok(Some(hole));
        };
        if found.depth > 0 {
            let (Some(low), Some(high)) = (
                u32_at(entry, extent::INDEX_LEAF_LO),
                u16_at(entry, extent::INDEX_LEAF_HI),
            ) else {
                return Ok(None);
            };
            node = volume.read_block(joined(low, u32::from(high)))?;
            if inode.checksum.is_some_and(|sum| !sum.is_extents(&node)) {
                return Ok(None);
            }
            continue;
        }
        let (Some(start), Some(len)) = (u32_at(entry, extent::FIRST), u16_at(entry, extent::LEN))
        else {
            return Ok(None);
        };
        let (Some(high), Some(low)) = (
            u16_at(entry, extent::START_HI),
            u32_at(entry, extent::START_LO),
        ) else {
            return Ok(None);
        };
        let (len, is_written) = extent::len(len);
        let skipped = block.saturating_sub(u64::from(start));
        let left = u64::from(len).saturating_sub(skipped);
        return Ok(Some(if left == 0 {
            hole
        } else {
            Run {
                block: is_written.then(|| joined(low, u32::from(high)).saturating_add(skipped)),
                n_blocks: left,
            }
        }));
    }
}

struct Found<'node> {
    depth: u16,
    /// The last entry that begins at the block or before it.
    entry: Option<&'node [u8]>,
}

/// Looks into one node, and draws `end` nearer where another entry begins.
fn search<'node>(node: &'node [u8], block: u64, end: &mut u64) -> Option<Found<'node>> {
    let n_entries = usize::from(u16_at(node, extent::HEADER_ENTRIES)?);
    let depth = u16_at(node, extent::HEADER_DEPTH)?;
    if u16_at(node, extent::HEADER_MAGIC)? != EXTENT_MAGIC {
        return None;
    }
    let entries = node.get(extent::BYTES..)?.chunks_exact(extent::BYTES);
    if entries.len() < n_entries {
        return None;
    }
    let mut found = None;
    let mut next = 0;
    for entry in entries.take(n_entries) {
        let start = u64::from(u32_at(entry, extent::FIRST)?);
        // In order and without overlaps, as the kernel demands: else a place would have two contents.
        (start >= next).then_some(())?;
        let len = match depth {
            0 => extent::len(u16_at(entry, extent::LEN)?).0,
            _ => 1,
        };
        next = start.saturating_add(u64::from(len));
        if start > block {
            *end = (*end).min(start);
        } else {
            found = Some(entry);
        }
    }
    Some(Found {
        depth,
        entry: found,
    })
}

fn pointer_at(volume: &mut Volume, inode: &Inode, block: u64) -> Result<Option<Run>> {
    let Some(mut index) = block.checked_sub(N_DIRECT) else {
        let direct = inode.pointers.get(..INDIRECT.start * POINTER_BYTES);
        let index = usize::try_from(block).ok();
        return Ok(index.and_then(|index| row_of(direct?, index)));
    };
    let per_block = n_pointers(volume);
    let mut covered = per_block;
    for place in INDIRECT {
        let Some(rest) = index.checked_sub(covered) else {
            let root = pointer(&inode.pointers, place).unwrap_or(0);
            return indirect_at(volume, root, index, covered);
        };
        index = rest;
        covered = covered.saturating_mul(per_block);
    }
    Ok(None)
}

/// Follows blocks of pointers; `covered` says for how many blocks of the file the first one speaks.
fn indirect_at(
    volume: &mut Volume,
    root: u32,
    mut index: u64,
    mut covered: u64,
) -> Result<Option<Run>> {
    let per_block = n_pointers(volume);
    let mut block = root;
    loop {
        // No block of pointers, no blocks.
        if block == 0 {
            return Ok(Some(Run {
                block: None,
                n_blocks: covered.saturating_sub(index),
            }));
        }
        let pointers = volume.read_block(u64::from(block))?;
        covered = covered.checked_div(per_block).unwrap_or(0);
        let slot = index.checked_div(covered);
        let Some(slot) = slot.and_then(|slot| usize::try_from(slot).ok()) else {
            return Ok(None);
        };
        if covered == 1 {
            return Ok(row_of(&pointers, slot));
        }
        let Some(next) = pointer(&pointers, slot) else {
            return Ok(None);
        };
        block = next;
        index = index.checked_rem(covered).unwrap_or(0);
    }
}

/// How many pointers a block holds.
fn n_pointers(volume: &Volume) -> u64 {
    volume.block_bytes.get() / 4
}

fn pointer(pointers: &[u8], index: usize) -> Option<u32> {
    u32_at(pointers, index.checked_mul(POINTER_BYTES)?)
}

/// As many pointers as go on from the one at `index`.
fn row_of(pointers: &[u8], index: usize) -> Option<Run> {
    let rest = pointers.get(index.checked_mul(POINTER_BYTES)?..)?;
    let (rest, _) = rest.as_chunks::<POINTER_BYTES>();
    let mut rest = rest.iter().map(|bytes| u32::from_le_bytes(*bytes));
    let first = rest.next()?;
    let n_more = match first {
        0 => rest.take_while(|next| *next == 0).count(),
        _ => {
            let in_a_row = (u64::from(first)..).skip(1);
            let goes_on = |(next, expected): &(u32, u64)| u64::from(*next) == *expected;
            rest.zip(in_a_row).take_while(goes_on).count()
        }
    };
    Some(Run {
        block: (first != 0).then_some(u64::from(first)),
        n_blocks: (n_more as u64).saturating_add(1),
    })
}
