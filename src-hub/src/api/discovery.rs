//! `/discovery`: finds VMs in a folder on the hub's computer, and adds the chosen ones (contract 3.4). Where deployed
//! hubs take vCenter credentials, this one takes a `source`.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use axum::{Json, extract::State, http::StatusCode};
use sendense_engine::{Added as AddedVm, FoundDisk, FoundVm, LeftOut, vmware_disk_key};
use serde::{Deserialize, Serialize};

use super::{Time, about::about, gibibytes, request::JsonBody, routes::Routes};
use crate::{
    Hub,
    error::{Error, Result},
};

/// The routes below `/api/v1`.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .post(
            "/discovery/discover-vms",
            discover,
            about("Look for VMs in a folder on the hub's computer")
                .notes("Changes nothing.")
                .refuses(&[StatusCode::NOT_FOUND]),
        )
        .post(
            "/discovery/add-vms",
            add,
            about("Add VMs of a folder to those that the hub knows")
                .notes(
                    "Answers 200 whatever becomes of each VM, which `processed_vms` says. A VM that the hub knows \
                     already is brought up to date.",
                )
                .refuses(&[StatusCode::NOT_FOUND]),
        )
}

/// Where to look.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Source {
    /// An absolute path on the hub's computer.
    folder: PathBuf,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "DiscoverVms"))]
struct DiscoverRequest {
    #[cfg_attr(test, schemars(required))]
    source: Option<Source>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "FoundVms"))]
struct Discovered {
    discovered_vms: Vec<VmRow>,
    discovery_count: usize,
    /// In nanoseconds.
    processing_time: u64,
    status: &'static str,
    message: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "FoundVm"))]
struct VmRow {
    id: String,
    name: String,
    path: String,
    power_state: Option<String>,
    guest_os: Option<String>,
    memory_mb: Option<u64>,
    num_cpu: Option<u32>,
    disks: Vec<DiskRow>,
    /// Always empty.
    networks: [(); 0],
    existing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_id: Option<String>,
    /// Why it cannot be backed up as it is, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// What lies in its places and is not backed up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<super::schema::LeftOut>"))]
    left_out: Vec<LeftOut>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "FoundDisk"))]
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
            id: format!("disk-{}", vmware_disk_key(index)),
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
        let found = hub.engine().vms().discover(&folder, hub.data_dir())?;
        let discovered_vms: Vec<_> = found
            .into_iter()
            .map(|(found, context_id)| VmRow::new(found, context_id, &folder))
            .collect();
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
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "AddVms"))]
struct AddRequest {
    /// Names or ids, as looking for them tells.
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    vm_names: Vec<String>,
    #[cfg_attr(test, schemars(required))]
    source: Option<Source>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "AddedVms"))]
struct Added {
    /// Always true: what became of each VM says its row.
    success: bool,
    message: String,
    vms_added: usize,
    vms_failed: usize,
    total_vms: usize,
    added_at: Time,
    /// One row for each name that was asked for.
    processed_vms: Vec<ProcessedVm>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
        let vms = hub.engine().vms();
        let added = vms.add(&folder, hub.data_dir(), request.vm_names)?;
        let processed_vms: Vec<_> = added.into_iter().map(ProcessedVm::from).collect();
        let vms_added = processed_vms.iter().filter(|vm| vm.success).count();
        let total_vms = processed_vms.len();
        Ok(Json(Added {
            success: true,
            message: format!("{vms_added} of {total_vms} VMs added"),
            vms_added,
            vms_failed: total_vms - vms_added,
            total_vms,
            added_at: hub.clock().now().into(),
            processed_vms,
        }))
    })
    .await
}

impl From<AddedVm> for ProcessedVm {
    fn from(added: AddedVm) -> Self {
        Self {
            vm_name: added.vm_name,
            success: added.outcome.is_ok(),
            error: added.outcome.as_ref().err().map(ToString::to_string),
            context_id: added.outcome.ok(),
        }
    }
}
