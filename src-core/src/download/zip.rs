//! Whether a zip archive holds everything it should (contract 6.4).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read};

use sendense_types::{AppError, ErrorKind, FileEntry, FileKind, Retry};
use sendense_words as words;
use zip::ZipArchive;

use crate::Result;

/// The note in which our hub names what it could not put into an archive.
const NOTE: &str = "_NOT RESTORED";
/// More of a note than anybody reads.
const SHOWN_NOTE_BYTES: usize = 64 * 1024;
/// More of a note than a hub writes.
const NOTE_BYTES: u64 = 64 << 20;

/// Files that have to be in an archive, by their path within the folder, with their size.
pub(super) type Expected = BTreeMap<String, u64>;

/// What is in an archive.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) n_files: usize,
    pub(super) note: Option<String>,
}

/// The files of a listing that an archive of `folder` has to hold. Links and what cannot be read are
/// left out: hubs differ in what they make of those.
pub(super) fn expected_files(folder: &str, files: &[FileEntry]) -> Expected {
    let folder = folder.trim_end_matches('/');
    files
        .iter()
        .filter(|file| file.kind == FileKind::File && !file.is_symlink && file.unreadable.is_none())
        .filter_map(|file| {
            let inside = file.path.strip_prefix(folder)?.strip_prefix('/')?;
            Some((inside.to_owned(), file.size?))
        })
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
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| damaged(&error))?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
        // It comes last: a file of the user's that is called so comes before it.
        if name.starts_with(NOTE) && !name.contains('/') {
            let mut text = Vec::new();
            entry
                .by_ref()
                .take(NOTE_BYTES)
                .read_to_end(&mut text)
                .map_err(|error| damaged(&error))?;
            note = Some(String::from_utf8_lossy(&text).into_owned());
        }
        io::copy(&mut entry, &mut io::sink()).map_err(|error| damaged(&error))?;
        found.insert(name, entry.size());
    }
    if let Some(expected) = expected {
        compare(expected, &found, note.as_deref().unwrap_or_default())?;
    }
    Ok(Contents {
        n_files: found.len() - usize::from(note.is_some()),
        note: note.map(shown),
    })
}

fn shown(mut note: String) -> String {
    if note.len() > SHOWN_NOTE_BYTES {
        note.truncate(note.floor_char_boundary(SHOWN_NOTE_BYTES));
        note.push('…');
    }
    note
}

/// Names in archives are relative to the folder that was asked for (contract 6.4).
fn compare(expected: &Expected, found: &BTreeMap<String, u64>, note: &str) -> Result<()> {
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
        let expected = expected_files("/x/top", &listed);
        assert_eq!(expected.len(), 2);
        let files = [("a.txt", &b"1"[..]), ("b/c.txt", b"22")];
        let contents = read_through(&archive(&files), Some(&expected)).unwrap();
        assert_eq!(contents.n_files, 2);
        assert_eq!(contents.note, None);
    }

    #[test]
    fn a_missing_file_and_a_short_one_are_found() {
        let expected = expected_files("/", &[entry("/a.txt", 1), entry("/b.txt", 2)]);
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
        assert!(expected_files("/", &[link, unreadable]).is_empty());
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
}
