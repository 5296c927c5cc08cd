//! The virtual machines: what there is, how well each is protected, and what to do.

use std::collections::{BTreeMap, BTreeSet};

use sendense_types::commands::{AddSampleVm, CancelBackup, GetVmSummary, ListVms, SaveSettings};
use sendense_types::{AddedVms, BackupId, StartedBackup, Vm, VmId, VmState, VmSummary};
use yew::prelude::*;
use yew_router::prelude::*;

use crate::app::AppContext;
use crate::components::{
    Ago, BackupDialog, DiscoverDialog, EmptyState, ErrorNotice, Icon, Menu, MenuItem, Picture,
    RunningLine, Size, VmStateBadge,
};
use crate::hooks::{use_action, use_query};
use crate::route::Route;
use crate::state::app::{Change, Running};
use crate::state::{rows, sort};
use crate::{dom, format};

/// Pixels of a row of the table; the style sheet says the same.
const ROW_HEIGHT: f64 = 60.0;

/// The list of machines.
#[component]
pub(crate) fn Vms() -> Html {
    let Some(app) = use_context::<AppContext>() else {
        return Html::default();
    };
    let vms = use_query(ListVms {}, app.version);
    let search = use_state(String::new);
    let filter = use_state(|| None::<VmState>);
    let states = use_state(BTreeMap::<VmId, VmState>::new);
    let chosen = use_state(BTreeSet::<VmId>::new);
    let waiting = use_state(Vec::<Vm>::new);
    let is_discovering = use_state(|| false);

    let added = {
        let app = app.clone();
        let is_discovering = is_discovering.clone();
        Callback::from(move |added: AddedVms| {
            is_discovering.set(false);
            let names: Vec<_> = added.vms.iter().map(|vm| vm.vm_name.as_str()).collect();
            app.dispatch(Change::done("Added to the list", names.join(", ")));
            for (name, reason) in &added.failed {
                app.dispatch(Change::failed(&not_added(name, reason.as_deref())));
            }
            app.dispatch(Change::ListsChanged);
        })
    };
    let sample = use_action::<AddSampleVm>(added.clone());
    let settings = use_action::<SaveSettings>(Callback::noop());
    let cancel = use_action::<CancelBackup>(Callback::noop());
    let on_cancel = cancel.run.reform(|backup_id| CancelBackup { backup_id });

    let started = {
        let (app, waiting) = (app.clone(), waiting.clone());
        Callback::from(move |backup: StartedBackup| {
            let text = format!(
                "{}: you can leave this page or close the window.",
                backup.vm_name
            );
            app.dispatch(Change::done("Backup started", text));
            app.dispatch(Change::ListsChanged);
            waiting.set(waiting.iter().skip(1).cloned().collect());
        })
    };
    let close_backup = {
        let waiting = waiting.clone();
        Callback::from(move |()| waiting.set(waiting.iter().skip(1).cloned().collect()))
    };
    let back_up = {
        let waiting = waiting.clone();
        Callback::from(move |vm: Vm| waiting.set(vec![vm]))
    };
    let toggle = {
        let chosen = chosen.clone();
        Callback::from(move |id: VmId| {
            let mut ids = (*chosen).clone();
            if !ids.remove(&id) {
                ids.insert(id);
            }
            chosen.set(ids);
        })
    };
    let on_state = {
        let states = states.clone();
        Callback::from(move |(id, state): (VmId, VmState)| {
            if states.get(&id) != Some(&state) {
                let mut all = (*states).clone();
                all.insert(id, state);
                states.set(all);
            }
        })
    };

    let needle = search.to_lowercase();
    let mut shown: Vec<Vm> = vms
        .data
        .iter()
        .flat_map(|all| all.iter())
        .filter(|vm| matches(vm, &needle))
        .filter(|vm| filter.is_none_or(|wanted| states.get(&vm.context_id) == Some(&wanted)))
        .cloned()
        .collect();
    shown.sort_by(|a, b| sort::natural(&a.vm_name, &b.vm_name));
    let n_all = vms.data.as_ref().map_or(0, |all| all.len());
    let back_up_chosen = {
        let (waiting, chosen) = (waiting.clone(), chosen.clone());
        let shown = shown.clone();
        Callback::from(move |_: MouseEvent| {
            let selected = shown.iter().filter(|vm| chosen.contains(&vm.context_id));
            waiting.set(selected.cloned().collect());
            chosen.set(BTreeSet::new());
        })
    };
    let on_search = {
        let search = search.clone();
        Callback::from(move |event: InputEvent| search.set(dom::value_of(&event)))
    };
    let on_filter = {
        let filter = filter.clone();
        Callback::from(move |event: Event| filter.set(state_named(&dom::value_of(&event))))
    };
    let discover = {
        let is_discovering = is_discovering.clone();
        Callback::from(move |_: MouseEvent| is_discovering.set(true))
    };
    let close_discover = {
        let is_discovering = is_discovering.clone();
        Callback::from(move |()| is_discovering.set(false))
    };
    let on_sample = sample.run.reform(|_: MouseEvent| AddSampleVm {});
    let view = |as_table: bool| {
        let mut changed = app.settings.clone();
        changed.vms_as_table = as_table;
        settings.run.reform(move |_: MouseEvent| SaveSettings {
            settings: changed.clone(),
        })
    };
    let as_table = app.settings.vms_as_table;
    let running_of = |vm: &Vm| {
        app.running
            .values()
            .find(|running| running.progress.backup.vm_context_id.as_ref() == Some(&vm.context_id))
            .cloned()
    };
    let rows: Vec<VmRowProps> = shown
        .iter()
        .map(|vm| VmRowProps {
            vm: vm.clone(),
            version: app.version,
            running: running_of(vm),
            is_chosen: chosen.contains(&vm.context_id),
            on_toggle: toggle.clone(),
            on_back_up: back_up.clone(),
            on_cancel: on_cancel.clone(),
            on_state: on_state.clone(),
        })
        .collect();
    let is_local = app
        .session
        .as_ref()
        .and_then(|session| session.current_hub())
        .is_some_and(sendense_types::SavedHub::is_this_computer);
    let errors = [&vms.error, &sample.error, &cancel.error, &settings.error];
    let body = if vms.data.is_none() && vms.is_loading {
        html! { <div class="skeleton" role="status" aria-label="Loading the list"></div> }
    } else if vms.data.is_none() {
        // The error says it.
        Html::default()
    } else if n_all == 0 {
        html! {
            <EmptyState
                picture={Picture::Machine} title="No virtual machines yet"
                text="Point Sendense at a folder of disk images, or try it with a small sample machine first."
            >
                <button class="button is-primary" type="button" onclick={discover.clone()}>{ "Discover VMs" }</button>
                if is_local {
                    <button class="button" type="button" onclick={on_sample} disabled={sample.is_running}>
                        { if sample.is_running { "Unpacking the sample…" } else { "Add sample VM" } }
                    </button>
                }
            </EmptyState>
        }
    } else if shown.is_empty() && n_all > 0 {
        html! {
            <EmptyState
                picture={Picture::Search} title="Nothing matches"
                text="No machine has this in its name, system or place, or is in this state."
            />
        }
    } else if as_table {
        html! { <VmTable {rows} /> }
    } else {
        html! {
            <div class="vm-cards">
                for row in rows {
                    <VmCard key={row.vm.context_id.to_string()} ..row.clone() />
                }
            </div>
        }
    };
    let n_failed = states
        .values()
        .filter(|state| **state == VmState::LastBackupFailed)
        .count();
    html! {
        <>
        <header class="page__head">
            <h1>{ "Virtual machines" }</h1>
            if vms.data.is_some() {
                <span class="faint num">{ n_all }</span>
            }
            <span class="page__space"></span>
            <input
                class="search" type="search" aria-label="Search machines" placeholder="Search name, system, place"
                value={(*search).clone()} oninput={on_search}
            />
            <select aria-label="Filter by state" onchange={on_filter}>
                <option value="">{ "All states" }</option>
                <option value="never">{ "Never backed up" }</option>
                <option value="protected">{ "Protected" }</option>
                <option value="running">{ "Running" }</option>
                <option value="failed">{ "Last backup failed" }</option>
            </select>
            <div class="segmented" role="group" aria-label="View">
                <button type="button" aria-label="Table" aria-pressed={as_table.to_string()} onclick={view(true)}><Icon picture={Picture::Table} /></button>
                <button type="button" aria-label="Cards" aria-pressed={(!as_table).to_string()} onclick={view(false)}><Icon picture={Picture::Cards} /></button>
            </div>
            if n_all > 0 {
                <button class="button" type="button" onclick={discover}><Icon picture={Picture::Plus} />{ "Discover VMs" }</button>
                <button
                    class="button is-primary" type="button" onclick={back_up_chosen} disabled={chosen.is_empty()}
                    title={if chosen.is_empty() { "Tick the machines to back up first" } else { "" }}
                >
                    { "Back up selected" }
                </button>
            }
        </header>
        <div class="page__body">
            for error in errors.into_iter().flatten() {
                <ErrorNotice error={error.clone()} on_retry={vms.reload.clone()} />
            }
            { body }
        </div>
        <footer class="page__status num">
            if vms.data.is_some() {
                <span>{ format::count(n_all as u64, "machine") }</span>
            }
            <span>{ format!("{} running", app.running.len()) }</span>
            if n_failed > 0 {
                <span class="is-problem">{ format!("{n_failed} failed") }</span>
            }
        </footer>
        if *is_discovering {
            <DiscoverDialog on_added={added} on_close={close_discover} />
        }
        if let Some(vm) = waiting.first() {
            <BackupDialog
                key={vm.context_id.to_string()} vm={vm.clone()} on_started={started} on_close={close_backup}
            />
        }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct VmTableProps {
    rows: Vec<VmRowProps>,
}

/// The machines as rows; only those that are to be seen are drawn and asked about.
#[component]
fn VmTable(props: &VmTableProps) -> Html {
    let scroller = use_node_ref();
    let (above, below) = (use_node_ref(), use_node_ref());
    let place = use_state(|| (0.0, 1200.0));
    let range = rows::visible(props.rows.len(), ROW_HEIGHT, place.0, place.1);
    {
        let (above, below) = (above.clone(), below.clone());
        let n_rows = props.rows.len();
        use_effect_with((range.clone(), n_rows), move |(range, n_rows)| {
            dom::set_height(&above, range.start as f64 * ROW_HEIGHT);
            dom::set_height(&below, (n_rows - range.end) as f64 * ROW_HEIGHT);
        });
    }
    let onscroll = {
        let (scroller, place) = (scroller.clone(), place.clone());
        Callback::from(move |_: Event| {
            if let Some(element) = scroller.cast::<web_sys::Element>() {
                place.set((
                    f64::from(element.scroll_top()),
                    f64::from(element.client_height()),
                ));
            }
        })
    };
    html! {
        <div class="vm-table" ref={scroller} {onscroll}>
            <div class="vm-table__head" aria-hidden="true">
                <span></span><span>{ "Name" }</span><span>{ "Hardware" }</span><span>{ "State" }</span><span>{ "Last backup" }</span><span></span>
            </div>
            <div ref={above}></div>
            <ul aria-label="Virtual machines">
                for row in &props.rows[range] {
                    <VmRow key={row.vm.context_id.to_string()} ..row.clone() />
                }
            </ul>
            <div ref={below}></div>
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct VmRowProps {
    vm: Vm,
    version: u64,
    running: Option<Running>,
    is_chosen: bool,
    on_toggle: Callback<VmId>,
    on_back_up: Callback<Vm>,
    on_cancel: Callback<BackupId>,
    on_state: Callback<(VmId, VmState)>,
}

/// Asks for the summary of a machine and tells its state.
#[hook]
fn use_summary(props: &VmRowProps) -> Option<VmSummary> {
    let request = GetVmSummary {
        vm: props.vm.clone(),
    };
    let summary = use_query(request, props.version).data;
    let state = summary.as_ref().map(|summary| summary.state);
    let (on_state, id) = (props.on_state.clone(), props.vm.context_id.clone());
    use_effect_with(state, move |state| {
        if let Some(state) = state {
            on_state.emit((id, *state));
        }
    });
    summary.map(|summary| (*summary).clone())
}

/// One machine as a row.
#[component]
fn VmRow(props: &VmRowProps) -> Html {
    let summary = use_summary(props);
    let onchange = {
        let (on_toggle, id) = (props.on_toggle.clone(), props.vm.context_id.clone());
        Callback::from(move |_: Event| on_toggle.emit(id.clone()))
    };
    html! {
        <li class={classes!("vm-table__row", props.is_chosen.then_some("is-chosen"))} aria-label={props.vm.vm_name.clone()}>
            <input type="checkbox" aria-label={format!("Select {}", props.vm.vm_name)} checked={props.is_chosen} {onchange} />
            <div class="vm-name"><Icon picture={Picture::Machine} /><strong>{ &props.vm.vm_name }</strong><small class="faint">{ system_of(&props.vm) }</small></div>
            <Hardware vm={props.vm.clone()} summary={summary.clone()} />
            <StateCell summary={summary.clone()} running={props.running.clone()} />
            <Ago time={last_good(summary.as_ref())} />
            <Actions row={props.clone()} {summary} />
        </li>
    }
}

/// One machine as a card.
#[component]
fn VmCard(props: &VmRowProps) -> Html {
    let summary = use_summary(props);
    html! {
        <section class="vm-card" aria-label={props.vm.vm_name.clone()}>
            <header><strong>{ &props.vm.vm_name }</strong><small class="faint">{ system_of(&props.vm) }</small></header>
            <StateCell summary={summary.clone()} running={props.running.clone()} />
            <Hardware vm={props.vm.clone()} summary={summary.clone()} />
            <p>{ "Last backup: " }<Ago time={last_good(summary.as_ref())} /></p>
            <Actions row={props.clone()} {summary} />
        </section>
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
    parts.extend(props.vm.memory_mb.map(|memory| {
        format!(
            "{} · ",
            sendense_types::ByteSize(memory.saturating_mul(1 << 20))
        )
    }));
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
    summary: Option<VmSummary>,
    running: Option<Running>,
}

/// The state, or how far the running backup is.
#[component]
fn StateCell(props: &StateCellProps) -> Html {
    if let Some(running) = &props.running {
        return html! { <RunningLine running={running.clone()} /> };
    }
    match &props.summary {
        Some(summary) => html! { <span><VmStateBadge state={summary.state} /></span> },
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
    let vm = &props.row.vm;
    let go = |route: Route| {
        let navigator = navigator.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some(navigator) = &navigator {
                navigator.push(&route);
            }
        })
    };
    let history = Route::History {
        id: vm.context_id.to_string(),
    };
    let main = match &props.row.running {
        Some(running) => {
            let id = running.progress.backup.backup_id.clone();
            let onclick = props.row.on_cancel.reform(move |_: MouseEvent| id.clone());
            html! { <button class="button is-small" type="button" {onclick}>{ "Cancel" }</button> }
        }
        None => {
            let onclick = {
                let (on_back_up, vm) = (props.row.on_back_up.clone(), vm.clone());
                Callback::from(move |_: MouseEvent| on_back_up.emit(vm.clone()))
            };
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
    let restore_latest = {
        let (navigator, latest) = (navigator.clone(), latest.clone());
        Callback::from(move |()| {
            if let (Some(navigator), Some(route)) = (&navigator, &latest) {
                navigator.push(route);
            }
        })
    };
    let copy = {
        let name = vm.vm_name.clone();
        Callback::from(move |()| dom::copy(&name))
    };
    let items = vec![
        MenuItem {
            text: "Restore latest…".into(),
            hindrance: match latest {
                Some(_) => "",
                None => "There is no recovery point yet",
            }
            .into(),
            on_choose: restore_latest,
        },
        MenuItem {
            text: "Copy name".into(),
            hindrance: AttrValue::default(),
            on_choose: copy,
        },
    ];
    html! {
        <div class="actions">
            { main }
            <button class="button is-small" type="button" onclick={go(history)}>{ "View backups" }</button>
            <Menu label={format!("More for {}", vm.vm_name)} {items} />
        </div>
    }
}

fn last_good(summary: Option<&VmSummary>) -> Option<jiff::Timestamp> {
    summary
        .and_then(|summary| summary.latest_good.as_ref())
        .and_then(|backup| backup.created_at)
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
        vm.vm_path.clone()
    } else {
        known.join(" · ")
    }
}

fn matches(vm: &Vm, needle: &str) -> bool {
    let texts = [Some(&vm.vm_name), vm.os_type.as_ref(), Some(&vm.vm_path)];
    texts
        .into_iter()
        .flatten()
        .any(|text| text.to_lowercase().contains(needle))
}

fn state_named(name: &str) -> Option<VmState> {
    match name {
        "never" => Some(VmState::NeverBackedUp),
        "protected" => Some(VmState::Protected),
        "running" => Some(VmState::Running),
        "failed" => Some(VmState::LastBackupFailed),
        _ => None,
    }
}

fn not_added(name: &str, reason: Option<&str>) -> sendense_types::AppError {
    let error = sendense_types::AppError::new(
        sendense_types::ErrorKind::Conflict,
        format!("{name} could not be added."),
        sendense_types::Retry::Never,
    );
    match reason {
        Some(reason) => error.with_hint(reason),
        None => error,
    }
}
