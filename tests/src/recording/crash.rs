//! What a kill or a power cut leaves of the files, after any number of recorded changes.
//!
//! A kill leaves everything. A power cut leaves what was synced: the content of a file after `fsync` of the file, a
//! name after `fsync` of its folder. Anything may be left of the rest: nothing, all or some of it, and part of a write.
//! Renames and removals happen completely or not at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::{Change, FileId, Recording};
use crate::Random;

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there: the program was killed and the system went on.
    Kept,
    /// Nothing of it is there.
    Dropped,
    /// Names are there, content is not.
    OnlyNames,
    /// Each name and each write by chance, a write perhaps in part.
    Torn(u64),
}

/// The files that a crash leaves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CrashState {
    root: PathBuf,
    folders: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, FileId>,
    /// What came to be of each file that has a name, as places in the recording.
    contents: BTreeMap<FileId, Vec<Piece>>,
}

/// A change of a file's content, as far as it came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Piece {
    Whole(usize),
    /// So many bytes of a write.
    Part(usize, usize),
    /// The file became as long as the write made it; its bytes never came.
    Length(usize),
}

impl Recording {
    /// What a crash after the first `n_changes` changes leaves.
    pub fn state(&self, n_changes: usize, fate: Fate) -> CrashState {
        let changes = &self.changes()[..n_changes];
        let mut synced_files: HashMap<FileId, usize> = HashMap::new();
        let mut synced_folders: HashMap<&Path, usize> = HashMap::new();
        for change in changes {
            match change {
                Change::Sync(file, until) => drop(synced_files.insert(*file, *until)),
                Change::SyncFolder(path, until) => drop(synced_folders.insert(path, *until)),
                _ => {}
            }
        }
        let is_content_safe =
            |at: usize, file: &FileId| synced_files.get(file).is_some_and(|until| at < *until);
        let is_name_safe = |at: usize, path: &Path| {
            let folder = path.parent().unwrap_or(path);
            synced_folders.get(folder).is_some_and(|until| at < *until)
        };
        let mut random = match fate {
            Fate::Torn(seed) => Random::new(seed ^ (n_changes as u64) << 32),
            _ => Random::new(1),
        };
        let mut state = CrashState {
            root: self.root().to_path_buf(),
            folders: BTreeSet::new(),
            names: BTreeMap::new(),
            contents: BTreeMap::new(),
        };
        for (at, change) in changes.iter().enumerate() {
            match change {
                Change::Write(file, ..) | Change::Length(file, _) => {
                    let piece = match fate {
                        _ if is_content_safe(at, file) => Some(Piece::Whole(at)),
                        Fate::Kept => Some(Piece::Whole(at)),
                        Fate::Dropped | Fate::OnlyNames => None,
                        Fate::Torn(_) => torn(at, change, &mut random),
                    };
                    state.contents.entry(*file).or_default().extend(piece);
                }
                Change::Folder(path)
                | Change::Create(path, _)
                | Change::Remove(path)
                | Change::Rename(_, path, _) => {
                    let is_there = match fate {
                        _ if is_name_safe(at, path) => true,
                        Fate::Kept | Fate::OnlyNames => true,
                        Fate::Dropped => false,
                        Fate::Torn(_) => random.below(2) == 0,
                    };
                    if is_there {
                        state.apply(change);
                    }
                }
                Change::Sync(..) | Change::SyncFolder(..) | Change::Said => {}
            }
        }
        let named: BTreeSet<FileId> = state.names.values().copied().collect();
        state.contents.retain(|file, _| named.contains(file));
        state
    }
}

fn torn(at: usize, change: &Change, random: &mut Random) -> Option<Piece> {
    match (random.below(4), change) {
        (0, _) => None,
        (1, Change::Write(_, _, bytes)) => {
            let len = random.below(bytes.len() as u64);
            Some(Piece::Part(at, usize::try_from(len).unwrap_or(0)))
        }
        (2, Change::Write(..)) => Some(Piece::Length(at)),
        _ => Some(Piece::Whole(at)),
    }
}

impl CrashState {
    /// The folders, in order.
    pub fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.folders.iter()
    }

    /// The files, in order.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.names.keys()
    }

    /// What is in one of its files.
    pub fn content(&self, recording: &Recording, path: &Path) -> Vec<u8> {
        let mut content = Vec::new();
        let pieces = self
            .names
            .get(path)
            .and_then(|file| self.contents.get(file));
        for piece in pieces.into_iter().flatten() {
            let (Piece::Whole(at) | Piece::Part(at, _) | Piece::Length(at)) = *piece;
            match &recording.changes()[at] {
                Change::Length(_, length) => content.resize(as_index(*length), 0),
                Change::Write(_, offset, bytes) => {
                    let len = match *piece {
                        Piece::Part(_, len) => len,
                        _ => bytes.len(),
                    };
                    let (start, end) = (as_index(*offset), as_index(*offset) + len);
                    if content.len() < end {
                        content.resize(end, 0);
                    }
                    if !matches!(piece, Piece::Length(_)) {
                        content[start..end].copy_from_slice(&bytes[..len]);
                    }
                }
                _ => {}
            }
        }
        content
    }

    /// Puts the files where they were recorded, in place of what is there.
    ///
    /// # Panics
    /// When they cannot be written.
    #[track_caller]
    pub fn restore(&self, recording: &Recording) {
        fs::remove_dir_all(&self.root).expect("the folder is ours");
        fs::create_dir(&self.root).expect("the folder is ours");
        for folder in &self.folders {
            fs::create_dir(folder).expect("the folder is ours");
        }
        for path in self.names.keys() {
            fs::write(path, self.content(recording, path)).expect("the folder is ours");
        }
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Folder(path) if self.has_parent(path) => {
                self.folders.insert(path.clone());
            }
            Change::Create(path, file) if self.has_parent(path) => {
                self.names.insert(path.clone(), *file);
            }
            Change::Rename(from, to, file) if self.has_parent(to) => {
                self.names.remove(from);
                self.names.insert(to.clone(), *file);
            }
            Change::Remove(path) => {
                self.names.remove(path);
                self.folders.remove(path);
            }
            // What lies in a folder that never came to be is not there either.
            _ => {}
        }
    }

    fn has_parent(&self, path: &Path) -> bool {
        path.parent()
            .is_some_and(|folder| folder == self.root || self.folders.contains(folder))
    }
}

fn as_index(offset: u64) -> usize {
    usize::try_from(offset).expect("recorded files are small")
}
