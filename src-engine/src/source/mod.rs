//! The disk images that are backed up: opened read-only, watched for changes.

pub(crate) mod in_use;
mod moment;
pub(crate) mod scan;
mod stamp;

use std::{
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
};

use sendense_disk::{AllowedRoots, Extent, ExtentKind, Image, ImageFormat};

use self::{
    in_use::in_use,
    moment::{Copies, copies},
    stamp::Stamp,
};
use crate::{
    discovery::places,
    failure::{Failure, InUse},
    image::CLUSTER_BYTES,
    store::vms::Disk,
};

/// One disk of a VM, open for reading.
pub(crate) struct Source {
    pub(crate) disk_index: u32,
    path: PathBuf,
    image: Image,
    /// What the image and everything it builds on looked like when it was opened. Copies do not change.
    stamps: Vec<(PathBuf, Stamp)>,
}

/// What another program writes to.
#[derive(Default)]
struct Locked {
    /// Disks by their position.
    disks: BTreeSet<usize>,
    files: BTreeSet<PathBuf>,
}

impl Locked {
    fn add(&mut self, position: usize, file: PathBuf) {
        self.disks.insert(position);
        self.files.insert(file);
    }
}

impl Source {
    /// Opens all disks of a VM, as they are at one moment. Those that another program writes to are copied
    /// where their filesystem copies at once, and read from the copies.
    ///
    /// # Errors
    /// Also where one that is in use cannot be copied.
    pub(crate) fn open_all(disks: &[Disk], source_folder: &Path) -> Result<Vec<Self>, Failure> {
        let mut locked = Locked::default();
        for (position, disk) in disks.iter().enumerate() {
            if let Ok(path) = disk.path.canonicalize()
                && matches!(in_use(&path), Some(InUse::Locked))
            {
                locked.add(position, path);
            }
        }
        loop {
            let mut parts = Vec::new();
            let mut open = |position: usize, copies: &Copies| {
                let (source, locked) = Self::open(&disks[position], source_folder, copies)?;
                parts.extend(locked.into_iter().map(|part| (position, part)));
                Ok::<_, Failure>((position, source))
            };
            let (to_copy, as_they_are): (Vec<usize>, Vec<usize>) =
                (0..disks.len()).partition(|position| locked.disks.contains(position));
            // What is not in use is opened first, so that its stamps are older than the copies.
            let mut sources = as_they_are
                .into_iter()
                .map(|position| open(position, &Copies::new()))
                .collect::<Result<Vec<_>, _>>()?;
            let copies = copies(&locked.files).map_err(|(path, in_use)| {
                let is_its = |disk: &&Disk| disk.path.canonicalize().is_ok_and(|its| its == path);
                let disk_index = disks.iter().find(is_its).map_or(0, |disk| disk.disk_index);
                Failure::SourceInUse {
                    disk_index,
                    path,
                    in_use,
                }
            })?;
            for position in to_copy {
                sources.push(open(position, &copies)?);
            }
            // Which parts an image has is known when it is open; then they have to be copied as well.
            parts.retain(|(_, part)| !locked.files.contains(part));
            if parts.is_empty() {
                sources.sort_by_key(|(position, _)| *position);
                return Ok(sources.into_iter().map(|(_, source)| source).collect());
            }
            for (position, part) in parts {
                locked.add(position, part);
            }
        }
    }

    /// Opens a disk; what it builds on may only lie in the folder that the user chose. Gives the files, too,
    /// that have to be copied first because another program writes to them.
    fn open(
        disk: &Disk,
        source_folder: &Path,
        copies: &Copies,
    ) -> Result<(Self, BTreeSet<PathBuf>), Failure> {
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
        let allowed = AllowedRoots::new(places::roots(source_folder));
        let image =
            Image::open_as(&disk.path, disk.source_format, &allowed, copies).map_err(failed)?;
        let mut stamps = Vec::new();
        let mut locked = BTreeSet::new();
        for (number, file) in image.files().iter().enumerate() {
            let is_vmdk = image.format() == ImageFormat::Vmdk;
            match in_use(file) {
                None => {}
                // QEMU locks the descriptor only, and writes to the parts.
                Some(InUse::Locked) if is_vmdk => locked.extend(image.files().iter().cloned()),
                // The disk itself is written to. What it builds on is not: nobody may change that.
                Some(InUse::Locked) if number == 0 => {
                    locked.insert(file.clone());
                }
                Some(in_use) => {
                    return Err(Failure::SourceInUse {
                        disk_index: disk.disk_index,
                        path: file.clone(),
                        in_use,
                    });
                }
            }
            if !copies.contains_key(file) {
                let stamp = Stamp::of(file).map_err(|error| failed(error.into()))?;
                stamps.push((file.clone(), stamp));
            }
        }
        let source = Self {
            disk_index: disk.disk_index,
            path: disk.path.clone(),
            image,
            stamps,
        };
        Ok((source, locked))
    }

    /// An image of the repository as a source: nobody but the hub writes there.
    pub(crate) fn of_image(image: Image, path: &Path, disk_index: u32) -> Self {
        Self {
            disk_index,
            path: path.to_path_buf(),
            image,
            stamps: Vec::new(),
        }
    }

    /// Size of the virtual disk.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.image.size_bytes()
    }

    /// Fills a buffer; what lies behind the end of the disk is zero.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Failure> {
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
    pub(crate) fn data(&self) -> DataRanges<'_> {
        self.data_from(0)
    }

    /// Those of them from a place on, which is where a cluster begins.
    pub(crate) fn data_from(&self, offset: u64) -> DataRanges<'_> {
        DataRanges {
            source: self,
            at: offset,
            done_until: offset,
        }
    }

    /// Fails when a file was written to since it was opened.
    pub(crate) fn check_unchanged(&self) -> Result<(), Failure> {
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

/// Iterates over the parts of a source that have to be read.
pub(crate) struct DataRanges<'a> {
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
