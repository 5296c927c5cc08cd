//! Why it cannot be told which files hold the disks of a VM, and why its description does not say so.

use std::{
    io,
    path::{Path, PathBuf},
};

use quick_xml::events::attributes::AttrError;

/// Why it cannot be told which files hold the disks of a VM, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Unclear {
    /// Nothing can be learned from the description.
    #[error(transparent)]
    Description(#[from] BadDescription),
    /// The description says something else than when the VM was discovered.
    #[error("the description of the VM, {}, {change}; discover the VM again", path.display())]
    DescriptionChanged {
        /// The description.
        path: PathBuf,
        /// What is new.
        change: Change,
    },
    /// The description states a format that is none.
    #[error("disk {disk_index}, {file}: {source}")]
    Format {
        /// The disk.
        disk_index: u32,
        /// As the description names it.
        file: String,
        /// What is wrong with the format.
        source: sendense_disk::Error,
    },
    /// The description names an image that is not the last one.
    #[error(
        "disk {disk_index} is {} says the description of the VM, but {} builds on it and is newer: merge the \
         two (qemu-img commit), or name the newer one in the description",
        described.display(),
        newest.display()
    )]
    NewerThanDescribed {
        /// The disk.
        disk_index: u32,
        /// What the description names.
        described: PathBuf,
        /// The last image that builds on it.
        newest: PathBuf,
    },
    /// The VM may have merged its disk into an older image and continued there.
    #[error(
        "which file disk {disk_index} is now cannot be told: {} was written to after {}, which builds on \
         it; remove the one that is not in use, then discover the VM again",
        base.display(),
        disk.display()
    )]
    NewerBase {
        /// The disk.
        disk_index: u32,
        /// The older image.
        base: PathBuf,
        /// The image that builds on it.
        disk: PathBuf,
    },
    /// Snapshots cannot be looked for.
    #[error(
        "whether disk {disk_index} has a newer snapshot cannot be told: the folder of {} cannot be read: {source}",
        disk.display()
    )]
    FolderUnreadable {
        /// The disk.
        disk_index: u32,
        /// Its file.
        disk: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Two snapshots build on one image.
    #[error(
        "which file disk {disk_index} is now cannot be told: {} and {} both build on {}; remove or merge \
         the one that is not in use, or discover the VM again",
        overlays[0].display(),
        overlays[1].display(),
        base.display()
    )]
    TwoOverlays {
        /// The disk.
        disk_index: u32,
        /// The two.
        overlays: [PathBuf; 2],
        /// What they build on.
        base: PathBuf,
    },
    /// Images that build on each other.
    #[error("the images that build on disk {disk_index} build on each other in a circle")]
    Circle {
        /// The disk.
        disk_index: u32,
    },
}

/// What a description says now and did not when its VM was discovered.
#[derive(Debug, thiserror::Error)]
pub enum Change {
    /// It describes no VM.
    #[error("is none any more")]
    NoDescription,
    /// Disks came or went.
    #[error("names {n_named} disks now, and {n_known} are known")]
    OtherDisks {
        /// So many it names.
        n_named: usize,
        /// So many there were.
        n_known: usize,
    },
    /// A disk is something else than a file.
    #[error("names no image file for disk {disk_index} any more")]
    NoFile {
        /// The disk.
        disk_index: u32,
    },
    /// Not to be followed.
    #[error(
        "names {} for disk {disk_index}, which lies outside the folder that was chosen",
        file.display()
    )]
    Outside {
        /// The disk.
        disk_index: u32,
        /// Its file.
        file: PathBuf,
    },
}

/// Why a file that should describe a VM does not.
#[derive(Debug, thiserror::Error)]
pub enum BadDescription {
    /// It cannot be read.
    #[error("the description {} cannot be read: {source}; {}", path.display(), permission_remedy(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no XML document.
    #[error("the description is not a sound XML file: {0}")]
    NotXml(#[from] NotXml),
    /// It is about something else.
    #[error("the description is not a VirtualBox machine")]
    NotVirtualBox,
}

/// Why a text is no XML document.
#[derive(Debug, thiserror::Error)]
pub enum NotXml {
    /// Its markup is wrong.
    #[error(transparent)]
    Markup(#[from] quick_xml::Error),
    /// The attributes of an element are wrong.
    #[error(transparent)]
    Attribute(#[from] AttrError),
    /// Walking it could exhaust the stack.
    #[error("it nests too deep")]
    TooDeep,
    /// An element has no end.
    #[error("it ends early")]
    EndsEarly,
    /// It has no element.
    #[error("it is empty")]
    Empty,
}

/// What to do about a file of somebody else, usually of the system.
pub(crate) fn permission_remedy(path: &Path) -> String {
    if cfg!(target_os = "linux") {
        format!(
            "let your user read it, for instance with: sudo setfacl -R -m u:$USER:rX '{}'",
            path.display()
        )
    } else {
        "let your user read it".to_owned()
    }
}
