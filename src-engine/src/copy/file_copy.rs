//! One file copied from one repository to another: copied, synced, read back, and only then given its name.
//!
//! Whatever an earlier attempt left under the temporary name is compared, and kept as far as it matches.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use tokio_util::sync::CancellationToken;

use crate::{
    failure::Failure,
    files::{COPYING, forget_cached, remove},
};

const CHUNK_BYTES: usize = 1024 * 1024;
/// Copies a file; tells how many of its bytes are there, piece by piece. Blocks.
///
/// # Errors
/// What is copied stays for the next attempt.
pub(crate) fn copy_file(
    from: &Path,
    to: &Path,
    cancel: &CancellationToken,
    copied: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let failed = |path: &Path| Failure::repository(path.to_path_buf());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    let unfinished = unfinished_name(to);
    // Named already, but cut off before it was on record: it is looked at like any other piece.
    if to.exists() {
        fs::rename(to, &unfinished).map_err(failed(to))?;
    }
    let unreadable = |source| Failure::CopySource {
        path: from.to_path_buf(),
        source,
    };
    let mut source = File::open(from).map_err(unreadable)?;
    let mut target = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&unfinished)
        .map_err(failed(&unfinished))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut is_same_so_far = true;
    let mut there = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(Failure::Stopped);
        }
        let len = fill(&mut source, &mut buffer).map_err(unreadable)?;
        let bytes = &buffer[..len];
        hasher.update(bytes);
        if is_same_so_far {
            let len_there = fill(&mut target, &mut there[..len]).map_err(failed(&unfinished))?;
            is_same_so_far = there[..len_there] == *bytes;
            if !is_same_so_far {
                target
                    .seek(SeekFrom::Start(offset))
                    .map_err(failed(&unfinished))?;
            }
        }
        if len == 0 {
            break;
        }
        if !is_same_so_far {
            target.write_all(bytes).map_err(failed(&unfinished))?;
        }
        offset += len as u64;
        copied(len as u64);
    }
    target
        .set_len(offset)
        .and_then(|()| target.sync_all())
        .map_err(failed(&unfinished))?;
    if read_back(&mut target).map_err(failed(&unfinished))? != hasher.finalize() {
        drop(target);
        remove(&unfinished);
        return Err(Failure::CopyDiffers {
            path: to.to_path_buf(),
        });
    }
    fs::rename(&unfinished, to).map_err(failed(to))
}

/// The hash of what the disk has now, as far as the system lets go of what it has in memory.
fn read_back(file: &mut File) -> io::Result<blake3::Hash> {
    forget_cached(file);
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    Ok(hasher.finalize())
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match file.read(&mut buffer[len..])? {
            0 => break,
            more => len += more,
        }
    }
    Ok(len)
}

fn unfinished_name(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(COPYING);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|index| (index * 31 % 251) as u8).collect()
    }

    #[test]
    fn a_copy_goes_on_where_it_was_cut_off_and_mends_what_differs() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        let to = folder.path().join("deep/er/backup-x.qcow2");
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        for len in [0, 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 17] {
            let whole = content(len);
            fs::write(&from, &whole).unwrap();
            let mut longer = whole.clone();
            longer.extend([1; 5000]);
            let mut damaged = whole.clone();
            if let Some(last) = damaged.last_mut() {
                *last ^= 1;
            }
            for before in [&whole[..len / 2], &whole, &longer, &damaged] {
                fs::write(unfinished_name(&to), before).unwrap();
                let mut n_bytes = 0;
                copy_file(&from, &to, &CancellationToken::new(), &mut |bytes| {
                    n_bytes += bytes;
                })
                .unwrap();
                assert_eq!(n_bytes, len as u64);
                assert!(fs::read(&to).unwrap() == whole, "{len}");
                assert!(!unfinished_name(&to).exists());
            }
        }
    }

    #[test]
    fn a_copy_that_is_stopped_has_no_name_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        let to = folder.path().join("backup-x.qcow2");
        fs::write(&from, content(3 * CHUNK_BYTES)).unwrap();
        let cancel = CancellationToken::new();
        let stopped = copy_file(&from, &to, &cancel, &mut |_| cancel.cancel());
        assert!(matches!(stopped, Err(Failure::Stopped)));
        assert!(!to.exists());
        let left = fs::metadata(unfinished_name(&to)).unwrap().len();
        assert_eq!(left, CHUNK_BYTES as u64);
    }
}
