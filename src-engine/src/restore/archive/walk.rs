//! The walk that fills an archive, and the note about what could not be stored.

use std::{
    cell::Cell,
    fmt::Write as _,
    io::{self, Read as _, Write},
};

use jiff::Timestamp;
use sendense_disk::{Content, Entry, EntryKind, FileReader, FileSystem, FsKind, FsPath};

use super::{ArchiveFormat, ArchiveWriter, Attributes, EntryName};
use crate::restore::{
    Error, Result,
    entry::why_unreadable,
    listing::SeenFolders,
    path::{RequestPath, volume_folder},
    tree::{Folder, Readers},
};

/// The note comes last and is found by its name.
const NOTE_NAME: &str = "_NOT RESTORED.txt";

/// Alternate data streams have no place in an archive that any system can unpack: they are files in a
/// folder of their own, in the folder of what they belong to.
const STREAMS_NAME: &str = "_STREAMS";

/// Files up to this size are read before they are stored, so that a damaged one can be left out.
const SMALL_FILE_BYTES: u64 = 1 << 20;

/// What is read at once where a disk is damaged: the least that any filesystem stores on its own is 512
/// bytes, and most store 4 KiB.
const SALVAGE_BYTES: usize = 4 << 10;

/// Millions of sockets are no reason to keep millions of lines in memory.
const MAX_NOTE_LINES: usize = 10_000;

/// A folder that is about to be archived; its own entries are read, so it can be.
pub(crate) struct ArchiveSource(Source);

enum Source {
    Folder { volume: u32, top: Frame },
    Disk,
}

impl ArchiveSource {
    /// Reads the top of the tree, while a failure can still be answered in words.
    pub(crate) fn open(readers: &mut Readers, path: &RequestPath) -> Result<Self> {
        Ok(Self(match readers.find_folder(path)? {
            Folder::Disk => Source::Disk,
            Folder::OnVolume {
                volume,
                path: folder,
            } => {
                let filesystem = readers.filesystem(volume)?;
                let top = Frame::open(filesystem, "", Vec::new(), folder)
                    .map_err(|error| Error::at(path, error))?;
                Source::Folder { volume, top }
            }
        }))
    }
}

/// Writes a folder with everything below it, entries relative to that folder.
///
/// What is damaged costs itself and no more: it is left out, or where a large file is damaged in places,
/// these are zeros, and a note at the end lists all of it.
///
/// # Errors
/// Where `out` fails: the archive then has no end, because a part must not look complete.
pub(crate) fn write_archive(
    out: impl Write,
    format: ArchiveFormat,
    readers: &mut Readers,
    source: ArchiveSource,
    now: Timestamp,
) -> io::Result<()> {
    let is_broken = Cell::new(false);
    let mut archive = ArchiveWriter::new(
        format,
        Breakable {
            out,
            is_broken: &is_broken,
        },
    );
    let written = fill(&mut archive, readers, source.0, now);
    if written.is_err() {
        is_broken.set(true);
    }
    written.and_then(|()| archive.finish())
}

/// The writers of both formats write the end of an archive when they are dropped. After a failure
/// that end must not get out, or the part would pass for the whole.
struct Breakable<'b, W> {
    out: W,
    is_broken: &'b Cell<bool>,
}

impl<W: Write> Write for Breakable<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_broken.get() || std::thread::panicking() {
            return Ok(bytes.len());
        }
        self.out
            .write(bytes)
            .inspect_err(|_| self.is_broken.set(true))
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_broken.get() || std::thread::panicking() {
            return Ok(());
        }
        self.out.flush()
    }
}

