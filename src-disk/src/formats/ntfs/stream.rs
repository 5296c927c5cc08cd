//! The content of a file: where its parts lie on the disk.
//!
//! `ntfs` reads content too, but takes the wrong part for the first where the file record keeps one itself
//! and an attribute list names the others; and it walks from the first run to the one wanted for each read.

use ntfs::{
    Ntfs, NtfsAttribute, NtfsAttributeType, NtfsError, NtfsFile,
    attribute_value::NtfsAttributeValue, structured_values::NtfsAttributeList,
};

use super::disk::Disk;
use crate::{Error, Result, Slice};

/// Where a non-resident attribute keeps its initialized size.
const INITIALIZED_SIZE: u64 = 0x38;
/// More pieces of a file, or more parts in its attribute list, than that are damage: Windows refuses to
/// write a file any further long before.
const MAX_PARTS: usize = 1 << 21;
const TOO_MANY: &str = "it lies in more pieces than any file does";

/// Content that can be read from any place.
pub(super) struct Stream {
    size: u64,
    /// How much has ever been written.
    initialized: u64,
    content: Content,
}

enum Content {
    /// In the file record itself.
    Resident(Vec<u8>),
    /// In order, without gaps.
    Runs(Vec<Run>),
}

struct Run {
    start: u64,
    end: u64,
    /// `None` for zeros that lie nowhere.
    position: Option<u64>,
}

impl Stream {
    /// The unnamed stream of a file; `None` where it has none.
    pub(super) fn load(
        ntfs: &Ntfs,
        file: &NtfsFile<'_>,
        disk: &mut Disk,
    ) -> Result<Option<Self>, NtfsError> {
        let mut stream: Option<Self> = None;
        for part in parts(file, disk)? {
            let is_first = stream.is_none();
            let start = u64::try_from(part.first_cluster).unwrap_or(0);
            let start = start.saturating_mul(u64::from(ntfs.cluster_size()));
            let loaded = part.attribute(ntfs, file, disk, |attribute, disk| {
                let stream = stream.get_or_insert_with(Self::empty);
                if is_first {
                    stream.size = attribute.value_length();
                    stream.initialized = initialized_size(attribute, disk)?;
                }
                stream.extend(attribute, disk, start)
            })?;
            if loaded.is_none() {
                break;
            }
        }
        Ok(stream)
    }

    fn empty() -> Self {
        Self {
            size: 0,
            initialized: 0,
            content: Content::Runs(Vec::new()),
        }
    }

