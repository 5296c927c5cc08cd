//! Copies of recovery points in other repositories on record: rows of `backup_copies`.

use jiff::Timestamp;
use rusqlite::{Connection, Row};

use sendense_types::FailureCode;

use super::{Reason, failure_code, optional_time, time, time_text};

/// A copy that was asked for, as it is on record.
#[derive(Clone, Debug)]
pub struct ChainCopy {
    /// Its id.
    pub id: i64,
    /// The recovery point that was to be copied.
    pub source_backup_id: String,
    /// Where to.
    pub repository_id: String,
    /// `pending`, `copying`, `verifying`, `completed` or `failed`.
    pub status: String,
    /// Of all files that had to be copied.
    pub size_bytes: u64,
    /// When it began.
    pub copy_started_at: Option<Timestamp>,
    /// When it was through.
    pub copy_completed_at: Option<Timestamp>,
    /// When the copy was read back.
    pub verified_at: Option<Timestamp>,
    /// `pending` or `passed`.
    pub verification_status: String,
    /// Why it ended early, in words.
    pub error_message: Option<String>,
    /// The same for programs.
    pub error_code: Option<FailureCode>,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// The backup that it became.
    pub backup_id: Option<String>,
    /// Of a running one.
    pub copied_bytes: u64,
}

/// Writes a copy down, or an older one of the same anew.
pub(crate) fn begin(
    connection: &Connection,
    backup_id: &str,
    repository_id: &str,
    now: Timestamp,
) -> rusqlite::Result<i64> {
    connection.query_row(
        "INSERT INTO backup_copies (source_backup_id, repository_id, status, copy_started_at, created_at)
         VALUES (?1, ?2, 'copying', ?3, ?3)
         ON CONFLICT (source_backup_id, repository_id) DO UPDATE SET status = 'copying',
            copy_started_at = ?3, copy_completed_at = NULL, verified_at = NULL,
            verification_status = 'pending', error_message = NULL, error_code = NULL
         RETURNING id",
        (backup_id, repository_id, time_text(now)),
        |row| row.get(0),
    )
}

/// Writes down how much has to be copied.
pub(crate) fn set_size(connection: &Connection, id: i64, size_bytes: u64) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE backup_copies SET size_bytes = ?2 WHERE id = ?1",
        (id, size_bytes),
    )?;
    Ok(())
}

/// Writes down how a copy ended.
pub(crate) fn end(
    connection: &Connection,
    id: i64,
    error: Option<&Reason>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE backup_copies SET status = iif(?2 IS NULL, 'completed', 'failed'), error_message = ?2,
            copy_completed_at = iif(?2 IS NULL, ?3, NULL), verified_at = iif(?2 IS NULL, ?3, NULL),
            verification_status = iif(?2 IS NULL, 'passed', verification_status), error_code = ?4
         WHERE id = ?1",
        (
            id,
            error.map(|reason| &reason.text),
            time_text(now),
            error.and_then(Reason::code_text),
        ),
    )?;
    Ok(())
}

/// Ends copies that a hub which is no more left unfinished.
pub(crate) fn abandon(connection: &Connection, why: &str) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE backup_copies SET status = 'failed', error_message = ?1
         WHERE status NOT IN ('completed', 'failed')",
        [why],
    )?;
    Ok(())
}

/// The copies of a backup, oldest first.
pub(crate) fn of_backup(
    connection: &Connection,
    backup_id: &str,
) -> rusqlite::Result<Vec<ChainCopy>> {
    connection
        .prepare_cached(
            "SELECT backup_copies.*, (SELECT job.id FROM backup_jobs AS job
                WHERE job.copied_from = source_backup_id
                  AND job.repository_id = backup_copies.repository_id) AS backup_id
             FROM backup_copies WHERE source_backup_id = ?1 ORDER BY created_at, id",
        )?
        .query_map([backup_id], chain_copy)?
        .collect()
}

fn chain_copy(row: &Row<'_>) -> rusqlite::Result<ChainCopy> {
    Ok(ChainCopy {
        id: row.get("id")?,
        source_backup_id: row.get("source_backup_id")?,
        repository_id: row.get("repository_id")?,
        status: row.get("status")?,
        size_bytes: row.get("size_bytes")?,
        copy_started_at: optional_time(row, "copy_started_at")?,
        copy_completed_at: optional_time(row, "copy_completed_at")?,
        verified_at: optional_time(row, "verified_at")?,
        verification_status: row.get("verification_status")?,
        error_message: row.get("error_message")?,
        error_code: failure_code(row)?,
        created_at: time(row, "created_at")?,
        backup_id: row.get("backup_id")?,
        copied_bytes: 0,
    })
}
