//! Adding a hub.

use sendense_types::commands::{AddHub, TestHub};
use sendense_types::{HubCheck, Session, SignInKind};
use sendense_words as words;
use yew::prelude::*;

use super::sign_in_entry::{entry_fields, field, use_entry};
use super::{Dialog, error_notice};
use crate::hooks::use_action;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct AddHubDialogProps {
    pub(crate) on_added: Callback<Session>,
    pub(crate) on_close: Callback<()>,
}

/// Asks where a hub is and who signs in there.
#[component]
pub(crate) fn AddHubDialog(props: &AddHubDialogProps) -> Html {
    let name = use_state(String::new);
    let address = use_state(String::new);
    let entry = use_entry(SignInKind::Password, None);
    let found = use_state(|| None::<HubCheck>);
    let add = use_action::<AddHub>(props.on_added.clone());
    let test = {
        let found = found.clone();
        use_action::<TestHub>(Callback::from(move |check| found.set(Some(check))))
    };
    let on_action = {
        let run = add.run.clone();
        let request = AddHub {
            name: (*name).clone(),
            address: (*address).clone(),
            credentials: entry.credentials(),
        };
        Callback::from(move |()| run.emit(request.clone()))
    };
    let on_test = {
        let (run, address, found) = (test.run.clone(), address.clone(), found.clone());
        Callback::from(move |_: MouseEvent| {
            found.set(None);
            run.emit(TestHub {
                address: (*address).clone(),
            });
        })
    };
    html! {
        <Dialog
            title={words::hubs::add_title()} action={words::common::connect()} {on_action} on_close={props.on_close.clone()}
            is_blocked={address.trim().is_empty() || entry.lacks_a_token()} is_busy={add.is_running}
        >
            { field(words::hubs::address(), &address, "text", words::hubs::address_example()) }
            { field(words::common::name(), &name, "text", words::hubs::name_hint()) }
            { entry_fields(&entry) }
            <div class="dialog__line">
                <button
                    class="button" type="button" onclick={on_test}
                    disabled={test.is_running || address.trim().is_empty()}
                >
                    { if test.is_running { words::hubs::testing() } else { words::hubs::test() } }
                </button>
                if let Some(check) = &*found {
                    <span role="status">
                        { if check.needs_sign_in {
                            words::hubs::answers_sign_in()
                        } else {
                            words::hubs::answers_open()
                        } }
                        if check.is_readable_on_the_way {
                            { " " }{ words::hubs::unencrypted() }
                        }
                    </span>
                }
            </div>
            if let Some(error) = test.error.clone().or_else(|| add.error.clone()) {
                { error_notice(&error, None) }
            }
        </Dialog>
    }
}
