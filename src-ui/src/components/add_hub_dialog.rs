//! Adding a hub.

use sendense_types::commands::{AddHub, TestHub};
use sendense_types::{AppError, HubCheck, Session, SignInKind, Trust};
use sendense_words as words;
use yew::prelude::*;

use super::sign_in_entry::{entry_fields, field, unencrypted, use_entry};
use super::{Dialog, Untrusted};
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
    // What was decided about one address says nothing about another.
    let decided = use_state(|| (String::new(), Trust::System));
    let trust = match &*decided {
        (of, trust) if *of == *address => trust.clone(),
        _ => Trust::System,
    };
    let add = use_action::<AddHub>(props.on_added.clone());
    let test = {
        let found = found.clone();
        use_action::<TestHub>(Callback::from(move |check| found.set(Some(check))))
    };
    let add_with = {
        let request = AddHub {
            name: (*name).clone(),
            address: (*address).clone(),
            trust: Trust::System,
            credentials: entry.credentials(),
        };
        add.run.reform(move |trust| AddHub {
            trust,
            ..request.clone()
        })
    };
    let test_with = {
        let (address, found) = (address.clone(), found.clone());
        test.run.reform(move |trust| {
            found.set(None);
            TestHub {
                address: (*address).clone(),
                trust,
            }
        })
    };
    let on_action = {
        let trust = trust.clone();
        add_with.reform(move |()| trust.clone())
    };
    let on_test = test_with.reform(move |_: MouseEvent| trust.clone());
    // What failed for the certificate is done again.
    let on_trust = {
        let is_refused = |error: &Option<AppError>| {
            error
                .as_ref()
                .is_some_and(|error| error.certificate.is_some())
        };
        let is_refused = (is_refused(&test.error), is_refused(&add.error));
        let address = address.clone();
        Callback::from(move |trust: Trust| {
            decided.set(((*address).clone(), trust.clone()));
            if is_refused.0 {
                test_with.emit(trust.clone());
            }
            if is_refused.1 {
                add_with.emit(trust);
            }
        })
    };
    html! {
        <Dialog
            title={words::hubs::add_title()} action={words::common::connect()} {on_action} on_close={props.on_close.clone()}
            is_blocked={address.trim().is_empty() || entry.lacks_a_token()} is_busy={add.is_running}
        >
            { field(words::hubs::address(), &address, "text", words::hubs::address_example()) }
            { unencrypted(&address) }
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
                    </span>
                }
            </div>
            if let Some(error) = test.error.clone().or_else(|| add.error.clone()) {
                <Untrusted {error} {on_trust} />
            }
        </Dialog>
    }
}
