//! A file under construction: `NAME.part` beside the wanted name, gone unless it is kept.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use sendense_types::{AppError, ByteSize, ErrorKind, Retry};
use sendense_words as words;
use tempfile::TempPath;

use super::{Destination, Existing, Sink, local_failure};
use crate::Result;

/// So many files of others may be called like parts of one file.
const MOST_PARTS: u32 = 99;

/// A file under construction; dropping it removes it.
#[derive(Debug)]
pub(super) struct PartFile {
    /// Closed before it is removed.
    file: File,
    path: TempPath,
    destination: Destination,
}

impl PartFile {
    /// Begins a file; refuses before anything is written when its name is taken.
    pub(super) fn create(destination: &Destination) -> Result<Self> {
        Self::take(destination, &|_| false)
    }

    /// As [`create`](Self::create), or with what is there already where that `is_ours`. A file of somebody else that is
    /// called so stays, and what a crash has left with it: then the part is called otherwise.
    pub(super) fn take(destination: &Destination, is_ours: &dyn Fn(&Path) -> bool) -> Result<Self> {
        let wanted = &destination.path;
        refuse_taken(destination)?;
        let failed = |error: io::Error| local_failure(wanted, &error);
        for name in part_names(wanted) {
            let mut open = OpenOptions::new();
            open.read(true).write(true);
            let (file, is_new) = match open.clone().create_new(true).open(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    match open.open(&name) {
                        Ok(file) => (file, false),
                        // It is somebody's who lets nobody in.
                        Err(_) => continue,
                    }
                }
                file => (file.map_err(failed)?, true),
            };
            lock(&file, wanted)?;
            if is_new || is_ours(&name) {
                // From here on it is ours, and goes with its owner.
                return Ok(Self {
                    file,
                    path: TempPath::try_from_path(name).map_err(failed)?,
                    destination: destination.clone(),
                });
            }
        }
        Err(failed(io::ErrorKind::AlreadyExists.into()))
    }

    /// Where it is while it arrives.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins anew.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.fill(|mut file| {
            file.set_len(0)?;
            file.rewind()
        })
    }

    /// What has been written so far.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The name it will have.
    pub(super) fn wanted(&self) -> &Path {
        &self.destination.path
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> Result<u64> {
        let known = self.file.metadata();
        let known = known.map_err(|error| local_failure(&self.destination.path, &error))?;
        Ok(known.len())
    }

    /// Has its content written by something that needs to go back in it.
    pub(super) fn fill(&mut self, fill: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
        fill(&self.file).map_err(|error| local_failure(&self.destination.path, &error))
    }

    /// Puts something made of its content in the place of that; it is made in a file of the same folder.
    pub(super) fn replace(
        &mut self,
        make: impl FnOnce(&File, &Path) -> io::Result<File>,
    ) -> Result<()> {
        let replaced = make(&self.file, folder_of(&self.path)).and_then(|mut made| {
            made.rewind()?;
            self.file.set_len(0)?;
            self.file.rewind()?;
            io::copy(&mut made, &mut self.file).map(drop)
        });
        replaced.map_err(|error| local_failure(&self.destination.path, &error))
    }

    /// Leaves what is there, under its name.
    pub(super) fn leave(self) -> io::Result<()> {
        self.path.keep().map(drop).map_err(io::Error::from)
    }

    /// Writes everything through to the disk and gives the file its name.
    pub(super) fn keep(self, modified: Option<Timestamp>) -> Result<()> {
        // A time that this system or filesystem cannot hold is no reason to lose the file.
        if let Some(modified) = modified.and_then(|time| SystemTime::try_from(time).ok())
            && let Err(error) = self.file.set_modified(modified)
        {
            tracing::debug!(%error, "could not set the time of a restored file");
        }
        let wanted = self.destination.path.clone();
        let failed = |error: io::Error| local_failure(&wanted, &error);
        self.file.sync_all().map_err(failed)?;
        give_name(self.path, &self.destination)?;
        sync_folder_of(&wanted).map_err(failed)
    }
}

