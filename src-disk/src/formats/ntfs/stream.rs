//! The bytes of an attribute: runs of clusters, holes, areas never written, and LZNT1.

use super::{
    attribute::{Attribute, Body},
    record::Piece,
};
use crate::{Error, Result, Slice};

/// More pieces than that are damage: Windows refuses to write a file any further long before.
const MAX_RUNS: usize = 1 << 21;
/// Windows compresses 64 KiB at a time.
const MAX_UNIT_BYTES: u64 = 2 << 20;
/// LZNT1 compresses 4 KiB for themselves.
const CHUNK_BYTES: usize = 4096;

/// Content that can be read from any place.
pub(super) struct Stream {
    size: u64,
    /// How much has ever been written.
    initialized: u64,
    content: Content,
    cluster_bytes: u64,
}

enum Content {
    Resident(Piece),
    Runs(Vec<Run>),
    Units {
        runs: Vec<Run>,
        unit_bytes: u64,
        /// The unit that was read last.
        last: Option<(u64, Vec<u8>)>,
    },
}

/// In bytes; runs are in order, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    start: u64,
    end: u64,
    /// `None` for zeros that lie nowhere.
    position: Option<u64>,
}

impl Stream {
    /// Joins the parts of an attribute; they come in any order.
    pub(super) fn join<'a>(
        parts: impl IntoIterator<Item = &'a Attribute>,
        cluster_bytes: u64,
    ) -> Result<Option<Self>> {
        let mut parts = parts.into_iter();
        let Some(mut first) = parts.next() else {
            return Ok(None);
        };
        // Nearly always there are none, and a list of them costs nothing.
        let mut others: Vec<_> = parts.collect();
        if !others.is_empty() {
            others.insert(0, first);
            others.sort_by_key(|part| part.first_cluster());
            first = others.remove(0);
        }
        let mut stream = Self {
            size: first.size(),
            initialized: u64::MAX,
            content: Content::Runs(Vec::new()),
            cluster_bytes,
        };
        let part = match &first.body {
            Body::Resident(value) => {
                stream.content = Content::Resident(value.clone());
                return Ok(Some(stream));
            }
            Body::Runs(part) => part,
        };
        stream.initialized = part.initialized;
        if first.is_compressed && part.unit > 0 {
            let unit_bytes = cluster_bytes.checked_shl(u32::from(part.unit));
            let unit_bytes = unit_bytes.filter(|bytes| *bytes <= MAX_UNIT_BYTES);
            stream.content = Content::Units {
                runs: Vec::new(),
                unit_bytes: unit_bytes
                    .filter(|bytes| bytes.is_power_of_two())
                    .ok_or_else(|| damaged("it is compressed in larger units than any file"))?,
                last: None,
            };
        }
        stream.extend(first)?;
        for part in others {
            stream.extend(part)?;
        }
        Ok(Some(stream))
    }

    /// Adds the next part.
    pub(super) fn extend(&mut self, part: &Attribute) -> Result<()> {
        let cluster_bytes = self.cluster_bytes;
        let Body::Runs(part) = &part.body else {
            return Err(damaged("a part of its content is not one"));
        };
        let (Content::Runs(runs) | Content::Units { runs, .. }) = &mut self.content else {
            return Err(damaged("a part of its content is not one"));
        };
        let end = runs.last().map_or(0, |run| run.end);
        if part.first_cluster.checked_mul(cluster_bytes) != Some(end) {
            return Err(damaged("a part of its content is missing"));
        }
        decode(&part.runs, cluster_bytes, runs)
            .ok_or_else(|| damaged("where its content lies is unknown"))
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.size
    }

    /// How far its runs reach, holes among them.
    pub(super) fn allocated_bytes(&self) -> u64 {
        match &self.content {
            Content::Resident(bytes) => bytes.len() as u64,
            Content::Runs(runs) | Content::Units { runs, .. } => {
                runs.last().map_or(0, |run| run.end)
            }
        }
    }

    /// The first byte from a place on that is no hole; `None` where only holes follow, or the end.
    pub(super) fn next_allocated(&self, offset: u64) -> Option<u64> {
        let next = match &self.content {
            Content::Resident(_) => offset,
            Content::Runs(runs) | Content::Units { runs, .. } => {
                let first = runs.partition_point(|run| run.end <= offset);
                let mut rest = runs.get(first..)?.iter();
                rest.find(|run| run.position.is_some())?.start.max(offset)
            }
        };
        (next < self.size.min(self.allocated_bytes())).then_some(next)
    }

    /// Whether all of it is on the disk: nothing is a hole, nothing was left unwritten.
    pub(super) fn is_whole(&self) -> bool {
        let (runs, unit_bytes) = match &self.content {
            Content::Resident(_) => return true,
            Content::Runs(runs) => (runs, self.cluster_bytes),
            Content::Units {
                runs, unit_bytes, ..
            } => (runs, *unit_bytes),
        };
        // A hole shorter than a unit is what compression saved.
        let has_hole = runs.iter().any(|run| {
            let unit = run.start.checked_next_multiple_of(unit_bytes);
            run.position.is_none() && unit.is_some_and(|unit| unit < self.size && unit < run.end)
        });
        !has_hole && self.initialized >= self.size && self.allocated_bytes() >= self.size
    }

    /// All of it, where that is no more than a limit.
    pub(super) fn all(&mut self, disk: &mut Slice, max_bytes: u64) -> Result<Vec<u8>> {
        if self.size > max_bytes || self.size > self.allocated_bytes() {
            return Err(damaged("one of its structures is larger than any is"));
        }
        let mut bytes = vec![0; usize::try_from(self.size).unwrap_or(0)];
        self.read_exact(disk, 0, &mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn read_exact(
        &mut self,
        disk: &mut Slice,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<()> {
        if self.read(disk, offset, buffer)? < buffer.len() {
            return Err(damaged("one of its structures ends too early"));
        }
        Ok(())
    }

    /// Reads from a place, as far as the size and the buffer go; less where no more is to be found.
    pub(super) fn read(
        &mut self,
        disk: &mut Slice,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        let wanted = clamp(self.size.saturating_sub(offset)).min(buffer.len());
        // What was never written reads as zeros; what lies there on the disk belonged to another file.
        let n_written = clamp(self.initialized.saturating_sub(offset)).min(wanted);
        let (written, unwritten) = buffer[..wanted].split_at_mut(n_written);
        unwritten.fill(0);
        let n_read = match &mut self.content {
            Content::Resident(bytes) => copy(bytes, offset, written),
            Content::Runs(runs) => read_runs(runs, disk, offset, written)?,
            Content::Units {
                runs,
                unit_bytes,
                last,
            } => read_units(
                runs,
                *unit_bytes,
                last,
                self.cluster_bytes,
                disk,
                offset,
                written,
            )?,
        };
        Ok(if n_read < n_written { n_read } else { wanted })
    }
}

fn clamp(n_bytes: u64) -> usize {
    usize::try_from(n_bytes).unwrap_or(usize::MAX)
}

fn copy(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..));
    let rest = rest.unwrap_or_default();
    let n = rest.len().min(buffer.len());
    buffer[..n].copy_from_slice(&rest[..n]);
    n
}

