//! The hub of this computer: started with the app and stopped with it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sendense_core::{Result, Token};
use sendense_hub::{Config, LocalHub, ServeError, find_running};
use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;

/// The place of that hub, and the hub itself unless one ran there already.
pub(crate) struct OwnHub {
    data_folder: PathBuf,
    hub: Mutex<Option<LocalHub>>,
}

impl OwnHub {
    /// A hub that is not started yet.
    pub(crate) fn new(data_folder: PathBuf) -> Self {
        Self {
            data_folder,
            hub: Mutex::new(None),
        }
    }

    /// Where it keeps database and backups.
    pub(crate) fn data_folder(&self) -> &Path {
        &self.data_folder
    }

    /// Finds the hub on this user's data directory or starts one; says where it is and its key.
    pub(crate) async fn start(&self) -> Result<(String, Token)> {
        if let Some(running) = find_running(&self.data_folder).await.map_err(refused)? {
            return Ok((running.url, Token::new(running.key)));
        }
        let hub = LocalHub::start(Config::new(&self.data_folder))
            .await
            .map_err(refused)?;
        let place = (hub.url().to_owned(), Token::new(hub.key()));
        *self.slot() = Some(hub);
        Ok(place)
    }

    /// Whether backups of this computer end with this app.
    pub(crate) fn is_running(&self) -> bool {
        self.slot().is_some()
    }

    /// Stops the hub, if it is ours, and waits until it has.
    pub(crate) async fn stop(&self) {
        let hub = self.slot().take();
        if let Some(hub) = hub {
            hub.stop().await;
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<LocalHub>> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(error: ServeError) -> AppError {
    let (kind, hint) = match &error {
        ServeError::DataDirInUse(_) => (ErrorKind::Conflict, words::failures::data_folder_in_use()),
        ServeError::Engine(_) | ServeError::Users(_) => {
            (ErrorKind::Corrupt, words::failures::database_unreadable())
        }
        _ => (ErrorKind::Internal, words::failures::other_hubs_work()),
    };
    AppError::new(
        kind,
        words::failures::local_hub_not_started(),
        Retry::Manual,
    )
    .with_hint(hint)
    .with_details(error.to_string())
}
