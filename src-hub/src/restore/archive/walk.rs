//! The walk that fills an archive, and the note about what could not be stored.

use std::{
    cell::Cell,
    fmt::Write as _,
    io::{self, Read as _, Write},
};

use jiff::Timestamp;
use sendense_disk::{Content, Entry, EntryKind, FileSystem, FsKind, FsPath};

use super::{ArchiveFormat, ArchiveWriter, Attributes, EntryName};
use crate::restore::{
    Error, Result,
    entry::why_unreadable,
    listing::MAX_DEPTH,
    path::{RequestPath, volume_folder},
    tree::{Folder, Readers},
};

/// The note comes last and is found by its name.
const NOTE_NAME: &str = "_NOT RESTORED.txt";

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
/// # Errors
/// A folder or file that cannot be read fails the whole archive, which then has no end: a part
/// must not look complete. Entries of which it is known beforehand that they cannot be stored are
/// left out, and listed in a note.
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
            note.reserve_name(&top.entries);
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
                let filesystem = readers.filesystem(number).map_err(io::Error::other)?;
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
                let top = Frame::open(filesystem, &name, name.clone().into_bytes(), FsPath::root())
                    .map_err(io::Error::other)?;
                walk(archive, filesystem, top, &mut note)?;
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
}

impl Frame {
    fn open(
        filesystem: &mut FileSystem,
        text: &str,
        bytes: Vec<u8>,
        path: FsPath,
    ) -> sendense_disk::Result<Self> {
        let mut entries = filesystem.read_dir(&path)?.entries;
        entries.retain(|entry| !entry.is_internal);
        Ok(Self {
            text: text.to_owned(),
            bytes,
            path,
            entries: entries.into_iter(),
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
    let mut frames = vec![top];
    while let Some(frame) = frames.last_mut() {
        let Some(entry) = frame.entries.next() else {
            frames.pop();
            continue;
        };
        let (text, bytes) = frame.child_name(&entry);
        let path = frame.path.join(&entry.name);
        if let Some(reason) = why_unreadable(&entry) {
            note.add(&text, &reason);
            continue;
        }
        let name = EntryName {
            text: &text,
            bytes: &bytes,
        };
        let attributes = attributes(filesystem.kind(), &entry);
        match entry.kind {
            EntryKind::Directory => {
                archive.add_directory(name, attributes)?;
                if frames.len() >= MAX_DEPTH {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("folders are nested too deeply at {text}"),
                    ));
                }
                let below =
                    Frame::open(filesystem, &text, bytes, path).map_err(io::Error::other)?;
                frames.push(below);
            }
            EntryKind::Symlink => match filesystem.read_link(&path) {
                Ok(target) => archive.add_link(name, &target.to_bytes(), attributes)?,
                Err(error) => note.add(&text, &format!("its target cannot be read: {error}")),
            },
            _ => {
                let mut file = filesystem.open(&path).map_err(io::Error::other)?;
                let mut offset = 0;
                archive.add_file(name, file.size_bytes(), attributes, &mut |block| {
                    let n_bytes = file
                        .read(filesystem, offset, block)
                        .map_err(io::Error::other)?;
                    offset += n_bytes as u64;
                    Ok(n_bytes)
                })?;
            }
        }
    }
    Ok(())
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
    lines: Vec<String>,
    n_dropped_lines: usize,
}

impl Default for Note {
    fn default() -> Self {
        Self {
            name: NOTE_NAME.to_owned(),
            lines: Vec::new(),
            n_dropped_lines: 0,
        }
    }
}

impl Note {
    /// Finds a name that no entry beside it has, on case-insensitive systems either.
    fn reserve_name(&mut self, entries: &std::vec::IntoIter<Entry>) {
        let mut n = 2;
        while entries
            .as_slice()
            .iter()
            .any(|entry| entry.name.to_path_text().eq_ignore_ascii_case(&self.name))
        {
            self.name = NOTE_NAME.replace(".txt", &format!(" ({n}).txt"));
            n += 1;
        }
    }

    fn add(&mut self, name: &str, reason: &str) {
        if self.lines.len() < MAX_NOTE_LINES {
            self.lines.push(format!("/{name}: {reason}"));
        } else {
            self.n_dropped_lines += 1;
        }
    }

    fn write(&self, archive: &mut ArchiveWriter<impl Write>, now: Timestamp) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let mut text = String::from(
            "These entries are in the backup, but could not be stored in this archive:\n\n",
        );
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        if self.n_dropped_lines > 0 {
            write!(text, "\nand {} more.\n", self.n_dropped_lines)
                .expect("writing to a String cannot fail");
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
