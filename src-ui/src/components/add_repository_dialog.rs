//! Adding a repository: a name, and a folder chosen in the system's dialog.

use sendense_types::commands::{AddRepository, ChooseRepositoryFolder};
use sendense_types::{ChosenFolder, Repository};
use sendense_words as words;
use yew::prelude::*;

use super::{Dialog, error_notice};
use crate::hooks::use_action;
use crate::{dom, format};

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct AddRepositoryDialogProps {
    pub(crate) on_added: Callback<Repository>,
    pub(crate) on_close: Callback<()>,
}

/// Asks for both; the shell keeps the path of the chosen folder.
#[component]
pub(crate) fn AddRepositoryDialog(props: &AddRepositoryDialogProps) -> Html {
    let name = use_state(String::new);
    let folder = use_state(|| None::<ChosenFolder>);
    let add = use_action::<AddRepository>(props.on_added.clone());
    let choose = {
        let (folder, name) = (folder.clone(), name.clone());
        use_action::<ChooseRepositoryFolder>(Callback::from(move |chosen: Option<ChosenFolder>| {
            let Some(chosen) = chosen else { return };
            if name.trim().is_empty() {
                name.set(format::last_part(&chosen.path));
            }
            folder.set(Some(chosen));
        }))
    };
    let on_choose = choose.run.reform(|_: MouseEvent| ChooseRepositoryFolder {});
    let oninput = {
        let name = name.clone();
        Callback::from(move |event: InputEvent| name.set(dom::value_of(&event)))
    };
    let on_action = {
        let name = (*name).clone();
        add.run
            .reform(move |()| AddRepository { name: name.clone() })
    };
    let problem = folder
        .as_ref()
        .filter(|folder| !folder.test.is_usable)
        .map(|folder| folder.test.message.clone().unwrap_or_default());
    let is_ready = folder.is_some() && problem.is_none() && !name.trim().is_empty();
    let error = add.error.clone().or_else(|| choose.error.clone());
    html! {
        <Dialog
            title={words::repositories::add_title()} action={words::common::add()} {on_action} on_close={props.on_close.clone()} is_blocked={!is_ready}
            is_busy={add.is_running}
        >
            <p class="faint">{ words::repositories::add_hint() }</p>
            <div class="field">
                <span>{ words::common::folder() }</span>
                <div class="dialog__line">
                    <button class="button" type="button" onclick={on_choose} disabled={choose.is_running}>{ words::common::choose_folder() }</button>
                    <span class="dialog__path">{ folder.as_ref().map_or(words::common::no_folder_yet(), |folder| folder.path.as_str()) }</span>
                </div>
            </div>
            if let Some(problem) = problem {
                <p class="is-problem" role="status">{ problem }</p>
            } else if folder.is_some() {
                <p class="faint" role="status">{ words::repositories::folder_works() }</p>
            }
            <label class="field">
                <span>{ words::common::name() }</span>
                <input type="text" aria-label={words::common::name()} value={(*name).clone()} {oninput} />
            </label>
            if let Some(error) = &error {
                { error_notice(error, None) }
            }
        </Dialog>
    }
}
