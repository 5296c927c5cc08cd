//! VMs the hub knows and their disks: rows of `vm_replication_contexts` and `vm_disks`.

use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params, types::Type};
use sendense_disk::ImageFormat;
use serde::{Deserialize, Serialize};

use super::{time, time_text};
use crate::ids;

/// The hub's word for a VM that can be backed up.
const READY: &str = "ready";

/// A VM the hub knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Vm {
    /// Its id.
    pub context_id: String,
    /// What it is called; no two have the same name.
    pub vm_name: String,
    /// The id in its description, else its place.
    pub vmware_vm_id: String,
    /// Where it was found, which makes it the same VM next time.
    pub vm_path: String,
    /// Empty here; clients of deployed hubs expect it.
    pub vcenter_host: String,
    /// Empty here, likewise.
    pub datacenter: String,
    /// The folder that was searched; its disks' backing files may lie in it.
    pub source_folder: PathBuf,
    /// The hub's word for what it is ready for.
    pub current_status: String,
    /// Virtual processors.
    pub cpu_count: Option<u32>,
    /// Memory, in MiB.
    pub memory_mb: Option<u64>,
    /// What it runs, in the words of its description.
    pub os_type: Option<String>,
    /// Whether it runs, in the words of its description.
    pub power_state: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was discovered last.
    pub updated_at: Timestamp,
    /// What lies in its places and is not backed up.
    pub left_out: Vec<LeftOut>,
}

/// A file that belongs to a VM, as far as can be told, and is in none of its backups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The file.
    pub path: String,
    /// Why, and what to do about it.
    pub reason: String,
}

/// One disk of a VM, in the order in which backups number them.
#[derive(Clone, Debug, PartialEq)]
pub struct Disk {
    /// Its position in the VM, from 0.
    pub disk_index: u32,
    /// Its id in the VM.
    pub disk_id: String,
    /// What it is called.
    pub label: String,
    /// The file that it is.
    pub path: PathBuf,
    /// The file that it was when it was discovered.
    pub discovered_path: PathBuf,
    /// The folder that was searched.
    pub datastore: String,
    /// Size of the virtual disk.
    pub capacity_bytes: u64,
    /// What its description says that it is.
    pub source_format: Option<ImageFormat>,
    /// Why this file is the disk, in words.
    pub chosen_because: String,
}

impl Disk {
    /// What VMware would call it: clients of deployed hubs know disks by this key.
    pub fn vmware_disk_key(&self) -> u32 {
        vmware_disk_key(self.disk_index)
    }
}

/// What VMware would call the disk at this position.
pub fn vmware_disk_key(disk_index: u32) -> u32 {
    2000_u32.saturating_add(disk_index)
}

/// All VMs by name.
pub(crate) fn list(connection: &Connection) -> rusqlite::Result<Vec<Vm>> {
    connection
        .prepare_cached("SELECT * FROM vm_replication_contexts ORDER BY vm_name, context_id")?
        .query_map([], vm)?
        .collect()
}

/// The VM of that name; failing that the one whose name differs only in case, as on deployed hubs.
pub(crate) fn find_by_name(connection: &Connection, name: &str) -> rusqlite::Result<Option<Vm>> {
    connection
        .prepare_cached(
            "SELECT * FROM vm_replication_contexts WHERE vm_name = ?1 COLLATE NOCASE
             ORDER BY vm_name = ?1 DESC, vm_name LIMIT 1",
        )?
        .query_row([name], vm)
        .optional()
}

/// The VM with that id.
pub(crate) fn find_by_id(connection: &Connection, id: &str) -> rusqlite::Result<Option<Vm>> {
    connection
        .prepare_cached("SELECT * FROM vm_replication_contexts WHERE context_id = ?1")?
        .query_row([id], vm)
        .optional()
}

/// The VM that was found in that place.
pub(crate) fn find_by_path(connection: &Connection, path: &str) -> rusqlite::Result<Option<Vm>> {
    connection
        .prepare_cached("SELECT * FROM vm_replication_contexts WHERE vm_path = ?1")?
        .query_row([path], vm)
        .optional()
}

/// The disks of a VM in order.
pub(crate) fn disks(connection: &Connection, context_id: &str) -> rusqlite::Result<Vec<Disk>> {
    connection
        .prepare_cached("SELECT * FROM vm_disks WHERE vm_context_id = ?1 ORDER BY unit_number")?
        .query_map([context_id], disk)?
        .collect()
}

/// The images of all VMs, those that were found and those that they are now.
pub(crate) fn images(connection: &Connection) -> rusqlite::Result<Vec<PathBuf>> {
    connection
        .prepare_cached(
            "SELECT vm_dk_path FROM vm_disks UNION SELECT discovered_path FROM vm_disks",
        )?
        .query_map([], |row| row.get::<_, String>(0).map(PathBuf::from))?
        .collect()
}

