//! Full restores on record: rows of `full_restores`.

use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, types::Type};
use sendense_types::{FailureCode, FullRestoreStatus, ImageFormat, MachineDefinition};
use serde::de::DeserializeOwned;

use super::{Reason, failure_code, optional_time, time, time_text};

/// So many that are over stay on record.
const KEPT: u32 = 100;

/// A full restore that was asked for.
#[derive(Clone, Debug)]
pub struct FullRestore {
    /// Its id.
    pub id: String,
    /// The recovery point.
    pub backup_id: String,
    /// What its VM is called.
    pub vm_name: String,
    /// The disks within it.
    pub disk_indexes: Vec<u32>,
    /// Where to.
    pub folder: PathBuf,
    /// What the disks become.
    pub format: ImageFormat,
    /// What is written beside them.
    pub definition: MachineDefinition,
    /// Where it stands.
    pub status: FullRestoreStatus,
    /// What it has come to.
    pub outcome: Outcome,
    /// Bytes per second, of a running one.
    pub bytes_per_second: Option<u64>,
    /// Why it ended early, in words.
    pub error_message: Option<String>,
    /// The same for programs.
    pub error_code: Option<FailureCode>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was over.
    pub completed_at: Option<Timestamp>,
}

/// What a full restore has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Bytes of the disks that have to be written.
    pub total_bytes: u64,
    /// Bytes of them that are.
    pub done_bytes: u64,
    /// Bytes that an earlier one left.
    pub resumed_bytes: u64,
    /// The files that have their names.
    pub files: Vec<String>,
    /// What there is to know beside that.
    pub remarks: Vec<String>,
}

/// Writes a full restore down.
pub(crate) fn begin(connection: &Connection, restore: &FullRestore) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM full_restores WHERE status <> 'pending' AND id NOT IN
            (SELECT id FROM full_restores ORDER BY created_at DESC, id DESC LIMIT ?1)",
        [KEPT],
    )?;
    connection.execute(
        "INSERT INTO full_restores (id, backup_id, vm_name, disk_indexes, folder, format, definition, status,
            created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', ?8)",
        (
            &restore.id,
            &restore.backup_id,
            &restore.vm_name,
            serde_json::json!(restore.disk_indexes).to_string(),
            restore.folder.to_string_lossy(),
            restore.format.as_str(),
            restore.definition.as_str(),
            time_text(restore.created_at),
        ),
    )?;
    Ok(())
}

/// Writes down how one ended.
pub(crate) fn end(
    connection: &Connection,
    id: &str,
    status: FullRestoreStatus,
    outcome: &Outcome,
    error: Option<&Reason>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let word = match status {
        FullRestoreStatus::Completed => "completed",
        FullRestoreStatus::Cancelled => "cancelled",
        _ => "failed",
    };
    connection.execute(
        "UPDATE full_restores SET status = ?2, total_bytes = ?3, done_bytes = ?4, resumed_bytes = ?5, files = ?6,
            remarks = ?7, error_message = ?8, error_code = ?9, completed_at = ?10
         WHERE id = ?1",
        (
            id,
            word,
            outcome.total_bytes,
            outcome.done_bytes,
            outcome.resumed_bytes,
            serde_json::json!(outcome.files).to_string(),
            serde_json::json!(outcome.remarks).to_string(),
            error.map(|reason| &reason.text),
            error.and_then(Reason::code_text),
            time_text(now),
        ),
    )?;
    Ok(())
}

/// Ends those that a hub which is no more left unfinished.
pub(crate) fn abandon(connection: &Connection, why: &str, now: Timestamp) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE full_restores SET status = 'failed', error_message = ?1, completed_at = ?2 WHERE status = 'pending'",
        (why, time_text(now)),
    )?;
    Ok(())
}

/// Whether one has that id.
pub(crate) fn exists(connection: &Connection, id: &str) -> rusqlite::Result<bool> {
    find(connection, id).map(|known| known.is_some())
}

/// The one with that id.
pub(crate) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<FullRestore>> {
    connection
        .prepare_cached("SELECT * FROM full_restores WHERE id = ?1")?
        .query_row([id], full_restore)
        .optional()
}

/// All of them, newest first.
pub(crate) fn list(connection: &Connection) -> rusqlite::Result<Vec<FullRestore>> {
    connection
        .prepare_cached("SELECT * FROM full_restores ORDER BY created_at DESC, id DESC")?
        .query_map([], full_restore)?
        .collect()
}

fn full_restore(row: &Row<'_>) -> rusqlite::Result<FullRestore> {
    Ok(FullRestore {
        id: row.get("id")?,
        backup_id: row.get("backup_id")?,
        vm_name: row.get("vm_name")?,
        disk_indexes: list_in(row, "disk_indexes")?,
        folder: row.get::<_, String>("folder")?.into(),
        format: word_in(row, "format")?,
        definition: word_in(row, "definition")?,
        status: word_in(row, "status")?,
        outcome: Outcome {
            total_bytes: row.get("total_bytes")?,
            done_bytes: row.get("done_bytes")?,
            resumed_bytes: row.get("resumed_bytes")?,
            files: list_in(row, "files")?,
            remarks: list_in(row, "remarks")?,
        },
        bytes_per_second: None,
        error_message: row.get("error_message")?,
        error_code: failure_code(row)?,
        created_at: time(row, "created_at")?,
        completed_at: optional_time(row, "completed_at")?,
    })
}

fn word_in<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let word: String = row.get(column)?;
    serde_json::from_value(word.into()).map_err(not_understood)
}

fn list_in<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Vec<T>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(not_understood)
}

fn not_understood(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
}
