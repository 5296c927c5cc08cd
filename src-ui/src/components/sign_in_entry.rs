//! What somebody signs in with, as a part of dialogs.

use sendense_types::commands::Credentials;
use sendense_types::{Secret, SignInKind, is_readable_on_the_way};
use sendense_words as words;
use yew::prelude::*;

use super::{Picture, icon};
use crate::dom;

/// What somebody signs in with, as it is typed.
pub(super) struct Entry {
    kind: UseStateHandle<SignInKind>,
    username: UseStateHandle<String>,
    password: UseStateHandle<String>,
    token: UseStateHandle<String>,
}

#[hook]
pub(super) fn use_entry(kind: SignInKind, username: Option<String>) -> Entry {
    Entry {
        kind: use_state(|| kind),
        username: use_state(|| username.unwrap_or_default()),
        password: use_state(String::new),
        token: use_state(String::new),
    }
}

impl Entry {
    pub(super) fn credentials(&self) -> Credentials {
        let token = Secret::new((*self.token).clone());
        match *self.kind {
            SignInKind::None => Credentials::None,
            SignInKind::Password => Credentials::Password {
                username: (*self.username).clone(),
                password: Secret::new((*self.password).clone()),
            },
            SignInKind::Appliance => Credentials::Appliance { token },
            SignInKind::Bearer => Credentials::Bearer { token },
        }
    }

    /// Nobody is named who has to be, in a dialog where a name is due.
    pub(super) fn lacks_a_name(&self) -> bool {
        *self.kind == SignInKind::Password && self.username.trim().is_empty()
    }

    pub(super) fn lacks_a_token(&self) -> bool {
        let wants_one = matches!(*self.kind, SignInKind::Appliance | SignInKind::Bearer);
        wants_one && self.token.trim().is_empty()
    }
}

/// The kind of sign-in, and what it takes.
pub(super) fn entry_fields(entry: &Entry) -> Html {
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

/// Said before anything is sent to a hub at this address, where others can read it.
pub(super) fn unencrypted(address: &str) -> Html {
    html! {
        if is_readable_on_the_way(address) {
            <p class="faint">{ icon(Picture::Warning) }{ " " }{ words::hubs::unencrypted() }</p>
        }
    }
}

/// A labelled text field.
pub(super) fn field(
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
