//! Repositories made, tried and given up. What is kept in them is the business of the other files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Jobs;
use crate::{
    backup::{self, Filter},
    error::{Error, Result},
    file, ids,
    repository::{self, FIRST_NAME, LOCAL, Marker, Repository},
};

/// Written and removed again, to see whether a folder can be written to.
const PROBE: &str = "sendense-probe.partial";

impl Jobs {
    /// Makes a folder, which may be there, a repository of this hub.
    ///
    /// # Errors
    /// When the name is taken, when the folder cannot be used, or when it is one already.
    pub(crate) fn create_repository(&self, name: &str, folder: &Path) -> Result<Repository> {
        try_folder(folder)?;
        let marker = Marker::read(folder).map_err(|source| Error::FolderUnreadable {
            path: folder.join(repository::MARKER),
            source,
        })?;
        if marker.is_some() {
            return Err(Error::RepositoryThere(folder.to_path_buf()));
        }
        let now = self.inner.clock.now();
        let created = self.inner.db.transaction(|transaction| {
            for other in repository::list(transaction)? {
                if other.name == name {
                    return Err(Error::RepositoryNameTaken(other.name));
                }
                if is_nested(folder, &other.config.path) {
                    return Err(Error::RepositoryInside {
                        name: other.name,
                        path: folder.to_path_buf(),
                    });
                }
            }
            let id = ids::repository_id(LOCAL, now, |id| {
                repository::find(transaction, id).map(|known| known.is_some())
            })?;
            repository::insert(transaction, &id, name, folder, now)?;
            let created =
                repository::find(transaction, &id)?.ok_or(Error::RepositoryNotFound(id))?;
            // Before the row is there: a repository without its name would not be connected.
            created.mark().map_err(|source| Error::FolderUnwritable {
                path: folder.to_path_buf(),
                source,
            })?;
            Ok(created)
        })?;
        tracing::info!(name, folder = %folder.display(), "made a repository");
        Ok(created)
    }

    /// Gives up a repository without backups. Its folder stays.
    ///
    /// # Errors
    /// When there are backups in it or on their way there, and for the first one, which every hub has.
    pub(crate) fn delete_repository(&self, id: &str) -> Result<()> {
        let copies = self.copies();
        let doomed = self.inner.db.transaction(|transaction| {
            let doomed = repository::find(transaction, id)?
                .ok_or_else(|| Error::RepositoryNotFound(id.to_owned()))?;
            if doomed.name == FIRST_NAME {
                return Err(Error::FirstRepository);
            }
            let filter = Filter {
                repository_id: Some(id.to_owned()),
                ..Filter::default()
            };
            let n_backups = backup::list(transaction, &filter)?
                .into_iter()
                .filter(|backup| !backup.status.is_over() || !backup.disks.iter().all(is_gone))
                .count();
            let is_target = copies
                .values()
                .any(|copy| copy.repository_id() == id && !copy.is_over());
            if n_backups > 0 || is_target {
                return Err(Error::RepositoryHasBackups {
                    name: doomed.name,
                    n_backups,
                });
            }
            repository::delete(transaction, id)?;
            Ok(doomed)
        })?;
        drop(copies);
        if doomed.connected().is_ok() {
            file::remove(&doomed.config.path.join(repository::MARKER));
        }
        tracing::info!(name = doomed.name, "gave up a repository");
        Ok(())
    }
}

/// A disk of a backup that failed has no image.
fn is_gone(disk: &backup::BackupDisk) -> bool {
    disk.qcow2_path.is_none()
}

/// Makes the folder where it is not there, and sees whether files can be written to it.
///
/// # Errors
/// In the words that clients of deployed hubs look for (contract 3.5).
pub(crate) fn try_folder(folder: &Path) -> Result<()> {
    if !folder.is_absolute() {
        let problem = format!("the path must be absolute, not {}", folder.display());
        return Err(Error::RepositoryConfig(problem));
    }
    if folder.to_str().is_none() {
        let problem = "the path is not valid Unicode text".to_owned();
        return Err(Error::RepositoryConfig(problem));
    }
    let unwritable = |source| match folder.is_file() {
        true => Error::NotAFolder(folder.to_path_buf()),
        false => Error::FolderUnwritable {
            path: folder.to_path_buf(),
            source,
        },
    };
    file::create_folders(folder).map_err(unwritable)?;
    let probe = folder.join(PROBE);
    let written = fs::write(&probe, b"sendense").and_then(|()| fs::remove_file(&probe));
    match written {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written.map_err(unwritable),
    }
}

/// Whether one folder lies in the other, links resolved.
fn is_nested(one: &Path, other: &Path) -> bool {
    let resolved =
        |path: &Path| -> PathBuf { path.canonicalize().unwrap_or_else(|_| path.to_path_buf()) };
    let (one, other) = (resolved(one), resolved(other));
    one.starts_with(&other) || other.starts_with(&one)
}