fn fill(
    archive: &mut ArchiveWriter<impl Write>,
    readers: &mut Readers,
    source: Source,
    now: Timestamp,
) -> io::Result<()> {
    let mut note = Note::default();
    match source {
        Source::Folder { volume, top } => {
            let filesystem = readers.filesystem(volume).map_err(io::Error::other)?;
            note.reserve_names(&top.entries);
            walk(archive, filesystem, top, &mut note)?;
        }
        Source::Disk => {
            let volumes: Vec<_> = readers
                .volumes()
                .iter()
                .map(|volume| match &volume.content {
                    Content::Readable(_) => (volume.number, None),
                    Content::Unreadable(reason) => (volume.number, Some(reason.to_string())),
                })
                .collect();
            for (number, unreadable) in volumes {
                let name = volume_folder(number);
                if let Some(reason) = unreadable {
                    note.add(&name, &reason);
                    continue;
                }
                let attributes = Attributes {
                    mode: 0o755,
                    modified: Some(now),
                };
                archive.add_directory(
                    EntryName {
                        text: &name,
                        bytes: name.as_bytes(),
                    },
                    attributes,
                )?;
                let filesystem = match readers.filesystem(number) {
                    Ok(filesystem) => filesystem,
                    Err(error) => {
                        note.add(&name, &error.to_string());
                        continue;
                    }
                };
                let bytes = name.clone().into_bytes();
                match Frame::open(filesystem, &name, bytes, FsPath::root()) {
                    Ok(top) => walk(archive, filesystem, top, &mut note)?,
                    Err(error) => note.add(&name, &error.to_string()),
                }
            }
        }
    }
    note.write(archive, now)
}

/// A folder whose entries are being written.
struct Frame {
    /// Its name in the archive; empty for the folder that was asked for.
    text: String,
    bytes: Vec<u8>,
    /// Where it is on the volume.
    path: FsPath,
    /// What is left to write.
    entries: std::vec::IntoIter<Entry>,
    /// What of it could not be read, a sentence each.
    damage: Vec<String>,
}

impl Frame {
    fn open(
        filesystem: &mut FileSystem,
        text: &str,
        bytes: Vec<u8>,
        path: FsPath,
    ) -> sendense_disk::Result<Self> {
        let mut listing = filesystem.read_dir(&path)?;
        listing.entries.retain(|entry| !entry.is_internal);
        Ok(Self {
            text: text.to_owned(),
            bytes,
            path,
            entries: listing.entries.into_iter(),
            damage: listing.damage,
        })
    }

    /// The name of an entry of this folder, as text and as bytes.
    fn child_name(&self, entry: &Entry) -> (String, Vec<u8>) {
        let mut text = self.text.clone();
        let mut bytes = self.bytes.clone();
        if !text.is_empty() {
            text.push('/');
            bytes.push(b'/');
        }
        text.push_str(&entry.name.to_path_text());
        bytes.extend_from_slice(&entry.name.to_bytes());
        (text, bytes)
    }
}

/// Depth first, one folder's entries in memory for each level.
fn walk(
    archive: &mut ArchiveWriter<impl Write>,
    filesystem: &mut FileSystem,
    top: Frame,
    note: &mut Note,
) -> io::Result<()> {
    let mut seen = SeenFolders::default();
    note.add_all(&top.text, &top.damage);
    let mut frames = vec![top];
    while let Some(frame) = frames.last_mut() {
        let Some(entry) = frame.entries.next() else {
            frames.pop();
            continue;
        };
        let (text, bytes) = frame.child_name(&entry);
        let path = frame.path.join(&entry.name);
        let name = EntryName {
            text: &text,
            bytes: &bytes,
        };
        let attributes = attributes(filesystem.kind(), &entry);
        for stream in &entry.streams {
            let name = &stream.name.to_path_text();
            let title = format!("{text}:{name}");
            let text = format!("{}/{text}/{name}", note.streams_name);
            let name = EntryName {
                text: &text,
                bytes: text.as_bytes(),
            };
            let opened = filesystem.open_stream(&path, &stream.name);
            store_file(archive, filesystem, opened, name, attributes, &title, note)?;
        }
        if let Some(reason) = why_unreadable(&entry) {
            note.add(&text, &reason);
            continue;
        }
        match entry.kind {
            EntryKind::Directory => {
                archive.add_directory(name, attributes)?;
                if let Err(why) = seen.enter(frames.len(), entry.id) {
                    note.add(&text, &why.to_string());
                    continue;
                }
                match Frame::open(filesystem, &text, bytes, path) {
                    Ok(below) => {
                        note.add_all(&text, &below.damage);
                        frames.push(below);
                    }
                    Err(error) => note.add(&text, &error.to_string()),
                }
            }
            EntryKind::Symlink => match filesystem.read_link(&path) {
                Ok(target) => archive.add_link(name, &target.to_bytes(), attributes)?,
                Err(error) => note.add(&text, &format!("its target cannot be read: {error}")),
            },
            _ => {
                let opened = filesystem.open(&path);
                store_file(archive, filesystem, opened, name, attributes, &text, note)?;
            }
        }
    }
    Ok(())
}

