//! How entries and volumes look on the wire (contract 3.8).

use jiff::Timestamp;
use sendense_disk::{Content, DataStream, Entry, EntryKind, Volume};
use serde::Serialize;

use super::path::{RequestPath, volume_folder};

/// One row of a listing; keys and their order as documented.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileRow {
    /// For the eye: what is not text shows as U+FFFD.
    pub name: String,
    /// For every further call: lossless.
    pub path: String,
    /// Links and special files count as files, as on every hub.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// 0 for folders.
    pub size: u64,
    /// Permission bits, four octal digits.
    pub mode: String,
    /// `null` where the filesystem has none, or one outside the years 0 to 9999.
    pub modified_time: Option<Timestamp>,
    /// It is a link.
    pub is_symlink: bool,
    /// Where a link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symlink_target: Option<String>,
    /// Why it can be seen but not opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Its alternate data streams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamRow>,
    /// In a recursive listing: what of this folder could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<String>,
    /// The number by which the filesystem knows a folder, to notice one that is inside itself.
    #[serde(skip)]
    pub id: u64,
}

/// An alternate data stream of an entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamRow {
    /// Lossless, for the query of a download.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Why it cannot be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

impl StreamRow {
    fn of(stream: &DataStream) -> Self {
        Self {
            name: stream.name.to_path_text(),
            size: stream.size_bytes,
            unreadable: stream.unreadable.clone(),
        }
    }
}

/// Keys beside the documented ones are left out where the documented shape is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowShape {
    /// Exactly the documented keys.
    Documented,
    /// With `symlink_target`, `unreadable`, `streams` and `damage`.
    Extended,
}

impl FileRow {
    /// The row of an entry of the folder `folder`.
    pub(crate) fn of_entry(
        folder: &RequestPath,
        entry: &Entry,
        link_target: Option<String>,
    ) -> Self {
        Self {
            name: entry.name.display(),
            path: folder.child(&entry.name.to_path_text()),
            kind: if entry.kind == EntryKind::Directory {
                "directory"
            } else {
                "file"
            },
            size: if entry.kind == EntryKind::Directory {
                0
            } else {
                entry.size_bytes
            },
            mode: format!("{:04o}", entry.mode & 0o7777),
            modified_time: entry.modified,
            is_symlink: entry.kind == EntryKind::Symlink,
            symlink_target: link_target,
            unreadable: why_unreadable(entry),
            streams: entry.streams.iter().map(StreamRow::of).collect(),
            damage: Vec::new(),
            id: entry.id,
        }
    }

    /// The folder that stands for a volume at the root of a mount.
    pub(crate) fn of_volume(volume: &Volume, mounted_at: Timestamp) -> Self {
        let folder = volume_folder(volume.number);
        Self {
            name: volume_name(volume.number, volume.label.as_deref(), volume.size_bytes),
            path: format!("/{folder}"),
            unreadable: match &volume.content {
                Content::Readable(_) => None,
                Content::Unreadable(reason) => Some(reason.to_string()),
            },
            ..Self::of_root(mounted_at)
        }
    }

    /// The root of a mount.
    pub(crate) fn of_root(mounted_at: Timestamp) -> Self {
        Self {
            name: "/".to_owned(),
            path: "/".to_owned(),
            kind: "directory",
            size: 0,
            mode: "0555".to_owned(),
            modified_time: Some(mounted_at),
            is_symlink: false,
            symlink_target: None,
            unreadable: None,
            streams: Vec::new(),
            damage: Vec::new(),
            id: 0,
        }
    }

    /// Drops the keys that a shape does not have.
    pub(crate) fn in_shape(mut self, shape: RowShape) -> Self {
        if shape == RowShape::Documented {
            self.symlink_target = None;
            self.unreadable = None;
            self.streams = Vec::new();
            self.damage = Vec::new();
        }
        self
    }
}

/// Why an entry cannot be downloaded, or `None` where it can, or is a folder or link.
pub(crate) fn why_unreadable(entry: &Entry) -> Option<String> {
    if entry.unreadable.is_some() {
        return entry.unreadable.clone();
    }
    let special = match entry.kind {
        EntryKind::File | EntryKind::Directory | EntryKind::Symlink => return None,
        EntryKind::Fifo => "named pipe",
        EntryKind::Socket => "socket",
        EntryKind::CharDevice => "character device",
        EntryKind::BlockDevice => "block device",
        EntryKind::Other => "special file",
    };
    Some(format!("{special}: it has no content of its own"))
}

/// `Partition 2 - DATA (100.4 GB)`, as deployed hubs call it.
fn volume_name(number: u32, label: Option<&str>, size_bytes: u64) -> String {
    let size = size_text(size_bytes);
    match label.map(str::trim).filter(|label| !label.is_empty()) {
        Some(label) => format!("Partition {number} - {label} ({size})"),
        None => format!("Partition {number} ({size})"),
    }
}

/// A size as deployed hubs print it: one decimal, 1024 units that are called GB.
pub(crate) fn size_text(size_bytes: u64) -> String {
    size_with_units(size_bytes, ["B", "KB", "MB", "GB", "TB", "PB"])
}

/// The same size in the words of this hub: the label matches the arithmetic.
pub(crate) fn binary_size_text(size_bytes: u64) -> String {
    size_with_units(size_bytes, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
}

fn size_with_units(size_bytes: u64, units: [&str; 6]) -> String {
    let mut size = size_bytes as f64;
    let mut units = units.into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    format!("{size:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_named_as_on_deployed_hubs() {
        let gib = 1u64 << 30;
        assert_eq!(
            volume_name(1, None, gib * 1004 / 10),
            "Partition 1 (100.4 GB)"
        );
        assert_eq!(
            volume_name(2, Some("New Volume"), 549 << 20),
            "Partition 2 - New Volume (549.0 MB)"
        );
        assert_eq!(
            volume_name(3, Some("   "), 2 << 40),
            "Partition 3 (2.0 TB)",
            "FAT pads its labels"
        );
        assert_eq!(binary_size_text(40 * gib), "40.0 GiB");
        assert_eq!(size_text(0), "0.0 B");
    }

    #[test]
    fn the_documented_shape_has_the_documented_keys_only() {
        let row = FileRow {
            name: "a".to_owned(),
            path: "/a".to_owned(),
            kind: "file",
            size: 1,
            mode: "0777".to_owned(),
            modified_time: Some("2025-09-02T06:21:20.1985298Z".parse().unwrap()),
            is_symlink: true,
            symlink_target: Some("b".to_owned()),
            unreadable: Some("encrypted".to_owned()),
            streams: vec![StreamRow {
                name: "Zone.Identifier".to_owned(),
                size: 26,
                unreadable: None,
            }],
            damage: vec!["names are missing".to_owned()],
            id: 5,
        };
        let json = serde_json::to_string(&row.clone().in_shape(RowShape::Documented)).unwrap();
        assert_eq!(
            json,
            r#"{"name":"a","path":"/a","type":"file","size":1,"mode":"0777","modified_time":"2025-09-02T06:21:20.1985298Z","is_symlink":true}"#
        );
        let json = serde_json::to_string(&row.in_shape(RowShape::Extended)).unwrap();
        assert!(
            json.ends_with(concat!(
                r#""symlink_target":"b","unreadable":"encrypted","#,
                r#""streams":[{"name":"Zone.Identifier","size":26}],"damage":["names are missing"]}"#
            )),
            "{json}"
        );
    }
}
