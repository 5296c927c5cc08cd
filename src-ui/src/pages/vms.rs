//! The VMs of a hub, how well each is protected, and what can be done with them.

mod row;
mod rows;
mod table;

use std::collections::BTreeSet;
use std::rc::Rc;

use sendense_types::commands::{
    AddSampleVm, CancelBackup, ListVmProtection, ListVms, SaveSettings,
};
use sendense_types::{AddedVms, Settings, StartedBackup, Vm, VmId, VmState};
use sendense_words as words;
use yew::prelude::*;

use self::row::{RowActions, VmItem, VmItemProps};
use self::rows::Rows;
use self::table::vm_table;
use crate::components::{
    BackupDialog, BackupSeveralDialog, DiscoverDialog, Picture, empty_state, error_notices, icon,
};
use crate::dom;
use crate::hooks::{use_action, use_query, use_stable};
use crate::state::app::{AppContext, Change};
use crate::state::order::Order;
use crate::state::vms::{Column, Protection, arrange};

/// The dialog over the page.
#[derive(Clone, PartialEq)]
enum Over {
    Discover,
    BackUp(Rc<Vm>),
    BackUpSeveral(Vec<Rc<Vm>>),
}

/// Search, filter and order of the list.
#[derive(Clone, Default, PartialEq)]
struct Look {
    search: String,
    state: Option<VmState>,
    order: Order<Column>,
}

/// The list of VMs.
#[component]
pub(crate) fn Vms() -> Html {
    let Some(app) = use_context::<AppContext>() else {
        return Html::default();
    };
    let vms = use_query(ListVms {}, app.version);
    let known = use_query(ListVmProtection {}, app.version);
    let look = use_state(Look::default);
    let chosen = use_state(BTreeSet::<VmId>::new);
    let over = use_state(|| None::<Over>);
    let sample = use_action::<AddSampleVm>(on_added(&app));
    let settings = use_action::<SaveSettings>(Callback::noop());
    let cancel = use_action::<CancelBackup>(Callback::noop());

    let set_over = {
        let over = over.setter();
        Callback::from(move |what: Option<Over>| over.set(what))
    };
    let actions = RowActions {
        on_toggle: use_stable(toggle(&chosen)),
        on_back_up: use_stable(set_over.reform(|vm| Some(Over::BackUp(vm)))),
        on_cancel: use_stable(cancel.run.reform(|backup_id| CancelBackup { backup_id })),
    };
    let all: Rc<Vec<Rc<Vm>>> = use_memo(vms.data.clone(), |vms| {
        let vms = vms.iter().flat_map(|vms| vms.iter());
        vms.cloned().map(Rc::new).collect()
    });
    let protection: Rc<Protection> = use_memo(known.data, |known| {
        let mut protection = Protection::new();
        for known in known.iter().flat_map(|known| known.iter()) {
            protection.insert(known.vm_id.clone(), known.clone());
        }
        protection
    });
    let shown = use_memo(
        (Rc::clone(&all), Rc::clone(&protection), (*look).clone()),
        |(all, protection, look)| arrange(all, protection, &look.search, look.state, look.order),
    );
    let rows = Rc::new(Rows::new(
        &app,
        shown,
        Rc::clone(&protection),
        (*chosen).clone(),
        actions,
    ));
    let discover = set_over.reform(|_: MouseEvent| Some(Over::Discover));
    let as_table = app.settings.vms_as_table;
    let errors = [&vms.error, &sample.error, &cancel.error, &settings.error];
    let body = if vms.data.is_none() && vms.is_loading {
        html! { <div class="skeleton" role="status" aria-label={words::vms::loading()}></div> }
    } else if vms.data.is_none() {
        // The error says it.
        Html::default()
    } else if all.is_empty() {
        let add_sample = app.is_local().then(|| {
            let onclick = sample.run.reform(|_: MouseEvent| AddSampleVm {});
            add_sample(onclick, sample.is_running)
        });
        no_vms(&discover, add_sample)
    } else if rows.len() == 0 {
        empty_state(
            Picture::Search,
            words::common::nothing_matches(),
            words::vms::nothing_matches_hint(),
            Html::default(),
        )
    } else if as_table {
        let (order, look) = (look.order, look.clone());
        let on_order = Callback::from(move |column| {
            let order = look.order.clicked(column);
            look.set(Look {
                order,
                ..(*look).clone()
            });
        });
        vm_table(&rows, order, &on_order, &toggle_all(&rows, &chosen))
    } else {
        cards(&rows)
    };
    html! {
        <>
        <header class="page__head">
            <h1>{ words::vms::title() }</h1>
            if vms.data.is_some() {
                <span class="faint num">{ all.len() }</span>
            }
            <span class="page__space"></span>
            { search(&look) }
            { view_choice(&app.settings, &settings.run) }
            if !all.is_empty() {
                <button class="button is-narrow" type="button" onclick={discover} title={words::discovery::title()}>{ icon(Picture::Plus) }{ words::discovery::title() }</button>
                { back_up_selected(&rows, &set_over) }
            }
        </header>
        <div class="page__body">
            { error_notices(errors.into_iter().flatten(), Some(&vms.reload)) }
            { body }
        </div>
        { status(vms.data.is_some().then_some(all.len()), &rows, app.running.len(), &protection) }
        { dialog(&app, over.as_ref(), set_over.reform(|()| None), clear(&chosen)) }
        </>
    }
}

