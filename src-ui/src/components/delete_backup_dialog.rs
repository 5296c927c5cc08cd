//! Asks before a recovery point is deleted, and says which others are deleted with it.

use sendense_types::commands::{DeleteBackup, GetBackup};
use sendense_types::{Backup, BackupId};
use sendense_words as words;
use yew::prelude::*;

use super::{Dialog, error_notice};
use crate::format;
use crate::hooks::{use_action, use_query};

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct DeleteBackupDialogProps {
    pub(crate) backup: Backup,
    /// All backups of the VM, to tell the times of those that are deleted with it.
    pub(crate) known: Vec<Backup>,
    /// These were deleted.
    pub(crate) on_deleted: Callback<Vec<BackupId>>,
    pub(crate) on_close: Callback<()>,
}

/// Deletes only what it lists.
#[component]
pub(crate) fn DeleteBackupDialog(props: &DeleteBackupDialogProps) -> Html {
    let backup = &props.backup;
    let id = &backup.backup_id;
    let detail = use_query(
        GetBackup {
            backup_id: id.clone(),
        },
        0,
    );
    let delete = use_action::<DeleteBackup>(props.on_deleted.clone());
    let dependents: Vec<BackupId> = detail
        .data
        .iter()
        .flat_map(|detail| detail.dependents.iter().cloned())
        .collect();
    let on_action = delete.run.reform({
        let (backup_id, with_dependents) = (id.clone(), !dependents.is_empty());
        move |()| DeleteBackup {
            backup_id: backup_id.clone(),
            with_dependents,
        }
    });
    let time_of = |id: &BackupId| {
        props
            .known
            .iter()
            .find(|known| known.backup_id == *id)
            .and_then(|known| known.created_at)
            .map_or_else(|| id.to_string(), format::date)
    };
    let action = match dependents.len() {
        0 => words::common::delete().to_owned(),
        others => words::history::delete_all(others + 1),
    };
    let error = delete.error.or(detail.error);
    html! {
        <Dialog
            title={words::history::delete_question(time_of(id))} {action} {on_action} on_close={props.on_close.clone()}
            is_blocked={detail.data.is_none()} is_busy={delete.is_running}
        >
            <p>{ words::history::delete_warning(&backup.vm_name) }</p>
            if !dependents.is_empty() {
                <p>{ words::history::others_go() }</p>
                <ul class="num">
                    for id in &dependents {
                        <li key={id.to_string()}>{ time_of(id) }</li>
                    }
                </ul>
            } else if detail.data.is_some() {
                <p class="faint">{ words::history::nothing_else_goes() }</p>
            }
            if let Some(error) = &error {
                { error_notice(error, None) }
            }
        </Dialog>
    }
}
