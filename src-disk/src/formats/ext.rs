//! ext2, ext3 and ext4, by `ext4-view`. Names and link targets are bytes.

use std::error::Error as StdError;

use ext4_view::{Ext4, Ext4Error, Ext4Read, FileType, Metadata, Path, PathBuf};
use jiff::Timestamp;

use crate::{Entry, EntryKind, Error, FsPath, Name, Result, Slice};

pub(crate) struct Ext {
    volume: Ext4,
    /// The file that was read last, so that reading on does not look it up again.
    open: Option<(FsPath, ext4_view::File)>,
}

struct Reader(Slice);

impl Ext4Read for Reader {
    fn read(
        &mut self,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(self.0.read_at(start, buffer)?)
    }
}

impl Ext {
    pub(crate) fn open(slice: Slice) -> Result<Self> {
        let volume =
            Ext4::load(Box::new(Reader(slice))).map_err(|error| present(error, &FsPath::root()))?;
        Ok(Self { volume, open: None })
    }

    pub(crate) fn label(&self) -> String {
        self.volume.label().display().to_string()
    }

    pub(crate) fn read_dir(&self, path: &FsPath) -> Result<Vec<Entry>> {
        let as_here = |error| present(error, path);
        if self.metadata(path)?.is_symlink() {
            return Err(Error::NotADirectory {
                path: path.to_string(),
            });
        }
        let mut entries = Vec::new();
        for entry in self.volume.read_dir(&native(path)).map_err(as_here)? {
            let entry = entry.map_err(as_here)?;
            let file_name = entry.file_name();
            let bytes: &[u8] = file_name.as_ref();
            if bytes == b"." || bytes == b".." {
                continue;
            }
            let name = Name::from_bytes(bytes);
            let row = match entry.metadata() {
                Ok(metadata) => row(name, &metadata),
                Err(error) => Entry {
                    name,
                    kind: EntryKind::Other,
                    size_bytes: 0,
                    mode: 0,
                    modified: None,
                    unreadable: Some(present(error, path).to_string()),
                },
            };
            entries.push(row);
        }
        Ok(entries)
    }

    pub(crate) fn entry(&self, path: &FsPath) -> Result<Entry> {
        let name = path
            .names()
            .last()
            .cloned()
            .unwrap_or(Name::from_bytes("/"));
        Ok(row(name, &self.metadata(path)?))
    }

    pub(crate) fn read(&mut self, path: &FsPath, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut file = match self.open.take() {
            Some((open, file)) if open == *path => file,
            _ => self
                .volume
                .open(&native(path))
                .map_err(|error| present(error, path))?,
        };
        if file.position() != offset {
            file.seek_to(offset).map_err(|error| present(error, path))?;
        }
        let mut n_read = 0;
        while n_read < buffer.len() {
            match file
                .read_bytes(&mut buffer[n_read..])
                .map_err(|error| present(error, path))?
            {
                0 => break,
                n => n_read += n,
            }
        }
        self.open = Some((path.clone(), file));
        Ok(n_read)
    }

    pub(crate) fn read_link(&self, path: &FsPath) -> Result<Name> {
        let target = self
            .volume
            .read_link(&native(path))
            .map_err(|error| present(error, path))?;
        let bytes: &[u8] = target.as_ref();
        Ok(Name::from_bytes(bytes))
    }

    /// Links on the way are not followed: a path says exactly which folders it goes through.
    fn metadata(&self, path: &FsPath) -> Result<Metadata> {
        let mut folder = FsPath::root();
        for name in path
            .names()
            .iter()
            .take(path.names().len().saturating_sub(1))
        {
            folder = folder.join(name);
            let metadata = self.volume.symlink_metadata(&native(&folder));
            if metadata.map_err(|error| present(error, path))?.is_symlink() {
                return Err(Error::NotFound {
                    path: path.to_string(),
                });
            }
        }
        self.volume
            .symlink_metadata(&native(path))
            .map_err(|error| present(error, path))
    }
}

fn native(path: &FsPath) -> PathBuf {
    let mut bytes = Vec::new();
    for name in path.names() {
        bytes.push(b'/');
        bytes.extend_from_slice(name.as_bytes());
    }
    if bytes.is_empty() {
        bytes.push(b'/');
    }
    // Cannot fail: the path is absolute, and NUL was refused when it was parsed.
    Path::try_from(bytes.as_slice()).map_or_else(|_| PathBuf::new("/\u{FFFD}"), PathBuf::from)
}

fn row(name: Name, metadata: &Metadata) -> Entry {
    let kind = match metadata.file_type() {
        FileType::Regular => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        FileType::Fifo => EntryKind::Fifo,
        FileType::Socket => EntryKind::Socket,
        FileType::CharacterDevice => EntryKind::CharDevice,
        FileType::BlockDevice => EntryKind::BlockDevice,
    };
    let time = metadata.modified();
    let nanoseconds = i32::try_from(time.nanoseconds()).unwrap_or(0);
    Entry {
        name,
        kind,
        size_bytes: if kind == EntryKind::Directory {
            0
        } else {
            metadata.len()
        },
        mode: metadata.mode() & 0o7777,
        modified: Timestamp::new(time.seconds(), nanoseconds).ok(),
        unreadable: None,
    }
}

fn present(error: Ext4Error, path: &FsPath) -> Error {
    let path = path.to_string();
    match error {
        Ext4Error::NotFound | Ext4Error::MalformedPath => Error::NotFound { path },
        Ext4Error::NotADirectory => Error::NotADirectory { path },
        Ext4Error::IsADirectory | Ext4Error::IsASpecialFile | Ext4Error::NotASymlink => {
            Error::NotAFile { path }
        }
        Ext4Error::Incompatible(what) => Error::unsupported(format!(
            "this ext filesystem uses a feature that cannot be read: {what}"
        )),
        other => Error::corrupt(format!("ext filesystem, {path}: {other}")),
    }
}
