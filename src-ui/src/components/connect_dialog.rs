//! Adding a hub, and signing in at one.

use sendense_types::commands::{AddHub, Credentials, SignIn, TestHub};
use sendense_types::{HubCheck, SavedHub, Session, SignInKind};
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
            { fields(&entry) }
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

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct SignInDialogProps {
    /// The hub.
    pub(crate) hub: SavedHub,
    pub(crate) on_signed_in: Callback<Session>,
    pub(crate) on_close: Callback<()>,
}

/// Asks for what the current hub wants from whoever signs in.
#[component]
pub(crate) fn SignInDialog(props: &SignInDialogProps) -> Html {
    let kind = match props.hub.sign_in {
        // It wants something now.
        SignInKind::None => SignInKind::Password,
        kind => kind,
    };
    let entry = use_entry(kind, props.hub.username.clone());
    let sign_in = use_action::<SignIn>(props.on_signed_in.clone());
    let on_action = {
        let run = sign_in.run.clone();
        let request = SignIn {
            credentials: entry.credentials(),
        };
        Callback::from(move |()| run.emit(request.clone()))
    };
    let is_nobody = *entry.kind == SignInKind::Password && entry.username.trim().is_empty();
    html! {
        <Dialog
            title={words::hubs::sign_in_to(&props.hub.name)} action={words::hubs::sign_in()} {on_action}
            on_close={props.on_close.clone()} is_blocked={is_nobody || entry.lacks_a_token()}
            is_busy={sign_in.is_running}
        >
            { fields(&entry) }
            if let Some(error) = &sign_in.error {
                { error_notice(error, None) }
            }
        </Dialog>
    }
}

/// What somebody signs in with, as it is typed.
struct Entry {
    kind: UseStateHandle<SignInKind>,
    username: UseStateHandle<String>,
    password: UseStateHandle<String>,
    token: UseStateHandle<String>,
}

#[hook]
fn use_entry(kind: SignInKind, username: Option<String>) -> Entry {
    Entry {
        kind: use_state(|| kind),
        username: use_state(|| username.unwrap_or_default()),
        password: use_state(String::new),
        token: use_state(String::new),
    }
}

impl Entry {
    fn credentials(&self) -> Credentials {
        let token = (*self.token).clone();
        match *self.kind {
            SignInKind::None => Credentials::None,
            SignInKind::Password => Credentials::Password {
                username: (*self.username).clone(),
                password: (*self.password).clone(),
            },
            SignInKind::Appliance => Credentials::Appliance { token },
            SignInKind::Bearer => Credentials::Bearer { token },
        }
    }

    fn lacks_a_token(&self) -> bool {
        let wants_one = matches!(*self.kind, SignInKind::Appliance | SignInKind::Bearer);
        wants_one && self.token.trim().is_empty()
    }
}

/// The kind of sign-in, and what it takes.
fn fields(entry: &Entry) -> Html {
    let kinds = [
        (SignInKind::Password, words::hubs::with_password()),
        (SignInKind::Appliance, words::hubs::with_appliance_token()),
        (SignInKind::Bearer, words::hubs::with_bearer_token()),
        (SignInKind::None, words::hubs::without_sign_in()),
    ];
    let onchange = {
        let kind = entry.kind.setter();
        Callback::from(move |event: Event| {
            let chosen: Option<usize> = dom::value_of(&event).parse().ok();
            if let Some((chosen, _)) = chosen.and_then(|index| kinds.get(index)) {
                kind.set(*chosen);
            }
        })
    };
    html! {
        <>
            <label class="field">
                <span>{ words::hubs::sign_in_with() }</span>
                <select aria-label={words::hubs::sign_in_with()} {onchange}>
                    for (index, (kind, name)) in kinds.into_iter().enumerate() {
                        <option value={index.to_string()} selected={*entry.kind == kind}>{ name }</option>
                    }
                </select>
            </label>
            { match *entry.kind {
                SignInKind::None => html! { <p class="faint">{ words::hubs::without_sign_in_hint() }</p> },
                SignInKind::Password => html! {
                    <>
                        { field(words::hubs::user(), &entry.username, "text", "") }
                        { field(words::hubs::password(), &entry.password, "password", "") }
                    </>
                },
                SignInKind::Appliance => token_field(entry, words::hubs::appliance_token_hint()),
                SignInKind::Bearer => token_field(entry, words::hubs::bearer_token_hint()),
            } }
        </>
    }
}

fn token_field(entry: &Entry, hint: &'static str) -> Html {
    html! {
        <>
            { field(words::hubs::token(), &entry.token, "password", "") }
            <p class="faint">{ hint }</p>
        </>
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
