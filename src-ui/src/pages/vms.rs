//! The virtual machines: what there is, how well each is protected, and what to do.

mod row;
mod table;

use std::collections::BTreeSet;
use std::rc::Rc;

use sendense_types::commands::{
    AddSampleVm, CancelBackup, ListVmProtection, ListVms, SaveSettings,
};
use sendense_types::{AddedVms, StartedBackup, Vm, VmId, VmState};
use yew::prelude::*;

use self::row::{VmCard, VmRowProps};
use self::table::VmTable;
use crate::components::{
    BackupDialog, BackupSeveralDialog, DiscoverDialog, EmptyState, ErrorNotice, Icon, Picture,
};
use crate::hooks::{use_action, use_query};
use crate::state::app::{AppContext, Change};
use crate::state::vms::{Order, Protection, arrange};
use crate::{dom, format};

/// What lies over the page.
#[derive(Clone, PartialEq)]
enum Over {
    Discover,
    BackUp(Box<Vm>),
    BackUpSeveral(Vec<Vm>),
}

/// The list of machines.
#[component]
pub(crate) fn Vms() -> Html {
    let Some(app) = use_context::<AppContext>() else {
        return Html::default();
    };
    let vms = use_query(ListVms {}, app.version);
    let known = use_query(ListVmProtection {}, app.version);
    let search = use_state(String::new);
    let filter = use_state(|| None::<VmState>);
    let order = use_state(Order::default);
    let chosen = use_state(BTreeSet::<VmId>::new);
    let over = use_state(|| None::<Over>);

    let set_over = {
        let over = over.clone();
        Callback::from(move |what: Option<Over>| over.set(what))
    };
    let close = set_over.reform(|()| None);
    let added = {
        let (app, close) = (app.clone(), close.clone());
        Callback::from(move |added: AddedVms| {
            close.emit(());
            let names: Vec<_> = added.vms.iter().map(|vm| vm.vm_name.as_str()).collect();
            if !names.is_empty() {
                app.dispatch(Change::done("Added to the list", names.join(", ")));
            }
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
        let (app, close) = (app.clone(), close.clone());
        Callback::from(move |backup: StartedBackup| {
            app.dispatch(Change::started(&backup));
            app.dispatch(Change::ListsChanged);
            close.emit(());
        })
    };
    let all_started = {
        let (app, close, chosen) = (app.clone(), close.clone(), chosen.clone());
        Callback::from(move |n_started: usize| {
            if n_started > 0 {
                let title = format!("{} started", format::count(n_started as u64, "backup"));
                let text = "You can leave this page or close the window.";
                app.dispatch(Change::done(title, text));
                app.dispatch(Change::ListsChanged);
            }
            chosen.set(BTreeSet::new());
            close.emit(());
        })
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

    let protection: Rc<Protection> = use_memo(known.data.clone(), |known| {
        known
            .iter()
            .flat_map(|known| known.iter())
            .map(|known| (known.vm_id.clone(), known.clone()))
            .collect()
    });
    let shown: Rc<Vec<Vm>> = use_memo(
        (
            vms.data.clone(),
            Rc::clone(&protection),
            (*search).clone(),
            *filter,
            *order,
        ),
        |(vms, protection, search, filter, order)| {
            let vms = vms.as_ref().map_or(&[][..], |vms| vms.as_slice());
            arrange(vms, protection, search, *filter, *order)
        },
    );
    let n_all = vms.data.as_ref().map_or(0, |all| all.len());
    let all_shown_are_chosen =
        !shown.is_empty() && shown.iter().all(|vm| chosen.contains(&vm.context_id));
    let toggle_all = {
        let (chosen, shown) = (chosen.clone(), Rc::clone(&shown));
        Callback::from(move |()| {
            chosen.set(match all_shown_are_chosen {
                true => BTreeSet::new(),
                false => shown.iter().map(|vm| vm.context_id.clone()).collect(),
            });
        })
    };
    // Only what is to be seen is backed up: a name that the search hides may have been ticked long ago.
    let selected: Vec<Vm> = shown
        .iter()
        .filter(|vm| chosen.contains(&vm.context_id))
        .cloned()
        .collect();
    let n_selected = selected.len();
    let back_up_selected = set_over.reform(move |_: MouseEvent| match selected.as_slice() {
        [] => None,
        [vm] => Some(Over::BackUp(Box::new(vm.clone()))),
        _ => Some(Over::BackUpSeveral(selected.clone())),
    });
    let on_search = {
        let search = search.clone();
        Callback::from(move |event: InputEvent| search.set(dom::value_of(&event)))
    };
    let on_filter = {
        let filter = filter.clone();
        Callback::from(move |event: Event| filter.set(state_named(&dom::value_of(&event))))
    };
    let on_order = {
        let order = order.clone();
        Callback::from(move |column| order.set(order.clicked(column)))
    };
    let discover = set_over.reform(|_: MouseEvent| Some(Over::Discover));
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
    let on_back_up = set_over.reform(|vm: Vm| Some(Over::BackUp(Box::new(vm))));
    let row = |vm: &Vm| VmRowProps {
        vm: vm.clone(),
        version: app.version,
        running: running_of(vm),
        protection: protection.get(&vm.context_id).cloned(),
        is_chosen: chosen.contains(&vm.context_id),
        on_toggle: toggle.clone(),
        on_back_up: on_back_up.clone(),
        on_cancel: on_cancel.clone(),
    };
    let is_local = app
        .session
        .as_ref()
        .and_then(|session| session.current_hub())
        .is_some_and(sendense_types::SavedHub::is_this_computer);
    let errors = [&vms.error, &sample.error, &cancel.error, &settings.error];
    let sample_button = html! {
        if is_local {
            <button class="button" type="button" onclick={on_sample} disabled={sample.is_running}>
                { if sample.is_running { "Unpacking the sample…" } else { "Add sample VM" } }
            </button>
        }
    };
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
                { sample_button }
            </EmptyState>
        }
    } else if shown.is_empty() {
        html! {
            <EmptyState
                picture={Picture::Search} title="Nothing matches"
                text="No machine has this in its name, system or place, or is in this state."
            />
        }
    } else if as_table {
        html! {
            <VmTable
                rows={shown.iter().map(row).collect::<Vec<_>>()} order={*order} {on_order} is_all_chosen={all_shown_are_chosen}
                on_toggle_all={toggle_all}
            />
        }
    } else {
        html! {
            <div class="vm-cards">
                for vm in shown.iter() {
                    <VmCard key={vm.context_id.to_string()} ..row(vm) />
                }
            </div>
        }
    };
    let n_in = |state: VmState| {
        let there = protection.values().filter(|known| known.state == state);
        there.count()
    };
    let (n_failed, n_damaged) = (
        n_in(VmState::LastBackupFailed),
        n_in(VmState::LastBackupDamaged),
    );
    let dialog = match (*over).clone() {
        Some(Over::Discover) => html! { <DiscoverDialog on_added={added} on_close={close} /> },
        Some(Over::BackUp(vm)) => {
            html! { <BackupDialog vm={*vm} on_started={started} on_close={close} /> }
        }
        Some(Over::BackUpSeveral(vms)) => html! {
            <BackupSeveralDialog {vms} on_done={all_started} on_close={close} />
        },
        None => Html::default(),
    };
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
                <option value="damaged">{ "Last backup damaged" }</option>
            </select>
            <div class="segmented" role="group" aria-label="View">
                <button type="button" aria-label="Table" title="Table" aria-pressed={as_table.to_string()} onclick={view(true)}><Icon picture={Picture::Table} /></button>
                <button type="button" aria-label="Cards" title="Cards" aria-pressed={(!as_table).to_string()} onclick={view(false)}><Icon picture={Picture::Cards} /></button>
            </div>
            if n_all > 0 {
                <button class="button is-narrow" type="button" onclick={discover} title="Discover VMs"><Icon picture={Picture::Plus} />{ "Discover VMs" }</button>
                <button
                    class="button is-primary" type="button" onclick={back_up_selected} disabled={n_selected == 0}
                    title={if n_selected == 0 { "Tick the machines to back up first" } else { "" }}
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
            if shown.len() != n_all {
                <span>{ format!("{} shown", shown.len()) }</span>
            }
            if n_selected > 0 {
                <span>{ format!("{n_selected} selected") }</span>
            }
            <span>{ format!("{} running", app.running.len()) }</span>
            if n_failed > 0 {
                <span class="is-problem">{ format!("{n_failed} failed") }</span>
            }
            if n_damaged > 0 {
                <span class="is-problem">{ format!("{n_damaged} damaged") }</span>
            }
        </footer>
        { dialog }
        </>
    }
}

fn state_named(name: &str) -> Option<VmState> {
    match name {
        "never" => Some(VmState::NeverBackedUp),
        "protected" => Some(VmState::Protected),
        "running" => Some(VmState::Running),
        "failed" => Some(VmState::LastBackupFailed),
        "damaged" => Some(VmState::LastBackupDamaged),
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
