//! What has to be in an archive, and what is (contract 6.4).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use sendense_types::{AppError, ErrorKind, FileEntry, FileKind, Retry};
use sendense_words as words;

use crate::Result;

/// The note in which our hub names what it could not put into an archive.
const NOTE: &str = "_NOT RESTORED";
/// The folder into which it puts alternate data streams.
const STREAMS: &str = "_STREAMS";
/// More of a note than anybody reads.
const SHOWN_NOTE_BYTES: usize = 64 * 1024;
/// More of a note than a hub writes.
const NOTE_BYTES: u64 = 64 << 20;

/// Whether an entry has content to ask for; a pipe looks like that on deployed hubs (contract 3.8).
pub(super) fn is_content(entry: &FileEntry) -> bool {
    entry.kind == FileKind::File && !entry.is_symlink && entry.unreadable.is_none()
}

/// What a listing says of an archive, by the path within the folder.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// Files that have to be in it, with their size.
    pub(super) files: BTreeMap<String, u64>,
    /// What else is listed and may be in it: what cannot be read, or has no size.
    others: BTreeSet<String>,
    /// Links, with what they point to where the hub says.
    links: BTreeMap<String, Option<String>>,
    folders: BTreeSet<String>,
}

impl Expected {
    /// Whether this is the text of the link of that name. Deployed hubs list no targets, and put what a link leads to on
    /// their own disk in its place (contract 6.4, H16): nothing that one of those sends is believed.
    fn is_link(&self, name: &str, text: &[u8]) -> bool {
        match self.links.get(name) {
            Some(Some(target)) => {
                // Targets that are not Unicode are spelled differently in listings and archives.
                text == target.as_bytes() || target.chars().any(is_spelling_of_bytes)
            }
            Some(None) => false,
            // A name that is not Unicode is spelled differently as well.
            None => self.links.values().any(Option::is_some),
        }
    }

    /// Whether the listing has a link of that name, and not what it points to: whatever a deployed hub sends for that,
    /// as a link or as a file, is of its own disk (contract H16).
    fn is_followed_link(&self, name: &str) -> bool {
        matches!(self.links.get(name), Some(None))
    }

    /// Whether the listing has nothing to hold an entry against. Deployed hubs skip what they cannot read when they
    /// list, and not when they archive (contract 3.8, 6.4).
    fn lacks(&self, name: &str) -> bool {
        let is_listed = self.files.contains_key(name)
            || self.others.contains(name)
            || self.links.contains_key(name);
        // Names that are not Unicode are spelled differently in listings and archives.
        !is_listed && !self.is_stream(name) && !name.chars().any(is_spelling_of_bytes)
    }

    /// Whether a name is `_STREAMS/OWNER/STREAM`, with an owner that is listed: not in each dialect our hub lists the
    /// streams themselves.
    fn is_stream(&self, name: &str) -> bool {
        let owner = || {
            let (folder, below) = name.split_once('/')?;
            let (owner, _) = below.rsplit_once('/')?;
            folder.starts_with(STREAMS).then_some(owner)
        };
        owner().is_some_and(|owner| {
            self.files.contains_key(owner)
                || self.others.contains(owner)
                || self.folders.contains(owner)
        })
    }
}

/// What is in an archive.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) n_files: usize,
    pub(super) note: Option<String>,
    /// Links with something else for their text, by their number in the archive, with their path.
    pub(super) foreign: BTreeMap<usize, String>,
    /// Files with which no listing could be compared; none where there was no listing at all.
    pub(super) unlisted: Vec<String>,
}

/// What an archive of `folder` has to hold by this listing. What cannot be read is left out: hubs differ in what they
/// make of that.
pub(super) fn expected(folder: &str, files: &[FileEntry]) -> Expected {
    let folder = folder.trim_end_matches('/');
    let inside = |file: &FileEntry| {
        let inside = file.path.strip_prefix(folder)?.strip_prefix('/')?;
        Some(inside.to_owned())
    };
    let links = files.iter().filter(|file| file.is_symlink);
    let (folders, content): (Vec<_>, Vec<_>) = files
        .iter()
        .partition(|file| file.kind == FileKind::Directory);
    Expected {
        files: expected_files(files, &inside),
        others: content
            .into_iter()
            .filter(|file| file.unreadable.is_some() || file.size.is_none())
            .filter_map(inside)
            .collect(),
        folders: folders.into_iter().filter_map(inside).collect(),
        links: links
            .filter_map(|link| Some((inside(link)?, link.symlink_target.clone())))
            .collect(),
    }
}

fn expected_files(
    files: &[FileEntry],
    inside: &impl Fn(&FileEntry) -> Option<String>,
) -> BTreeMap<String, u64> {
    files
        .iter()
        .filter(|file| is_content(file))
        .filter_map(|file| Some((inside(file)?, file.size?)))
        // Names that are not Unicode are spelled differently in listings and archives.
        .filter(|(inside, _)| !inside.chars().any(is_spelling_of_bytes))
        .collect()
}

