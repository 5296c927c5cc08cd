//! Flat VMDK images: a descriptor, which is text, names the files that hold the bytes of the disk.
//!
//! ```text
//! # Disk DescriptorFile
//! version=1
//! CID=6f0a8b2c
//! parentCID=ffffffff                      another number: a snapshot, of which this is only the difference
//! createType="twoGbMaxExtentFlat"
//! RW 4192256 FLAT "web-f001.vmdk" 0       access, sectors of 512 bytes, kind, file, first sector in it
//! RW 16384 ZERO
//! ```
//! ESXi calls the kind VMFS and leaves the first sector out. Everything else is for VMware's eyes. imago
//! reads descriptors too, but not those of ESXi: it knows neither that kind nor half of the settings.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{ExtentKind, MAX_DISK_BYTES, Opening, hole_at};
use crate::{Error, Result};

const SECTOR_BYTES: u64 = 512;
/// A disk of 2 TiB in parts of 2 GiB has a descriptor of 60 KiB.
const MAX_DESCRIPTOR_BYTES: u64 = 1 << 20;
/// Each is an open file.
const MAX_PARTS: usize = 4096;
/// The parent of a disk that has none.
const NO_PARENT: &str = "ffffffff";

/// The open parts of a disk, in order and without gaps.
pub(super) struct FlatDisk(Vec<Part>);

struct Part {
    start: u64,
    len_bytes: u64,
    /// `None` for zeros.
    source: Option<(File, u64)>,
}

/// A line about a part.
#[derive(Debug, PartialEq)]
struct Line {
    n_sectors: u64,
    /// The file and the first sector in it; `None` for zeros.
    file: Option<(String, u64)>,
}

impl FlatDisk {
    /// Opens all files that a descriptor names.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for snapshots and for disks whose parts are not flat,
    /// [`Error::BackingFileOutside`] for parts in places that are not allowed, [`Error::Corrupt`] where the
    /// descriptor makes no sense or a part is too short.
    pub(super) fn open(
        mut descriptor: File,
        path: &Path,
        opening: &mut Opening<'_>,
    ) -> Result<Self> {
        let about = |what: String| Error::corrupt(format!("{}: {what}", path.display()));
        if descriptor.metadata()?.len() > MAX_DESCRIPTOR_BYTES {
            return Err(about("the VMDK descriptor is too long".to_owned()));
        }
        let mut text = Vec::new();
        descriptor.seek(SeekFrom::Start(0))?;
        descriptor
            .take(MAX_DESCRIPTOR_BYTES)
            .read_to_end(&mut text)?;
        let text = String::from_utf8(text).map_err(|_| {
            about("the VMDK descriptor is not UTF-8 text; save it as such".to_owned())
        })?;
        let lines = parse(&text, path)?;
        let mut parts = Vec::new();
        let mut start = 0_u64;
        for Line { n_sectors, file } in lines {
            let end = n_sectors
                .checked_mul(SECTOR_BYTES)
                .and_then(|len_bytes| start.checked_add(len_bytes))
                .filter(|end| *end <= MAX_DISK_BYTES)
                .ok_or_else(|| {
                    about("the VMDK descriptor claims a disk larger than any".to_owned())
                })?;
            let len_bytes = end.saturating_sub(start);
            let source = match file {
                None => None,
                Some((name, first_sector)) => {
                    let part = opening.named(path, &name, "consists of")?;
                    if part == path {
                        return Err(about(
                            "the VMDK descriptor names itself as a part".to_owned(),
                        ));
                    }
                    let file = opening.file(&part)?;
                    let offset = first_sector
                        .checked_mul(SECTOR_BYTES)
                        .filter(|offset| {
                            let end = offset.checked_add(len_bytes);
                            let has = file.metadata().map_or(0, |metadata| metadata.len());
                            end.is_some_and(|end| end <= has)
                        })
                        .ok_or_else(|| {
                            about(format!(
                                "{} is shorter than the VMDK descriptor says; it was cut off or damaged",
                                part.display()
                            ))
                        })?;
                    add_once(&mut opening.files, part);
                    Some((file, offset))
                }
            };
            parts.push(Part {
                start,
                len_bytes,
                source,
            });
            start = end;
        }
        Ok(Self(parts))
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.0
            .last()
            .map_or(0, |part| part.start.saturating_add(part.len_bytes))
    }

