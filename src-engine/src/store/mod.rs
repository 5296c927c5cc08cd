//! What is on record: one SQLite database, its migrations, and all SQL, with one file for each kind of row.
//!
//! The rows are the truth; what is in memory beside them can be recreated. Statements are short, and the lock is held
//! for one statement or one transaction, so a single connection serves a hub for one site. WAL makes a kill at any
//! moment harmless. Times are stored as RFC 3339 in UTC to the second, which sorts as text.

pub(crate) mod backups;
pub(crate) mod copies;
pub(crate) mod full_restores;
pub(crate) mod jobs;
pub(crate) mod live;
pub(crate) mod mounts;
pub(crate) mod removals;
pub(crate) mod repositories;
pub(crate) mod retention;
pub(crate) mod users;
pub(crate) mod vms;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, types::Type};
use rusqlite_migration::{M, Migrations};
use sendense_types::FailureCode;

use crate::files;

/// Never changed once released; new ones are put behind.
static MIGRATIONS: [M<'static>; 8] = [
    M::up(include_str!("migrations/0001-initial.sql")),
    M::up(include_str!("migrations/0002-upkeep.sql")),
    M::up(include_str!("migrations/0003-repositories.sql")),
    M::up(include_str!("migrations/0004-verification.sql")),
    M::up(include_str!("migrations/0005-source-format.sql")),
    M::up(include_str!("migrations/0006-error-code.sql")),
    M::up(include_str!("migrations/0007-live-machines.sql")),
    M::up(include_str!("migrations/0008-full-restores.sql")),
];

/// Another process may have the file open for a moment, a backup program for instance.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Its log, and the memory that processes share, which is a file as well.
const ROOM_TO_OPEN: u64 = 256 * 1024;

/// What opening the database can fail with.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite cannot open or write the file.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The tables cannot be brought to the form that this version needs.
    #[error(transparent)]
    Migration(#[from] rusqlite_migration::Error),
    /// There is no room left where the database is.
    #[error("the disk of {} is full", .0.display())]
    Full(PathBuf),
    /// The database cannot be kept as it was before it is brought up to date.
    #[error("cannot keep a copy before an update as {}: {source}", path.display())]
    Copy {
        /// The copy.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The database; cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
    /// Only asks whether the database answers, so that it never waits for what is being written.
    watch: Arc<Mutex<Connection>>,
    recording: Arc<Mutex<()>>,
}

impl Store {
    /// Opens or creates the database file and brings its tables up to date.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_file(path).map_err(|error| match path.parent() {
            // SQLite calls that an I/O error of the disk, which sounds as if something were broken.
            Some(folder) if is_full(folder) => StoreError::Full(folder.to_path_buf()),
            _ => error,
        })
    }

    fn open_file(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A finished backup's row must survive a power cut: NORMAL may lose the last commits.
        connection.pragma_update(None, "synchronous", "FULL")?;
        keep_copy(&connection, path)?;
        Self::prepare(connection, || Connection::open(path))
    }

    /// A database that is gone with the value.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?, Connection::open_in_memory)
    }

    fn prepare(
        mut connection: Connection,
        another: impl FnOnce() -> rusqlite::Result<Connection>,
    ) -> Result<Self, StoreError> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Migrations::from_slice(&MIGRATIONS).to_latest(&mut connection)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            watch: Arc::new(Mutex::new(another()?)),
            recording: Arc::default(),
        })
    }

    /// Runs statements on the calling thread.
    pub(crate) fn with<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        work(&locked(&self.connection))
    }

    /// Whether the database answers. `false` while it has not answered somebody who asked before.
    pub(crate) fn check(&self) -> rusqlite::Result<bool> {
        let watch = match self.watch.try_lock() {
            Ok(watch) => watch,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // One thread that waits for a disk is enough.
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        // Reads the file, unlike a query without a table.
        watch.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(true))
    }

    /// Runs statements of which either all or none come to be, on the calling thread.
    pub(crate) fn transaction<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transaction_and_then(work, || {})
    }

    /// As [`transaction`](Self::transaction); once it is committed, and before anybody can see it, does one thing more.
    pub(crate) fn transaction_and_then<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
        committed: impl FnOnce(),
    ) -> Result<T, E> {
        let mut connection = locked(&self.connection);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let outcome = work(&transaction)?;
        transaction.commit()?;
        committed();
        Ok(outcome)
    }

    /// Runs statements for what they would lead to, and takes them back.
    pub(crate) fn rehearse<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = locked(&self.connection);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let outcome = work(&transaction)?;
        transaction.rollback()?;
        Ok(outcome)
    }

    /// Whoever writes a file that says what rows say holds this from the file until the rows are there, so that the
    /// last file and the last rows are of the same writer. Taken before the lock of the database, which then is not
    /// held while the file is written.
    pub(crate) fn recording(&self) -> MutexGuard<'_, ()> {
        locked(&self.recording)
    }
}

/// A panic under one of these locks leaves nothing half-done: dropping a transaction takes it back.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there is no room for what opening a database takes.
fn is_full(folder: &Path) -> bool {
    fs4::available_space(folder).is_ok_and(|bytes| bytes < ROOM_TO_OPEN)
}

