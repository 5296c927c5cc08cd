//! Certificates of hubs, and how they are trusted.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How the certificate of a hub is trusted. A certificate is no secret, so this is kept beside the hub's address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// As the system trusts any other.
    #[default]
    System,
    /// When one of these CAs issued it, and no other: their certificates in PEM, copied from the file that was chosen.
    Ca(String),
    /// This certificate and no other, whatever its name and dates are.
    Pinned(Fingerprint),
}

/// The SHA-256 of a certificate in pairs, `AB:CD:…`, as other programs show it, so that people can compare the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of a digest.
    pub fn of(digest: [u8; 32]) -> Self {
        let pairs: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        Self(pairs.join(":"))
    }

    /// As people copy it from elsewhere: small or large letters, with colons, blanks or nothing between the pairs.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .filter(|c| *c != ':' && !c.is_whitespace())
            .map(|c| c.to_digit(16).and_then(|digit| digit.try_into().ok()))
            .collect();
        let digits = digits?;
        let pairs: Vec<u8> = digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |all, digit| all << 4 | digit))
            .collect();
        if digits.len() != 64 {
            return None;
        }
        pairs.try_into().ok().map(Self::of)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A certificate that a hub showed and that was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whose it says it is; empty where it cannot be read.
    pub subject: String,
    /// Who it says issued it.
    pub issuer: String,
    /// When it begins to count.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub valid_from: Option<Timestamp>,
    /// When it ends.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub valid_until: Option<Timestamp>,
    /// What it is known by.
    pub fingerprint: Fingerprint,
    /// Why it was refused.
    pub problem: CertificateProblem,
    /// The one that is pinned instead.
    pub pinned: Option<Fingerprint>,
}

impl Certificate {
    /// Whether it can be pinned: what its issuer has taken back is not trusted instead.
    pub fn may_be_pinned(&self) -> bool {
        self.problem != CertificateProblem::Revoked
    }
}

/// Why a certificate was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateProblem {
    /// Nobody but itself vouches for it.
    SelfSigned,
    /// Nobody that is trusted issued it.
    UnknownIssuer,
    /// It is for another name than that of the address.
    WrongName,
    /// It has ended.
    Expired,
    /// It does not count yet.
    NotValidYet,
    /// Its issuer has taken it back.
    Revoked,
    /// It is not the one that is pinned.
    Changed,
    /// Anything else, which the details tell.
    Unusable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_understood_as_people_copy_them() {
        let fingerprint = Fingerprint::of([0xAB; 32]);
        let shown = fingerprint.to_string();
        assert!(shown.starts_with("AB:AB:") && shown.len() == 95, "{shown}");
        for copied in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace(':', ""),
            format!(" {} ", shown.replace(':', " ")),
        ] {
            assert_eq!(
                Fingerprint::parse(&copied),
                Some(fingerprint.clone()),
                "{copied}"
            );
        }
        for other in [
            "",
            "AB",
            "AB:CD",
            &shown[1..],
            &format!("{shown}:AB"),
            &shown.replace('A', "G"),
        ] {
            assert_eq!(Fingerprint::parse(other), None, "{other}");
        }
    }
}
