//! Repositories on record: rows of `backup_repositories`.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, types::Type};
use serde::{Deserialize, Serialize};

use super::{time, time_text};

/// The name of the repository that every hub starts with.
pub(crate) const FIRST_NAME: &str = "local";
/// The only type that this engine can write to.
pub const LOCAL: &str = "local";

/// A place where backups are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// Its id, which the file in its folder says too.
    pub id: String,
    /// What it is called; no two have the same name.
    pub name: String,
    /// `local`.
    pub repository_type: String,
    /// Backups may go there.
    pub enabled: bool,
    /// Where it is.
    pub config: LocalConfig,
    /// Always false here; clients of deployed hubs expect it.
    pub is_immutable: bool,
    /// Always 0 here, likewise.
    pub min_retention_days: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// What a local repository needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalConfig {
    /// Its folder.
    pub path: PathBuf,
}

/// Where the images of finished backups should lie.
pub(crate) fn image_paths(connection: &Connection, id: &str) -> rusqlite::Result<Vec<PathBuf>> {
    connection
        .prepare_cached(
            "SELECT qcow2_path FROM backup_disks JOIN backup_jobs ON backup_jobs.id = backup_job_id
             WHERE repository_id = ?1 AND backup_jobs.status = 'completed' AND qcow2_path IS NOT NULL",
        )?
        .query_map([id], |row| Ok(PathBuf::from(row.get::<_, String>(0)?)))?
        .collect()
}

/// Writes a local repository down.
pub(crate) fn insert(
    connection: &Connection,
    id: &str,
    name: &str,
    folder: &Path,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let config = serde_json::json!({ "path": folder }).to_string();
    connection.execute(
        "INSERT INTO backup_repositories (id, name, repository_type, config, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        (id, name, LOCAL, config, time_text(now)),
    )?;
    Ok(())
}

/// The repository, with everything in it, lies in another folder now.
pub(crate) fn relocate(
    connection: &Connection,
    repository: &Repository,
    folder: &Path,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let config = serde_json::json!({ "path": folder }).to_string();
    connection.execute(
        "UPDATE backup_repositories SET config = ?2, updated_at = ?3 WHERE id = ?1",
        (&repository.id, config, time_text(now)),
    )?;
    let before = with_separator(&repository.config.path);
    let now_at = with_separator(folder);
    connection.execute(
        "UPDATE backup_disks SET qcow2_path = ?3 || substr(qcow2_path, length(?2) + 1)
         WHERE substr(qcow2_path, 1, length(?2)) = ?2
           AND backup_job_id IN (SELECT id FROM backup_jobs WHERE repository_id = ?1)",
        (&repository.id, &before, &now_at),
    )?;
    connection.execute(
        "UPDATE OR REPLACE pending_removals SET image_path = ?2 || substr(image_path, length(?1) + 1)
         WHERE substr(image_path, 1, length(?1)) = ?1",
        (&before, &now_at),
    )?;
    Ok(())
}

fn with_separator(folder: &Path) -> String {
    let mut text = folder.to_string_lossy().into_owned();
    if !text.ends_with(MAIN_SEPARATOR) {
        text.push(MAIN_SEPARATOR);
    }
    text
}

/// Forgets a repository without backups, and the jobs that failed in it.
pub(crate) fn delete(connection: &Connection, id: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM backup_jobs WHERE repository_id = ?1", [id])?;
    connection.execute(
        "DELETE FROM vm_backup_contexts WHERE repository_id = ?1",
        [id],
    )?;
    connection.execute("DELETE FROM backup_repositories WHERE id = ?1", [id])?;
    Ok(())
}

/// All repositories by name.
pub(crate) fn list(connection: &Connection) -> rusqlite::Result<Vec<Repository>> {
    connection
        .prepare_cached("SELECT * FROM backup_repositories ORDER BY name, id")?
        .query_map([], repository)?
        .collect()
}

/// One repository.
pub(crate) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<Repository>> {
    connection
        .prepare_cached("SELECT * FROM backup_repositories WHERE id = ?1")?
        .query_row([id], repository)
        .optional()
}

fn repository(row: &Row<'_>) -> rusqlite::Result<Repository> {
    let config: String = row.get("config")?;
    let config = serde_json::from_str(&config).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
    })?;
    Ok(Repository {
        id: row.get("id")?,
        name: row.get("name")?,
        repository_type: row.get("repository_type")?,
        enabled: row.get("enabled")?,
        config,
        is_immutable: row.get("is_immutable")?,
        min_retention_days: row.get("min_retention_days")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}
