//! Repositories: where backups are kept, what is there, and how that is compared with the database.

pub(crate) mod layout;
pub(crate) mod manifest;
mod places;
mod reconcile;
mod rescan;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub(crate) use self::layout::{image_path, remove_partial_images};
use self::reconcile::reconcile;
pub use self::{
    manifest::Unusable,
    places::try_folder,
    reconcile::Difference,
    rescan::{NotAdopted, Problem, Rescanned},
};
use crate::{
    Clock,
    error::{Error, OpenError, Result},
    failure::NotConnected,
    files, ids,
    marker::Marker,
    shared::Shared,
    store::{
        Store,
        backups::{self, Filter, Status},
        repositories::{self, FIRST_NAME, LOCAL, Repository},
    },
};

/// All repositories; cheap to clone.
#[derive(Clone)]
pub struct Repositories {
    pub(crate) shared: Arc<Shared>,
    /// What the last look at them found.
    differences: Arc<Mutex<Vec<Difference>>>,
}

/// Room in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Size of the filesystem that it lies on.
    pub total_bytes: u64,
    /// What of that can be written.
    pub available_bytes: u64,
    /// Finished backups in the repository.
    pub n_backups: usize,
}

impl Repositories {
    /// Looks through all that are connected.
    pub(crate) fn open(shared: Arc<Shared>) -> rusqlite::Result<Self> {
        let differences = reconcile(&shared.store)?;
        Ok(Self {
            shared,
            differences: Arc::new(Mutex::new(differences)),
        })
    }

    /// All repositories by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<Repository>> {
        Ok(self.shared.store.with(repositories::list)?)
    }

    /// One repository.
    ///
    /// # Errors
    /// When there is none with that id.
    pub fn find(&self, id: &str) -> Result<Repository> {
        self.shared.store.with(|connection| require(connection, id))
    }

    /// Room in a repository; `None` where it is not connected, or its filesystem does not say.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn room(&self, repository: &Repository) -> Result<Option<Room>> {
        let folder = &repository.config.path;
        if repository.connected().is_err() {
            return Ok(None);
        }
        let (Ok(total_bytes), Ok(available_bytes)) =
            (fs4::total_space(folder), fs4::available_space(folder))
        else {
            return Ok(None);
        };
        let completed = Filter {
            repository_id: Some(repository.id.clone()),
            status: Some(Status::Completed),
            ..Filter::default()
        };
        let n_backups = self
            .shared
            .store
            .with(|connection| backups::count(connection, &completed))?;
        Ok(Some(Room {
            total_bytes,
            available_bytes,
            n_backups,
        }))
    }

    /// What is not as the rows have it, as far as anybody has looked.
    pub fn differences(&self) -> Vec<Difference> {
        self.differences_lock().clone()
    }

    fn differences_lock(&self) -> MutexGuard<'_, Vec<Difference>> {
        // Nothing panics under this lock.
        self.differences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The repository with that id.
pub(crate) fn require(connection: &rusqlite::Connection, id: &str) -> Result<Repository> {
    repositories::find(connection, id)?.ok_or_else(|| Error::RepositoryNotFound(id.to_owned()))
}

/// Whether backups can go to a repository now.
pub(crate) fn require_usable(repository: &Repository) -> Result<()> {
    if !repository.enabled {
        return Err(Error::RepositoryDisabled(repository.name.clone()));
    }
    require_connected(repository)
}

/// Whether what is in a repository can be read now.
pub(crate) fn require_connected(repository: &Repository) -> Result<()> {
    repository
        .connected()
        .map_err(|why| Error::RepositoryNotConnected {
            name: repository.name.clone(),
            why,
        })
}

