//! Files that the programs of one user share: whole at every instant, and changed by one program at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

/// A change takes milliseconds; who has waited this long waits for a program that hangs.
const LOCK_ATTEMPTS: u32 = 1000;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// What is in a file; nothing where there is none.
pub(crate) fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some),
    }
}

/// Lets no other program change a file until the answer is dropped. The folder is made where there is none.
pub(crate) fn lock(file: &Path) -> io::Result<File> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.recursive(true).create(folder_of(file))?;
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(file.with_extension("lock"))?;
    for _ in 0..LOCK_ATTEMPTS {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            // Some network filesystems cannot lock; two programs at one moment are rarer than those.
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "this filesystem cannot lock");
                return Ok(lock);
            }
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Puts a new file in the place of the old one: at every instant the name stands for one of them as a whole. A power cut
/// may bring the old one back.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = NamedTempFile::new_in(folder_of(file))?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

/// Makes room for a new file where the old one makes no sense, and keeps that for whoever can read it.
pub(crate) fn set_aside(file: &Path, reason: &io::Error) -> io::Result<()> {
    let aside = aside(file);
    fs::rename(file, &aside)?;
    tracing::warn!(
        file = %file.display(), aside = %aside.display(), %reason,
        "a file makes no sense and was set aside"
    );
    Ok(())
}

/// Where a file goes that makes no sense.
pub(crate) fn aside(file: &Path) -> PathBuf {
    file.with_extension("json.set-aside")
}

/// The folder of a file, which is never the one that a program happens to run in.
fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}
