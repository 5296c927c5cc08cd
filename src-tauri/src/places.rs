//! Where files go: into the folder of the settings, else where the user says in the system's dialog.

use std::path::{Path, PathBuf};

use sendense_core::download::{Destination, Existing, free_name};
use sendense_words as words;
use tauri::{AppHandle, Manager, Runtime};

use crate::preferences::Preferences;
use crate::{Result, dialogs};

/// A place for one file; `None` when the user cancels.
pub(crate) async fn for_file<R: Runtime>(
    app: &AppHandle<R>,
    title: &str,
    name: &str,
) -> Result<Option<Destination>> {
    let preferences = app.state::<Preferences>();
    if let Some(folder) = preferences.settings().download_folder {
        return Ok(Some(Destination {
            path: free_name(&PathBuf::from(folder).join(name), &[]),
            existing: Existing::Keep,
        }));
    }
    let last = preferences.last_folder();
    let chosen = dialogs::choose_file(app, title, name, last.as_deref()).await?;
    if let Some(folder) = chosen.as_deref().and_then(Path::parent) {
        preferences.remember_folder(folder);
    }
    // The dialog has asked before it gives a name that is taken.
    Ok(chosen.map(|path| Destination {
        path,
        existing: Existing::Replace,
    }))
}

/// A folder for so many files and folders; `None` when the user cancels.
pub(crate) async fn for_items<R: Runtime>(
    app: &AppHandle<R>,
    n_items: usize,
) -> Result<Option<PathBuf>> {
    let preferences = app.state::<Preferences>();
    let folder = match preferences.settings().download_folder {
        Some(folder) => Some(PathBuf::from(folder)),
        None => {
            let title = words::frame::save_items(n_items as u64);
            let last = preferences.last_folder();
            dialogs::choose_folder(app, &title, last.as_deref()).await?
        }
    };
    if let Some(folder) = &folder {
        preferences.remember_folder(folder);
    }
    Ok(folder)
}
