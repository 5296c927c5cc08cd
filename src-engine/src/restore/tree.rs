//! A disk image as a tree of files: volumes are found once, filesystems opened when needed.
//!
//! Two halves, because the readers of a filesystem stay on the thread that opened them: an [`OpenDisk`] can be shared
//! by any number of threads, [`Readers`] belong to one.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use jiff::Timestamp;
use sendense_disk::{AllowedRoots, Content, Entry, EntryKind, FileSystem, FsPath, Image, Volume};

use super::{
    Error, Result,
    entry::{FileRow, RowShape, binary_size_text},
    path::{Location, RequestPath, RootLayout},
};

/// What a disk is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// To look for files: a disk on which there are none that could be read is refused.
    Files,
    /// For its bytes, whatever they are.
    Bytes,
}

/// An image with its volumes; cheap to share, holds no reader.
#[derive(Debug)]
pub(crate) struct OpenDisk {
    image: Image,
    volumes: Vec<Volume>,
    /// What else is on the disk, a sentence each.
    passed_over: Vec<String>,
    /// The number of the largest readable volume; `None` where only the bytes of the disk are of use.
    main_volume: Option<u32>,
    layout: RootLayout,
}

impl OpenDisk {
    /// Opens an image and finds its volumes; blocks.
    ///
    /// # Errors
    /// Where files are needed, a disk on which nothing can be read is refused, with all that was seen on it.
    pub(crate) fn open(
        path: &Path,
        allowed: &AllowedRoots,
        layout: RootLayout,
        need: Need,
    ) -> Result<Self> {
        if !path.exists() {
            return Err(Error::ImageGone {
                path: path.to_owned(),
            });
        }
        let image = Image::open(path, allowed)?;
        let found = match sendense_disk::volumes(&image) {
            Err(error) if need == Need::Bytes => sendense_disk::Layout {
                volumes: Vec::new(),
                passed_over: vec![error.to_string()],
            },
            found => found?,
        };
        let sendense_disk::Layout {
            volumes,
            passed_over,
        } = found;
        let main_volume = volumes
            .iter()
            .filter(|volume| matches!(volume.content, Content::Readable(_)))
            .max_by_key(|volume| (volume.size_bytes, std::cmp::Reverse(volume.number)));
        if main_volume.is_none() && need == Need::Files {
            return Err(Error::NothingReadable {
                seen: volumes.iter().map(describe).chain(passed_over).collect(),
            });
        }
        Ok(Self {
            main_volume: main_volume.map(|volume| volume.number),
            image,
            volumes,
            passed_over,
            layout,
        })
    }

    /// The disk itself.
    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    /// The filesystem of the largest readable volume, as the contract names it; empty where there is none.
    pub(crate) fn filesystem_type(&self) -> &'static str {
        self.volume(None)
            .ok()
            .and_then(|volume| match &volume.content {
                Content::Readable(kind) => Some(kind.as_str()),
                Content::Unreadable(_) => None,
            })
            .unwrap_or_default()
    }

    fn volume(&self, number: Option<u32>) -> Result<&Volume> {
        let wanted = number.or(self.main_volume).unwrap_or_default();
        self.volumes
            .iter()
            .find(|volume| volume.number == wanted)
            .ok_or(Error::NoSuchVolume { number: wanted })
    }
}

/// `LUKS, 40.0 GiB: it is encrypted …`: what a volume is, how large, and why it cannot be read.
fn describe(volume: &Volume) -> String {
    let size = binary_size_text(volume.size_bytes);
    match &volume.content {
        Content::Readable(kind) => format!("{}, {size}", kind.as_str()),
        Content::Unreadable(what) => format!("{}, {size}: {}", what.name, what.reason),
    }
}

/// The rows of a folder, and what a user has to know beside them.
#[derive(Debug)]
pub struct Rows {
    /// What the folder holds.
    pub rows: Vec<FileRow>,
    /// What of the folder could not be read, a sentence each: rows may be missing.
    pub damage: Vec<String>,
    /// Of the list of volumes: what is on the disk and was not followed, a sentence each.
    pub passed_over: Vec<String>,
}

impl Rows {
    /// Drops what a shape does not have.
    pub(crate) fn in_shape(mut self, shape: RowShape) -> Self {
        self.rows = self
            .rows
            .into_iter()
            .map(|row| row.in_shape(shape))
            .collect();
        if shape == RowShape::Documented {
            self.damage = Vec::new();
            self.passed_over = Vec::new();
        }
        self
    }
}

/// The open filesystems of a disk, for one thread.
pub(crate) struct Readers {
    disk: Arc<OpenDisk>,
    mounted_at: Timestamp,
    filesystems: BTreeMap<u32, FileSystem>,
}

/// A folder on a volume, or the list of volumes.
pub(crate) enum Folder {
    /// `/` where volumes are folders.
    Disk,
    /// A folder of a filesystem.
    OnVolume {
        /// The volume's number.
        volume: u32,
        /// Where on it.
        path: FsPath,
    },
}

/// What a path leads to.
pub(crate) enum Found {
    /// A folder or the list of volumes.
    Folder(Folder),
    /// A file, a link, or something special.
    Entry {
        /// The volume's number.
        volume: u32,
        /// Where on it.
        path: FsPath,
        /// What it is.
        entry: Entry,
    },
}

