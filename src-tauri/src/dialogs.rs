//! The system's own dialogs. What is chosen there stays on this side: the window never names a path
//! that is written to.

use std::path::{Path, PathBuf};

use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;
use tauri::{AppHandle, Manager, Runtime};
use tauri_plugin_dialog::{
    DialogExt, FileDialogBuilder, FilePath, MessageDialogButtons, MessageDialogKind,
};
use tokio::sync::oneshot;

use crate::{Result, window};

/// Asks where to save a file; `None` when the user cancels.
pub(crate) async fn choose_file<R: Runtime>(
    app: &AppHandle<R>,
    title: &str,
    name: &str,
    folder: Option<&Path>,
) -> Result<Option<PathBuf>> {
    let (chosen, choice) = oneshot::channel();
    file_dialog(app, title, folder)
        .set_file_name(name)
        .save_file(|path| answer(chosen, path));
    local(choice.await.ok().flatten())
}

/// Asks for a file to read; `None` when the user cancels.
pub(crate) async fn choose_file_to_read<R: Runtime>(
    app: &AppHandle<R>,
    title: &str,
) -> Result<Option<PathBuf>> {
    let (chosen, choice) = oneshot::channel();
    file_dialog(app, title, None).pick_file(|path| answer(chosen, path));
    local(choice.await.ok().flatten())
}

/// Asks for a folder; `None` when the user cancels.
pub(crate) async fn choose_folder<R: Runtime>(
    app: &AppHandle<R>,
    title: &str,
    folder: Option<&Path>,
) -> Result<Option<PathBuf>> {
    let (chosen, choice) = oneshot::channel();
    file_dialog(app, title, folder).pick_folder(|path| answer(chosen, path));
    local(choice.await.ok().flatten())
}

/// Asks whether to continue. `yes` is the button that does.
pub(crate) async fn confirm<R: Runtime>(
    app: &AppHandle<R>,
    title: &str,
    text: &str,
    yes: &str,
    no: &str,
) -> bool {
    let (chosen, choice) = oneshot::channel();
    let mut dialog = app
        .dialog()
        .message(text)
        .title(title)
        .kind(MessageDialogKind::Warning)
        .buttons(MessageDialogButtons::OkCancelCustom(
            yes.to_owned(),
            no.to_owned(),
        ));
    if let Some(window) = app
        .get_webview_window(window::LABEL)
        .filter(|window| window.is_visible().unwrap_or(false))
    {
        dialog = dialog.parent(&window);
    }
    dialog.show(|yes| {
        if chosen.send(yes).is_err() {
            tracing::debug!("an answer came after the app had ended");
        }
    });
    choice.await.unwrap_or(false)
}

fn file_dialog<R: Runtime>(
    app: &AppHandle<R>,
    title: &str,
    folder: Option<&Path>,
) -> FileDialogBuilder<R> {
    let mut dialog = app.dialog().file().set_title(title);
    if let Some(window) = app.get_webview_window(window::LABEL) {
        dialog = dialog.set_parent(&window);
    }
    match folder {
        Some(folder) => dialog.set_directory(folder),
        None => dialog,
    }
}

fn answer(chosen: oneshot::Sender<Option<FilePath>>, path: Option<FilePath>) {
    // Nobody waits any more when the app has ended meanwhile.
    drop(chosen.send(path));
}

fn local(chosen: Option<FilePath>) -> Result<Option<PathBuf>> {
    chosen
        .map(FilePath::into_path)
        .transpose()
        .map_err(|error| {
            AppError::new(
                ErrorKind::Invalid,
                words::failures::not_a_local_folder(),
                Retry::Manual,
            )
            .with_hint(words::failures::choose_another())
            .with_details(error.to_string())
        })
}
