//! `/vm-contexts`: VMs the hub knows, and their disks (contract 3.3).

use axum::{Json, extract::State, http::StatusCode};
use sendense_engine::{Disk, LeftOut, Vm};
use serde::Serialize;

use super::{Time, about::about, gibibytes, request::Path, routes::Routes};
use crate::{Hub, Profile, error::Result};

/// The routes below `/api/v1`.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get(
            "/vm-contexts",
            list,
            about("List the VMs that the hub knows"),
        )
        .get(
            "/vm-contexts/{vm}/disks",
            disks,
            about("List the disks of a VM")
                .notes("`vm` is its `context_id` or its name.")
                .refuses(&[StatusCode::NOT_FOUND]),
        )
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct VmList {
    vm_contexts: Vec<VmRow>,
    count: usize,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Vm"))]
struct VmRow {
    context_id: String,
    vm_name: String,
    vm_path: String,
    vcenter_host: String,
    datacenter: String,
    current_status: String,
    cpu_count: Option<u32>,
    memory_mb: Option<u64>,
    os_type: Option<String>,
    power_state: Option<String>,
    created_at: Time,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    deployed: Option<DeployedVm>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DeployedVm {
    vmware_vm_id: String,
    updated_at: Time,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<super::schema::LeftOut>"))]
    left_out: Vec<LeftOut>,
}

impl VmRow {
    fn new(vm: Vm, profile: Profile) -> Self {
        // The documentation knows no null here (contract D11).
        let unknown = |value: Option<String>| match profile {
            Profile::Default => value,
            Profile::Documented => Some(value.unwrap_or_else(|| "unknown".to_owned())),
        };
        let (cpu_count, memory_mb) = match profile {
            Profile::Default => (vm.cpu_count, vm.memory_mb),
            Profile::Documented => (
                Some(vm.cpu_count.unwrap_or(0)),
                Some(vm.memory_mb.unwrap_or(0)),
            ),
        };
        Self {
            context_id: vm.context_id,
            vm_name: vm.vm_name,
            vm_path: vm.vm_path,
            vcenter_host: vm.vcenter_host,
            datacenter: vm.datacenter,
            current_status: vm.current_status,
            cpu_count,
            memory_mb,
            os_type: unknown(vm.os_type),
            power_state: unknown(vm.power_state),
            created_at: vm.created_at.into(),
            deployed: profile.deployed(|| DeployedVm {
                vmware_vm_id: vm.vmware_vm_id,
                updated_at: vm.updated_at.into(),
                left_out: vm.left_out,
            }),
        }
    }
}

async fn list(State(hub): State<Hub>) -> Result<Json<VmList>> {
    hub.blocking(|hub| {
        let vms = hub.engine().vms().list()?;
        Ok(Json(VmList {
            count: vms.len(),
            vm_contexts: vms
                .into_iter()
                .map(|vm| VmRow::new(vm, hub.profile()))
                .collect(),
        }))
    })
    .await
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DiskList {
    vm_name: String,
    disks: Vec<DiskRow>,
    total_disks: usize,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    deployed: Option<DeployedDiskList>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DeployedDiskList {
    count: usize,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Disk"))]
struct DiskRow {
    disk_index: u32,
    vmware_disk_key: u32,
    label: String,
    size_gb: f64,
    datastore: String,
    path: String,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    deployed: Option<DeployedDisk>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DeployedDisk {
    disk_id: String,
    capacity_bytes: u64,
    chosen_because: String,
}

impl DiskRow {
    fn new(disk: Disk, profile: Profile) -> Self {
        Self {
            disk_index: disk.disk_index,
            vmware_disk_key: disk.vmware_disk_key(),
            label: disk.label,
            size_gb: gibibytes(disk.capacity_bytes),
            datastore: disk.datastore,
            path: disk.path.display().to_string(),
            deployed: profile.deployed(|| DeployedDisk {
                disk_id: disk.disk_id,
                capacity_bytes: disk.capacity_bytes,
                chosen_because: disk.chosen_because,
            }),
        }
    }
}

/// By id as deployed hubs do, or by name as documented (contract D12).
async fn disks(State(hub): State<Hub>, Path(vm): Path<String>) -> Result<Json<DiskList>> {
    hub.blocking(move |hub| {
        let vms = hub.engine().vms();
        let vm = vms.find(&vm)?;
        let disks = vms.disks(&vm)?;
        let profile = hub.profile();
        Ok(Json(DiskList {
            vm_name: vm.vm_name,
            total_disks: disks.len(),
            deployed: profile.deployed(|| DeployedDiskList { count: disks.len() }),
            disks: disks
                .into_iter()
                .map(|disk| DiskRow::new(disk, profile))
                .collect(),
        }))
    })
    .await
}
