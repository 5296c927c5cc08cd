//! The certificate of a saved hub that is not trusted, or no longer.

use sendense_types::{AppError, Trust};
use sendense_words as words;
use yew::prelude::*;

use super::untrusted::pin;
use super::{Dialog, Untrusted, error_notice};

/// Asks whether to trust it: what is trusted now stays as it is until somebody says so here.
pub(crate) fn certificate_dialog(
    hub_name: &str,
    error: &AppError,
    (on_trust, trusting): (Callback<Trust>, Option<&AppError>),
    on_close: Callback<()>,
) -> Html {
    let Some(certificate) = &error.certificate else {
        return Html::default();
    };
    let action = match certificate.pinned {
        Some(_) => words::hubs::trust_new_certificate(),
        None => words::hubs::trust_certificate(),
    };
    html! {
        <Dialog
            title={words::hubs::certificate_of(hub_name)} {action} {on_close}
            on_action={pin(certificate, on_trust.clone())} is_blocked={!certificate.may_be_pinned()}
        >
            <Untrusted error={error.clone()} {on_trust} is_trusted_elsewhere=true />
            if let Some(error) = trusting {
                { error_notice(error, None) }
            }
        </Dialog>
    }
}
