//! The disks of a machine, and where it was found.

use sendense_types::Vm;
use sendense_types::commands::ListVmDisks;
use sendense_words as words;
use yew::prelude::*;

use super::{Dialog, Picture, Size, error_notice, icon};
use crate::format;
use crate::hooks::use_query;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct VmDisksDialogProps {
    pub(crate) vm: Vm,
    pub(crate) on_back_up: Callback<()>,
    pub(crate) on_close: Callback<()>,
}

/// Shows what a backup of the machine would hold.
#[component]
pub(crate) fn VmDisksDialog(props: &VmDisksDialogProps) -> Html {
    let vm = &props.vm;
    let disks = use_query(ListVmDisks { vm: vm.clone() }, 0);
    let on_action = {
        let (on_back_up, on_close) = (props.on_back_up.clone(), props.on_close.clone());
        Callback::from(move |()| {
            on_close.emit(());
            on_back_up.emit(());
        })
    };
    html! {
        <Dialog
            title={words::vms::disks_title(&vm.vm_name)} action={words::backups::back_up_now()} {on_action} on_close={props.on_close.clone()}
            cancel={words::common::close()}
        >
            if !vm.vm_path.is_empty() {
                <p class="dialog__path">{ &vm.vm_path }</p>
            }
            if disks.data.is_none() && disks.is_loading {
                <div class="skeleton" role="status" aria-label={words::vms::loading_disks()}></div>
            }
            <ul class="check-list" aria-label={words::backups::disks()}>
                for disk in disks.data.iter().flat_map(|disks| disks.iter()) {
                    <li class="check-list__line" key={disk.disk_index}>
                        { icon(Picture::Drive) }
                        <span class="check-list__name" title={disk.chosen_because.clone()}>
                            { format::disk(disk.disk_index, &disk.label) }
                            if let Some(path) = &disk.path {
                                <small class="faint">{ path }</small>
                            }
                            if let Some(reason) = &disk.chosen_because {
                                <small class="faint">{ words::vms::chosen_because(reason) }</small>
                            }
                        </span>
                        <Size bytes={disk.size_bytes()} is_rounded={disk.is_rounded()} />
                    </li>
                }
            </ul>
            for file in &vm.left_out {
                <p class="dialog__path" key={file.path.clone()} title={file.path.clone()}>
                    { words::discovery::left_out(format::last_part(&file.path), &file.reason) }
                </p>
            }
            if let Some(error) = &disks.error {
                { error_notice(error, Some(&disks.reload)) }
            }
        </Dialog>
    }
}
