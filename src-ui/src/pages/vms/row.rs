//! One machine, as a row or as a card.

use sendense_types::commands::GetVmSummary;
use sendense_types::{BackupId, ByteSize, Vm, VmId, VmProtection, VmSummary};
use yew::prelude::*;
use yew_router::prelude::*;

use crate::components::{
    Ago, Icon, Menu, MenuItem, Picture, RunningLine, Size, VmDisksDialog, VmStateBadge,
};
use crate::hooks::use_query;
use crate::route::Route;
use crate::state::app::Running;
use crate::{dom, format};

#[derive(Clone, PartialEq, Properties)]
pub(super) struct VmRowProps {
    pub(super) vm: Vm,
    pub(super) version: u64,
    pub(super) running: Option<Running>,
    /// From the look at all machines; `None` as long as that is not there.
    pub(super) protection: Option<VmProtection>,
    pub(super) is_chosen: bool,
    pub(super) on_toggle: Callback<VmId>,
    pub(super) on_back_up: Callback<Vm>,
    pub(super) on_cancel: Callback<BackupId>,
}

/// Asks for the disks and the newest backups of a machine.
#[hook]
fn use_summary(props: &VmRowProps) -> Option<VmSummary> {
    let request = GetVmSummary {
        vm: props.vm.clone(),
    };
    let summary = use_query(request, props.version).data;
    summary.map(|summary| (*summary).clone())
}

/// One machine as a row.
#[component]
pub(super) fn VmRow(props: &VmRowProps) -> Html {
    let summary = use_summary(props);
    html! {
        <li class={classes!("vm-table__row", props.is_chosen.then_some("is-chosen"))} aria-label={props.vm.vm_name.clone()}>
            <Tick row={props.clone()} />
            <Name vm={props.vm.clone()} />
            <Hardware vm={props.vm.clone()} summary={summary.clone()} />
            <StateCell row={props.clone()} summary={summary.clone()} />
            <Ago time={last_good(props, summary.as_ref())} />
            <Actions row={props.clone()} {summary} />
        </li>
    }
}