/// A VM as it is written down.
#[derive(Clone, Debug)]
pub(crate) struct NewVm {
    pub(crate) vm_name: String,
    pub(crate) vmware_vm_id: String,
    /// Where it was found, which makes it the same VM next time.
    pub(crate) vm_path: String,
    /// The folder that was searched.
    pub(crate) source_folder: String,
    pub(crate) cpu_count: Option<u32>,
    pub(crate) memory_mb: Option<u64>,
    pub(crate) os_type: Option<String>,
    pub(crate) power_state: Option<String>,
    /// In order.
    pub(crate) disks: Vec<NewDisk>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// Adds a VM that was found, or brings one that is known already up to date; returns its id.
pub(crate) fn save(connection: &Connection, vm: NewVm, now: Timestamp) -> rusqlite::Result<String> {
    let known = find_by_path(connection, &vm.vm_path)?;
    let context_id = match known {
        Some(known) => known.context_id,
        None => ids::vm_id(&vm.vm_name, now, |id| {
            find_by_id(connection, id).map(|known| known.is_some())
        })?,
    };
    save_as(connection, &context_id, vm, now)?;
    Ok(context_id)
}

/// Writes a VM down under this id; one that is known is brought up to date.
pub(crate) fn save_as(
    connection: &Connection,
    context_id: &str,
    vm: NewVm,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO vm_replication_contexts (context_id, vm_name, vmware_vm_id, vm_path,
            source_folder, current_status, cpu_count, memory_mb, os_type, power_state,
            created_at, updated_at, left_out)
         VALUES (:id, :name, :vmware_vm_id, :path, :source, :status, :cpus, :memory, :os, :power, :now, :now,
            :left_out)
         ON CONFLICT (context_id) DO UPDATE SET vmware_vm_id = :vmware_vm_id,
            source_folder = :source, cpu_count = :cpus, memory_mb = :memory, os_type = :os,
            power_state = :power, updated_at = :now, left_out = :left_out",
        named_params! {
            ":id": context_id,
            ":name": vm.vm_name,
            ":vmware_vm_id": vm.vmware_vm_id,
            ":path": vm.vm_path,
            ":source": vm.source_folder,
            ":status": READY,
            ":cpus": vm.cpu_count,
            ":memory": vm.memory_mb,
            ":os": vm.os_type,
            ":power": vm.power_state,
            ":now": time_text(now),
            ":left_out": serde_json::to_string(&vm.left_out).unwrap_or_default(),
        },
    )?;
    replace_disks(connection, context_id, &vm.source_folder, vm.disks)
}

/// A disk as it is written down.
#[derive(Clone, Debug)]
pub(crate) struct NewDisk {
    pub(crate) label: String,
    pub(crate) path: String,
    pub(crate) capacity_bytes: u64,
    pub(crate) source_format: Option<ImageFormat>,
    pub(crate) chosen_because: String,
}

/// Writes down that a disk is in another file now.
pub(crate) fn follow_image(
    connection: &Connection,
    context_id: &str,
    disk: &Disk,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE vm_disks SET vm_dk_path = ?3, source_format = ?4, chosen_because = ?5
         WHERE vm_context_id = ?1 AND unit_number = ?2",
        (
            context_id,
            disk.disk_index,
            disk.path.to_string_lossy(),
            disk.source_format.map(ImageFormat::name),
            &disk.chosen_because,
        ),
    )?;
    Ok(())
}

/// Writes down which disks a VM has now, in order.
fn replace_disks(
    connection: &Connection,
    context_id: &str,
    source_folder: &str,
    disks: impl IntoIterator<Item = NewDisk>,
) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM vm_disks WHERE vm_context_id = ?1",
        [context_id],
    )?;
    for (index, disk) in (0_u32..).zip(disks) {
        connection.execute(
            "INSERT INTO vm_disks (vm_context_id, disk_id, unit_number, label, vm_dk_path, datastore,
                capacity_bytes, source_format, chosen_because, discovered_path)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?5)",
            (
                context_id,
                format!("disk-{}", vmware_disk_key(index)),
                index,
                disk.label,
                disk.path,
                source_folder,
                disk.capacity_bytes,
                disk.source_format.map(ImageFormat::name),
                disk.chosen_because,
            ),
        )?;
    }
    Ok(())
}

fn vm(row: &Row<'_>) -> rusqlite::Result<Vm> {
    Ok(Vm {
        context_id: row.get("context_id")?,
        vm_name: row.get("vm_name")?,
        vmware_vm_id: row.get("vmware_vm_id")?,
        vm_path: row.get("vm_path")?,
        vcenter_host: row.get("vcenter_host")?,
        datacenter: row.get("datacenter")?,
        source_folder: row.get::<_, String>("source_folder")?.into(),
        current_status: row.get("current_status")?,
        cpu_count: row.get("cpu_count")?,
        memory_mb: row.get("memory_mb")?,
        os_type: row.get("os_type")?,
        power_state: row.get("power_state")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        left_out: {
            let text: String = row.get("left_out")?;
            serde_json::from_str(&text).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
            })?
        },
    })
}

fn disk(row: &Row<'_>) -> rusqlite::Result<Disk> {
    Ok(Disk {
        disk_index: row.get("unit_number")?,
        disk_id: row.get("disk_id")?,
        label: row.get("label")?,
        path: row.get::<_, String>("vm_dk_path")?.into(),
        discovered_path: row.get::<_, String>("discovered_path")?.into(),
        datastore: row.get("datastore")?,
        capacity_bytes: row.get("capacity_bytes")?,
        source_format: row
            .get::<_, Option<String>>("source_format")?
            .and_then(|name| ImageFormat::named(&name).ok()),
        chosen_because: row.get("chosen_because")?,
    })
}
