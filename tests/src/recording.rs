//! What a program did to the files in a folder, in order, as the kernel saw it.
//!
//! Nothing bypasses the kernel, whereas SQLite and the library that writes images access files in their own ways.
//! [`Recording::verify`] checks the recording against the folder itself.

mod crash;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

pub use self::crash::{CrashState, Fate};
use crate::strace::{self, Call};
use crate::{Outcome, sendense, tool};

/// All calls that change files, and those that say which file a number means.
const CALLS: &str = "open,openat,openat2,creat,close,dup,dup2,dup3,fcntl,lseek,mmap,\
    write,writev,pwrite64,pwritev,pwritev2,truncate,ftruncate,fallocate,copy_file_range,sendfile,splice,\
    fsync,fdatasync,sync,syncfs,sync_file_range,msync,io_uring_setup,\
    rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,mknod,mknodat";

/// A file, whatever its names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(usize);

/// One thing that happened to the files.
#[derive(Clone, Debug)]
pub enum Change {
    /// A folder by this name.
    Folder(PathBuf),
    /// A new, empty file by this name.
    Create(PathBuf, FileId),
    /// A file gets another name, in place of what was there by that name.
    Rename(PathBuf, PathBuf, FileId),
    /// A name goes, of a file or of an empty folder.
    Remove(PathBuf),
    /// Bytes at a place of a file.
    Write(FileId, u64, Vec<u8>),
    /// A file is cut off, or filled up with zeros.
    Length(FileId, u64),
    /// What was written to this file before that many changes had happened is on the disk now.
    Sync(FileId, usize),
    /// The names in this folder are on the disk as they were after that many changes.
    SyncFolder(PathBuf, usize),
    /// The program wrote to its standard output: from now on somebody relies on what it said.
    Said,
}

/// What a number of an open file means.
#[derive(Clone)]
enum Open {
    File {
        file: FileId,
        position: u64,
        appends: bool,
    },
    Folder(PathBuf),
}

/// The open files of one process.
type OpenFiles = HashMap<String, Open>;

/// The changes that some runs of `sendense` made below a folder, which was empty before.
///
/// What SQLite shares between processes (`-shm`) is left out: it is made anew by whoever opens the database
/// after a crash.
pub struct Recording {
    root: PathBuf,
    changes: Vec<Change>,
    /// What lies below the folder; `None` for folders.
    names: BTreeMap<PathBuf, Option<FileId>>,
    /// By [`FileId`].
    lengths: Vec<u64>,
}

impl Recording {
    /// Begins to record what happens below this folder, which is made.
    ///
    /// # Panics
    /// When it is there already.
    #[track_caller]
    pub fn below(root: &Path) -> Self {
        fs::create_dir(root).expect("the folder is new");
        Self {
            root: root.to_path_buf(),
            changes: Vec::new(),
            names: BTreeMap::from([(root.to_path_buf(), None)]),
            lengths: Vec::new(),
        }
    }

    /// Whether the system lets strace watch.
    pub fn is_possible() -> bool {
        tool("strace").args(["-qq", "true"]).outcome().code == Some(0)
    }

    /// Runs `sendense` beside the folder, to its end, and adds what it does.
    ///
    /// # Panics
    /// When it does something to the files that is not understood here.
    #[track_caller]
    pub fn run(&mut self, args: &[&str]) -> Outcome {
        let log = self.root.with_extension("strace");
        let outcome = tool("strace")
            .args(["-f", "-qq", "-xx", "--seccomp-bpf", "-s", "33554432"])
            .args(["-e", "signal=none", "-e", &format!("trace={CALLS}"), "-o"])
            .arg(&log)
            .arg(sendense().program())
            .args(args)
            .current_dir(self.root.parent().expect("a folder lies in another"))
            .outcome();
        let calls = strace::calls(&fs::read_to_string(&log).expect("strace leaves a log"));
        fs::remove_file(&log).expect("the log is ours");
        let mut open = OpenFiles::new();
        // The number of changes after each call: a sync covers those that came before it began.
        let mut counts = vec![self.changes.len()];
        for call in &calls {
            if call.result >= 0 {
                self.follow(call, &mut open, counts[call.began]);
            }
            counts.push(self.changes.len());
        }
        outcome
    }

