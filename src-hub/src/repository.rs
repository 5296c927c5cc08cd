//! Repositories: the places where backups are kept, rows of `backup_repositories`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, types::Type};
use serde::{Deserialize, Serialize};

use crate::{
    Clock, ServeError,
    db::{self, Db, time_text},
};

/// The name of the repository that every hub starts with.
const FIRST_NAME: &str = "local";

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

/// Makes the folder of the first repository, and its row at the first start. A data directory that
/// was moved takes its repository with it.
pub(crate) fn ensure_local(db: &Db, clock: &Clock, folder: &Path) -> Result<(), ServeError> {
    std::fs::create_dir_all(folder).map_err(|source| ServeError::DataDir {
        path: folder.to_path_buf(),
        source,
    })?;
    let config = serde_json::json!({ "path": folder }).to_string();
    let now = clock.now();
    db.transaction(|transaction| {
        let moved = transaction.execute(
            "UPDATE backup_repositories SET config = ?2, updated_at = ?3
             WHERE name = ?1 AND config <> ?2",
            (FIRST_NAME, &config, time_text(now)),
        )?;
        if moved > 0 {
            tracing::info!(folder = %folder.display(), "the first repository lies elsewhere now");
        }
        transaction.execute(
            "INSERT INTO backup_repositories (id, name, repository_type, config, created_at, updated_at)
             VALUES (?1, ?2, 'local', ?3, ?4, ?4) ON CONFLICT (name) DO NOTHING",
            (
                format!("repo-local-{}", now.as_second()),
                FIRST_NAME,
                &config,
                time_text(now),
            ),
        )?;
        Ok(())
    })
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