/// One machine as a card.
#[component]
pub(super) fn VmCard(props: &VmRowProps) -> Html {
    let summary = use_summary(props);
    html! {
        <section class={classes!("vm-card", props.is_chosen.then_some("is-chosen"))} aria-label={props.vm.vm_name.clone()}>
            <header><Name vm={props.vm.clone()} /><Tick row={props.clone()} /></header>
            <StateCell row={props.clone()} summary={summary.clone()} />
            <Hardware vm={props.vm.clone()} summary={summary.clone()} />
            <p class="faint">{ "Last backup: " }<Ago time={last_good(props, summary.as_ref())} /></p>
            <Actions row={props.clone()} {summary} />
        </section>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct TickProps {
    row: VmRowProps,
}

#[component]
fn Tick(props: &TickProps) -> Html {
    let row = &props.row;
    let onchange = {
        let (on_toggle, id) = (row.on_toggle.clone(), row.vm.context_id.clone());
        Callback::from(move |_: Event| on_toggle.emit(id.clone()))
    };
    let label = format!("Select {}", row.vm.vm_name);
    html! { <input type="checkbox" aria-label={label} checked={row.is_chosen} {onchange} /> }
}

#[derive(Clone, PartialEq, Properties)]
struct NameProps {
    vm: Vm,
}

#[component]
fn Name(props: &NameProps) -> Html {
    let (system, path) = (system_of(&props.vm), props.vm.vm_path.clone());
    html! {
        <div class="vm-name">
            <Icon picture={Picture::Machine} />
            <strong title={props.vm.vm_name.clone()}>{ &props.vm.vm_name }</strong>
            <small class="faint" title={path}>{ system }</small>
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct HardwareProps {
    vm: Vm,
    summary: Option<VmSummary>,
}

/// "2 CPU · 4 GiB · 2 disks · 107 GiB"
#[component]
fn Hardware(props: &HardwareProps) -> Html {
    let mut parts = Vec::new();
    parts.extend(props.vm.cpu_count.map(|count| format!("{count} CPU · ")));
    parts.extend(
        props
            .vm
            .memory_mb
            .map(|memory| format!("{} · ", ByteSize(memory.saturating_mul(1 << 20)))),
    );
    html! {
        <span class="num">
            { parts.concat() }
            if let Some(summary) = &props.summary {
                { format::count(summary.disks.len() as u64, "disk") }{ " · " }<Size bytes={summary.size_bytes()} />
            }
        </span>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct StateCellProps {
    row: VmRowProps,
    summary: Option<VmSummary>,
}

/// The state, or how far the running backup is.
#[component]
fn StateCell(props: &StateCellProps) -> Html {
    if let Some(running) = &props.row.running {
        return html! { <RunningLine running={running.clone()} /> };
    }
    let known = props.row.protection.as_ref().map(|known| known.state);
    match props
        .summary
        .as_ref()
        .map(|summary| summary.state)
        .or(known)
    {
        Some(state) => html! { <span><VmStateBadge {state} /></span> },
        None => html! { <span class="skeleton is-line"></span> },
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ActionsProps {
    row: VmRowProps,
    summary: Option<VmSummary>,
}

/// What can be done with a machine.
#[component]
fn Actions(props: &ActionsProps) -> Html {
    let navigator = use_navigator();
    let shows_disks = use_state(|| false);
    let vm = &props.row.vm;
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
        props.row.on_back_up.reform(move |()| vm.clone())
    };
    let main = match &props.row.running {
        Some(running) => {
            let id = running.progress.backup.backup_id.clone();
            let onclick = props.row.on_cancel.reform(move |_: MouseEvent| id.clone());
            html! { <button class="button is-small" type="button" {onclick}>{ "Cancel" }</button> }
        }
        None => {
            let onclick = back_up.reform(|_: MouseEvent| ());
            html! { <button class="button is-small" type="button" {onclick}>{ "Back up now" }</button> }
        }
    };
    let latest = props
        .summary
        .as_ref()
        .and_then(|summary| summary.latest_good.as_ref())
        .map(|backup| Route::RestoreOptions {
            backup_id: backup.backup_id.to_string(),
        });
    let no_latest = match latest {
        Some(_) => "",
        None => "There is no recovery point yet",
    };
    let copy = {
        let name = vm.vm_name.clone();
        Callback::from(move |()| dom::copy(&name))
    };
    let items = vec![
        MenuItem::new("Restore latest…", go(latest)).unless(no_latest),
        MenuItem::new("Show disks", set_disks(true)),
        MenuItem::new("Copy name", copy),
    ];
    html! {
        <div class="actions">
            { main }
            <button class="button is-small" type="button" onclick={history.reform(|_: MouseEvent| ())}>{ "View backups" }</button>
            <Menu label={format!("More for {}", vm.vm_name)} {items} />
            if *shows_disks {
                <VmDisksDialog vm={vm.clone()} on_back_up={back_up} on_close={set_disks(false)} />
            }
        </div>
    }
}

/// "…/images/web01": the end of a path says more than its beginning.
fn end_of(path: &str) -> String {
    let is_separator = |character: char| matches!(character, '/' | '\\');
    let mut separators = path.rmatch_indices(is_separator);
    match separators.nth(1) {
        Some((place, _)) if place > 0 => format!("…{}", &path[place..]),
        _ => path.to_owned(),
    }
}

/// The newest of both looks: either may come first.
fn last_good(row: &VmRowProps, summary: Option<&VmSummary>) -> Option<jiff::Timestamp> {
    let of_row = summary
        .and_then(|summary| summary.latest_good.as_ref())
        .and_then(|backup| backup.created_at);
    let of_all = row.protection.as_ref().and_then(|known| known.latest_good);
    of_row.max(of_all)
}

/// "windows · on", as far as the hub knows; "ready" is what every machine without trouble is.
fn system_of(vm: &Vm) -> String {
    let power = match vm.power_state.as_deref() {
        Some("poweredOn") => Some("on"),
        Some("poweredOff") => Some("off"),
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
