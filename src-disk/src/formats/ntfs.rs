//! NTFS, by the `ntfs` crate, which reads neither compressed nor encrypted content nor reparse
//! points: those are recognised here by their flags.

mod disk;
mod stream;

use jiff::Timestamp;
use ntfs::{
    Ntfs, NtfsAttribute, NtfsAttributeType, NtfsError, NtfsFile, NtfsReadSeek,
    attribute_value::NtfsAttributeValue,
    indexes::NtfsFileNameIndex,
    structured_values::{NtfsFileAttributeFlags, NtfsFileNamespace, NtfsIndexRoot},
};

use self::{disk::Disk, stream::Stream};
use super::{MAX_ENTRIES, too_many_entries};
use crate::{Entry, EntryKind, Error, FsPath, Listing, Name, Result, Slice};

const ROOT_RECORD: u64 = 5;
/// Records below are the filesystem's own (`$MFT`, `$Bitmap`, …).
const FIRST_USER_RECORD: u64 = 24;
/// 100 ns steps from 1601 to 1970.
const UNIX_EPOCH_NT: i128 = 116_444_736_000_000_000;
/// The largest reparse point that Windows writes.
const MAX_REPARSE_BYTES: u64 = 16 << 10;
/// Windows makes file records of 1 or 4 KiB and index records of 4 KiB; `ntfs` allocates what it is told.
const MAX_RECORD_BYTES: u32 = 64 << 10;
/// What one step of the library may read: trees of records are walked within one, and a tree may be
/// a circle. Far more than a file in ten thousand pieces takes.
const STEP_BYTES: u64 = 64 << 20;

const TAG_SYMLINK: u32 = 0xA000_000C;
const TAG_MOUNT_POINT: u32 = 0xA000_0003;
const TAG_WOF: u32 = 0x8000_0017;
const TAG_DEDUP: u32 = 0x8000_0013;
/// WSL's own special files carry no bytes of interest either.
const TAG_LX_SYMLINK: u32 = 0xA000_001D;

pub(crate) struct NtfsVolume {
    ntfs: Ntfs,
    disk: Disk,
    label: String,
    /// The file that was read last.
    last: Option<(u64, Stream)>,
}

impl NtfsVolume {
    pub(crate) fn open(slice: Slice) -> Result<Self> {
        let mut disk = Disk::new(slice);
        let at_root = |error| present(error, &FsPath::root());
        disk.budget().allow(STEP_BYTES);
        let mut ntfs = Ntfs::new(&mut disk).map_err(at_root)?;
        if ntfs.file_record_size() > MAX_RECORD_BYTES {
            return Err(Error::corrupt("NTFS: file records larger than any are"));
        }
        disk.join_table(&ntfs).map_err(at_root)?;
        ntfs.read_upcase_table(&mut disk).map_err(at_root)?;
        let label = ntfs
            .volume_name(&mut disk)
            .and_then(Result::ok)
            .map(|name| name.name().to_string_lossy())
            .unwrap_or_default();
        Ok(Self {
            ntfs,
            disk,
            label,
            last: None,
        })
    }

    pub(crate) fn label(&self) -> String {
        self.label.clone()
    }

    pub(crate) fn read_dir(&mut self, path: &FsPath) -> Result<Listing> {
        let record = self.record_of(path)?;
        let entries = self.entries(record, path)?.into_iter();
        Ok(Listing {
            entries: entries
                .map(|(name, record)| self.row(name, record))
                .collect(),
            damage: Vec::new(),
        })
    }

    pub(crate) fn entry(&mut self, path: &FsPath) -> Result<Entry> {
        let record = self.record_of(path)?;
        let name = path
            .names()
            .last()
            .cloned()
            .unwrap_or(Name::from_bytes("/"));
        Ok(self.row(name, record))
    }

    pub(crate) fn read(&mut self, record: u64, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.disk
            .budget()
            .allow(STEP_BYTES + 2 * buffer.len() as u64);
        let stream = match self.last.take() {
            Some((last, stream)) if last == record => stream,
            _ => self.stream(record)?,
        };
        let n_read = stream.read(self.disk.slice(), offset, buffer);
        self.last = Some((record, stream));
        n_read
    }

    fn stream(&mut self, record: u64) -> Result<Stream> {
        let here = FsPath::root();
        let as_here = |error| present(error, &here);
        let file = self.ntfs.file(&mut self.disk, record).map_err(as_here)?;
        Stream::load(&self.ntfs, &file, &mut self.disk)
            .map_err(as_here)?
            .ok_or_else(|| Error::corrupt("a file without content"))
    }

    pub(crate) fn read_link(&mut self, path: &FsPath) -> Result<Name> {
        let record = self.record_of(path)?;
        self.disk.budget().allow(STEP_BYTES);
        let file = self
            .ntfs
            .file(&mut self.disk, record)
            .map_err(|error| present(error, path))?;
        reparse_point(&file, &mut self.disk)
            .and_then(|reparse| reparse.target())
            .ok_or_else(|| Error::NotAFile {
                path: path.to_string(),
            })
    }

