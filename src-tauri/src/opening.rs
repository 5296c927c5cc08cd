//! Files and folders opened by other programs of the system.

use std::path::PathBuf;

use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;
use tauri::{AppHandle, Runtime};
use tauri_plugin_opener::{Opener, OpenerExt};

use crate::Result;

/// Opens a file or folder with the program that the system has for it.
pub(crate) async fn open<R: Runtime>(app: &AppHandle<R>, path: PathBuf) -> Result<()> {
    by_system(app, move |opener| {
        opener.open_path(path.to_string_lossy(), None::<&str>)
    })
    .await
}

/// Shows a file in its folder.
pub(crate) async fn reveal<R: Runtime>(app: &AppHandle<R>, file: PathBuf) -> Result<()> {
    by_system(app, move |opener| opener.reveal_item_in_dir(file)).await
}

/// Waits for the other program to start, which may take its time.
async fn by_system<R: Runtime>(
    app: &AppHandle<R>,
    open: impl FnOnce(&Opener<R>) -> Result<(), tauri_plugin_opener::Error> + Send + 'static,
) -> Result<()> {
    let app = app.clone();
    tauri::async_runtime::spawn_blocking(move || open(app.opener()))
        .await
        .map_err(|died| not_opened(&died))?
        .map_err(|error| not_opened(&error))
}

fn not_opened(error: &dyn std::fmt::Display) -> AppError {
    AppError::new(
        ErrorKind::Internal,
        words::failures::not_opened(),
        Retry::Manual,
    )
    .with_hint(words::failures::still_where_saved())
    .with_details(error.to_string())
}
