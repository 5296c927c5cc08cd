//! How far an image has come, in a small file beside it: what lets a restore that broke off go on.
//!
//! The journal is there before the image is, and goes after it has its name. So an unfinished image without a journal
//! is somebody else's file, and an image by its name beside a journal that calls it complete is ours.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{files, image::write_through::WriteThrough};

/// Of the format of journals, and of the layouts that they are of.
const VERSION: u32 = 1;
/// What the name of an unfinished image ends with.
const PART: &str = ".part";
/// What the name of its journal ends with.
const JOURNAL: &str = ".part.json";
/// No journal is as long.
const LONGEST_BYTES: u64 = 64 * 1024;
/// So much is written before it is written through and noted down.
const AT_ONCE_BYTES: u64 = 64 * 1024 * 1024;

/// What a journal says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journal {
    version: u32,
    /// Names what the image will be.
    pub(crate) layout: String,
    /// What is random in it follows from this: the two halves of an id.
    seed: (u64, u64),
    /// All of the disk before this place is in the image, and on the disk that it lies on.
    pub(crate) done_until: u64,
    /// The image is whole: it lacks nothing but its name, or has it.
    pub(crate) is_complete: bool,
}

impl Journal {
    /// That of an image of which nothing is there.
    pub(crate) fn new(layout: String, seed: Uuid) -> Self {
        Self {
            version: VERSION,
            layout,
            seed: seed.as_u64_pair(),
            done_until: 0,
            is_complete: false,
        }
    }

    /// The journal of an image; `None` where there is none that this version understands.
    pub(crate) fn read(target: &Path) -> Option<Self> {
        let path = journal_path(target);
        let len_bytes = path.metadata().ok()?.len();
        if len_bytes > LONGEST_BYTES {
            return None;
        }
        let journal: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (journal.version == VERSION).then_some(journal)
    }

    /// What is random in the image follows from this.
    pub(crate) fn seed(&self) -> Uuid {
        Uuid::from_u64_pair(self.seed.0, self.seed.1)
    }

    /// Writes it, so that it survives a power cut.
    pub(crate) fn write(&self, target: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        let path = journal_path(target);
        // A hub that is killed now leaves it, and everything unfinished that it leaves beside images is called so. The next
        // restore into the folder writes its journal by the same name.
        files::replace_by(&path, &part_path(&path), &text)
    }
}

/// The name of an image before it has its own.
pub(crate) fn part_path(target: &Path) -> PathBuf {
    named(target, PART)
}

/// The name of the journal of an image.
pub(crate) fn journal_path(target: &Path) -> PathBuf {
    named(target, JOURNAL)
}

fn named(target: &Path, end: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Has an image written through while it grows, and then its journal noted up to where the disk is in it.
pub(crate) fn checkpoints(target: &Path, mut journal: Journal) -> WriteThrough<u64> {
    let journal_of = target.to_path_buf();
    WriteThrough::and_then(&part_path(target), AT_ONCE_BYTES, move |done_until| {
        journal.done_until = done_until;
        journal.write(&journal_of)
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn a_journal_is_read_as_it_was_written_and_one_of_another_version_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("disk.qcow2");
        assert_eq!(Journal::read(&target), None);
        let mut journal = Journal::new("layout".to_owned(), Uuid::from_u128(3));
        journal.done_until = 7;
        journal.write(&target).unwrap();
        assert_eq!(Journal::read(&target), Some(journal.clone()));
        journal.version += 1;
        journal.write(&target).unwrap();
        assert_eq!(Journal::read(&target), None);
        fs::write(journal_path(&target), "{").unwrap();
        assert_eq!(Journal::read(&target), None);
    }

    #[test]
    fn what_the_journal_calls_done_is_never_more_than_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("disk.raw");
        File::create(part_path(&target)).unwrap();
        let journal = Journal::new("layout".to_owned(), Uuid::nil());
        let mut checkpoints = checkpoints(&target, journal);
        checkpoints.written(AT_ONCE_BYTES - 1, 10).unwrap();
        checkpoints.written(1, 20).unwrap();
        checkpoints.end().unwrap();
        assert_eq!(Journal::read(&target).unwrap().done_until, 20);
    }
}
