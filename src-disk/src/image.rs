//! Disk images: raw and QCOW2 with its backing files.
//!
//! A QCOW2 image names its backing file, and an image from elsewhere can name any file of this
//! computer. So imago opens none by itself: each is resolved here and must lie in a folder that the
//! caller allows.

use std::{
    fmt, fs,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use imago::{
    FormatAccess, Mapping, Storage, StorageOpenOptions, file::File as ImagoFile, qcow2::Qcow2,
    raw::Raw,
};

use crate::{Error, Result, guard::guarded, qcow2};

/// Longer chains are refused: each link costs open files and time, and a loop never ends.
const MAX_CHAIN: usize = 256;
/// A larger disk than QEMU, Hyper-V or VMware make is damage. Work is bounded by the size of the disk.
const MAX_DISK_BYTES: u64 = 1 << 51;
/// `imago` walks over the whole extent that it is asked for, table by table.
const MAX_EXTENT_BYTES: u64 = 16 << 30;

/// The folders whose files an image may build on.
#[derive(Clone, Debug)]
pub struct AllowedRoots(Vec<PathBuf>);

impl AllowedRoots {
    /// These folders and everything below them, links resolved.
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        let canonical = |root: PathBuf| root.canonicalize().unwrap_or(root);
        Self(roots.into_iter().map(canonical).collect())
    }

    fn allow(&self, canonical: &Path) -> bool {
        self.0.iter().any(|root| canonical.starts_with(root))
    }
}

/// Formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// The bytes of the disk as they are.
    Raw,
    /// QEMU copy-on-write, versions 2 and 3.
    Qcow2,
}

/// A run of bytes of a disk that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where it begins, in bytes.
    pub start: u64,
    /// How long it is, in bytes; never 0 inside the disk.
    pub len_bytes: u64,
    /// What is there.
    pub kind: ExtentKind,
}

/// What an extent holds, known without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtentKind {
    /// Bytes that have to be read.
    Data,
    /// Nothing but zeros.
    Zero,
}

/// An open disk image; a cheap handle that threads may share.
#[derive(Clone)]
pub struct Image(Arc<Inner>);

struct Inner {
    /// A raw image once more: its filesystem knows what was never written.
    sparse: Option<fs::File>,
    access: FormatAccess<ImagoFile>,
    format: ImageFormat,
    files: Vec<PathBuf>,
}

impl Image {
    /// Opens an image and what it builds on, for reading only.
    ///
    /// # Errors
    /// [`Error::Unsupported`] names formats and features that cannot be read,
    /// [`Error::BackingFileOutside`] a backing file in a place that is not allowed,
    /// [`Error::Corrupt`] a damaged header.
    pub fn open(path: &Path, allowed: &AllowedRoots) -> Result<Self> {
        let mut files = Vec::new();
        let (access, format) = guarded(|| open_chain(path, allowed, &mut files))?;
        if access.size() > MAX_DISK_BYTES {
            return Err(Error::corrupt(format!(
                "{} claims a disk of {} bytes, which is larger than any",
                path.display(),
                access.size()
            )));
        }
        let sparse = match format {
            ImageFormat::Raw => Some(fs::File::open(path)?),
            ImageFormat::Qcow2 => None,
        };
        Ok(Self(Arc::new(Inner {
            sparse,
            access,
            format,
            files,
        })))
    }

    /// Size of the disk in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.0.access.size()
    }

    /// The format of the image itself.
    pub fn format(&self) -> ImageFormat {
        self.0.format
    }

    /// The image and its backing files, top first.
    pub fn files(&self) -> &[PathBuf] {
        &self.0.files
    }

    /// Fills a buffer from a place on the disk.
    ///
    /// # Errors
    /// [`Error::Corrupt`] beyond the end of the disk, [`Error::Io`] where reading fails.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.size_bytes()) {
            return Err(Error::Corrupt {
                what: "something lies beyond the end of the disk".to_owned(),
                offset: Some(offset),
            });
        }
        guarded(|| Ok(self.0.access.read(buffer, offset)?))
    }

    /// The extent at a place. Zero where that is known without reading: a QCOW2 cluster that is not
    /// allocated, one marked as zero, a hole in a raw image. The next extent may be of the same kind.
    ///
    /// # Errors
    /// [`Error::Io`] where the image's tables cannot be read.
    pub fn extent_at(&self, offset: u64) -> Result<Extent> {
        let left = self
            .size_bytes()
            .saturating_sub(offset)
            .min(MAX_EXTENT_BYTES);
        if let Some((kind, len_bytes)) = self.0.sparse.as_ref().and_then(|raw| hole_at(raw, offset))
        {
            return Ok(Extent {
                start: offset,
                len_bytes: len_bytes.min(left),
                kind,
            });
        }
        let (mapping, len_bytes) = guarded(|| Ok(self.0.access.get_mapping(offset, left)?))?;
        let (kind, len_bytes) = match mapping {
            Mapping::Zero { .. } => (ExtentKind::Zero, len_bytes),
            // An image file that ends before its disk does: the rest reads as zeros.
            Mapping::Eof { .. } => (ExtentKind::Zero, left),
            _ => (ExtentKind::Data, len_bytes),
        };
        Ok(Extent {
            start: offset,
            len_bytes: len_bytes.min(left),
            kind,
        })
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("files", &self.0.files)
            .field("size_bytes", &self.size_bytes())
            .finish_non_exhaustive()
    }
}

