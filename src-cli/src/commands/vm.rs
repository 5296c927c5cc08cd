//! `sendense vm`: finding and listing VMs.

use sendense_types::{DiscoveredVm, LeftOut, Vm, VmDisk};
use serde::Serialize;
use serde_json::json;

use crate::Result;
use crate::args::VmCommand;
use crate::connection::{self, Connection};
use crate::output::{self, Output, printable};

pub(crate) async fn run(
    command: VmCommand,
    connection: &Connection,
    output: &Output,
) -> Result<()> {
    let hub = &connection.client;
    match command {
        VmCommand::Discover { dir } => {
            let folder = connection::absolute(&dir)?;
            let found = hub.discover_vms(&folder).await?;
            let names: Vec<String> = found
                .iter()
                .filter(|vm| vm.problem.is_none())
                .map(|vm| vm.name.clone())
                .collect();
            let added = hub.add_vms(&folder, &names).await?;
            let failed: Vec<_> = added
                .failed
                .iter()
                .map(|(name, why)| json!({ "vm_name": name, "error": why }))
                .collect();
            let document =
                json!({ "discovered_vms": found, "vm_contexts": added.vms, "failed": failed });
            output.show(&document, || {
                let mut text = discovered(&found);
                for (name, why) in &added.failed {
                    let why = why.as_deref().unwrap_or("the hub does not say why");
                    text += &format!("{} was not added: {}\n", printable(name), printable(why));
                }
                text + &format!("{} VMs can be backed up.", added.vms.len())
            })
        }
        VmCommand::List => {
            let vms = hub.vms().await?;
            output.show(&json!({ "vm_contexts": vms }), || list(&vms))
        }
        VmCommand::Show { vm } => {
            let vm = hub.find_vm(&vm).await?;
            let disks = hub.vm_disks(&vm).await?;
            let sheet = show(&vm, &disks);
            output.show(&WithDisks { vm, disks }, || sheet)
        }
    }
}

#[derive(Serialize)]
struct WithDisks {
    #[serde(flatten)]
    vm: Vm,
    disks: Vec<VmDisk>,
}

fn discovered(found: &[DiscoveredVm]) -> String {
    if found.is_empty() {
        return "There are no disk images in this folder.\n".to_owned();
    }
    let rows = found.iter().map(|vm| {
        // Part of a size would look like the whole.
        let size: Option<u64> = vm.disks.iter().map(|disk| disk.capacity_bytes).sum();
        let remark = match (&vm.problem, vm.existing) {
            (Some(problem), _) => problem.clone(),
            (None, true) => "known already".to_owned(),
            (None, false) => "new".to_owned(),
        };
        [
            vm.name.clone(),
            vm.disks.len().to_string(),
            output::size(size),
            remark,
        ]
    });
    let table = output::table(["name", "disks", "size", ""], &[1, 2], rows);
    let left_out = found.iter().map(|vm| not_backed_up(&vm.left_out));
    table + "\n" + &left_out.collect::<String>() + "\n"
}

/// The files that are in no backup, a line each.
fn not_backed_up(left_out: &[LeftOut]) -> String {
    let lines = left_out.iter().map(|file| {
        format!(
            "not backed up: {}: {}\n",
            printable(&file.path),
            printable(&file.reason)
        )
    });
    lines.collect()
}

fn list(vms: &[Vm]) -> String {
    if vms.is_empty() {
        return "The hub knows no VMs yet. Find some with: sendense vm discover DIR".to_owned();
    }
    let rows = vms.iter().map(|vm| {
        [
            vm.vm_name.clone(),
            vm.current_status.clone(),
            vm.power_state.clone().unwrap_or_default(),
            vm.context_id.to_string(),
            vm.vm_path.clone(),
        ]
    });
    output::table(["name", "status", "power", "id", "path"], &[], rows)
}

fn show(vm: &Vm, disks: &[VmDisk]) -> String {
    let sheet = output::sheet(&[
        ("Name", Some(vm.vm_name.clone())),
        ("Id", Some(vm.context_id.to_string())),
        ("Path", Some(vm.vm_path.clone())),
        ("vCenter", Some(vm.vcenter_host.clone())),
        ("Data centre", Some(vm.datacenter.clone())),
        ("Status", Some(vm.current_status.clone())),
        ("Processors", vm.cpu_count.map(|count| count.to_string())),
        (
            "Memory",
            vm.memory_mb.map(|mib| output::size(Some(mib << 20))),
        ),
        ("System", vm.os_type.clone()),
        ("Power", vm.power_state.clone()),
        ("Known since", Some(output::time(vm.created_at))),
    ]);
    let rows = disks.iter().map(|disk| {
        let size = match (disk.capacity_bytes, disk.size_gb) {
            (Some(bytes), _) => output::size(Some(bytes)),
            // Deployed hubs round (contract H27).
            (None, Some(gib)) => format!("about {gib} GiB"),
            (None, None) => String::new(),
        };
        [
            disk.disk_index.to_string(),
            disk.label.clone(),
            size,
            disk.path.clone().unwrap_or_default(),
            disk.chosen_because.clone().unwrap_or_default(),
        ]
    });
    let table = output::table(["disk", "label", "size", "image", "because"], &[0, 2], rows);
    let left_out = not_backed_up(&vm.left_out);
    format!("{sheet}\n{table}\n{left_out}")
        .trim_end()
        .to_owned()
}