    /// Fills a buffer from a place within the disk.
    pub(super) fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let Some(part) = self.part_at(offset) else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let within = offset.saturating_sub(part.start);
            let left = usize::try_from(part.len_bytes.saturating_sub(within));
            let left = left.unwrap_or(usize::MAX);
            let (piece, rest) = buffer.split_at_mut(left.min(buffer.len()));
            match &part.source {
                None => piece.fill(0),
                Some((file, start)) => read_exact_at(file, piece, start.saturating_add(within))?,
            }
            offset = offset.saturating_add(piece.len() as u64);
            buffer = rest;
        }
        Ok(())
    }

    /// What lies at a place, and for how long.
    pub(super) fn extent_at(&self, offset: u64) -> (ExtentKind, u64) {
        let Some(part) = self.part_at(offset) else {
            return (ExtentKind::Zero, u64::MAX);
        };
        let within = offset.saturating_sub(part.start);
        let left = part.len_bytes.saturating_sub(within);
        let Some((file, start)) = &part.source else {
            return (ExtentKind::Zero, left);
        };
        let (kind, len_bytes) =
            hole_at(file, start.saturating_add(within)).unwrap_or((ExtentKind::Data, u64::MAX));
        (kind, len_bytes.min(left))
    }

    fn part_at(&self, offset: u64) -> Option<&Part> {
        let after = self.0.partition_point(|part| part.start <= offset);
        let part = self.0.get(after.checked_sub(1)?)?;
        (offset.checked_sub(part.start)? < part.len_bytes).then_some(part)
    }
}

/// Two parts may lie in one file.
fn add_once(files: &mut Vec<PathBuf>, file: PathBuf) {
    if !files.contains(&file) {
        files.push(file);
    }
}

/// The parts that a descriptor names. `path` is for messages.
fn parse(text: &str, path: &Path) -> Result<Vec<Line>> {
    let about = |what: String| Error::corrupt(format!("{}: {what}", path.display()));
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim) {
        let access = line.split_whitespace().next().unwrap_or_default();
        if matches!(access, "RW" | "RDONLY" | "NOACCESS") {
            if lines.len() == MAX_PARTS {
                return Err(about(format!(
                    "the VMDK descriptor names more than {MAX_PARTS} parts"
                )));
            }
            let part = part(line)
                .ok_or_else(|| about(format!("the VMDK descriptor makes no sense: {line}")))?;
            lines.push(part?);
        } else if let Some((key, value)) = line.split_once('=') {
            check_setting(key.trim(), value.trim().trim_matches('"'), path)?;
        }
    }
    if lines.is_empty() {
        return Err(about("the VMDK descriptor names no part".to_owned()));
    }
    Ok(lines)
}

/// Refuses what is only the difference to another disk.
fn check_setting(key: &str, value: &str, path: &Path) -> Result<()> {
    let is_snapshot = key == "parentCID" && !value.eq_ignore_ascii_case(NO_PARENT);
    if !is_snapshot {
        return Ok(());
    }
    Err(Error::unsupported(format!(
        "{} is the difference to a snapshot, which cannot be read yet; delete the snapshots of the VM in \
         VMware, which brings its disks up to date, and discover it again",
        path.display()
    )))
}

