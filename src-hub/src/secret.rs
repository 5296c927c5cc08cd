//! Random secrets: the key of a running hub, and the tokens of signed-in users.

use secrecy::{ExposeSecret, SecretString};

/// 256 random bits as lower-case hexadecimal; shows itself to nobody by accident.
#[derive(Clone, Debug)]
pub(crate) struct Secret(SecretString);

/// What may be stored of a secret.
pub(crate) type SecretHash = [u8; blake3::OUT_LEN];

impl Secret {
    /// A new one, from the system's generator.
    pub(crate) fn random() -> Self {
        let bytes: [u8; 32] = rand::random();
        Self(blake3::Hash::from_bytes(bytes).to_hex().as_str().into())
    }

    /// The text, for the one who owns it.
    pub(crate) fn as_str(&self) -> &str {
        self.0.expose_secret()
    }

    pub(crate) fn hash(&self) -> SecretHash {
        hash(self.as_str())
    }
}

/// Hash of what somebody says is a secret. Comparing hashes tells an attacker nothing by its time.
pub(crate) fn hash(text: &str) -> SecretHash {
    *blake3::hash(text.as_bytes()).as_bytes()
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
