//! The data directory: its lock, and the file that tells this user's programs where the hub is.
//!
//! ```text
//! lock         held as long as a hub uses the directory
//! hub.json     address and key of that hub, readable by its user only; gone after a clean stop
//! hub.db       the database
//! repository/  the first repository
//! ```
//!
//! What else lies there belongs to its clients: the record of what they mounted.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use sendense_engine::files;

use crate::{ServeError, secret::Secret};

/// Who looks whether a hub is running holds the lock for a moment; a start waits that long.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);
/// A hub that has the lock but has not written its address is starting or stopping.
const ADDRESS_ATTEMPTS: u32 = 200;

/// The data directory of this user, which app and terminal share; `None` without a home folder.
pub fn default_data_dir() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "Sendense", "Sendense")
        .map(|folders| folders.data_local_dir().join("hub"))
}

/// A data directory that this process uses alone.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Released by the system when the process ends, however it ends.
    _lock: File,
}

/// A hub that runs on this computer.
#[derive(Clone, Debug, Deserialize)]
pub struct RunningHub {
    /// `http://127.0.0.1:port`
    pub url: String,
    /// The bearer token that lets this user in.
    pub key: SecretString,
}

/// What the address file says of a hub: the one place where its key is written in plain.
#[derive(Serialize)]
struct Address<'a> {
    url: &'a str,
    key: &'a str,
}

impl DataDir {
    /// Makes the directory where it is not there, and takes it for this process.
    pub(crate) fn lock(path: &Path) -> Result<Self, ServeError> {
        let path = std::path::absolute(path).map_err(|source| unusable(path, source))?;
        create_private_folder(&path).map_err(|source| unusable(&path, source))?;
        let lock_file = path.join("lock");
        let lock = open_lock(&lock_file).map_err(|source| unusable(&lock_file, source))?;
        for attempt in 1.. {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Err(ServeError::DataDirInUse(path)),
                Err(TryLockError::Error(source)) => return Err(unusable(&lock_file, source)),
            }
        }
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("hub.db")
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.path.join("repository")
    }

    /// Writes down where the hub is, until the returned value is dropped.
    pub(crate) fn publish(&self, url: &str, key: &Secret) -> Result<Published, ServeError> {
        let path = address_file(&self.path);
        let address = Address {
            url,
            key: key.as_str(),
        };
        write_private(&path, &address).map_err(|source| unusable(&path, source))?;
        Ok(Published { path })
    }
}

/// Removes the address file when the hub stops.
#[derive(Debug)]
pub(crate) struct Published {
    path: PathBuf,
}

impl Drop for Published {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            // Harmless: without the lock the file counts as stale.
            tracing::warn!(path = %self.path.display(), %error, "could not remove the address file");
        }
    }
}

/// Finds the hub that is using a data directory; `None` where there is none.
///
/// A file without a lock was left by a hub that was killed, and is not believed.
pub async fn find_running(data_dir: &Path) -> Result<Option<RunningHub>, ServeError> {
    for _ in 0..ADDRESS_ATTEMPTS {
        if !is_locked(data_dir)? {
            return Ok(None);
        }
        let path = address_file(data_dir);
        match fs::read(&path) {
            Ok(bytes) => {
                let hub = serde_json::from_slice(&bytes)
                    .map_err(|error| unusable(&path, io::Error::from(error)))?;
                return Ok(Some(hub));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            Err(source) => return Err(unusable(&path, source)),
        }
    }
    Err(ServeError::DataDirInUse(data_dir.to_path_buf()))
}

fn is_locked(data_dir: &Path) -> Result<bool, ServeError> {
    let path = data_dir.join("lock");
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(unusable(&path, source)),
    };
    // Shared, so that two who look at the same time do not take each other for a hub.
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(unusable(&path, source)),
    }
}

fn address_file(data_dir: &Path) -> PathBuf {
    data_dir.join("hub.json")
}

fn unusable(path: &Path, source: io::Error) -> ServeError {
    ServeError::DataDir {
        path: path.to_path_buf(),
        source,
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    private(
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false),
    )
    .open(path)
}

/// Whoever reads the file is let in, so it is never readable by others, not even while it is written.
fn write_private(path: &Path, address: &Address<'_>) -> io::Result<()> {
    let unfinished = path.with_extension("json.partial");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&unfinished)?;
    file.write_all(&serde_json::to_vec(address)?)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

/// Elsewhere files in a user's profile are that user's only.
#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    // A power cut that takes the name of the data directory takes every backup along.
    files::create_folders_with(&mut builder, path)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[tokio::test]
    async fn a_running_hub_is_found_until_it_stops() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find_running(folder.path()).await.unwrap().is_none());

        let data_dir = DataDir::lock(folder.path()).unwrap();
        let key = Secret::random();
        let published = data_dir.publish("http://127.0.0.1:1", &key).unwrap();
        let found = find_running(folder.path()).await.unwrap().unwrap();
        assert_eq!(found.url, "http://127.0.0.1:1");
        assert_eq!(found.key.expose_secret(), key.as_str());
        assert!(!format!("{found:?}").contains(key.as_str()));

        drop(published);
        drop(data_dir);
        assert!(find_running(folder.path()).await.unwrap().is_none());
        assert!(!address_file(folder.path()).exists());
    }

    #[tokio::test]
    async fn the_file_of_a_killed_hub_is_not_believed_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(address_file(folder.path()), "what a crash left").unwrap();
        assert!(find_running(folder.path()).await.unwrap().is_none());

        let data_dir = DataDir::lock(folder.path()).unwrap();
        let _published = data_dir
            .publish("http://[::1]:2", &Secret::random())
            .unwrap();
        let found = find_running(folder.path()).await.unwrap().unwrap();
        assert_eq!(found.url, "http://[::1]:2");
    }

    #[test]
    fn one_directory_has_one_hub() {
        let folder = tempfile::tempdir().unwrap();
        let _first = DataDir::lock(folder.path()).unwrap();
        let error = DataDir::lock(folder.path()).unwrap_err();
        assert!(matches!(error, ServeError::DataDirInUse(_)), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_can_read_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let data_dir = DataDir::lock(&path).unwrap();
        let _published = data_dir
            .publish("http://127.0.0.1:1", &Secret::random())
            .unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&address_file(&path)), 0o600);
        assert_eq!(mode(&path), 0o700);
    }
}
