//! Whether a zip archive holds everything it should (contract 6.4).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use sendense_types::{AppError, ErrorKind, FileEntry, FileKind, Retry};
use sendense_words as words;
use zip::{ZipArchive, ZipWriter};

use super::one_by_one::is_content;
use crate::Result;

/// The note in which our hub names what it could not put into an archive.
const NOTE: &str = "_NOT RESTORED";
/// The folder into which it puts alternate data streams.
const STREAMS: &str = "_STREAMS";
/// More of a note than anybody reads.
const SHOWN_NOTE_BYTES: usize = 64 * 1024;
/// Longer than the target of any link.
const LONGEST_TARGET: u64 = 64 * 1024;
/// More of a note than a hub writes.
const NOTE_BYTES: u64 = 64 << 20;

/// What a listing says of an archive, by the path within the folder.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// Files that have to be in it, with their size.
    files: BTreeMap<String, u64>,
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

/// Reads an archive to its last byte, so that every checksum is verified, and looks for what is missing.
pub(super) fn read_through(file: &File, expected: Option<&Expected>) -> Result<Contents> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(&error))?;
    let mut found = BTreeMap::new();
    let mut note = None;
    let mut foreign = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| damaged(&error))?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
        // It comes last: a file of the user's that is called so comes before it.
        if is_note(&name) {
            let mut text = Vec::new();
            entry
                .by_ref()
                .take(NOTE_BYTES)
                .read_to_end(&mut text)
                .map_err(|error| damaged(&error))?;
            note = Some(String::from_utf8_lossy(&text).into_owned());
        }
        if entry.is_symlink() {
            let mut text = Vec::new();
            entry
                .by_ref()
                .take(LONGEST_TARGET)
                .read_to_end(&mut text)
                .map_err(|error| damaged(&error))?;
            if !expected.is_some_and(|expected| expected.is_link(&name, &text)) {
                foreign.insert(index, name.clone());
            }
        } else if expected.is_some_and(|expected| expected.is_followed_link(&name)) {
            foreign.insert(index, name.clone());
        }
        io::copy(&mut entry, &mut io::sink()).map_err(|error| damaged(&error))?;
        found.insert(name, entry.size());
    }
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

