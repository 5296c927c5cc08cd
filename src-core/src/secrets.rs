//! Where tokens are kept between two starts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sendense_types::{HubId, Keychain};

use crate::{Result, Token};

/// A place for tokens. Its calls may block, because a keychain may ask the user to unlock it.
pub trait Secrets: Send + Sync {
    /// What kind of place it is.
    fn kind(&self) -> Keychain;

    /// The token that is kept for a hub.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn load(&self, hub: &HubId) -> Result<Option<Token>>;

    /// Keeps a token for a hub, instead of the last one.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn store(&self, hub: &HubId, token: &Token) -> Result<()>;

    /// Forgets the token of a hub; it is fine if there is none.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn forget(&self, hub: &HubId) -> Result<()>;
}

/// Tokens in the memory of this process, for systems without a keychain.
#[derive(Default)]
pub struct MemorySecrets(Mutex<HashMap<HubId, Token>>);

impl MemorySecrets {
    fn tokens(&self) -> std::sync::MutexGuard<'_, HashMap<HubId, Token>> {
        // Nothing panics under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secrets for MemorySecrets {
    fn kind(&self) -> Keychain {
        Keychain::MemoryOnly
    }

    fn load(&self, hub: &HubId) -> Result<Option<Token>> {
        Ok(self.tokens().get(hub).cloned())
    }

    fn store(&self, hub: &HubId, token: &Token) -> Result<()> {
        self.tokens().insert(hub.clone(), token.clone());
        Ok(())
    }

    fn forget(&self, hub: &HubId) -> Result<()> {
        self.tokens().remove(hub);
        Ok(())
    }
}