    fn extend(
        &mut self,
        attribute: &NtfsAttribute<'_, '_>,
        disk: &mut Disk,
        start: u64,
    ) -> Result<(), NtfsError> {
        match (attribute.value(disk)?, &mut self.content) {
            (NtfsAttributeValue::Resident(value), content) => {
                *content = Content::Resident(value.data().to_vec());
            }
            (NtfsAttributeValue::NonResident(value), Content::Runs(runs)) => {
                if runs.last().map_or(0, |last| last.end) != start {
                    return Err(damaged("a part of its content is missing"));
                }
                for run in value.data_runs() {
                    let run = run?;
                    let start = runs.last().map_or(0, |last| last.end);
                    runs.push(Run {
                        start,
                        end: start.saturating_add(run.allocated_size()),
                        position: run.data_position().value().map(u64::from),
                    });
                    if runs.len() > MAX_PARTS {
                        return Err(damaged(TOO_MANY));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.size
    }

    /// Reads from a place, as far as the size and the buffer go; 0 where no more is to be found.
    pub(super) fn read(&self, disk: &mut Slice, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let runs = match &self.content {
            Content::Runs(runs) => runs,
            Content::Resident(bytes) => {
                let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..));
                let rest = rest.unwrap_or_default();
                let n_read = wanted.min(rest.len());
                buffer[..n_read].copy_from_slice(&rest[..n_read]);
                return Ok(n_read);
            }
        };
        // What was never written reads as zeros; what lies there on the disk belonged to another file.
        let written =
            usize::try_from(self.initialized.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (written, unwritten) = buffer[..wanted].split_at_mut(written.min(wanted));
        unwritten.fill(0);
        let mut n_read = 0;
        while n_read < written.len() {
            let at = offset + n_read as u64;
            let index = runs.partition_point(|run| run.end <= at);
            let Some(run) = runs.get(index) else {
                return Ok(n_read);
            };
            let run_bytes = usize::try_from(run.end - at).unwrap_or(usize::MAX);
            let n = run_bytes.min(written.len() - n_read);
            let piece = &mut written[n_read..n_read + n];
            match run.position {
                Some(position) => disk
                    .read_at(position.saturating_add(at - run.start), piece)
                    .map_err(|error| Error::corrupt(format!("NTFS: {error}")))?,
                None => piece.fill(0),
            }
            n_read += n;
        }
        Ok(wanted)
    }
}

/// One of the attributes that hold a file's content between them.
pub(super) struct Part {
    first_cluster: i64,
    record: u64,
    /// Which attribute of the record; the first unnamed one where there is no list.
    instance: Option<u16>,
}

/// The parts of the unnamed stream, first part first. Without an attribute list there is one.
pub(super) fn parts(file: &NtfsFile<'_>, disk: &mut Disk) -> Result<Vec<Part>, NtfsError> {
    let mut parts = vec![Part {
        first_cluster: 0,
        record: file.file_record_number(),
        instance: None,
    }];
    for attribute in file.attributes_raw() {
        let attribute = attribute?;
        // Kinds that are not known have nothing to do with content.
        if !matches!(attribute.ty(), Ok(NtfsAttributeType::AttributeList)) {
            continue;
        }
        parts.clear();
        let list = attribute.structured_value::<_, NtfsAttributeList<'_, '_>>(disk)?;
        let mut entries = list.entries();
        while let Some(entry) = entries.next(disk) {
            let entry = entry?;
            if matches!(entry.ty(), Ok(NtfsAttributeType::Data)) && entry.name_length() == 0 {
                parts.push(Part {
                    first_cluster: entry.lowest_vcn().value(),
                    record: entry.base_file_reference().file_record_number(),
                    instance: Some(entry.instance()),
                });
            }
            if parts.len() > MAX_PARTS {
                return Err(damaged(TOO_MANY));
            }
        }
    }
    parts.sort_by_key(|part| part.first_cluster);
    Ok(parts)
}

impl Part {
    /// Looks at the attribute, which may lie in another record than the file's own; `None` where it is not.
    pub(super) fn attribute<T>(
        &self,
        ntfs: &Ntfs,
        file: &NtfsFile<'_>,
        disk: &mut Disk,
        look: impl FnOnce(&NtfsAttribute<'_, '_>, &mut Disk) -> Result<T, NtfsError>,
    ) -> Result<Option<T>, NtfsError> {
        let other;
        let owner = if self.record == file.file_record_number() {
            file
        } else {
            other = ntfs.file(disk, self.record)?;
            &other
        };
        for attribute in owner.attributes_raw() {
            let attribute = attribute?;
            let is_wanted = matches!(attribute.ty(), Ok(NtfsAttributeType::Data))
                && attribute.name_length() == 0
                && self.instance.is_none_or(|it| it == attribute.instance());
            if is_wanted {
                return look(&attribute, disk).map(Some);
            }
        }
        Ok(None)
    }
}

/// `ntfs` does not tell, so the field is read from where the attribute lies on the disk.
fn initialized_size(attribute: &NtfsAttribute<'_, '_>, disk: &mut Disk) -> Result<u64, NtfsError> {
    if attribute.is_resident() {
        return Ok(u64::MAX);
    }
    let start = attribute.position().value().map_or(0, u64::from);
    let mut bytes = [0; 8];
    disk.read_at(start.saturating_add(INITIALIZED_SIZE), &mut bytes)?;
    // The last two bytes of a sector are not the record's own (they detect torn writes). They can only
    // be the upper ones of this field, which are zero: no file is larger than 256 TiB.
    bytes[6..].fill(0);
    Ok(u64::from_le_bytes(bytes))
}

fn damaged(what: &str) -> NtfsError {
    NtfsError::Io(std::io::Error::other(what))
}
