//! `sendense vm`: finding and listing VMs.

use sendense_types::{DiscoveredVm, LeftOut, Vm, VmDisk};
use sendense_words as words;
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
                    let name = printable(name);
                    text += &match why {
                        Some(why) => words::terminal::not_added(name, printable(why)),
                        None => words::terminal::not_added_unexplained(name),
                    };
                    text += "\n";
                }
                text + &words::terminal::can_be_backed_up(added.vms.len() as u64)
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
        return format!("{}\n", words::terminal::no_images());
    }
    let rows = found.iter().map(|vm| {
        // Part of a size would look like the whole.
        let size: Option<u64> = vm.disks.iter().map(|disk| disk.capacity_bytes).sum();
        let remark = match (&vm.problem, vm.existing) {
            (Some(problem), _) => problem.clone(),
            (None, true) => words::terminal::known_already().to_owned(),
            (None, false) => words::terminal::new().to_owned(),
        };
        [
            vm.name.clone(),
            vm.disks.len().to_string(),
            output::size(size),
            remark,
        ]
    });
    let table = output::table(
        [
            words::common::name(),
            words::backups::disks(),
            words::common::size(),
            "",
        ],
        &[1, 2],
        rows,
    );
    let left_out = found.iter().map(|vm| not_backed_up(&vm.left_out));
    table + "\n" + &left_out.collect::<String>() + "\n"
}

/// The files that are in no backup, a line each.
fn not_backed_up(left_out: &[LeftOut]) -> String {
    let lines = left_out.iter().map(|file| {
        words::discovery::left_out(printable(&file.path), printable(&file.reason)) + "\n"
    });
    lines.collect()
}

fn list(vms: &[Vm]) -> String {
    if vms.is_empty() {
        return words::terminal::no_vms().to_owned();
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
    output::table(
        [
            words::common::name(),
            words::terminal::status(),
            words::terminal::power(),
            words::terminal::id(),
            words::browser::path(),
        ],
        &[],
        rows,
    )
}

fn show(vm: &Vm, disks: &[VmDisk]) -> String {
    let sheet = output::sheet(&[
        (words::common::name(), Some(vm.vm_name.clone())),
        (words::terminal::id(), Some(vm.context_id.to_string())),
        (words::browser::path(), Some(vm.vm_path.clone())),
        (words::terminal::vcenter(), Some(vm.vcenter_host.clone())),
        (words::terminal::datacenter(), Some(vm.datacenter.clone())),
        (words::terminal::status(), Some(vm.current_status.clone())),
        (
            words::terminal::processors(),
            vm.cpu_count.map(|count| count.to_string()),
        ),
        (
            words::terminal::memory(),
            vm.memory_mb.map(|mib| output::size(Some(mib << 20))),
        ),
        (words::terminal::system(), vm.os_type.clone()),
        (words::terminal::power(), vm.power_state.clone()),
        (
            words::terminal::known_since(),
            Some(output::time(vm.created_at)),
        ),
    ]);
    let rows = disks.iter().map(|disk| {
        let size = match (disk.capacity_bytes, disk.size_gb) {
            (Some(bytes), _) => output::size(Some(bytes)),
            // Deployed hubs round (contract H27).
            (None, Some(gib)) => words::terminal::about_size(gib),
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
    let table = output::table(
        [
            words::mounts::disk(),
            words::terminal::label(),
            words::common::size(),
            words::terminal::image(),
            words::terminal::because(),
        ],
        &[0, 2],
        rows,
    );
    let left_out = not_backed_up(&vm.left_out);
    format!("{sheet}\n{table}\n{left_out}")
        .trim_end()
        .to_owned()
}
