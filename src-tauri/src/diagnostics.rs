//! What the app is, and what a supporter needs to know of it, as text without secrets.

use sendense_core::{HubSession, Mounts};
use sendense_types::{About, Session, SessionState};
use tauri::{AppHandle, Manager, Runtime};

use crate::local_hub::OwnHub;
use crate::logs::{self, LogFolder};

/// What this app is and where it keeps things.
pub(crate) fn about<R: Runtime>(app: &AppHandle<R>) -> About {
    let shown = |path: &std::path::Path| path.to_string_lossy().into_owned();
    About {
        version: app.package_info().version.to_string(),
        data_folder: shown(app.state::<OwnHub>().data_folder()),
        log_folder: shown(&app.state::<LogFolder>().0),
    }
}

/// What a supporter asks for first.
pub(crate) async fn text<R: Runtime>(app: &AppHandle<R>) -> String {
    let n_mounts = app.state::<Mounts>().list().await.map(|open| open.len());
    let folder = app.state::<LogFolder>().0.clone();
    let errors = tauri::async_runtime::spawn_blocking(move || logs::last_errors(&folder)).await;
    let errors = match errors {
        Ok(Ok(errors)) if errors.is_empty() => "none".to_owned(),
        Ok(Ok(errors)) => errors.join("\n"),
        Ok(Err(error)) => format!("the log folder cannot be read: {error}"),
        Err(died) => format!("the log folder cannot be read: {died}"),
    };
    let About {
        version,
        data_folder,
        log_folder,
    } = about(app);
    let session = app.state::<HubSession>().state();
    format!(
        "Sendense {version} on {os} ({arch})\n{hub}\nOpen mounts: {n_mounts}\n\
         Data: {data_folder}\nLogs: {log_folder}\nLast errors and warnings:\n{errors}\n",
        os = std::env::consts::OS,
        arch = std::env::consts::ARCH,
        hub = of_hubs(&session),
        n_mounts = n_mounts.map_or_else(|_| "unknown".to_owned(), |count| count.to_string()),
    )
}

fn of_hubs(session: &Session) -> String {
    let hub = match session.current_hub() {
        Some(hub) if hub.is_this_computer() => "this computer",
        Some(_) => "a remote hub",
        None => "none",
    };
    let state = match &session.state {
        SessionState::Connecting => "connecting".to_owned(),
        SessionState::Connected => "connected".to_owned(),
        SessionState::SignedOut { .. } => "signed out".to_owned(),
        SessionState::Offline { error } => format!("offline: {error}"),
    };
    let n_hubs = session.hubs.len();
    format!(
        "Hub: {hub}, {state}\nSaved hubs: {n_hubs}\nTokens: {:?}",
        session.keychain
    )
}
