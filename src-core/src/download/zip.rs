//! Reading a zip archive, and taking entries out of one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use zip::{ZipArchive, ZipWriter};

use super::contents::{Contents, Expected, Reading, damaged};
use crate::Result;

/// Longer than the target of any link.
const LONGEST_TARGET: u64 = 64 * 1024;

/// Reads an archive to its last byte, so that every checksum is verified, and looks for what is missing.
pub(super) fn read_through(file: &File, expected: Option<&Expected>) -> Result<Contents> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(&error))?;
    let mut reading = Reading::new(expected);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| damaged(&error))?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
        let size = entry.size();
        let read = if entry.is_symlink() {
            let mut target = Vec::new();
            let read = entry.by_ref().take(LONGEST_TARGET).read_to_end(&mut target);
            reading.link(index, name, size, &target);
            read.and_then(|_| io::copy(&mut entry, &mut io::sink()).map(drop))
        } else {
            reading.file(index, name, size, &mut entry)
        };
        read.map_err(|error| damaged(&error))?;
    }
    reading.end()
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

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use sendense_types::{ErrorKind, FileEntry, FileKind};
    use zip::{ZipWriter, write::SimpleFileOptions};

    use crate::download::contents::expected;

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
