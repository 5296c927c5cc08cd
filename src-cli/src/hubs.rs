//! Saved hubs: those of the window, and the window's are these.

use std::sync::Arc;

use sendense_core::{
    Events, HubSession, MemorySecrets, SavedHubs, Secrets, SettingsFile, UserFolders, find_hub,
    open_keychain,
};
use sendense_types::{AppError, ErrorKind, HubId, Keychain, Retry, SavedHub};
use sendense_words as words;

use crate::Result;

/// The list of saved hubs.
///
/// # Errors
/// For a user without a home folder.
pub(crate) fn saved() -> Result<SavedHubs> {
    let folders = UserFolders::of_this_user().ok_or_else(no_settings)?;
    Ok(SavedHubs::new(SettingsFile::new(&folders.settings_file)))
}

pub(crate) fn no_settings() -> AppError {
    AppError::new(
        ErrorKind::Invalid,
        words::terminal::no_settings(),
        Retry::Never,
    )
}

/// The saved hub of this name or at this address; none where nothing can be saved.
///
/// # Errors
/// When several have the name.
pub(crate) fn find(text: &str) -> Result<Option<SavedHub>> {
    let Ok(saved) = saved() else {
        return Ok(None);
    };
    Ok(find_hub(&saved.list(), text)?.cloned())
}

/// As [`find`], for what is only done with saved hubs.
///
/// # Errors
/// `NotFound` where there is none.
pub(crate) fn find_saved(text: &str) -> Result<SavedHub> {
    find(text)?.ok_or_else(|| {
        AppError::new(
            ErrorKind::NotFound,
            words::terminal::no_hub_called(text),
            Retry::Never,
        )
        .with_hint(words::terminal::list_hubs())
    })
}

/// The saved hubs with the keychain of this user, and one of them as the current one.
pub(crate) async fn session(current: HubId) -> Result<HubSession> {
    let saved = saved()?;
    let session = HubSession::new(saved.list(), current, keychain().await?, Events::new());
    Ok(session.keeping(saved))
}

/// The saved hubs for what needs no secret, so that no keychain asks its user for nothing.
pub(crate) fn session_without_keychain() -> Result<HubSession> {
    let saved = saved()?;
    let secrets = Arc::new(MemorySecrets::default());
    let here = HubId::this_computer();
    Ok(HubSession::new(saved.list(), here, secrets, Events::new()).keeping(saved))
}

/// The keychain, which blocks and may ask its user.
async fn keychain() -> Result<Arc<dyn Secrets>> {
    tokio::task::spawn_blocking(open_keychain)
        .await
        .map_err(|died| {
            AppError::new(
                ErrorKind::Internal,
                words::failures::keychain_died(),
                Retry::Manual,
            )
            .with_details(died.to_string())
        })
}

/// Refuses to take a sign-in that would be forgotten when the command ends.
///
/// # Errors
/// Where no keychain answers.
pub(crate) fn needs_keychain(session: &HubSession) -> Result<()> {
    match session.state().keychain {
        Keychain::System => Ok(()),
        Keychain::MemoryOnly => Err(AppError::new(
            ErrorKind::Unsupported,
            words::terminal::no_keychain(),
            Retry::Manual,
        )
        .with_hint(words::terminal::sign_in_each_time())),
    }
}
