//! Users: rows of `users`, their passwords and the lock-out after failures.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::tokens;
use crate::{
    Clock, NewUser, ServeError,
    db::{self, Db, time_text},
    error::{Error, Result},
};

/// Failures in a row before a user has to wait.
const FAILURES_ALLOWED: u32 = 5;
/// How long; short enough that locking somebody out on purpose is only a nuisance.
const LOCKED_FOR: SignedDuration = SignedDuration::from_mins(1);

struct UserRow {
    id: i64,
    password_hash: String,
    n_failures: u32,
    locked_until: Option<Timestamp>,
}

/// Creates a user, or gives an existing one this password. A new password ends all sign-ins.
pub(super) fn ensure(db: &Db, clock: &Clock, user: &NewUser) -> Result<(), ServeError> {
    let known = db.with(|connection| find(connection, &user.username))?;
    if let Some(known) = &known
        && matches(&known.password_hash, user.password.as_bytes()).unwrap_or(false)
    {
        return Ok(());
    }
    let hash = Argon2::default()
        .hash_password(user.password.as_bytes())
        .map_err(ServeError::Password)?
        .to_string();
    db.transaction(|transaction| match known {
        Some(known) => {
            transaction.execute(
                "UPDATE users SET password_hash = ?2, n_failures = 0, locked_until = NULL WHERE id = ?1",
                (known.id, hash),
            )?;
            tokens::revoke_all(transaction, known.id)
        }
        None => {
            transaction.execute(
                "INSERT INTO users (username, password_hash, created_at) VALUES (?1, ?2, ?3)",
                (&user.username, hash, time_text(clock.now())),
            )?;
            Ok(())
        }
    })?;
    Ok(())
}

/// Checks a name and a password; says which user it is.
pub(super) fn check(db: &Db, clock: &Clock, username: &str, password: &[u8]) -> Result<i64> {
    let Some(user) = db.with(|connection| find(connection, username))? else {
        // As slow as a wrong password, so that nobody learns which names exist.
        Argon2::default()
            .hash_password(password)
            .map_err(Error::PasswordCheck)?;
        return Err(Error::BadCredentials);
    };
    let now = clock.now();
    if let Some(until) = user.locked_until.filter(|until| *until > now) {
        let seconds = until.duration_since(now).as_secs().unsigned_abs().max(1);
        return Err(Error::LockedOut { seconds });
    }
    if matches(&user.password_hash, password)? {
        db.with(|connection| {
            connection.execute(
                "UPDATE users SET n_failures = 0, locked_until = NULL WHERE id = ?1",
                [user.id],
            )
        })?;
        return Ok(user.id);
    }
    let n_failures = user.n_failures.saturating_add(1);
    let locked_until = (n_failures >= FAILURES_ALLOWED)
        .then(|| now.saturating_add(LOCKED_FOR).unwrap_or(Timestamp::MAX));
    db.with(|connection| {
        connection.execute(
            "UPDATE users SET n_failures = ?2, locked_until = ?3 WHERE id = ?1",
            (user.id, n_failures, locked_until.map(time_text)),
        )
    })?;
    tracing::warn!(username, n_failures, "a sign-in failed");
    Err(Error::BadCredentials)
}

fn find(connection: &Connection, username: &str) -> rusqlite::Result<Option<UserRow>> {
    connection
        .query_row(
            "SELECT id, password_hash, n_failures, locked_until FROM users WHERE username = ?1",
            [username],
            |row| {
                Ok(UserRow {
                    id: row.get("id")?,
                    password_hash: row.get("password_hash")?,
                    n_failures: row.get("n_failures")?,
                    locked_until: db::optional_time(row, "locked_until")?,
                })
            },
        )
        .optional()
}

fn matches(stored: &str, password: &[u8]) -> Result<bool> {
    let stored = PasswordHash::new(stored).map_err(|error| Error::PasswordCheck(error.into()))?;
    match Argon2::default().verify_password(password, &stored) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(Error::PasswordCheck(error)),
    }
}