/// Runs, one after another: a byte with the lengths of two numbers, how many clusters, and how far on from
/// the run before; without the second number it is a hole. A zero ends them.
fn decode(mut bytes: &[u8], cluster_bytes: u64, runs: &mut Vec<Run>) -> Option<()> {
    let mut cluster = 0i64;
    loop {
        let (&head, rest) = bytes.split_first()?;
        if head == 0 {
            return Some(());
        }
        let (n_len, n_place) = (usize::from(head & 15), usize::from(head >> 4));
        let (len, rest) = rest.split_at_checked(n_len)?;
        let (place, rest) = rest.split_at_checked(n_place)?;
        let len = u64::try_from(number(len)?).ok().filter(|len| *len > 0)?;
        let len = len.checked_mul(cluster_bytes)?;
        let position = if n_place == 0 {
            None
        } else {
            cluster = cluster.checked_add(number(place)?)?;
            let position = u64::try_from(cluster).ok()?.checked_mul(cluster_bytes)?;
            position.checked_add(len)?;
            Some(position)
        };
        let start = runs.last().map_or(0, |run| run.end);
        runs.push(Run {
            start,
            end: start.checked_add(len)?,
            position,
        });
        (runs.len() <= MAX_RUNS).then_some(())?;
        bytes = rest;
    }
}

/// A number with a sign, in as few bytes as it needs.
fn number(bytes: &[u8]) -> Option<i64> {
    let is_negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
    let mut all = [if is_negative { 0xFF } else { 0 }; 8];
    all.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(all))
}

fn read_runs(runs: &[Run], disk: &mut Slice, offset: u64, buffer: &mut [u8]) -> Result<usize> {
    let len = buffer.len();
    let mut at = offset;
    let mut rest = buffer;
    let first = runs.partition_point(|run| run.end <= offset);
    for run in &runs[first..] {
        if rest.is_empty() {
            break;
        }
        let n = clamp(run.end.saturating_sub(at)).min(rest.len());
        let (piece, after) = rest.split_at_mut(n);
        match run.position {
            Some(position) => disk
                .read_at(position.saturating_add(at.saturating_sub(run.start)), piece)
                .map_err(|error| damaged(&error.to_string()))?,
            None => piece.fill(0),
        }
        at = at.saturating_add(n as u64);
        rest = after;
    }
    Ok(len.saturating_sub(rest.len()))
}

