//! The hubs that a user has saved, in the settings file that window and terminal share. Their secrets are in the
//! keychain.

use std::io;

use sendense_types::{AppError, ErrorKind, HubId, Retry, SavedHub};
use sendense_words as words;
use serde_json::Value;

use crate::hub::is_same_address;
use crate::{Result, SettingsFile};

/// The key in the settings file.
const HUBS: &str = "hubs";

/// The list in the file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SavedHubs {
    settings: SettingsFile,
}

impl SavedHubs {
    /// Those of this settings file.
    pub fn new(settings: SettingsFile) -> Self {
        Self { settings }
    }

    /// All of them, as they are now; none where the file cannot be read. One that makes no sense is left out, and left in
    /// the file.
    pub fn list(&self) -> Vec<SavedHub> {
        let hubs = self.read().inspect_err(|error| {
            tracing::warn!(%error, "the saved hubs cannot be read");
        });
        hubs.unwrap_or_default()
    }

    /// As [`list`](Self::list), for those who have a list already.
    pub(crate) fn read(&self) -> io::Result<Vec<SavedHub>> {
        let rows = match self.settings.read()?.remove(HUBS) {
            Some(Value::Array(rows)) => rows,
            _ => Vec::new(),
        };
        let hubs = rows.into_iter().filter_map(understood);
        Ok(hubs.filter(|hub| !hub.is_this_computer()).collect())
    }

    /// Saves a hub, instead of what was saved of it.
    pub(crate) fn save(&self, hub: &SavedHub) -> Result<()> {
        let row = serde_json::to_value(hub).map_err(|error| {
            let message = words::failures::settings_not_saved();
            AppError::new(ErrorKind::Internal, message, Retry::Never)
                .with_details(error.to_string())
        })?;
        self.change(
            |rows| match rows.iter_mut().find(|row| is_of(row, &hub.id)) {
                Some(known) => *known = row,
                None => rows.push(row),
            },
        )
    }

    /// Forgets a hub.
    pub(crate) fn remove(&self, hub_id: &HubId) -> Result<()> {
        self.change(|rows| rows.retain(|row| !is_of(row, hub_id)))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Value>)) -> Result<()> {
        self.settings.change(HUBS, |kept| {
            let mut rows = match kept.take() {
                Value::Array(rows) => rows,
                // There is no list yet, or what is there is none.
                _ => Vec::new(),
            };
            change(&mut rows);
            *kept = Value::Array(rows);
        })
    }

    /// Whether another program has changed the settings file since this was asked last.
    pub(crate) fn are_changed_by_others(&self) -> bool {
        self.settings.is_changed_by_others()
    }
}

/// The hub that somebody means by a name, whatever its case, or by an address in any spelling; a name goes first.
///
/// # Errors
/// `Conflict` when several have the name.
pub fn find_hub<'h>(hubs: &'h [SavedHub], text: &str) -> Result<Option<&'h SavedHub>> {
    let text = text.trim();
    let called: Vec<&SavedHub> = hubs
        .iter()
        .filter(|hub| hub.name.to_lowercase() == text.to_lowercase())
        .collect();
    match called[..] {
        [] => {}
        [hub] => return Ok(Some(hub)),
        _ => {
            let addresses = called.iter().filter_map(|hub| hub.address.as_deref());
            let addresses: Vec<&str> = addresses.collect();
            return Err(AppError::new(
                ErrorKind::Conflict,
                words::failures::several_hubs(text),
                Retry::Never,
            )
            .with_hint(words::failures::hub_by_address(addresses.join(", "))));
        }
    }
    let is_there = |hub: &&SavedHub| {
        let address = hub.address.as_deref();
        address.is_some_and(|address| is_same_address(address, text))
    };
    Ok(hubs.iter().find(is_there))
}

fn is_of(row: &Value, hub_id: &HubId) -> bool {
    row.get("id").and_then(Value::as_str) == Some(hub_id.0.as_str())
}

fn understood(row: Value) -> Option<SavedHub> {
    serde_json::from_value(row)
        .inspect_err(|error| tracing::warn!(%error, "a saved hub makes no sense"))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use sendense_types::{SignInKind, Trust};

    use super::*;

    fn hub(name: &str, address: &str) -> SavedHub {
        SavedHub {
            id: HubId(address.to_owned()),
            name: name.to_owned(),
            address: Some(address.to_owned()),
            username: None,
            sign_in: SignInKind::None,
            trust: Trust::System,
        }
    }

    fn saved_in(folder: &tempfile::TempDir) -> SavedHubs {
        SavedHubs::new(SettingsFile::new(&folder.path().join("settings.json")))
    }

    #[test]
    fn what_several_programs_save_at_once_is_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (writers, each) = (8, 8);
        let start = Arc::new(Barrier::new(writers));
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                // Each with its own idea of the file, as another program has.
                let (saved, start) = (saved_in(&folder), Arc::clone(&start));
                std::thread::spawn(move || {
                    start.wait();
                    for n in 0..each {
                        saved
                            .save(&hub("", &format!("http://h{writer}-{n}")))
                            .unwrap();
                        saved.settings.set(&format!("key {writer}"), &n).unwrap();
                    }
                    saved.remove(&HubId(format!("http://h{writer}-0"))).unwrap();
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let saved = saved_in(&folder);
        assert_eq!(saved.list().len(), writers * (each - 1));
        for writer in 0..writers {
            let kept: Option<usize> = saved.settings.get(&format!("key {writer}"));
            assert_eq!(kept, Some(each - 1));
        }
    }

    #[test]
    fn a_hub_that_makes_no_sense_hides_no_other_and_stays_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let saved = saved_in(&folder);
        let later = serde_json::json!([{ "id": "x", "name": 7 }, hub("Cellar", "http://a:1")]);
        saved.settings.set(HUBS, &later).unwrap();
        assert_eq!(saved.list(), [hub("Cellar", "http://a:1")]);
        saved.save(&hub("Attic", "http://a:1")).unwrap();
        assert_eq!(saved.list(), [hub("Attic", "http://a:1")]);
        let rows: Vec<Value> = saved.settings.get(HUBS).unwrap();
        assert_eq!((rows.len(), &rows[0]["name"]), (2, &Value::from(7)));
    }

    #[test]
    fn a_hub_is_found_by_its_name_or_by_its_address_however_it_is_written() {
        let hubs = [
            hub("Cellar", "http://cellar.example:8082"),
            hub("Attic", "https://attic.example"),
            hub("attic.example", "http://10.0.0.1:8082"),
            hub("Twin", "http://a:1"),
            hub("twin", "http://b:1"),
        ];
        for (text, found) in [
            ("cellar", Some(0)),
            (" Cellar ", Some(0)),
            ("cellar.example", Some(0)),
            ("http://cellar.example:8082/api/v1/", Some(0)),
            ("https://attic.example", Some(1)),
            ("attic.example", Some(2)),
            ("http://b:1", Some(4)),
            ("http://cellar.example", None),
            ("elsewhere", None),
            ("no address", None),
        ] {
            let hub = find_hub(&hubs, text).unwrap();
            assert_eq!(hub, found.map(|place: usize| &hubs[place]), "{text}");
        }
        let error = find_hub(&hubs, "TWIN").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert!(error.hint.unwrap().contains("http://a:1, http://b:1"));
    }
}
