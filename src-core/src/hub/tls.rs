//! Which certificates of a hub are good. Judged before anything is sent: what is refused ends the connection first.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme,
};
use rustls_platform_verifier::Verifier as SystemVerifier;
use sendense_types::{AppError, ErrorKind, Fingerprint, Retry, Trust};
use sendense_words as words;

use super::ca;
use super::certificate::{Refused, Why, fingerprint};
use crate::Result;

/// How connections to a hub are encrypted, and which certificates are good there.
pub(super) fn config(trust: &Trust) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let rule = match trust {
        Trust::System => SystemVerifier::new(Arc::clone(&provider))
            .map(|verifier| Rule::Issued(Arc::new(verifier)))
            .map_err(|error| unusable(&error))?,
        Trust::Ca(pem) => {
            let roots = Arc::new(ca::roots(pem)?);
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map(|verifier| Rule::Issued(verifier))
                .map_err(|error| unusable(&error))?
        }
        Trust::Pinned(fingerprint) => Rule::Pinned(fingerprint.clone()),
    };
    let verifier = Verifier {
        rule,
        provider: Arc::clone(&provider),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session shows no certificate, so one that has changed would go unnoticed.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn unusable(error: &dyn std::error::Error) -> AppError {
    AppError::new(
        ErrorKind::Internal,
        words::failures::network_settings(),
        Retry::Never,
    )
    .with_details(error.to_string())
}

#[derive(Debug)]
enum Rule {
    Issued(Arc<dyn ServerCertVerifier>),
    Pinned(Fingerprint),
}

/// Judges by the rule, and hands on what it refuses, so that a person can look at it.
#[derive(Debug)]
struct Verifier {
    rule: Rule,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let outcome = match &self.rule {
            Rule::Issued(verifier) => verifier
                .verify_server_cert(certificate, intermediates, name, ocsp, now)
                .map_err(Why::Error),
            Rule::Pinned(pinned) if fingerprint(certificate) == *pinned => {
                Ok(ServerCertVerified::assertion())
            }
            Rule::Pinned(pinned) => Err(Why::Pinned(pinned.clone())),
        };
        outcome.map_err(|why| {
            let refused = Refused {
                certificate: certificate.clone().into_owned(),
                why,
            };
            CertificateError::Other(OtherError(Arc::new(refused))).into()
        })
    }

    // Whoever shows a certificate, also a pinned one, has to prove that it is theirs.

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
