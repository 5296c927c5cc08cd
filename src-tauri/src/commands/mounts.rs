//! Open mounts and the files on them.

use sendense_core::{Downloads, HubSession, Mounts};
use sendense_types::commands::{
    BrowseFolder, CloseMount, GetMountSlots, KeepMountOpen, ListFiles, ListMounts, MeasureFolders,
    OpenBackupDisk, Remount, Reply,
};
use tauri::{State, command};

use crate::Result;

#[command]
pub(crate) async fn list_mounts(
    mounts: State<'_, Mounts>,
    request: ListMounts,
) -> Result<Reply<ListMounts>> {
    let ListMounts {} = request;
    mounts.list().await
}

#[command]
pub(crate) async fn get_mount_slots(
    session: State<'_, HubSession>,
    request: GetMountSlots,
) -> Result<Reply<GetMountSlots>> {
    let GetMountSlots {} = request;
    session.ask(async |hub| hub.mount_slots().await).await
}

#[command]
pub(crate) async fn open_mount(
    mounts: State<'_, Mounts>,
    request: OpenBackupDisk,
) -> Result<Reply<OpenBackupDisk>> {
    mounts.open(&request.backup_id, request.disk_index).await
}

#[command]
pub(crate) async fn keep_mount_open(
    mounts: State<'_, Mounts>,
    request: KeepMountOpen,
) -> Result<Reply<KeepMountOpen>> {
    mounts.keep_open(&request.mount_id).await
}

#[command]
pub(crate) async fn remount(mounts: State<'_, Mounts>, request: Remount) -> Result<Reply<Remount>> {
    mounts.remount(&request.mount_id).await
}

#[command]
pub(crate) async fn close_mount(
    mounts: State<'_, Mounts>,
    request: CloseMount,
) -> Result<Reply<CloseMount>> {
    mounts.close(&request.mount_id).await
}

#[command]
pub(crate) fn browse_folder(
    mounts: State<'_, Mounts>,
    request: BrowseFolder,
) -> Reply<BrowseFolder> {
    mounts.browse(&request.mount_id, request.path);
}

#[command]
pub(crate) async fn list_files(
    session: State<'_, HubSession>,
    request: ListFiles,
) -> Result<Reply<ListFiles>> {
    session
        .ask(async |hub| hub.list_files(&request.mount_id, &request.path).await)
        .await
}

#[command]
pub(crate) async fn measure_folders(
    downloads: State<'_, Downloads>,
    request: MeasureFolders,
) -> Result<Reply<MeasureFolders>> {
    downloads
        .measure_folders(&request.mount_id, &request.paths, request.format)
        .await
}
