//! Files still to be removed: rows of `pending_removals`.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::backups::Backup;

/// Notes down that a backup's files have to go, in the transaction in which its row loses them: its
/// manifest first, which without the images would promise what is not there.
pub(crate) fn note_files(connection: &Connection, backup: &Backup) -> rusqlite::Result<()> {
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
pub(crate) fn note(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR IGNORE INTO pending_removals (image_path) VALUES (?1)",
        [path.to_string_lossy()],
    )?;
    Ok(())
}

/// Takes such a note back.
pub(crate) fn forget(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM pending_removals WHERE image_path = ?1",
        [path.to_string_lossy()],
    )?;
    Ok(())
}

/// What still has to go, in the order in which it was noted down. What a backup uses again is not
/// among it: its images by their path, its manifest by its name.
pub(crate) fn pending(connection: &Connection) -> rusqlite::Result<Vec<PathBuf>> {
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
