//! Repositories: the places where backups are kept, rows of `backup_repositories`.
//!
//! The folder of each has a file that names it. Without that file in its place the repository is not
//! connected, whatever else lies there: a disk that is not plugged in leaves an empty folder, and a hub
//! that took it for a repository without backups would report them as lost, and write to the wrong disk.

use std::{
    fs, io,
    path::{MAIN_SEPARATOR, Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, types::Type};
use serde::{Deserialize, Serialize};

use crate::{
    Clock, ServeError,
    db::{self, Db, time_text},
    file, ids,
};

/// The name of the repository that every hub starts with.
pub(crate) const FIRST_NAME: &str = "local";
/// The file that names a repository.
pub(crate) const MARKER: &str = "sendense-repository.json";
const MARKER_FORMAT: &str = "sendense-repository";
/// The only type that this hub can write to.
pub(crate) const LOCAL: &str = "local";

/// A place where backups are kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Repository {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) repository_type: String,
    pub(crate) enabled: bool,
    pub(crate) config: LocalConfig,
    pub(crate) is_immutable: bool,
    pub(crate) min_retention_days: u32,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// What a local repository needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LocalConfig {
    pub(crate) path: PathBuf,
}

/// What the file says that names a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    format: String,
    version: u32,
    pub(crate) repository_id: String,
    pub(crate) name: String,
}

/// Why a repository cannot be used at the moment. Its backups are not lost.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotConnected {
    #[error("{} does not exist: connect the disk it lies on", .0.display())]
    Missing(PathBuf),
    #[error("{} does not hold it: the disk it lies on is probably not connected", .0.display())]
    NotThere(PathBuf),
    #[error("another repository lies in {}", .0.display())]
    Another(PathBuf),
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
}

impl Repository {
    /// Looks whether the repository is where it should be.
    pub(crate) fn connected(&self) -> Result<(), NotConnected> {
        let folder = &self.config.path;
        match Marker::read(folder) {
            Ok(Some(marker)) if marker.repository_id == self.id => Ok(()),
            Ok(Some(_)) => Err(NotConnected::Another(folder.clone())),
            Ok(None) if folder.is_dir() => Err(NotConnected::NotThere(folder.clone())),
            Ok(None) => Err(NotConnected::Missing(folder.clone())),
            Err(source) => Err(NotConnected::Unreadable {
                path: folder.join(MARKER),
                source,
            }),
        }
    }

    /// Writes the file that names it.
    pub(crate) fn mark(&self) -> io::Result<()> {
        let marker = Marker {
            format: MARKER_FORMAT.to_owned(),
            version: 1,
            repository_id: self.id.clone(),
            name: self.name.clone(),
        };
        let mut text = serde_json::to_vec_pretty(&marker)?;
        text.push(b'\n');
        file::replace(&self.config.path.join(MARKER), &text)
    }
}

impl Marker {
    /// The repository that lies in a folder; `None` where none does.
    ///
    /// # Errors
    /// When the file is there and cannot be read, or is no such file.
    pub(crate) fn read(folder: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read(folder.join(MARKER)) {
            Ok(text) => text,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let marker: Self = serde_json::from_slice(&text)?;
        if marker.format != MARKER_FORMAT || marker.version != 1 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a newer version of the hub made it",
            ));
        }
        Ok(Some(marker))
    }
}

