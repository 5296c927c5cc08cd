//! One interface for all filesystems: folders, entries, files, links.
//!
//! The readers underneath parse formats that an attacker may have written, so every call crosses one boundary that
//! turns a panic into [`Error::Corrupt`].

use std::fmt;

use crate::{
    Entry, EntryKind, Error, FsKind, FsPath, Listing, Name, Result, Slice,
    formats::{
        ext::Ext,
        fat::Fat,
        ntfs::{NtfsVolume, Reference},
    },
    guard::guarded,
};

/// An open filesystem; belongs to one thread.
pub struct FileSystem {
    reader: Reader,
    kind: FsKind,
}

enum Reader {
    Ntfs(Box<NtfsVolume>),
    Ext(Box<Ext>),
    Fat(Box<Fat>),
}

/// An open regular file. Reads go through the [`FileSystem`] that opened it.
#[derive(Clone, Debug)]
pub struct FileReader {
    path: FsPath,
    place: Place,
    size_bytes: u64,
}

/// How a filesystem finds the file again.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file of NTFS, or one of its named streams.
    Record(Reference, Option<Name>),
    Inode(u32),
    Cluster(u32),
}

impl FileReader {
    /// Size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Reads from a place in the file; 0 at its end. May read less than was asked for.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the filesystem is damaged, [`Error::Io`] where the image cannot be read.
    pub fn read(
        &mut self,
        filesystem: &mut FileSystem,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        let left = usize::try_from(self.size_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let buffer = &mut buffer[..wanted];
        let path = self.path.clone();
        let n_read = guarded(|| match (&mut filesystem.reader, &self.place) {
            (Reader::Ntfs(reader), Place::Record(reference, stream)) => {
                reader.read(*reference, stream.as_ref(), offset, buffer)
            }
            (Reader::Ext(reader), Place::Inode(number)) => reader.read(*number, offset, buffer),
            (Reader::Fat(reader), Place::Cluster(first)) => {
                reader.read(*first, &path, offset, buffer)
            }
            _ => Err(Error::NotFound {
                path: path.to_string(),
            }),
        })?;
        if n_read == 0 {
            return Err(Error::Corrupt {
                what: format!("{} ends before its size is reached", self.path),
                offset: None,
            });
        }
        Ok(n_read)
    }
}

impl FileSystem {
    pub(crate) fn mount(slice: Slice, kind: FsKind) -> Result<Self> {
        let reader = guarded(|| {
            Ok(match kind {
                FsKind::Ntfs => Reader::Ntfs(Box::new(NtfsVolume::open(slice)?)),
                FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4 => {
                    Reader::Ext(Box::new(Ext::open(slice)?))
                }
                FsKind::Fat => Reader::Fat(Box::new(Fat::open(slice)?)),
            })
        })?;
        Ok(Self { reader, kind })
    }

    /// Which filesystem it is.
    pub fn kind(&self) -> FsKind {
        self.kind
    }

    /// The name that it gives itself.
    pub fn label(&self) -> Option<String> {
        let label = match &self.reader {
            Reader::Ntfs(reader) => reader.label(),
            Reader::Ext(reader) => reader.label(),
            Reader::Fat(reader) => reader.label(),
        };
        let label = label.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        (!label.is_empty()).then(|| label.to_owned())
    }

    /// The entries of a folder. What cannot be read of it is part of the answer.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotADirectory`], and damage on the way to the folder.
    pub fn read_dir(&mut self, path: &FsPath) -> Result<Listing> {
        let (mut listing, way) = guarded(|| match &mut self.reader {
            Reader::Ntfs(reader) => reader.read_dir(path),
            Reader::Ext(reader) => reader.read_dir(path).map(widened),
            Reader::Fat(reader) => reader.read_dir(path).map(widened),
        })?;
        listing.settle();
        mark_circles(&mut listing, &way);
        Ok(listing)
    }

