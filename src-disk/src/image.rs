//! Disk images: raw, QCOW2 with its backing files, and flat VMDK.
//!
//! A QCOW2 image names its backing file and a VMDK descriptor its parts, so an image from elsewhere can name any file
//! on this computer. That is why imago opens none by itself: each is resolved here and must be in a folder the caller
//! allows. No name that a guest could have written is followed, either: see [`trust`].

mod flat;
mod qcow2;
mod recognise;
mod trust;

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use imago::{
    FormatAccess, Mapping, StorageOpenOptions, file::File as ImagoFile, qcow2::Qcow2, raw::Raw,
};

pub use self::qcow2::{Flaw, backing_name, find_flaw};
pub(crate) use self::recognise::OTHERS;
use self::{
    flat::FlatDisk,
    recognise::{check_stated, recognise},
};
use crate::{Error, Result, guard::guarded};

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
    /// A VMware descriptor and the files with the bytes of the disk that it names.
    Vmdk,
}

impl ImageFormat {
    /// The format that QEMU and libvirt call so.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it cannot be read.
    pub fn named(name: &str) -> Result<Self> {
        match name.to_ascii_lowercase().as_str() {
            "raw" => Ok(Self::Raw),
            "qcow2" => Ok(Self::Qcow2),
            "vmdk" => Ok(Self::Vmdk),
            _ => Err(Error::unsupported(format!(
                "its description says that it is an image of the format {name:?}, which cannot be read \
                 yet; convert it with qemu-img to QCOW2 or raw"
            ))),
        }
    }

    /// What QEMU and libvirt call it; the inverse of [`named`](Self::named).
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
        }
    }
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
    content: Content,
    format: ImageFormat,
    files: Vec<PathBuf>,
}

/// Where the bytes of the disk come from.
enum Content {
    /// A raw image, and its file once more: its filesystem knows what was never written.
    Raw(FormatAccess<ImagoFile>, fs::File),
    Qcow2(FormatAccess<ImagoFile>),
    Flat(FlatDisk),
}

/// What opening an image needs to know, and what it finds.
struct Opening<'o> {
    allowed: &'o AllowedRoots,
    copies: &'o BTreeMap<PathBuf, fs::File>,
    files: Vec<PathBuf>,
}

impl Image {
    /// Opens an image of which nobody says the format, and what it builds on, for reading only.
    ///
    /// # Errors
    /// [`Error::Unsupported`] names formats and features that cannot be read, and images that name other
    /// files where a guest could have written the name,
    /// [`Error::BackingFileOutside`] a backing file in a place that is not allowed,
    /// [`Error::Corrupt`] a damaged header.
    pub fn open(path: &Path, allowed: &AllowedRoots) -> Result<Self> {
        Self::open_as(path, None, allowed, &BTreeMap::new())
    }

    /// Opens an image like [`open`](Self::open), in the format that its description states, if one does:
    /// what is stated to be raw is raw, whatever its guest wrote to its beginning. These copies of a moment,
    /// which need have no name, are read instead of what lies at their paths, links resolved.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_as(
        path: &Path,
        stated: Option<ImageFormat>,
        allowed: &AllowedRoots,
        copies: &BTreeMap<PathBuf, fs::File>,
    ) -> Result<Self> {
        let mut opening = Opening {
            allowed,
            copies,
            files: Vec::new(),
        };
        let (content, format) = guarded(|| opening.image(path, stated))?;
        let image = Self(Arc::new(Inner {
            content,
            format,
            files: opening.files,
        }));
        if image.size_bytes() > MAX_DISK_BYTES {
            return Err(Error::corrupt(format!(
                "{} claims a disk of {} bytes, which is larger than any",
                path.display(),
                image.size_bytes()
            )));
        }
        Ok(image)
    }

    /// Size of the disk in bytes.
    pub fn size_bytes(&self) -> u64 {
        match &self.0.content {
            Content::Raw(access, _) | Content::Qcow2(access) => access.size(),
            Content::Flat(disk) => disk.size_bytes(),
        }
    }

    /// The format of the image itself.
    pub fn format(&self) -> ImageFormat {
        self.0.format
    }

    /// The image and the files that it builds on or consists of, itself first.
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
        match &self.0.content {
            Content::Raw(access, _) | Content::Qcow2(access) => {
                guarded(|| Ok(access.read(buffer, offset)?))
            }
            Content::Flat(disk) => Ok(disk.read_at(offset, buffer)?),
        }
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
        let known = match &self.0.content {
            Content::Raw(_, file) => hole_at(file, offset),
            Content::Qcow2(_) => None,
            Content::Flat(disk) => Some(disk.extent_at(offset)),
        };
        if let Some((kind, len_bytes)) = known {
            return Ok(Extent {
                start: offset,
                len_bytes: len_bytes.min(left),
                kind,
            });
        }
        let (Content::Raw(access, _) | Content::Qcow2(access)) = &self.0.content else {
            return Err(Error::corrupt("its structures contradict each other"));
        };
        let (mapping, len_bytes) = guarded(|| Ok(access.get_mapping(offset, left)?))?;
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
        return Some((ExtentKind::Zero, data.saturating_sub(offset)));
    }
    let hole = seek(raw, SeekFrom::Hole(offset)).ok()?;
    (hole > offset).then(|| (ExtentKind::Data, hole.saturating_sub(offset)))
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn hole_at(_: &fs::File, _: u64) -> Option<(ExtentKind, u64)> {
    None
}

