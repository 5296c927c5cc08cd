//! Trees with a history: created, deleted, renamed, grown, truncated, full of holes and links, by a seeded generator
//! that works on any folder.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{FileExt, symlink},
    },
    path::{Path, PathBuf},
};

use sendense_tests::Random;

/// What the filesystem under the folder takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Names of any bytes, links, special files.
    Unix,
    /// Names as Windows has them.
    Windows,
}

/// A folder that is being used.
pub(crate) struct Aged {
    root: PathBuf,
    random: Random,
    style: Style,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    n_named: u32,
    most_bytes: usize,
}

impl Aged {
    pub(crate) fn new(root: &Path, seed: u64, style: Style) -> Self {
        Self {
            root: root.to_owned(),
            random: Random::new(seed),
            style,
            folders: vec![root.to_owned()],
            files: Vec::new(),
            n_named: 0,
            most_bytes: 300_000,
        }
    }

    /// Writes no more than that at once, for disks that have to stay small.
    pub(crate) fn at_most(mut self, n_bytes: usize) -> Self {
        self.most_bytes = n_bytes;
        self
    }

    /// Does things to the tree. What does not fit on the filesystem any more is not done.
    pub(crate) fn live(&mut self, n_steps: u32) {
        for _ in 0..n_steps {
            // A full disk and a name that is too long are part of life.
            drop(self.step());
        }
    }

    fn step(&mut self) -> std::io::Result<()> {
        match self.random.below(20) {
            0 => {
                let path = self.new_path();
                fs::create_dir(&path)?;
                self.folders.push(path);
            }
            1..=8 => {
                let path = self.new_path();
                let len = self.len();
                self.files.push(path.clone());
                let content = self.bytes(len);
                fs::write(&path, content)?;
            }
            9 | 10 => {
                let path = self.file()?;
                let len = self.len();
                let content = self.bytes(len);
                let file = OpenOptions::new().write(true).open(path)?;
                let end = file.metadata()?.len();
                // Appended, or behind a hole.
                let at = end + self.random.below(3) * self.most_bytes as u64 / 4;
                file.write_all_at(&content, at)?;
            }
            11 => {
                let path = self.file()?;
                let file = OpenOptions::new().write(true).open(path)?;
                let len = file.metadata()?.len();
                file.set_len(self.random.below(len + self.most_bytes as u64 / 4))?;
            }
            12..=14 => {
                let index = self.file_index()?;
                let path = self.files.swap_remove(index);
                fs::remove_file(path)?;
            }
            15 => {
                let from = self.file_index()?;
                let to = self.new_path();
                fs::rename(&self.files[from], &to)?;
                self.files[from] = to;
            }
            16 => {
                let path = self.file()?;
                let to = self.new_path();
                fs::hard_link(path, &to)?;
                self.files.push(to);
            }
            17 if self.style == Style::Unix => {
                let path = self.new_path();
                let len = [5, 59, 60, 61, 300][self.pick(5)];
                symlink("t/".repeat(len / 2), &path)?;
            }
            _ => {
                // Islands in a hole.
                let path = self.new_path();
                let file = File::create(&path)?;
                self.files.push(path);
                for _ in 0..4 {
                    let at = self.random.below(10 * self.most_bytes as u64);
                    let content = self.bytes(self.most_bytes.min(3000));
                    file.write_all_at(&content, at)?;
                }
            }
        }
        Ok(())
    }

    /// Fills one folder with that many names, and takes every third away again.
    pub(crate) fn crowd(&mut self, name: &str, n_names: u32) {
        let folder = self.root.join(name);
        fs::create_dir(&folder).unwrap();
        let path = |number: u32| {
            // Short names that begin alike would take mtools hours to number.
            let name =
                format!("{number:06} is a name that is long enough for many blocks of names");
            folder.join(name)
        };
        let mut n_made = 0;
        for number in 0..n_names {
            match fs::write(path(number), number.to_string()) {
                Ok(()) => n_made += 1,
                // The index of a folder in blocks of 1 KiB is full at less than 100,000.
                Err(error) if error.kind() == ErrorKind::StorageFull && n_made > 50_000 => break,
                Err(error) => panic!("{error}"),
            }
        }
        for number in (0..n_made).step_by(3) {
            fs::remove_file(path(number)).unwrap();
        }
    }

    fn pick(&mut self, n: usize) -> usize {
        usize::try_from(self.random.below(n as u64)).unwrap()
    }

    fn file_index(&mut self) -> std::io::Result<usize> {
        match self.files.len() {
            0 => Err(std::io::Error::other("there is no file yet")),
            n => Ok(self.pick(n)),
        }
    }

    fn file(&mut self) -> std::io::Result<PathBuf> {
        let index = self.file_index()?;
        Ok(self.files[index].clone())
    }

    fn len(&mut self) -> usize {
        let most = [1, 60, 160, 700, 5000, 70_000, 300_000][self.pick(7)];
        self.pick(most.min(self.most_bytes))
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        // Compressible here, random there.
        let is_text = self.random.below(2) == 0;
        while bytes.len() < len {
            let number = self.random.below(u64::MAX);
            if is_text {
                bytes.extend_from_slice(format!("line {} of text\n", number % 97).as_bytes());
            } else {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        bytes.truncate(len);
        bytes
    }

    fn new_path(&mut self) -> PathBuf {
        let folder = self.pick(self.folders.len());
        self.n_named += 1;
        let number = self.n_named;
        let mut name = match self.pick(6) {
            0 => OsString::from(format!("{number}")),
            1 => OsString::from(format!("Grüße 漢字 😀 {number}.txt")),
            2 => OsString::from(format!("{} {number}", "long name ".repeat(self.pick(20)))),
            3 => OsString::from(format!("file.{number}.with.dots")),
            4 => OsString::from(format!("UPPER {number} lower.TXT")),
            _ => OsString::from(format!("é{number}")),
        };
        if self.style == Style::Unix && self.random.below(8) == 0 {
            let mut bytes = name.into_vec();
            bytes.extend_from_slice(b"\xFF\xFE: *?\\|\n");
            name = OsString::from_vec(bytes);
        }
        let len = name.len().min(240);
        // Not in the middle of a character.
        let name = match std::str::from_utf8(&name.as_bytes()[..len]) {
            Ok(text) => OsString::from(text),
            Err(error) if self.style == Style::Windows => {
                OsStr::from_bytes(&name.as_bytes()[..error.valid_up_to()]).to_owned()
            }
            Err(_) => OsStr::from_bytes(&name.as_bytes()[..len]).to_owned(),
        };
        self.folders[folder].join(name)
    }
}
