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
/// Longer ones are shorter ones that were reserved and never written.
const MAX_EXTENT: u16 = 1 << 15;
/// The kernel's limit for extents.
const MAX_FILE_BLOCKS: u64 = 1 << 32;
const N_DIRECT: u64 = 12;

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
    let mut end = MAX_FILE_BLOCKS.max(block + 1);
    loop {
        let Some(found) = search(&node, block, &mut end) else {
            return Ok(None);
        };
        // Each level is one lower than that above, so no tree is a circle.
        if found.depth > MAX_DEPTH || depth.is_some_and(|above: u16| above != found.depth + 1) {
            return Ok(None);
        }
        depth = Some(found.depth);
        let hole = Run {
            block: None,
            n_blocks: end - block,
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
        let is_written = len <= MAX_EXTENT;
        let len = if is_written { len } else { len - MAX_EXTENT };
        let skipped = block - u64::from(start);
        let left = u64::from(len).saturating_sub(skipped);
        return Ok(Some(if left == 0 {
            hole
        } else {
            Run {
                block: is_written.then(|| joined(low, u32::from(high)) + skipped),
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
        let len = match (depth, u16_at(entry, extent::LEN)?) {
            (0, len) if len > MAX_EXTENT => u64::from(len - MAX_EXTENT),
            (0, len) => u64::from(len),
            _ => 1,
        };
        next = start + len;
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
    if block < N_DIRECT {
        let direct = inode.pointers.get(..4 * 12).unwrap_or_default();
        return Ok(usize::try_from(block)
            .ok()
            .and_then(|index| row_of(direct, index)));
    }
    let per_block = volume.block_bytes / 4;
    let mut index = block - N_DIRECT;
    let mut covered = per_block;
    for level in 0..3 {
        if index < covered {
            let root = u32_at(&inode.pointers, 4 * (12 + level)).unwrap_or(0);
            return indirect_at(volume, root, index, covered);
        }
        index -= covered;
        covered *= per_block;
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
    let per_block = volume.block_bytes / 4;
    let mut pointer = root;
    loop {
        // No block of pointers, no blocks.
        if pointer == 0 {
            return Ok(Some(Run {
                block: None,
                n_blocks: covered - index,
            }));
        }
        let pointers = volume.read_block(u64::from(pointer))?;
        covered /= per_block;
        let Ok(slot) = usize::try_from(index / covered) else {
            return Ok(None);
        };
        if covered == 1 {
            return Ok(row_of(&pointers, slot));
        }
        let Some(next) = u32_at(&pointers, 4 * slot) else {
            return Ok(None);
        };
        pointer = next;
        index %= covered;
    }
}

/// As many pointers as go on from the one at `index`.
fn row_of(pointers: &[u8], index: usize) -> Option<Run> {
    let first = u32_at(pointers, 4 * index)?;
    let mut n_blocks = 1;
    while let Some(next) = u32_at(pointers, 4 * (index + n_blocks)) {
        let goes_on = match first {
            0 => next == 0,
            _ => u64::from(next) == u64::from(first) + n_blocks as u64,
        };
        if !goes_on {
            break;
        }
        n_blocks += 1;
    }
    Some(Run {
        block: (first != 0).then_some(u64::from(first)),
        n_blocks: n_blocks as u64,
    })
}
