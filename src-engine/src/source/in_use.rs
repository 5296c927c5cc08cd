//! Whether another program has a disk image open for writing: what is read then is the state of no single moment.
//!
//! Detecting changes afterwards (see `source`) costs a whole run, and programs that write through memory maps may not
//! change the file's time at all. Programs that run VMs say so beforehand, each in its own way.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::failure::InUse;

/// Looks for the signs of a program that writes to this image.
pub(crate) fn in_use(image: &Path) -> Option<InUse> {
    if let Some(lock) = vmware_lock(image) {
        return Some(InUse::VmwareLock(lock));
    }
    is_locked(image).then_some(InUse::Locked)
}

/// `disk.vmdk.lck` is a file in old versions, a folder with lock files in newer ones; an empty folder is
/// what a clean end leaves.
fn vmware_lock(image: &Path) -> Option<PathBuf> {
    let mut name = image.file_name()?.to_owned();
    name.push(".lck");
    let lock = image.with_file_name(name);
    let is_held = match fs::read_dir(&lock) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => lock.is_file(),
    };
    is_held.then_some(lock)
}

/// QEMU holds a lock on one byte of the file for each thing it does with it; byte 101 is for writing
/// (`RAW_LOCK_PERM_BASE` and `BLK_PERM_WRITE` in its `block/file-posix.c`).
#[cfg(target_os = "linux")]
fn is_locked(image: &Path) -> bool {
    use nix::{
        fcntl::{FcntlArg, fcntl},
        libc,
    };

    const WRITE_BYTE: i64 = 101;
    let Ok(file) = fs::File::open(image) else {
        // Opening it says why.
        return false;
    };
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: WRITE_BYTE,
        l_len: 1,
        l_pid: 0,
    };
    match fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock)) {
        Ok(_) => lock.l_type != libc::F_UNLCK as i16,
        // A filesystem without locks knows nothing.
        Err(_) => false,
    }
}

/// Elsewhere who writes does not share the file, and opening it fails.
#[cfg(not(target_os = "linux"))]
fn is_locked(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_lock_folder_is_what_a_clean_end_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("disk.vmdk");
        fs::write(&image, [0; 512]).unwrap();
        assert!(in_use(&image).is_none());
        let lock = folder.path().join("disk.vmdk.lck");
        fs::create_dir(&lock).unwrap();
        assert!(in_use(&image).is_none());
        fs::write(lock.join("M12345.lck"), "").unwrap();
        assert!(matches!(in_use(&image), Some(InUse::VmwareLock(found)) if found == lock));
        fs::remove_dir_all(&lock).unwrap();
        fs::write(&lock, "").unwrap();
        assert!(matches!(in_use(&image), Some(InUse::VmwareLock(found)) if found == lock));
    }
}
