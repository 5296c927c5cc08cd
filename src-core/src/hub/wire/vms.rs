//! VMs, their disks and what discovery finds, as hubs send them (contract 3.3, 3.4).

use sendense_types::{DiscoveredDisk, DiscoveredVm, LeftOut, VcenterCredential, Vm, VmDisk, VmId};
use sendense_words as words;
use serde_json::Value;

use super::Fields;
use crate::Result;

/// `GET /vm-contexts`.
pub(in crate::hub) fn vms(answer: &Value) -> Result<Vec<Vm>> {
    Fields::of(answer)?.list(&["vm_contexts"], |fields| {
        Ok(Vm {
            context_id: VmId::new(fields.required("context_id")?),
            vm_name: fields.required("vm_name")?,
            vm_path: fields.text_or_empty("vm_path"),
            vcenter_host: fields.text_or_empty("vcenter_host"),
            datacenter: fields.text_or_empty("datacenter"),
            current_status: fields.text_or_empty("current_status"),
            cpu_count: fields.small_count(&["cpu_count"]).filter(|n| *n > 0),
            memory_mb: fields.count(&["memory_mb"]).filter(|n| *n > 0),
            os_type: fields.text(&["os_type"]),
            power_state: fields.text(&["power_state"]),
            created_at: fields.time("created_at"),
            left_out: left_out(&fields)?,
        })
    })
}

/// The times in `GET /vm-contexts`, which carry the hub's true offset (contract 2.5).
pub(in crate::hub) fn times_of_vms(answer: &Value) -> impl Iterator<Item = &str> {
    let vms = answer["vm_contexts"].as_array();
    vms.into_iter().flatten().flat_map(|vm| {
        ["created_at", "updated_at", "last_status_change"]
            .into_iter()
            .filter_map(|name| vm[name].as_str())
    })
}

fn left_out(fields: &Fields<'_>) -> Result<Vec<LeftOut>> {
    fields.list(&["left_out"], |fields| {
        Ok(LeftOut {
            path: fields.required("path")?,
            reason: fields.text_or_empty("reason"),
        })
    })
}

/// `GET /vm-contexts/…/disks`: deployed rows say little, their position is their index (contract D13).
pub(in crate::hub) fn vm_disks(answer: &Value) -> Result<Vec<VmDisk>> {
    let mut disks = Fields::of(answer)?.list(&["disks"], |fields| {
        Ok(VmDisk {
            disk_index: fields.small_count(&["disk_index"]).unwrap_or(u32::MAX),
            label: fields.text_or_empty("label"),
            size_gb: fields.real(&["size_gb"]),
            capacity_bytes: fields.count(&["capacity_bytes"]).filter(|n| *n > 0),
            chosen_because: fields.text(&["chosen_because"]),
            datastore: fields.text(&["datastore"]),
            path: fields.text(&["path", "vmdk_path"]),
        })
    })?;
    for (position, disk) in (0..).zip(&mut disks) {
        if disk.disk_index == u32::MAX {
            disk.disk_index = position;
        }
        if disk.label.is_empty() {
            disk.label = words::common::disk(disk.disk_index);
        }
    }
    Ok(disks)
}

/// `GET /vmware-credentials`, which is in no order.
pub(in crate::hub) fn vcenter_credentials(answer: &Value) -> Result<Vec<VcenterCredential>> {
    let rows = Fields::of(answer)?.list(&["credentials"], |fields| {
        // A hub without the word uses them all.
        let is_used = fields.optional_flag("is_active") != Some(false);
        Ok(fields
            .count(&["id"])
            .filter(|_| is_used)
            .map(|id| VcenterCredential {
                id,
                name: fields.text_or_empty("credential_name"),
                vcenter_host: fields.text_or_empty("vcenter_host"),
                username: fields.text_or_empty("username"),
                datacenter: fields.text_or_empty("datacenter"),
                is_default: fields.flag("is_default"),
            }))
    })?;
    let mut known: Vec<VcenterCredential> = rows.into_iter().flatten().collect();
    known.sort_by_key(|one| (!one.is_default, one.name.to_lowercase()));
    Ok(known)
}

/// `POST /discovery/discover-vms`.
pub(in crate::hub) fn discovered(answer: &Value) -> Result<Vec<DiscoveredVm>> {
    Fields::of(answer)?.list(&["discovered_vms"], |fields| {
        Ok(DiscoveredVm {
            name: fields.required("name")?,
            path: fields.text_or_empty("path"),
            num_cpu: fields.small_count(&["num_cpu"]).filter(|n| *n > 0),
            memory_mb: fields.count(&["memory_mb"]).filter(|n| *n > 0),
            guest_os: fields.text(&["guest_os"]),
            power_state: fields.text(&["power_state"]),
            disks: fields.list(&["disks"], |disk| {
                Ok(DiscoveredDisk {
                    label: disk.text_or_empty("label"),
                    path: disk.text_or_empty("path"),
                    capacity_bytes: disk.count(&["capacity_bytes"]).filter(|n| *n > 0),
                    problem: disk.text(&["problem"]),
                })
            })?,
            existing: fields.flag("existing"),
            context_id: fields.text(&["context_id"]).map(VmId::new),
            problem: fields.text(&["problem"]),
            left_out: left_out(&fields)?,
        })
    })
}

/// What a hub says of one VM it was asked to add.
pub(in crate::hub) struct Processed {
    /// The name that was asked for.
    pub(in crate::hub) vm_name: String,
    /// Its id, where it was added.
    pub(in crate::hub) context_id: Option<VmId>,
    /// Why it was not.
    pub(in crate::hub) error: Option<String>,
}

/// `POST /discovery/add-vms`; rows may be missing (contract 3.4).
pub(in crate::hub) fn processed(answer: &Value) -> Result<Vec<Processed>> {
    Fields::of(answer)?.list(&["processed_vms"], |fields| {
        Ok(Processed {
            vm_name: fields.required("vm_name")?,
            context_id: fields.text(&["context_id"]).map(VmId::new),
            error: fields.text(&["error", "error_message", "message"]),
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Contract D10.
    #[test]
    fn documented_and_deployed_vms_are_one() {
        let documented = include_str!("samples/documented/vm-contexts.json");
        let deployed = include_str!("samples/deployed/vm-contexts.json");
        for sample in [documented, deployed] {
            let vms = vms(&serde_json::from_str(sample).unwrap()).unwrap();
            assert_eq!(vms.len(), 1);
            assert_eq!(vms[0].vm_name, "pgtest1");
            assert_eq!(vms[0].memory_mb, Some(4096));
            assert!(vms[0].created_at.is_some());
        }
    }

    /// Contract D13, D14.
    #[test]
    fn deployed_disks_are_numbered_by_their_position() {
        let answer = json!({ "disks": [{ "disk_id": "disk-2000", "size_gb": 102 }, { "disk_id": "disk-2001", "size_gb": 5 }], "count": 2 });
        let disks = vm_disks(&answer).unwrap();
        assert_eq!(
            (disks[1].disk_index, disks[1].label.as_str()),
            (1, "Disk 1")
        );
        let documented = include_str!("samples/documented/vm-disks.json");
        let disks = vm_disks(&serde_json::from_str(documented).unwrap()).unwrap();
        assert_eq!(
            (disks[1].disk_index, disks[1].label.as_str()),
            (1, "Hard disk 2")
        );
    }

    /// Contract D14, H3.
    #[test]
    fn a_vm_without_disks_has_null() {
        assert_eq!(vm_disks(&json!({ "disks": null })).unwrap(), []);
    }
}
