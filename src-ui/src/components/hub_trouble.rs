//! What stands above all pages when the hub does not answer or does not know us, and deciding about its certificate.

use sendense_types::commands::TrustHub;
use sendense_types::{AppError, ErrorKind, HubId, Session, SessionState, Trust};
use sendense_words as words;
use yew::prelude::*;

use super::{certificate_dialog, error_notice, error_notice_with};
use crate::hooks::use_action;

/// What is shown of it, and how to trust the hub from elsewhere.
pub(crate) struct HubTrouble {
    /// Nothing on a good day.
    pub(crate) notice: Html,
    /// The dialog about its certificate, while it is open.
    pub(crate) dialog: Html,
    pub(crate) on_trust: Callback<Trust>,
}

/// The trouble with the current hub.
#[hook]
pub(crate) fn use_hub_trouble(
    session: Option<&Session>,
    on_connect: &Callback<HubId>,
    on_sign_in: Callback<()>,
    on_session: &Callback<Session>,
) -> HubTrouble {
    // As it was when it was opened: what is compared must not change under the pointer.
    let judged = use_state(|| None::<AppError>);
    let close = {
        let judged = judged.clone();
        Callback::from(move |()| judged.set(None))
    };
    let trust = {
        let (close, on_session) = (close.clone(), on_session.clone());
        use_action::<TrustHub>(Callback::from(move |session| {
            close.emit(());
            on_session.emit(session);
        }))
    };
    let hub_id = session.map(|session| session.current.clone());
    let on_trust = {
        let (run, hub_id) = (trust.run.clone(), hub_id.clone());
        Callback::from(move |trust| {
            if let Some(hub_id) = hub_id.clone() {
                run.emit(TrustHub { hub_id, trust });
            }
        })
    };
    let hub_name = session
        .and_then(Session::current_hub)
        .map(|hub| hub.name.as_str())
        .unwrap_or_default();
    let notice = match session.map(|session| &session.state) {
        Some(SessionState::Offline { error }) if error.certificate.is_some() => {
            let onclick = {
                let (judged, error) = (judged.clone(), error.clone());
                Callback::from(move |_: MouseEvent| judged.set(Some(error.clone())))
            };
            let show = words::hubs::show_certificate();
            error_notice_with(
                error,
                html! { <button class="button" type="button" {onclick}>{ show }</button> },
            )
        }
        Some(SessionState::Offline { error }) => {
            let on_retry = hub_id.map(|id| on_connect.reform(move |()| id.clone()));
            offline(error, on_retry)
        }
        Some(SessionState::SignedOut { error }) => signed_out(
            hub_name,
            error.as_ref(),
            on_sign_in.reform(|_: MouseEvent| ()),
        ),
        _ => Html::default(),
    };
    let dialog = match &*judged {
        Some(error) => {
            let trusting = (on_trust.clone(), trust.error.as_ref());
            certificate_dialog(hub_name, error, trusting, close)
        }
        None => Html::default(),
    };
    HubTrouble {
        notice,
        dialog,
        on_trust,
    }
}

/// The hub does not answer, said once above all pages.
fn offline(error: &AppError, on_retry: Option<Callback<()>>) -> Html {
    let mut error = error.clone();
    // What else there is to know matters more where somebody may be posing as the hub.
    if error.kind == ErrorKind::Offline {
        error.hint = Some(words::hubs::keeps_trying().to_owned());
    }
    error_notice(&error, on_retry.as_ref())
}

/// The hub wants to know who is asking.
fn signed_out(name: &str, error: Option<&AppError>, onclick: Callback<MouseEvent>) -> Html {
    html! {
        <div class="error-notice" role="alert">
            <div class="error-notice__text">
                <strong>{ words::hubs::signed_out(name) }</strong>
                if let Some(error) = error {
                    <p>{ &error.message }</p>
                }
            </div>
            <button class="button is-primary" type="button" {onclick}>{ words::hubs::sign_in_asks() }</button>
        </div>
    }
}
