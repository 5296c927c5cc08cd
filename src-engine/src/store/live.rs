//! Machines that run from a recovery point on record: rows of `live_machines`.

use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use super::{time, time_text};

/// A machine that runs, or may run, from a recovery point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveMachine {
    /// Its id.
    pub id: String,
    /// The recovery point, which is held as long as the machine is on record.
    pub backup_id: String,
    /// The VM that it is of.
    pub vm_name: String,
    /// Where its overlays and its definition lie.
    pub folder: PathBuf,
    /// The file in that folder that boots it.
    pub definition: String,
    /// Since when.
    pub created_at: Timestamp,
}

const SELECT: &str = "
    SELECT l.id, l.backup_job_id, j.vm_name, l.folder, l.definition, l.created_at
    FROM live_machines l JOIN backup_jobs j ON j.id = l.backup_job_id";

/// All of them, newest first.
pub(crate) fn list(connection: &Connection) -> rusqlite::Result<Vec<LiveMachine>> {
    connection
        .prepare_cached(&format!("{SELECT} ORDER BY l.created_at DESC, l.id"))?
        .query_map([], machine)?
        .collect()
}

/// One of them.
pub(crate) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<LiveMachine>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE l.id = ?1"))?
        .query_row([id], machine)
        .optional()
}

/// Puts one on record; from now on its recovery point is held.
pub(crate) fn insert(connection: &Connection, machine: &LiveMachine) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO live_machines (id, backup_job_id, folder, definition, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (
            &machine.id,
            &machine.backup_id,
            machine.folder.to_string_lossy(),
            &machine.definition,
            time_text(machine.created_at),
        ),
    )?;
    Ok(())
}

/// Takes one off the record.
pub(crate) fn delete(connection: &Connection, id: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM live_machines WHERE id = ?1", [id])?;
    Ok(())
}

fn machine(row: &Row<'_>) -> rusqlite::Result<LiveMachine> {
    Ok(LiveMachine {
        id: row.get(0)?,
        backup_id: row.get(1)?,
        vm_name: row.get(2)?,
        folder: PathBuf::from(row.get::<_, String>(3)?),
        definition: row.get(4)?,
        created_at: time(row, "created_at")?,
    })
}
