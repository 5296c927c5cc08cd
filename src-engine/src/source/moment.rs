//! Copies of a running VM's images, all from the same moment.
//!
//! Some filesystems copy a file instantly, however large: the copy shares its blocks until somebody writes to either
//! one (Btrfs and XFS on Linux). What a VM continues to write is not in the copies, so they hold its disks as a power
//! cut would have left them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::stamp::Stamp;
use crate::failure::{InUse, Uncopyable};

/// Opened copies by the path of the original, links resolved.
pub(crate) type Copies = BTreeMap<PathBuf, File>;

/// A machine that writes to several disks pauses now and then.
const N_ATTEMPTS: usize = 20;
/// The kernel tells the time of a write to a hundredth of a second or better. After this long, whatever is
/// written has another time than what was written before.
const TICK: Duration = Duration::from_millis(20);
/// While there is a copy, what the machine writes takes new room. It must not run out of it for our sake.
const ROOM_TO_LEAVE: u64 = 512 * 1024 * 1024;

/// Copies all these files at one moment: accepted only if no byte was written between the first copy and
/// the last.
///
/// # Errors
/// The file for which it failed, and why.
pub(crate) fn copies(files: &BTreeSet<PathBuf>) -> Result<Copies, (PathBuf, InUse)> {
    copies_by(copy, files)
}

fn copies_by(
    mut copy: impl FnMut(&Path) -> io::Result<File>,
    files: &BTreeSet<PathBuf>,
) -> Result<Copies, (PathBuf, InUse)> {
    let Some(first) = files.first() else {
        return Ok(Copies::new());
    };
    for file in files {
        check_room(file).map_err(|why| (file.clone(), InUse::Uncopyable(why)))?;
    }
    for _ in 0..N_ATTEMPTS {
        let before = stamps(files);
        // Of one file a copy is of one moment by itself.
        if files.len() > 1 {
            thread::sleep(TICK);
        }
        let mut copies = Copies::new();
        for file in files {
            let copy =
                copy(file).map_err(|error| (file.clone(), InUse::Uncopyable(error.into())))?;
            copies.insert(file.clone(), copy);
        }
        if files.len() == 1 || (before.is_some() && stamps(files) == before) {
            return Ok(copies);
        }
    }
    Err((first.clone(), InUse::Restless))
}

/// `None` where a file cannot be looked at.
fn stamps(files: &BTreeSet<PathBuf>) -> Option<Vec<Stamp>> {
    files.iter().map(|file| Stamp::of(file).ok()).collect()
}

fn check_room(file: &Path) -> Result<(), Uncopyable> {
    match fs4::available_space(file) {
        Ok(available) if available < ROOM_TO_LEAVE => Err(Uncopyable::NearlyFull),
        // Copying says what is wrong.
        _ => Ok(()),
    }
}

/// Copies a file into one without a name, which goes when it is closed, whatever ends the hub.
#[cfg(target_os = "linux")]
fn copy(original: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, ioctl_ficlone, open};

    let folder = original.parent().unwrap_or(Path::new("/"));
    let original = File::open(original)?;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let copy = File::from(open(folder, flags, Mode::RUSR | Mode::WUSR)?);
    ioctl_ficlone(&copy, &original)?;
    Ok(copy)
}

/// Elsewhere what is in use cannot be opened in the first place.
#[cfg(not(target_os = "linux"))]
fn copy(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Copies two files whose first attempts are disturbed by a write between the copies.
    fn disturbed(n_disturbances: usize) -> (Result<Copies, (PathBuf, InUse)>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let files: BTreeSet<PathBuf> = ["a", "b"].map(|name| folder.path().join(name)).into();
        for file in &files {
            std::fs::write(file, "as it was").unwrap();
        }
        let mut n_copies = 0;
        let copies = copies_by(
            |path| {
                n_copies += 1;
                if n_copies % 2 == 1 && n_copies / 2 < n_disturbances {
                    // The file that is copied already is as long as before.
                    std::fs::File::options()
                        .write(true)
                        .open(path)?
                        .write_all(b"as it is ")?;
                }
                File::open(path)
            },
            &files,
        );
        (copies, n_copies)
    }

    #[test]
    fn copies_between_which_something_was_written_are_made_again() {
        for n_disturbances in [0, 1, 3] {
            let (copies, n_copies) = disturbed(n_disturbances);
            assert_eq!(copies.unwrap().len(), 2);
            assert_eq!(n_copies, 2 * (n_disturbances + 1));
        }
        let (copies, n_copies) = disturbed(usize::MAX);
        assert!(matches!(copies, Err((_, InUse::Restless))), "{copies:?}");
        assert_eq!(n_copies, 2 * N_ATTEMPTS);
    }

    #[test]
    fn what_cannot_be_copied_is_said_in_words() {
        for (kind, word) in [
            (io::ErrorKind::Unsupported, "Btrfs"),
            (io::ErrorKind::CrossesDevices, "Btrfs"),
            (io::ErrorKind::InvalidInput, "Btrfs"),
            (io::ErrorKind::PermissionDenied, "folder"),
            (io::ErrorKind::StorageFull, "could not be copied"),
        ] {
            let words = Uncopyable::from(io::Error::from(kind)).to_string();
            assert!(words.contains(word), "{words}");
        }
    }
}
