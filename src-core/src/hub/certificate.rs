//! Certificates that were refused, as people look at them.

use std::error::Error as StdError;
use std::{fmt, io};

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error};
use sendense_types::{AppError, Certificate, CertificateProblem, ErrorKind, Fingerprint, Retry};
use sendense_words as words;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

/// A certificate that was refused, on its way through the errors of the libraries.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) why: Why,
}

/// Why it was refused.
#[derive(Debug)]
pub(super) enum Why {
    /// Its issuer, name or dates are not good.
    Error(Error),
    /// Another one is pinned.
    Pinned(Fingerprint),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Error(error) => error.fmt(f),
            Why::Pinned(fingerprint) => fingerprint.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

/// What a certificate is known by.
pub(super) fn fingerprint(der: &[u8]) -> Fingerprint {
    Fingerprint::of(Sha256::digest(der).into())
}

/// Why a certificate was not good enough for a request, if that is why the request failed.
fn reason<'a>(failure: &'a (dyn StdError + 'static)) -> Option<&'a CertificateError> {
    let mut next = Some(failure);
    while let Some(error) = next {
        // What is packed into an error of I/O is not among its sources.
        let packed = error
            .downcast_ref::<io::Error>()
            .and_then(|error| error.get_ref());
        if let Some(Error::InvalidCertificate(reason)) = error.downcast_ref::<Error>() {
            return Some(reason);
        }
        next = match packed {
            Some(packed) => Some(packed),
            None => error.source(),
        };
    }
    None
}

/// Whether a request failed for the certificate of the hub, before anything was sent.
pub(super) fn is_refused(failure: &reqwest::Error) -> bool {
    reason(failure).is_some()
}

/// The failure of a request to the hub at an address, if its certificate was refused.
pub(super) fn failure(failure: &reqwest::Error, address: &str) -> Option<AppError> {
    use CertificateProblem::{
        Changed, Expired, NotValidYet, Revoked, SelfSigned, UnknownIssuer, Unusable, WrongName,
    };
    let reason = reason(failure)?;
    let untrusted = |message: String, hint| {
        AppError::new(ErrorKind::Untrusted, message, Retry::Manual).with_hint(hint)
    };
    let refused = match reason {
        CertificateError::Other(other) => other.0.downcast_ref::<Refused>(),
        _ => None,
    };
    let Some(refused) = refused else {
        // It is good, and the handshake is signed with another key.
        let hint = words::failures::unproven_hint();
        let failure = untrusted(words::failures::untrusted(address), hint);
        return Some(failure.with_details(reason.to_string()));
    };
    let certificate = read(refused);
    let message = match certificate.problem {
        SelfSigned => words::failures::self_signed(address),
        UnknownIssuer => words::failures::issuer_unknown(address),
        WrongName => words::failures::name_differs(address),
        Expired => words::failures::certificate_expired(address),
        NotValidYet => words::failures::certificate_early(address),
        Revoked => words::failures::certificate_revoked(address),
        Changed => words::failures::certificate_changed(address),
        Unusable => words::failures::untrusted(address),
    };
    let hint = match certificate.problem {
        Changed => words::failures::certificate_changed_hint(),
        Revoked => words::failures::certificate_revoked_hint(),
        _ => words::failures::untrusted_hint(),
    };
    let mut failure = untrusted(message, hint);
    if let Why::Error(error) = &refused.why {
        failure = failure.with_details(error.to_string());
    }
    failure.certificate = Some(Box::new(certificate));
    Some(failure)
}

/// What a refused certificate says, as far as it can be read.
fn read(refused: &Refused) -> Certificate {
    let parsed = X509Certificate::from_der(&refused.certificate).ok();
    let parsed = parsed.as_ref().map(|(_, parsed)| parsed);
    let time = |time: ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    let is_self_signed =
        parsed.is_some_and(|parsed| parsed.subject().as_raw() == parsed.issuer().as_raw());
    let pinned = match &refused.why {
        Why::Pinned(pinned) => Some(pinned.clone()),
        Why::Error(_) => None,
    };
    Certificate {
        subject: parsed.map_or_else(String::new, |parsed| parsed.subject().to_string()),
        issuer: parsed.map_or_else(String::new, |parsed| parsed.issuer().to_string()),
        valid_from: parsed.and_then(|parsed| time(parsed.validity().not_before)),
        valid_until: parsed.and_then(|parsed| time(parsed.validity().not_after)),
        fingerprint: fingerprint(&refused.certificate),
        problem: problem(&refused.why, is_self_signed),
        pinned,
    }
}

fn problem(why: &Why, is_self_signed: bool) -> CertificateProblem {
    use CertificateError as E;
    let error = match why {
        Why::Pinned(_) => return CertificateProblem::Changed,
        Why::Error(Error::InvalidCertificate(error)) => error,
        Why::Error(_) => return CertificateProblem::Unusable,
    };
    match error {
        E::Expired | E::ExpiredContext { .. } => CertificateProblem::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => CertificateProblem::NotValidYet,
        E::NotValidForName | E::NotValidForNameContext { .. } => CertificateProblem::WrongName,
        E::Revoked => CertificateProblem::Revoked,
        // Whatever else is said of those: that they are CAs themselves, or do not fit a CA of the same name.
        _ if is_self_signed => CertificateProblem::SelfSigned,
        // A CA of this name may be trusted, and not have issued it.
        E::UnknownIssuer | E::BadSignature => CertificateProblem::UnknownIssuer,
        _ => CertificateProblem::Unusable,
    }
}
