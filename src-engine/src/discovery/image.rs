//! What an image file says about itself, and which files are images at all.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use sendense_disk::{AllowedRoots, Image, ImageFormat};

use super::extension::extension;
use crate::unclear::permission_remedy;

/// Formats by the extension that their tools give them, readable or not: what cannot be read is
/// listed with the reason, not left out.
const EXTENSIONS: [&str; 14] = [
    "raw", "img", "dd", "qcow2", "qcow", "qed", "vmdk", "vdi", "vhd", "vhdx", "avhd", "avhdx",
    "hds", "hdd",
];

/// The text of a descriptor is shorter; what it describes need not be.
const MAX_DESCRIPTOR_BYTES: u64 = 64 * 1024;

/// An image file, as far as it could be opened.
pub(crate) struct ImageFile {
    pub(crate) path: PathBuf,
    /// The image and what it builds on, links resolved; the image alone where it cannot be opened.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) size_bytes: Option<u64>,
    /// The format that the description states.
    pub(crate) stated: Option<ImageFormat>,
    /// Why it cannot be backed up, and what to do about it.
    pub(crate) problem: Option<String>,
}

/// What an image file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Disk,
    /// Part of an image whose description lies beside it.
    Part,
    /// What a firmware remembers, in the form of an image.
    Nvram,
}

impl ImageFile {
    /// Opens an image of a VM in the folder `roots[0]` or the places that belong to it, outside of which
    /// nothing is opened: whoever can write a description or a link must not be able to have any file of
    /// this computer backed up.
    pub(crate) fn open(path: &Path, roots: &[PathBuf], format: Option<&str>) -> Self {
        let stated = format.map(ImageFormat::named).transpose();
        let failed = |files: Vec<PathBuf>, problem: String| Self {
            path: path.to_path_buf(),
            files,
            size_bytes: None,
            stated: stated.as_ref().ok().copied().flatten(),
            problem: Some(problem),
        };
        let canonical = match path.canonicalize() {
            Ok(canonical) => canonical,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return failed(Vec::new(), format!("{} does not exist", path.display()));
            }
            Err(error) => {
                return failed(Vec::new(), cannot_read(path, &error));
            }
        };
        if !roots.iter().any(|root| canonical.starts_with(root)) {
            let problem = format!(
                "{} lies outside the chosen folder {}; choose a folder that holds both",
                canonical.display(),
                roots
                    .first()
                    .map(|root| root.display().to_string())
                    .unwrap_or_default()
            );
            return failed(vec![canonical], problem);
        }
        if path.to_str().is_none() {
            let problem = "its path is not valid Unicode text; rename it".to_owned();
            return failed(vec![canonical], problem);
        }
        let allowed = AllowedRoots::new(roots.to_vec());
        let opened = match &stated {
            Ok(stated) => Image::open_as(&canonical, *stated, &allowed, &BTreeMap::new()),
            Err(error) => return failed(vec![canonical], error.to_string()),
        };
        match opened {
            Ok(image) if image.size_bytes() == 0 => {
                failed(vec![canonical], "the image is empty".to_owned())
            }
            Ok(image) => Self {
                path: path.to_path_buf(),
                files: image.files().to_vec(),
                size_bytes: Some(image.size_bytes()),
                stated: stated.ok().flatten(),
                problem: None,
            },
            Err(error) => failed(vec![canonical], in_words(path, error)),
        }
    }

    /// What makes two paths the same image.
    pub(crate) fn identity(&self) -> &Path {
        self.files.first().unwrap_or(&self.path)
    }
}

fn in_words(path: &Path, error: sendense_disk::Error) -> String {
    match error {
        sendense_disk::Error::Io(error) => cannot_read(path, &error),
        sendense_disk::Error::BackingFileOutside { path } => format!(
            "the image builds on {}, which lies outside the chosen folder; choose a folder that holds both",
            path.display()
        ),
        other => other.to_string(),
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "{} cannot be read: permission denied; {}",
            path.display(),
            permission_remedy(path)
        ),
        _ => format!("{} cannot be read: {error}", path.display()),
    }
}

