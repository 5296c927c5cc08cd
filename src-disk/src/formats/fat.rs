//! FAT12, FAT16 and FAT32, by `fatfs`, which wants to be able to write and is given a slice that
//! refuses.

use std::io::{Read, Seek, SeekFrom};

use fatfs::{DirEntry, File, FileSystem, FsOptions};
use jiff::{Timestamp, civil, tz::TimeZone};

use crate::{Entry, EntryKind, Error, FsPath, Listing, Name, Result, Slice, guard::Budget};

/// FAT holds 65 536 entries in a folder at most.
const MAX_ENTRIES: usize = 1 << 17;
/// What looking through a folder may read, several times what the largest has. A folder whose clusters
/// run in a circle and hold nothing but deleted entries would keep `fatfs` busy forever.
const FOLDER_BYTES: u64 = 64 << 20;

pub(crate) struct Fat {
    opened: Opened,
    label: String,
    budget: Budget,
}

/// The file that was read last, with its path: reading on goes on from its cluster. Found again for each
/// piece, a large file would be walked through from its first cluster each time.
type LastFile<'volume> = Option<(FsPath, File<'volume, Slice>)>;

self_cell::self_cell!(
    /// A file of `fatfs` borrows its filesystem.
    struct Opened {
        owner: FileSystem<Slice>,
        #[covariant]
        dependent: LastFile,
    }
);

impl Fat {
    pub(crate) fn open(slice: Slice) -> Result<Self> {
        let budget = slice.budget().clone();
        budget.allow(FOLDER_BYTES);
        let volume = FileSystem::new(slice, FsOptions::new().update_accessed_date(false))
            .map_err(|error| Error::corrupt(format!("FAT filesystem: {error}")))?;
        let in_root = volume.read_volume_label_from_root_dir().ok().flatten();
        let label = in_root.unwrap_or_else(|| volume.volume_label());
        let label = if label.trim() == "NO NAME" {
            String::new()
        } else {
            label
        };
        Ok(Self {
            opened: Opened::new(volume, |_| None),
            label,
            budget,
        })
    }

    pub(crate) fn label(&self) -> String {
        self.label.clone()
    }

    pub(crate) fn read_dir(&self, path: &FsPath) -> Result<Listing> {
        let mut entries = Vec::new();
        let folder = self.folder(path)?;
        self.budget.allow(FOLDER_BYTES);
        for found in folder.iter().take(MAX_ENTRIES) {
            let found = found.map_err(|error| damaged(path, &error))?;
            let name = found.file_name();
            if name != "." && name != ".." {
                entries.push(row(&found));
            }
        }
        Ok(Listing {
            entries,
            damage: Vec::new(),
        })
    }

    pub(crate) fn entry(&self, path: &FsPath) -> Result<Entry> {
        if path.is_root() {
            return Ok(Entry::new(Name::from_bytes("/"), EntryKind::Directory));
        }
        Ok(row(&find(self.opened.borrow_owner(), &self.budget, path)?))
    }

    pub(crate) fn read(&mut self, path: &FsPath, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let budget = &self.budget;
        self.opened.with_dependent_mut(|volume, last| {
            let mut file = match last.take() {
                Some((last_path, file)) if last_path == *path => file,
                _ => find(volume, budget, path)?.to_file(),
            };
            // No circle is endless here: a file's chain is followed as far as its size says.
            budget.allow(u64::MAX);
            file.seek(SeekFrom::Start(offset))
                .map_err(|error| damaged(path, &error))?;
            let mut n_read = 0;
            while n_read < buffer.len() {
                match file
                    .read(&mut buffer[n_read..])
                    .map_err(|error| damaged(path, &error))?
                {
                    0 => break,
                    n => n_read += n,
                }
            }
            *last = Some((path.clone(), file));
            Ok(n_read)
        })
    }

    fn folder(&self, path: &FsPath) -> Result<fatfs::Dir<'_, Slice>> {
        if path.is_root() {
            return Ok(self.opened.borrow_owner().root_dir());
        }
        let found = find(self.opened.borrow_owner(), &self.budget, path)?;
        if !found.is_dir() {
            return Err(Error::NotADirectory {
                path: path.to_string(),
            });
        }
        Ok(found.to_dir())
    }
}

/// Component by component, because `fatfs` would read `\` and `..` as its own.
fn find<'volume>(
    volume: &'volume FileSystem<Slice>,
    budget: &Budget,
    path: &FsPath,
) -> Result<DirEntry<'volume, Slice>> {
    let mut folder = volume.root_dir();
    let mut names = path.names().iter().peekable();
    while let Some(name) = names.next() {
        let mut alike = None;
        let mut exact = None;
        budget.allow(FOLDER_BYTES);
        for found in folder.iter().take(MAX_ENTRIES) {
            let found = found.map_err(|error| damaged(path, &error))?;
            let candidate = Name::from_bytes(found.file_name());
            if candidate == *name {
                exact = Some(found);
                break;
            }
            if alike.is_none() && candidate.matches_ignoring_case(name) {
                alike = Some(found);
            }
        }
        let Some(found) = exact.or(alike) else { break };
        if names.peek().is_none() {
            return Ok(found);
        }
        if !found.is_dir() {
            return Err(Error::NotADirectory {
                path: path.to_string(),
            });
        }
        folder = found.to_dir();
    }
    Err(Error::NotFound {
        path: path.to_string(),
    })
}

fn row(found: &DirEntry<'_, Slice>) -> Entry {
    let is_dir = found.is_dir();
    let kind = if is_dir {
        EntryKind::Directory
    } else {
        EntryKind::File
    };
    Entry {
        size_bytes: if is_dir { 0 } else { found.len() },
        modified: modified(&found.modified()),
        ..Entry::new(Name::from_bytes(found.file_name()), kind)
    }
}

/// `None` for fields out of range, which real disks hold.
fn modified(time: &fatfs::DateTime) -> Option<Timestamp> {
    let small = |field: u16| i8::try_from(field).ok();
    let date = civil::Date::new(
        i16::try_from(time.date.year).ok()?,
        small(time.date.month)?,
        small(time.date.day)?,
    );
    let time = civil::Time::new(
        small(time.time.hour)?,
        small(time.time.min)?,
        small(time.time.sec)?,
        i32::from(time.time.millis).checked_mul(1_000_000)?,
    );
    TimeZone::UTC
        .to_timestamp(date.ok()?.to_datetime(time.ok()?))
        .ok()
}

fn damaged(path: &FsPath, error: &std::io::Error) -> Error {
    Error::corrupt(format!("FAT filesystem, {path}: {error}"))
}
