//! NTFS: folders, entries, files with their streams, links.
//!
//! We read it ourselves because the existing library (`ntfs` 0.4) fails on large clusters and on folders and tables in
//! many pieces, and reads neither compressed files nor reparse points. Everything on a volume is a file, including its
//! own structures: a record in the file table (`$MFT`) that holds attributes, which hold their bytes themselves or say
//! where these are. Formats: [MS-FSCC] for what programs see, and <https://flatcap.github.io/linux-ntfs/ntfs/> for the
//! disk.

mod attribute;
mod boot;
mod index;
mod names;
mod record;
mod reparse;
mod security;
mod stream;
mod volume;
mod wof;

use jiff::Timestamp;

use self::{
    attribute::{Attribute, DATA, REPARSE_POINT, STANDARD_INFORMATION, VOLUME_NAME, units},
    names::{Folder, FolderName, NAMES, Upcase},
    record::Piece,
    reparse::{Meaning, Reparse},
    stream::Stream,
    volume::{File, Volume},
    wof::Wof,
};
pub(crate) use record::Reference;

use super::{
    MAX_ENTRIES,
    bytes::{u32_at, u64_at},
    kept::Kept,
    too_many_entries,
};
use crate::{DataStream, Entry, EntryKind, Error, FsPath, Listing, Name, Result, Slice};

const VOLUME_RECORD: Reference = Reference(3);
const ROOT: Reference = Reference(5);
const UPCASE_RECORD: Reference = Reference(10);
/// `$Extend`: all below it is the filesystem's own.
const EXTEND_NUMBER: u64 = 11;
/// Records below are the filesystem's own (`$MFT`, `$Bitmap`, …).
const FIRST_USER_NUMBER: u64 = 24;
/// 100 ns steps from 1601 to 1970.
const UNIX_EPOCH_NT: i128 = 116_444_736_000_000_000;

/// In the standard information.
const MODIFIED: usize = 0x08;
const FLAGS: usize = 0x20;
/// The content has to be fetched first: `OFFLINE`, `RECALL_ON_OPEN`, `RECALL_ON_DATA_ACCESS`.
const ELSEWHERE: u32 = 0x1000 | 0x4_0000 | 0x40_0000;

pub(crate) struct NtfsVolume {
    volume: Volume,
    upcase: Upcase,
    label: String,
    folders: Kept<Reference, Folder>,
    /// What was read last.
    last: Option<(Reference, Option<Name>, Content)>,
}

enum Content {
    Plain(Stream),
    Wof(Wof),
}

/// What a path leads to.
#[derive(Clone, Copy)]
struct Found {
    reference: Reference,
    is_internal: bool,
}

impl NtfsVolume {
    pub(crate) fn open(slice: Slice) -> Result<Self> {
        let mut volume = Volume::open(slice)?;
        let upcase = volume.file(UPCASE_RECORD);
        let upcase = upcase.and_then(|file| volume.value(&file, DATA, &[]));
        let upcase = upcase.ok().flatten().unwrap_or_else(|| {
            let what =
                "the table of upper-case letters is damaged: names have to be written exactly";
            volume.damage.push(what.to_owned());
            Piece::default()
        });
        let label = volume.file(VOLUME_RECORD);
        let label = label.and_then(|file| volume.value(&file, VOLUME_NAME, &[]));
        let label = label.ok().flatten().unwrap_or_default();
        Ok(Self {
            volume,
            upcase: Upcase::new(&upcase),
            label: Name::from_utf16(units(&label)).display(),
            folders: Kept::new(),
            last: None,
        })
    }

    pub(crate) fn label(&self) -> String {
        self.label.clone()
    }

