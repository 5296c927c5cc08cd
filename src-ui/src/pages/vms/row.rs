//! One VM, as a row or as a card.

use std::rc::Rc;

use jiff::Timestamp;
use sendense_types::commands::GetVmSummary;
use sendense_types::{BackupId, ByteSize, Units, Vm, VmId, VmState, VmSummary};
use sendense_words as words;
use yew::prelude::*;
use yew_router::prelude::*;

use crate::components::{
    Menu, MenuItem, Picture, Size, VmDisksDialog, ago, icon, running_line, vm_state_badge,
};
use crate::dom;
use crate::hooks::{use_query, use_same_vm};
use crate::route::Route;
use crate::state::app::Running;

/// What can be done with a row. The callbacks stay the same across renders.
#[derive(Clone, PartialEq)]
pub(super) struct RowActions {
    pub(super) on_toggle: Callback<VmId>,
    pub(super) on_back_up: Callback<Rc<Vm>>,
    pub(super) on_cancel: Callback<BackupId>,
}

#[derive(Clone, PartialEq, Properties)]
pub(super) struct VmItemProps {
    pub(super) is_card: bool,
    pub(super) vm: Rc<Vm>,
    pub(super) version: u64,
    pub(super) running: Option<Rc<Running>>,
    /// From the query for all VMs; `None` until it is answered.
    pub(super) state: Option<VmState>,
    pub(super) latest_good: Option<Timestamp>,
    pub(super) is_chosen: bool,
    pub(super) actions: RowActions,
}

/// One VM.
#[component]
pub(super) fn VmItem(props: &VmItemProps) -> Html {
    let summary = use_summary(props);
    let units = use_context::<Units>().unwrap_or_default();
    match props.is_card {
        true => card(props, summary.as_deref(), units),
        false => row(props, summary.as_deref(), units),
    }
}

fn row(props: &VmItemProps, summary: Option<&VmSummary>, units: Units) -> Html {
    let vm = &props.vm;
    html! {
        <li class={classes!("vm-table__row", props.is_chosen.then_some("is-chosen"))} aria-label={vm.vm_name.clone()}>
            { tick(props) }
            { name(vm) }
            { hardware(vm, summary) }
            { state_cell(props, summary, units) }
            { ago(last_good(props, summary)) }
            { actions(props, summary) }
        </li>
    }
}

fn card(props: &VmItemProps, summary: Option<&VmSummary>, units: Units) -> Html {
    let vm = &props.vm;
    html! {
        <section class={classes!("vm-card", props.is_chosen.then_some("is-chosen"))} aria-label={vm.vm_name.clone()}>
            <header>{ name(vm) }{ tick(props) }</header>
            { state_cell(props, summary, units) }
            { hardware(vm, summary) }
            <p class="faint">{ words::vms::last_backup() }{ ": " }{ ago(last_good(props, summary)) }</p>
            { actions(props, summary) }
        </section>
    }
}

/// Asks for the disks and the newest backups of a VM.
#[hook]
fn use_summary(props: &VmItemProps) -> Option<Rc<VmSummary>> {
    let vm = use_same_vm(&props.vm);
    let request = GetVmSummary { vm: (*vm).clone() };
    use_query(request, props.version).data
}

fn tick(props: &VmItemProps) -> Html {
    let id = props.vm.context_id.clone();
    let onchange = props.actions.on_toggle.reform(move |_: Event| id.clone());
    let label = words::vms::select(&props.vm.vm_name);
    html! { <input type="checkbox" aria-label={label} checked={props.is_chosen} {onchange} /> }
}

fn name(vm: &Vm) -> Html {
    html! {
        <div class="vm-name">
            { icon(Picture::Machine) }
            <strong title={vm.vm_name.clone()}>{ &vm.vm_name }</strong>
            <small class="faint" title={vm.vm_path.clone()}>{ system_of(vm) }</small>
        </div>
    }
}

/// "2 CPU · 4 GiB · 2 disks · 107 GiB"
fn hardware(vm: &Vm, summary: Option<&VmSummary>) -> Html {
    let memory = |memory_mb: u64| ByteSize(memory_mb.saturating_mul(1 << 20));
    let parts = [
        vm.cpu_count
            .map(|count| words::vms::processors(count.into()) + " · "),
        vm.memory_mb.map(|mb| format!("{} · ", memory(mb))),
    ];
    html! {
        <span class="num">
            { parts.into_iter().flatten().collect::<String>() }
            if let Some(summary) = summary {
                { words::common::disks(summary.disks.len() as u64) }{ " · " }<Size bytes={summary.size_bytes()} is_rounded={summary.is_rounded()} />
            }
        </span>
    }
}

/// The state, or how far the running backup is.
fn state_cell(props: &VmItemProps, summary: Option<&VmSummary>, units: Units) -> Html {
    if let Some(running) = &props.running {
        return running_line(running, units);
    }
    match summary.map(|summary| summary.state).or(props.state) {
        Some(state) => html! { <span>{ vm_state_badge(state) }</span> },
        None => html! { <span class="skeleton is-line"></span> },
    }
}