impl Opening<'_> {
    /// Opens an image with all that it builds on.
    fn image(
        &mut self,
        path: &Path,
        stated: Option<ImageFormat>,
    ) -> Result<(Content, ImageFormat)> {
        let path = path.canonicalize()?;
        if self.files.contains(&path) {
            return Err(Error::corrupt(format!(
                "{} builds on itself",
                path.display()
            )));
        }
        if self.files.len() >= MAX_CHAIN {
            return Err(Error::unsupported(format!(
                "the image builds on more than {MAX_CHAIN} others"
            )));
        }
        let file = self.file(&path)?;
        let format = match stated {
            Some(format) => check_stated(&file, &path, format)?,
            None => recognise(&file, &path)?,
        };
        if stated.is_none() && format == ImageFormat::Vmdk && !trust::is_vmdk_by_name(&path) {
            return Err(trust::refused(&path, "VMDK descriptor"));
        }
        let is_top = self.files.is_empty();
        self.files.push(path.clone());
        let content = match format {
            ImageFormat::Raw => {
                let raw = Raw::open_image(storage(&file, &path)?, false)?;
                Content::Raw(FormatAccess::new(raw), file)
            }
            ImageFormat::Qcow2 => {
                let may_name = |backing: &Path| {
                    stated.is_some() || (is_top && trust::may_build_on(&path, backing))
                };
                Content::Qcow2(self.qcow2(file, &path, may_name)?)
            }
            ImageFormat::Vmdk => Content::Flat(FlatDisk::open(file, &path, self)?),
        };
        Ok((content, format))
    }

    /// `may_name` says whether the image may build on a file.
    fn qcow2(
        &mut self,
        file: fs::File,
        path: &Path,
        may_name: impl Fn(&Path) -> bool,
    ) -> Result<FormatAccess<ImagoFile>> {
        let storage = storage(&file, path)?;
        qcow2::check_references(file, path)?;
        let mut qcow2 = Qcow2::<ImagoFile>::open_image(storage, false)
            .map_err(|error| damaged(path, &error))?;
        qcow2.set_data_file(None);
        let backing = match qcow2.implicit_backing_file() {
            None => None,
            Some(name) => {
                let backing = self.backing_path(path, name, may_name)?;
                let stated = qcow2.implicit_backing_format().map(String::as_str);
                Some(self.backing(&backing, stated)?)
            }
        };
        qcow2.set_backing(backing);
        Ok(FormatAccess::new(qcow2))
    }

    /// Where the image is that another one builds on, if it may.
    fn backing_path(
        &self,
        image: &Path,
        name: &str,
        may_name: impl Fn(&Path) -> bool,
    ) -> Result<PathBuf> {
        let plain = name.strip_prefix("file:").unwrap_or(name);
        // QEMU takes what stands before a colon in the first part of a name for a protocol.
        let first = plain.split('/').next().unwrap_or_default();
        if first.contains(':') && !image.with_file_name(plain).exists() {
            return Err(Error::unsupported(format!(
                "{} builds on {name}, which is not a plain file name and cannot be followed yet; give it \
                 one with qemu-img rebase -u, or convert the image with qemu-img",
                image.display()
            )));
        }
        // Before the file is looked at: whether it exists is nothing to tell a guest.
        let named = image.parent().unwrap_or(Path::new("/")).join(plain);
        if !may_name(&named) {
            return Err(trust::refused(image, "QCOW2 image"));
        }
        self.named(image, plain, "builds on")
    }

    fn backing(&mut self, path: &Path, stated: Option<&str>) -> Result<FormatAccess<ImagoFile>> {
        let stated = stated.map(ImageFormat::named).transpose()?;
        match self.image(path, stated)?.0 {
            Content::Raw(access, _) | Content::Qcow2(access) => Ok(access),
            Content::Flat(_) => Err(Error::unsupported(format!(
                "the image builds on {}, a VMDK image, which cannot be read yet",
                path.display()
            ))),
        }
    }

    /// Where the file is that an image names, if the image may open it.
    fn named(&self, image: &Path, name: &str, how: &str) -> Result<PathBuf> {
        let folder = image.parent().unwrap_or(Path::new("/"));
        let named = folder.join(name);
        let canonical = named.canonicalize().map_err(|error| {
            Error::corrupt(format!(
                "the image {how} {}, which cannot be opened: {error}",
                named.display()
            ))
        })?;
        if !self.allowed.allow(&canonical) {
            return Err(Error::BackingFileOutside { path: canonical });
        }
        Ok(canonical)
    }

    /// Opens one file, or takes its copy.
    fn file(&self, canonical: &Path) -> Result<fs::File> {
        if let Some(copy) = self.copies.get(canonical) {
            return Ok(copy.try_clone()?);
        }
        // Before it is opened: opening a pipe would wait for ever.
        if !fs::metadata(canonical)?.is_file() {
            return Err(Error::unsupported(format!(
                "{} is not a file",
                canonical.display()
            )));
        }
        Ok(fs::File::open(canonical)?)
    }
}

