//! A file on its way, of which what has arrived outlives a download that breaks off.
//!
//! That is `NAME.part`, or another name where that is taken, and beside it a note, `NAME.part.json`: which file of which disk it is the beginning of, by what
//! its hub calls it (a strong validator, RFC 9110, 8.8.1), how much of it is on this disk, and the hash of that. Whoever
//! saves the file under that name again reads the beginning back and goes on behind it. Without a note that fits, a part
//! is worth nothing.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempPath;

use super::part::{PartFile, folder_of, part_names, refuse_without_room, with_ending};
use super::{Destination, Saved, Sink, local_failure};
use crate::hub::Rest;
use crate::{Result, shared_file};

/// The form of the note that this version writes, and the only one it understands.
const VERSION: u32 = 1;
/// So many bytes a crash costs at most.
const NOTE_EVERY: u64 = 256 << 20;
/// What is smaller is fetched again sooner than it is looked for, in bytes.
const WORTH_KEEPING: u64 = 1 << 20;
/// What is read back at once, in bytes.
const PIECE: usize = 1 << 20;

/// Which content of a disk it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) path: String,
    pub(super) stream: Option<String>,
    /// Its size in bytes, as its folder says.
    pub(super) size_bytes: Option<u64>,
}

/// What is known of a part.
#[derive(Serialize, Deserialize)]
struct Note {
    version: u32,
    origin: Origin,
    validator: String,
    received_bytes: u64,
    /// Of those bytes.
    sha256: String,
}

/// A file on its way. Dropping it leaves nothing.
pub(super) struct Arrival {
    part: PartFile,
    note: TempPath,
    origin: Origin,
    /// What the hub calls the file; `None` where it cannot send the rest of one.
    validator: Option<String>,
    received_bytes: u64,
    hash: Sha256,
    noted_bytes: u64,
}

impl Arrival {
    /// Begins a file, or goes on with what is left of it.
    ///
    /// # Errors
    /// When its name is taken, its folder cannot be written to, or there is not enough room.
    pub(super) fn begin(destination: &Destination, origin: Origin) -> Result<Self> {
        let noted = |part: &Path| {
            let known = read_note(&note_beside(part));
            known.filter(|known| known.origin == origin)
        };
        let part = PartFile::take(destination, &|part| noted(part).is_some())?;
        let failed = |error: io::Error| local_failure(&destination.path, &error);
        let (known, note) = (noted(part.path()), note_beside(part.path()));
        let mut arrival = Self {
            part,
            note: TempPath::try_from_path(note).map_err(failed)?,
            origin,
            validator: None,
            received_bytes: 0,
            hash: Sha256::new(),
            noted_bytes: 0,
        };
        let is_left = match known {
            Some(known) => arrival.recall(known).map_err(failed)?,
            None => false,
        };
        if !is_left {
            arrival.restart()?;
        }
        match arrival.refuse_without_room() {
            Ok(()) => Ok(arrival),
            Err(error) => {
                // There may be room tomorrow.
                arrival.leave();
                Err(error)
            }
        }
    }

    fn refuse_without_room(&self) -> Result<()> {
        let size_bytes = self.origin.size_bytes.unwrap_or_default();
        let to_come = size_bytes.saturating_sub(self.received_bytes);
        refuse_without_room(folder_of(&self.note), self.part.wanted(), to_come)
    }

    /// Reads a beginning back and takes it on, if it is what the note says.
    fn recall(&mut self, known: Note) -> io::Result<bool> {
        let mut file = self.part.file();
        let mut hash = Sha256::new();
        let mut left = known.received_bytes;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let most = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let read = match file.read(&mut piece[..most]) {
                Ok(0) => return Ok(false),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hash.update(&piece[..read]);
            left -= read as u64;
        }
        if hex(hash.clone()) != known.sha256 {
            return Ok(false);
        }
        // What arrived after the last note may be anything.
        file.set_len(known.received_bytes)?;
        tracing::info!(
            file = %self.part.wanted().display(), bytes = known.received_bytes,
            "a download goes on where it broke off"
        );
        self.received_bytes = known.received_bytes;
        self.noted_bytes = known.received_bytes;
        self.validator = Some(known.validator);
        self.hash = hash;
        Ok(true)
    }