fn actions(props: &VmItemProps, summary: Option<&VmSummary>) -> Html {
    let running = props.running.as_ref();
    let latest = summary.and_then(|summary| summary.latest_good.as_ref());
    html! {
        <Actions
            vm={Rc::clone(&props.vm)} running={running.map(|running| running.progress.backup.backup_id.clone())}
            latest={latest.map(|backup| backup.backup_id.clone())} actions={props.actions.clone()}
        />
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ActionsProps {
    vm: Rc<Vm>,
    running: Option<BackupId>,
    /// The newest recovery point.
    latest: Option<BackupId>,
    actions: RowActions,
}

/// What can be done with a VM.
#[component]
fn Actions(props: &ActionsProps) -> Html {
    let navigator = use_navigator();
    let shows_disks = use_state(|| false);
    let vm = &props.vm;
    let go = |route: Option<Route>| {
        let navigator = navigator.clone();
        Callback::from(move |()| {
            if let (Some(navigator), Some(route)) = (&navigator, &route) {
                navigator.push(route);
            }
        })
    };
    let set_disks = |value: bool| {
        let shows_disks = shows_disks.clone();
        Callback::from(move |()| shows_disks.set(value))
    };
    let history = go(Some(Route::History {
        id: vm.context_id.to_string(),
    }));
    let back_up = {
        let vm = vm.clone();
        let on_back_up = &props.actions.on_back_up;
        on_back_up.reform(move |()| Rc::clone(&vm))
    };
    let main = match props.running.clone() {
        Some(id) => {
            let on_cancel = &props.actions.on_cancel;
            let onclick = on_cancel.reform(move |_: MouseEvent| id.clone());
            html! { <button class="button is-small" type="button" title={words::common::cancel()} {onclick}>{ words::common::cancel() }</button> }
        }
        None => {
            let onclick = back_up.reform(|_: MouseEvent| ());
            html! { <button class="button is-small" type="button" title={words::backups::back_up_now()} {onclick}>{ words::backups::back_up_now() }</button> }
        }
    };
    let latest = props
        .latest
        .as_ref()
        .map(|backup_id| Route::RestoreOptions {
            backup_id: backup_id.to_string(),
        });
    let no_latest = match latest {
        Some(_) => "",
        None => words::vms::no_point_yet(),
    };
    let copy = {
        let name = vm.vm_name.clone();
        Callback::from(move |()| dom::copy(&name))
    };
    let items = vec![
        MenuItem::new(words::vms::restore_latest(), go(latest)).unless(no_latest),
        MenuItem::new(words::vms::show_disks(), set_disks(true)),
        MenuItem::new(words::vms::copy_name(), copy),
    ];
    html! {
        <div class="actions">
            { main }
            <button class="button is-small" type="button" title={words::backups::view()} onclick={history.reform(|_: MouseEvent| ())}>{ words::backups::view() }</button>
            <Menu label={words::common::more_for(&vm.vm_name)} {items} />
            if *shows_disks {
                <VmDisksDialog vm={(**vm).clone()} on_back_up={back_up} on_close={set_disks(false)} />
            }
        </div>
    }
}

/// "…/images/web01": the end of a path says more than its start.
fn end_of(path: &str) -> String {
    let is_separator = |character: char| matches!(character, '/' | '\\');
    let mut separators = path.rmatch_indices(is_separator);
    match separators.nth(1) {
        Some((place, _)) if place > 0 => format!("…{}", &path[place..]),
        _ => path.to_owned(),
    }
}

/// The newest that either query knows: either may be answered first.
fn last_good(row: &VmItemProps, summary: Option<&VmSummary>) -> Option<Timestamp> {
    let of_row = summary
        .and_then(|summary| summary.latest_good.as_ref())
        .and_then(|backup| backup.created_at);
    of_row.max(row.latest_good)
}

/// "windows · on", as far as the hub knows. Status "ready" is left out: nearly every VM has it.
fn system_of(vm: &Vm) -> String {
    let power = match vm.power_state.as_deref() {
        Some("poweredOn") => Some(words::vms::power_on()),
        Some("poweredOff") => Some(words::vms::power_off()),
        other => other,
    };
    let parts = [
        vm.os_type.as_deref(),
        power,
        Some(vm.current_status.as_str()).filter(|status| *status != "ready"),
    ];
    let known: Vec<_> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    if known.is_empty() {
        end_of(&vm.vm_path)
    } else {
        known.join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_shows_its_end() {
        assert_eq!(end_of("/var/lib/images/web01"), "…/images/web01");
        assert_eq!(end_of("C:\\VMs\\Büro\\web01"), "…\\Büro\\web01");
        assert_eq!(end_of("/vms/web01"), "/vms/web01");
        assert_eq!(end_of(""), "");
    }
}
