//! CA certificates that somebody trusts for one hub.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sendense_types::{AppError, ErrorKind, Retry, Trust};
use sendense_words as words;

use crate::Result;

/// More than the CAs of a whole system; what is larger is another file.
const LARGEST_BYTES: u64 = 1 << 20;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Trust in the CAs of a PEM file. Its certificates are copied, and nothing else that may be in it, such as a key.
///
/// # Errors
/// When it cannot be read, or there is no certificate in it.
pub fn trust_ca_file(path: &Path) -> Result<Trust> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let length = File::open(path)
        .and_then(|file| file.take(LARGEST_BYTES).read_to_end(&mut bytes))
        .map_err(|error| {
            AppError::new(
                ErrorKind::Invalid,
                words::failures::ca_unreadable(shown),
                Retry::Manual,
            )
            .with_details(error.to_string())
        })?;
    if length as u64 == LARGEST_BYTES {
        return Err(no_ca());
    }
    let pem = certificates(&String::from_utf8_lossy(&bytes));
    roots(&pem)?;
    Ok(Trust::Ca(pem))
}

/// The certificates of a text, one below the other.
fn certificates(text: &str) -> String {
    let mut pem = String::new();
    for piece in text.split(BEGIN).skip(1) {
        if let Some((certificate, _)) = piece.split_once(END) {
            pem.extend([BEGIN, certificate, END, "\n"]);
        }
    }
    pem
}

fn no_ca() -> AppError {
    AppError::new(ErrorKind::Invalid, words::failures::no_ca(), Retry::Manual)
        .with_hint(words::failures::no_ca_hint())
}

/// The CAs of a text with at least one.
pub(super) fn roots(pem: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| no_ca().with_details(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| no_ca().with_details(error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(no_ca()),
        false => Ok(roots),
    }
}
