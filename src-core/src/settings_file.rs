//! The settings file of a user, which window and terminal share: values by key. What one program does not know it
//! leaves as it is, and a value that makes no sense counts as missing, without harm to the others.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Result, shared_file};

/// The file. Cheap to clone; clones know of each other's changes.
#[derive(Clone, Debug)]
pub struct SettingsFile {
    file: Arc<Path>,
    /// As this program left it or saw it last.
    seen: Arc<Mutex<Option<Stamp>>>,
}

/// What tells one state of the file from the next: each is a new file.
type Stamp = (SystemTime, u64);

impl SettingsFile {
    /// The key of the settings that a user has decided about.
    pub const SETTINGS: &str = "settings";
    /// The key of the hub that is in use in the window.
    pub const CURRENT_HUB: &str = "current_hub";

    /// The file of this name, which need not be there yet.
    pub fn new(file: &Path) -> Self {
        Self {
            file: Arc::from(file),
            seen: Arc::new(Mutex::new(stamp(file))),
        }
    }

    /// A value, where there is one that makes sense. Reads the file each time.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let content = self.read().inspect_err(|error| {
            tracing::warn!(file = %self.file.display(), %error, "the settings cannot be read");
        });
        serde_json::from_value(content.ok()?.remove(key)?)
            .inspect_err(|error| tracing::warn!(key, %error, "a setting makes no sense"))
            .ok()
    }

    /// Everything in the file; nothing where there is none.
    pub(crate) fn read(&self) -> io::Result<Map<String, Value>> {
        let Some(bytes) = shared_file::read(&self.file)? else {
            return Ok(Map::new());
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Keeps a value.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing is changed.
    pub fn set(&self, key: &str, value: &impl Serialize) -> Result<()> {
        let value = serde_json::to_value(value).map_err(|error| not_kept(&error))?;
        if self.read().is_ok_and(|kept| kept.get(key) == Some(&value)) {
            return Ok(());
        }
        self.change(key, |kept| *kept = value)
    }

    /// Changes a value (null where there is none), while no other program can. Writes the file in any case, so that
    /// other programs look at it again.
    pub(crate) fn change(&self, key: &str, change: impl FnOnce(&mut Value)) -> Result<()> {
        let change = || -> io::Result<()> {
            let _held = shared_file::lock(&self.file)?;
            let mut content = match self.read() {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    shared_file::set_aside(&self.file, &error)?;
                    Map::new()
                }
                content => content?,
            };
            change(content.entry(key).or_insert(Value::Null));
            shared_file::write(&self.file, &serde_json::to_vec_pretty(&content)?)?;
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamp(&self.file);
            Ok(())
        };
        change().map_err(|error| not_kept(&error))
    }

    /// Whether another program has changed the file since this was asked last.
    pub(crate) fn is_changed_by_others(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.file);
        std::mem::replace(&mut *seen, now) != now
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn not_kept(error: &dyn std::error::Error) -> AppError {
    AppError::new(
        ErrorKind::Internal,
        words::failures::settings_not_saved(),
        Retry::Manual,
    )
    .with_details(error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_understood_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/settings.json");
        let settings = SettingsFile::new(&file);
        assert_eq!(settings.get::<u32>("size"), None);
        settings.set("size", &7).unwrap();
        settings
            .set("of a later version", &json!({ "a": [1] }))
            .unwrap();
        assert_eq!(settings.get::<String>("size"), None, "it is a number");
        settings.set("size", &8).unwrap();
        assert_eq!(settings.get::<u32>("size"), Some(8));
        let other: Value = settings.get("of a later version").unwrap();
        assert_eq!(other, json!({ "a": [1] }));
    }

    #[test]
    fn a_file_that_makes_no_sense_is_set_aside_before_it_is_written() {
        for damaged in ["", "{", "[]"] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("settings.json");
            fs::write(&file, damaged).unwrap();
            let settings = SettingsFile::new(&file);
            assert_eq!(settings.get::<u32>("size"), None);
            settings.set("size", &7).unwrap();
            assert_eq!(settings.get::<u32>("size"), Some(7));
            let aside = fs::read_to_string(shared_file::aside(&file)).unwrap();
            assert_eq!(aside, damaged);
        }
    }

    #[test]
    fn only_changes_of_others_are_news() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        let [ours, theirs] = [(); 2].map(|()| SettingsFile::new(&file));
        ours.set("size", &7).unwrap();
        assert!(!ours.is_changed_by_others());
        assert!(theirs.is_changed_by_others());
        theirs.set("length", &100).unwrap();
        assert!(ours.is_changed_by_others());
        assert!(!ours.is_changed_by_others(), "it is known by now");
        // Nothing is written where nothing changes.
        theirs.set("length", &100).unwrap();
        assert!(!ours.is_changed_by_others());
    }
}
