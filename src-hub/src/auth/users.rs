//! Users' passwords, and the lockout after failed sign-ins.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use jiff::{SignedDuration, Timestamp};
use sendense_engine::Users;

use crate::{
    NewUser, ServeError,
    error::{Error, Result},
};

/// Failures in a row before a user has to wait.
const FAILURES_ALLOWED: u32 = 5;
/// How long; short enough that locking somebody out on purpose is only a nuisance.
const LOCKED_FOR: SignedDuration = SignedDuration::from_mins(1);

/// Creates a user, or gives an existing one this password. A new password ends all sign-ins.
pub(super) fn ensure(users: &Users, user: &NewUser) -> Result<(), ServeError> {
    let known = users.find(&user.username).map_err(ServeError::Users)?;
    if let Some(known) = &known
        && matches(&known.password_hash, user.password.as_bytes()).unwrap_or(false)
    {
        return Ok(());
    }
    let hash = Argon2::default()
        .hash_password(user.password.as_bytes())
        .map_err(ServeError::Password)?
        .to_string();
    match known {
        Some(known) => users.set_password(known.id, &hash),
        None => users.create(&user.username, &hash),
    }
    .map_err(ServeError::Users)
}

/// Checks a name and a password; says which user it is.
pub(super) fn check(users: &Users, now: Timestamp, username: &str, password: &[u8]) -> Result<i64> {
    let Some(user) = users.find(username)? else {
        // As slow as a wrong password, so that nobody learns which names exist.
        Argon2::default()
            .hash_password(password)
            .map_err(Error::PasswordCheck)?;
        return Err(Error::BadCredentials);
    };
    if let Some(until) = user.locked_until.filter(|until| *until > now) {
        let seconds = until.duration_since(now).as_secs().unsigned_abs().max(1);
        return Err(Error::LockedOut { seconds });
    }
    if matches(&user.password_hash, password)? {
        users.set_failures(user.id, 0, None)?;
        return Ok(user.id);
    }
    let n_failures = user.n_failures.saturating_add(1);
    let locked_until = (n_failures >= FAILURES_ALLOWED)
        .then(|| now.saturating_add(LOCKED_FOR).unwrap_or(Timestamp::MAX));
    users.set_failures(user.id, n_failures, locked_until)?;
    tracing::warn!(username, n_failures, "a sign-in failed");
    Err(Error::BadCredentials)
}

fn matches(stored: &str, password: &[u8]) -> Result<bool> {
    let stored = PasswordHash::new(stored).map_err(|error| Error::PasswordCheck(error.into()))?;
    match Argon2::default().verify_password(password, &stored) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(Error::PasswordCheck(error)),
    }
}