/// Before the tables change their form, the database is kept as it was, as `hub-schema-N.db` beside it: a
/// version of the hub that knows no newer form can go on with the copy.
fn keep_copy(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let schema: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if schema == 0 || schema >= MIGRATIONS.len() {
        return Ok(());
    }
    let copy = path.with_file_name(format!("hub-schema-{schema}.db"));
    if copy.exists() {
        return Ok(());
    }
    let failed = |source| StoreError::Copy {
        path: copy.clone(),
        source,
    };
    // By its name only when it is whole: half a copy would never be made again.
    let partial = copy.with_extension("db.partial");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    connection.execute("VACUUM INTO ?1", [partial.to_string_lossy()])?;
    File::options()
        .write(true)
        .open(&partial)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&partial, &copy))
        .and_then(|()| copy.parent().map_or(Ok(()), files::sync_folder))
        .map_err(failed)?;
    tracing::info!(copy = %copy.display(), "kept the database as it was before this version");
    Ok(())
}

/// Why something ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// For programs.
    pub(crate) code: Option<FailureCode>,
    /// For people.
    pub(crate) text: String,
}

impl Reason {
    /// A reason that only people understand.
    pub(crate) fn of_text(text: impl Into<String>) -> Self {
        Self {
            code: None,
            text: text.into(),
        }
    }

    /// The stored form of the code: its word in the contract.
    fn code_text(&self) -> Option<String> {
        match serde_json::to_value(self.code?) {
            Ok(serde_json::Value::String(word)) => Some(word),
            _ => None,
        }
    }
}

/// The code of a reason on record; one that a newer version wrote is [`FailureCode::Unknown`].
pub(crate) fn failure_code(row: &Row<'_>) -> rusqlite::Result<Option<FailureCode>> {
    let word: Option<String> = row.get("error_code")?;
    Ok(word.and_then(|word| serde_json::from_value(word.into()).ok()))
}

/// The stored form of a time.
pub(crate) fn time_text(time: Timestamp) -> String {
    format!("{time:.0}")
}

/// A time that is always there.
pub(crate) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    let text: String = row.get(column)?;
    parse_time(&text)
}

/// A time that may be missing.
pub(crate) fn optional_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    let text: Option<String> = row.get(column)?;
    text.as_deref().map(parse_time).transpose()
}

fn parse_time(text: &str) -> rusqlite::Result<Timestamp> {
    text.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_valid() {
        Migrations::from_slice(&MIGRATIONS).validate().unwrap();
    }

    #[test]
    fn an_existing_database_is_opened_again_with_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let insert = |connection: &Connection| {
            connection.execute(
                "INSERT INTO users (username, password_hash, created_at) VALUES ('operator', 'x', '2026-01-01T00:00:00Z')",
                [],
            )
        };
        Store::open(&path).unwrap().with(insert).unwrap();

        let n_users: i64 = Store::open(&path)
            .unwrap()
            .with(|connection| {
                connection.query_row("SELECT count(*) FROM users", [], |row| row.get(0))
            })
            .unwrap();
        assert_eq!(n_users, 1);
    }

    #[test]
    fn a_database_of_an_older_form_is_kept_as_it_was_and_one_of_a_newer_form_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        {
            let mut connection = Connection::open(&path).unwrap();
            Migrations::from_slice(&MIGRATIONS[..1])
                .to_latest(&mut connection)
                .unwrap();
        }
        // What a hub left that died while it copied.
        let half = folder.path().join("hub-schema-1.db.partial");
        fs::write(&half, "half").unwrap();
        Store::open(&path).unwrap();
        assert!(!half.exists());
        let version = |path: &Path| -> usize {
            let connection = Connection::open(path).unwrap();
            connection
                .query_row("PRAGMA user_version", [], |row| row.get(0))
                .unwrap()
        };
        assert_eq!(version(&path), MIGRATIONS.len());
        assert_eq!(version(&folder.path().join("hub-schema-1.db")), 1);

        let connection = Connection::open(&path).unwrap();
        connection
            .pragma_update(None, "user_version", MIGRATIONS.len() + 1)
            .unwrap();
        drop(connection);
        let refused = Store::open(&path).err().unwrap();
        assert!(matches!(refused, StoreError::Migration(_)), "{refused}");
    }

    #[test]
    fn a_transaction_that_fails_leaves_nothing_behind() {
        let store = Store::in_memory().unwrap();
        let outcome = store.transaction(|transaction| {
            transaction.execute(
                "INSERT INTO users (username, password_hash, created_at) VALUES ('operator', 'x', '')",
                [],
            )?;
            Err::<(), _>(rusqlite::Error::InvalidQuery)
        });
        assert!(outcome.is_err());
        let n_users: i64 = store
            .with(|connection| {
                connection.query_row("SELECT count(*) FROM users", [], |row| row.get(0))
            })
            .unwrap();
        assert_eq!(n_users, 0);
    }

    #[test]
    fn stored_times_sort_as_text() {
        let early: Timestamp = "2026-11-24T10:00:00.9Z".parse().unwrap();
        let late: Timestamp = "2026-11-24T10:00:01Z".parse().unwrap();
        assert_eq!(time_text(early), "2026-11-24T10:00:00Z");
        assert!(time_text(early) < time_text(late));
    }
}
