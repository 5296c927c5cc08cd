//! Finding virtual machines in a folder of disk images.

use std::collections::BTreeSet;

use sendense_types::commands::{AddVms, ChooseFolderOfImages, DiscoverVms};
use sendense_types::{AddedVms, DiscoveredVm};
use sendense_words as words;
use yew::prelude::*;

use super::{Dialog, Size, error_notice};
use crate::format;
use crate::hooks::use_action;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct DiscoverDialogProps {
    pub(crate) on_added: Callback<AddedVms>,
    pub(crate) on_close: Callback<()>,
}

/// Chooses a folder, shows what is in it, adds what is ticked.
#[component]
pub(crate) fn DiscoverDialog(props: &DiscoverDialogProps) -> Html {
    let folder = use_state(|| None::<String>);
    let found = use_state(|| None::<Vec<DiscoveredVm>>);
    let chosen = use_state(BTreeSet::<String>::new);
    let add = use_action::<AddVms>(props.on_added.clone());
    let discover = {
        let (found, chosen) = (found.clone(), chosen.clone());
        use_action::<DiscoverVms>(Callback::from(move |vms: Vec<DiscoveredVm>| {
            let new = vms.iter().filter(|vm| can_be_added(vm));
            let mut names = BTreeSet::new();
            names.extend(new.map(|vm| vm.name.clone()));
            chosen.set(names);
            found.set(Some(vms));
        }))
    };
    let choose = {
        let (folder, found, run) = (folder.clone(), found.clone(), discover.run.clone());
        use_action::<ChooseFolderOfImages>(Callback::from(move |picked: Option<String>| {
            if let Some(picked) = picked {
                folder.set(Some(picked.clone()));
                found.set(None);
                run.emit(DiscoverVms { folder: picked });
            }
        }))
    };
    let on_action = {
        let (run, folder, chosen) = (add.run.clone(), folder.clone(), chosen.clone());
        Callback::from(move |()| {
            run.emit(AddVms {
                folder: (*folder).clone().unwrap_or_default(),
                names: chosen.iter().cloned().collect(),
            });
        })
    };
    let on_choose = choose.run.reform(|_: MouseEvent| ChooseFolderOfImages {});
    let toggle = |name: String| {
        let chosen = chosen.clone();
        Callback::from(move |_: Event| {
            let mut names = (*chosen).clone();
            if !names.remove(&name) {
                names.insert(name.clone());
            }
            chosen.set(names);
        })
    };
    let error = [&choose.error, &discover.error, &add.error]
        .into_iter()
        .find_map(Clone::clone);
    html! {
        <Dialog
            title={words::discovery::title()}
            action={if chosen.is_empty() { words::common::add().to_owned() } else { words::discovery::add(chosen.len() as u64) }}
            {on_action} on_close={props.on_close.clone()}
            is_blocked={chosen.is_empty()} is_busy={add.is_running}
        >
            <p class="faint">
                { words::discovery::hint() }
            </p>
            <div class="dialog__line">
                <button class="button" type="button" onclick={on_choose} disabled={choose.is_running || discover.is_running}>
                    { words::common::choose_folder() }
                </button>
                <span class="dialog__path">{ folder.as_deref().unwrap_or(words::common::no_folder_yet()) }</span>
            </div>
            if discover.is_running {
                <p role="status">{ words::discovery::looking() }</p>
            }
            if let Some(vms) = &*found {
                if vms.is_empty() {
                    <p role="status">{ words::discovery::nothing() }</p>
                }
                <ul class="check-list" aria-label={words::discovery::found()}>
                    for vm in vms {
                        <li key={vm.path.clone()}>
                            <label>
                                <input
                                    type="checkbox" checked={chosen.contains(&vm.name)}
                                    disabled={!can_be_added(vm)} onchange={toggle(vm.name.clone())}
                                />
                                <span class="check-list__name">{ &vm.name }</span>
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
                </ul>
            }
            if let Some(error) = &error {
                { error_notice(error, None) }
            }
        </Dialog>
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
