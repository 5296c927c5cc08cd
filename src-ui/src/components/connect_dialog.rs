//! Adding a hub, and signing in at one.

use sendense_types::commands::{AddHub, SignIn, TestHub};
use sendense_types::{HubCheck, Session};
use sendense_words as words;
use yew::prelude::*;

use super::{Dialog, error_notice};
use crate::dom;
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
    let username = use_state(String::new);
    let password = use_state(String::new);
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
            username: (*username).clone(),
            password: (*password).clone(),
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
            is_blocked={address.trim().is_empty()} is_busy={add.is_running}
        >
            { field(words::hubs::address(), &address, "text", words::hubs::address_example()) }
            { field(words::common::name(), &name, "text", words::hubs::name_hint()) }
            { field(words::hubs::user(), &username, "text", words::hubs::user_hint()) }
            { field(words::hubs::password(), &password, "password", "") }
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
                    </span>
                }
            </div>
            if let Some(error) = test.error.clone().or_else(|| add.error.clone()) {
                { error_notice(&error, None) }
            }
        </Dialog>
    }
}

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct SignInDialogProps {
    /// The hub's name.
    pub(crate) hub: AttrValue,
    /// Who signed in last.
    pub(crate) username: Option<String>,
    pub(crate) on_signed_in: Callback<Session>,
    pub(crate) on_close: Callback<()>,
}

/// Asks for a name and a password for the current hub.
#[component]
pub(crate) fn SignInDialog(props: &SignInDialogProps) -> Html {
    let username = use_state(|| props.username.clone().unwrap_or_default());
    let password = use_state(String::new);
    let sign_in = use_action::<SignIn>(props.on_signed_in.clone());
    let on_action = {
        let run = sign_in.run.clone();
        let request = SignIn {
            username: (*username).clone(),
            password: (*password).clone(),
        };
        Callback::from(move |()| run.emit(request.clone()))
    };
    html! {
        <Dialog
            title={words::hubs::sign_in_to(&props.hub)} action={words::hubs::sign_in()} {on_action}
            on_close={props.on_close.clone()} is_blocked={username.trim().is_empty()}
            is_busy={sign_in.is_running}
        >
            { field(words::hubs::user(), &username, "text", "") }
            { field(words::hubs::password(), &password, "password", "") }
            if let Some(error) = &sign_in.error {
                { error_notice(error, None) }
            }
        </Dialog>
    }
}

/// A labelled text field.
fn field(
    label: &'static str,
    value: &UseStateHandle<String>,
    kind: &'static str,
    placeholder: &'static str,
) -> Html {
    let oninput = {
        let value = value.setter();
        Callback::from(move |event: InputEvent| value.set(dom::value_of(&event)))
    };
    html! {
        <label class="field">
            <span>{ label }</span>
            <input
                type={kind} aria-label={label} value={(**value).clone()} {placeholder}
                autocomplete="off" spellcheck="false" {oninput}
            />
        </label>
    }
}
