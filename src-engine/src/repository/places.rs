//! Creating, testing and giving up repositories. Their contents are the business of the other files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Repositories;
use crate::{
    claims::Work,
    error::{Error, Result},
    files::{self, MARKER},
    ids,
    marker::Marker,
    store::{
        backups::{self, Filter},
        repositories::{self, FIRST_NAME, LOCAL, Repository},
    },
};

/// Written and removed again, to see whether a folder can be written to.
const PROBE: &str = "sendense-probe.partial";

impl Repositories {
    /// Makes a folder, which may be there, a repository of this hub.
    ///
    /// # Errors
    /// When the name is taken, when the folder cannot be used, or when it is one already.
    pub fn create(&self, name: &str, folder: &Path) -> Result<Repository> {
        try_folder(folder)?;
        let marker = Marker::read(folder).map_err(|source| Error::FolderUnreadable {
            path: folder.join(MARKER),
            source,
        })?;
        if marker.is_some() {
            return Err(Error::RepositoryThere(folder.to_path_buf()));
        }
        let now = self.shared.clock.now();
        let created = self.shared.store.transaction(|transaction| {
            for other in repositories::list(transaction)? {
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
                repositories::find(transaction, id).map(|known| known.is_some())
            })?;
            repositories::insert(transaction, &id, name, folder, now)?;
            let created =
                repositories::find(transaction, &id)?.ok_or(Error::RepositoryNotFound(id))?;
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
    pub fn delete(&self, id: &str) -> Result<()> {
        // Nothing may be on its way there.
        let claim = self.shared.claims.claim(Work::giving_up(id));
        let doomed = self.shared.store.transaction(|transaction| {
            let doomed = repositories::find(transaction, id)?
                .ok_or_else(|| Error::RepositoryNotFound(id.to_owned()))?;
            if doomed.name == FIRST_NAME {
                return Err(Error::FirstRepository);
            }
            let filter = Filter {
                repository_id: Some(id.to_owned()),
                ..Filter::default()
            };
            let n_backups = backups::list(transaction, &filter)?
                .into_iter()
                .filter(|backup| !backup.status.is_over() || !backup.disks.iter().all(is_gone))
                .count();
            if n_backups > 0 || claim.is_err() {
                return Err(Error::RepositoryHasBackups {
                    name: doomed.name,
                    n_backups,
                });
            }
            repositories::delete(transaction, id)?;
            Ok(doomed)
        })?;
        if doomed.connected().is_ok() {
            files::remove(&doomed.config.path.join(MARKER));
        }
        tracing::info!(name = doomed.name, "gave up a repository");
        Ok(())
    }
}

/// A disk of a backup that failed has no image.
fn is_gone(disk: &backups::BackupDisk) -> bool {
    disk.qcow2_path.is_none()
}

/// Makes the folder where it is not there, and sees whether files can be written to it.
///
/// # Errors
/// In the words that clients of deployed hubs look for (contract 3.5).
pub fn try_folder(folder: &Path) -> Result<()> {
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
    files::create_folders(folder).map_err(unwritable)?;
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