    /// One entry; a link at the end of the path is not followed, nor is one on the way.
    ///
    /// # Errors
    /// [`Error::NotFound`], and damage on the way.
    pub fn entry(&mut self, path: &FsPath) -> Result<Entry> {
        guarded(|| match &mut self.reader {
            Reader::Ntfs(reader) => reader.entry(path),
            Reader::Ext(reader) => reader.entry(path),
            Reader::Fat(reader) => reader.entry(path),
        })
    }

    /// Opens a regular file.
    ///
    /// # Errors
    /// [`Error::NotAFile`] for folders, links and special files, [`Error::Unsupported`] for content
    /// that cannot be read (compressed or encrypted).
    pub fn open(&mut self, path: &FsPath) -> Result<FileReader> {
        let entry = self.entry(path)?;
        if entry.kind != EntryKind::File {
            return Err(Error::NotAFile {
                path: path.to_string(),
            });
        }
        if let Some(reason) = entry.unreadable {
            return Err(Error::unsupported(format!("{path}: {reason}")));
        }
        let place = match &mut self.reader {
            Reader::Ntfs(reader) => Place::Record(guarded(|| reader.reference_of(path))?, None),
            Reader::Ext(reader) => Place::Inode(guarded(|| reader.inode_of(path))?),
            Reader::Fat(reader) => Place::Cluster(guarded(|| reader.first_cluster(path))?),
        };
        Ok(FileReader {
            path: path.clone(),
            place,
            size_bytes: entry.size_bytes,
        })
    }

    /// Opens a named stream of an entry, one of its [`Entry::streams`].
    ///
    /// # Errors
    /// [`Error::NotFound`] where the entry has no stream of that name.
    pub fn open_stream(&mut self, path: &FsPath, stream: &Name) -> Result<FileReader> {
        let entry = self.entry(path)?;
        let found = entry.streams.into_iter().find(|it| it.name == *stream);
        let (Reader::Ntfs(reader), Some(found)) = (&mut self.reader, found) else {
            return Err(Error::NotFound {
                path: format!("{path}:{}", stream.display()),
            });
        };
        if let Some(reason) = found.unreadable {
            return Err(Error::unsupported(format!(
                "{path}:{}: {reason}",
                stream.display()
            )));
        }
        Ok(FileReader {
            path: path.clone(),
            place: Place::Record(guarded(|| reader.reference_of(path))?, Some(found.name)),
            size_bytes: found.size_bytes,
        })
    }

    /// The Windows security descriptor of an entry (owner and access list), self-relative as the disk
    /// holds it; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::NotFound`], and damage on the way.
    pub fn security_descriptor(&mut self, path: &FsPath) -> Result<Option<Vec<u8>>> {
        guarded(|| match &mut self.reader {
            Reader::Ntfs(reader) => reader.security_descriptor(path),
            Reader::Ext(_) | Reader::Fat(_) => Ok(None),
        })
    }

    /// Where a link points, as the disk holds it.
    ///
    /// # Errors
    /// [`Error::NotAFile`] for anything that is no link.
    pub fn read_link(&mut self, path: &FsPath) -> Result<Name> {
        guarded(|| match &mut self.reader {
            Reader::Ntfs(reader) => reader.read_link(path),
            Reader::Ext(reader) => reader.read_link(path),
            Reader::Fat(_) => Err(Error::NotAFile {
                path: path.to_string(),
            }),
        })
    }
}

/// Of filesystems with numbers of 32 bits: a listing, and the folders that lead to it.
fn widened((listing, way): (Listing, Vec<u32>)) -> (Listing, Vec<u64>) {
    (listing, way.into_iter().map(u64::from).collect())
}

/// On a damaged disk a folder may be inside itself: whoever walks would never come to an end.
fn mark_circles(listing: &mut Listing, way: &[u64]) {
    for entry in &mut listing.entries {
        let is_above = entry.id != 0 && way.contains(&entry.id);
        if is_above && entry.kind == EntryKind::Directory {
            entry.unreadable = Some("damaged: it is one of the folders that it lies in".to_owned());
        }
    }
}

impl fmt::Debug for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSystem")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
