//! The disk that is backed up: made from a seed, with data that does not compress, zeros and holes.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The disk is put together from pieces of this size.
const PIECE_BYTES: u64 = 32 << 20;
/// What is changed at once: no larger than what backups count in.
const CHANGE_BYTES: u64 = 64 << 10;
/// Of eight pieces in a row so many are data, and one is written zeros; the others are holes.
const DATA_OF_EIGHT: u64 = 4;

/// A raw image.
pub(super) struct TestDisk {
    path: PathBuf,
    file: File,
    size_bytes: u64,
    /// Where the pieces with data begin.
    data: Vec<u64>,
    random: Random,
}

/// Numbers that look random; the same for the same seed (xorshift64*).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn fill(&mut self, buffer: &mut [u8]) {
        for word in buffer.chunks_exact_mut(8) {
            word.copy_from_slice(&self.next().to_le_bytes());
        }
    }
}

impl TestDisk {
    /// Writes a disk of that size.
    pub(super) fn create(path: &Path, size_bytes: u64, seed: u64) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::options()
            .create_new(true)
            .write(true)
            .open(path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        file.set_len(size_bytes)?;
        let mut random = Random::new(seed);
        let mut data = Vec::new();
        let mut buffer = vec![0; 1 << 20];
        for number in 0..size_bytes / PIECE_BYTES {
            // Which of the eight are data changes along the disk.
            let kind = (number * 5 + number / 8) % 8;
            let piece = number * PIECE_BYTES;
            if kind > DATA_OF_EIGHT {
                continue;
            }
            if kind < DATA_OF_EIGHT {
                data.push(piece);
            }
            file.seek(SeekFrom::Start(piece))?;
            for _ in 0..PIECE_BYTES / buffer.len() as u64 {
                match kind {
                    DATA_OF_EIGHT => buffer.fill(0),
                    _ => random.fill(&mut buffer),
                }
                file.write_all(&buffer)?;
            }
        }
        Ok(Self {
            path: path.to_path_buf(),
            file,
            size_bytes,
            data,
            random,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Size and content in words.
    pub(super) fn describe(&self) -> String {
        let mib = |bytes: u64| bytes >> 20;
        format!(
            "{} MiB, of which {} MiB are data, {} MiB written zeros and the rest holes",
            mib(self.size_bytes),
            mib(self.data.len() as u64 * PIECE_BYTES),
            mib(self.size_bytes / 8)
        )
    }

    /// Writes other data to one of so many parts of the data, in places all over it.
    pub(super) fn change(&mut self, one_of: u64) -> Result<()> {
        let per_piece = PIECE_BYTES / CHANGE_BYTES;
        let n_places = self.data.len() as u64 * per_piece;
        let mut buffer = vec![0; CHANGE_BYTES as usize];
        for _ in 0..n_places / one_of {
            let place = self.random.next() % n_places;
            let piece = self.data[(place / per_piece) as usize];
            self.random.fill(&mut buffer);
            let at = piece + place % per_piece * CHANGE_BYTES;
            self.file.seek(SeekFrom::Start(at))?;
            self.file.write_all(&buffer)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_disk_is_data_and_equal_seeds_make_equal_disks() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, seed| {
            let path = folder.path().join(name);
            let mut disk = TestDisk::create(&path, 8 * PIECE_BYTES, seed).unwrap();
            assert_eq!(disk.data.len() as u64, DATA_OF_EIGHT);
            disk.change(100).unwrap();
            fs::read(path).unwrap()
        };
        let first = make("first", 7);
        assert!(first == make("second", 7));
        assert!(first != make("third", 8));
    }
}
