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
    chunk_bytes: u64,
    decompress: Decompress,
    /// The chunk that was read last.
    last: Option<(u64, Vec<u8>)>,
}

impl Wof {
    pub(super) fn new(stored: Stream, size: u64, algorithm: u32) -> Result<Self> {
        let (chunk_bytes, decompress): (u64, Decompress) = match algorithm {
            0 => (4 << 10, xpress),
            1 => (32 << 10, lzx),
            2 => (8 << 10, xpress),
            3 => (16 << 10, xpress),
            _ => {
                return Err(Error::unsupported(
                    "compressed by Windows in a way that is not known here",
                ));
            }
        };
        Ok(Self {
            stored,
            size,
            chunk_bytes,
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
        let mut n_read = 0;
        while n_read < buffer.len() {
            let at = offset.saturating_add(n_read as u64);
            if at >= self.size {
                break;
            }
            let number = at / self.chunk_bytes;
            let content = match self.last.take() {
                Some((known, content)) if known == number => content,
                _ => self.chunk(disk, number)?,
            };
            let within = usize::try_from(at % self.chunk_bytes).unwrap_or(0);
            let rest = content.get(within..).unwrap_or_default();
            let n = rest.len().min(buffer.len() - n_read);
            buffer[n_read..n_read + n].copy_from_slice(&rest[..n]);
            n_read += n;
            self.last = Some((number, content));
        }
        Ok(n_read)
    }

    fn chunk(&mut self, disk: &mut Slice, number: u64) -> Result<Vec<u8>> {
        let n_chunks = self.size.div_ceil(self.chunk_bytes);
        let entry_bytes = if self.size > u64::from(u32::MAX) {
            8
        } else {
            4
        };
        let table_bytes = (n_chunks - 1).saturating_mul(entry_bytes);
        let start = match number {
            0 => 0,
            _ => self.table_entry(disk, (number - 1) * entry_bytes, entry_bytes)?,
        };
        let end = if number + 1 < n_chunks {
            self.table_entry(disk, number * entry_bytes, entry_bytes)?
        } else {
            self.stored.len_bytes().saturating_sub(table_bytes)
        };
        let size = self.chunk_bytes.min(self.size - number * self.chunk_bytes);
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