/// Stores a file as far as it can be read. A small one that is damaged is left out, and so is one whose
/// beginning is; in a large one the places that cannot be read are zeros. `title` is what the note calls it.
fn store_file(
    archive: &mut ArchiveWriter<impl Write>,
    filesystem: &mut FileSystem,
    opened: sendense_disk::Result<FileReader>,
    name: EntryName<'_>,
    attributes: Attributes,
    title: &str,
    note: &mut Note,
) -> io::Result<()> {
    let mut file = match opened {
        Ok(file) => file,
        Err(error) => {
            note.add(title, &error.to_string());
            return Ok(());
        }
    };
    let size_bytes = file.size_bytes();
    let head_bytes = size_bytes.min(SMALL_FILE_BYTES);
    let mut head = vec![0; usize::try_from(head_bytes).unwrap_or(0)];
    let mut n_head_bytes = 0;
    while n_head_bytes < head.len() {
        match file.read(filesystem, n_head_bytes as u64, &mut head[n_head_bytes..]) {
            Ok(n_bytes) => n_head_bytes += n_bytes,
            Err(error) => {
                note.add(title, &error.to_string());
                return Ok(());
            }
        }
    }
    let mut offset: u64 = 0;
    let mut lost = Lost::default();
    archive.add_file(name, size_bytes, attributes, &mut |block| {
        let left = usize::try_from(size_bytes - offset).unwrap_or(usize::MAX);
        let n_wanted = block.len().min(left);
        let n_bytes = if offset < head_bytes {
            let at = usize::try_from(offset).unwrap_or(usize::MAX);
            head.get(at..)
                .unwrap_or_default()
                .read(&mut block[..n_wanted])?
        } else {
            salvage(
                filesystem,
                &mut file,
                offset,
                &mut block[..n_wanted],
                &mut lost,
            )
        };
        offset += n_bytes as u64;
        Ok(n_bytes)
    })?;
    if let Some((first, error)) = lost.first {
        note.add_in_part(
            title,
            &format!(
                "{} of its {size_bytes} bytes could not be read and are zeros, the first at byte {first}: {error}",
                lost.n_bytes
            ),
        );
    }
    Ok(())
}

/// What of a file could not be read.
#[derive(Default)]
struct Lost {
    n_bytes: u64,
    first: Option<(u64, sendense_disk::Error)>,
}

/// Reads a block; what of it cannot be read is zeros.
fn salvage(
    filesystem: &mut FileSystem,
    file: &mut FileReader,
    offset: u64,
    block: &mut [u8],
    lost: &mut Lost,
) -> usize {
    if let Ok(n_bytes) = file.read(filesystem, offset, block) {
        return n_bytes;
    }
    let mut n_done = 0;
    while n_done < block.len() {
        let at = offset + n_done as u64;
        // To the next multiple, so that good places are not lost with bad ones.
        let step = SALVAGE_BYTES - usize::try_from(at % SALVAGE_BYTES as u64).unwrap_or(0);
        let end = block.len().min(n_done + step);
        let piece = &mut block[n_done..end];
        match file.read(filesystem, at, piece) {
            Ok(n_bytes) => n_done += n_bytes,
            Err(error) => {
                piece.fill(0);
                lost.n_bytes += piece.len() as u64;
                lost.first.get_or_insert((at, error));
                n_done = end;
            }
        }
    }
    n_done
}

