//! Saving files: the user chooses where in the system's dialog, the core saves.

use std::path::PathBuf;

use sendense_core::download::{Destination, Existing, NewDownload, free_name};
use sendense_core::{Downloads, Platform, local_name};
use sendense_types::commands::{
    CancelDownload, ForgetDownload, ListDownloads, OpenDownload, Reply, RetryDownload, SaveFile,
    SaveFiles, SaveFolderAsZip, ShowDownload,
};
use sendense_types::{AppError, DownloadKind, ErrorKind, Retry};
use tauri::{AppHandle, Manager, Runtime, State, command};
use tauri_plugin_opener::OpenerExt;

use crate::preferences::Preferences;
use crate::{Result, dialogs};

#[command]
pub(crate) async fn save_file<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    request: SaveFile,
) -> Result<Reply<SaveFile>> {
    let name = local_name(&request.name, Platform::current());
    let Some(destination) = place_for(&app, "Save file", &name).await? else {
        return Ok(None);
    };
    Ok(Some(downloads.add(NewDownload {
        mount_id: request.mount_id,
        path: request.path,
        kind: DownloadKind::File,
        destination,
    })))
}

#[command]
pub(crate) async fn save_files<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    preferences: State<'_, Preferences<R>>,
    request: SaveFiles,
) -> Result<Reply<SaveFiles>> {
    let folder = match preferences.settings().download_folder {
        Some(folder) => PathBuf::from(folder),
        None => {
            let last = preferences.last_folder();
            let title = format!("Save {} files to a folder", request.files.len());
            match dialogs::choose_folder(&app, &title, last.as_deref()).await? {
                Some(folder) => folder,
                None => return Ok(Vec::new()),
            }
        }
    };
    preferences.remember_folder(&folder);
    let mut added = Vec::new();
    let mut taken = Vec::new();
    for (path, name) in request.files {
        let name = local_name(&name, Platform::current());
        // Two names of the backup may be one on this system; neither replaces the other.
        let place = free_name(&folder.join(name), &taken);
        taken.push(place.clone());
        added.push(downloads.add(NewDownload {
            mount_id: request.mount_id.clone(),
            path,
            kind: DownloadKind::File,
            destination: Destination {
                path: place,
                existing: Existing::Keep,
            },
        }));
    }
    Ok(added)
}

#[command]
pub(crate) async fn save_folder_as_zip<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    request: SaveFolderAsZip,
) -> Result<Reply<SaveFolderAsZip>> {
    let name = format!("{}.zip", local_name(&request.name, Platform::current()));
    let Some(destination) = place_for(&app, "Save folder as ZIP", &name).await? else {
        return Ok(None);
    };
    Ok(Some(downloads.add(NewDownload {
        mount_id: request.mount_id,
        path: request.path,
        kind: DownloadKind::Zip,
        destination,
    })))
}

#[command]
pub(crate) fn list_downloads(
    downloads: State<'_, Downloads>,
    request: ListDownloads,
) -> Reply<ListDownloads> {
    let ListDownloads {} = request;
    downloads.list()
}

#[command]
pub(crate) fn cancel_download(
    downloads: State<'_, Downloads>,
    request: CancelDownload,
) -> Result<Reply<CancelDownload>> {
    downloads.cancel(request.download_id)
}

#[command]
pub(crate) fn retry_download(
    downloads: State<'_, Downloads>,
    request: RetryDownload,
) -> Result<Reply<RetryDownload>> {
    downloads.retry(request.download_id)
}

#[command]
pub(crate) fn forget_download(
    downloads: State<'_, Downloads>,
    request: ForgetDownload,
) -> Result<Reply<ForgetDownload>> {
    downloads.forget(request.download_id)
}

#[command]
pub(crate) async fn open_download<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    request: OpenDownload,
) -> Result<Reply<OpenDownload>> {
    let file = downloads.target(request.download_id)?;
    // Waits for the other program to start.
    tauri::async_runtime::spawn_blocking(move || {
        app.opener()
            .open_path(file.to_string_lossy(), None::<&str>)
            .map_err(|error| not_shown(&error))
    })
    .await
    .map_err(|error| not_shown(&error))?
}

#[command]
pub(crate) async fn show_download<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    request: ShowDownload,
) -> Result<Reply<ShowDownload>> {
    let file = downloads.target(request.download_id)?;
    // Waits for the other program to start.
    tauri::async_runtime::spawn_blocking(move || {
        app.opener()
            .reveal_item_in_dir(file)
            .map_err(|error| not_shown(&error))
    })
    .await
    .map_err(|error| not_shown(&error))?
}

/// Where one file goes: into the folder of the settings under a free name, else where the user says.
async fn place_for<R: Runtime>(
    app: &AppHandle<R>,
    title: &str,
    name: &str,
) -> Result<Option<Destination>> {
    let preferences = app.state::<Preferences<R>>();
    if let Some(folder) = preferences.settings().download_folder {
        return Ok(Some(Destination {
            path: free_name(&PathBuf::from(folder).join(name), &[]),
            existing: Existing::Keep,
        }));
    }
    let last = preferences.last_folder();
    let chosen = dialogs::choose_file(app, title, name, last.as_deref()).await?;
    if let Some(folder) = chosen.as_deref().and_then(std::path::Path::parent) {
        preferences.remember_folder(folder);
    }
    // The dialog has asked before it gives a name that is taken.
    Ok(chosen.map(|path| Destination {
        path,
        existing: Existing::Replace,
    }))
}

pub(super) fn not_shown(error: &dyn std::fmt::Display) -> AppError {
    AppError::new(
        ErrorKind::Internal,
        "The system could not open it.",
        Retry::Manual,
    )
    .with_hint("It is still where it was saved.")
    .with_details(error.to_string())
}
