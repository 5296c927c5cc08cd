//! Files that survive a power cut: written under a temporary name, synced, renamed.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The file that names a repository, in its folder.
pub const MARKER: &str = "sendense-repository.json";
/// What the name of an unfinished file ends with.
pub(crate) const PARTIAL: &str = ".partial";
/// What an unfinished copy from another repository ends with. A start leaves it alone: the next copy goes on from it.
pub(crate) const COPYING: &str = ".copying";

/// The name under which a file is written.
pub(crate) fn partial_name(target: &Path) -> PathBuf {
    let mut name = OsString::from(target);
    name.push(PARTIAL);
    name.into()
}

/// Puts a small file in place of an older one, or where none was: at every instant the name stands for
/// one or the other as a whole.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_by(path, &partial_name(path), content)
}

/// As [`replace`], for files in folders of the user's, where what is unfinished has another name than in ours.
pub(crate) fn replace_by(path: &Path, partial: &Path, content: &[u8]) -> io::Result<()> {
    let written = File::create(partial)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(partial, path));
    if let Err(error) = written {
        remove(partial);
        return Err(error);
    }
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes a folder, and those above it where they are missing, so that a power cut takes none of their names.
pub(crate) fn create_folders(folder: &Path) -> io::Result<()> {
    create_folders_with(&mut DirBuilder::new(), folder)
}

/// Makes a folder, and those above it where they are missing, as the builder says, so that a power cut takes none of
/// their names.
///
/// # Errors
/// When one of them cannot be made or written through.
pub fn create_folders_with(builder: &mut DirBuilder, folder: &Path) -> io::Result<()> {
    let new: Vec<&Path> = folder
        .ancestors()
        .take_while(|folder| !folder.exists())
        .collect();
    builder.recursive(true).create(folder)?;
    new.into_iter()
        .filter_map(Path::parent)
        .try_for_each(sync_folder)
}

/// Gives a file a name that nothing has: what is there by that name stays.
///
/// # Errors
/// `AlreadyExists` where something is there.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Some filesystems do not know how to.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            renamed => return Ok(renamed?),
        }
    }
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Where there are no links either, looking first is the best there is.
        Err(_) if fs::symlink_metadata(to).is_err() => fs::rename(from, to),
        Err(_) => Err(io::ErrorKind::AlreadyExists.into()),
    }
}

/// Removes a file that may not be there; says whether it is gone.
pub(crate) fn remove(path: &Path) -> bool {
    match fs::remove_file(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        // The next start tries again.
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "could not remove a file");
            false
        }
    }
}

/// Makes the name of a file survive a power cut, and those of the folders that it lies in, up to `top`, which may
/// all be new.
pub(crate) fn sync_names(file: &Path, top: &Path) -> io::Result<()> {
    for folder in file.ancestors().skip(1) {
        sync_folder(folder)?;
        if folder == top {
            break;
        }
    }
    Ok(())
}

/// Makes the names in a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows has no such thing: its filesystems keep names safe by themselves.
    if cfg!(windows) {
        return Ok(());
    }
    File::open(folder)?.sync_all()
}

/// Has the system let go of what it has of a file in memory, so that the disk is read; as far as it does.
#[cfg(target_os = "linux")]
pub(crate) fn forget_cached(file: &File) {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    // Only advice: where it is not taken, memory is compared instead of the disk.
    if let Err(error) = posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED) {
        tracing::debug!(%error, "the system keeps a copied file in memory");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn forget_cached(_: &File) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_never_takes_the_name_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "precious").unwrap();
        let refused = rename_new(&from, &to).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"precious");
        fs::remove_file(&to).unwrap();
        rename_new(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"new");
        assert!(!from.exists());
    }
}
