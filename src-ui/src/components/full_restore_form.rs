//! Restoring whole disks: which, as what, and to which folder. What it takes is found out before anything is written.

use sendense_types::commands::{ChooseRestoreFolder, PlanFullRestore, StartFullRestore};
use sendense_types::{
    BackupId, ByteSize, FullRestore, FullRestoreOrder, FullRestorePlan, HubId, ImageFormat,
    MachineDefinition, Units,
};
use sendense_words as words;
use yew::prelude::*;

use super::error_notice;
use crate::dom;
use crate::hooks::use_action;
use crate::state::app::AppContext;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct FullRestoreFormProps {
    pub(crate) backup_id: BackupId,
    /// The disks within it, with what they are called.
    pub(crate) disks: Vec<(u32, String)>,
    pub(crate) on_started: Callback<FullRestore>,
    /// What comes first.
    pub(crate) children: Html,
}

/// Asks for everything. Folders of this computer are chosen in the system's dialog, and the shell keeps them; others are
/// typed.
#[component]
pub(crate) fn FullRestoreForm(props: &FullRestoreFormProps) -> Html {
    let app = use_context::<AppContext>();
    let units = use_context::<Units>().unwrap_or_default();
    let session = app.as_ref().and_then(|app| app.session.as_ref());
    let is_here = session.is_some_and(|session| session.current == HubId::this_computer());
    let disk = use_state(|| None::<u32>);
    let format = use_state(ImageFormat::default);
    let definition = use_state(MachineDefinition::default);
    let folder = use_state(String::new);
    let found = use_state(|| None::<FullRestorePlan>);
    let plan = {
        let found = found.setter();
        use_action::<PlanFullRestore>(Callback::from(move |plan| found.set(Some(plan))))
    };
    let start = use_action::<StartFullRestore>(props.on_started.clone());
    let choose = {
        let folder = folder.setter();
        use_action::<ChooseRestoreFolder>(Callback::from(move |chosen: Option<String>| {
            if let Some(chosen) = chosen {
                folder.set(chosen);
            }
        }))
    };
    let order = FullRestoreOrder {
        backup_id: props.backup_id.clone(),
        disk_indexes: disk.iter().copied().collect(),
        folder: (*folder).clone(),
        format: *format,
        definition: *definition,
    };
    {
        let (run, found) = (plan.run.clone(), found.setter());
        use_effect_with(order.clone(), move |order| {
            found.set(None);
            if !order.folder.is_empty() {
                run.emit(PlanFullRestore {
                    order: order.clone(),
                });
            }
        });
    }
    let on_disk = {
        let disk = disk.setter();
        Callback::from(move |event: Event| disk.set(dom::value_of(&event).parse().ok()))
    };
    let on_format = {
        let (format, definition) = (format.setter(), definition.clone());
        Callback::from(move |event: Event| {
            let chosen = ImageFormat::from_word(&dom::value_of(&event)).unwrap_or_default();
            if !definition.runs_from(chosen) {
                definition.set(MachineDefinition::None);
            }
            format.set(chosen);
        })
    };
    let on_definition = {
        let definition = definition.setter();
        Callback::from(move |event: Event| {
            let chosen = MachineDefinition::from_word(&dom::value_of(&event));
            definition.set(chosen.unwrap_or_default());
        })
    };
    let on_folder = {
        let folder = folder.setter();
        Callback::from(move |event: Event| folder.set(dom::value_of(&event).trim().to_owned()))
    };
    let on_choose = choose.run.reform(|_: MouseEvent| ChooseRestoreFolder {});
    let onsubmit = {
        let (run, order) = (start.run.clone(), order.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            run.emit(StartFullRestore {
                order: order.clone(),
            });
        })
    };
    let has_room = |plan: &FullRestorePlan| {
        plan.needed_bytes.saturating_sub(plan.resumable_bytes) <= plan.available_bytes
    };
    let is_ready = found.as_ref().is_some_and(has_room) && !start.is_running;
    let errors = [&choose.error, &plan.error, &start.error];
    let definitions = MachineDefinition::ALL
        .into_iter()
        .filter(|definition| definition.runs_from(*format));
    html! {
        <form class="panel restore-options" {onsubmit} aria-label={words::mounts::full()}>
            { props.children.clone() }
            if props.disks.len() > 1 {
                <label class="field">
                    <span>{ words::full_restores::disks() }</span>
                    <select aria-label={words::full_restores::disks()} onchange={on_disk}>
                        <option value="" selected={disk.is_none()}>{ words::full_restores::all_disks() }</option>
                        for (index, name) in props.disks.clone() {
                            <option value={index.to_string()} selected={*disk == Some(index)}>{ name }</option>
                        }
                    </select>
                </label>
            }
            <label class="field">
                <span>{ words::full_restores::save_as() }</span>
                <select aria-label={words::full_restores::save_as()} onchange={on_format}>
                    for one in ImageFormat::ALL {
                        <option value={one.as_str()} selected={one == *format}>{ name_of(one) }</option>
                    }
                </select>
            </label>
            <label class="field">
                <span>{ words::full_restores::definition() }</span>
                <select aria-label={words::full_restores::definition()} onchange={on_definition}>
                    for one in definitions {
                        <option value={one.as_str()} selected={one == *definition}>{ kind_of(one) }</option>
                    }
                </select>
            </label>
            if is_here {
                <div class="field">
                    <span>{ words::full_restores::folder() }</span>
                    <div class="dialog__line">
                        <button class="button" type="button" onclick={on_choose} disabled={choose.is_running}>
                            { words::common::choose_folder() }
                        </button>
                        <span class="dialog__path">
                            { if folder.is_empty() { words::common::no_folder_yet() } else { folder.as_str() } }
                        </span>
                    </div>
                </div>
            } else {
                <label class="field">
                    <span>{ words::full_restores::folder_on_hub() }</span>
                    <input
                        type="text" aria-label={words::full_restores::folder_on_hub()} value={(*folder).clone()}
                        autocomplete="off" spellcheck="false" onchange={on_folder}
                    />
                </label>
            }
            if plan.is_running {
                <p class="faint" role="status">{ words::full_restores::measuring() }</p>
            } else if let Some(plan) = &*found {
                { room(plan, has_room(plan), units) }
            }
            for error in errors.into_iter().flatten() {
                { error_notice(error, None) }
            }
            <footer>
                <button class="button is-primary" type="submit" disabled={!is_ready}>{ words::full_restores::restore() }</button>
            </footer>
        </form>
    }
}