    /// A folder's entries, and the numbers of the records from the root to it.
    pub(crate) fn read_dir(&mut self, path: &FsPath) -> Result<(Listing, Vec<u64>)> {
        let mut way = Vec::new();
        let folder = self.follow(path, |found| way.push(found.reference.number()))?;
        let names = self.folder(folder.reference, path)?;
        let n_damaged = names.n_damaged;
        let visible = names.names.iter().filter(|it| !it.is_dos);
        let visible = visible.filter(|it| it.reference.number() != ROOT.number());
        let row = |it: &FolderName| (it.reference, Entry::new(it.name.clone(), EntryKind::Other));
        let (references, mut entries): (Vec<_>, Vec<_>) = visible.map(row).unzip();
        let mut rows: Vec<_> = references.into_iter().zip(&mut entries).collect();
        // In the order of the table, so that it is read once from front to back.
        rows.sort_unstable_by_key(|(reference, _)| reference.number());
        let mut n_partly_damaged = 0;
        for (reference, entry) in rows {
            let is_damaged = self.fill(entry, folder.below(reference));
            let is_partly = is_damaged && entry.unreadable.is_none();
            n_partly_damaged = usize::from(is_partly).saturating_add(n_partly_damaged);
        }
        let mut listing = Listing {
            entries,
            damage: Vec::new(),
        };
        if path.is_root() {
            listing.damage.clone_from(&self.volume.damage);
        }
        if n_damaged > 0 {
            listing.damage.push(format!(
                "{n_damaged} parts of the folder's index are damaged: the names in them are missing"
            ));
        }
        if n_partly_damaged > 0 {
            listing.damage.push(format!(
                "the records of {n_partly_damaged} entries are damaged in part: the content shown is whole, \
                 but alternate data streams of theirs may be missing"
            ));
        }
        if self.is_elsewhere(folder.reference)? {
            listing.damage.push(
                "Windows fetches what this folder holds from a cloud when it is opened: entries that were \
                 never fetched are not on this disk"
                    .to_owned(),
            );
        }
        Ok((listing, way))
    }

    pub(crate) fn entry(&mut self, path: &FsPath) -> Result<Entry> {
        let found = self.find(path)?;
        let name = path.names().last().cloned();
        let name = name.unwrap_or(Name::from_bytes("/"));
        let mut entry = Entry::new(name, EntryKind::Other);
        self.fill(&mut entry, found);
        Ok(entry)
    }

    pub(crate) fn read(
        &mut self,
        reference: Reference,
        stream: Option<&Name>,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        let mut content = match self.last.take() {
            Some((last, name, content)) if last == reference && name.as_ref() == stream => content,
            _ => self.content(reference, stream)?,
        };
        let disk = &mut self.volume.slice;
        let n_read = match &mut content {
            Content::Plain(stream) => stream.read(disk, offset, buffer),
            Content::Wof(wof) => wof.read(disk, offset, buffer),
        };
        self.last = Some((reference, stream.cloned(), content));
        n_read
    }

    fn content(&mut self, reference: Reference, stream: Option<&Name>) -> Result<Content> {
        let file = self.volume.file(reference)?;
        let name = stream.map(Name::to_utf16).unwrap_or_default();
        let missing = || Error::corrupt("NTFS: a file without content");
        if stream.is_none()
            && let Some(reparse) = self.reparse(&file)?
            && let Meaning::Wof = reparse.meaning()
        {
            return self.wof(&file, &reparse).map(Content::Wof);
        }
        let content = self.volume.stream(&file, DATA, &name)?;
        content.map(Content::Plain).ok_or_else(missing)
    }

    fn wof(&self, file: &File, reparse: &Reparse) -> Result<Wof> {
        let lost = || Error::corrupt("NTFS: the compressed content of a file is missing");
        let algorithm = reparse.wof().ok_or_else(|| {
            Error::unsupported(
                "its content is in an image file of Windows (WIMBoot), which cannot be read",
            )
        })?;
        let stored = self.volume.stream(file, DATA, &wof::stream_name())?;
        let size = file.first(DATA, &[]).ok_or_else(lost)?.size();
        Wof::new(stored.ok_or_else(lost)?, size, algorithm)
    }