/// An archive without some of its entries, as a file without a name in this folder. The others stay as they are, byte
/// for byte.
pub(super) fn without(
    archive: &File,
    left_out: &BTreeMap<usize, String>,
    folder: &Path,
) -> io::Result<File> {
    let mut old = ZipArchive::new(BufReader::new(archive))?;
    let mut new = ZipWriter::new(tempfile::tempfile_in(folder)?);
    for index in (0..old.len()).filter(|index| !left_out.contains_key(index)) {
        new.raw_copy_file(old.by_index_raw(index)?)?;
    }
    Ok(new.finish()?)
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

fn damaged(error: &dyn std::error::Error) -> AppError {
    AppError::new(
        ErrorKind::Cut,
        words::failures::archive_damaged(),
        Retry::Manual,
    )
    .with_hint(words::failures::archive_not_kept())
    .with_details(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> File {
        let mut writer = ZipWriter::new(tempfile::tempfile().unwrap());
        for (name, content) in files {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(content).unwrap();
        }
        let mut file = writer.finish().unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file
    }

    fn entry(path: &str, size: u64) -> FileEntry {
        FileEntry {
            name: String::new(),
            path: path.to_owned(),
            kind: FileKind::File,
            size: Some(size),
            mode: None,
            modified_time: None,
            is_symlink: false,
            symlink_target: None,
            unreadable: None,
            streams: Vec::new(),
        }
    }

    #[test]
    fn an_archive_with_all_files_of_the_folder_is_complete() {
        let listed = [entry("/x/top/a.txt", 1), entry("/x/top/b/c.txt", 2)];
        let expected = expected("/x/top", &listed);
        assert_eq!(expected.files.len(), 2);
        let files = [("a.txt", &b"1"[..]), ("b/c.txt", b"22")];
        let contents = read_through(&archive(&files), Some(&expected)).unwrap();
        assert_eq!(contents.n_files, 2);
        assert_eq!(contents.note, None);
    }

    /// Contract H15, section 12.11.
    #[test]
    fn a_missing_file_and_a_short_one_are_found() {
        let expected = expected("/", &[entry("/a.txt", 1), entry("/b.txt", 2)]);
        for files in [
            &[("a.txt", &b"1"[..])][..],
            &[("a.txt", b"1"), ("b.txt", b"2")],
        ] {
            let error = read_through(&archive(files), Some(&expected)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Cut);
            assert!(error.message.contains("b.txt"), "{}", error.message);
        }
    }

    #[test]
    fn links_and_what_cannot_be_read_are_not_expected() {
        let mut link = entry("/l", 5);
        link.is_symlink = true;
        let mut unreadable = entry("/u", 5);
        unreadable.unreadable = Some("encrypted".to_owned());
        assert!(expected("/", &[link, unreadable]).files.is_empty());
    }

    /// Contract H15.
    #[test]
    fn what_no_listing_names_is_not_said_to_be_compared() {
        let mut unreadable = entry("/top/sealed", 9);
        unreadable.unreadable = Some("encrypted".to_owned());
        let mut folder = entry("/top/b", 0);
        folder.kind = FileKind::Directory;
        let expected = expected("/top", &[entry("/top/a.txt", 1), folder, unreadable]);
        let files = [
            ("a.txt", &b"1"[..]),
            ("sealed", b""),
            ("b/unlisted.txt", b"22"),
            ("_STREAMS/a.txt/s", b"1"),
            ("_STREAMS (2)/b/s", b"1"),
            ("_STREAMS/x/s", b"1"),
            ("spelled\u{fffd}", b"1"),
            ("_NOT RESTORED.txt", b"/fifo: named pipe"),
        ];
        let contents = read_through(&archive(&files), Some(&expected)).unwrap();
        assert_eq!(contents.unlisted, ["_STREAMS/x/s", "b/unlisted.txt"]);
    }

    /// Contract H16.
    #[test]
    fn a_followed_link_that_came_as_a_file_is_foreign_too() {
        let mut link = entry("/l", 5);
        link.is_symlink = true;
        let expected = expected("/", &[entry("/a", 1), link]);
        let files = [("a", &b"1"[..]), ("l", b"root:x:0:0")];
        let contents = read_through(&archive(&files), Some(&expected)).unwrap();
        assert_eq!(contents.foreign.values().collect::<Vec<_>>(), ["l"]);
        assert_eq!(contents.n_files, 1);
        assert!(contents.unlisted.is_empty());
    }

    #[test]
    fn a_flipped_byte_and_a_cut_are_found() {
        let content = [7; 1000];
        let options =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let mut writer = ZipWriter::new(tempfile::tempfile().unwrap());
        writer.start_file("a", options).unwrap();
        writer.write_all(&content).unwrap();
        let mut file = writer.finish().unwrap();
        let length = file.metadata().unwrap().len();
        file.seek(SeekFrom::Start(length / 2)).unwrap();
        file.write_all(&[8]).unwrap();
        assert!(read_through(&file, None).is_err(), "the checksum differs");
        file.set_len(length - 10).unwrap();
        assert!(read_through(&file, None).is_err(), "the directory is gone");
    }

    #[test]
    fn the_hubs_note_is_kept_for_the_user() {
        let file = archive(&[("a", b"1"), ("_NOT RESTORED.txt", b"/fifo: named pipe")]);
        let contents = read_through(&file, None).unwrap();
        assert_eq!(contents.n_files, 1);
        assert_eq!(contents.note.as_deref(), Some("/fifo: named pipe"));
    }

    /// Contract H16, section 12.11.
    #[test]
    fn a_link_is_kept_only_where_the_listing_says_what_it_points_to() {
        let link = |path: &str, target: Option<&str>| FileEntry {
            is_symlink: true,
            symlink_target: target.map(str::to_owned),
            ..entry(path, 5)
        };
        let options = SimpleFileOptions::default();
        let mut writer = ZipWriter::new(tempfile::tempfile().unwrap());
        writer.start_file("a", options).unwrap();
        writer.write_all(b"1").unwrap();
        writer.add_symlink("l", "target", options).unwrap();
        writer.add_symlink("\u{e9}", "x", options).unwrap();
        let file = writer.finish().unwrap();

        let ours = expected("/", &[entry("/a", 1), link("/l", Some("target"))]);
        let contents = read_through(&file, Some(&ours)).unwrap();
        assert!(contents.foreign.is_empty(), "{contents:?}");
        assert_eq!(contents.n_files, 3);

        let deployed = expected("/", &[entry("/a", 1), link("/l", None)]);
        let lying = expected("/", &[entry("/a", 1), link("/l", Some("other"))]);
        for (listed, left) in [
            (Some(&deployed), vec!["a"]),
            (Some(&lying), vec!["a", "\u{e9}"]),
            (None, vec!["a"]),
        ] {
            let contents = read_through(&file, listed).unwrap();
            assert_eq!(contents.n_files, left.len());
            let folder = tempfile::tempdir().unwrap();
            let without = without(&file, &contents.foreign, folder.path()).unwrap();
            let archive = ZipArchive::new(&without).unwrap();
            let names = archive.file_names().map(|name| name.unwrap());
            assert_eq!(names.collect::<Vec<_>>(), left);
            assert!(read_through(&without, None).unwrap().foreign.len() < left.len());
        }
    }
}
