//! Saving files: the user chooses where in the system's dialog, the core saves.

use sendense_core::download::NewDownload;
use sendense_core::{Downloads, Platform, local_name};
use sendense_types::DownloadKind;
use sendense_types::commands::{
    CancelDownload, ForgetDownload, ListDownloads, OpenDownload, PauseDownload, Reply,
    RetryDownload, SaveFile, SaveFiles, SaveFolderAsZip, ShowDownload,
};
use sendense_words as words;
use tauri::{AppHandle, Runtime, State, command};

use crate::{Result, opening, places};

#[command]
pub(crate) async fn save_file<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    request: SaveFile,
) -> Result<Reply<SaveFile>> {
    let name = local_name(&request.name, Platform::current());
    let Some(destination) = places::for_file(&app, words::frame::save_file(), &name).await? else {
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
    request: SaveFiles,
) -> Result<Reply<SaveFiles>> {
    let SaveFiles { mount_id, files } = request;
    match places::for_files(&app, files.len()).await? {
        Some(folder) => Ok(downloads.add_files(&mount_id, files, &folder)),
        None => Ok(Vec::new()),
    }
}

#[command]
pub(crate) async fn save_folder_as_zip<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    request: SaveFolderAsZip,
) -> Result<Reply<SaveFolderAsZip>> {
    let name = format!("{}.zip", local_name(&request.name, Platform::current()));
    let Some(destination) = places::for_file(&app, words::frame::save_zip(), &name).await? else {
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
pub(crate) fn pause_download(
    downloads: State<'_, Downloads>,
    request: PauseDownload,
) -> Result<Reply<PauseDownload>> {
    downloads.pause(request.download_id)
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
    opening::open(&app, downloads.target(request.download_id)?).await
}

#[command]
pub(crate) async fn show_download<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    request: ShowDownload,
) -> Result<Reply<ShowDownload>> {
    opening::reveal(&app, downloads.target(request.download_id)?).await
}