/// Makes the folder of the first repository, and its row at the first start. A data directory that was
/// moved takes its repository with it; one whose database is lost keeps the repository's id.
pub(crate) fn ensure_local(store: &Store, clock: &Clock, folder: &Path) -> Result<(), OpenError> {
    let unusable = |source| OpenError::Folder {
        path: folder.to_path_buf(),
        source,
    };
    fs::create_dir_all(folder).map_err(unusable)?;
    // Backups write their own folders through, up to this one.
    if let Some(parent) = folder.parent() {
        files::sync_folder(parent).map_err(unusable)?;
    }
    let marker = Marker::read(folder).map_err(unusable)?;
    let now = clock.now();
    store.transaction(|transaction| {
        let known = repositories::list(transaction)?
            .into_iter()
            .find(|repository| repository.name == FIRST_NAME);
        match known {
            Some(known) if known.config.path != folder => {
                tracing::info!(folder = %folder.display(), "the first repository lies elsewhere now");
                repositories::relocate(transaction, &known, folder, now)
            }
            Some(_) => Ok(()),
            None => {
                let id = match marker {
                    Some(marker) => marker.repository_id,
                    None => ids::repository_id(LOCAL, now, |id| {
                        repositories::find(transaction, id).map(|known| known.is_some())
                    })?,
                };
                repositories::insert(transaction, &id, FIRST_NAME, folder, now)
            }
        }
    })?;
    mark_unmarked(store, folder)?;
    Ok(())
}

/// Names the repositories that were made before they had names: those whose folder is there with a backup in it,
/// and the first one, which is made by the hub itself. Another folder that is empty may be where a disk is missing.
fn mark_unmarked(store: &Store, first: &Path) -> rusqlite::Result<()> {
    for repository in store.with(repositories::list)? {
        if !matches!(repository.connected(), Err(NotConnected::NotThere(_))) {
            continue;
        }
        let images =
            store.with(|connection| repositories::image_paths(connection, &repository.id))?;
        let is_it = match images.as_slice() {
            [] => repository.config.path == first,
            images => images.iter().any(|image| image.exists()),
        };
        if !is_it {
            continue;
        }
        if let Err(error) = repository.mark() {
            tracing::warn!(name = repository.name, %error, "could not name a repository");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::files::MARKER;

    #[test]
    fn a_data_directory_that_was_moved_takes_its_repository_along() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::in_memory().unwrap();
        let clock = Clock::fixed(Timestamp::UNIX_EPOCH);
        ensure_local(&store, &clock, &folder.path().join("old")).unwrap();
        let before = store.with(repositories::list).unwrap().remove(0);
        fs::rename(folder.path().join("old"), folder.path().join("new")).unwrap();
        ensure_local(&store, &clock, &folder.path().join("new")).unwrap();
        let after = store.with(repositories::list).unwrap().remove(0);
        assert_eq!(after.id, before.id);
        after.connected().unwrap();
    }

    #[test]
    fn an_empty_folder_does_not_become_a_repository_whose_disk_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::in_memory().unwrap();
        let clock = Clock::fixed(Timestamp::UNIX_EPOCH);
        let (first, usb) = (folder.path().join("first"), folder.path().join("usb"));
        ensure_local(&store, &clock, &first).unwrap();
        fs::create_dir(&usb).unwrap();
        store
            .with(|connection| {
                repositories::insert(connection, "repo-usb", "usb", &usb, clock.now())
            })
            .unwrap();
        ensure_local(&store, &clock, &first).unwrap();
        let repositories = store.with(repositories::list).unwrap();
        for repository in repositories {
            let is_first = repository.config.path == first;
            assert_eq!(repository.connected().is_ok(), is_first);
        }
        assert!(!usb.join(MARKER).exists());
    }

    #[test]
    fn a_new_database_knows_the_repository_by_its_old_id() {
        let folder = tempfile::tempdir().unwrap();
        let clock = |seconds| Clock::fixed(Timestamp::from_second(seconds).unwrap());
        let id_of = |seconds| {
            let store = Store::in_memory().unwrap();
            ensure_local(&store, &clock(seconds), folder.path()).unwrap();
            store.with(repositories::list).unwrap().remove(0).id
        };
        assert_eq!(id_of(1), id_of(2));
    }
}
