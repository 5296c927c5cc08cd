//! Which machines the list shows, and in which order.

use std::collections::BTreeMap;
use std::rc::Rc;

use sendense_types::{Vm, VmId, VmProtection, VmState};

use super::order::Order;
use super::sort::natural;

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Column {
    #[default]
    Name,
    /// The worst state first.
    State,
    /// The oldest backup first.
    LastBackup,
}

/// What is known of how well each machine is protected.
pub(crate) type Protection = BTreeMap<VmId, VmProtection>;

/// The machines whose name, system or place has this in it and that are in this state, in order.
pub(crate) fn arrange(
    vms: &[Rc<Vm>],
    protection: &Protection,
    search: &str,
    state: Option<VmState>,
    order: Order<Column>,
) -> Vec<Rc<Vm>> {
    let needle = search.trim().to_lowercase();
    let of = |vm: &Vm| protection.get(&vm.context_id);
    let mut shown: Vec<Rc<Vm>> = vms
        .iter()
        .filter(|vm| matches(vm, &needle))
        .filter(|vm| state.is_none() || of(vm).map(|known| known.state) == state)
        .cloned()
        .collect();
    shown.sort_by(|a, b| {
        let by_column = match order.column {
            Column::Name => natural(&a.vm_name, &b.vm_name),
            Column::State => urgency(of(a)).cmp(&urgency(of(b))),
            Column::LastBackup => {
                let time = |vm: &Vm| of(vm).and_then(|known| known.latest_good);
                time(a).cmp(&time(b))
            }
        };
        order
            .of(by_column)
            .then_with(|| natural(&a.vm_name, &b.vm_name))
    });
    shown
}

/// Small is urgent; what is not known yet comes last.
fn urgency(protection: Option<&VmProtection>) -> u8 {
    match protection.map(|known| known.state) {
        Some(
            VmState::LastBackupFailed | VmState::LastBackupDamaged | VmState::LastBackupUnconfirmed,
        ) => 0,
        Some(VmState::NeverBackedUp | VmState::Unknown) => 1,
        Some(VmState::Running) => 2,
        Some(VmState::Protected) => 3,
        None => 4,
    }
}

fn matches(vm: &Vm, needle: &str) -> bool {
    let texts = [Some(&vm.vm_name), vm.os_type.as_ref(), Some(&vm.vm_path)];
    texts
        .into_iter()
        .flatten()
        .any(|text| text.to_lowercase().contains(needle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm(name: &str) -> Rc<Vm> {
        let vm = serde_json::json!({
            "context_id": name, "vm_name": name, "vm_path": "/vms", "vcenter_host": "", "datacenter": "",
            "current_status": "ready", "cpu_count": null, "memory_mb": null, "os_type": "linux",
            "power_state": null, "created_at": null,
        });
        Rc::new(serde_json::from_value(vm).unwrap())
    }

    fn known(name: &str, state: VmState, day: Option<u32>) -> (VmId, VmProtection) {
        let vm_id = VmId::new(name);
        let latest_good = day.map(|day| format!("2026-11-{day:02}T00:00:00Z").parse().unwrap());
        let protection = VmProtection {
            vm_id: vm_id.clone(),
            state,
            latest_good,
        };
        (vm_id, protection)
    }

    fn names(vms: &[Rc<Vm>]) -> Vec<&str> {
        vms.iter().map(|vm| vm.vm_name.as_str()).collect()
    }

    #[test]
    fn machines_that_nobody_has_scrolled_to_are_found_and_sorted_by_state_all_the_same() {
        let vms = [vm("web10"), vm("web2"), vm("db"), vm("new")];
        let protection = Protection::from([
            known("web10", VmState::LastBackupFailed, Some(3)),
            known("web2", VmState::Protected, Some(7)),
            known("db", VmState::Protected, Some(5)),
            known("new", VmState::NeverBackedUp, None),
        ]);
        let shown = |search: &str, state, column, is_descending| {
            let order = Order {
                column,
                is_descending,
            };
            let shown = arrange(&vms, &protection, search, state, order);
            names(&shown).join(" ")
        };
        assert_eq!(shown("", None, Column::Name, false), "db new web2 web10");
        assert_eq!(shown("", None, Column::State, false), "web10 new db web2");
        assert_eq!(
            shown("", None, Column::LastBackup, false),
            "new web10 db web2"
        );
        assert_eq!(
            shown("", None, Column::LastBackup, true),
            "web2 db web10 new"
        );
        assert_eq!(shown(" WEB ", None, Column::Name, false), "web2 web10");
        let failed = Some(VmState::LastBackupFailed);
        assert_eq!(shown("", failed, Column::Name, false), "web10");
        assert_eq!(
            shown("linux", None, Column::Name, true),
            "web10 web2 new db"
        );
    }
}
