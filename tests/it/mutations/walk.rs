//! What the hub does with a disk, on a small scale: every volume, part of the tree, the ends of every file.

use std::path::Path;

use sendense_disk::{
    AllowedRoots, EntryKind, Error, FileSystem, FsPath, Image, Result, find_flaw, volumes,
};

const MAX_DEPTH: usize = 8;
const MAX_ENTRIES: usize = 250;
const MAX_EXTENTS: usize = 500;
const END_BYTES: usize = 16 << 10;

/// How much of an image could be read.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Entries of folders.
    pub(super) n_entries: usize,
    /// Bytes of files.
    pub(super) n_bytes: usize,
    n_errors: usize,
}

impl Seen {
    fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        if let Err(error) = &result {
            // Errors are the right answer to damage, and have to be sentences.
            assert!(!error.to_string().is_empty());
            self.n_errors += 1;
        }
        result.ok()
    }
}

/// Reads an image as far as it goes.
pub(super) fn walk(path: &Path) -> Seen {
    let mut seen = Seen::default();
    let folder = path.parent().unwrap().to_owned();
    let allowed = AllowedRoots::new([folder]);
    seen.take(find_flaw(path, Some(path), &allowed));
    let opened = Image::open(path, &allowed);
    let Some(image) = seen.take(opened) else {
        return seen;
    };
    extents(&image, &mut seen);
    let found = volumes(&image);
    for volume in seen.take(found).unwrap_or_default().volumes {
        if let Some(mut filesystem) = seen.take(volume.open(&image)) {
            tree(&mut filesystem, &mut seen);
        }
    }
    seen
}

fn extents(image: &Image, seen: &mut Seen) {
    let mut offset = 0;
    for _ in 0..MAX_EXTENTS {
        if offset >= image.size_bytes() {
            return;
        }
        let Some(extent) = seen.take(image.extent_at(offset)) else {
            return;
        };
        assert!(extent.len_bytes > 0, "an extent of nothing at {offset}");
        let mut buffer = vec![0; END_BYTES.min(usize::try_from(extent.len_bytes).unwrap())];
        seen.take(image.read_at(offset, &mut buffer));
        offset += extent.len_bytes;
    }
}

fn tree(filesystem: &mut FileSystem, seen: &mut Seen) {
    let mut folders = vec![FsPath::root()];
    while let Some(folder) = folders.pop() {
        let listed = filesystem.read_dir(&folder);
        for entry in seen.take(listed).unwrap_or_default().entries {
            seen.n_entries += 1;
            if seen.n_entries > MAX_ENTRIES {
                return;
            }
            let path = folder.join(&entry.name);
            match entry.kind {
                EntryKind::Directory if path.names().len() < MAX_DEPTH => folders.push(path),
                EntryKind::Symlink => {
                    let target = filesystem.read_link(&path);
                    seen.take(target);
                }
                _ => {
                    let read = ends(filesystem, &path, seen);
                    seen.take(read);
                }
            }
        }
    }
}

/// The first and the last bytes of a file.
fn ends(filesystem: &mut FileSystem, path: &FsPath, seen: &mut Seen) -> Result<(), Error> {
    let mut reader = filesystem.open(path)?;
    let mut buffer = vec![0; END_BYTES];
    let size = reader.size_bytes();
    for offset in [0, size.saturating_sub(END_BYTES as u64), size / 2] {
        let n_read = reader.read(filesystem, offset, &mut buffer)?;
        assert!(n_read <= buffer.len());
        seen.n_bytes += n_read;
    }
    Ok(())
}