/// Whether a file is an image, by its name, or by its first bytes where the name says nothing.
pub(crate) fn is_image(path: &Path) -> bool {
    let extension = extension(path);
    if EXTENSIONS.contains(&extension.as_str()) || is_numbered(path) {
        return true;
    }
    // Overlays are often named after a snapshot (`web.before-update`); raw images without a telling
    // name could be anything.
    !matches!(extension.as_str(), "partial" | "iso" | "fd" | "nvram") && is_qcow2(path)
}

/// OpenNebula numbers disks (`disk.1`), others what they copy (`web.img.1`).
fn is_numbered(path: &Path) -> bool {
    let number = extension(path);
    let stem = Path::new(path.file_stem().unwrap_or_default());
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && (stem == Path::new("disk") || EXTENSIONS.contains(&extension(stem).as_str()))
}

fn is_qcow2(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut magic).is_ok())
        && magic == *b"QFI\xfb"
}

/// What a VMware snapshot is the difference to, links resolved: the disk as it was, and so no disk of a VM.
/// Such images cannot be opened, but their descriptors tell.
pub(crate) fn snapshot_parent(path: &Path) -> Option<PathBuf> {
    if extension(path) != "vmdk" {
        return None;
    }
    let mut head = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_DESCRIPTOR_BYTES)
        .read_to_end(&mut head)
        .ok()?;
    if !head.starts_with(b"# Disk DescriptorFile") {
        return None;
    }
    let text = String::from_utf8_lossy(&head);
    let hint = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("parentFileNameHint"))?;
    let name = hint.trim().strip_prefix('=')?.trim().trim_matches('"');
    path.parent()?.join(name).canonicalize().ok()
}

/// What an image is for, by its name.
pub(crate) fn role(path: &Path) -> Role {
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    if stem.ends_with("_vars") || stem.ends_with("-nvram") || stem.ends_with("_nvram") {
        return Role::Nvram;
    }
    if extension(path) == "vmdk" && is_vmdk_part(&stem) {
        return Role::Part;
    }
    Role::Disk
}

/// Whether a file is all of a disk, whose descriptor is elsewhere.
pub(crate) fn is_flat_part(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| {
        stem.to_string_lossy()
            .to_ascii_lowercase()
            .ends_with("-flat")
    })
}

/// VMware names the files of one image after its descriptor: `web-flat.vmdk`, `web-s001.vmdk`,
/// `web-f001.vmdk`, `web-ctk.vmdk`, `web-delta.vmdk`.
fn is_vmdk_part(stem: &str) -> bool {
    let Some((_, suffix)) = stem.rsplit_once('-') else {
        return false;
    };
    match suffix.split_at_checked(1) {
        Some(("s" | "f", number))
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            true
        }
        _ => matches!(
            suffix,
            "flat" | "ctk" | "delta" | "sesparse" | "rdm" | "rdmp"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_firmware_memory_are_no_disks() {
        for (name, expected) in [
            ("web.vmdk", Role::Disk),
            ("web-server.vmdk", Role::Disk),
            ("web-flat.vmdk", Role::Part),
            ("web-s001.vmdk", Role::Part),
            ("web-f12.vmdk", Role::Part),
            ("web-1-ctk.vmdk", Role::Part),
            ("web-s.vmdk", Role::Disk),
            ("data-flat.raw", Role::Disk),
            ("web_VARS.qcow2", Role::Nvram),
            ("my_vars.img", Role::Nvram),
        ] {
            assert_eq!(role(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn images_are_known_by_name_or_by_their_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        assert!(is_image(&file("a.IMG", b"")));
        assert!(is_image(&file("a.vdi", b"")));
        assert!(is_image(&file("disk.1", b"")));
        assert!(is_image(&file("web.img.1", b"")));
        assert!(!is_image(&file("notes.1", b"")));
        assert!(is_image(&file("web.before-update", b"QFI\xfb....")));
        assert!(!is_image(&file("web.iso", b"QFI\xfb....")));
        assert!(!is_image(&file("unfinished.qcow2.partial", b"QFI\xfb....")));
        assert!(!is_image(&file("notes.txt", b"hello")));
        assert!(!is_image(&file("noextension", b"")));
    }
}