    /// Whether a folder is one whose entries Windows fetches when it is opened.
    fn is_elsewhere(&mut self, reference: Reference) -> Result<bool> {
        let file = self.volume.file(reference)?;
        let reparse = self.reparse(&file)?;
        if !matches!(
            reparse.as_ref().map(Reparse::meaning),
            Some(Meaning::Elsewhere { .. })
        ) {
            return Ok(false);
        }
        let standard = self.volume.value(&file, STANDARD_INFORMATION, &[])?;
        Ok(standard.is_some_and(|standard| is_recalled(&standard)))
    }

    pub(crate) fn read_link(&mut self, path: &FsPath) -> Result<Name> {
        let found = self.find(path)?;
        let file = self.volume.file(found.reference)?;
        let target = self.reparse(&file)?.and_then(|reparse| reparse.target());
        target.ok_or_else(|| Error::NotAFile {
            path: path.to_string(),
        })
    }

    pub(crate) fn security_descriptor(&mut self, path: &FsPath) -> Result<Option<Vec<u8>>> {
        let found = self.find(path)?;
        let file = self.volume.file(found.reference)?;
        security::descriptor(&mut self.volume, &file)
    }

    /// The file that a path leads to; links on the way are not followed.
    pub(crate) fn reference_of(&mut self, path: &FsPath) -> Result<Reference> {
        self.find(path).map(|found| found.reference)
    }

    fn find(&mut self, path: &FsPath) -> Result<Found> {
        self.follow(path, |_| {})
    }

    fn follow(&mut self, path: &FsPath, mut seen: impl FnMut(Found)) -> Result<Found> {
        let mut found = Found {
            reference: ROOT,
            is_internal: false,
        };
        seen(found);
        for name in path.names() {
            self.folder(found.reference, path)?;
            let folder = self.folders.newest();
            let reference = folder.and_then(|folder| folder.find(name, &self.upcase));
            found = found.below(reference.ok_or_else(|| Error::NotFound {
                path: path.to_string(),
            })?);
            seen(found);
        }
        Ok(found)
    }

    /// The names in a folder.
    fn folder(&mut self, reference: Reference, path: &FsPath) -> Result<&Folder> {
        if !self.folders.renew(&reference) {
            let folder = self.names(reference, path)?;
            self.folders.add(reference, folder, |it| it.names.len());
        }
        self.folders
            .newest()
            .ok_or_else(|| Error::corrupt("NTFS: a folder was lost"))
    }

    fn names(&mut self, reference: Reference, path: &FsPath) -> Result<Folder> {
        let file = self.volume.file(reference)?;
        if !file.is_folder {
            return Err(Error::NotADirectory {
                path: path.to_string(),
            });
        }
        let mut names = Vec::new();
        let mut n_bad_names = 0_usize;
        let n_damaged = index::each(&mut self.volume, &file, &NAMES, |entry| {
            match FolderName::parse(entry) {
                Some(name) => names.push(name),
                None => n_bad_names = n_bad_names.saturating_add(1),
            }
            if names.len() > 2 * MAX_ENTRIES {
                return Err(too_many_entries(path));
            }
            Ok(())
        })?;
        if names.iter().filter(|it| !it.is_dos).count() > MAX_ENTRIES {
            return Err(too_many_entries(path));
        }
        let n_damaged = n_damaged.saturating_add(n_bad_names);
        // What is damaged in the record itself counts as one piece.
        Ok(Folder::new(
            names,
            n_damaged.max(usize::from(file.is_damaged)),
        ))
    }

    fn reparse(&mut self, file: &File) -> Result<Option<Reparse>> {
        let bytes = self.volume.value(file, REPARSE_POINT, &[])?;
        Ok(bytes.and_then(Reparse::parse))
    }

