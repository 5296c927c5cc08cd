//! Tokens in the system's keychain: Secret Service, Keychain or Credential Manager.

use std::sync::Arc;

use keyring::{Entry, Error};
use sendense_types::{AppError, ErrorKind, HubId, Keychain, Retry};
use sendense_words as words;

use crate::{MemorySecrets, Result, Secrets, Token};

/// What our entries are filed under.
const SERVICE: &str = "Sendense";
/// An entry that is never written, to see whether anybody answers.
const PROBE: &str = "probe";

/// The system's keychain where one answers, else the memory of this process. Waits for the keychain, so not for a task
/// of the async runtime.
pub fn open_keychain() -> Arc<dyn Secrets> {
    match Entry::new(SERVICE, PROBE).and_then(|entry| entry.get_password()) {
        Ok(_) | Err(Error::NoEntry) => Arc::new(SystemKeychain),
        Err(error) => {
            tracing::warn!(%error, "no keychain answers; tokens stay in memory");
            Arc::new(MemorySecrets::default())
        }
    }
}

struct SystemKeychain;

impl Secrets for SystemKeychain {
    fn kind(&self) -> Keychain {
        Keychain::System
    }

    fn load(&self, hub: &HubId) -> Result<Option<Token>> {
        match entry(hub).and_then(|entry| entry.get_password()) {
            Ok(token) => Ok(Some(Token::new(token))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(refused(words::failures::keychain_read(), &error)),
        }
    }

    fn store(&self, hub: &HubId, token: &Token) -> Result<()> {
        entry(hub)
            .and_then(|entry| entry.set_password(token.reveal()))
            .map_err(|error| refused(words::failures::keychain_stored(), &error))
    }

    fn forget(&self, hub: &HubId) -> Result<()> {
        match entry(hub).and_then(|entry| entry.delete_credential()) {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(refused(words::failures::keychain_removed(), &error)),
        }
    }
}

fn entry(hub: &HubId) -> keyring::Result<Entry> {
    Entry::new(SERVICE, &hub.0)
}

fn refused(message: &str, error: &Error) -> AppError {
    AppError::new(ErrorKind::Internal, message, Retry::Manual)
        .with_hint(words::failures::unlock_keychain())
        .with_details(error.to_string())
}
