//! `sendense vm`: finding and listing VMs.

use sendense_types::{
    AddedVms, AppError, DiscoveredVm, ErrorKind, LeftOut, Retry, VcenterCredential, Vm, VmDisk,
    VmSource,
};
use sendense_words as words;
use serde::Serialize;
use serde_json::{Value, json};

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
        VmCommand::Discover { dir: Some(dir), .. } => {
            let folder = connection::absolute(&dir)?;
            let folder = folder.to_string_lossy().into_owned();
            let source = VmSource::Folder { folder };
            let found = hub.discover_vms(&source).await?;
            let new = found.iter().filter(|vm| vm.problem.is_none());
            let names: Vec<String> = new.map(|vm| vm.name.clone()).collect();
            let added = hub.add_vms(&source, &names).await?;
            output.show(&outcome(&found, &added), || {
                discovered(&found, words::terminal::no_images()) + &says(&added)
            })
        }
        VmCommand::Discover {
            credential, add, ..
        } => {
            let named = credential.unwrap_or_default();
            let known = hub.vcenter_credentials().await?;
            let source = VmSource::Vcenter {
                credential_id: credential_of(&known, &named)?,
            };
            if add.is_empty() {
                let found = hub.discover_vms(&source).await?;
                let document = outcome(&found, &AddedVms::default());
                return output.show(&document, || {
                    discovered(&found, words::discovery::nothing_there())
                });
            }
            // The hub looks for them itself; two searches would take twice as long.
            let added = hub.add_vms(&source, &add).await?;
            output.show(&outcome(&[], &added), || says(&added))
        }
        VmCommand::Credentials => {
            let known = hub.vcenter_credentials().await?;
            output.show(&json!({ "credentials": known }), || credentials(&known))
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

fn outcome(found: &[DiscoveredVm], added: &AddedVms) -> Value {
    let failed: Vec<Value> = added
        .failed
        .iter()
        .map(|(name, why)| json!({ "vm_name": name, "error": why }))
        .collect();
    json!({ "discovered_vms": found, "vm_contexts": added.vms, "failed": failed })
}

/// Which VMs were added and which were not.
fn says(added: &AddedVms) -> String {
    let mut text = String::new();
    for (name, why) in &added.failed {
        let name = printable(name);
        text += &match why {
            Some(why) => words::terminal::not_added(name, printable(why)),
            None => words::terminal::not_added_unexplained(name),
        };
        text += "\n";
    }
    text + &words::terminal::can_be_backed_up(added.vms.len() as u64)
}

/// The sign-in with that id or name.
fn credential_of(known: &[VcenterCredential], named: &str) -> Result<u64> {
    let by_id = known.iter().find(|one| one.id.to_string() == named);
    let found = by_id.or_else(|| known.iter().find(|one| one.name == named));
    found.map(|one| one.id).ok_or_else(|| {
        let message = words::terminal::no_credential(printable(named));
        AppError::new(ErrorKind::NotFound, message, Retry::Never)
            .with_hint(words::terminal::list_credentials())
    })
}

fn credentials(known: &[VcenterCredential]) -> String {
    if known.is_empty() {
        return format!("{}\n", words::discovery::no_credentials());
    }
    let rows = known.iter().map(|one| {
        [
            one.id.to_string(),
            one.name.clone(),
            one.vcenter_host.clone(),
            one.datacenter.clone(),
            one.username.clone(),
        ]
    });
    output::table(
        [
            words::terminal::id(),
            words::common::name(),
            words::terminal::vcenter(),
            words::terminal::datacenter(),
            words::hubs::user(),
        ],
        &[],
        rows,
    )
}

fn discovered(found: &[DiscoveredVm], nothing: &str) -> String {
    if found.is_empty() {
        return format!("{nothing}\n");
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