/// Whether a raw image has data at a place, and for how long; `None` where its filesystem cannot tell.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn hole_at(raw: &fs::File, offset: u64) -> Option<(ExtentKind, u64)> {
    use rustix::{
        fs::{SeekFrom, seek},
        io::Errno,
    };
    let data = match seek(raw, SeekFrom::Data(offset)) {
        Ok(data) => data,
        // No data from here to the end of the file.
        Err(Errno::NXIO) => return Some((ExtentKind::Zero, u64::MAX)),
        Err(_) => return None,
    };
    if data > offset {
        return Some((ExtentKind::Zero, data - offset));
    }
    let hole = seek(raw, SeekFrom::Hole(offset)).ok()?;
    (hole > offset).then(|| (ExtentKind::Data, hole - offset))
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn hole_at(_: &fs::File, _: u64) -> Option<(ExtentKind, u64)> {
    None
}

fn open_chain(
    path: &Path,
    allowed: &AllowedRoots,
    files: &mut Vec<PathBuf>,
) -> Result<(FormatAccess<ImagoFile>, ImageFormat)> {
    let path = path.canonicalize()?;
    if files.contains(&path) {
        return Err(Error::corrupt(format!(
            "{} builds on itself",
            path.display()
        )));
    }
    if files.len() >= MAX_CHAIN {
        return Err(Error::unsupported(format!(
            "the image builds on more than {MAX_CHAIN} others"
        )));
    }
    let is_qcow2 = recognise(&path)? == ImageFormat::Qcow2;
    files.push(path.clone());
    let options = StorageOpenOptions::new().write(false).filename(&path);
    let storage = ImagoFile::open(options)?;
    if !is_qcow2 {
        let raw = Raw::open_image(storage, false)?;
        return Ok((FormatAccess::new(raw), ImageFormat::Raw));
    }
    qcow2::check_references(&path)?;
    let mut qcow2 =
        Qcow2::<ImagoFile>::open_image(storage, false).map_err(|error| damaged(&path, &error))?;
    if qcow2.requires_external_data_file() {
        return Err(Error::unsupported(
            "the QCOW2 image keeps its data in another file, which cannot be read yet",
        ));
    }
    qcow2.set_data_file(None);
    let backing = qcow2.implicit_backing_file().cloned();
    let backing = match backing {
        None => None,
        Some(name) => {
            let folder = path.parent().unwrap_or(Path::new("/"));
            let named = folder.join(name.strip_prefix("file:").unwrap_or(&name));
            let canonical = named.canonicalize().map_err(|error| {
                Error::corrupt(format!(
                    "the image builds on {}, which cannot be opened: {error}",
                    named.display()
                ))
            })?;
            if !allowed.allow(&canonical) {
                return Err(Error::BackingFileOutside { path: canonical });
            }
            Some(open_chain(&canonical, allowed, files)?.0)
        }
    };
    qcow2.set_backing(backing);
    Ok((FormatAccess::new(qcow2), ImageFormat::Qcow2))
}

fn damaged(path: &Path, error: &std::io::Error) -> Error {
    Error::corrupt(format!(
        "{} is not a sound QCOW2 image: {error}",
        path.display()
    ))
}

