//! Answers of our hub in the shapes that deployed hubs give them (contract 3).

use std::io::{Cursor, Read, Write};

use jiff::{SignedDuration, Timestamp, tz::Offset};
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::Hazards;

/// Wall time of the hub with a Z that is not true (H4).
fn false_z(value: &Value, offset_seconds: i32) -> Option<String> {
    let time: Timestamp = value.as_str()?.parse().ok()?;
    let moved = time + SignedDuration::from_secs(i64::from(offset_seconds));
    Some(moved.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The same moment with its true offset.
fn true_offset(value: &Value, offset_seconds: i32) -> Option<String> {
    let time: Timestamp = value.as_str()?.parse().ok()?;
    let offset = Offset::from_seconds(offset_seconds).ok()?;
    Some(time.display_with_offset(offset).to_string())
}

fn rows<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Rows of disks are told from others by their names, and with them some VMs (D29).
pub(super) fn is_hidden(row: &Value) -> bool {
    let id = row["backup_id"].as_str();
    id.is_some_and(|id| id.contains("-disk"))
}

pub(super) fn vms(value: &Value, offset_seconds: i32, twice: bool) -> Value {
    let mut vms: Vec<Value> = rows(value, "vm_contexts")
        .iter()
        .map(|vm| {
            json!({
                "context_id": vm["context_id"], "vm_name": vm["vm_name"], "vmware_vm_id": "4205",
                "vm_path": "/DC1/vm/x", "vcenter_host": "vc.example", "datacenter": "DC1",
                "current_status": "discovered", "current_job_id": null, "cpu_count": vm["cpu_count"],
                "memory_mb": vm["memory_mb"], "os_type": vm["os_type"], "power_state": null,
                "vm_tools_version": "", "created_at": true_offset(&vm["created_at"], offset_seconds), "credential_id": 35,
                "last_operation_summary": null, "groups": [], "group_count": 0,
            })
        })
        .collect();
    if twice {
        let mut others = vms.clone();
        for other in &mut others {
            other["context_id"] = json!("ctx-elsewhere");
            other["vcenter_host"] = json!("vc2.example");
        }
        vms.extend(others);
    }
    json!({ "count": vms.len(), "vm_contexts": vms })
}

/// Two fields, and a place in the list for an index (D13).
pub(super) fn vm_disks(value: &Value) -> Value {
    let disks: Vec<Value> = rows(value, "disks")
        .iter()
        .enumerate()
        .map(|(index, disk)| {
            let size = disk["size_gb"].as_f64().unwrap_or_default().ceil();
            json!({ "disk_id": format!("disk-{}", 2000 + index), "size_gb": size as u64 })
        })
        .collect();
    json!({ "count": disks.len(), "disks": disks })
}

/// What a vCenter holds: disks with an id and a rounded size, and nothing of what is wrong with them.
pub(super) fn discovered(value: &Value) -> Value {
    let vms: Vec<Value> = rows(value, "discovered_vms")
        .iter()
        .map(|vm| {
            let disk = |(index, disk): (usize, &Value)| {
                let size = disk["capacity_bytes"].as_u64().unwrap_or_default();
                json!({
                    "id": format!("disk-{}", 2000 + index), "label": format!("Hard disk {}", index + 1),
                    "path": "[ds] x.vmdk", "size_gb": size >> 30, "capacity_bytes": size, "datastore": "ds",
                })
            };
            let disks: Vec<Value> = rows(vm, "disks").iter().enumerate().map(disk).collect();
            let mut row = json!({
                "id": "4205", "name": vm["name"], "path": format!("/DC1/vm/{}", vm["name"].as_str().unwrap_or_default()),
                "power_state": "poweredOn", "guest_os": "windows2019srv_64Guest", "memory_mb": 4096, "num_cpu": 2,
                "disks": if disks.is_empty() { Value::Null } else { disks.into() }, "networks": null,
                "existing": vm["existing"],
            });
            if vm["context_id"].is_string() {
                row["context_id"] = vm["context_id"].clone();
            }
            row
        })
        .collect();
    json!({
        "discovery_count": vms.len(), "discovered_vms": vms, "processing_time": 14_227_559_674_u64,
        "status": "success", "message": "",
    })
}

/// Always a success; those that were known or are not there are left out.
pub(super) fn added(value: &Value, known: &Value) -> Value {
    let known: Vec<&Value> = rows(known, "vm_contexts")
        .iter()
        .map(|vm| &vm["vm_name"])
        .collect();
    let new: Vec<&Value> = rows(value, "processed_vms")
        .iter()
        .filter(|row| row["context_id"].is_string() && !known.contains(&&row["vm_name"]))
        .collect();
    let mut answer = json!({
        "success": true, "message": "", "vms_added": new.len(), "vms_failed": 0, "total_vms": new.len(),
        "added_at": "2025-10-10T14:00:00+01:00",
    });
    if !new.is_empty() {
        answer["processed_vms"] = json!(new);
    }
    answer
}

/// A repository with the settings that it was added with, all of them (H34). Without room where its share is not mounted.
pub(super) fn repository(
    ours: &Value,
    kind: &str,
    config: &Value,
    has_room: bool,
    offset_seconds: i32,
) -> Value {
    let mut row = json!({
        "id": ours["id"], "name": ours["name"], "type": kind, "enabled": true, "config": config,
        "is_immutable": false, "min_retention_days": 0,
        "created_at": false_z(&ours["created_at"], offset_seconds),
        "updated_at": false_z(&ours["updated_at"], offset_seconds),
    });
    if has_room && ours["storage_info"].is_object() {
        row["storage_info"] = storage(&ours["storage_info"], offset_seconds);
    }
    row
}

/// The room in a repository, with the hub's true offset.
pub(super) fn storage(ours: &Value, offset_seconds: i32) -> Value {
    let mut storage = ours.clone();
    let now = json!(Timestamp::now().to_string());
    storage["last_check_at"] = json!(true_offset(&now, offset_seconds));
    storage
}

/// A backup as lists and details show it, from our detail. While the last disks are written it is called completed,
/// with a phase and rising bytes that say otherwise (H10, section 12); bytes are those of the last disk.
pub(super) fn backup(
    detail: &Value,
    offset_seconds: i32,
    unfinished_disks: usize,
    looks: usize,
) -> Value {
    let disks = rows(detail, "disks");
    let last = disks.last().cloned().unwrap_or_default();
    let status = match detail["status"].as_str() {
        Some("started" | "in_progress") => "running",
        other => other.unwrap_or("running"),
    };
    let is_writing = status == "completed" && unfinished_disks > 0;
    let bytes = last["bytes_transferred"].as_u64().unwrap_or_default();
    let mut row = json!({
        "backup_id": detail["backup_id"], "vm_context_id": detail["vm_context_id"],
        "vm_name": detail["vm_name"], "disk_results": null, "nbd_targets_string": "",
        "backup_type": detail["backup_type"], "type": detail["backup_type"],
        "repository_id": detail["repository_id"], "status": status, "file_path": "/multi-disk-parent",
        "bytes_transferred": if is_writing { looks as u64 } else { bytes },
        "total_bytes": last["total_bytes"], "disks_count": disks.len(),
        "current_phase": if is_writing { "transferring" } else { status },
        "transfer_speed_bps": detail["transfer_speed_bps"],
        "progress_percent": if is_writing { json!(80.0) } else { detail["progress_percent"].clone() },
    });
    for name in [
        "created_at",
        "started_at",
        "completed_at",
        "last_telemetry_at",
    ] {
        if let Some(time) = false_z(&detail[name], offset_seconds) {
            row[name] = time.into();
        }
    }
    if let Some(reason) = detail["error_message"].as_str() {
        row["error_message"] = reason.into();
    }
    row
}

/// What a start that failed leaves behind: a row that nothing was ever heard of (H8).
pub(super) fn phantom(status: &str, since: Timestamp, asked: &[(String, String)]) -> Value {
    let asked_for = |name: &str| {
        asked
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    };
    json!({
        "backup_id": "backup-phantom-1", "vm_context_id": asked_for("vm_context_id"), "vm_name": asked_for("vm_name"),
        "disk_results": null, "backup_type": "full", "type": "full", "repository_id": "1", "status": status,
        "bytes_transferred": 0, "total_bytes": 0, "progress_percent": 0,
        "created_at": since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    })
}

/// The zeros of a start (D16), and the one time that is true.
pub(super) fn started(value: &Value, offset_seconds: i32) -> Value {
    let disks: Vec<Value> = rows(value, "disk_results")
        .iter()
        .enumerate()
        .map(|(index, disk)| {
            json!({
                "disk_id": index, "nbd_port": 10100 + index, "nbd_export_name": format!("disk{index}"),
                "qcow2_path": disk["qcow2_path"], "qemu_nbd_pid": 123, "status": "prepared",
            })
        })
        .collect();
    json!({
        "backup_id": value["backup_id"], "vm_context_id": value["vm_context_id"],
        "vm_name": value["vm_name"], "disk_results": disks, "nbd_targets_string": "",
        "backup_type": value["backup_type"], "type": "", "repository_id": value["repository_id"],
        "status": "started", "bytes_transferred": 0, "total_bytes": 0, "disks_count": 0,
        "current_phase": "", "transfer_speed_bps": 0, "progress_percent": 0,
        "created_at": true_offset(&value["created_at"], offset_seconds),
    })
}

pub(super) fn stats(rows: &[Value], repository: &str, offset_seconds: i32) -> Value {
    let done: Vec<&Value> = rows
        .iter()
        .filter(|row| row["status"] == "completed" && row["repository_id"] == *repository)
        .filter(|row| !is_hidden(row))
        .collect();
    let newest = done.iter().max_by_key(|row| row["created_at"].as_str());
    let last = newest.and_then(|row| true_offset(&row["created_at"], offset_seconds));
    json!({
        "backup_count": done.len(),
        "total_size_bytes": done.iter().filter_map(|row| row["bytes_transferred"].as_u64()).sum::<u64>(),
        "last_backup_at": last.unwrap_or_default(),
    })
}

pub(super) fn chain(vm_context_id: &str, full: Option<Value>) -> Value {
    match full {
        Some(full) => json!({
            "chain_id": format!("{vm_context_id}-disk0-chain"), "vm_context_id": vm_context_id,
            "vm_name": full["vm_name"], "disk_id": 0, "repository_id": full["repository_id"],
            "full_backup_id": full["backup_id"], "total_size_bytes": 0, "backup_count": 1,
            "backups": [full],
        }),
        None => json!({
            "chain_id": "", "vm_context_id": "", "vm_name": "", "disk_id": 0, "repository_id": "",
            "full_backup_id": "", "total_size_bytes": 0, "backup_count": 0, "backups": [],
        }),
    }
}

/// It ends an hour after its creation, whatever is done with it (D43).
pub(super) fn mount(value: &Value, hazards: &Hazards) -> Value {
    let offset_seconds = hazards.offset_seconds;
    let mut mount = value.clone();
    let created: Option<Timestamp> = value["created_at"].as_str().and_then(|at| at.parse().ok());
    let hour_later = created.map(|at| at + SignedDuration::from_hours(1));
    let ends = hazards.mounts_end.or(hour_later);
    let ends = ends.map(|at| json!(at.to_string()));
    mount["created_at"] = json!(true_offset(&value["created_at"], offset_seconds));
    mount["expires_at"] = json!(ends.and_then(|ends| true_offset(&ends, offset_seconds)));
    mount
}

/// Lists say neither the backup nor the disk (D42).
pub(super) fn mounts(value: &Value, hazards: &Hazards) -> Value {
    let mounts: Vec<Value> = rows(value, "mounts")
        .iter()
        .map(|row| {
            let mut row = mount(row, hazards);
            row["backup_id"] = "".into();
            row["disk_index"] = 0.into();
            row
        })
        .collect();
    json!({ "count": mounts.len(), "mounts": mounts })
}

pub(super) fn files(value: &Value) -> Value {
    let files: Vec<Value> = rows(value, "files").iter().map(file).collect();
    json!({
        "mount_id": value["mount_id"], "path": value["path"], "total_count": files.len(),
        "files": files,
    })
}

/// Links, pipes and devices are files (3.8), folders have the size of their inode (D46).
pub(super) fn file(row: &Value) -> Value {
    let is_folder = row["type"] == "directory";
    json!({
        "name": row["name"], "path": row["path"], "type": if is_folder { "directory" } else { "file" },
        "size": if is_folder { json!(4096) } else { row["size"].clone() },
        "mode": row["mode"].as_str().unwrap_or("0644"), "modified_time": row["modified_time"],
        "is_symlink": row["is_symlink"],
    })
}

/// A valid archive with what deployed hubs do to it.
pub(super) fn archive(ours: &[u8], shortens: bool, follows_links: bool) -> Vec<u8> {
    let mut old = ZipArchive::new(Cursor::new(ours)).expect("our hub makes archives");
    let last = (0..old.len()).rfind(|index| {
        let entry = old.by_index(*index).expect("our archives can be read");
        entry.is_file() && !entry.is_symlink() && entry.size() > 1
    });
    let mut new = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..old.len() {
        let mut entry = old.by_index(index).expect("our archives can be read");
        let name = entry.name().expect("our names are UTF-8").into_owned();
        let mut content = Vec::new();
        entry
            .read_to_end(&mut content)
            .expect("our archives can be read");
        if entry.is_symlink() && follows_links {
            content = b"root:x:0:0:root:/root:/bin/bash\n".to_vec();
        }
        if shortens && Some(index) == last {
            content.pop();
        }
        let options = SimpleFileOptions::default();
        let written = match entry.is_symlink() {
            true => {
                let target = String::from_utf8_lossy(&content).into_owned();
                new.add_symlink(name, target, options)
            }
            false if entry.is_dir() => new.add_directory(name, options),
            false => new
                .start_file(name, options)
                .and_then(|()| Ok(new.write_all(&content)?)),
        };
        written.expect("memory takes everything");
    }
    let made = new.finish().expect("memory takes everything");
    made.into_inner()
}