/// Reads a line about a part; `None` where it makes no sense.
fn part(line: &str) -> Option<Result<Line>> {
    let (access, rest) = line.split_once(char::is_whitespace)?;
    let (n_sectors, rest) = rest.trim_start().split_once(char::is_whitespace)?;
    let n_sectors = n_sectors.parse().ok()?;
    let rest = rest.trim_start();
    let (kind, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if access == "NOACCESS" {
        return Some(Err(Error::unsupported(
            "a part of the VMDK image may not be read, says its descriptor",
        )));
    }
    match kind {
        "ZERO" => {
            let file = None;
            return Some(Ok(Line { n_sectors, file }));
        }
        "FLAT" | "VMFS" => {}
        _ => {
            return Some(Err(Error::unsupported(format!(
                "the VMDK image has {kind} parts, and only flat ones can be read yet; convert it with qemu-img \
                 to QCOW2 or raw"
            ))));
        }
    }
    // A name may have blanks in it.
    let (name, rest) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
    let first_sector = match rest.trim() {
        "" => 0,
        number => number.parse().ok()?,
    };
    let file = Some((name.to_owned(), first_sector)).filter(|(name, _)| !name.is_empty());
    file.is_some().then_some(Ok(Line { n_sectors, file }))
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n_read => {
                buffer = &mut buffer[n_read..];
                offset += n_read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::{AllowedRoots, Image, ImageFormat};

    const HEAD: &str = "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=fffffffe\n\
        parentCID=ffffffff\nisNativeSnapshot=\"no\"\ncreateType=\"vmfs\"\n\n# Extent description\n";

    fn descriptor(folder: &Path, lines: &str) -> PathBuf {
        let path = folder.join("web.vmdk");
        let foot = "\n#DDB\nddb.adapterType = \"lsilogic\"\n";
        fs::write(&path, format!("{HEAD}{lines}{foot}")).unwrap();
        path
    }

    fn open(folder: &Path, lines: &str) -> Result<Image> {
        let allowed = AllowedRoots::new([folder.to_path_buf()]);
        Image::open(&descriptor(folder, lines), &allowed)
    }

    #[track_caller]
    fn refused(folder: &Path, lines: &str, word: &str) {
        let error = open(folder, lines).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }

    #[test]
    fn a_disk_in_parts_reads_as_one_disk() {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..=255_u8).cycle().take(8 * 512).collect();
        fs::write(folder.path().join("a b.vmdk"), &content).unwrap();
        let image = open(
            folder.path(),
            "RW 3 VMFS \"a b.vmdk\"\nRW 2 ZERO\nRDONLY 4 FLAT \"a b.vmdk\" 4\n",
        )
        .unwrap();
        assert_eq!(image.format(), ImageFormat::Vmdk);
        assert_eq!(image.size_bytes(), 9 * 512);
        let names: Vec<_> = image.files().iter().map(|file| file.file_name()).collect();
        assert_eq!(
            names,
            [Some("web.vmdk".as_ref()), Some("a b.vmdk".as_ref())]
        );
        let mut expected = content[..3 * 512].to_vec();
        expected.extend([0; 1024]);
        expected.extend(&content[4 * 512..]);
        for at in [0, 1, 3 * 512 - 1, 5 * 512 - 7] {
            let mut read = vec![1; expected.len() - at];
            image.read_at(at as u64, &mut read).unwrap();
            assert_eq!(read, expected[at..], "from {at}");
        }
        let extent = image.extent_at(3 * 512).unwrap();
        assert_eq!((extent.kind, extent.len_bytes), (ExtentKind::Zero, 1024));
        let extent = image.extent_at(5 * 512).unwrap();
        assert_eq!((extent.kind, extent.len_bytes), (ExtentKind::Data, 2048));
        assert!(image.read_at(9 * 512, &mut [0]).is_err());
    }

    #[test]
    fn parts_lie_in_allowed_folders() {
        let outside = tempfile::tempdir().unwrap();
        let secret = outside.path().join("secret");
        fs::write(&secret, [7; 512]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let climbing = format!(
            "{}{}",
            "../".repeat(40),
            secret.canonicalize().unwrap().display()
        );
        for name in [secret.to_str().unwrap(), &climbing] {
            let error = open(folder.path(), &format!("RW 1 FLAT \"{name}\" 0\n")).unwrap_err();
            assert!(matches!(error, Error::BackingFileOutside { .. }), "{error}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&secret, folder.path().join("link.vmdk")).unwrap();
            let error = open(folder.path(), "RW 1 FLAT \"link.vmdk\" 0\n").unwrap_err();
            assert!(matches!(error, Error::BackingFileOutside { .. }), "{error}");
        }
    }

    #[test]
    fn what_a_descriptor_should_not_say_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("flat.vmdk"), [7; 1024]).unwrap();
        fs::create_dir(folder.join("folder")).unwrap();
        refused(folder, "", "no part");
        refused(folder, "RW 3 FLAT \"flat.vmdk\" 0\n", "shorter");
        refused(folder, "RW 1 FLAT \"flat.vmdk\" 2\n", "shorter");
        refused(
            folder,
            "RW 1 FLAT \"flat.vmdk\" 36028797018963968\n",
            "shorter",
        );
        refused(folder, "RW 36028797018963968 ZERO\n", "larger");
        refused(folder, "RW 9007199254740992 ZERO\n", "larger");
        refused(folder, "RW -1 ZERO\n", "no sense");
        refused(folder, "RW 1 FLAT flat.vmdk 0\n", "no sense");
        refused(folder, "RW 1 FLAT \"\" 0\n", "no sense");
        refused(folder, "RW 1 FLAT \"flat.vmdk\n", "no sense");
        refused(folder, "RW\n", "no sense");
        refused(folder, "RW 1 FLAT \"web.vmdk\" 0\n", "itself");
        refused(folder, "RW 1 FLAT \"gone.vmdk\" 0\n", "gone.vmdk");
        refused(folder, "RW 1 FLAT \"folder\" 0\n", "not a file");
        refused(folder, "RW 1 FLAT \"flat.vmdk\0\" 0\n", "opened");
        refused(folder, "RW 1 SPARSE \"flat.vmdk\"\n", "SPARSE parts");
        refused(folder, "RW 1 SESPARSE \"flat.vmdk\"\n", "SESPARSE parts");
        refused(
            folder,
            "NOACCESS 1 FLAT \"flat.vmdk\" 0\n",
            "may not be read",
        );
        refused(folder, &"RW 1 ZERO\n".repeat(5000), "4096 parts");
        refused(folder, &"x=y\n".repeat(300_000), "too long");
        refused(
            folder,
            "parentCID=1234abcd\nRW 1 FLAT \"flat.vmdk\" 0\n",
            "delete the snapshots",
        );
        let path = descriptor(folder, "RW 1 FLAT \"flat.vmdk\" 0\n");
        let mut text = fs::read(&path).unwrap();
        text.extend(b"# caf\xe9\n");
        fs::write(&path, text).unwrap();
        let error = Image::open(&path, &AllowedRoots::new([folder.to_path_buf()])).unwrap_err();
        assert!(error.to_string().contains("UTF-8"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(RW|RDONLY|=|\"|FLAT|ZERO|[0-9]{1,20}| |\n|x){0,30}") {
            drop(parse(&text, Path::new("x")));
        }
    }
}