    /// The file record of a path; exact names first, then as Windows compares them.
    pub(crate) fn record_of(&mut self, path: &FsPath) -> Result<u64> {
        let mut record = ROOT_RECORD;
        for name in path.names() {
            record = self.find(record, name, path)?;
        }
        Ok(record)
    }

    fn find(&mut self, folder: u64, name: &Name, path: &FsPath) -> Result<u64> {
        // The index is a tree ordered by upper-case name: one look-up, not a walk through the folder.
        if let Some(text) = name.as_str() {
            let as_here = |error| present(error, path);
            self.disk.budget().allow(STEP_BYTES);
            let file = self.ntfs.file(&mut self.disk, folder).map_err(as_here)?;
            refuse_large_index(&file, &mut self.disk, path)?;
            let index = file.directory_index(&mut self.disk).map_err(as_here)?;
            let mut finder = index.finder();
            let found = NtfsFileNameIndex::find(&mut finder, &self.ntfs, &mut self.disk, text);
            if let Some(entry) = found {
                let entry = entry.map_err(as_here)?;
                let key = entry.key().transpose().map_err(as_here)?;
                // Case-sensitive folders hold names that differ only in case: look closer.
                if key.is_some_and(|key| Name::from_utf16(key.name().u16_iter()) == *name) {
                    return Ok(entry.file_reference().file_record_number());
                }
            }
        }
        let entries = self.entries(folder, path)?;
        let exact = entries.iter().find(|(candidate, _)| candidate == name);
        exact
            .or_else(|| {
                entries
                    .iter()
                    .find(|(candidate, _)| candidate.matches_ignoring_case(name))
            })
            .map(|(_, record)| *record)
            .ok_or_else(|| Error::NotFound {
                path: path.to_string(),
            })
    }

    fn entries(&mut self, folder: u64, path: &FsPath) -> Result<Vec<(Name, u64)>> {
        let as_here = |error| present(error, path);
        self.disk.budget().allow(STEP_BYTES);
        let file = self.ntfs.file(&mut self.disk, folder).map_err(as_here)?;
        if !file.is_directory() {
            return Err(Error::NotADirectory {
                path: path.to_string(),
            });
        }
        refuse_large_index(&file, &mut self.disk, path)?;
        let index = file.directory_index(&mut self.disk).map_err(as_here)?;
        let mut iterator = index.entries();
        let mut entries = Vec::new();
        // Every entry takes at least 0x52 bytes of the disk: more of them than that is a loop.
        let mut n_possible = self.disk.len_bytes() / 0x52;
        loop {
            n_possible = n_possible.checked_sub(1).ok_or_else(|| {
                Error::corrupt(format!("NTFS, {path}: the folder's index runs in a circle"))
            })?;
            self.disk.budget().allow(STEP_BYTES);
            let Some(entry) = iterator.next(&mut self.disk) else {
                break;
            };
            let entry = entry.map_err(as_here)?;
            let Some(key) = entry.key() else { continue };
            let key = key.map_err(as_here)?;
            let record = entry.file_reference().file_record_number();
            let is_own = folder == ROOT_RECORD && record < FIRST_USER_RECORD;
            if key.namespace() == NtfsFileNamespace::Dos || is_own {
                continue;
            }
            entries.push((Name::from_utf16(key.name().u16_iter()), record));
            if entries.len() > MAX_ENTRIES {
                return Err(too_many_entries(path));
            }
        }
        Ok(entries)
    }

    /// A row for the list; damage of one entry stays with that entry.
    fn row(&mut self, name: Name, record: u64) -> Entry {
        let mut entry = Entry::new(name, EntryKind::Other);
        if let Err(error) = self.describe(record, &mut entry) {
            entry.unreadable = Some(present(error, &FsPath::root()).to_string());
        }
        entry
    }

