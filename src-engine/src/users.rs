//! Users of the hub and their tokens, kept in the same database as the backups. Passwords are hashed and checked by the
//! hub.

use jiff::Timestamp;

pub use crate::store::users::User;
use crate::{
    Clock,
    error::Result,
    store::{Store, users},
};

/// All users; cheap to clone.
#[derive(Clone)]
pub struct Users {
    store: Store,
    clock: Clock,
}

impl Users {
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// The user of that name, in any case of its letters.
    ///
    /// # Errors
    /// When the database cannot be read. So for all of these.
    pub fn find(&self, username: &str) -> Result<Option<User>> {
        Ok(self
            .store
            .with(|connection| users::find(connection, username))?)
    }

    /// Creates a user.
    ///
    /// # Errors
    /// Also when the name is taken.
    pub fn create(&self, username: &str, password_hash: &str) -> Result<()> {
        let now = self.clock.now();
        Ok(self
            .store
            .with(|connection| users::insert(connection, username, password_hash, now))?)
    }

    /// Gives a user another password, which ends all their sign-ins.
    ///
    /// # Errors
    /// When the database cannot be written. So for all that follow.
    pub fn set_password(&self, id: i64, password_hash: &str) -> Result<()> {
        Ok(self
            .store
            .transaction(|transaction| users::set_password(transaction, id, password_hash))?)
    }

    /// Writes down how often sign-ins have failed, and until when no other is tried.
    ///
    /// # Errors
    /// See [`set_password`](Self::set_password).
    pub fn set_failures(
        &self,
        id: i64,
        n_failures: u32,
        locked_until: Option<Timestamp>,
    ) -> Result<()> {
        Ok(self
            .store
            .with(|connection| users::set_failures(connection, id, n_failures, locked_until))?)
    }

    /// Writes down a token, of which a hash is enough; forgets those that have expired.
    ///
    /// # Errors
    /// See [`set_password`](Self::set_password).
    pub fn add_token(&self, hash: &[u8; 32], user_id: i64, expires_at: Timestamp) -> Result<()> {
        let now = self.clock.now();
        Ok(self.store.transaction(|transaction| {
            users::insert_token(transaction, hash, user_id, now, expires_at)
        })?)
    }

    /// Forgets a token; one that is not there is forgotten already.
    ///
    /// # Errors
    /// See [`set_password`](Self::set_password).
    pub fn remove_token(&self, hash: &[u8; 32]) -> Result<()> {
        Ok(self
            .store
            .with(|connection| users::delete_token(connection, hash))?)
    }

    /// Whether there is a token with this hash whose time is not over.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn has_token(&self, hash: &[u8; 32]) -> Result<bool> {
        let now = self.clock.now();
        Ok(self
            .store
            .with(|connection| users::is_token_valid(connection, hash, now))?)
    }
}
