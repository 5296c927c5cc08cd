//! Mounts and files.

use jiff::Timestamp;
use sendense_types::{
    BackupId, FileEntry, FileKind, FileStream, Listing, LiveMachine, LiveMachineId, Mount, MountId,
    MountSlots, MountStatus, NbdExport,
};
use serde_json::Value;

use super::Fields;
use crate::Result;

/// `POST /restore/mount`.
pub(in crate::hub) fn mount(answer: &Value) -> Result<Mount> {
    decode_mount(Fields::of(answer)?)
}

/// `GET /restore/mounts`.
pub(in crate::hub) fn mounts(answer: &Value) -> Result<Vec<Mount>> {
    Fields::of(answer)?.list(&["mounts"], decode_mount)
}

/// `GET /restore/resources`; `None` where it says too little.
pub(in crate::hub) fn mount_slots(answer: &Value) -> Result<Option<MountSlots>> {
    let fields = Fields::of(answer)?;
    let slots = fields
        .small_count(&["active_mounts"])
        .zip(fields.small_count(&["max_mounts"]));
    Ok(slots.map(|(used, most)| MountSlots { used, most }))
}

fn decode_mount(fields: Fields<'_>) -> Result<Mount> {
    let backup_id = fields.text(&["backup_id"]).map(BackupId::new);
    Ok(Mount {
        mount_id: MountId::new(fields.required("mount_id")?),
        // Lists of deployed hubs say "" and 0 for "unknown" (contract D42).
        disk_index: fields
            .small_count(&["disk_index"])
            .filter(|_| backup_id.is_some()),
        backup_id,
        backup_disk_id: fields.count(&["backup_disk_id"]),
        filesystem_type: fields.text(&["filesystem_type"]),
        status: match fields.text(&["status"]).as_deref() {
            Some("mounting") => MountStatus::Mounting,
            Some("mounted") => MountStatus::Mounted,
            _ => MountStatus::Unknown,
        },
        created_at: fields.time("created_at"),
        expires_at: fields.time("expires_at"),
    })
}

/// `POST /restore/{mount_id}/nbd`.
pub(in crate::hub) fn nbd_export(answer: &Value) -> Result<NbdExport> {
    let fields = Fields::of(answer)?;
    let port = fields.count(&["port"]);
    Ok(NbdExport {
        mount_id: MountId::new(fields.required("mount_id")?),
        address: fields.required("address")?,
        port: port
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or_default(),
        export_name: fields.required("export_name")?,
        uri: fields.required("uri")?,
        size_bytes: fields.count(&["size_bytes"]).unwrap_or_default(),
    })
}

/// `POST /restore/live-machines`.
pub(in crate::hub) fn live_machine(answer: &Value) -> Result<LiveMachine> {
    decode_machine(Fields::of(answer)?)
}

/// `GET /restore/live-machines`.
pub(in crate::hub) fn live_machines(answer: &Value) -> Result<Vec<LiveMachine>> {
    Fields::of(answer)?.list(&["machines"], decode_machine)
}

fn decode_machine(fields: Fields<'_>) -> Result<LiveMachine> {
    Ok(LiveMachine {
        id: LiveMachineId::new(fields.required("id")?),
        backup_id: BackupId::new(fields.required("backup_id")?),
        vm_name: fields.text_or_empty("vm_name"),
        folder: fields.required("folder")?,
        definition: fields.required("definition")?,
        created_at: fields.time("created_at"),
        assumed: fields.texts("assumed"),
    })
}

/// `GET /restore/{mount_id}/files`.
pub(in crate::hub) fn listing(answer: &Value, mount_id: &MountId, path: &str) -> Result<Listing> {
    let fields = Fields::of(answer)?;
    let mut files = fields.list(&["files"], decode_file)?;
    if path == "/" {
        for partition in files.iter_mut().filter(|entry| is_partition(entry)) {
            if let Some(name) = without_escapes(&partition.name) {
                partition.name = name;
            }
        }
    }
    Ok(Listing {
        mount_id: mount_id.clone(),
        path: fields.text(&["path"]).unwrap_or_else(|| path.to_owned()),
        files,
        damage: fields.texts("damage"),
        passed_over: fields.texts("passed_over"),
    })
}

/// Whether an entry is the virtual folder of a partition (contract D45).
pub(in crate::hub) fn is_partition(entry: &FileEntry) -> bool {
    entry.kind == FileKind::Directory && is_partition_path(&entry.path)
}

/// Whether a path is that of such a folder.
pub(in crate::hub) fn is_partition_path(path: &str) -> bool {
    let number = path.strip_prefix("/partition-");
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// What the listing of a root says of a partition: its size in bytes, which is 0 on our hub, and when it was mounted.
pub(in crate::hub) fn partition_of(root: &Value, path: &str) -> Result<Option<(u64, Timestamp)>> {
    let decode = |row: Fields<'_>| {
        let is_it = row.text(&["path"]).is_some_and(|known| known == path);
        Ok(is_it.then_some(row.count(&["size"]).zip(row.time("modified_time"))))
    };
    let rows = Fields::of(root)?.list(&["files"], decode)?;
    Ok(rows.into_iter().flatten().next().flatten())
}