/// Filesystems without permissions report everything as allowed; unpacked on a system that has
/// them, that would make every file a program that anybody may change.
fn attributes(kind: FsKind, entry: &Entry) -> Attributes {
    let mode = match (kind, entry.kind) {
        (FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4, _) => entry.mode,
        (_, EntryKind::Directory) => 0o755,
        _ => 0o644,
    };
    Attributes {
        mode,
        modified: entry.modified,
    }
}

/// What could not be stored, for the user to read beside what could.
#[derive(Debug)]
struct Note {
    name: String,
    streams_name: String,
    left_out: Lines,
    /// What is in the archive, and damaged.
    in_part: Lines,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    n_dropped: usize,
}

impl Lines {
    fn add(&mut self, name: &str, reason: &str) {
        if self.lines.len() < MAX_NOTE_LINES {
            self.lines.push(format!("/{name}: {reason}"));
        } else {
            self.n_dropped += 1;
        }
    }

    /// A paragraph of them, where there are any.
    fn write(&self, title: &str, text: &mut String) {
        if self.lines.is_empty() {
            return;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(title);
        text.push_str(":\n\n");
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        if self.n_dropped > 0 {
            writeln!(text, "\nand {} more.", self.n_dropped)
                .expect("writing to a String cannot fail");
        }
    }
}

impl Default for Note {
    fn default() -> Self {
        Self {
            name: NOTE_NAME.to_owned(),
            streams_name: STREAMS_NAME.to_owned(),
            left_out: Lines::default(),
            in_part: Lines::default(),
        }
    }
}

impl Note {
    /// Finds names that no entry beside them has, on case-insensitive systems either.
    fn reserve_names(&mut self, entries: &std::vec::IntoIter<Entry>) {
        let is_taken = |name: &str| {
            let mut entries = entries.as_slice().iter();
            entries.any(|entry| entry.name.to_path_text().eq_ignore_ascii_case(name))
        };
        let mut n = 2;
        while is_taken(&self.name) || is_taken(&self.streams_name) {
            self.name = NOTE_NAME.replace(".txt", &format!(" ({n}).txt"));
            self.streams_name = format!("{STREAMS_NAME} ({n})");
            n += 1;
        }
    }

    /// Something that is not in the archive.
    fn add(&mut self, name: &str, reason: &str) {
        self.left_out.add(name, reason);
    }

    fn add_all(&mut self, name: &str, reasons: &[String]) {
        for reason in reasons {
            self.add(name, reason);
        }
    }

    /// Something that is in the archive and not as it was.
    fn add_in_part(&mut self, name: &str, reason: &str) {
        self.in_part.add(name, reason);
    }

    fn write(&self, archive: &mut ArchiveWriter<impl Write>, now: Timestamp) -> io::Result<()> {
        let mut text = String::new();
        self.left_out.write(
            "These entries are in the backup, but could not be stored in this archive",
            &mut text,
        );
        self.in_part.write(
            "These files are in this archive, but they are DAMAGED; do not rely on them",
            &mut text,
        );
        if text.is_empty() {
            return Ok(());
        }
        let mut content = text.as_bytes();
        let attributes = Attributes {
            mode: 0o644,
            modified: Some(now),
        };
        archive.add_file(
            EntryName {
                text: &self.name,
                bytes: self.name.as_bytes(),
            },
            text.len() as u64,
            attributes,
            &mut |block| content.read(block),
        )
    }
}
