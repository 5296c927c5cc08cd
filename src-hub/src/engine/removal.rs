//! Taking backups, and jobs that failed, off the record, and their files off the disk.
//!
//! Rows go first, together with a note of the files that have to follow: whatever happens in between, no
//! row ever names a file that is gone, and no file is forgotten.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::image;
use crate::{
    backup::{self, Backup},
    db::Db,
    error::{Error, Result},
    repository::{self, Repository},
};

/// Makes sure, in the transaction that forgets them, that these backups may go: a pin may have been set, and plans
/// may have been wrong about what builds on what.
///
/// # Errors
/// When one is pinned, or a recovery point that stays builds on one.
pub(super) fn require_expendable(connection: &Connection, backups: &[Backup]) -> Result<()> {
    let ids: Vec<&str> = backups
        .iter()
        .map(|backup| backup.backup_id.as_str())
        .collect();
    for id in &ids {
        if backup::find(connection, id)?.is_some_and(|backup| backup.is_pinned) {
            return Err(Error::BackupPinned((*id).to_owned()));
        }
        let dependents: Vec<String> = connection
            .prepare_cached(
                "SELECT id FROM backup_jobs
                 WHERE parent_backup_id = ?1 AND status IN ('pending', 'running', 'completed')",
            )?
            .query_map([id], |row| row.get(0))?
            .filter(|child| !matches!(child, Ok(child) if ids.contains(&String::as_str(child))))
            .collect::<rusqlite::Result<_>>()?;
        if !dependents.is_empty() {
            return Err(Error::HasDependents {
                backup_id: (*id).to_owned(),
                dependents,
            });
        }
    }
    Ok(())
}

/// Takes backups off the record. What stays must not build on them.
pub(super) fn forget<'b>(
    connection: &Connection,
    backups: impl IntoIterator<Item = &'b Backup>,
) -> rusqlite::Result<()> {
    for backup in backups {
        note_files(connection, backup)?;
        connection.execute(
            "UPDATE vm_backup_contexts SET last_backup_id = NULL, last_backup_type = NULL
             WHERE last_backup_id = ?1",
            [&backup.backup_id],
        )?;
        connection.execute("DELETE FROM backup_jobs WHERE id = ?1", [&backup.backup_id])?;
    }
    Ok(())
}

/// Notes down that a backup's files have to go, in the transaction in which its row loses them: its
/// manifest first, which without the images would promise what is not there.
pub(super) fn note_files(connection: &Connection, backup: &Backup) -> rusqlite::Result<()> {
    let images = backup
        .disks
        .iter()
        .filter_map(|disk| disk.qcow2_path.clone());
    backup
        .manifest_path()
        .into_iter()
        .chain(images)
        .try_for_each(|path| note(connection, &path))
}

/// Notes down that one file has to go.
pub(super) fn note(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR IGNORE INTO pending_removals (image_path) VALUES (?1)",
        [path.to_string_lossy()],
    )?;
    Ok(())
}

/// Takes such a note back.
pub(super) fn keep(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM pending_removals WHERE image_path = ?1",
        [path.to_string_lossy()],
    )?;
    Ok(())
}

/// Removes the files of backups that are off the record. One that cannot be removed now, because its
/// repository is not connected for instance, is tried again with the next start.
pub(super) fn remove_files(db: &Db) -> rusqlite::Result<()> {
    let paths = db.with(pending)?;
    let repositories = db.with(repository::list)?;
    for path in paths {
        if !is_within_reach(&path, &repositories) || !image::remove_with_map(&path) {
            continue;
        }
        if let Some(folder) = path.parent().filter(|folder| folder.exists())
            && let Err(error) = image::sync_folder(folder)
        {
            tracing::warn!(folder = %folder.display(), %error, "could not write a folder through");
            continue;
        }
        db.with(|connection| keep(connection, &path))?;
    }
    Ok(())
}

/// What still has to go, in the order in which it was noted down. What a backup uses again is not
/// among it: its images by their path, its manifest by its name.
fn pending(connection: &Connection) -> rusqlite::Result<Vec<PathBuf>> {
    connection
        .prepare(
            "SELECT image_path FROM pending_removals
             WHERE NOT EXISTS (SELECT 1 FROM backup_disks WHERE qcow2_path = image_path
                OR (qcow2_path IS NOT NULL AND image_path LIKE '%' || backup_job_id || '.json'))
             ORDER BY rowid",
        )?
        .query_map([], |row| Ok(PathBuf::from(row.get::<_, String>(0)?)))?
        .collect()
}

/// Whether the repository is there: a file on a disk that is not connected is not gone.
fn is_within_reach(path: &Path, repositories: &[Repository]) -> bool {
    repositories
        .iter()
        .filter(|repository| path.starts_with(&repository.config.path))
        .all(|repository| repository.connected().is_ok())
}
