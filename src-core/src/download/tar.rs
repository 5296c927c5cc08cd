//! Reading a tar.gz archive, and writing one whose entries may break off.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use bytes::{Buf, Bytes};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use tar::{Archive, Builder, EntryType, Header};
use tokio::sync::mpsc::Receiver;

use super::contents::{Contents, Expected, Reading, damaged};
use super::steps::{Attributes, Step};
use crate::Result;

/// Reads an archive to its last byte, so that its checksum is verified, and looks for what is missing.
pub(super) fn read_through(mut file: &File, expected: Option<&Expected>) -> Result<Contents> {
    let mut reading = Reading::new(expected);
    let mut read = || {
        file.rewind()?;
        let mut unpacked = MultiGzDecoder::new(BufReader::new(file));
        let mut archive = Archive::new(&mut unpacked);
        for (index, entry) in archive.entries()?.enumerate() {
            let mut entry = entry?;
            let kind = entry.header().entry_type();
            if kind.is_dir() {
                continue;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let size = entry.size();
            if kind.is_file() {
                reading.file(index, name, size, &mut entry)?;
            } else {
                // Nothing else is in a folder's archive: whatever it is, it is no link that the folder has.
                let target = entry.link_name_bytes().filter(|_| kind.is_symlink());
                reading.link(index, name, size, &target.unwrap_or_default());
            }
        }
        // The checksum comes behind the end that tar knows.
        io::copy(&mut unpacked, &mut io::sink()).map(drop)
    };
    let read: io::Result<()> = read();
    read.map_err(|error| damaged(&error))?;
    reading.end()
}

/// Writes an archive of what comes. Each entry is compressed for itself, so that one that breaks off can be taken back.
pub(super) fn write(file: &File, mut steps: Receiver<Step>) -> io::Result<()> {
    let mut tar = Builder::new(Members::new(file)?);
    while let Some(step) = steps.blocking_recv() {
        match step {
            Step::Folder(name, attributes) => {
                tar.get_mut().begin()?;
                let mut header = attributes.header(EntryType::Directory);
                tar.append_data(&mut header, format!("{name}/"), io::empty())?;
            }
            Step::Link(name, target, attributes) => {
                tar.get_mut().begin()?;
                let mut header = attributes.header(EntryType::Symlink);
                tar.append_link(&mut header, name, target)?;
            }
            Step::File(name, size, attributes) => {
                tar.get_mut().begin()?;
                let mut header = attributes.header(EntryType::Regular);
                let size = size.ok_or(io::ErrorKind::InvalidInput)?;
                header.set_size(size);
                let mut pieces = Pieces::new(&mut steps, size);
                match tar.append_data(&mut header, name, &mut pieces) {
                    Err(_) if pieces.is_abandoned => tar.get_mut().take_back()?,
                    written => written?,
                }
            }
            // All of it had come, and yet it is not what it should be.
            Step::Abandon => tar.get_mut().take_back()?,
            Step::Piece(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    tar.into_inner()?.end()
}

/// A file of compressed members, one after another: together they are one compressed file (RFC 1952, section 2.2).
struct Members<'f> {
    file: &'f File,
    member: GzEncoder<BufWriter<&'f File>>,
    begins_at: u64,
}

impl<'f> Members<'f> {
    fn new(mut file: &'f File) -> io::Result<Self> {
        Ok(Self {
            file,
            member: new_member(file),
            begins_at: file.stream_position()?,
        })
    }

    /// Begins the next one.
    fn begin(&mut self) -> io::Result<()> {
        self.member.try_finish()?;
        self.member.get_mut().flush()?;
        self.begins_at = self.file.stream_position()?;
        self.member = new_member(self.file);
        Ok(())
    }

    /// Takes the current one out again.
    fn take_back(&mut self) -> io::Result<()> {
        // What the old one still holds is written when it goes.
        self.member = new_member(self.file);
        self.file.set_len(self.begins_at)?;
        self.file.seek(SeekFrom::Start(self.begins_at)).map(drop)
    }

    fn end(mut self) -> io::Result<()> {
        self.member.try_finish()?;
        self.member.get_mut().flush()
    }
}

fn new_member(file: &File) -> GzEncoder<BufWriter<&File>> {
    GzEncoder::new(BufWriter::new(file), Compression::fast())
}

impl Write for Members<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.member.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.member.flush()
    }
}

/// The content of a file, as it arrives.
struct Pieces<'s> {
    steps: &'s mut Receiver<Step>,
    piece: Bytes,
    left_bytes: u64,
    /// It breaks off, and is to be taken back.
    is_abandoned: bool,
}