    /// The folder that is watched.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All that happened.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Holds the record against the folder: what nobody recorded shows here.
    ///
    /// # Panics
    /// When they differ.
    #[track_caller]
    pub fn verify(&self) {
        let state = self.state(self.changes.len(), Fate::Kept);
        let mut found = Vec::new();
        read_folder(&self.root, &mut found);
        let (paths, contents): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let recorded: Vec<_> = state.paths().cloned().collect();
        assert_eq!(recorded, paths, "the record is incomplete");
        for (path, content) in paths.iter().zip(contents) {
            assert!(
                state.content(self, path) == content,
                "the record of {} is incomplete",
                path.display()
            );
        }
    }

    /// Puts what a crash left where it was recorded, and begins anew with that, all of it on the disk.
    ///
    /// # Panics
    /// When it cannot be written.
    #[track_caller]
    pub fn begin_again(&mut self, state: &CrashState) {
        state.restore(self);
        let mut changes: Vec<_> = state.folders().cloned().map(Change::Folder).collect();
        let mut names: BTreeMap<_, _> = state.folders().map(|path| (path.clone(), None)).collect();
        let mut lengths = Vec::new();
        for path in state.paths() {
            let file = FileId(lengths.len());
            let content = state.content(self, path);
            lengths.push(content.len() as u64);
            names.insert(path.clone(), Some(file));
            changes.push(Change::Create(path.clone(), file));
            changes.push(Change::Write(file, 0, content));
            changes.push(Change::Sync(file, changes.len()));
        }
        names.insert(self.root.clone(), None);
        for folder in names.iter().filter(|(_, file)| file.is_none()) {
            changes.push(Change::SyncFolder(folder.0.clone(), changes.len()));
        }
        self.changes = changes;
        self.names = names;
        self.lengths = lengths;
    }

    /// What a change does, in words.
    pub fn describe(&self, change: &Change) -> String {
        let shown = |path: &Path| {
            let path = path.strip_prefix(&self.root).unwrap_or(path);
            path.display().to_string()
        };
        let named = |file: &FileId| {
            let mut names = self.changes.iter().rev().filter_map(|change| match change {
                Change::Create(path, id) | Change::Rename(_, path, id) if id == file => {
                    Some(shown(path))
                }
                _ => None,
            });
            names.next().unwrap_or_default()
        };
        match change {
            Change::Folder(path) => format!("make {}", shown(path)),
            Change::Create(path, _) => format!("create {}", shown(path)),
            Change::Rename(from, to, _) => format!("rename {} to {}", shown(from), shown(to)),
            Change::Remove(path) => format!("remove {}", shown(path)),
            Change::Write(file, offset, bytes) => {
                format!("write {} bytes at {offset} of {}", bytes.len(), named(file))
            }
            Change::Length(file, length) => format!("set {} to {length} bytes", named(file)),
            Change::Sync(file, _) => format!("sync {}", named(file)),
            Change::SyncFolder(path, _) => format!("sync the folder {}", shown(path)),
            Change::Said => "say something".to_owned(),
        }
    }

