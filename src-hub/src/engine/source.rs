//! The disk images that are backed up: opened read-only, watched for changes.

use std::{
    fs::{self, Metadata},
    io,
    ops::Range,
    path::{Path, PathBuf},
    time::SystemTime,
};

use sendense_disk::{AllowedRoots, Extent, ExtentKind, Image};

use super::{failure::Failure, image::CLUSTER_BYTES, in_use::in_use};
use crate::vm::Disk;

/// One disk of a VM, open for reading.
pub(super) struct Source {
    pub(super) disk_index: u32,
    path: PathBuf,
    image: Image,
    /// What the image and everything it builds on looked like when it was opened.
    stamps: Vec<(PathBuf, Stamp)>,
}

/// What changes when somebody writes to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    /// A file that was replaced by another of the same length and time is another file.
    inode: u64,
}

impl Source {
    /// Opens a disk; what it builds on may only lie in the folder that the user chose.
    pub(super) fn open(disk: &Disk, source_folder: &Path) -> Result<Self, Failure> {
        let failed = |source| Failure::Source {
            disk_index: disk.disk_index,
            path: disk.path.clone(),
            source,
        };
        if !disk.path.exists() {
            return Err(Failure::SourceGone {
                disk_index: disk.disk_index,
                path: disk.path.clone(),
            });
        }
        let allowed = AllowedRoots::new([source_folder.to_path_buf()]);
        let image = Image::open(&disk.path, &allowed).map_err(failed)?;
        for file in image.files() {
            if let Some(in_use) = in_use(file) {
                return Err(Failure::SourceInUse {
                    disk_index: disk.disk_index,
                    path: file.clone(),
                    in_use,
                });
            }
        }
        let stamps = image
            .files()
            .iter()
            .map(|file| Ok((file.clone(), Stamp::of(file)?)))
            .collect::<io::Result<_>>()
            .map_err(|error| failed(error.into()))?;
        Ok(Self {
            disk_index: disk.disk_index,
            path: disk.path.clone(),
            image,
            stamps,
        })
    }

    /// An image of the repository as a source: nobody but the hub writes there.
    pub(super) fn of_image(image: Image, path: &Path, disk_index: u32) -> Self {
        Self {
            disk_index,
            path: path.to_path_buf(),
            image,
            stamps: Vec::new(),
        }
    }

    /// Size of the virtual disk.
    pub(super) fn size_bytes(&self) -> u64 {
        self.image.size_bytes()
    }

    /// Fills a buffer; what lies behind the end of the disk is zero.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        let inside = self.size_bytes().saturating_sub(offset);
        let inside = usize::try_from(inside)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let (disk, behind) = buffer.split_at_mut(inside);
        behind.fill(0);
        self.image
            .read_at(offset, disk)
            .map_err(|source| self.failed(source))
    }

    /// The parts that may hold something else than zeros, in order, widened to whole clusters so
    /// that each cluster of the target is written once. The last may reach behind the end.
    pub(super) fn data(&self) -> DataRanges<'_> {
        DataRanges {
            source: self,
            at: 0,
            done_until: 0,
        }
    }

    /// Fails when a file was written to since it was opened.
    pub(super) fn check_unchanged(&self) -> Result<(), Failure> {
        for (file, stamp) in &self.stamps {
            if Stamp::of(file).ok().as_ref() != Some(stamp) {
                return Err(Failure::SourceChanged {
                    disk_index: self.disk_index,
                    path: file.clone(),
                });
            }
        }
        Ok(())
    }

    fn failed(&self, source: sendense_disk::Error) -> Failure {
        Failure::Source {
            disk_index: self.disk_index,
            path: self.path.clone(),
            source,
        }
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            inode: inode(&metadata),
        })
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// Iterates over the parts of a source that have to be read.
pub(super) struct DataRanges<'a> {
    source: &'a Source,
    at: u64,
    done_until: u64,
}

impl Iterator for DataRanges<'_> {
    type Item = Result<Range<u64>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let size_bytes = self.source.size_bytes();
        while self.at < size_bytes {
            let extent = match self.source.image.extent_at(self.at) {
                Ok(extent) => extent,
                Err(error) => {
                    self.at = size_bytes;
                    return Some(Err(self.source.failed(error)));
                }
            };
            // An extent of no length would be asked for for ever.
            let Extent { kind, .. } = extent;
            let end = self
                .at
                .saturating_add(extent.len_bytes.max(1))
                .min(size_bytes);
            let start = self.at;
            self.at = end;
            if kind == ExtentKind::Zero {
                continue;
            }
            let start = (start - start % CLUSTER_BYTES).max(self.done_until);
            let end = end.next_multiple_of(CLUSTER_BYTES);
            if start < end {
                self.done_until = end;
                return Some(Ok(start..end));
            }
        }
        None
    }
}