impl<'s> Pieces<'s> {
    fn new(steps: &'s mut Receiver<Step>, size_bytes: u64) -> Self {
        Self {
            steps,
            piece: Bytes::new(),
            left_bytes: size_bytes,
            is_abandoned: false,
        }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left_bytes > 0 && self.piece.is_empty() {
            self.piece = match self.steps.blocking_recv() {
                Some(Step::Piece(piece)) => piece,
                Some(Step::Abandon) => {
                    self.is_abandoned = true;
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                // Nobody wants it any longer.
                _ => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        let n_bytes = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..n_bytes]);
        self.left_bytes = self.left_bytes.saturating_sub(n_bytes as u64);
        Ok(n_bytes)
    }
}

impl Attributes {
    /// As tar has them; times before 1970 have no place there.
    fn header(self, kind: EntryType) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        let usual = match kind {
            EntryType::Regular => 0o644,
            EntryType::Symlink => 0o777,
            _ => 0o755,
        };
        header.set_mode(self.mode.unwrap_or(usual) & 0o7777);
        header.set_size(0);
        let seconds = self.modified.map_or(0, |time| time.as_second());
        header.set_mtime(seconds.try_into().unwrap_or(0));
        header.set_uid(0);
        header.set_gid(0);
        header
    }
}

#[cfg(test)]
mod tests {
    use sendense_types::ErrorKind;
    use tokio::sync::mpsc;

    use super::*;

    const NONE: Attributes = Attributes {
        mode: None,
        modified: None,
    };

    fn file(name: &str, size: u64) -> Step {
        Step::File(name.to_owned(), Some(size), NONE)
    }

    fn piece(content: &[u8]) -> Step {
        Step::Piece(Bytes::copy_from_slice(content))
    }

    fn written(steps: Vec<Step>) -> File {
        let (sender, receiver) = mpsc::channel(steps.len().max(1));
        for step in steps {
            sender.try_send(step).ok().unwrap();
        }
        drop(sender);
        let file = tempfile::tempfile().unwrap();
        write(&file, receiver).unwrap();
        file
    }

    /// The names in it.
    fn listed(mut file: &File) -> String {
        file.rewind().unwrap();
        let mut archive = Archive::new(MultiGzDecoder::new(file));
        let entries = archive.entries().unwrap();
        let name = |entry: io::Result<tar::Entry<'_, _>>| {
            let entry = entry.unwrap();
            format!("{}\n", entry.path().unwrap().display())
        };
        entries.map(name).collect()
    }

    #[test]
    fn entries_that_break_off_are_taken_back_and_the_others_are_whole() {
        let long = "n".repeat(300);
        let noise: Vec<u8> = (0..200_000_u32)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        let archive = written(vec![
            Step::Folder("d".to_owned(), NONE),
            file("d/a", 5),
            piece(b"hel"),
            piece(b"lo"),
            file("d/torn", noise.len() as u64 + 1),
            piece(&noise),
            Step::Abandon,
            file("d/late", 3),
            piece(b"all"),
            Step::Abandon,
            file("d/empty", 0),
            Step::Link(format!("d/{long}"), long.clone(), NONE),
            file(&long, 1),
            piece(b"x"),
        ]);
        let contents = read_through(&archive, None).unwrap();
        // Without a listing no link is known to be one.
        assert_eq!((contents.n_files, contents.foreign.len()), (3, 1));
        let wanted = format!("d/\nd/a\nd/empty\nd/{long}\n{long}\n");
        assert_eq!(listed(&archive), wanted);
    }

    #[test]
    fn an_archive_that_ends_early_anywhere_is_damaged() {
        let archive = written(vec![
            file("a", 5),
            piece(b"hello"),
            file("b", 1),
            piece(b"x"),
        ]);
        let length = archive.metadata().unwrap().len();
        read_through(&archive, None).unwrap();
        for end in (0..length).rev() {
            archive.set_len(end).unwrap();
            let outcome = read_through(&archive, None);
            // Between two members nothing shows that more should come, but for a listing.
            if let Err(error) = outcome {
                assert_eq!(error.kind, ErrorKind::Cut);
            } else {
                assert!(end > 0 && end < length);
            }
        }
    }

    #[test]
    fn a_byte_that_is_not_what_it_was_is_noticed() {
        let content = vec![7; 5000];
        let archive = written(vec![file("a", 5000), piece(&content)]);
        let mut bytes = Vec::new();
        let mut from = &archive;
        from.rewind().unwrap();
        from.read_to_end(&mut bytes).unwrap();
        // In the middle of what is compressed, behind the header of ten bytes.
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        let mut to = &archive;
        to.rewind().unwrap();
        to.write_all(&bytes).unwrap();
        assert!(read_through(&archive, None).is_err());
    }
}
