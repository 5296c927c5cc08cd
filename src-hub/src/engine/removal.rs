//! Taking backups off the record, and their files off the disk.
//!
//! Rows go first, together with a note of the files that have to follow: whatever happens in between, no
//! row ever names a file that is gone, and no file is forgotten.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::image;
use crate::{backup::Backup, db::Db};

/// Takes backups off the record. What stays must not build on them.
pub(super) fn forget<'b>(
    connection: &Connection,
    backups: impl IntoIterator<Item = &'b Backup>,
) -> rusqlite::Result<()> {
    for backup in backups {
        for image in backup
            .disks
            .iter()
            .filter_map(|disk| disk.qcow2_path.as_ref())
        {
            connection.execute(
                "INSERT OR IGNORE INTO pending_removals (image_path) VALUES (?1)",
                [image.to_string_lossy()],
            )?;
        }
        connection.execute(
            "UPDATE vm_backup_contexts SET last_backup_id = NULL, last_backup_type = NULL
             WHERE last_backup_id = ?1",
            [&backup.backup_id],
        )?;
        connection.execute("DELETE FROM backup_jobs WHERE id = ?1", [&backup.backup_id])?;
    }
    Ok(())
}

/// Removes the files of backups that are off the record. One that cannot be removed now, because its
/// disk is not connected for instance, is tried again with the next start.
pub(super) fn remove_files(db: &Db) -> rusqlite::Result<()> {
    for image in db.with(pending)? {
        if !is_connected(&image) || !image::remove_with_map(&image) {
            continue;
        }
        if let Some(folder) = image.parent().filter(|folder| folder.exists())
            && let Err(error) = image::sync_folder(folder)
        {
            tracing::warn!(folder = %folder.display(), %error, "could not write a folder through");
            continue;
        }
        db.with(|connection| {
            connection.execute(
                "DELETE FROM pending_removals WHERE image_path = ?1",
                [image.to_string_lossy()],
            )
        })?;
    }
    Ok(())
}

/// What still has to go. A path that a backup uses again is not among it.
fn pending(connection: &Connection) -> rusqlite::Result<Vec<PathBuf>> {
    connection
        .prepare(
            "SELECT image_path FROM pending_removals
             WHERE image_path NOT IN (SELECT qcow2_path FROM backup_disks WHERE qcow2_path IS NOT NULL)",
        )?
        .query_map([], |row| Ok(PathBuf::from(row.get::<_, String>(0)?)))?
        .collect()
}

/// Whether the repository is there: a file on a disk that is not connected is not gone.
fn is_connected(image: &Path) -> bool {
    // <repository>/<context>/disk-N/<image>
    image.ancestors().nth(3).is_some_and(Path::exists)
}
