//! The properties of the rows: no more than a row shows, so that progress of one VM renders no other row.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sendense_types::{Vm, VmId};

use super::row::{RowActions, VmItemProps};
use crate::state::app::{AppState, Running};
use crate::state::vms::Protection;

/// The rows of the list, in order.
pub(super) struct Rows {
    shown: Rc<Vec<Rc<Vm>>>,
    protection: Rc<Protection>,
    running: BTreeMap<VmId, Rc<Running>>,
    chosen: BTreeSet<VmId>,
    version: u64,
    actions: RowActions,
}

impl Rows {
    pub(super) fn new(
        app: &AppState,
        shown: Rc<Vec<Rc<Vm>>>,
        protection: Rc<Protection>,
        chosen: BTreeSet<VmId>,
        actions: RowActions,
    ) -> Self {
        let of_vm = |running: &Rc<Running>| {
            let vm_id = running.progress.backup.vm_context_id.clone()?;
            Some((vm_id, Rc::clone(running)))
        };
        let mut running = BTreeMap::new();
        running.extend(app.running.values().filter_map(of_vm));
        Self {
            running,
            version: app.version,
            shown,
            protection,
            chosen,
            actions,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shown.len()
    }

    /// The VMs that are shown, in order.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Rc<Vm>> {
        self.shown.iter()
    }

    /// The VMs that are shown and selected. Those that the search hides do not count: they may have been selected
    /// long ago.
    pub(super) fn chosen(&self) -> impl Iterator<Item = &Rc<Vm>> {
        let is_chosen = |vm: &&Rc<Vm>| self.chosen.contains(&vm.context_id);
        self.shown.iter().filter(is_chosen)
    }

    pub(super) fn are_all_chosen(&self) -> bool {
        !self.shown.is_empty() && self.chosen().count() == self.len()
    }

    /// The properties of the row at this index.
    pub(super) fn row(&self, place: usize) -> VmItemProps {
        let vm = Rc::clone(&self.shown[place]);
        let known = self.protection.get(&vm.context_id);
        VmItemProps {
            is_card: false,
            version: self.version,
            running: self.running.get(&vm.context_id).cloned(),
            state: known.map(|known| known.state),
            latest_good: known.and_then(|known| known.latest_good),
            is_chosen: self.chosen.contains(&vm.context_id),
            actions: self.actions.clone(),
            vm,
        }
    }
}

#[cfg(test)]
mod tests {
    use sendense_types::{AppEvent, BackupId, BackupProgress};
    use yew::{Callback, Reducible};

    use super::*;
    use crate::state::app::Change;

    const N_VMS: usize = 40;

    fn vm(n: usize) -> Rc<Vm> {
        let vm = serde_json::json!({
            "context_id": format!("vm-{n}"), "vm_name": format!("web{n}"), "vm_path": "/vms", "vcenter_host": "",
            "datacenter": "", "current_status": "ready", "cpu_count": null, "memory_mb": null, "os_type": null,
            "power_state": null, "created_at": null,
        });
        Rc::new(serde_json::from_value(vm).unwrap())
    }

    fn progress(n: usize, percent: f64) -> Change {
        let backup = serde_json::json!({
            "backup_id": format!("b-{n}"), "vm_context_id": format!("vm-{n}"), "vm_name": format!("web{n}"),
            "repository_id": "local", "backup_type": "full", "status": "active", "hub_status": "active", "disks": [],
            "disk_count": 1, "progress_percent": percent, "bytes_transferred": 4, "total_bytes": 10,
            "total_size_gb": null, "current_phase": "transferring", "transfer_speed_bps": null,
            "error_message": null, "created_at": null, "started_at": null, "completed_at": null,
        });
        Change::News(AppEvent::BackupProgressed(BackupProgress {
            backup: serde_json::from_value(backup).unwrap(),
            speed_bps: Some(100),
            eta_seconds: None,
            is_stalled: false,
        }))
    }

    /// How many rows Yew renders when the app goes from one state to the other: those whose properties change.
    fn n_drawn(before: &Rc<AppState>, after: &Rc<AppState>, chosen: [&[usize]; 2]) -> usize {
        let shown: Rc<Vec<_>> = Rc::new((0..N_VMS).map(vm).collect());
        let actions = RowActions {
            on_toggle: Callback::noop(),
            on_back_up: Callback::noop(),
            on_cancel: Callback::noop(),
        };
        let rows = |app: &AppState, chosen: &[usize]| {
            let chosen = chosen.iter().map(|n| vm(*n).context_id.clone()).collect();
            let rows = Rows::new(
                app,
                Rc::clone(&shown),
                Rc::default(),
                chosen,
                actions.clone(),
            );
            (0..N_VMS).map(|n| rows.row(n)).collect::<Vec<_>>()
        };
        let (old, new) = (rows(before, chosen[0]), rows(after, chosen[1]));
        old.iter().zip(&new).filter(|(old, new)| old != new).count()
    }

    #[test]
    fn progress_draws_the_row_that_moved_and_no_other() {
        let app = Rc::new(AppState::default());
        let app = app.reduce(progress(3, 10.0)).reduce(progress(7, 10.0));
        let moved = Rc::clone(&app).reduce(progress(7, 11.0));
        assert_eq!(n_drawn(&app, &moved, [&[], &[]]), 1);
        assert_eq!(n_drawn(&app, &app, [&[], &[]]), 0);
        // What the other rows show is not even copied.
        let (old, new) = (
            &app.running[&BackupId::new("b-3")],
            &moved.running[&BackupId::new("b-3")],
        );
        assert!(Rc::ptr_eq(old, new));
        assert_eq!(n_drawn(&app, &app, [&[1], &[1, 2]]), 1, "a tick is one row");
    }

    #[test]
    fn what_is_ticked_and_hidden_is_not_backed_up() {
        let rows = |chosen: &[usize]| {
            let chosen = chosen.iter().map(|n| vm(*n).context_id.clone()).collect();
            let actions = RowActions {
                on_toggle: Callback::noop(),
                on_back_up: Callback::noop(),
                on_cancel: Callback::noop(),
            };
            let shown = Rc::new(vec![vm(1), vm(2)]);
            Rows::new(&AppState::default(), shown, Rc::default(), chosen, actions)
        };
        assert_eq!(rows(&[2, 9]).chosen().count(), 1);
        assert!(!rows(&[2, 9]).are_all_chosen());
        assert!(rows(&[1, 2, 9]).are_all_chosen());
    }
}
