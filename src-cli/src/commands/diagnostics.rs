//! `sendense diagnostics`: a bundle of files for a supporter.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sendense_core::diagnostics::{Bundle, Diagnostics, facts_of_hubs};
use sendense_core::{HubClient, Token, UserFolders};
use sendense_hub::find_running;
use sendense_types::{AppError, ErrorKind, HubId, Retry};
use sendense_words as words;
use serde_json::{Value, json};

use crate::args::Global;
use crate::output::Output;
use crate::{Result, connection, hubs};

/// Writes the bundle to this file, or into this folder.
pub(crate) async fn run(
    wanted: Option<PathBuf>,
    now: Timestamp,
    global: &Global,
    output: &Output,
) -> Result<()> {
    let folders = UserFolders::of_this_user().ok_or_else(hubs::no_settings)?;
    let session = hubs::session(HubId::this_computer()).await?;
    let data_folder = connection::data_dir(global)?;
    let mut secrets = session.known_secrets().await;
    let local_hub = local_hub(&data_folder, &mut secrets).await;
    let bundle = Bundle {
        diagnostics: Diagnostics {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            facts: facts_of_hubs(&session.state()),
            data_folder,
            log_folder: folders.log_folder,
        },
        settings_file: folders.settings_file,
        local_hub,
        secrets,
    };
    let wanted = wanted.unwrap_or_else(|| PathBuf::from("."));
    let written = tokio::task::spawn_blocking(move || bundle.write(&wanted, now));
    let path = written.await.map_err(|died| {
        AppError::new(
            ErrorKind::Internal,
            words::terminal::diagnostics_died(),
            Retry::Manual,
        )
        .with_details(died.to_string())
    })??;
    output.show(&json!({ "file": path }), || {
        words::terminal::diagnostics_written(path.display())
    })?;
    output.note(words::terminal::look_into_diagnostics());
    Ok(())
}

/// What the hub of this computer says of itself; none is started for that. Its key is added to the secrets.
async fn local_hub(data_folder: &Path, secrets: &mut Vec<Token>) -> Value {
    let running = match find_running(data_folder).await {
        Ok(Some(running)) => running,
        Ok(None) => return json!({ "running": false }),
        Err(error) => return json!({ "running": null, "error": error.to_string() }),
    };
    let key = Token::new(running.key);
    secrets.push(key.clone());
    let asked = async {
        let hub = HubClient::new(&running.url, Some(key))?;
        let health = hub.ask_health().await?;
        hub.check_sign_in().await?;
        Ok::<_, AppError>(health)
    };
    match asked.await {
        Ok(health) => json!({
            "running": true,
            "url": running.url,
            "service": health.service,
            "version": health.version,
            "status": health.status,
            "database": health.database,
        }),
        Err(error) => json!({
            "running": true,
            "url": running.url,
            "error": error.message,
            "details": error.details,
        }),
    }
}