impl Readers {
    /// Readers for this thread; filesystems are opened when they are first asked for.
    pub(crate) fn new(disk: Arc<OpenDisk>, mounted_at: Timestamp) -> Self {
        Self {
            disk,
            mounted_at,
            filesystems: BTreeMap::new(),
        }
    }

    /// All volumes, readable or not.
    pub(crate) fn volumes(&self) -> &[Volume] {
        &self.disk.volumes
    }

    /// The filesystem of a volume.
    pub(crate) fn filesystem(&mut self, number: u32) -> Result<&mut FileSystem> {
        use std::collections::btree_map::Entry as Slot;
        match self.filesystems.entry(number) {
            Slot::Occupied(slot) => Ok(slot.into_mut()),
            Slot::Vacant(slot) => {
                let volume = self.disk.volume(Some(number))?;
                if let Content::Unreadable(reason) = &volume.content {
                    return Err(Error::VolumeUnreadable {
                        number,
                        reason: reason.to_string(),
                    });
                }
                Ok(slot.insert(volume.open(&self.disk.image)?))
            }
        }
    }

    /// Looks a path up; does not follow a link at its end.
    pub(crate) fn find(&mut self, path: &RequestPath) -> Result<Found> {
        let (number, below) = match path.locate(self.disk.layout) {
            Location::Disk => return Ok(Found::Folder(Folder::Disk)),
            Location::Volume { number, below } => (number, below),
        };
        let volume = self.disk.volume(number)?.number;
        let fs_path = FsPath::parse(&below.join("/"))?;
        let filesystem = self.filesystem(volume)?;
        if below.is_empty() {
            return Ok(Found::Folder(Folder::OnVolume {
                volume,
                path: fs_path,
            }));
        }
        let entry = filesystem
            .entry(&fs_path)
            .map_err(|error| Error::at(path, error))?;
        Ok(match entry.kind {
            EntryKind::Directory => Found::Folder(Folder::OnVolume {
                volume,
                path: fs_path,
            }),
            _ => Found::Entry {
                volume,
                path: fs_path,
                entry,
            },
        })
    }

    /// Looks a folder up.
    pub(crate) fn find_folder(&mut self, path: &RequestPath) -> Result<Folder> {
        match self.find(path)? {
            Found::Folder(folder) => Ok(folder),
            Found::Entry { .. } => Err(Error::NotADirectory {
                path: path.to_string(),
            }),
        }
    }

    /// The rows of a folder.
    pub(crate) fn list(&mut self, path: &RequestPath) -> Result<Rows> {
        // Where one volume is the whole tree, its root is the place to say what else is on the disk.
        let passed_over = match path.is_root() {
            true => self.disk.passed_over.clone(),
            false => Vec::new(),
        };
        match self.find_folder(path)? {
            Folder::Disk => Ok(Rows {
                rows: self
                    .volumes()
                    .iter()
                    .map(|volume| FileRow::of_volume(volume, self.mounted_at))
                    .collect(),
                damage: Vec::new(),
                passed_over,
            }),
            Folder::OnVolume {
                volume,
                path: folder,
            } => {
                let filesystem = self.filesystem(volume)?;
                let listing = filesystem
                    .read_dir(&folder)
                    .map_err(|error| Error::at(path, error))?;
                let entries = listing.entries.iter().filter(|entry| !entry.is_internal);
                let rows = entries.map(|entry| {
                    let target = link_target(filesystem, &folder.join(&entry.name), entry);
                    FileRow::of_entry(path, entry, target)
                });
                Ok(Rows {
                    rows: rows.collect(),
                    damage: listing.damage,
                    passed_over,
                })
            }
        }
    }

    /// The row of one entry; a volume's folder has the row that the list of volumes shows.
    pub(crate) fn row(&mut self, path: &RequestPath) -> Result<FileRow> {
        let (volume, fs_path) = match self.find(path)? {
            Found::Folder(Folder::Disk) => return Ok(FileRow::of_root(self.mounted_at)),
            Found::Folder(Folder::OnVolume {
                volume,
                path: fs_path,
            })
            | Found::Entry {
                volume,
                path: fs_path,
                ..
            } => (volume, fs_path),
        };
        let Some(folder) = path.parent() else {
            return Ok(FileRow::of_root(self.mounted_at));
        };
        if fs_path.is_root() {
            return Ok(FileRow::of_volume(
                self.disk.volume(Some(volume))?,
                self.mounted_at,
            ));
        }
        let filesystem = self.filesystem(volume)?;
        let entry = filesystem
            .entry(&fs_path)
            .map_err(|error| Error::at(path, error))?;
        let target = link_target(filesystem, &fs_path, &entry);
        Ok(FileRow::of_entry(&folder, &entry, target))
    }
}

/// Where a link points, for the eye. A link whose target cannot be read still gets a row.
fn link_target(filesystem: &mut FileSystem, link: &FsPath, entry: &Entry) -> Option<String> {
    if entry.kind != EntryKind::Symlink {
        return None;
    }
    let target = filesystem.read_link(link).ok()?;
    Some(target.display())
}