    fn follow(&mut self, call: &Call, open: &mut OpenFiles, began: usize) {
        let argument = |index: usize| call.arguments.get(index).map_or("", String::as_str);
        let size = |index: usize| argument(index).parse::<u64>().expect("a size");
        let file = match open.get(argument(0)) {
            Some(Open::File { file, .. }) => Some(*file),
            _ => None,
        };
        match (call.name.as_str(), file) {
            ("open", _) => self.open(call, argument(0), argument(1), open),
            ("openat", _) => self.open(call, argument(1), argument(2), open),
            ("close", _) => drop(open.remove(argument(0))),
            ("lseek", _) => {
                if let Some(Open::File { position, .. }) = open.get_mut(argument(0)) {
                    *position = u64::try_from(call.result).expect("a place");
                }
            }
            ("write" | "writev", None) if argument(0) == "1" => self.changes.push(Change::Said),
            ("write" | "writev", Some(_)) => self.write_on(call, open),
            ("pwrite64" | "pwritev" | "pwritev2", Some(file)) => self.write(call, file, size(3)),
            ("ftruncate", Some(file)) => self.set_length(file, size(1)),
            ("fallocate", Some(file)) => {
                self.allocate(file, argument(1), size(2), size(3));
            }
            ("fsync" | "fdatasync", Some(file)) => self.changes.push(Change::Sync(file, began)),
            ("fsync" | "fdatasync", None) => {
                if let Some(Open::Folder(path)) = open.get(argument(0)) {
                    self.changes.push(Change::SyncFolder(path.clone(), began));
                }
            }
            ("rename", _) => self.rename(argument(0), argument(1)),
            ("renameat" | "renameat2", _) => self.rename(argument(1), argument(3)),
            ("unlink" | "rmdir", _) => self.remove(argument(0)),
            ("unlinkat", _) if argument(0) == "AT_FDCWD" => self.remove(argument(1)),
            ("mkdir", _) => self.make_folder(argument(0)),
            ("mkdirat", _) => self.make_folder(argument(1)),
            // A second handle of the same file. The place where `write` goes on is one for both, and here it
            // is two: whoever shares a handle reads and writes at places, or shares it only to sync.
            ("fcntl", _) if argument(1).starts_with("F_DUPFD") => {
                if let Some(first) = open.get(argument(0)).cloned() {
                    open.insert(call.result.to_string(), first);
                }
            }
            // Nothing that changes a file, or less than a sync.
            ("fcntl", _) => {}
            ("mmap", _) if !argument(3).contains("MAP_SHARED") => {}
            ("sync_file_range", _) => {}
            _ => {
                let is_ours = |argument: &String| {
                    open.contains_key(argument) || self.path(argument).is_some()
                };
                assert!(
                    !call.arguments.iter().any(is_ours),
                    "nobody knows what this does to the files: {call:.500?}"
                );
            }
        }
    }

    /// A path below the folder; `None` for others, and for what is not recorded.
    fn path(&self, argument: &str) -> Option<PathBuf> {
        if !argument.starts_with('"') {
            return None;
        }
        let text = String::from_utf8(strace::bytes(argument)).ok()?;
        // Joining an absolute path gives that path.
        let path = self.root.parent()?.join(text);
        (path.starts_with(&self.root) && !is_shared_memory(&path)).then_some(path)
    }

    fn open(&mut self, call: &Call, path: &str, flags: &str, open: &mut OpenFiles) {
        let Some(path) = self.path(path) else { return };
        let file = match self.names.get(&path) {
            Some(None) => {
                open.insert(call.result.to_string(), Open::Folder(path));
                return;
            }
            Some(Some(file)) => *file,
            None => {
                assert!(flags.contains("O_CREAT"), "who made it? {call:?}");
                let file = FileId(self.lengths.len());
                self.lengths.push(0);
                self.names.insert(path.clone(), Some(file));
                self.changes.push(Change::Create(path, file));
                file
            }
        };
        if flags.contains("O_TRUNC") && self.lengths[file.0] > 0 {
            self.set_length(file, 0);
        }
        let opened = Open::File {
            file,
            position: 0,
            appends: flags.contains("O_APPEND"),
        };
        open.insert(call.result.to_string(), opened);
    }

    /// A write where the last one ended.
    fn write_on(&mut self, call: &Call, open: &mut OpenFiles) {
        let Some(Open::File {
            file,
            position,
            appends,
        }) = open.get_mut(&call.arguments[0])
        else {
            return;
        };
        let at = match appends {
            true => self.lengths[file.0],
            false => *position,
        };
        *position = at + call.result.unsigned_abs();
        let file = *file;
        self.write(call, file, at);
    }

