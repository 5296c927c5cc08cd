//! VMDK, compressed and for importing (`streamOptimized`), as VMware's "Virtual Disk Format 5.0" has it: header,
//! descriptor, then grains, each compressed, with the grain tables between them, and at the end the grain directory and
//! a footer. Where a grain lies depends on how well those before it were compressed, so it is written from its beginning
//! to its end.

use std::io::{self, Write};

use flate2::{Compress, Compression, FlushCompress, Status};

use super::{
    super::layout::Layout,
    vmdk::{DESCRIPTOR, Header, TABLE_ENTRIES, descriptor, entries},
};
use crate::image::{CLUSTER_BYTES, SECTOR_BYTES};

/// There is a test for line ends; grains are compressed; there are markers.
const FLAGS: u32 = 1 | 1 << 16 | 1 << 17;
/// The footer says where the directory is.
const AT_THE_END: u64 = u64::MAX;
const DEFLATE: u16 = 1;
/// Where the first grain may be, in sectors.
const DATA: u64 = CLUSTER_BYTES / SECTOR_BYTES;
/// Kinds of markers.
const END_OF_STREAM: u32 = 0;
const GRAIN_TABLE: u32 = 1;
const GRAIN_DIRECTORY: u32 = 2;
const FOOTER: u32 = 3;
/// Position on the disk and length, before the bytes of a grain.
const GRAIN_HEADER_BYTES: usize = 12;
/// The least effort: deflate is what takes the time.
const LEVEL: u32 = 1;

/// Compresses grains, each on its own.
pub(crate) struct Grains {
    compress: Compress,
    /// For what cannot be compressed: it makes it no larger.
    store: Compress,
}

impl Grains {
    pub(crate) fn new() -> Self {
        let with = |level| Compress::new(Compression::new(level), true);
        Self {
            compress: with(LEVEL),
            store: with(0),
        }
    }

    /// Appends a cluster as it is in the file: its place on the disk, its length and its bytes, up to the end of a
    /// sector.
    pub(crate) fn append(
        &mut self,
        cluster: u64,
        bytes: &[u8],
        grains: &mut Vec<u8>,
    ) -> io::Result<()> {
        let start = grains.len();
        let content = start + GRAIN_HEADER_BYTES;
        grains.extend((cluster * (CLUSTER_BYTES / SECTOR_BYTES)).to_le_bytes());
        grains.extend([0; 4]);
        deflate(&mut self.compress, bytes, grains)?;
        if grains.len() - content > bytes.len() {
            grains.truncate(content);
            deflate(&mut self.store, bytes, grains)?;
        }
        let len_bytes = (grains.len() - content) as u32;
        grains[content - 4..content].copy_from_slice(&len_bytes.to_le_bytes());
        let padded = (grains.len() - start).next_multiple_of(SECTOR_BYTES as usize);
        grains.resize(start + padded, 0);
        Ok(())
    }
}

/// Appends what becomes of bytes.
fn deflate(compress: &mut Compress, bytes: &[u8], deflated: &mut Vec<u8>) -> io::Result<()> {
    // With little effort, what cannot be compressed grows by an eighth.
    deflated.reserve(bytes.len() + bytes.len() / 4 + 1024);
    compress.reset();
    match compress.compress_vec(bytes, deflated, FlushCompress::Finish)? {
        Status::StreamEnd => Ok(()),
        Status::Ok | Status::BufError => Err(io::Error::other(
            "a part of the disk could not be compressed",
        )),
    }
}

/// Writes the image, grain after grain.
pub(crate) struct Stream<W> {
    file: W,
    capacity_sectors: u64,
    /// Sectors written so far.
    at: u64,
    /// Of the grain table that is being filled.
    number: u64,
    table: Vec<u32>,
    directory: Vec<u32>,
}

impl<W: Write> Stream<W> {
    /// Begins the image.
    pub(crate) fn begin(layout: &Layout, file: W) -> io::Result<Self> {
        let n_tables = layout.disk_bytes.div_ceil(TABLE_ENTRIES * CLUSTER_BYTES);
        let mut stream = Self {
            file,
            capacity_sectors: layout.disk_bytes / SECTOR_BYTES,
            at: 0,
            number: 0,
            table: Vec::new(),
            directory: vec![0; n_tables as usize],
        };
        stream.put(&stream.header(AT_THE_END))?;
        let text = descriptor(&layout.identity, layout.disk_bytes, "streamOptimized");
        let mut descriptor = text.into_bytes();
        descriptor.resize(((DATA - DESCRIPTOR.0) * SECTOR_BYTES) as usize, 0);
        stream.put(&descriptor)?;
        Ok(stream)
    }

    /// Adds a cluster, as [`Grains`] made it; it lies behind all that were added before.
    pub(crate) fn push(&mut self, cluster: u64, grain: &[u8]) -> io::Result<()> {
        let number = cluster / TABLE_ENTRIES;
        if number != self.number {
            self.end_table()?;
            self.number = number;
        }
        self.table.resize(TABLE_ENTRIES as usize, 0);
        self.table[(cluster % TABLE_ENTRIES) as usize] = self.place()?;
        self.put(grain)
    }

    /// Completes the image.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.end_table()?;
        let directory = std::mem::take(&mut self.directory);
        self.marker(GRAIN_DIRECTORY, directory.len() * 4)?;
        let place = self.at;
        self.put_padded(&entries(directory.into_iter()))?;
        let footer = self.header(place);
        self.marker(FOOTER, footer.len())?;
        self.put(&footer)?;
        self.marker(END_OF_STREAM, 0)?;
        self.file.flush()?;
        Ok(self.file)
    }

    /// A table without a grain is not there.
    fn end_table(&mut self) -> io::Result<()> {
        let table = std::mem::take(&mut self.table);
        if table.is_empty() {
            return Ok(());
        }
        self.marker(GRAIN_TABLE, table.len() * 4)?;
        self.directory[self.number as usize] = self.place()?;
        self.put_padded(&entries(table.into_iter()))
    }

    fn header(&self, directory: u64) -> Vec<u8> {
        let header = Header {
            version: 3,
            flags: FLAGS,
            capacity_sectors: self.capacity_sectors,
            spare_directory: 0,
            directory,
            data: DATA,
            compression: DEFLATE,
        };
        header.bytes()
    }

    /// A marker before something of that length: how many sectors, no bytes of a grain, and what comes.
    fn marker(&mut self, kind: u32, len_bytes: usize) -> io::Result<()> {
        let n_sectors = (len_bytes as u64).div_ceil(SECTOR_BYTES);
        let mut marker = vec![0; SECTOR_BYTES as usize];
        marker[..8].copy_from_slice(&n_sectors.to_le_bytes());
        marker[12..16].copy_from_slice(&kind.to_le_bytes());
        self.put(&marker)
    }

    /// Where the next sector is, as tables have it.
    fn place(&self) -> io::Result<u32> {
        u32::try_from(self.at).map_err(|_| io::ErrorKind::FileTooLarge.into())
    }

    fn put_padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().next_multiple_of(SECTOR_BYTES as usize), 0);
        self.put(&bytes)
    }

    /// Whole sectors.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.at += bytes.len() as u64 / SECTOR_BYTES;
        Ok(())
    }
}
