//! What the app is, and what a supporter needs to know of it, as text without secrets.

use sendense_core::diagnostics::{Diagnostics, facts_of_hubs};
use sendense_core::{HubSession, Mounts};
use sendense_types::{About, Session, SessionState};
use tauri::{AppHandle, Manager, Runtime};

use crate::local_hub::OwnHub;
use crate::logs::LogFolder;

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
    let diagnostics = gather(app).await;
    let page = tauri::async_runtime::spawn_blocking(move || diagnostics.page()).await;
    page.unwrap_or_else(|died| format!("the diagnostics cannot be collected: {died}"))
}

/// What is known here. Secrets in the keychain are left alone, because it may ask its user: what looks like a secret is
/// taken out in any case.
async fn gather<R: Runtime>(app: &AppHandle<R>) -> Diagnostics {
    let session = app.state::<HubSession>().state();
    let n_mounts = app.state::<Mounts>().list().await.map(|open| open.len());
    let n_mounts = n_mounts.map_or_else(|_| "unknown".to_owned(), |count| count.to_string());
    let mut facts = vec![("Hub", of_hub(&session))];
    facts.extend(facts_of_hubs(&session));
    facts.push(("Open mounts", n_mounts));
    Diagnostics {
        version: app.package_info().version.to_string(),
        facts,
        data_folder: app.state::<OwnHub>().data_folder().to_owned(),
        log_folder: app.state::<LogFolder>().0.clone(),
    }
}

fn of_hub(session: &Session) -> String {
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
    format!("{hub}, {state}")
}