/// Tells formats apart by their first bytes, and refuses by name what cannot be read: taken as raw,
/// such an image would be backed up without a word and restored as rubbish.
fn recognise(path: &Path) -> Result<ImageFormat> {
    let mut file = fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::unsupported(format!(
            "{} is not a file",
            path.display()
        )));
    }
    let len = file.metadata()?.len();
    let mut head = Vec::with_capacity(512);
    file.by_ref().take(512).read_to_end(&mut head)?;
    let mut tail = Vec::new();
    if len >= 512 {
        file.seek(SeekFrom::Start(len - 512))?;
        file.read_to_end(&mut tail)?;
    }
    let at = |offset: usize, magic: &[u8]| head.get(offset..offset + magic.len()) == Some(magic);
    if at(0, b"QFI\xfb") {
        return recognise_qcow2(&head);
    }
    let name = if at(0, b"KDMV") || at(0, b"COWD") {
        "a sparse VMDK image"
    } else if at(0, b"# Disk DescriptorFile") {
        "a VMDK descriptor"
    } else if at(0, b"vhdxfile") {
        "a VHDX image"
    } else if at(0, b"conectix") || tail.starts_with(b"conectix") {
        "a VHD image"
    } else if at(0x40, &[0x7f, 0x10, 0xda, 0xbe]) {
        "a VirtualBox VDI image"
    } else if at(0, b"QED\0") {
        "a QED image"
    } else if let Some(extension) = extension_of_a_format(path) {
        return Err(Error::corrupt(format!(
            "{} is called .{extension} and does not begin like one: it is damaged, or a raw image under a \
             wrong name",
            path.display()
        )));
    } else {
        return Ok(ImageFormat::Raw);
    };
    Err(Error::unsupported(format!(
        "{} is {name}, which cannot be read yet; convert it with qemu-img to QCOW2 or raw",
        path.display()
    )))
}

/// The extension of a file, where it promises something else than the bytes of a disk.
fn extension_of_a_format(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    ["qcow2", "qcow", "qed", "vdi", "vhd", "vhdx", "vmdk"]
        .contains(&extension.as_str())
        .then_some(extension)
}

/// Header fields: QEMU's docs/interop/qcow2.txt.
fn recognise_qcow2(head: &[u8]) -> Result<ImageFormat> {
    let field = |offset: usize| -> Result<u32> {
        let bytes = head
            .get(offset..offset + 4)
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(u32::from_be_bytes)
            .ok_or_else(|| Error::corrupt("the QCOW2 header is cut off"))
    };
    let version = field(4)?;
    if !(2..=3).contains(&version) {
        return Err(Error::unsupported(format!(
            "QCOW version {version} cannot be read"
        )));
    }
    if field(32)? != 0 {
        return Err(Error::unsupported("the QCOW2 image is encrypted"));
    }
    if version == 3 && field(76)? & (1 << 3) != 0 {
        return Err(Error::unsupported(
            "the QCOW2 image is compressed with zstd, which cannot be read yet",
        ));
    }
    Ok(ImageFormat::Qcow2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn a_raw_image_reads_as_it_is_and_not_past_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..=255u8).cycle().take(70_000).collect();
        let path = write(folder.path(), "disk.img", &content);
        let image = Image::open(&path, &AllowedRoots::new([])).unwrap();
        assert_eq!(image.format(), ImageFormat::Raw);
        assert_eq!(image.size_bytes(), 70_000);
        let mut buffer = vec![0; 1000];
        image.read_at(69_000, &mut buffer).unwrap();
        assert_eq!(buffer, content[69_000..]);
        assert!(matches!(
            image.read_at(69_001, &mut buffer),
            Err(Error::Corrupt { .. })
        ));
        assert_eq!(image.extent_at(0).unwrap().kind, ExtentKind::Data);
    }

    #[test]
    fn an_image_that_is_not_what_its_name_says_is_not_taken_for_raw() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["disk.qcow2", "disk.QCOW2", "disk.vdi", "disk.vmdk"] {
            let path = write(folder.path(), name, &[7; 4096]);
            let error = Image::open(&path, &AllowedRoots::new([])).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{name}: {error}");
        }
        let path = write(folder.path(), "disk.img", &[7; 4096]);
        assert!(Image::open(&path, &AllowedRoots::new([])).is_ok());
    }

    #[test]
    fn formats_that_cannot_be_read_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut vdi = vec![0; 1024];
        vdi[0x40..0x44].copy_from_slice(&[0x7f, 0x10, 0xda, 0xbe]);
        let mut vhd = vec![0; 1024];
        vhd[512..520].copy_from_slice(b"conectix");
        let cases: [(&[u8], &str); 5] = [
            (b"KDMV\0\0\0\x01", "sparse VMDK"),
            (b"# Disk DescriptorFile\nversion=1\n", "VMDK descriptor"),
            (b"vhdxfile", "VHDX"),
            (&vdi, "VDI"),
            (&vhd, "VHD"),
        ];
        for (bytes, name) in cases {
            let path = write(folder.path(), "disk", bytes);
            let error = Image::open(&path, &AllowedRoots::new([])).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_cut_off_qcow2_header_is_damage_not_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        for len in 4..100 {
            let mut bytes = b"QFI\xfb\0\0\0\x03".to_vec();
            bytes.resize(len, 0);
            let path = write(folder.path(), "disk.qcow2", &bytes);
            assert!(Image::open(&path, &AllowedRoots::new([])).is_err(), "{len}");
        }
    }
}
