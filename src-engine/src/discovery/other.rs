//! Large files whose names do not say that they are disks: each is a disk, or is listed as left out.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use sendense_disk::{AllowedRoots, Content, Image, ImageFormat, volumes};

use super::extension::extension;

/// Nothing smaller is a disk that anybody would miss.
pub(crate) const LEAST_BYTES: u64 = 1 << 20;

/// What a file is for.
pub(crate) enum Other {
    /// A raw disk, by what is on it.
    Disk,
    /// No disk, or none that is known to be one; why, and what to do about it.
    LeftOut(&'static str),
}

/// Endings of what lies beside disks, with what it is.
const KNOWN: &[(&str, &str)] = &[
    ("iso", "an image of a CD or DVD"),
    ("fd", "firmware"),
    ("nvram", "what a firmware remembers"),
    ("vmem", "the memory of the VM, kept by a snapshot"),
    ("vmsn", "the state of a snapshot"),
    ("vmss", "the state of the VM, which was suspended"),
    ("vswp", "swap space of the hypervisor"),
    ("sav", "the state of the VM, which was saved"),
    ("save", "the state of the VM, which was saved"),
    ("vsv", "the state of the VM, which was saved"),
    ("log", "a log"),
    ("lck", "a lock"),
    ("partial", "unfinished"),
    ("part", "unfinished"),
    ("tmp", "unfinished"),
    ("ova", "an archive: import or unpack it first"),
    ("zip", "an archive: unpack it first"),
    ("7z", "an archive: unpack it first"),
    ("tar", "an archive: unpack it first"),
    ("gz", "compressed: unpack it first"),
    ("xz", "compressed: unpack it first"),
    ("zst", "compressed: unpack it first"),
    ("bz2", "compressed: unpack it first"),
];

/// Looks at a file.
pub(crate) fn look(path: &Path) -> Other {
    let ending = extension(path);
    if let Some((_, what)) = KNOWN.iter().find(|(known, _)| *known == ending) {
        return Other::LeftOut(what);
    }
    if is_raw_disk(path) {
        Other::Disk
    } else {
        Other::LeftOut(
            "neither its name nor its first bytes tell that it is a disk: name it .raw if it is one",
        )
    }
}

/// Whether a file read as a raw disk holds anything that has a name. Nothing in it is followed.
fn is_raw_disk(path: &Path) -> bool {
    let size = fs::metadata(path).map_or(0, |file| file.len());
    if !size.is_multiple_of(512) {
        return false;
    }
    let allowed = AllowedRoots::new([]);
    let found = Image::open_as(path, Some(ImageFormat::Raw), &allowed, &BTreeMap::new())
        .and_then(|image| volumes(&image));
    found.is_ok_and(|layout| {
        layout.volumes.iter().any(|volume| match &volume.content {
            Content::Readable(_) => true,
            Content::Unreadable(what) => !matches!(what.name.as_str(), "unknown" | "empty"),
        }) || layout.volumes.len() > 1
    })
}

/// What oVirt writes beside each disk of a storage domain.
pub(crate) struct OvirtDisk {
    pub(crate) format: Option<&'static str>,
    /// What the disk is called there.
    pub(crate) alias: Option<String>,
}

/// The `.meta` beside a disk of oVirt.
pub(crate) fn ovirt(path: &Path) -> Option<OvirtDisk> {
    let mut meta = path.as_os_str().to_owned();
    meta.push(".meta");
    let meta = PathBuf::from(meta);
    let is_small = fs::metadata(&meta).is_ok_and(|file| file.len() < 64 << 10);
    let text = is_small.then(|| fs::read_to_string(&meta).ok())??;
    let field = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    let format = match field("FORMAT")? {
        "RAW" => Some("raw"),
        "COW" => Some("qcow2"),
        _ => None,
    };
    let description: Option<serde_json::Value> =
        field("DESCRIPTION").and_then(|text| serde_json::from_str(text).ok());
    let alias = description.and_then(|it| it["DiskAlias"].as_str().map(str::to_owned));
    Some(OvirtDisk {
        format,
        alias: alias.filter(|alias| !alias.is_empty()),
    })
}
