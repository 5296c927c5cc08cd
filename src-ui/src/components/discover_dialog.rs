//! Finding VMs: in a folder of disk images, or on a vCenter that a remote hub has a sign-in for.

use std::collections::BTreeSet;

use sendense_types::commands::{
    AddVms, CancelDiscovery, ChooseFolderOfImages, DiscoverVms, ListVcenterCredentials,
};
use sendense_types::{AddedVms, DiscoveredVm, ErrorKind, VcenterCredential, VmSource};
use sendense_words as words;
use yew::prelude::*;

use super::{Dialog, Size, error_notice};
use crate::hooks::{use_action, use_query};
use crate::{dom, format};

/// So many VMs can be found by eye.
const FEW: usize = 12;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct DiscoverDialogProps {
    /// The hub is this computer's: it looks in folders, others on vCenters.
    pub(crate) is_local: bool,
    pub(crate) on_added: Callback<AddedVms>,
    pub(crate) on_close: Callback<()>,
}

/// Chooses where to look, shows what is there, adds what is ticked.
#[component]
pub(crate) fn DiscoverDialog(props: &DiscoverDialogProps) -> Html {
    let source = use_state(|| None::<VmSource>);
    let found = use_state(|| None::<Vec<DiscoveredVm>>);
    let chosen = use_state(BTreeSet::<String>::new);
    let add = use_action::<AddVms>(props.on_added.clone());
    let discover = {
        let (found, chosen) = (found.clone(), chosen.clone());
        // A folder was chosen for what is in it; a vCenter holds what many people look after.
        let is_local = props.is_local;
        use_action::<DiscoverVms>(Callback::from(move |vms: Vec<DiscoveredVm>| {
            let mut names = BTreeSet::new();
            let new = vms.iter().filter(|vm| is_local && can_be_added(vm));
            names.extend(new.map(|vm| vm.name.clone()));
            chosen.set(names);
            found.set(Some(vms));
        }))
    };
    let stop = use_action::<CancelDiscovery>(Callback::noop());
    let on_look = {
        let (source, found, chosen) = (source.clone(), found.clone(), chosen.clone());
        let run = discover.run.clone();
        Callback::from(move |place: VmSource| {
            source.set(Some(place.clone()));
            found.set(None);
            chosen.set(BTreeSet::new());
            run.emit(DiscoverVms { source: place });
        })
    };
    let on_action = {
        let (run, source, chosen) = (add.run.clone(), source.clone(), chosen.clone());
        Callback::from(move |()| {
            if let Some(source) = (*source).clone() {
                let names = chosen.iter().cloned().collect();
                run.emit(AddVms { source, names });
            }
        })
    };
    let on_stop = stop.run.reform(|()| CancelDiscovery {});
    let on_close = {
        let (on_close, on_stop) = (props.on_close.clone(), on_stop.clone());
        let is_looking = discover.is_running;
        Callback::from(move |()| {
            if is_looking {
                on_stop.emit(());
            }
            on_close.emit(());
        })
    };
    let on_choose = {
        let chosen = chosen.setter();
        Callback::from(move |names: BTreeSet<String>| chosen.set(names))
    };
    let errors = [&discover.error, &add.error];
    let error = errors
        .into_iter()
        .flatten()
        .find(|error| error.kind != ErrorKind::Cancelled);
    let is_looking = discover.is_running;
    html! {
        <Dialog
            title={words::discovery::title()}
            action={if chosen.is_empty() { words::common::add().to_owned() } else { words::discovery::add(chosen.len() as u64) }}
            {on_action} {on_close} is_blocked={chosen.is_empty()} is_busy={add.is_running}
        >
            if props.is_local {
                <Folder {on_look} {is_looking} />
            } else {
                <Vcenter {on_look} {on_stop} {is_looking} />
            }
            if is_looking {
                <p role="status">{ if props.is_local { words::discovery::looking() } else { words::discovery::asking() } }</p>
            }
            if let Some(vms) = &*found {
                if vms.is_empty() {
                    <p role="status">{ if props.is_local { words::discovery::nothing() } else { words::discovery::nothing_there() } }</p>
                } else {
                    <Found vms={vms.clone()} chosen={(*chosen).clone()} {on_choose} />
                }
            }
            if let Some(error) = error {
                { error_notice(error, None) }
            }
        </Dialog>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct PlaceProps {
    on_look: Callback<VmSource>,
    #[prop_or_default]
    on_stop: Callback<()>,
    is_looking: bool,
}

/// A folder of this computer.
#[component]
fn Folder(props: &PlaceProps) -> Html {
    let folder = use_state(|| None::<String>);
    let choose = {
        let (folder, on_look) = (folder.clone(), props.on_look.clone());
        use_action::<ChooseFolderOfImages>(Callback::from(move |picked: Option<String>| {
            if let Some(picked) = picked {
                folder.set(Some(picked.clone()));
                on_look.emit(VmSource::Folder { folder: picked });
            }
        }))
    };
    let onclick = choose.run.reform(|_: MouseEvent| ChooseFolderOfImages {});
    html! {
        <>
        <p class="faint">{ words::discovery::hint() }</p>
        <div class="dialog__line">
            <button class="button" type="button" {onclick} disabled={choose.is_running || props.is_looking}>
                { words::common::choose_folder() }
            </button>
            <span class="dialog__path">{ folder.as_deref().unwrap_or(words::common::no_folder_yet()) }</span>
        </div>
        if let Some(error) = &choose.error {
            { error_notice(error, None) }
        }
        </>
    }
}

/// A vCenter that the hub has a sign-in for.
#[component]
fn Vcenter(props: &PlaceProps) -> Html {
    let known = use_query(ListVcenterCredentials {}, 0);
    let wanted = use_state(|| None::<u64>);
    let all: &[VcenterCredential] = known.data.as_ref().map_or(&[], |all| all.as_slice());
    let chosen = wanted.or(all.first().map(|first| first.id));
    let onchange = {
        let wanted = wanted.setter();
        Callback::from(move |event: Event| wanted.set(dom::value_of(&event).parse().ok()))
    };
    let look = props
        .on_look
        .reform(|credential_id: u64| VmSource::Vcenter { credential_id });
    let onclick = Callback::from(move |_: MouseEvent| {
        if let Some(id) = chosen {
            look.emit(id);
        }
    });
    html! {
        <>
        <p class="faint">{ words::discovery::vcenter_hint() }</p>
        if let Some(error) = &known.error {
            { error_notice(error, Some(&known.reload)) }
        } else if known.data.is_none() {
            <span class="skeleton is-line" role="status" aria-label={words::common::loading()}></span>
        } else if all.is_empty() {
            <p role="status">{ words::discovery::no_credentials() }</p>
        } else {
            <label class="field">
                <span>{ words::discovery::vcenter() }</span>
                <select aria-label={words::discovery::vcenter()} {onchange} disabled={props.is_looking}>
                    for one in all {
                        <option key={one.id} value={one.id.to_string()} selected={chosen == Some(one.id)}>
                            { words::discovery::vcenter_line(&one.name, &one.vcenter_host) }
                        </option>
                    }
                </select>
            </label>
            <div class="dialog__line">
                <button class="button" type="button" {onclick} disabled={props.is_looking}>{ words::discovery::discover() }</button>
                if props.is_looking {
                    <button class="button" type="button" onclick={props.on_stop.reform(|_: MouseEvent| ())}>{ words::discovery::stop() }</button>
                }
            </div>
        }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct FoundProps {
    vms: Vec<DiscoveredVm>,
    chosen: BTreeSet<String>,
    on_choose: Callback<BTreeSet<String>>,
}

/// What was found, with a filter once there is much of it.
#[component]
fn Found(props: &FoundProps) -> Html {
    let filter = use_state(String::new);
    let wanted = filter.to_lowercase();
    let shown: Vec<&DiscoveredVm> = props
        .vms
        .iter()
        .filter(|vm| vm.name.to_lowercase().contains(&wanted))
        .collect();
    let new = || shown.iter().filter(|vm| can_be_added(vm));
    let n_new = new().count() as u64;
    let are_all = n_new > 0 && new().all(|vm| props.chosen.contains(&vm.name));
    let choose = |names: Vec<String>, is_in: bool| {
        let (chosen, on_choose) = (props.chosen.clone(), props.on_choose.clone());
        Callback::from(move |_: Event| {
            let mut chosen = chosen.clone();
            for name in &names {
                if is_in {
                    chosen.remove(name);
                } else {
                    chosen.insert(name.clone());
                }
            }
            on_choose.emit(chosen);
        })
    };
    let oninput = {
        let filter = filter.setter();
        Callback::from(move |event: InputEvent| filter.set(dom::value_of(&event)))
    };
    html! {
        <>
        if props.vms.len() > FEW {
            <input
                type="search" aria-label={words::discovery::filter()} placeholder={words::discovery::filter()}
                value={(*filter).clone()} {oninput}
            />
            if shown.is_empty() {
                <p role="status">{ words::discovery::nothing_matches() }</p>
            }
        }
        if n_new > 1 {
            <label class="dialog__line">
                <input type="checkbox" checked={are_all} onchange={choose(new().map(|vm| vm.name.clone()).collect(), are_all)} />
                { words::discovery::select_all(n_new) }
            </label>
        }
        <ul class="check-list" aria-label={words::discovery::found()}>
            for vm in &shown {
                { line(vm, props.chosen.contains(&vm.name), &choose) }
            }
        </ul>
        </>
    }
}

/// One VM that was found.
fn line(
    vm: &DiscoveredVm,
    is_chosen: bool,
    choose: &dyn Fn(Vec<String>, bool) -> Callback<Event>,
) -> Html {
    let onchange = choose(vec![vm.name.clone()], is_chosen);
    html! {
        <li key={vm.path.clone()}>
            <label>
                <input type="checkbox" checked={is_chosen} disabled={!can_be_added(vm)} {onchange} />
                <span class="check-list__name" title={vm.path.clone()}>{ &vm.name }</span>
                <span class="faint">{ words::common::disks(vm.disks.len() as u64) }{ " · " }<Size bytes={size_of(vm)} /></span>
            </label>
            if vm.existing {
                <small class="faint">{ words::discovery::known() }</small>
            } else if let Some(problem) = problem_of(vm) {
                <small class="is-problem">{ problem }</small>
            }
            for file in &vm.left_out {
                <small class="faint" title={file.path.clone()}>
                    { words::discovery::left_out(format::last_part(&file.path), &file.reason) }
                </small>
            }
        </li>
    }
}

fn can_be_added(vm: &DiscoveredVm) -> bool {
    !vm.existing && vm.problem.is_none()
}

fn size_of(vm: &DiscoveredVm) -> Option<u64> {
    vm.disks.iter().map(|disk| disk.capacity_bytes).sum()
}

fn problem_of(vm: &DiscoveredVm) -> Option<String> {
    let of_disks = vm.disks.iter().find_map(|disk| disk.problem.clone());
    vm.problem.clone().or(of_disks)
}
