//! `sendense restore start`, `machines` and `stop`: machines that boot from a backup at once.

use std::path::Path;

use sendense_core::HubClient;
use sendense_types::{BackupId, Launcher, LiveMachine, LiveMachineId};
use sendense_words as words;
use serde_json::json;

use crate::Result;
use crate::args;
use crate::connection::absolute;
use crate::output::{self, Output};

/// Makes a machine, and says how it is booted.
pub(crate) async fn start(
    backup: String,
    folder: &Path,
    launcher: args::Launcher,
    hub: &HubClient,
    output: &Output,
) -> Result<()> {
    let folder = absolute(folder)?;
    let kind = match launcher {
        args::Launcher::Qemu => Launcher::Qemu,
        args::Launcher::Libvirt => Launcher::Libvirt,
    };
    let machine = hub
        .start_machine(&BackupId::new(backup), &folder, kind)
        .await?;
    machine
        .assumed
        .iter()
        .for_each(|assumed| output.note(assumed));
    output.show(&machine, || {
        let boot = match kind {
            Launcher::Qemu => words::terminal::machine_boot_script(&machine.definition),
            Launcher::Libvirt => words::terminal::machine_boot_domain(&machine.definition),
        };
        let ready = words::terminal::machine_ready(&machine.vm_name, &machine.backup_id);
        let until = words::terminal::machine_until(&machine.id);
        format!("{ready}\n{boot}\n{until}")
    })
}

/// Lists the machines.
pub(crate) async fn list(hub: &HubClient, output: &Output) -> Result<()> {
    let machines = hub.live_machines().await?;
    output.show(&json!({ "machines": machines }), || table(&machines))
}

/// Lets a backup go.
pub(crate) async fn stop(
    id: String,
    is_discarded: bool,
    hub: &HubClient,
    output: &Output,
) -> Result<()> {
    let id = LiveMachineId::new(id);
    hub.stop_machine(&id, is_discarded).await?;
    output.show(
        &json!({ "id": id, "discarded": is_discarded }),
        || match is_discarded {
            true => words::terminal::machine_discarded(&id),
            false => words::terminal::machine_stopped(&id),
        },
    )
}

fn table(machines: &[LiveMachine]) -> String {
    if machines.is_empty() {
        return words::terminal::no_machines().to_owned();
    }
    let rows = machines.iter().map(|machine| {
        [
            machine.id.to_string(),
            machine.vm_name.clone(),
            machine.backup_id.to_string(),
            output::time(machine.created_at),
            machine.folder.clone(),
        ]
    });
    output::table(
        [
            words::terminal::machine(),
            words::activity::vm(),
            words::terminal::backup(),
            words::terminal::started(),
            words::terminal::folder(),
        ],
        &[],
        rows,
    )
}