/// What a file may be called while it arrives.
pub(super) fn part_names(wanted: &Path) -> impl Iterator<Item = PathBuf> {
    let others = (2..=MOST_PARTS).map(|n| format!(".{n}.part"));
    let endings = std::iter::once(".part".to_owned()).chain(others);
    endings.map(|ending| with_ending(wanted, &ending))
}

/// A path with something behind its name.
pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Keeps others from saving the same at the same time, as long as the file is open.
///
/// # Errors
/// `Conflict` when somebody does.
pub(super) fn lock(file: &File, wanted: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(AppError::new(
            ErrorKind::Conflict,
            words::failures::being_saved(wanted.display()),
            Retry::Manual,
        )),
        // Some network filesystems cannot lock; two downloads of one name are rarer than those.
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, "this filesystem cannot lock");
            Ok(())
        }
    }
}

/// Hours of waiting for a disk that is full in the end are worse than being told now. `to_come` is in bytes, and goes to
/// this folder for what is wanted.
///
/// # Errors
/// `Full` where there is less room than that.
pub(super) fn refuse_without_room(folder: &Path, wanted: &Path, to_come: u64) -> Result<()> {
    match fs4::available_space(folder) {
        Ok(free) if free < to_come => Err(AppError::new(
            ErrorKind::Full,
            words::failures::no_room_for(wanted.display(), ByteSize(to_come), ByteSize(free)),
            Retry::Manual,
        )
        .with_hint(words::failures::free_up_space())),
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::debug!(%error, "this filesystem does not say how much room it has");
            Ok(())
        }
    }
}

impl Sink for PartFile {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.fill(|mut file| file.write_all(bytes))
    }
}

/// Gives a complete file its name. Somebody may have taken that while it was being written, or takes it
/// at this very moment: then theirs stays.
fn give_name(part: TempPath, destination: &Destination) -> Result<()> {
    let wanted = &destination.path;
    let part = match destination.existing {
        Existing::Replace => part,
        Existing::Keep => match part.persist_noclobber(wanted) {
            Ok(()) => return Ok(()),
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
                refuse_taken(destination)?;
                return Err(local_failure(wanted, &refused.error));
            }
            // Some filesystems can neither rename without replacing nor link: exFAT on a Mac, some shares.
            Err(refused) => {
                tracing::debug!(error = %refused.error, "a name is looked for before it is taken");
                refused.path
            }
        },
    };
    refuse_taken(destination)?;
    part.persist(wanted)
        .map_err(|refused| local_failure(wanted, &refused.error))
}

fn refuse_taken(destination: &Destination) -> Result<()> {
    let path = &destination.path;
    let shown = path.display();
    // Links count as taken, whatever they point to.
    let taken = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(local_failure(path, &error)),
    };
    if taken.is_dir() {
        return Err(AppError::new(
            ErrorKind::Conflict,
            words::failures::name_is_folder(shown),
            Retry::Never,
        )
        .with_hint(words::failures::name_a_file()));
    }
    match destination.existing {
        Existing::Replace => Ok(()),
        Existing::Keep => Err(AppError::new(
            ErrorKind::Conflict,
            words::failures::file_exists(shown),
            Retry::Never,
        )
        .with_hint(words::failures::file_exists_hint())),
    }
}

