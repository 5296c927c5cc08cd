//! Removing backups and failed jobs from the database, and their files from the disk.
//!
//! Rows go first, together with a note of the files that must follow. Whatever happens in between, no row ever names a
//! file that is gone, and no file is forgotten.

use std::path::Path;

use rusqlite::Connection;

use crate::{
    error::{Error, Result},
    files,
    image::remove_with_map,
    store::{
        Store,
        backups::{self, Backup},
        jobs, removals,
        repositories::{self, Repository},
    },
};

/// Makes sure, in the transaction that forgets them, that these backups may go: a pin may have been set, and plans
/// may have been wrong about what builds on what.
///
/// # Errors
/// When one is pinned, or a recovery point that stays builds on one.
pub(crate) fn require_expendable(connection: &Connection, backups: &[Backup]) -> Result<()> {
    let ids: Vec<&str> = backups
        .iter()
        .map(|backup| backup.backup_id.as_str())
        .collect();
    for id in &ids {
        if backups::find(connection, id)?.is_some_and(|backup| backup.is_pinned) {
            return Err(Error::BackupPinned((*id).to_owned()));
        }
        let mut dependents = backups::children(connection, id)?;
        dependents.retain(|child| !ids.contains(&child.as_str()));
        if !dependents.is_empty() {
            return Err(Error::HasDependents {
                backup_id: (*id).to_owned(),
                dependents,
            });
        }
    }
    Ok(())
}

/// Takes backups off the record; their files are removed next. Of a pin at the same moment either all comes before, or
/// it finds no backup: it would otherwise write its manifest back.
///
/// # Errors
/// Those of [`require_expendable`].
pub(crate) fn forget(store: &Store, backups: &[Backup]) -> Result<()> {
    let _one_at_a_time = store.recording();
    store.transaction(|transaction| {
        require_expendable(transaction, backups)?;
        jobs::forget(transaction, backups).map_err(Error::from)
    })
}

/// Removes the files of backups that are off the record. One that cannot be removed now, because its
/// repository is not connected for instance, is tried again with the next start.
pub(crate) fn remove_files(store: &Store) -> rusqlite::Result<()> {
    let paths = store.with(removals::pending)?;
    let repositories = store.with(repositories::list)?;
    for path in paths {
        if !is_within_reach(&path, &repositories) || !remove_with_map(&path) {
            continue;
        }
        if let Some(folder) = path.parent().filter(|folder| folder.exists())
            && let Err(error) = files::sync_folder(folder)
        {
            tracing::warn!(folder = %folder.display(), %error, "could not write a folder through");
            continue;
        }
        store.with(|connection| removals::forget(connection, &path))?;
    }
    Ok(())
}

/// Whether the repository is there: a file on a disk that is not connected is not gone.
fn is_within_reach(path: &Path, repositories: &[Repository]) -> bool {
    repositories
        .iter()
        .filter(|repository| path.starts_with(&repository.config.path))
        .all(|repository| repository.connected().is_ok())
}
