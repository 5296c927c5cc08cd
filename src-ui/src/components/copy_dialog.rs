//! Copying a recovery point, with all it builds on, to another repository.

use sendense_types::commands::{CopyBackup, ListRepositories};
use sendense_types::{Backup, Repository, RepositoryId};
use yew::prelude::*;

use super::backup_dialog::RepositoryChoice;
use super::{Dialog, ErrorNotice};
use crate::format;
use crate::hooks::{use_action, use_query};

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct CopyDialogProps {
    pub(crate) backup: Backup,
    pub(crate) on_close: Callback<()>,
}

/// Asks where to; how far the copy is stands in the row and outlasts the dialog.
#[component]
pub(crate) fn CopyDialog(props: &CopyDialogProps) -> Html {
    let backup = &props.backup;
    let repositories = use_query(ListRepositories {}, 0);
    let wanted = use_state(|| None::<RepositoryId>);
    let copy = use_action::<CopyBackup>(Callback::noop());
    let usable: Vec<Repository> = repositories
        .data
        .iter()
        .flat_map(|all| all.iter())
        .filter(|known| known.enabled && known.is_connected != Some(false))
        .filter(|known| Some(&known.id) != backup.repository_id.as_ref())
        .cloned()
        .collect();
    let chosen = usable
        .iter()
        .find(|known| Some(&known.id) == wanted.as_ref())
        .or_else(|| usable.first())
        .map(|known| known.id.clone());
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
    let on_choice = {
        let wanted = wanted.clone();
        Callback::from(move |id| wanted.set(Some(id)))
    };
    let time = backup.created_at.map(format::date).unwrap_or_default();
    html! {
        <Dialog
            title={format!("Copy the backup of {time}")} action="Copy" {on_action} on_close={props.on_close.clone()}
            is_blocked={chosen.is_none()}
        >
            <p>{ "It is copied with everything it builds on, and compared with what was backed up. What is there already is not copied again." }</p>
            if repositories.data.is_some() && usable.is_empty() {
                <p class="is-problem" role="status">{ "There is no other repository that is connected. Add one on the page Repositories." }</p>
            } else {
                <RepositoryChoice {usable} {chosen} is_known={repositories.data.is_some()} {on_choice} />
            }
            if let Some(error) = repositories.error.clone() {
                <ErrorNotice {error} on_retry={repositories.reload.clone()} />
            }
        </Dialog>
    }
}