    fn write(&mut self, call: &Call, file: FileId, offset: u64) {
        let mut bytes = strace::bytes(&call.arguments[1]);
        bytes.truncate(usize::try_from(call.result).expect("a size"));
        let length = &mut self.lengths[file.0];
        *length = (*length).max(offset + bytes.len() as u64);
        self.changes.push(Change::Write(file, offset, bytes));
    }

    fn set_length(&mut self, file: FileId, length: u64) {
        self.lengths[file.0] = length;
        self.changes.push(Change::Length(file, length));
    }

    /// Room for a range, or zeros in it.
    fn allocate(&mut self, file: FileId, mode: &str, offset: u64, len: u64) {
        let mut end = offset + len;
        if mode.contains("KEEP_SIZE") {
            end = end.min(self.lengths[file.0]);
        }
        if mode.contains("ZERO_RANGE") || mode.contains("PUNCH_HOLE") {
            let zeros = usize::try_from(end.saturating_sub(offset)).expect("a size");
            self.lengths[file.0] = self.lengths[file.0].max(end);
            let change = Change::Write(file, offset, vec![0; zeros]);
            self.changes.push(change);
        } else if self.lengths[file.0] < end {
            self.set_length(file, end);
        }
    }

    fn make_folder(&mut self, path: &str) {
        let Some(path) = self.path(path) else { return };
        self.names.insert(path.clone(), None);
        self.changes.push(Change::Folder(path));
    }

    fn rename(&mut self, from: &str, to: &str) {
        let (from, to) = match (self.path(from), self.path(to)) {
            (Some(from), Some(to)) => (from, to),
            (None, None) => return,
            ends => panic!("a rename across the edge of what is watched: {ends:?}"),
        };
        let file = self.names.remove(&from).flatten();
        let file = file.unwrap_or_else(|| panic!("{} is no file", from.display()));
        self.names.insert(to.clone(), Some(file));
        self.changes.push(Change::Rename(from, to, file));
    }

    fn remove(&mut self, path: &str) {
        let Some(path) = self.path(path) else { return };
        self.names.remove(&path);
        self.changes.push(Change::Remove(path));
    }
}

fn is_shared_memory(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-shm")
}

/// All files below a folder, in order.
fn read_folder(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    let entries = fs::read_dir(folder).expect("a folder can be read");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("a folder can be read").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read_folder(&path, found);
        } else if !is_shared_memory(&path) {
            let content = fs::read(&path).expect("a file can be read");
            found.push((path, content));
        }
    }
    found.sort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_takes_what_was_not_synced() {
        let path = |name: &str| Path::new("/watched").join(name);
        let file = FileId(0);
        let recording = Recording {
            root: path(""),
            changes: vec![
                Change::Create(path("new"), file),
                Change::Write(file, 0, vec![1, 2]),
                Change::Sync(file, 2),
                Change::Write(file, 2, vec![3]),
                Change::Rename(path("new"), path("named"), file),
                Change::SyncFolder(path(""), 5),
                Change::Remove(path("named")),
            ],
            names: BTreeMap::new(),
            lengths: vec![3],
        };
        let left = |n_changes: usize, fate: Fate| {
            let state = recording.state(n_changes, fate);
            let files = state.paths().map(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                (name.into_owned(), state.content(&recording, path))
            });
            files.collect::<Vec<_>>()
        };
        let holds = |name: &str, content: &[u8]| vec![(name.to_owned(), content.to_vec())];
        assert_eq!(left(4, Fate::Dropped), []);
        assert_eq!(left(4, Fate::OnlyNames), holds("new", &[1, 2]));
        assert_eq!(left(4, Fate::Kept), holds("new", &[1, 2, 3]));
        assert_eq!(left(6, Fate::Dropped), holds("named", &[1, 2]));
        assert_eq!(left(7, Fate::Dropped), holds("named", &[1, 2]));
        assert_eq!(left(7, Fate::Kept), []);
        for seed in 0..50 {
            let torn = left(6, Fate::Torn(seed));
            assert!(torn[0].1.starts_with(&[1, 2]), "{torn:?}");
        }
    }
}
