//! Folders as archives: one writer for ZIP and tar.gz, fed by a walk over the image.
//!
//! What both formats owe the user (contract 8.9.4): folders are stored, so that empty ones survive; links are stored as
//! links; alternate data streams are files in a folder of their own; what is damaged or cannot be stored is named in a
//! note at the end. Memory use does not depend on the size of a file: an entry is copied block by block.

mod tar;
mod walk;
mod zip;

use std::io;

use jiff::Timestamp;

pub(crate) use walk::{ArchiveSource, write_archive};

/// What a file is copied through.
const COPY_BYTES: usize = 256 * 1024;

/// The kinds of archive a client can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// `format=zip`, the default.
    Zip,
    /// `format=tar.gz`.
    TarGz,
}

impl ArchiveFormat {
    /// Understands the contract's words.
    pub fn from_query(text: &str) -> Option<Self> {
        match text {
            "zip" => Some(Self::Zip),
            "tar.gz" => Some(Self::TarGz),
            _ => None,
        }
    }

    /// What the download is called after the folder's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::TarGz => "tar.gz",
        }
    }
}

/// What an archive keeps of an entry beside its bytes.
#[derive(Clone, Copy, Debug)]
struct Attributes {
    /// Permission bits.
    mode: u16,
    /// When it was last changed.
    modified: Option<Timestamp>,
}

/// What an entry is called: relative, with `/` between components and without one at the end.
///
/// A zip knows text only, a tar knows bytes only.
#[derive(Clone, Copy, Debug)]
struct EntryName<'n> {
    /// Valid Unicode, and unique; bytes that are no text are escaped.
    text: &'n str,
    /// The bytes that the filesystem has.
    bytes: &'n [u8],
}

/// Gives the bytes of a file in order; 0 at the end.
type ReadFile<'r> = &'r mut dyn FnMut(&mut [u8]) -> io::Result<usize>;

/// An archive that is being written.
enum ArchiveWriter<W: io::Write> {
    Zip(Box<zip::ZipFolder<W>>),
    TarGz(Box<tar::TarGzFolder<W>>),
}

impl<W: io::Write> ArchiveWriter<W> {
    fn new(format: ArchiveFormat, out: W) -> Self {
        match format {
            ArchiveFormat::Zip => Self::Zip(Box::new(zip::ZipFolder::new(out))),
            ArchiveFormat::TarGz => Self::TarGz(Box::new(tar::TarGzFolder::new(out))),
        }
    }

    fn add_directory(&mut self, name: EntryName<'_>, attributes: Attributes) -> io::Result<()> {
        match self {
            Self::Zip(zip) => zip.add_directory(name.text, attributes),
            Self::TarGz(tar) => tar.add_directory(name.bytes, attributes),
        }
    }

    fn add_link(
        &mut self,
        name: EntryName<'_>,
        target: &[u8],
        attributes: Attributes,
    ) -> io::Result<()> {
        match self {
            Self::Zip(zip) => zip.add_link(name.text, target, attributes),
            Self::TarGz(tar) => tar.add_link(name.bytes, target, attributes),
        }
    }

    /// Fails when the file does not give exactly `size_bytes`: a tar could not be read on from
    /// there, and in a zip nobody would notice.
    fn add_file(
        &mut self,
        name: EntryName<'_>,
        size_bytes: u64,
        attributes: Attributes,
        read: ReadFile<'_>,
    ) -> io::Result<()> {
        match self {
            Self::Zip(zip) => zip.add_file(name.text, size_bytes, attributes, read),
            Self::TarGz(tar) => tar.add_file(name.bytes, size_bytes, attributes, read),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Zip(zip) => zip.finish(),
            Self::TarGz(tar) => tar.finish(),
        }
    }
}

