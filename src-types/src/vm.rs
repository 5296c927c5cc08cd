//! VMs that a hub knows, and those it finds on request.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::VmId;

/// A VM that can be backed up (contract 3.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vm {
    /// What the hub calls it; the key for everything else.
    pub context_id: VmId,
    /// The name people know it by.
    pub vm_name: String,
    /// Where the hub found it: a datastore path, or a folder of this computer.
    pub vm_path: String,
    /// The vCenter it lives on; empty on the local hub's own computer where that has no meaning.
    pub vcenter_host: String,
    /// The data centre it lives in, empty where that has no meaning.
    pub datacenter: String,
    /// The hub's own word for its state; free text (contract D10).
    pub current_status: String,
    /// Virtual processors, where the hub knows.
    pub cpu_count: Option<u32>,
    /// Memory in MiB, where the hub knows.
    pub memory_mb: Option<u64>,
    /// `windows`, `linux`, …; free text.
    pub os_type: Option<String>,
    /// `poweredOn`, `poweredOff`, …; free text.
    pub power_state: Option<String>,
    /// When the hub first knew it.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub created_at: Option<Timestamp>,
    /// Files in its places that are in none of its backups, where the hub says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A file beside those of a VM that is not backed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The file.
    pub path: String,
    /// Why, and what to do about it.
    pub reason: String,
}

/// One disk of a VM, in the order in which backups number them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmDisk {
    /// Position, counted from 0; what a mount asks for.
    pub disk_index: u32,
    /// `Hard disk 1` and the like.
    pub label: String,
    /// Size in GiB as the hub says it. Rounded on deployed hubs: show it as "about" (contract H27).
    pub size_gb: Option<f64>,
    /// Exact size in bytes, where the hub knows.
    pub capacity_bytes: Option<u64>,
    /// Why the hub takes this file for the disk, where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_because: Option<String>,
    /// The datastore or folder it lies in.
    pub datastore: Option<String>,
    /// The image file.
    pub path: Option<String>,
}

impl VmDisk {
    /// Its size in bytes: exact where the hub says, else from its rounded GiB (contract H27).
    pub fn size_bytes(&self) -> Option<u64> {
        let gib = 1024.0 * 1024.0 * 1024.0;
        // A float that is too large or not a number becomes the nearest whole number.
        self.capacity_bytes
            .or_else(|| self.size_gb.map(|size| (size * gib) as u64))
    }

    /// Whether the hub has rounded that size: it is shown as "about", and nothing is computed from it (contract H27).
    pub fn is_rounded(&self) -> bool {
        self.capacity_bytes.is_none()
    }
}

/// A VM that discovery found; not necessarily known to the hub yet (contract 3.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscoveredVm {
    /// The name it would be added under.
    pub name: String,
    /// Where it was found.
    pub path: String,
    /// Virtual processors, where its description says.
    pub num_cpu: Option<u32>,
    /// Memory in MiB, where its description says.
    pub memory_mb: Option<u64>,
    /// Guest system, where its description says.
    pub guest_os: Option<String>,
    /// Power state, where it can be told.
    pub power_state: Option<String>,
    /// Its disks, in backup order.
    pub disks: Vec<DiscoveredDisk>,
    /// The hub knows it already.
    pub existing: bool,
    /// Its id where the hub knows it already.
    pub context_id: Option<VmId>,
    /// Why it cannot be backed up as it is, and what to do about it.
    pub problem: Option<String>,
    /// Files in its places that would not be backed up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// Where VMs are looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum VmSource {
    /// A folder of disk images on the hub's computer; only our hub can.
    Folder {
        /// Its path.
        folder: String,
    },
    /// A vCenter, by the sign-in that the hub keeps for it.
    Vcenter {
        /// [`VcenterCredential::id`].
        credential_id: u64,
    },
}

/// A sign-in for a vCenter that the hub keeps (contract 3.4). Its password never leaves the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VcenterCredential {
    /// What the hub calls it.
    pub id: u64,
    /// The name people know it by.
    pub name: String,
    /// The vCenter.
    pub vcenter_host: String,
    /// Who signs in.
    pub username: String,
    /// The data centre that is looked through.
    pub datacenter: String,
    /// The one to begin with.
    pub is_default: bool,
}

/// One disk of a VM that discovery found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscoveredDisk {
    /// `Hard disk 1` and the like.
    pub label: String,
    /// The image file.
    pub path: String,
    /// Exact size in bytes; `None` where the image could not be read.
    pub capacity_bytes: Option<u64>,
    /// Why this disk cannot be backed up as it is, and what to do about it.
    pub problem: Option<String>,
}

/// What came of adding VMs. A hub may leave names out of its answer (contract 3.4),
/// so this is made by reading the list again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AddedVms {
    /// Those the hub knows now, new or not.
    pub vms: Vec<Vm>,
    /// Names that were asked for and are not there, with the hub's reason where it gave one.
    pub failed: Vec<(String, Option<String>)>,
}