/// Selects a VM, or deselects it.
fn toggle(chosen: &UseStateHandle<BTreeSet<VmId>>) -> Callback<VmId> {
    let chosen = chosen.clone();
    Callback::from(move |id: VmId| {
        let mut ids = (*chosen).clone();
        if !ids.remove(&id) {
            ids.insert(id);
        }
        chosen.set(ids);
    })
}

/// Selects all that are shown, or none.
fn toggle_all(rows: &Rc<Rows>, chosen: &UseStateHandle<BTreeSet<VmId>>) -> Callback<()> {
    let (rows, chosen) = (Rc::clone(rows), chosen.setter());
    Callback::from(move |()| {
        let mut ids = BTreeSet::new();
        if !rows.are_all_chosen() {
            ids.extend(rows.shown().map(|vm| vm.context_id.clone()));
        }
        chosen.set(ids);
    })
}

/// Selects none.
fn clear(chosen: &UseStateHandle<BTreeSet<VmId>>) -> Callback<()> {
    let chosen = chosen.setter();
    Callback::from(move |()| chosen.set(BTreeSet::new()))
}

/// Says which VMs were added and which were not.
fn on_added(app: &AppContext) -> Callback<AddedVms> {
    let app = app.dispatcher();
    Callback::from(move |added: AddedVms| {
        let names: Vec<_> = added.vms.iter().map(|vm| vm.vm_name.as_str()).collect();
        if !names.is_empty() {
            app.dispatch(Change::done(words::vms::added(), names.join(", ")));
        }
        for (name, reason) in &added.failed {
            app.dispatch(Change::failed(&not_added(name, reason.as_deref())));
        }
        app.dispatch(Change::ListsChanged);
    })
}

fn no_vms(discover: &Callback<MouseEvent>, add_sample: Option<Html>) -> Html {
    let hint = match add_sample {
        Some(_) => words::vms::none_yet_hint(),
        None => words::vms::none_yet_elsewhere(),
    };
    let buttons = html! {
        <>
        <button class="button is-primary" type="button" onclick={discover.clone()}>{ words::discovery::title() }</button>
        { add_sample }
        </>
    };
    empty_state(Picture::Machine, words::vms::none_yet(), hint, buttons)
}

fn add_sample(onclick: Callback<MouseEvent>, is_running: bool) -> Html {
    html! {
        <button class="button" type="button" {onclick} disabled={is_running}>
            { if is_running { words::vms::unpacking_sample() } else { words::vms::add_sample() } }
        </button>
    }
}

fn cards(rows: &Rows) -> Html {
    html! {
        <div class="vm-cards">
            for row in (0..rows.len()).map(|place| rows.row(place)) {
                <VmItem key={row.vm.context_id.to_string()} ..VmItemProps { is_card: true, ..row.clone() } />
            }
        </div>
    }
}

/// The search field and the filter.
fn search(look: &UseStateHandle<Look>) -> Html {
    let on_search = {
        let look = look.clone();
        Callback::from(move |event: InputEvent| {
            look.set(Look {
                search: dom::value_of(&event),
                ..(*look).clone()
            });
        })
    };
    let on_filter = {
        let look = look.clone();
        Callback::from(move |event: Event| {
            look.set(Look {
                state: state_named(&dom::value_of(&event)),
                ..(*look).clone()
            });
        })
    };
    html! {
        <>
        <input
            class="search" type="search" aria-label={words::vms::search()} placeholder={words::vms::search_hint()}
            value={look.search.clone()} oninput={on_search}
        />
        <select aria-label={words::vms::filter()} onchange={on_filter}>
            <option value="">{ words::vms::all_states() }</option>
            <option value="never">{ words::vms::never_backed_up() }</option>
            <option value="protected">{ words::vms::protected() }</option>
            <option value="running">{ words::backups::running() }</option>
            <option value="failed">{ words::vms::last_failed() }</option>
            <option value="damaged">{ words::vms::last_damaged() }</option>
            <option value="unconfirmed">{ words::vms::last_unconfirmed() }</option>
        </select>
        </>
    }
}