/// Makes a new name survive a power cut; on Windows the system does that itself.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    File::open(folder_of(path))?.sync_all()
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::names;

    fn destination(folder: &Path, existing: Existing) -> Destination {
        Destination {
            path: folder.join("file.txt"),
            existing,
        }
    }

    /// Contract H1.
    #[test]
    fn only_a_kept_file_has_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut part = PartFile::create(&destination(folder.path(), Existing::Keep)).unwrap();
        part.write(b"hello").unwrap();
        assert_eq!(names(folder.path()), ["file.txt.part"]);
        let modified: Timestamp = "2024-01-29T11:49:24Z".parse().unwrap();
        part.keep(Some(modified)).unwrap();
        assert_eq!(names(folder.path()), ["file.txt"]);
        let path = folder.path().join("file.txt");
        assert_eq!(fs::read(&path).unwrap(), b"hello");
        assert_eq!(
            fs::metadata(&path).unwrap().modified().unwrap(),
            SystemTime::try_from(modified).unwrap()
        );
    }

    #[test]
    fn an_abandoned_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut part = PartFile::create(&destination(folder.path(), Existing::Keep)).unwrap();
        part.write(b"half").unwrap();
        drop(part);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn what_is_there_stays_unless_it_is_to_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.txt");
        fs::write(&path, "old").unwrap();
        let error = PartFile::create(&destination(folder.path(), Existing::Keep)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);

        let mut part = PartFile::create(&destination(folder.path(), Existing::Replace)).unwrap();
        part.write(b"new").unwrap();
        assert_eq!(
            fs::read(&path).unwrap(),
            b"old",
            "until the new one is complete"
        );
        part.keep(None).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_name_that_is_taken_meanwhile_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let part = PartFile::create(&destination(folder.path(), Existing::Keep)).unwrap();
        let path = folder.path().join("file.txt");
        fs::write(&path, "somebody else's").unwrap();
        let error = part.keep(None).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert_eq!(fs::read(&path).unwrap(), b"somebody else's");
        assert_eq!(names(folder.path()), ["file.txt"]);
    }

    #[test]
    fn of_two_who_want_a_name_at_the_same_moment_one_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.txt");
        for round in 0..200 {
            let mut part = PartFile::create(&destination(folder.path(), Existing::Keep)).unwrap();
            part.write(b"ours").unwrap();
            let ours = std::thread::spawn(move || part.keep(None));
            while folder.path().join("file.txt.part").exists() && !path.exists() {
                // As close to the other's last look as luck has it.
                for _ in 0..round * 50 {
                    std::hint::spin_loop();
                }
                if round % 2 == 0 {
                    break;
                }
            }
            let theirs = OpenOptions::new().write(true).create_new(true).open(&path);
            let ours = ours.join().unwrap();
            assert!(ours.is_ok() != theirs.is_ok(), "{ours:?} {theirs:?}");
            fs::remove_file(&path).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_or_link_that_took_the_name_stays_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.txt");
        for existing in [Existing::Keep, Existing::Replace] {
            let part = PartFile::create(&destination(folder.path(), existing)).unwrap();
            fs::create_dir(&path).unwrap();
            let error = part.keep(None).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict);
            assert!(error.message.ends_with("is a folder."), "{error}");
            fs::remove_dir(&path).unwrap();
        }
        let part = PartFile::create(&destination(folder.path(), Existing::Keep)).unwrap();
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert_eq!(part.keep(None).unwrap_err().kind, ErrorKind::Conflict);
        assert_eq!(names(folder.path()), ["file.txt"]);
    }

    #[test]
    fn a_second_download_of_one_name_is_refused_and_what_is_called_like_a_part_stays() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = destination(folder.path(), Existing::Keep);
        let theirs = ["file.txt.part", "file.txt.2.part"].map(|name| folder.path().join(name));
        for path in &theirs {
            fs::write(path, "of a browser").unwrap();
        }
        let mut first = PartFile::create(&wanted).unwrap();
        let error = PartFile::create(&wanted).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
        first.write(b"x").unwrap();
        first.keep(None).unwrap();
        assert_eq!(fs::read(&wanted.path).unwrap(), b"x");
        for path in &theirs {
            assert_eq!(fs::read(path).unwrap(), b"of a browser");
        }
        assert_eq!(names(folder.path()).len(), 3);
    }

    #[test]
    fn a_folder_that_is_not_there_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = destination(&folder.path().join("nowhere"), Existing::Keep);
        assert_eq!(
            PartFile::create(&wanted).unwrap_err().kind,
            ErrorKind::NotFound
        );
    }
}
