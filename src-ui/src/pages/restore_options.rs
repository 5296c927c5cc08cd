//! Whether files or whole disks of a backup are restored, and which disk is opened. If there is nothing to choose, it is
//! opened without asking.

use sendense_types::commands::{GetBackup, ListFullRestores, OpenBackupDisk};
use sendense_types::{Backup, BackupDisk, BackupId, BackupStatus, FullRestore, OpenMount};
use sendense_words as words;
use yew::prelude::*;
use yew_router::prelude::*;

use crate::components::{FullRestoreForm, error_notice};
use crate::format;
use crate::hooks::{use_action, use_query};
use crate::route::Route;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct RestoreOptionsProps {
    pub(crate) backup_id: AttrValue,
}

/// Chooses a disk and mounts it.
#[component]
pub(crate) fn RestoreOptions(props: &RestoreOptionsProps) -> Html {
    let navigator = use_navigator();
    let backup_id = BackupId::new(props.backup_id.as_str());
    let backup = use_query(
        GetBackup {
            backup_id: backup_id.clone(),
        },
        0,
    );
    let full = use_query(ListFullRestores {}, 0);
    let is_full = use_state(|| false);
    let offers_full = full.data.as_ref().map(|listed| listed.is_some());
    let disk = use_state(|| 0_u32);
    let mount = {
        let navigator = navigator.clone();
        use_action::<OpenBackupDisk>(Callback::from(move |mount: OpenMount| {
            if let Some(navigator) = &navigator {
                navigator.replace(&Route::Browser {
                    mount_id: mount.mount_id.to_string(),
                });
            }
        }))
    };
    let disks = backup.data.as_ref().map(|backup| disks_of(backup));
    let open = {
        let (run, backup_id) = (mount.run.clone(), backup_id.clone());
        Callback::from(move |disk_index: u32| {
            run.emit(OpenBackupDisk {
                backup_id: backup_id.clone(),
                disk_index,
            });
        })
    };
    {
        // With one disk there is nothing to choose, where whole disks are not offered.
        let is_choice = offers_full == Some(true) || (offers_full.is_none() && full.is_loading);
        let only = match disks.as_deref() {
            Some([(index, _)]) if !is_choice => Some(*index),
            _ => None,
        };
        let open = open.clone();
        use_effect_with(only, move |only| {
            if let Some(disk_index) = only {
                open.emit(*disk_index);
            }
        });
    }
    let on_started = {
        let navigator = navigator.clone();
        Callback::from(move |_: FullRestore| {
            if let Some(navigator) = &navigator {
                navigator.push(&Route::Downloads);
            }
        })
    };
    let back = Callback::from(move |_: MouseEvent| {
        if let Some(navigator) = &navigator {
            navigator.back();
        }
    });
    let title = backup.data.as_ref().map_or_else(
        || words::mounts::title().to_owned(),
        |backup| title_of(backup),
    );
    let again = {
        let (open, disk) = (open.clone(), *disk);
        Callback::from(move |()| open.emit(disk))
    };
    let onsubmit = {
        let again = again.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            again.emit(());
        })
    };
    html! {
        <>
        <header class="page__head"><h1>{ title }</h1></header>
        <div class="page__body">
            if backup.data.as_ref().is_some_and(|backup| backup.status == BackupStatus::Unconfirmed) {
                <p class="is-problem" role="status">{ words::backups::unconfirmed_note() }</p>
            }
            if let Some(error) = &backup.error {
                { error_notice(error, Some(&backup.reload)) }
            }
            if let Some(error) = &mount.error {
                { error_notice(error, Some(&again)) }
            }
            if let (true, Some(disks)) = (*is_full, &disks) {
                <FullRestoreForm {backup_id} disks={disks.clone()} on_started={on_started}>
                    { kinds(offers_full, &is_full) }
                </FullRestoreForm>
            } else if mount.is_running {
                <p class="busy" role="status">{ words::mounts::mounting() }</p>
            } else if let Some(disks) = disks {
                <form class="panel restore-options" {onsubmit} aria-label={words::mounts::options()}>
                    <fieldset>
                        <legend>{ words::mounts::disk() }</legend>
                        for (index, text) in disks {
                            <label class="restore-options__choice">
                                <input
                                    type="radio" name="disk" aria-label={text.clone()} checked={*disk == index}
                                    onchange={let disk = disk.clone(); Callback::from(move |_: Event| disk.set(index))}
                                />
                                { text }
                            </label>
                        }
                    </fieldset>
                    { kinds(offers_full, &is_full) }
                    <footer>
                        <button class="button" type="button" onclick={back}>{ words::common::cancel() }</button>
                        <button class="button is-primary" type="submit">{ words::mounts::next() }</button>
                    </footer>
                </form>
            }
        </div>
        </>
    }
}

/// Files, or whole disks where the hub offers them.
fn kinds(offers_full: Option<bool>, is_full: &UseStateHandle<bool>) -> Html {
    let choose = |kind: bool| {
        let is_full = is_full.setter();
        Callback::from(move |_: Event| is_full.set(kind))
    };
    let is_offered = offers_full == Some(true);
    html! {
        <fieldset>
            <legend>{ words::mounts::kind() }</legend>
            <label class="restore-options__choice">
                <input type="radio" name="kind" checked={!**is_full} onchange={choose(false)} />{ words::mounts::files() }
            </label>
            <label
                class={classes!("restore-options__choice", (!is_offered).then_some("faint"))}
                title={(!is_offered).then(words::mounts::full_hint)}
            >
                <input type="radio" name="kind" checked={**is_full} onchange={choose(true)} disabled={!is_offered} />
                { words::mounts::full() }
            </label>
        </fieldset>
    }
}

/// "pgtest1 · 8 Oct 2025 19:24"
fn title_of(backup: &Backup) -> String {
    match backup.created_at {
        Some(time) => format!("{} · {}", backup.vm_name, format::date(time)),
        None => backup.vm_name.clone(),
    }
}

/// The disks with their sizes; for hubs that only give a count, as many numbered ones.
fn disks_of(backup: &Backup) -> Vec<(u32, String)> {
    if backup.disks.is_empty() {
        return (0..backup.disk_count.unwrap_or(1).max(1))
            .map(|index| (index, words::common::disk(index)))
            .collect();
    }
    let text = |disk: &BackupDisk| match disk.size_gb {
        Some(size) => words::mounts::disk_size(disk.disk_index, size),
        None => words::common::disk(disk.disk_index),
    };
    backup
        .disks
        .iter()
        .map(|disk| (disk.disk_index, text(disk)))
        .collect()
}