/// An open file for imago, which has its own place in it.
fn storage(file: &fs::File, path: &Path) -> Result<ImagoFile> {
    let options = StorageOpenOptions::new().write(false).filename(path);
    Ok(ImagoFile::from_open_file(file.try_clone()?, options)?)
}

fn damaged(path: &Path, error: &std::io::Error) -> Error {
    Error::corrupt(format!(
        "{} is not a sound QCOW2 image: {error}",
        path.display()
    ))
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
        let cases: [(&[u8], &str); 4] = [
            (b"KDMV\0\0\0\x01", "sparse VMDK"),
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

    /// A disk of zeros as QEMU writes it, one cluster of each table, that builds on a file.
    fn overlay_of(backing: &str, format: Option<&str>) -> Vec<u8> {
        let mut bytes = vec![0; 4 << 16];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, b"QFI\xfb\0\0\0\x03");
        put(8, &512_u64.to_be_bytes());
        put(16, &u32::try_from(backing.len()).unwrap().to_be_bytes());
        put(20, &16_u32.to_be_bytes());
        put(24, &65536_u64.to_be_bytes());
        put(36, &1_u32.to_be_bytes());
        put(40, &(3_u64 << 16).to_be_bytes());
        put(48, &(1_u64 << 16).to_be_bytes());
        put(56, &1_u32.to_be_bytes());
        put(96, &4_u32.to_be_bytes());
        put(100, &104_u32.to_be_bytes());
        if let Some(format) = format {
            put(104, &0xe279_2aca_u32.to_be_bytes());
            put(108, &u32::try_from(format.len()).unwrap().to_be_bytes());
            put(112, format.as_bytes());
        }
        put(512, backing.as_bytes());
        put(1 << 16, &(2_u64 << 16).to_be_bytes());
        for cluster in 0..4 {
            put((2 << 16) + cluster * 2, &[0, 1]);
        }
        bytes
    }

    fn first_byte(image: &Image) -> u8 {
        let mut byte = [0];
        image.read_at(0, &mut byte).unwrap();
        byte[0]
    }

    #[test]
    fn what_is_stated_to_be_raw_is_raw_whatever_its_guest_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let allowed = AllowedRoots::new([folder.path().to_owned()]);
        write(folder.path(), "victim.raw", &[7; 65536]);
        for name in ["disk.raw", "disk.qcow2", "disk.vmdk"] {
            for bytes in [overlay_of("victim.raw", Some("raw")), vec![7; 4096]] {
                let path = write(folder.path(), name, &bytes);
                let raw = Some(ImageFormat::Raw);
                let image = Image::open_as(&path, raw, &allowed, &BTreeMap::new()).unwrap();
                assert_eq!(image.files().len(), 1);
                assert_eq!(first_byte(&image), bytes[0]);
            }
        }
        let path = write(folder.path(), "plain", &[7; 4096]);
        for format in [ImageFormat::Qcow2, ImageFormat::Vmdk] {
            let opened = Image::open_as(&path, Some(format), &allowed, &BTreeMap::new());
            assert!(matches!(opened, Err(Error::Corrupt { .. })), "{opened:?}");
        }
    }

    #[test]
    fn a_name_that_a_guest_could_have_written_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let allowed = AllowedRoots::new([folder.path().to_owned()]);
        write(folder.path(), "victim.raw", &[7; 65536]);
        write(
            folder.path(),
            "web.qcow2",
            &overlay_of("victim.raw", Some("raw")),
        );
        let names = [
            ("disk.raw", "victim.raw", false),
            ("disk.img", "victim.raw", false),
            ("disk.qcow2.raw", "victim.raw", false),
            ("disk.1", "victim.raw", false),
            ("victim.1", "victim.raw", false),
            ("4dea22b3-1d52-d8f3-2516-782e98ab3fa0", "victim.raw", false),
            ("disk.unknown", "victim.raw", false),
            ("disk.qcow2", "victim.raw", true),
            // As libvirt names external snapshots.
            ("victim.before-update", "victim.raw", true),
            ("victim.before-update", "./sub/../victim.raw", false),
        ];
        for (name, backing, is_followed) in names {
            let path = write(folder.path(), name, &overlay_of(backing, Some("raw")));
            match Image::open(&path, &allowed) {
                Ok(image) => {
                    assert!(is_followed, "{name}");
                    assert_eq!(first_byte(&image), 7);
                }
                Err(error) => {
                    assert!(!is_followed, "{name}: {error}");
                    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
                    assert!(error.to_string().contains("state its format"), "{error}");
                }
            }
        }
        let path = write(
            folder.path(),
            "flat.img",
            b"# Disk DescriptorFile\nRW 128 FLAT \"victim.raw\" 0\n",
        );
        let error = Image::open(&path, &allowed).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }

    #[test]
    fn a_backing_file_is_what_the_image_above_says_and_follows_no_name_where_it_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let allowed = AllowedRoots::new([folder.path().to_owned()]);
        write(folder.path(), "victim.raw", &[7; 65536]);
        let guests = overlay_of("victim.raw", Some("raw"));
        write(folder.path(), "base.qcow2", &guests);
        let open = |format| {
            let top = write(
                folder.path(),
                "top.qcow2",
                &overlay_of("base.qcow2", format),
            );
            Image::open(&top, &allowed)
        };
        assert_eq!(first_byte(&open(Some("qcow2")).unwrap()), 7);
        assert_eq!(first_byte(&open(Some("raw")).unwrap()), guests[0]);
        let error = open(None).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        let error = open(Some("vdi")).unwrap_err();
        assert!(error.to_string().contains("vdi"), "{error}");

        let top = write(folder.path(), "top.qcow2", &overlay_of("victim.raw", None));
        assert_eq!(first_byte(&Image::open(&top, &allowed).unwrap()), 7);
        let json = overlay_of("json:{\"file\":\"victim.raw\"}", Some("raw"));
        let error = Image::open(&write(folder.path(), "top.qcow2", &json), &allowed).unwrap_err();
        assert!(error.to_string().contains("json:"), "{error}");
    }

    #[test]
    fn sound_features_that_cannot_be_read_are_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = overlay_of("base.raw", None);
        for (bit, name, remedy) in [
            (0, "not closed", "qemu-img check -r"),
            (2, "data in another file", "qemu-img convert"),
            (3, "zstd", "qemu-img convert"),
            (4, "subclusters", "qemu-img convert"),
            (40, "bit 40", "qemu-img convert"),
        ] {
            bytes[72..80].copy_from_slice(&(1_u64 << bit).to_be_bytes());
            let path = write(folder.path(), "disk.qcow2", &bytes);
            let error = Image::open(&path, &AllowedRoots::new([])).unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(name) && text.contains(remedy), "{text}");
        }
    }
}