/// What it takes, and what there is.
fn room(plan: &FullRestorePlan, has_room: bool, units: Units) -> Html {
    let size = |bytes| ByteSize(bytes).in_units(units);
    let (needed, free) = (size(plan.needed_bytes), size(plan.available_bytes));
    html! {
        <>
        if has_room {
            <p class="faint" role="status">{ words::full_restores::room(needed, free) }</p>
        } else {
            <p class="is-problem" role="status">{ words::full_restores::no_room(needed, free) }</p>
        }
        if plan.resumable_bytes > 0 {
            <p class="faint">{ words::full_restores::goes_on(size(plan.resumable_bytes)) }</p>
        }
        </>
    }
}

/// What a format is called.
pub(crate) fn name_of(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Raw => words::full_restores::raw(),
        ImageFormat::Qcow2 => words::full_restores::qcow2(),
        ImageFormat::Vmdk => words::full_restores::vmdk(),
        ImageFormat::VmdkStream => words::full_restores::vmdk_stream(),
        ImageFormat::Vdi => words::full_restores::vdi(),
        ImageFormat::Vhdx => words::full_restores::vhdx(),
    }
}

fn kind_of(definition: MachineDefinition) -> &'static str {
    match definition {
        MachineDefinition::None => words::full_restores::no_definition(),
        MachineDefinition::Libvirt => words::full_restores::libvirt(),
        MachineDefinition::Virtualbox => words::full_restores::virtualbox(),
        MachineDefinition::Vmware => words::full_restores::vmware(),
    }
}
