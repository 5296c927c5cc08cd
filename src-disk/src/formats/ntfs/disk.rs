//! The volume as `ntfs` has to see it.
//!
//! `ntfs` finds file records by the runs in the first record of the table of files. On a server with
//! millions of files that table lies in more pieces than one record has room for, and the other runs are
//! in other records, where `ntfs` does not look. Then it is shown a volume with one more table behind
//! its end, in one piece, and a first record that points there.

use std::io::{self, Read, Seek, SeekFrom};

use ntfs::{Ntfs, NtfsError};

use super::stream::{self, Stream};
use crate::{
    Slice,
    formats::bytes::{u16_at, u32_at},
    guard::Budget,
};

const DATA: u32 = 0x80;
const END: u32 = 0xFFFF_FFFF;

pub(super) struct Disk {
    slice: Slice,
    position: u64,
    table: Option<Table>,
}

/// The table of files in one piece, and its first record, which says so.
struct Table {
    start: u64,
    content: Stream,
    record_start: u64,
    record: Vec<u8>,
}

impl Disk {
    pub(super) fn new(slice: Slice) -> Self {
        Self {
            slice,
            position: 0,
            table: None,
        }
    }

    /// Looks at the table of files once, and from then on shows it in one piece where it has to.
    pub(super) fn join_table(&mut self, ntfs: &Ntfs) -> Result<(), NtfsError> {
        let table = ntfs.file(self, 0)?;
        if stream::parts(&table, self)?.len() < 2 {
            return Ok(());
        }
        let Some(content) = Stream::load(ntfs, &table, self)? else {
            return Ok(());
        };
        let cluster_bytes = u64::from(ntfs.cluster_size());
        let first = self.len_bytes().div_ceil(cluster_bytes);
        let n_clusters = content.len_bytes().div_ceil(cluster_bytes);
        let record_start = ntfs.mft_position().value().map_or(0, u64::from);
        let mut record = vec![0; usize::try_from(ntfs.file_record_size()).unwrap_or(0)];
        self.read_at(record_start, &mut record)?;
        let pointed = point(&mut record, first, n_clusters);
        pointed.ok_or_else(|| {
            NtfsError::Io(io::Error::other("the table of files has no sound record"))
        })?;
        self.table = Some(Table {
            start: first.saturating_mul(cluster_bytes),
            content,
            record_start,
            record,
        });
        Ok(())
    }

    /// The volume itself, where content lies.
    pub(super) fn slice(&mut self) -> &mut Slice {
        &mut self.slice
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.slice.len_bytes()
    }

    pub(super) fn budget(&self) -> &Budget {
        self.slice.budget()
    }

    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.read_exact(buffer)
    }
}

impl Read for Disk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.position;
        let mut wanted = buffer.len();
        if let Some(table) = &self.table {
            let within = at.checked_sub(table.record_start);
            let rest = within
                .and_then(|within| table.record.get(usize::try_from(within).ok()?..))
                .filter(|rest| !rest.is_empty());
            let n_read = if at >= table.start {
                let read = table
                    .content
                    .read(&mut self.slice, at - table.start, buffer);
                Some(read.map_err(io::Error::other)?)
            } else {
                rest.map(|rest| {
                    let n_read = rest.len().min(wanted);
                    buffer[..n_read].copy_from_slice(&rest[..n_read]);
                    n_read
                })
            };
            if let Some(n_read) = n_read {
                self.position += n_read as u64;
                return Ok(n_read);
            }
            if let Some(before) = table.record_start.checked_sub(at) {
                wanted = wanted.min(usize::try_from(before).unwrap_or(usize::MAX));
            }
        }
        self.slice.seek(SeekFrom::Start(at))?;
        let n_read = self.slice.read(&mut buffer[..wanted])?;
        self.position += n_read as u64;
        Ok(n_read)
    }
}

impl Seek for Disk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
            SeekFrom::End(delta) => self.len_bytes().checked_add_signed(delta),
        };
        self.position = target
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek out of range"))?;
        Ok(self.position)
    }
}

/// Makes the content of a file record one run. `None` where the record is not sound.
fn point(record: &mut [u8], first: u64, n_clusters: u64) -> Option<()> {
    swap_marks(record)?;
    let mut at = usize::from(u16_at(record, 0x14)?);
    while u32_at(record, at)? != DATA {
        let len = u32_at(record, at + 4).filter(|len| *len > 0)?;
        if u32_at(record, at)? == END {
            return None;
        }
        at = at.checked_add(usize::try_from(len).ok()?)?;
    }
    let len = usize::try_from(u32_at(record, at + 4)?).ok()?;
    let runs = usize::from(u16_at(record, at + 0x20)?);
    let runs = record.get_mut(at.checked_add(runs)?..at.checked_add(len)?)?;
    let (length, place) = (shortest(n_clusters), shortest(first));
    // Both lengths, both numbers, and the end of the runs.
    let sizes = u8::try_from(place.len() << 4 | length.len()).ok()?;
    let run = [&[sizes], &length[..], &place[..], &[0]].concat();
    runs.get_mut(..run.len())?.copy_from_slice(&run);
    swap_marks(record)
}

/// A number in as few bytes as leave its uppermost bit free, which is the sign.
fn shortest(number: u64) -> Vec<u8> {
    let n_bits = u64::BITS - number.leading_zeros();
    let bytes = number.to_le_bytes();
    let n_bytes = usize::try_from(n_bits / 8 + 1).unwrap_or(8);
    bytes[..n_bytes.min(8)].to_vec()
}

/// The last two bytes of each sector of a record are kept elsewhere in it, and in their place stands a mark
/// that is the same in all sectors of one write. Doing it twice changes nothing.
fn swap_marks(record: &mut [u8]) -> Option<()> {
    let marks = usize::from(u16_at(record, 4)?);
    for sector in 1..=record.len() / 512 {
        for byte in 0..2 {
            let kept = marks + 2 * sector + byte;
            let end = 512 * sector - 2 + byte;
            if kept >= record.len() {
                return None;
            }
            record.swap(kept, end);
        }
    }
    Some(())
}
