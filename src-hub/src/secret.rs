//! Random secrets: the key of a running hub, and the tokens of signed-in users.

use std::fmt;

/// 256 random bits as lower-case hexadecimal; shows itself to nobody by accident.
#[derive(Clone)]
pub(crate) struct Secret(String);

/// What may be stored of a secret.
pub(crate) type SecretHash = [u8; blake3::OUT_LEN];

impl Secret {
    /// A new one, from the system's generator.
    pub(crate) fn random() -> Self {
        let bytes: [u8; 32] = rand::random();
        Self(blake3::Hash::from_bytes(bytes).to_hex().to_string())
    }

    /// The text, for the one who owns it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> SecretHash {
        hash(&self.0)
    }
}

/// Hash of what somebody says is a secret. Comparing hashes tells an attacker nothing by its time.
pub(crate) fn hash(text: &str) -> SecretHash {
    *blake3::hash(text.as_bytes()).as_bytes()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_different_and_not_logged() {
        let (a, b) = (Secret::random(), Secret::random());
        assert_eq!(a.as_str().len(), 64);
        assert_ne!(a.as_str(), b.as_str());
        assert!(!format!("{a:?}").contains(a.as_str()));
    }
}
