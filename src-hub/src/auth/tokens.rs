//! Tokens of signed-in users: rows of `tokens`.

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::SignedIn;
use crate::{
    db::time_text,
    secret::{Secret, SecretHash},
};

/// A working day; the documented hub's tokens live some hours too.
const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// Writes down a new token; forgets those that have expired.
pub(super) fn issue(
    connection: &Connection,
    user_id: i64,
    now: Timestamp,
) -> rusqlite::Result<SignedIn> {
    let token = Secret::random();
    let expires_at = now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX);
    connection.execute(
        "DELETE FROM tokens WHERE expires_at <= ?1",
        [time_text(now)],
    )?;
    connection.execute(
        "INSERT INTO tokens (token_hash, user_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
        (token.hash(), user_id, time_text(now), time_text(expires_at)),
    )?;
    Ok(SignedIn {
        token: token.as_str().to_owned(),
        expires_at,
    })
}

/// Whether there is a token with this hash whose time is not over.
pub(super) fn is_valid(
    connection: &Connection,
    hash: &SecretHash,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM tokens WHERE token_hash = ?1 AND expires_at > ?2)",
        )?
        .query_row((hash, time_text(now)), |row| row.get(0))
}

/// Signs a user out everywhere.
pub(super) fn revoke_all(connection: &Connection, user_id: i64) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM tokens WHERE user_id = ?1", [user_id])?;
    Ok(())
}
