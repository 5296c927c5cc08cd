//! What is kept from one start to the next: settings, saved hubs, the folder saved to last.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sendense_core::Events;
use sendense_types::{AppError, AppEvent, ErrorKind, HubId, Retry, SavedHub, Session, Settings};
use sendense_words as words;
use serde::{Serialize, de::DeserializeOwned};
use tauri::{AppHandle, Runtime};
use tauri_plugin_store::{Store, StoreExt};
use tokio::sync::watch;

use crate::Result;

const SETTINGS: &str = "settings";
const HUBS: &str = "hubs";
const CURRENT_HUB: &str = "current_hub";
const LAST_FOLDER: &str = "last_folder";

/// The file of settings and what it says now.
pub(crate) struct Preferences<R: Runtime = tauri::Wry> {
    store: Arc<Store<R>>,
    settings: watch::Sender<Settings>,
    events: Events,
}

impl<R: Runtime> Preferences<R> {
    /// Reads the file; one that makes no sense counts as empty, value by value.
    pub(crate) fn load(
        app: &AppHandle<R>,
        file: &Path,
        events: Events,
    ) -> Result<Self, tauri_plugin_store::Error> {
        let store = app.store(file)?;
        let settings = read(&store, SETTINGS).unwrap_or_default();
        Ok(Self {
            store,
            settings: watch::Sender::new(settings),
            events,
        })
    }

    /// The settings as they are.
    pub(crate) fn settings(&self) -> Settings {
        self.settings.borrow().clone()
    }

    /// The settings as they will be.
    pub(crate) fn watch(&self) -> watch::Receiver<Settings> {
        self.settings.subscribe()
    }

    /// Changes the settings, keeps them and says so.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings> {
        let mut settings = self.settings();
        change(&mut settings);
        // They hold at once, also when they cannot be kept.
        self.settings.send_replace(settings.clone());
        self.events.publish(AppEvent::SettingsChanged {
            settings: Box::new(settings.clone()),
        });
        self.write(SETTINGS, &settings)?;
        Ok(settings)
    }

    /// The hubs of the last time, and which of them was in use.
    pub(crate) fn hubs(&self) -> (Vec<SavedHub>, HubId) {
        (
            read(&self.store, HUBS).unwrap_or_default(),
            read(&self.store, CURRENT_HUB).unwrap_or_else(HubId::this_computer),
        )
    }

    /// Keeps the hubs. Tokens are not among them.
    pub(crate) fn keep_hubs(&self, session: &Session) -> Result<()> {
        self.write(HUBS, &session.hubs)?;
        self.write(CURRENT_HUB, &session.current)
    }

    /// Where something was saved last.
    pub(crate) fn last_folder(&self) -> Option<PathBuf> {
        read(&self.store, LAST_FOLDER).filter(|folder: &PathBuf| folder.is_dir())
    }

    /// Remembers where something was saved. That it is forgotten again is not worth a word.
    pub(crate) fn remember_folder(&self, folder: &Path) {
        if let Err(error) = self.write(LAST_FOLDER, &folder) {
            tracing::warn!(%error, "could not remember the folder");
        }
    }

    fn write(&self, key: &str, value: &impl Serialize) -> Result<()> {
        let value = serde_json::to_value(value).map_err(|error| not_kept(&error))?;
        if self.store.get(key).as_ref() == Some(&value) {
            return Ok(());
        }
        self.store.set(key, value);
        self.store.save().map_err(|error| not_kept(&error))
    }
}

fn read<R: Runtime, T: DeserializeOwned>(store: &Store<R>, key: &str) -> Option<T> {
    let value = store.get(key)?;
    serde_json::from_value(value)
        .inspect_err(|error| tracing::warn!(key, %error, "a setting makes no sense"))
        .ok()
}

fn not_kept(error: &dyn std::error::Error) -> AppError {
    AppError::new(
        ErrorKind::Internal,
        words::failures::settings_not_saved(),
        Retry::Manual,
    )
    .with_hint(words::failures::settings_hold())
    .with_details(error.to_string())
}