/// A name for the eye: deployed hubs take labels from a tool that writes blanks and what is no ASCII as `\xHH`
/// (contract 6.2). `None` where nothing is written so, or it does not lead to a name.
fn without_escapes(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut parts = name.split("\\x");
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    let decoded = String::from_utf8(bytes).ok()?;
    (decoded != name && !decoded.chars().any(char::is_control)).then_some(decoded)
}

/// `GET /restore/{mount_id}/file-info`.
pub(in crate::hub) fn file(answer: &Value) -> Result<FileEntry> {
    decode_file(Fields::of(answer)?)
}

fn decode_file(fields: Fields<'_>) -> Result<FileEntry> {
    let kind = match fields.text(&["type"]).as_deref() {
        Some("file") => FileKind::File,
        Some("directory") => FileKind::Directory,
        _ => FileKind::Unknown,
    };
    Ok(FileEntry {
        name: fields.text_or_empty("name"),
        path: fields.required("path")?,
        kind,
        size: fields
            .count(&["size"])
            .filter(|_| kind != FileKind::Directory),
        mode: fields.text(&["mode"]),
        modified_time: fields.time("modified_time"),
        is_symlink: fields.flag("is_symlink"),
        symlink_target: fields.text(&["symlink_target"]),
        unreadable: fields.text(&["unreadable"]),
        streams: fields.list(&["streams"], decode_stream)?,
    })
}

fn decode_stream(fields: Fields<'_>) -> Result<FileStream> {
    Ok(FileStream {
        name: fields.required("name")?,
        size: fields.count(&["size"]),
        unreadable: fields.text(&["unreadable"]),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Contract D42.
    #[test]
    fn a_mount_says_what_it_is_of_and_a_list_does_not() {
        let sample = include_str!("samples/documented/mount.json");
        let mounted = mount(&serde_json::from_str(sample).unwrap()).unwrap();
        assert_eq!(mounted.status, MountStatus::Mounted);
        assert_eq!(mounted.disk_index, Some(0));
        for sample in [
            include_str!("samples/documented/mounts.json"),
            include_str!("samples/deployed/mounts.json"),
        ] {
            let mounts = mounts(&serde_json::from_str(sample).unwrap()).unwrap();
            assert_eq!(mounts[0].backup_id, None);
            assert_eq!(mounts[0].disk_index, None);
            assert!(mounts[0].expires_at.is_some());
        }
    }

    /// Contract D46.
    #[test]
    fn files_keep_their_path_and_folders_have_no_size() {
        let sample = include_str!("samples/documented/files.json");
        let listing = listing(
            &serde_json::from_str(sample).unwrap(),
            &MountId::from("m"),
            "/",
        )
        .unwrap();
        assert_eq!(listing.files[0].path, "/$RECYCLE.BIN");
        assert_eq!(listing.files[0].kind, FileKind::Directory);
        assert_eq!(listing.files[0].size, None, "contract D46");
    }

    /// Contract D45, section 12.15.
    #[test]
    fn partitions_have_their_labels_without_escapes_and_files_the_names_they_have() {
        let row =
            |name: &str, path: &str| json!({ "name": name, "path": path, "type": "directory" });
        let names_in = |path: &str, rows: &[Value]| -> Vec<String> {
            let answer = json!({ "files": rows });
            let listing = listing(&answer, &MountId::from("m"), path).unwrap();
            listing.files.into_iter().map(|entry| entry.name).collect()
        };
        for (name, shown) in [
            (
                r"Partition 2 - New\x20Volume (1.0 GB)",
                "Partition 2 - New Volume (1.0 GB)",
            ),
            (
                r"Partition 2 - caf\xc3\xa9 (1.0 GB)",
                "Partition 2 - caf\u{e9} (1.0 GB)",
            ),
            (r"Partition 2 - a\x5cb", r"Partition 2 - a\b"),
            // What does not lead to a name stays.
            (r"Partition 2 - \x2", r"Partition 2 - \x2"),
            (r"Partition 2 - \x+2", r"Partition 2 - \x+2"),
            (r"Partition 2 - \xff", r"Partition 2 - \xff"),
            (r"Partition 2 - \x00", r"Partition 2 - \x00"),
            ("Partition 2 - \\x\u{e9}", "Partition 2 - \\x\u{e9}"),
        ] {
            assert_eq!(names_in("/", &[row(name, "/partition-2")]), [shown]);
        }
        let named_so = row(r"a\x20b", r"/a\x20b");
        assert_eq!(names_in("/", std::slice::from_ref(&named_so)), [r"a\x20b"]);
        let deeper = row(r"a\x20b", r"/partition-1");
        assert_eq!(names_in("/partition-1", &[deeper]), [r"a\x20b"]);
    }

    /// Contract D49, H3.
    #[test]
    fn an_empty_folder_is_null_when_listed_recursively() {
        let empty = json!({ "mount_id": "m", "path": "/x", "files": null, "total_count": 0 });
        let listing = listing(&empty, &MountId::from("m"), "/x").unwrap();
        assert!(listing.files.is_empty());
    }

    #[test]
    fn a_kind_that_is_not_known_still_gets_a_row() {
        let row =
            file(&json!({ "name": "x", "path": "/x", "type": "hologram", "size": 3 })).unwrap();
        assert_eq!(row.kind, FileKind::Unknown);
        assert_eq!(row.size, Some(3));
    }
}