fn is_spelling_of_bytes(c: char) -> bool {
    matches!(c, '\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
}

/// An archive that is being read through, entry by entry.
pub(super) struct Reading<'e> {
    expected: Option<&'e Expected>,
    found: BTreeMap<String, u64>,
    note: Option<String>,
    foreign: BTreeMap<usize, String>,
}

impl<'e> Reading<'e> {
    /// Without a listing nothing is compared.
    pub(super) fn new(expected: Option<&'e Expected>) -> Self {
        Self {
            expected,
            found: BTreeMap::new(),
            note: None,
            foreign: BTreeMap::new(),
        }
    }

    /// A file, which is read to its end.
    pub(super) fn file(
        &mut self,
        index: usize,
        name: String,
        size: u64,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        // It comes last: a file of the user's that is called so comes before it.
        if is_note(&name) {
            let mut text = Vec::new();
            content.take(NOTE_BYTES).read_to_end(&mut text)?;
            self.note = Some(String::from_utf8_lossy(&text).into_owned());
        }
        io::copy(content, &mut io::sink())?;
        if self
            .expected
            .is_some_and(|expected| expected.is_followed_link(&name))
        {
            self.foreign.insert(index, name.clone());
        }
        self.found.insert(name, size);
        Ok(())
    }

    /// A link, with what it points to.
    pub(super) fn link(&mut self, index: usize, name: String, size: u64, target: &[u8]) {
        if !self
            .expected
            .is_some_and(|expected| expected.is_link(&name, target))
        {
            self.foreign.insert(index, name.clone());
        }
        self.found.insert(name, size);
    }

    /// All has been read: looks for what is missing.
    ///
    /// # Errors
    /// `Cut` when files of the listing are missing or have other sizes, and no note says why.
    pub(super) fn end(self) -> Result<Contents> {
        let Self {
            expected,
            found,
            note,
            foreign,
        } = self;
        let mut unlisted = Vec::new();
        if let Some(expected) = expected {
            compare(&expected.files, &found, note.as_deref().unwrap_or_default())?;
            let left_out: BTreeSet<&String> = foreign.values().collect();
            let is_note = |name: &String| note.is_some() && is_note(name);
            let names = found.keys().filter(|name| expected.lacks(name));
            let kept = names.filter(|name| !left_out.contains(name) && !is_note(name));
            unlisted.extend(kept.cloned());
        }
        Ok(Contents {
            n_files: found.len() - usize::from(note.is_some()) - foreign.len(),
            note: note.map(shown),
            foreign,
            unlisted,
        })
    }
}

fn is_note(name: &str) -> bool {
    name.starts_with(NOTE) && !name.contains('/')
}

fn shown(mut note: String) -> String {
    if note.len() > SHOWN_NOTE_BYTES {
        note.truncate(note.floor_char_boundary(SHOWN_NOTE_BYTES));
        note.push('…');
    }
    note
}

/// Names in archives are relative to the folder that was asked for (contract 6.4).
fn compare(
    expected: &BTreeMap<String, u64>,
    found: &BTreeMap<String, u64>,
    note: &str,
) -> Result<()> {
    let excused = Excused::of(note);
    let missing: Vec<&String> = expected
        .iter()
        .filter(|(inside, size)| found.get(*inside) != Some(*size))
        .map(|(inside, _)| inside)
        .filter(|inside| !excused.has(inside))
        .collect();
    let Some(first) = missing
        .first()
        .filter(|_| missing.len() > excused.n_dropped)
    else {
        return Ok(());
    };
    Err(AppError::new(
        ErrorKind::Cut,
        words::failures::archive_incomplete(missing.len() as u64, expected.len(), first),
        Retry::Manual,
    )
    .with_hint(words::failures::archive_not_kept()))
}

/// What a note names: lines of `/path: reason`, and how many there was no room for.
struct Excused<'n> {
    lines: BTreeSet<&'n str>,
    n_dropped: usize,
}

impl<'n> Excused<'n> {
    fn of(note: &'n str) -> Self {
        let n_dropped = note.lines().filter_map(|line| {
            let number = line.strip_prefix("and ")?.strip_suffix(" more.")?;
            number.parse::<usize>().ok()
        });
        Self {
            n_dropped: n_dropped.fold(0, usize::saturating_add),
            lines: note
                .lines()
                .filter_map(|line| line.strip_prefix('/'))
                .collect(),
        }
    }

    /// A path may hold a colon, too: the line that begins with all of it is the next in order.
    fn has(&self, inside: &str) -> bool {
        let start = format!("{inside}: ");
        let mut next = self.lines.range(start.as_str()..);
        next.next().is_some_and(|line| line.starts_with(&start))
    }
}

/// An archive that cannot be read.
pub(super) fn damaged(error: &dyn std::error::Error) -> AppError {
    AppError::new(
        ErrorKind::Cut,
        words::failures::archive_damaged(),
        Retry::Manual,
    )
    .with_hint(words::failures::archive_not_kept())
    .with_details(error.to_string())
}