    /// Tells what an entry is, and whether its record is damaged in part; damage of one entry stays with it.
    fn fill(&mut self, entry: &mut Entry, found: Found) -> bool {
        entry.id = found.reference.number();
        entry.is_internal = found.is_internal;
        let described = self.volume.file(found.reference).and_then(|file| {
            self.describe(&file, entry)?;
            Ok(file.is_damaged)
        });
        described.unwrap_or_else(|error| {
            entry.unreadable = Some(error.to_string());
            true
        })
    }

    fn describe(&mut self, file: &File, entry: &mut Entry) -> Result<()> {
        let standard = self.volume.value(file, STANDARD_INFORMATION, &[])?;
        let standard = standard.unwrap_or_default();
        entry.modified = u64_at(&standard, MODIFIED).and_then(timestamp);
        entry.kind = if file.is_folder {
            EntryKind::Directory
        } else {
            EntryKind::File
        };
        let reparse = self.reparse(file)?;
        let meaning = reparse.as_ref().map(Reparse::meaning);
        if !entry.is_internal {
            entry.streams = streams(file, matches!(meaning, Some(Meaning::Wof)));
        }
        match meaning {
            Some(Meaning::Link) => {
                entry.kind = EntryKind::Symlink;
                return Ok(());
            }
            Some(Meaning::Special(kind)) => {
                entry.kind = kind;
                return Ok(());
            }
            // The entries of a folder speak for themselves.
            _ if file.is_folder => return Ok(()),
            _ => {}
        }
        let data = file.first(DATA, &[]);
        entry.size_bytes = data.map_or(0, Attribute::size);
        entry.unreadable = data.and_then(unreadable);
        if let (Some(Meaning::Wof), Some(reparse)) = (&meaning, &reparse) {
            self.wof(file, reparse)?;
            return Ok(());
        }
        let Some(content) = self.volume.stream(file, DATA, &[])? else {
            // Some of the filesystem's own files have none.
            return if file.is_damaged {
                Err(Error::corrupt(
                    "NTFS: where the content of a file lies is not to be found",
                ))
            } else {
                Ok(())
            };
        };
        if let Some(Meaning::Elsewhere {
            reason,
            may_be_here,
        }) = meaning
            && (!may_be_here || !content.is_whole() || is_recalled(&standard))
        {
            entry.unreadable = Some(reason);
        } else if content.allocated_bytes() < content.len_bytes() {
            return Err(Error::corrupt(
                "NTFS: a part of a file's content is missing",
            ));
        }
        Ok(())
    }
}

impl Found {
    /// An entry of this folder.
    fn below(self, reference: Reference) -> Self {
        let parent = self.reference.number();
        let is_own = parent == ROOT.number() && reference.number() < FIRST_USER_NUMBER;
        Self {
            reference,
            is_internal: self.is_internal || is_own || parent == EXTEND_NUMBER,
        }
    }
}

/// Whether standard information says that the content has to be fetched first.
fn is_recalled(standard: &[u8]) -> bool {
    u32_at(standard, FLAGS).is_some_and(|flags| flags & ELSEWHERE != 0)
}

fn streams(file: &File, is_wof: bool) -> Vec<DataStream> {
    let named = file.attributes.iter().filter(|it| {
        it.kind == DATA
            && !it.name.is_empty()
            && it.first_cluster() == 0
            && !(is_wof && it.name == wof::stream_name())
    });
    let mut streams: Vec<_> = named
        .map(|it| DataStream {
            name: Name::from_utf16(it.name.iter().copied()),
            size_bytes: it.size(),
            unreadable: unreadable(it),
        })
        .collect();
    streams.sort_by(|a, b| a.name.cmp(&b.name));
    streams.dedup_by(|later, first| later.name == first.name);
    streams
}

fn unreadable(data: &Attribute) -> Option<String> {
    data.is_encrypted
        .then(|| "encrypted by Windows (EFS), which cannot be read".to_owned())
}

fn timestamp(nt: u64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(
        i128::from(nt)
            .saturating_sub(UNIX_EPOCH_NT)
            .saturating_mul(100),
    )
    .ok()
}
