//! A byte range of an image as `Read + Seek`, with a small cache.
//!
//! Every filesystem reader is built on this. Metadata is read in small pieces over and over, so blocks of 64 KiB are
//! cached; large reads of file content bypass the cache.

use std::{
    collections::VecDeque,
    io::{self, Read, Seek, SeekFrom},
};

use crate::{Image, guard::Budget};

const BLOCK_BYTES: u64 = 64 << 10;
const N_CACHED_BLOCKS: usize = 64;

/// A byte range of an image.
pub struct Slice {
    image: Image,
    start: u64,
    len: u64,
    position: u64,
    /// Most recently used first.
    cache: VecDeque<(u64, Vec<u8>)>,
    budget: Budget,
}

impl Slice {
    /// The range from `start`, cut off at the end of the image.
    pub fn new(image: Image, start: u64, len_bytes: u64) -> Self {
        let len = len_bytes.min(image.size_bytes().saturating_sub(start));
        Self {
            image,
            start,
            len,
            position: 0,
            cache: VecDeque::new(),
            budget: Budget::unlimited(),
        }
    }

    /// A range within this one, with a cache of its own.
    pub(crate) fn part(&self, start: u64, len_bytes: u64) -> Self {
        let len = len_bytes.min(self.len.saturating_sub(start));
        Self::new(self.image.clone(), self.start.saturating_add(start), len)
    }

    /// Length in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.len
    }

    /// The limit on what may be read, for whoever hands this to a library and has to stop it.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Fills a buffer from a place in the range.
    ///
    /// # Errors
    /// `UnexpectedEof` where the range ends before the buffer does.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.read_exact(buffer)
    }

    fn block(&mut self, number: u64) -> io::Result<&[u8]> {
        if let Some(index) = self.cache.iter().position(|(cached, _)| *cached == number) {
            if index > 0
                && let Some(entry) = self.cache.remove(index)
            {
                self.cache.push_front(entry);
            }
        } else {
            let offset = number.saturating_mul(BLOCK_BYTES);
            let len = BLOCK_BYTES.min(self.len.saturating_sub(offset));
            let len = usize::try_from(len).map_err(io::Error::other)?;
            let mut bytes = if self.cache.len() >= N_CACHED_BLOCKS {
                self.cache
                    .pop_back()
                    .map(|(_, bytes)| bytes)
                    .unwrap_or_default()
            } else {
                Vec::new()
            };
            bytes.resize(len, 0);
            self.image
                .read_at(self.start.saturating_add(offset), &mut bytes)
                .map_err(io::Error::other)?;
            self.cache.push_front((number, bytes));
        }
        Ok(self
            .cache
            .front()
            .map_or(&[], |(_, bytes)| bytes.as_slice()))
    }
}

impl Clone for Slice {
    /// The same range from its beginning, with an empty cache.
    fn clone(&self) -> Self {
        Self::new(self.image.clone(), self.start, self.len)
    }
}

impl Read for Slice {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.position);
        let wanted = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        self.budget.spend(wanted as u64)?;
        let buffer = &mut buffer[..wanted];
        let n_read = if wanted as u64 >= BLOCK_BYTES {
            self.image
                .read_at(self.start.saturating_add(self.position), buffer)
                .map_err(io::Error::other)?;
            wanted
        } else {
            let within = usize::try_from(self.position % BLOCK_BYTES).map_err(io::Error::other)?;
            let block = self.block(self.position / BLOCK_BYTES)?;
            let rest = block.get(within..).unwrap_or_default();
            let n_read = wanted.min(rest.len());
            buffer[..n_read].copy_from_slice(&rest[..n_read]);
            n_read
        };
        self.position = self.position.saturating_add(n_read as u64);
        Ok(n_read)
    }
}

impl Seek for Slice {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
            SeekFrom::End(delta) => self.len.checked_add_signed(delta),
        };
        self.position = target
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek out of range"))?;
        Ok(self.position)
    }
}