/// Makes the folder of the first repository, and its row at the first start. A data directory that was
/// moved takes its repository with it; one whose database is lost keeps the repository's id.
pub(crate) fn ensure_local(db: &Db, clock: &Clock, folder: &Path) -> Result<(), ServeError> {
    let unusable = |source| ServeError::DataDir {
        path: folder.to_path_buf(),
        source,
    };
    fs::create_dir_all(folder).map_err(unusable)?;
    // Backups write their own folders through, up to this one.
    if let Some(parent) = folder.parent() {
        file::sync_folder(parent).map_err(unusable)?;
    }
    let marker = Marker::read(folder).map_err(unusable)?;
    let now = clock.now();
    db.transaction(|transaction| {
        let known = list(transaction)?
            .into_iter()
            .find(|repository| repository.name == FIRST_NAME);
        match known {
            Some(known) if known.config.path != folder => {
                tracing::info!(folder = %folder.display(), "the first repository lies elsewhere now");
                relocate(transaction, &known, folder, now)
            }
            Some(_) => Ok(()),
            None => {
                let id = match marker {
                    Some(marker) => marker.repository_id,
                    None => ids::repository_id(LOCAL, now, |id| {
                        find(transaction, id).map(|known| known.is_some())
                    })?,
                };
                insert(transaction, &id, FIRST_NAME, folder, now)
            }
        }
    })?;
    mark_unmarked(db, folder)?;
    Ok(())
}

/// Names the repositories that were made before they had names: those whose folder is there with a backup in it,
/// and the first one, which is made by the hub itself. Another folder that is empty may be where a disk is missing.
fn mark_unmarked(db: &Db, first: &Path) -> rusqlite::Result<()> {
    for repository in db.with(list)? {
        if !matches!(repository.connected(), Err(NotConnected::NotThere(_))) {
            continue;
        }
        let images = db.with(|connection| image_paths(connection, &repository.id))?;
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

/// Where the images of finished backups should lie.
fn image_paths(connection: &Connection, id: &str) -> rusqlite::Result<Vec<PathBuf>> {
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
        created_at: db::time(row, "created_at")?,
        updated_at: db::time(row, "updated_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "repo-local-1";

    fn repository(folder: &Path) -> Repository {
        Repository {
            id: ID.to_owned(),
            name: "disk".to_owned(),
            repository_type: LOCAL.to_owned(),
            enabled: true,
            config: LocalConfig {
                path: folder.to_path_buf(),
            },
            is_immutable: false,
            min_retention_days: 0,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_folder_is_the_repository_only_with_the_file_that_names_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("disk");
        let repository = repository(&folder);
        assert!(matches!(
            repository.connected(),
            Err(NotConnected::Missing(_))
        ));
        fs::create_dir(&folder).unwrap();
        assert!(matches!(
            repository.connected(),
            Err(NotConnected::NotThere(_))
        ));
        repository.mark().unwrap();
        repository.connected().unwrap();
        let another = Repository {
            id: "repo-local-2".to_owned(),
            ..repository
        };
        assert!(matches!(another.connected(), Err(NotConnected::Another(_))));
        fs::write(folder.join(MARKER), "{}").unwrap();
        assert!(matches!(
            another.connected(),
            Err(NotConnected::Unreadable { .. })
        ));
    }

    #[test]
    fn a_data_directory_that_was_moved_takes_its_repository_along() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::in_memory().unwrap();
        let clock = Clock::fixed(Timestamp::UNIX_EPOCH);
        ensure_local(&db, &clock, &folder.path().join("old")).unwrap();
        let before = db.with(list).unwrap().remove(0);
        fs::rename(folder.path().join("old"), folder.path().join("new")).unwrap();
        ensure_local(&db, &clock, &folder.path().join("new")).unwrap();
        let after = db.with(list).unwrap().remove(0);
        assert_eq!(after.id, before.id);
        after.connected().unwrap();
    }

    #[test]
    fn an_empty_folder_does_not_become_a_repository_whose_disk_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::in_memory().unwrap();
        let clock = Clock::fixed(Timestamp::UNIX_EPOCH);
        let (first, usb) = (folder.path().join("first"), folder.path().join("usb"));
        ensure_local(&db, &clock, &first).unwrap();
        fs::create_dir(&usb).unwrap();
        db.with(|connection| insert(connection, "repo-usb", "usb", &usb, clock.now()))
            .unwrap();
        ensure_local(&db, &clock, &first).unwrap();
        let repositories = db.with(list).unwrap();
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
            let db = Db::in_memory().unwrap();
            ensure_local(&db, &clock(seconds), folder.path()).unwrap();
            db.with(list).unwrap().remove(0).id
        };
        assert_eq!(id_of(1), id_of(2));
    }
}
