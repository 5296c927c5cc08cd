//! Signing in at a hub.

use sendense_types::commands::SignIn;
use sendense_types::{SavedHub, Session, SignInKind, Trust};
use sendense_words as words;
use yew::prelude::*;

use super::sign_in_entry::{entry_fields, unencrypted, use_entry};
use super::{Dialog, Untrusted};
use crate::hooks::use_action;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct SignInDialogProps {
    /// The hub.
    pub(crate) hub: SavedHub,
    /// The user has decided how its certificate is trusted.
    pub(crate) on_trust: Callback<Trust>,
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
    let is_nobody = entry.lacks_a_name();
    html! {
        <Dialog
            title={words::hubs::sign_in_to(&props.hub.name)} action={words::hubs::sign_in()} {on_action}
            on_close={props.on_close.clone()} is_blocked={is_nobody || entry.lacks_a_token()}
            is_busy={sign_in.is_running}
        >
            { unencrypted(props.hub.address.as_deref().unwrap_or_default()) }
            { entry_fields(&entry) }
            if let Some(error) = sign_in.error.clone() {
                <Untrusted {error} on_trust={props.on_trust.clone()} />
            }
        </Dialog>
    }
}
