//! Users, and the tokens of those who are signed in: rows of `users` and `tokens`.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::{optional_time, time_text};

/// A user of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their row.
    pub id: i64,
    /// What is kept of the password, in the PHC format.
    pub password_hash: String,
    /// Sign-ins that failed since one succeeded.
    pub n_failures: u32,
    /// No sign-in is tried before.
    pub locked_until: Option<Timestamp>,
}

/// The user of that name.
pub(crate) fn find(connection: &Connection, username: &str) -> rusqlite::Result<Option<User>> {
    connection
        .query_row(
            "SELECT id, password_hash, n_failures, locked_until FROM users WHERE username = ?1",
            [username],
            |row| {
                Ok(User {
                    id: row.get("id")?,
                    password_hash: row.get("password_hash")?,
                    n_failures: row.get("n_failures")?,
                    locked_until: optional_time(row, "locked_until")?,
                })
            },
        )
        .optional()
}

/// Creates a user.
pub(crate) fn insert(
    connection: &Connection,
    username: &str,
    password_hash: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO users (username, password_hash, created_at) VALUES (?1, ?2, ?3)",
        (username, password_hash, time_text(now)),
    )?;
    Ok(())
}

/// Gives a user another password, which ends all their sign-ins.
pub(crate) fn set_password(
    connection: &Connection,
    id: i64,
    password_hash: &str,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE users SET password_hash = ?2, n_failures = 0, locked_until = NULL WHERE id = ?1",
        (id, password_hash),
    )?;
    connection.execute("DELETE FROM tokens WHERE user_id = ?1", [id])?;
    Ok(())
}

/// Writes down how often sign-ins have failed, and until when no other is tried.
pub(crate) fn set_failures(
    connection: &Connection,
    id: i64,
    n_failures: u32,
    locked_until: Option<Timestamp>,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE users SET n_failures = ?2, locked_until = ?3 WHERE id = ?1",
        (id, n_failures, locked_until.map(time_text)),
    )?;
    Ok(())
}

/// Writes down a token, of which a hash is enough; forgets those that have expired.
pub(crate) fn insert_token(
    connection: &Connection,
    hash: &[u8; 32],
    user_id: i64,
    now: Timestamp,
    expires_at: Timestamp,
) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM tokens WHERE expires_at <= ?1",
        [time_text(now)],
    )?;
    connection.execute(
        "INSERT INTO tokens (token_hash, user_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
        (hash, user_id, time_text(now), time_text(expires_at)),
    )?;
    Ok(())
}

/// Forgets a token.
pub(crate) fn delete_token(connection: &Connection, hash: &[u8; 32]) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM tokens WHERE token_hash = ?1", [hash])?;
    Ok(())
}

/// Whether there is a token with this hash whose time is not over.
pub(crate) fn is_token_valid(
    connection: &Connection,
    hash: &[u8; 32],
    now: Timestamp,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM tokens WHERE token_hash = ?1 AND expires_at > ?2)",
        )?
        .query_row((hash, time_text(now)), |row| row.get(0))
}
