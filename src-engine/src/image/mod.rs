//! Writing QCOW2 images. Everything about writing with imago is in this file.
//!
//! An image is written under a temporary name and gets its own only when it is complete and on the disk. Measured with
//! imago 0.2.6: runs of a megabyte are written several times faster than a disk accepts them; single clusters cost ten
//! times as much, so callers pass runs.

pub(crate) mod map;
pub(crate) mod write_through;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use imago::{
    DenyImplicitOpenGate, FormatAccess, FormatCreateBuilder, FormatDriverBuilder, Storage,
    StorageCreateOptions, file::File as ImagoFile, qcow2::Qcow2,
};

use self::{map::map_path, write_through::WriteThrough};
use crate::files::{partial_name, remove};

/// The unit in which images grow; QEMU's default.
pub(crate) const CLUSTER_BYTES: u64 = 64 * 1024;
/// QEMU counts disks in sectors: others are rounded up, as `qemu-img convert` does.
pub(crate) const SECTOR_BYTES: u64 = 512;

/// A QCOW2 image that is being written; dropped before [`finish`](Self::finish), it removes its file.
pub(crate) struct ImageWriter {
    access: Option<FormatAccess<ImagoFile>>,
    write_through: WriteThrough,
    partial: PathBuf,
    target: PathBuf,
    is_finished: bool,
}

/// A complete image under its temporary name; dropped before [`publish`](Self::publish), it removes
/// its file.
pub(crate) struct FinishedImage {
    partial: Option<PathBuf>,
    target: PathBuf,
}

impl ImageWriter {
    /// Begins the image `target` of a disk of that size. With a backing file, which lies beside it,
    /// it is an overlay: what is not written shows the backing file's content.
    pub(crate) fn create(
        target: &Path,
        disk_bytes: u64,
        backing: Option<&str>,
    ) -> io::Result<Self> {
        let partial = partial_name(target);
        let options = StorageCreateOptions::new()
            .filename(&partial)
            .overwrite(false);
        let file = ImagoFile::create_open(options)?;
        let mut writer = Self {
            access: None,
            write_through: WriteThrough::of(&partial),
            partial,
            target: target.to_path_buf(),
            is_finished: false,
        };
        let mut builder = Qcow2::<ImagoFile>::create_builder(file)
            .size(disk_bytes.next_multiple_of(SECTOR_BYTES));
        if let Some(backing) = backing {
            builder = builder.backing(backing.to_owned(), "qcow2".to_owned());
        }
        // Whole clusters are written, so the backing file's content is never needed.
        let qcow2 = builder.create_open(DenyImplicitOpenGate::default(), |image| {
            Ok(Qcow2::builder(image).backing(None).write(true))
        })?;
        writer.access = Some(FormatAccess::new(qcow2));
        Ok(writer)
    }

    /// The file that is being written.
    pub(crate) fn path(&self) -> &Path {
        &self.partial
    }

    /// Writes a run of whole clusters, or one that ends with the disk.
    pub(crate) fn write_at(&mut self, offset: u64, run: &[u8]) -> io::Result<()> {
        match &self.access {
            Some(access) => access.write(run, offset)?,
            None => return Err(io::ErrorKind::NotConnected.into()),
        }
        self.write_through.written(run.len() as u64, ())
    }

    /// Makes a run of whole clusters, or one that ends with the disk, read as zeros.
    pub(crate) fn zero_at(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        match &self.access {
            Some(access) => access.write_zeroes(offset, len_bytes),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Completes the image and waits until it is on the disk.
    pub(crate) fn finish(mut self) -> io::Result<FinishedImage> {
        if let Some(access) = self.access.take() {
            access.flush()?;
            self.write_through.end()?;
            access.sync()?;
        }
        self.is_finished = true;
        Ok(FinishedImage {
            partial: Some(self.partial.clone()),
            target: self.target.clone(),
        })
    }
}

impl Drop for ImageWriter {
    fn drop(&mut self) {
        // Closed first: some systems do not remove open files.
        drop(self.access.take());
        drop(self.write_through.end());
        if !self.is_finished {
            remove(&self.partial);
        }
    }
}

impl FinishedImage {
    /// Where it lies until it has its name.
    pub(crate) fn path(&self) -> &Path {
        self.partial.as_deref().unwrap_or(&self.target)
    }

    /// Gives the image its name, in place of what may be there by that name.
    pub(crate) fn publish(mut self) -> io::Result<()> {
        if let Some(partial) = self.partial.take()
            && let Err(error) = fs::rename(&partial, &self.target)
        {
            remove(&partial);
            return Err(error);
        }
        Ok(())
    }
}

impl Drop for FinishedImage {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            remove(partial);
        }
    }
}

/// Whether a file of the repository is an image, its map, or a manifest, that was never finished.
pub(crate) fn is_partial(file_name: &str) -> bool {
    file_name.starts_with("backup-")
        && [".qcow2.partial", ".map.partial", ".json.partial"]
            .iter()
            .any(|end| file_name.ends_with(end))
}

/// Removes an image and its map, finished or not; says whether they are gone.
pub(crate) fn remove_with_map(image: &Path) -> bool {
    [image.to_path_buf(), map_path(image)]
        .iter()
        .flat_map(|path| [path.clone(), partial_name(path)])
        .filter(|path| !remove(path))
        .count()
        == 0
}
