//! A failure, and the certificate that was refused, if that is what it is about.

use sendense_types::commands::ChooseCaFile;
use sendense_types::{AppError, Certificate, Trust};
use sendense_words::hubs as w;
use web_sys::Element;
use yew::prelude::*;

use super::error_notice;
use crate::format;
use crate::hooks::use_action;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct UntrustedProps {
    pub(crate) error: AppError,
    /// The user has decided how the certificate is trusted.
    pub(crate) on_trust: Callback<Trust>,
    /// The dialog around has a button to trust the certificate.
    #[prop_or_default]
    pub(crate) is_trusted_elsewhere: bool,
}

/// Shows what to compare, with the ways out: trust this certificate, or those of a CA.
#[component]
pub(crate) fn Untrusted(props: &UntrustedProps) -> Html {
    let choose = {
        let on_trust = props.on_trust.clone();
        use_action::<ChooseCaFile>(Callback::from(move |chosen: Option<Trust>| {
            if let Some(trust) = chosen {
                on_trust.emit(trust);
            }
        }))
    };
    let ways_out = use_node_ref();
    {
        let ways_out = ways_out.clone();
        // In a low dialog they would lie below its edge.
        use_effect_with(props.error.clone(), move |_| {
            if let Some(element) = ways_out.cast::<Element>() {
                element.scroll_into_view_with_bool(false);
            }
        });
    }
    let notice = error_notice(&props.error, None);
    let Some(certificate) = &props.error.certificate else {
        return notice;
    };
    let trust = pin(certificate, props.on_trust.clone()).reform(|_: MouseEvent| ());
    let choose_ca = choose.run.reform(|_: MouseEvent| ChooseCaFile {});
    html! {
        <>
            { notice }
            { sheet(certificate) }
            <div class="dialog__line" ref={ways_out}>
                if !props.is_trusted_elsewhere && certificate.may_be_pinned() {
                    <button class="button" type="button" onclick={trust}>{ w::trust_certificate() }</button>
                }
                <button class="button" type="button" onclick={choose_ca} disabled={choose.is_running}>{ w::choose_ca_file() }</button>
            </div>
            if let Some(error) = &choose.error {
                { error_notice(error, None) }
            }
        </>
    }
}

/// Trusts this certificate from now on.
pub(super) fn pin(certificate: &Certificate, on_trust: Callback<Trust>) -> Callback<()> {
    let fingerprint = certificate.fingerprint.clone();
    on_trust.reform(move |()| Trust::Pinned(fingerprint.clone()))
}

fn sheet(certificate: &Certificate) -> Html {
    let pinned = certificate.pinned.as_ref().map(ToString::to_string);
    let rows = [
        (w::subject(), Some(certificate.subject.clone())),
        (w::issuer(), Some(certificate.issuer.clone())),
        (w::valid_from(), certificate.valid_from.map(format::date)),
        (w::valid_until(), certificate.valid_until.map(format::date)),
        (w::fingerprint(), Some(certificate.fingerprint.to_string())),
        (w::fingerprint_trusted(), pinned),
    ];
    let rows = rows.into_iter().map(|(name, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(html! { <><dt>{ name }</dt><dd>{ value }</dd></> })
    });
    html! { <dl class="certificate">{ for rows.flatten() }</dl> }
}

#[cfg(test)]
mod tests {
    use sendense_types::{CertificateProblem, ErrorKind, Fingerprint, Retry};

    use super::*;
    use crate::testing;

    fn failed(problem: CertificateProblem, pinned: Option<Fingerprint>) -> AppError {
        let mut error = AppError::new(ErrorKind::Untrusted, "It is not trusted.", Retry::Manual);
        error.certificate = Some(Box::new(Certificate {
            subject: "CN=hub.example".to_owned(),
            issuer: "CN=Example CA".to_owned(),
            valid_from: None,
            valid_until: None,
            fingerprint: Fingerprint::of([0xAB; 32]),
            problem,
            pinned,
        }));
        error
    }

    async fn shown(error: AppError) -> String {
        testing::shown(html! { <Untrusted {error} on_trust={Callback::noop()} /> }).await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_changed_certificate_is_shown_with_both_fingerprints() {
        let pinned = Fingerprint::of([0xCD; 32]);
        let error = failed(CertificateProblem::Changed, Some(pinned));
        insta::assert_snapshot!(shown(error).await);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_revoked_certificate_cannot_be_trusted() {
        let text = shown(failed(CertificateProblem::Revoked, None)).await;
        assert!(
            text.contains("AB:AB") && !text.contains(w::trust_certificate()),
            "{text}"
        );
    }
}