fn read_units(
    runs: &[Run],
    unit_bytes: u64,
    last: &mut Option<(u64, Vec<u8>)>,
    cluster_bytes: u64,
    disk: &mut Slice,
    offset: u64,
    buffer: &mut [u8],
) -> Result<usize> {
    let mut n_read = 0;
    while n_read < buffer.len() {
        let at = offset.saturating_add(n_read as u64);
        let within = at.checked_rem(unit_bytes).unwrap_or(0);
        let start = at.saturating_sub(within);
        if runs.last().is_none_or(|run| run.end <= at) {
            break;
        }
        let content = match last.take() {
            Some((known, content)) if known == start => content,
            _ => unit(runs, unit_bytes, cluster_bytes, disk, start)?,
        };
        let n_copied = copy(&content, within, &mut buffer[n_read..]);
        n_read = n_read.saturating_add(n_copied);
        *last = Some((start, content));
    }
    Ok(n_read)
}

/// One unit: stored where all its clusters are there, zeros where none is, else compressed.
fn unit(
    runs: &[Run],
    unit_bytes: u64,
    cluster_bytes: u64,
    disk: &mut Slice,
    start: u64,
) -> Result<Vec<u8>> {
    let end = start.saturating_add(unit_bytes);
    let first = runs.partition_point(|run| run.end <= start);
    let mut stored = Vec::new();
    for run in &runs[first..] {
        if run.start >= end {
            break;
        }
        if let Some(position) = run.position {
            let from = run.start.max(start);
            let mut piece = vec![0; clamp(run.end.min(end).saturating_sub(from))];
            disk.read_at(
                position.saturating_add(from.saturating_sub(run.start)),
                &mut piece,
            )
            .map_err(|error| damaged(&error.to_string()))?;
            stored.append(&mut piece);
        }
    }
    let unit_bytes = clamp(unit_bytes);
    if stored.is_empty() {
        return Ok(vec![0; unit_bytes]);
    }
    if stored.len().saturating_add(clamp(cluster_bytes)) <= unit_bytes {
        return decompress(&stored, unit_bytes);
    }
    stored.resize(unit_bytes, 0);
    Ok(stored)
}

/// Chunk by chunk, so that what is damaged never grows past the unit.
fn decompress(mut stored: &[u8], unit_bytes: usize) -> Result<Vec<u8>> {
    let mut content = Vec::with_capacity(unit_bytes.saturating_add(CHUNK_BYTES));
    while content.len() < unit_bytes {
        let head = match stored.split_first_chunk::<2>() {
            Some((head, _)) => u16::from_le_bytes(*head),
            None => 0,
        };
        if head == 0 {
            break;
        }
        let end = content.len().saturating_add(CHUNK_BYTES);
        let len = usize::from(head & 0x0FFF) + 3;
        let chunk = stored.split_at_checked(len);
        let (chunk, rest) = chunk.ok_or_else(|| damaged("a compressed part of it is cut off"))?;
        lznt1::decompress(chunk, &mut content)
            .map_err(|_| damaged("a compressed part of it is not sound"))?;
        if content.len() > end {
            return Err(damaged("a compressed part of it is too long"));
        }
        content.resize(end, 0);
        stored = rest;
    }
    content.resize(unit_bytes, 0);
    Ok(content)
}

fn damaged(what: &str) -> Error {
    Error::corrupt(format!("NTFS: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_go_back_and_forth_and_have_holes() {
        let mut runs = Vec::new();
        let bytes = [0x21, 2, 0x34, 0x12, 0x01, 5, 0x11, 1, 0xFF, 0];
        decode(&bytes, 512, &mut runs).unwrap();
        let clusters: Vec<_> = runs
            .iter()
            .map(|run| {
                (
                    run.start / 512,
                    run.end / 512,
                    run.position.map(|p| p / 512),
                )
            })
            .collect();
        assert_eq!(
            clusters,
            [(0, 2, Some(0x1234)), (2, 7, None), (7, 8, Some(0x1233))]
        );
        for bad in [
            &[0x11, 1][..],
            &[0x11, 0, 5, 0],
            &[0x11, 1, 0xFF, 0],
            &[0x01, 1],
            &[0xF9],
        ] {
            assert_eq!(decode(bad, 512, &mut Vec::new()), None, "{bad:?}");
        }
    }
}