    fn describe(&mut self, record: u64, entry: &mut Entry) -> Result<(), NtfsError> {
        self.disk.budget().allow(STEP_BYTES);
        let file = self.ntfs.file(&mut self.disk, record)?;
        let info = file.info()?;
        entry.modified = timestamp(info.modification_time().nt_timestamp());
        let flags = info.file_attributes();
        let is_folder = file.is_directory();
        entry.kind = if is_folder {
            EntryKind::Directory
        } else {
            EntryKind::File
        };
        if flags.contains(NtfsFileAttributeFlags::REPARSE_POINT)
            && let Some(reparse) = reparse_point(&file, &mut self.disk)
        {
            match reparse.tag {
                TAG_SYMLINK | TAG_MOUNT_POINT | TAG_LX_SYMLINK => {
                    entry.kind = EntryKind::Symlink;
                    return Ok(());
                }
                TAG_WOF => {
                    entry.unreadable = Some(
                        "compressed by Windows (CompactOS), which cannot be read yet".to_owned(),
                    );
                }
                TAG_DEDUP => {
                    entry.unreadable =
                        Some("deduplicated by Windows Server, which cannot be read".to_owned());
                }
                _ => {}
            }
        }
        if is_folder {
            return Ok(());
        }
        // The first part speaks for all of them.
        let Some(first) = stream::parts(&file, &mut self.disk)?.into_iter().next() else {
            return Ok(());
        };
        let data = first.attribute(&self.ntfs, &file, &mut self.disk, |attribute, _| {
            Ok((attribute.value_length(), unreadable(attribute)))
        })?;
        if let Some((size, reason)) = data {
            entry.size_bytes = size;
            entry.unreadable = entry.unreadable.take().or(reason);
        }
        Ok(())
    }
}

/// `ntfs` allocates each index record in the size that the folder claims, up to 4 GiB.
fn refuse_large_index(file: &NtfsFile<'_>, disk: &mut Disk, path: &FsPath) -> Result<()> {
    let as_here = |error| present(error, path);
    let mut attributes = file.attributes();
    while let Some(item) = attributes.next(disk) {
        let item = item.map_err(as_here)?;
        let attribute = item.to_attribute().map_err(as_here)?;
        if attribute.ty().map_err(as_here)? != NtfsAttributeType::IndexRoot {
            continue;
        }
        let root = attribute.resident_structured_value::<NtfsIndexRoot<'_>>();
        if root.map_err(as_here)?.index_record_size() > MAX_RECORD_BYTES {
            return Err(Error::corrupt(format!(
                "NTFS, {path}: index records larger than any are"
            )));
        }
    }
    Ok(())
}

fn unreadable(attribute: &NtfsAttribute<'_, '_>) -> Option<String> {
    let flags = attribute.flags();
    if flags.contains(ntfs::NtfsAttributeFlags::ENCRYPTED) {
        Some("encrypted by Windows (EFS), which cannot be read".to_owned())
    } else if flags.contains(ntfs::NtfsAttributeFlags::COMPRESSED) && !attribute.is_resident() {
        Some("compressed by NTFS, which cannot be read yet".to_owned())
    } else {
        None
    }
}

/// A reparse point: [MS-FSCC] 2.1.2.
struct Reparse {
    tag: u32,
    bytes: Vec<u8>,
}

impl Reparse {
    fn word(&self, offset: usize) -> Option<usize> {
        let bytes = self.bytes.get(offset..offset.checked_add(2)?)?;
        Some(usize::from(u16::from_le_bytes(bytes.try_into().ok()?)))
    }

    /// The name to show where there is one, else the name that Windows follows.
    fn target(&self) -> Option<Name> {
        let names = match self.tag {
            TAG_SYMLINK => 20,
            TAG_MOUNT_POINT => 16,
            TAG_LX_SYMLINK => return Some(Name::from_bytes(self.bytes.get(12..)?)),
            _ => return None,
        };
        let part = |offset: usize, len: usize| {
            let start = names + self.word(offset)?;
            self.bytes.get(start..start + self.word(len)?)
        };
        let printed = part(12, 14).filter(|name| !name.is_empty());
        let bytes = printed.or_else(|| part(8, 10))?;
        let (units, _) = bytes.as_chunks::<2>();
        Some(Name::from_utf16(
            units.iter().map(|unit| u16::from_le_bytes(*unit)),
        ))
    }
}

fn reparse_point(file: &NtfsFile<'_>, disk: &mut Disk) -> Option<Reparse> {
    let mut attributes = file.attributes();
    while let Some(item) = attributes.next(disk) {
        let item = item.ok()?;
        let attribute = item.to_attribute().ok()?;
        if attribute.ty().ok()? != NtfsAttributeType::ReparsePoint {
            continue;
        }
        let mut value: NtfsAttributeValue<'_, '_> = attribute.value(disk).ok()?;
        let len = usize::try_from(value.len().min(MAX_REPARSE_BYTES)).ok()?;
        let mut bytes = vec![0; len];
        value.read_exact(disk, &mut bytes).ok()?;
        let tag = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
        return Some(Reparse { tag, bytes });
    }
    None
}

fn timestamp(nt: u64) -> Option<Timestamp> {
    Timestamp::from_nanosecond((i128::from(nt) - UNIX_EPOCH_NT) * 100).ok()
}

fn present(error: NtfsError, path: &FsPath) -> Error {
    let path = path.to_string();
    match error {
        NtfsError::NotADirectory { .. } => Error::NotADirectory { path },
        NtfsError::Io(error) => Error::corrupt(format!("NTFS, {path}: {error}")),
        other => Error::corrupt(format!("NTFS, {path}: {other}")),
    }
}
