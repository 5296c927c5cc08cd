//! Files that Windows compressed on its own ("Compact OS"): chunks in a stream beside the content.
//!
//! The stream begins with a table of where each chunk except the first begins, counted from the end of the table, in
//! 32-bit numbers, or 64-bit ones if the content is larger than 4 GiB.

use super::stream::Stream;
use crate::{
    Error, Result, Slice,
    formats::{
        bytes::{u32_at, u64_at},
        compression::{lzx, xpress},
    },
};

/// `WofCompressedData`.
pub(super) fn stream_name() -> Vec<u16> {
    "WofCompressedData".encode_utf16().collect()
}

type Decompress = fn(&[u8], &mut [u8]) -> Result<()>;

pub(super) struct Wof {
    stored: Stream,
    size: u64,
    chunk_bits: u32,
    decompress: Decompress,
    /// The chunk that was read last.
    last: Option<(u64, Vec<u8>)>,
}

impl Wof {
    pub(super) fn new(stored: Stream, size: u64, algorithm: u32) -> Result<Self> {
        let (chunk_bits, decompress): (u32, Decompress) = match algorithm {
            0 => (12, xpress),
            1 => (15, lzx),
            2 => (13, xpress),
            3 => (14, xpress),
            _ => {
                return Err(Error::unsupported(
                    "compressed by Windows in a way that is not known here",
                ));
            }
        };
        Ok(Self {
            stored,
            size,
            chunk_bits,
            decompress,
            last: None,
        })
    }

    pub(super) fn read(
        &mut self,
        disk: &mut Slice,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        let len = buffer.len();
        let mut at = offset;
        let mut left = buffer;
        while !left.is_empty() && at < self.size {
            let number = at >> self.chunk_bits;
            let content = match self.last.take() {
                Some((known, content)) if known == number => content,
                _ => self.chunk(disk, number)?,
            };
            let within = at.saturating_sub(number << self.chunk_bits);
            let within = usize::try_from(within).unwrap_or(0);
            let rest = content.get(within..).unwrap_or_default();
            let n = rest.len().min(left.len());
            let (piece, after) = left.split_at_mut(n);
            piece.copy_from_slice(&rest[..n]);
            at = at.saturating_add(n as u64);
            left = after;
            self.last = Some((number, content));
        }
        Ok(len.saturating_sub(left.len()))
    }

    fn chunk(&mut self, disk: &mut Slice, number: u64) -> Result<Vec<u8>> {
        let chunk_bytes = 1 << self.chunk_bits;
        let n_chunks = self.size.div_ceil(chunk_bytes);
        let entry_bytes = if self.size > u64::from(u32::MAX) {
            8
        } else {
            4
        };
        let table_bytes = n_chunks.saturating_sub(1).saturating_mul(entry_bytes);
        let start = match number.checked_sub(1) {
            None => 0,
            Some(before) => {
                self.table_entry(disk, before.saturating_mul(entry_bytes), entry_bytes)?
            }
        };
        let end = if number.saturating_add(1) < n_chunks {
            self.table_entry(disk, number.saturating_mul(entry_bytes), entry_bytes)?
        } else {
            self.stored.len_bytes().saturating_sub(table_bytes)
        };
        let size = chunk_bytes.min(self.size.saturating_sub(number << self.chunk_bits));
        let len = end
            .checked_sub(start)
            .filter(|len| (1..=size).contains(len));
        let len =
            len.ok_or_else(|| Error::corrupt("NTFS: a compressed file's table is damaged"))?;
        let mut stored = vec![0; usize::try_from(len).unwrap_or(0)];
        let at = table_bytes.saturating_add(start);
        self.stored.read_exact(disk, at, &mut stored)?;
        if len == size {
            return Ok(stored);
        }
        let mut content = vec![0; usize::try_from(size).unwrap_or(0)];
        (self.decompress)(&stored, &mut content)?;
        Ok(content)
    }

    fn table_entry(&mut self, disk: &mut Slice, at: u64, entry_bytes: u64) -> Result<u64> {
        let mut entry = [0; 8];
        let n_bytes = usize::try_from(entry_bytes).unwrap_or(8);
        self.stored.read_exact(disk, at, &mut entry[..n_bytes])?;
        let number = match n_bytes {
            4 => u32_at(&entry, 0).map(u64::from),
            _ => u64_at(&entry, 0),
        };
        Ok(number.unwrap_or(0))
    }
}
