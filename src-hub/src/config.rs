//! What a hub is started with.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use sendense_engine::Clock;

use crate::{Profile, Tls};

/// What a hub is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where database, backups and the address file are kept; made when it is not there.
    pub data_dir: PathBuf,
    /// Who may use the hub.
    pub auth: Auth,
    /// The dialect it speaks.
    pub profile: Profile,
    /// Where it takes the time from.
    pub clock: Clock,
    /// What it proves itself with; without it, others on the way can read what is sent.
    pub tls: Option<Tls>,
}

/// Who may use a hub. Whoever can read the data directory may in any case: the key lies there.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Everybody who reaches it. Refused on addresses that other computers can reach.
    Off,
    /// Users of this hub. Those named here are created, or given this password.
    Users(Vec<NewUser>),
}

/// A user to create.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The name to sign in with.
    pub username: String,
    /// The password, stored only as a hash.
    pub password: Password,
}

/// A password on its way to being hashed; shows itself to nobody, and is wiped from memory after use.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

impl Config {
    /// A hub on this data directory that only its own key, or users made earlier, can use.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            auth: Auth::Users(Vec::new()),
            profile: Profile::default(),
            clock: Clock::system(),
            tls: None,
        }
    }
}

impl Password {
    /// Takes a password as it was typed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_can_be_logged_without_its_passwords() {
        let mut config = Config::new("data");
        config.auth = Auth::Users(vec![NewUser {
            username: "operator".to_owned(),
            password: Password::new("correct horse"),
        }]);
        let logged = format!("{config:?}");
        assert!(logged.contains("operator"), "{logged}");
        assert!(!logged.contains("correct horse"), "{logged}");
    }
}
