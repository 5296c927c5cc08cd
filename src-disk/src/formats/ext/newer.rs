//! Blocks with a newer copy in the journal.

use std::collections::HashMap;

pub(super) const MAGIC: u32 = 0xC03B_3998;

/// The newest copies of blocks, by block.
#[derive(Default)]
pub(super) struct Newer(pub(super) HashMap<u64, Copied>);

/// A copy in the journal.
#[derive(Clone, Copy)]
pub(super) struct Copied {
    /// Where it lies on the volume.
    pub(super) block: u64,
    /// The block begins like one of the journal's own; its copy does not, lest it be taken for one.
    pub(super) is_escaped: bool,
    /// The transaction that it belongs to.
    pub(super) sequence: u32,
}

impl Newer {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, block: u64) -> Option<Copied> {
        self.0.get(&block).copied()
    }
}

impl Copied {
    /// Puts back the first four bytes.
    pub(super) fn restore(self, offset: u64, piece: &mut [u8]) {
        let magic = MAGIC.to_be_bytes();
        let first = usize::try_from(offset).unwrap_or(usize::MAX);
        for (byte, original) in piece.iter_mut().zip(magic.iter().skip(first)) {
            *byte = *original;
        }
    }
}
