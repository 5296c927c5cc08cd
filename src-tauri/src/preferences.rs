//! What is kept from one start to the next: settings, the hub in use, the folder saved to last.

use std::path::{Path, PathBuf};

use sendense_core::{Events, SettingsFile};
use sendense_types::{AppEvent, HubId, Settings};
use sendense_words as words;
use tokio::sync::watch;

use crate::Result;

const LAST_FOLDER: &str = "last_folder";

/// The file of settings and what it says now.
pub(crate) struct Preferences {
    file: SettingsFile,
    settings: watch::Sender<Settings>,
    events: Events,
}

impl Preferences {
    /// Reads the file; one that makes no sense counts as empty, value by value.
    pub(crate) fn load(file: SettingsFile, events: Events) -> Self {
        let settings = file.get(SettingsFile::SETTINGS).unwrap_or_default();
        Self {
            file,
            settings: watch::Sender::new(settings),
            events,
        }
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
        let kept = self.file.set(SettingsFile::SETTINGS, &settings);
        kept.map_err(|error| error.with_hint(words::failures::settings_hold()))?;
        Ok(settings)
    }

    /// The hub that was in use the last time.
    pub(crate) fn current_hub(&self) -> HubId {
        let kept = self.file.get(SettingsFile::CURRENT_HUB);
        kept.unwrap_or_else(HubId::this_computer)
    }

    /// Keeps which hub is in use.
    pub(crate) fn keep_current_hub(&self, hub: &HubId) -> Result<()> {
        self.file.set(SettingsFile::CURRENT_HUB, hub)
    }

    /// Where something was saved last.
    pub(crate) fn last_folder(&self) -> Option<PathBuf> {
        let kept: Option<PathBuf> = self.file.get(LAST_FOLDER);
        kept.filter(|folder| folder.is_dir())
    }

    /// Remembers where something was saved. That it is forgotten again is not worth a word.
    pub(crate) fn remember_folder(&self, folder: &Path) {
        if let Err(error) = self.file.set(LAST_FOLDER, &folder) {
            tracing::warn!(%error, "could not remember the folder");
        }
    }
}