    /// Begins anew.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.part.restart()?;
        self.validator = None;
        self.received_bytes = 0;
        self.noted_bytes = 0;
        self.hash = Sha256::new();
        Ok(())
    }

    /// Bytes of it that are here.
    pub(super) fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// What is still wanted; `None` where only all of it can be asked for.
    pub(super) fn rest(&self) -> Option<Rest> {
        let validator = self.validator.clone()?;
        (self.received_bytes > 0).then_some(Rest {
            offset: self.received_bytes,
            validator,
        })
    }

    /// The hub calls the file so, or cannot send the rest of it.
    pub(super) fn is_called(&mut self, validator: Option<String>) {
        self.validator = validator;
    }

    /// Whether everything is here, as far as its folder says.
    pub(super) fn is_whole(&self) -> bool {
        self.origin.size_bytes == Some(self.received_bytes)
    }

    /// Leaves what is here for whoever saves the file again, where that is worth something; says how many bytes. Else
    /// nothing is left.
    pub(super) fn leave(mut self) -> Option<u64> {
        if self.validator.is_none() || self.received_bytes < WORTH_KEEPING {
            return None;
        }
        let written = self.write_note();
        let left = written.and_then(|()| {
            let note = self.note.keep().map_err(io::Error::from)?;
            self.part.leave().inspect_err(|_| {
                // A note without its part says nothing to anybody.
                drop(fs::remove_file(&note));
            })
        });
        left.inspect_err(|error| tracing::warn!(%error, "what arrived cannot be kept"))
            .ok()
            .map(|()| self.received_bytes)
    }

    /// Gives the complete file its name.
    pub(super) fn keep(self, modified: Option<Timestamp>) -> Result<Saved> {
        let path = self.part.wanted().to_path_buf();
        self.part.keep(modified)?;
        Ok(Saved {
            path,
            size_bytes: self.received_bytes,
            sha256: Some(hex(self.hash)),
        })
    }

    /// The note never says more than is on the disk.
    fn write_note(&mut self) -> io::Result<()> {
        let Some(validator) = self.validator.clone() else {
            return Ok(());
        };
        self.part.file().sync_data()?;
        let note = Note {
            version: VERSION,
            origin: self.origin.clone(),
            validator,
            received_bytes: self.received_bytes,
            sha256: hex(self.hash.clone()),
        };
        shared_file::write(&self.note, &serde_json::to_vec(&note)?)?;
        self.noted_bytes = self.received_bytes;
        Ok(())
    }
}

impl Sink for Arrival {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.part.write(bytes)?;
        self.hash.update(bytes);
        self.received_bytes = self.received_bytes.saturating_add(bytes.len() as u64);
        // The file itself does not depend on it.
        if self.received_bytes - self.noted_bytes >= NOTE_EVERY
            && let Err(error) = self.write_note()
        {
            tracing::warn!(%error, "how far a download is cannot be noted");
            self.noted_bytes = self.received_bytes;
        }
        Ok(())
    }
}

/// Removes what a download to this place has left, if that was one of ours.
pub(super) fn remove_left(destination: &Destination) {
    let is_ours = |part: &Path| read_note(&note_beside(part)).is_some();
    let mut there =
        part_names(&destination.path).take_while(|part| part.symlink_metadata().is_ok());
    if !there.any(|part| is_ours(&part)) {
        return;
    }
    // Whoever has taken it up meanwhile keeps it; what is taken goes when it is dropped.
    match PartFile::take(destination, &is_ours) {
        Ok(part) => drop(fs::remove_file(note_beside(part.path()))),
        Err(error) => tracing::debug!(%error, "what a download has left stays"),
    }
}

fn note_beside(part: &Path) -> PathBuf {
    with_ending(part, ".json")
}

fn read_note(path: &Path) -> Option<Note> {
    let bytes = shared_file::read(path).ok().flatten()?;
    let note: Note = serde_json::from_slice(&bytes).ok()?;
    (note.version == VERSION).then_some(note)
}

