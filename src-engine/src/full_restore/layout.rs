//! Where each byte of a disk comes to lie in its image.
//!
//! What a disk holds is known from its cluster map before anything is read, so all headers and tables of an image are
//! known as well: data is written once, in order, to the place where it stays, and the tables when all of it is there.
//! The same disk under the same name and seed always has the same layout, which is what lets a restore that broke off
//! go on.

use std::io;

use sendense_types::ImageFormat;
use uuid::Uuid;

use super::occupancy::Occupancy;
use crate::image::CLUSTER_BYTES;

/// What is zero in a table stays a hole in its file, a page at a time.
const PAGE_BYTES: usize = 4096;

/// What an image is, beside what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Drawn once for each image: everything random in it follows from this.
    pub(crate) seed: Uuid,
    /// The name of its file, which some formats repeat inside.
    pub(crate) file_name: String,
}

impl Identity {
    /// A random id that is always the same for this image and purpose.
    pub(crate) fn id(&self, purpose: &str) -> Uuid {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.seed.as_bytes());
        hasher.update(purpose.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// Where everything is in an image.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The format.
    pub(crate) format: ImageFormat,
    /// Size of the disk as the image states it; all but raw images count in sectors.
    pub(crate) disk_bytes: u64,
    /// The clusters that hold something.
    pub(crate) clusters: Occupancy,
    /// The same in the parts in which the image grows.
    pub(crate) blocks: Occupancy,
    /// What the image is.
    pub(crate) identity: Identity,
    data_start: u64,
}

impl Layout {
    /// Of an image that grows in such parts, with data from that place on.
    pub(crate) fn new(
        format: ImageFormat,
        disk_bytes: u64,
        clusters: Occupancy,
        blocks: Occupancy,
        identity: Identity,
        data_start: u64,
    ) -> Self {
        Self {
            format,
            disk_bytes,
            clusters,
            blocks,
            identity,
            data_start,
        }
    }

    /// Where data begins.
    pub(crate) fn data_start(&self) -> u64 {
        self.data_start
    }

    /// Where a block of the disk that holds something lies.
    pub(crate) fn block_place(&self, block: u64) -> u64 {
        self.data_start + self.blocks.rank(block) * self.blocks.unit_bytes()
    }

    /// Where a cluster of the disk that holds something lies. Of a compressed image only its tables know that.
    pub(crate) fn place(&self, cluster: u64) -> u64 {
        let at = cluster * CLUSTER_BYTES;
        match self.format {
            ImageFormat::Raw => at,
            _ => {
                let unit_bytes = self.blocks.unit_bytes();
                self.block_place(at / unit_bytes) + at % unit_bytes
            }
        }
    }

    /// Length of the file, holes included. That of a compressed image is not known before its end.
    pub(crate) fn file_bytes(&self) -> u64 {
        match self.format {
            ImageFormat::Raw => self.disk_bytes,
            _ => self.data_start + self.blocks.count() * self.blocks.unit_bytes(),
        }
    }

    /// Bytes of the disk that are written.
    pub(crate) fn content_bytes(&self) -> u64 {
        self.clusters.count() * CLUSTER_BYTES
    }

    /// Room that the file takes, in bytes; at most, where it is compressed.
    pub(crate) fn needed_bytes(&self) -> u64 {
        self.content_bytes() + self.data_start + self.file_bytes() / 1024
    }

    /// Whether it can be written in pieces, each to its place.
    pub(crate) fn has_places(&self) -> bool {
        self.format != ImageFormat::VmdkStream
    }
}

/// Takes the tables of an image, and leaves out pages of zeros.
pub(crate) struct Tables<'t>(pub(crate) &'t mut dyn FnMut(u64, &[u8]) -> io::Result<()>);

impl Tables<'_> {
    /// Writes a table to its place.
    pub(crate) fn put(&mut self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n_zeros = pages(bytes).take_while(|page| is_zero(page)).count();
            let zeros = (n_zeros * PAGE_BYTES).min(bytes.len());
            bytes = &bytes[zeros..];
            offset += zeros as u64;
            let n_data = pages(bytes).take_while(|page| !is_zero(page)).count();
            let data = (n_data * PAGE_BYTES).min(bytes.len());
            if data > 0 {
                (self.0)(offset, &bytes[..data])?;
            }
            bytes = &bytes[data..];
            offset += data as u64;
        }
        Ok(())
    }
}

fn pages(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(PAGE_BYTES)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Puts a field at its place in a header.
pub(crate) fn put(header: &mut [u8], at: usize, field: &[u8]) {
    header[at..at + field.len()].copy_from_slice(field);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_zeros_stay_holes_and_everything_else_is_written() {
        let mut bytes = vec![0; 5 * PAGE_BYTES + 100];
        bytes[PAGE_BYTES] = 1;
        bytes[3 * PAGE_BYTES - 1] = 2;
        bytes[5 * PAGE_BYTES + 99] = 3;
        let mut file = vec![0; bytes.len() + 7];
        let mut written = Vec::new();
        let mut write = |offset: u64, bytes: &[u8]| {
            let at = offset as usize;
            file[at..at + bytes.len()].copy_from_slice(bytes);
            written.push((offset - 7, bytes.len()));
            Ok(())
        };
        Tables(&mut write).put(7, &bytes).unwrap();
        assert_eq!(file[7..], bytes);
        let page = PAGE_BYTES as u64;
        assert_eq!(written, [(page, 2 * PAGE_BYTES), (5 * page, 100)]);
    }

    #[test]
    fn ids_follow_from_the_seed_and_differ_by_purpose() {
        let identity = Identity {
            seed: Uuid::from_u128(7),
            file_name: String::new(),
        };
        assert_eq!(identity.id("a"), identity.id("a"));
        assert_ne!(identity.id("a"), identity.id("b"));
        assert_eq!(identity.id("a").get_version_num(), 4);
    }
}
