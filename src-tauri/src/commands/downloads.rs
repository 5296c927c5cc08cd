//! Saving files: the user chooses where in the system's dialog, the core saves.

use sendense_core::Downloads;
use sendense_core::download::{NewDownload, name_for};
use sendense_types::commands::{
    CancelDownload, DecideDownload, ForgetDownload, ListDownloads, OpenDownload, PauseDownload,
    Reply, RetryDownload, RetryFailedFiles, SaveFile, SaveFolder, SaveItem, SaveItems,
    ShowDownload,
};
use sendense_types::{DownloadKind, FolderFormat};
use sendense_words as words;
use tauri::{AppHandle, Runtime, State, command};

use crate::{Result, dialogs, opening, places};

#[command]
pub(crate) async fn save_file<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    request: SaveFile,
) -> Result<Reply<SaveFile>> {
    let kind = DownloadKind::File;
    let name = name_for(&request.name, kind);
    let Some(destination) = places::for_file(&app, words::frame::save_file(), &name).await? else {
        return Ok(None);
    };
    Ok(Some(downloads.add(NewDownload {
        mount_id: request.mount_id,
        path: request.path,
        kind,
        destination,
        size_bytes: None,
        modified_time: None,
    })))
}

#[command]
pub(crate) async fn save_folder<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    request: SaveFolder,
) -> Result<Reply<SaveFolder>> {
    let SaveFolder {
        mount_id,
        path,
        name,
        format,
    } = request;
    if format == FolderFormat::Files {
        // The system's dialogs save files, not folders.
        let Some(folder) = places::for_items(&app, 1).await? else {
            return Ok(None);
        };
        let item = SaveItem {
            path,
            name,
            is_folder: true,
            size_bytes: None,
            modified_ms: None,
        };
        let added = downloads.add_items(&mount_id, vec![item], format, &folder);
        return Ok(added.into_iter().next());
    }
    let kind = DownloadKind::Folder(format);
    let name = name_for(&name, kind);
    let Some(destination) = places::for_file(&app, words::frame::save_archive(), &name).await?
    else {
        return Ok(None);
    };
    Ok(Some(downloads.add(NewDownload {
        mount_id,
        path,
        kind,
        destination,
        size_bytes: None,
        modified_time: None,
    })))
}

#[command]
pub(crate) async fn save_items<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    request: SaveItems,
) -> Result<Reply<SaveItems>> {
    let SaveItems {
        mount_id,
        items,
        format,
    } = request;
    match places::for_items(&app, items.len()).await? {
        Some(folder) => Ok(downloads.add_items(&mount_id, items, format, &folder)),
        None => Ok(Vec::new()),
    }
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
pub(crate) fn decide_download(
    downloads: State<'_, Downloads>,
    request: DecideDownload,
) -> Result<Reply<DecideDownload>> {
    downloads.decide(request.download_id, request.decision, request.for_all)
}

#[command]
pub(crate) fn retry_failed_files(
    downloads: State<'_, Downloads>,
    request: RetryFailedFiles,
) -> Result<Reply<RetryFailedFiles>> {
    downloads.retry_failed(request.download_id)
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
    if opening::is_program(&file) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text = words::downloads::is_program(name);
        let (yes, no) = (words::common::open(), words::common::cancel());
        if !dialogs::confirm(&app, words::downloads::open_program(), &text, yes, no).await {
            return Ok(());
        }
    }
    opening::open(&app, file).await
}

#[command]
pub(crate) async fn show_download<R: Runtime>(
    app: AppHandle<R>,
    downloads: State<'_, Downloads>,
    request: ShowDownload,
) -> Result<Reply<ShowDownload>> {
    opening::reveal(&app, downloads.target(request.download_id)?).await
}