fn hex(hash: Sha256) -> String {
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use sendense_types::ErrorKind;

    use super::*;
    use crate::download::Existing;
    use crate::testing::names;

    const TAG: &str = "\"tag\"";

    fn destination(folder: &Path) -> Destination {
        Destination {
            path: folder.join("file"),
            existing: Existing::Keep,
        }
    }

    fn origin() -> Origin {
        Origin {
            path: "/partition-1/file".to_owned(),
            stream: None,
            size_bytes: Some(3 << 20),
        }
    }

    /// A file of which two MiB arrived before its download broke off.
    fn left_in(folder: &Path) {
        let mut arrival = Arrival::begin(&destination(folder), origin()).unwrap();
        arrival.is_called(Some(TAG.to_owned()));
        arrival.write(&vec![7; 2 << 20]).unwrap();
        assert_eq!(arrival.leave(), Some(2 << 20));
        assert_eq!(names(folder), ["file.part", "file.part.json"]);
    }

    #[test]
    fn what_is_left_is_gone_on_with_and_makes_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        left_in(folder.path());
        let mut arrival = Arrival::begin(&destination(folder.path()), origin()).unwrap();
        let rest = arrival.rest().unwrap();
        assert_eq!((rest.offset, rest.validator.as_str()), (2 << 20, TAG));
        assert!(!arrival.is_whole());
        arrival.write(&vec![8; 1 << 20]).unwrap();
        assert!(arrival.is_whole());
        let saved = arrival.keep(None).unwrap();
        assert_eq!(names(folder.path()), ["file"]);
        let bytes = fs::read(&saved.path).unwrap();
        assert_eq!(bytes.len() as u64, saved.size_bytes);
        let mut hash = Sha256::new();
        hash.update(&bytes);
        assert_eq!(saved.sha256, Some(hex(hash)));
    }

    #[test]
    fn a_beginning_of_something_else_or_that_was_changed_is_none() {
        type Spoil = fn(&Path, &mut Origin);
        // And whether what is there is another file's, and stays.
        let spoils: [(Spoil, bool); 5] = [
            (|_, origin| origin.path.push('2'), true),
            (|_, origin| origin.size_bytes = Some(4 << 20), true),
            (
                |part, _| {
                    let mut part = OpenOptions::new().write(true).open(part).unwrap();
                    part.write_all(b"x").unwrap();
                },
                false,
            ),
            (
                |part, _| {
                    let part = OpenOptions::new().write(true).open(part).unwrap();
                    part.set_len(1 << 20).unwrap();
                },
                false,
            ),
            (
                |part, _| fs::write(part.with_extension("part.json"), "{").unwrap(),
                true,
            ),
        ];
        for (spoil, stays) in spoils {
            let folder = tempfile::tempdir().unwrap();
            left_in(folder.path());
            let mut wanted = origin();
            spoil(&folder.path().join("file.part"), &mut wanted);
            let arrival = Arrival::begin(&destination(folder.path()), wanted).unwrap();
            assert_eq!((arrival.rest(), arrival.received_bytes()), (None, 0));
            assert_eq!(arrival.part.size().unwrap(), 0);
            drop(arrival);
            assert_eq!(names(folder.path()).len(), if stays { 2 } else { 0 });
        }
    }

    #[test]
    fn what_arrived_after_the_last_note_is_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        left_in(folder.path());
        let part = folder.path().join("file.part");
        let mut part = OpenOptions::new().append(true).open(part).unwrap();
        part.write_all(b"lost in the power cut").unwrap();
        let arrival = Arrival::begin(&destination(folder.path()), origin()).unwrap();
        assert_eq!(arrival.received_bytes(), 2 << 20);
        assert_eq!(arrival.part.size().unwrap(), 2 << 20);
    }

    #[test]
    fn little_or_what_no_hub_sends_the_rest_of_is_not_left() {
        for (validator, bytes) in [(Some(TAG.to_owned()), 1000), (None, 2 << 20)] {
            let folder = tempfile::tempdir().unwrap();
            let mut arrival = Arrival::begin(&destination(folder.path()), origin()).unwrap();
            arrival.is_called(validator);
            arrival.write(&vec![7; bytes]).unwrap();
            assert_eq!(arrival.leave(), None);
            assert!(names(folder.path()).is_empty());
        }
    }

    #[test]
    fn what_no_disk_has_room_for_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = Origin {
            size_bytes: Some(1 << 60),
            ..origin()
        };
        let refused = Arrival::begin(&destination(folder.path()), wanted);
        let error = refused.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Full, "{error:?}");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn what_is_left_can_be_removed_and_strangers_parts_stay() {
        let folder = tempfile::tempdir().unwrap();
        left_in(folder.path());
        remove_left(&destination(folder.path()));
        assert!(names(folder.path()).is_empty());
        fs::write(folder.path().join("file.part"), "of a browser").unwrap();
        remove_left(&destination(folder.path()));
        assert_eq!(names(folder.path()), ["file.part"]);
    }
}