/// Switches between table and cards, and saves that as a setting.
fn view_choice(settings: &Settings, save: &Callback<SaveSettings>) -> Html {
    let button = |as_table: bool, name: &'static str, picture: Picture| {
        let mut changed = settings.clone();
        changed.vms_as_table = as_table;
        let onclick = save.reform(move |_: MouseEvent| SaveSettings {
            settings: changed.clone(),
        });
        let is_pressed = settings.vms_as_table == as_table;
        html! {
            <button type="button" aria-label={name} title={name} aria-pressed={is_pressed.to_string()} {onclick}>
                { icon(picture) }
            </button>
        }
    };
    html! {
        <div class="segmented" role="group" aria-label={words::vms::view()}>
            { button(true, words::vms::table(), Picture::Table) }
            { button(false, words::vms::cards(), Picture::Cards) }
        </div>
    }
}

fn back_up_selected(rows: &Rc<Rows>, set_over: &Callback<Option<Over>>) -> Html {
    let is_none_chosen = rows.chosen().next().is_none();
    let rows = Rc::clone(rows);
    let onclick = set_over.reform(move |_: MouseEvent| {
        let mut chosen: Vec<Rc<Vm>> = rows.chosen().cloned().collect();
        match chosen.len() {
            0 | 1 => chosen.pop().map(Over::BackUp),
            _ => Some(Over::BackUpSeveral(chosen)),
        }
    });
    html! {
        <button
            class="button is-primary" type="button" {onclick} disabled={is_none_chosen}
            title={if is_none_chosen { words::vms::select_first() } else { "" }}
        >
            { words::vms::back_up_selected() }
        </button>
    }
}

/// How many VMs there are, by state; `n_all` once that is known.
fn status(n_all: Option<usize>, rows: &Rows, n_running: usize, protection: &Protection) -> Html {
    let n_in = |state: VmState| {
        let there = protection.values().filter(|known| known.state == state);
        there.count()
    };
    let (n_failed, n_damaged) = (
        n_in(VmState::LastBackupFailed),
        n_in(VmState::LastBackupDamaged),
    );
    let n_selected = rows.chosen().count();
    html! {
        <footer class="page__status num">
            if let Some(n_all) = n_all {
                <span>{ words::common::vms(n_all as u64) }</span>
            }
            if rows.len() != n_all.unwrap_or_default() {
                <span>{ words::vms::shown(rows.len()) }</span>
            }
            if n_selected > 0 {
                <span>{ words::vms::selected(n_selected) }</span>
            }
            <span>{ words::vms::running(n_running) }</span>
            if n_failed > 0 {
                <span class="is-problem">{ words::vms::failed(n_failed) }</span>
            }
            if n_damaged > 0 {
                <span class="is-problem">{ words::vms::damaged(n_damaged) }</span>
            }
        </footer>
    }
}

/// The open dialog, if there is one; `on_started` when backups of the selected VMs were started.
fn dialog(
    app: &AppContext,
    over: Option<&Over>,
    on_close: Callback<()>,
    on_started: Callback<()>,
) -> Html {
    match over {
        Some(Over::Discover) => {
            let (say, close) = (on_added(app), on_close.clone());
            let on_added = Callback::from(move |added| {
                close.emit(());
                say.emit(added);
            });
            html! { <DiscoverDialog is_local={app.is_local()} {on_added} {on_close} /> }
        }
        Some(Over::BackUp(vm)) => {
            let (app, close) = (app.dispatcher(), on_close.clone());
            let on_started = Callback::from(move |backup: StartedBackup| {
                app.dispatch(Change::started(&backup));
                app.dispatch(Change::ListsChanged);
                close.emit(());
            });
            html! { <BackupDialog vm={(**vm).clone()} {on_started} {on_close} /> }
        }
        Some(Over::BackUpSeveral(vms)) => {
            let (app, close) = (app.dispatcher(), on_close.clone());
            let on_done = Callback::from(move |n_started: usize| {
                if n_started > 0 {
                    let title = words::backups::several_started(n_started as u64);
                    let text = words::backups::leave_hint();
                    app.dispatch(Change::done(title, text));
                    app.dispatch(Change::ListsChanged);
                }
                on_started.emit(());
                close.emit(());
            });
            let vms: Vec<Vm> = vms.iter().map(|vm| (**vm).clone()).collect();
            html! { <BackupSeveralDialog {vms} {on_done} {on_close} /> }
        }
        None => Html::default(),
    }
}

fn state_named(name: &str) -> Option<VmState> {
    match name {
        "never" => Some(VmState::NeverBackedUp),
        "protected" => Some(VmState::Protected),
        "running" => Some(VmState::Running),
        "failed" => Some(VmState::LastBackupFailed),
        "damaged" => Some(VmState::LastBackupDamaged),
        "unconfirmed" => Some(VmState::LastBackupUnconfirmed),
        _ => None,
    }
}

fn not_added(name: &str, reason: Option<&str>) -> sendense_types::AppError {
    let error = sendense_types::AppError::new(
        sendense_types::ErrorKind::Conflict,
        words::vms::not_added(name),
        sendense_types::Retry::Never,
    );
    match reason {
        Some(reason) => error.with_hint(reason),
        None => error,
    }
}
