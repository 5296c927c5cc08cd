//! `/discovery`: finds VMs in a folder of the hub's computer, and adds those that are chosen
//! (contract 3.4). Where deployed hubs take a vCenter's credentials, this one takes a `source`.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use axum::{Json, Router, extract::State, routing::post};
use jiff::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{gibibytes, request::JsonBody};
use crate::{
    Hub,
    discovery::{self, FoundDisk, FoundVm},
    error::{Error, Result},
    vm,
};

/// The routes below `/api/v1`.
pub(crate) fn router() -> Router<Hub> {
    Router::new()
        .route("/discovery/discover-vms", post(discover))
        .route("/discovery/add-vms", post(add))
}

/// Where to look.
#[derive(Deserialize)]
struct Source {
    /// An absolute path on the hub's computer.
    folder: PathBuf,
}

#[derive(Deserialize)]
struct DiscoverRequest {
    source: Option<Source>,
}

#[derive(Serialize)]
struct Discovered {
    discovered_vms: Vec<VmRow>,
    discovery_count: usize,
    /// Nanoseconds (contract 2.5).
    processing_time: u64,
    status: &'static str,
    message: String,
}

#[derive(Serialize)]
struct VmRow {
    id: String,
    name: String,
    path: String,
    power_state: Option<String>,
    guest_os: Option<String>,
    memory_mb: Option<u64>,
    num_cpu: Option<u32>,
    disks: Vec<DiskRow>,
    /// Of interest to nobody yet; clients of deployed hubs expect the key.
    networks: [(); 0],
    existing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_id: Option<String>,
    /// Why it cannot be backed up as it is, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// What lies in its places and is not backed up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<vm::LeftOut>,
}

#[derive(Serialize)]
struct DiskRow {
    id: String,
    label: String,
    path: String,
    size_gb: Option<f64>,
    capacity_bytes: Option<u64>,
    datastore: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl VmRow {
    fn new(found: FoundVm, context_id: Option<String>, folder: &Path) -> Self {
        Self {
            path: found.path_text(),
            id: found.id,
            name: found.name,
            power_state: found.power_state,
            guest_os: found.guest_os,
            memory_mb: found.memory_mb,
            num_cpu: found.num_cpu,
            disks: (0..)
                .zip(found.disks)
                .map(|(index, disk)| DiskRow::new(index, disk, folder))
                .collect(),
            networks: [],
            existing: context_id.is_some(),
            context_id,
            problem: found.problem,
            left_out: found.left_out,
        }
    }
}

impl DiskRow {
    fn new(index: u32, disk: FoundDisk, folder: &Path) -> Self {
        Self {
            id: format!("disk-{}", vm::vmware_disk_key(index)),
            path: disk.path_text(),
            label: disk.label,
            size_gb: disk.capacity_bytes.map(gibibytes),
            capacity_bytes: disk.capacity_bytes,
            datastore: folder.display().to_string(),
            problem: disk.problem,
        }
    }
}

async fn discover(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<DiscoverRequest>,
) -> Result<Json<Discovered>> {
    let folder = request.source.ok_or(Error::SourceMissing)?.folder;
    hub.blocking(move |hub| {
        let started = Instant::now();
        let found = discovery::discover(&folder, hub.data_dir())?;
        let discovered_vms = hub.db().with(|connection| {
            found
                .into_iter()
                .map(|found| {
                    let known = vm::find_by_path(connection, &found.path_text())?;
                    Ok(VmRow::new(found, known.map(|vm| vm.context_id), &folder))
                })
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(Json(Discovered {
            discovery_count: discovered_vms.len(),
            processing_time: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
            status: "success",
            message: format!("{} VMs found in {}", discovered_vms.len(), folder.display()),
            discovered_vms,
        }))
    })
    .await
}

#[derive(Deserialize)]
struct AddRequest {
    #[serde(default)]
    vm_names: Vec<String>,
    source: Option<Source>,
}

#[derive(Serialize)]
struct Added {
    /// Always true, as on deployed hubs: what became of each VM says its row.
    success: bool,
    message: String,
    vms_added: usize,
    vms_failed: usize,
    total_vms: usize,
    added_at: Timestamp,
    /// One row for each name that was asked for, unlike on deployed hubs, which leave some out.
    processed_vms: Vec<ProcessedVm>,
}

#[derive(Serialize)]
struct ProcessedVm {
    /// The name that was asked for.
    vm_name: String,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

async fn add(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<AddRequest>,
) -> Result<Json<Added>> {
    if request.vm_names.is_empty() {
        return Err(Error::Required("vm_names"));
    }
    let folder = request.source.ok_or(Error::SourceMissing)?.folder;
    hub.blocking(move |hub| {
        let found = discovery::discover(&folder, hub.data_dir())?;
        let source_folder = folder.display().to_string();
        let now = hub.clock().now();
        let processed_vms = hub.db().transaction(|transaction| {
            request
                .vm_names
                .into_iter()
                .map(|name| {
                    let found = found.iter().find(|found| found.name == name);
                    add_one(transaction, name, found, &source_folder, now)
                })
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let vms_added = processed_vms.iter().filter(|vm| vm.success).count();
        let total_vms = processed_vms.len();
        Ok(Json(Added {
            success: true,
            message: format!("{vms_added} of {total_vms} VMs added"),
            vms_added,
            vms_failed: total_vms - vms_added,
            total_vms,
            added_at: now,
            processed_vms,
        }))
    })
    .await
}

fn add_one(
    connection: &Connection,
    vm_name: String,
    found: Option<&FoundVm>,
    source_folder: &str,
    now: Timestamp,
) -> rusqlite::Result<ProcessedVm> {
    let refused = |vm_name, why: String| ProcessedVm {
        vm_name,
        success: false,
        context_id: None,
        error: Some(why),
    };
    let Some(found) = found else {
        return Ok(refused(
            vm_name,
            "it was not found in this folder".to_owned(),
        ));
    };
    if let Some(problem) = &found.problem {
        return Ok(refused(vm_name, problem.clone()));
    }
    let found = FoundVm {
        name: free_name(connection, found)?,
        ..found.clone()
    };
    Ok(ProcessedVm {
        vm_name,
        success: true,
        context_id: Some(vm::save(connection, &found, source_folder, now)?),
        error: None,
    })
}

/// Backups are started by name, so a VM whose name another one has already gets its place put behind it.
fn free_name(connection: &Connection, found: &FoundVm) -> rusqlite::Result<String> {
    match vm::find_by_name(connection, &found.name)? {
        Some(other) if other.vm_path != found.path_text() => {
            Ok(format!("{} ({})", found.name, found.path_text()))
        }
        _ => Ok(found.name.clone()),
    }
}
