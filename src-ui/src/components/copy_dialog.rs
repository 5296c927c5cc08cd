//! Copying a recovery point, with everything it builds on, to another repository.

use sendense_types::Backup;
use sendense_types::commands::CopyBackup;
use sendense_words as words;
use yew::prelude::*;

use super::repository_choice::{repository_choice, use_target};
use super::{Dialog, error_notice};
use crate::format;
use crate::hooks::use_action;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct CopyDialogProps {
    pub(crate) backup: Backup,
    pub(crate) on_close: Callback<()>,
}

/// Asks where to, then closes; the row shows the progress.
#[component]
pub(crate) fn CopyDialog(props: &CopyDialogProps) -> Html {
    let backup = &props.backup;
    let target = use_target(backup.repository_id.clone());
    let copy = use_action::<CopyBackup>(Callback::noop());
    let chosen = target.chosen.as_ref().map(|known| known.id.clone());
    let on_action = {
        let (run, on_close) = (copy.run.clone(), props.on_close.clone());
        let (backup_id, chosen) = (backup.backup_id.clone(), chosen.clone());
        Callback::from(move |()| {
            if let Some(repository_id) = chosen.clone() {
                run.emit(CopyBackup {
                    backup_id: backup_id.clone(),
                    repository_id,
                });
                on_close.emit(());
            }
        })
    };
    let time = backup.created_at.map(format::date).unwrap_or_default();
    html! {
        <Dialog
            title={words::repositories::copy_title(time)} action={words::common::copy()} {on_action} on_close={props.on_close.clone()}
            is_blocked={chosen.is_none()}
        >
            <p>{ words::repositories::copy_hint() }</p>
            if target.is_nowhere() {
                <p class="is-problem" role="status">{ words::repositories::copy_nowhere() }</p>
            } else {
                { repository_choice(&target) }
            }
            if let Some(error) = &target.error {
                { error_notice(error, Some(&target.reload)) }
            }
        </Dialog>
    }
}