/// Copies a whole file, and makes sure that it was one.
fn copy_file(out: &mut impl io::Write, size_bytes: u64, read: ReadFile<'_>) -> io::Result<()> {
    let mut block = vec![0; COPY_BYTES];
    let mut n_copied_bytes: u64 = 0;
    loop {
        let n_bytes = read(&mut block)?;
        if n_bytes == 0 {
            break;
        }
        out.write_all(&block[..n_bytes])?;
        n_copied_bytes += n_bytes as u64;
    }
    if n_copied_bytes != size_bytes {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the file has {n_copied_bytes} bytes where its folder says {size_bytes}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn attributes() -> Attributes {
        Attributes {
            mode: 0o640,
            modified: Some("2025-09-02T06:21:20.1985298Z".parse().unwrap()),
        }
    }

    fn name(text: &str) -> EntryName<'_> {
        EntryName {
            text,
            bytes: text.as_bytes(),
        }
    }

    fn write_sample(format: ArchiveFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut archive = ArchiveWriter::new(format, &mut bytes);
        archive.add_directory(name("leer ä"), attributes()).unwrap();
        let mut content: &[u8] = b"hello";
        archive
            .add_file(name("leer ä/漢😀.txt"), 5, attributes(), &mut |block| {
                content.read(block)
            })
            .unwrap();
        archive
            .add_link(name("link"), b"../elsewhere", attributes())
            .unwrap();
        archive.finish().unwrap();
        bytes
    }

    #[test]
    fn a_zip_reads_back_with_names_times_and_links() {
        let bytes = write_sample(ArchiveFormat::Zip);
        let mut archive = ::zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap();
        let names: Vec<_> = archive
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect();
        assert_eq!(names, ["leer ä/", "leer ä/漢😀.txt", "link"]);

        let mut file = archive.by_name("leer ä/漢😀.txt").unwrap();
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        assert_eq!(content, "hello");
        assert_eq!(file.unix_mode(), Some(0o100_640));
        let modified = file.extra_data_fields().find_map(|field| match field {
            ::zip::ExtraField::ExtendedTimestamp(times) => times.mod_time(),
            _ => None,
        });
        assert_eq!(modified, Some(1_756_794_080), "seconds since 1970, in UTC");
        drop(file);

        let mut link = archive.by_name("link").unwrap();
        assert!(link.is_symlink());
        let mut target = String::new();
        link.read_to_string(&mut target).unwrap();
        assert_eq!(target, "../elsewhere");
    }

    #[test]
    fn a_tar_gz_holds_headers_in_order_and_two_zero_blocks() {
        let packed = write_sample(ArchiveFormat::TarGz);
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice())
            .read_to_end(&mut bytes)
            .unwrap();
        assert_eq!(bytes.len() % 512, 0);
        assert!(bytes[bytes.len() - 1024..].iter().all(|byte| *byte == 0));
        let header = |block: usize| {
            ::tar::Header::from_byte_slice(&bytes[block * 512..(block + 1) * 512]).clone()
        };
        assert_eq!(&*header(0).path_bytes(), "leer ä/".as_bytes());
        assert_eq!(&*header(1).path_bytes(), "leer ä/漢😀.txt".as_bytes());
        assert_eq!(header(1).size().unwrap(), 5);
        assert_eq!(header(1).mtime().unwrap(), 1_756_794_080);
        assert_eq!(&bytes[1024..1029], b"hello");
        assert_eq!(
            header(3).link_name_bytes().as_deref(),
            Some(b"../elsewhere".as_slice())
        );
    }

    #[test]
    fn a_file_that_is_shorter_or_longer_than_announced_is_an_error() {
        for format in [ArchiveFormat::Zip, ArchiveFormat::TarGz] {
            for announced in [4, 6] {
                let mut archive = ArchiveWriter::new(format, io::sink());
                let mut content: &[u8] = b"hello";
                let error = archive
                    .add_file(name("a"), announced, attributes(), &mut |block| {
                        content.read(block)
                    })
                    .unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{format:?}");
            }
        }
    }

    #[test]
    fn times_that_a_format_cannot_hold_do_not_fail_the_archive() {
        for format in [ArchiveFormat::Zip, ArchiveFormat::TarGz] {
            for time in ["1601-01-01T00:00:00Z", "9999-01-01T00:00:00Z"] {
                let mut archive = ArchiveWriter::new(format, io::sink());
                let attributes = Attributes {
                    mode: 0o777,
                    modified: Some(time.parse().unwrap()),
                };
                archive.add_directory(name("old"), attributes).unwrap();
                archive.finish().unwrap();
            }
        }
    }
}
