//! Virtual machines: the list, what is known of each, and finding new ones.

use std::path::{Path, PathBuf};

use sendense_core::{Backups, HubSession};
use sendense_fixtures::{SAMPLE_VM, unpack_sample_from};
use sendense_types::commands::{
    AddSampleVm, AddVms, ChooseFolderOfImages, DiscoverVms, GetVm, GetVmSummary, ListVmDisks,
    ListVmProtection, ListVms, Reply,
};
use sendense_types::{AppError, ErrorKind, Retry, SavedHub};
use tauri::path::BaseDirectory;
use tauri::{AppHandle, Manager, Runtime, State, command};

use crate::local_hub::OwnHub;
use crate::{Result, dialogs};

#[command]
pub(crate) async fn list_vms(
    session: State<'_, HubSession>,
    request: ListVms,
) -> Result<Reply<ListVms>> {
    let ListVms {} = request;
    session.ask(async |hub| hub.vms().await).await
}

#[command]
pub(crate) async fn list_vm_protection(
    backups: State<'_, Backups>,
    request: ListVmProtection,
) -> Result<Reply<ListVmProtection>> {
    let ListVmProtection {} = request;
    backups.protection().await
}

#[command]
pub(crate) async fn get_vm(session: State<'_, HubSession>, request: GetVm) -> Result<Reply<GetVm>> {
    session
        .ask(async |hub| hub.find_vm(request.vm_id.as_str()).await)
        .await
}

#[command]
pub(crate) async fn get_vm_summary(
    backups: State<'_, Backups>,
    request: GetVmSummary,
) -> Result<Reply<GetVmSummary>> {
    backups.summary(&request.vm).await
}

#[command]
pub(crate) async fn list_vm_disks(
    session: State<'_, HubSession>,
    request: ListVmDisks,
) -> Result<Reply<ListVmDisks>> {
    session
        .ask(async |hub| hub.vm_disks(&request.vm).await)
        .await
}

#[command]
pub(crate) async fn choose_folder_of_images<R: Runtime>(
    app: AppHandle<R>,
    request: ChooseFolderOfImages,
) -> Result<Reply<ChooseFolderOfImages>> {
    let ChooseFolderOfImages {} = request;
    let folder = dialogs::choose_folder(&app, "Choose a folder of disk images", None).await?;
    Ok(folder.map(|folder| folder.to_string_lossy().into_owned()))
}

#[command]
pub(crate) async fn discover_vms(
    session: State<'_, HubSession>,
    request: DiscoverVms,
) -> Result<Reply<DiscoverVms>> {
    session
        .ask(async |hub| hub.discover_vms(Path::new(&request.folder)).await)
        .await
}

#[command]
pub(crate) async fn add_vms(
    session: State<'_, HubSession>,
    request: AddVms,
) -> Result<Reply<AddVms>> {
    session
        .ask(async |hub| {
            hub.add_vms(Path::new(&request.folder), &request.names)
                .await
        })
        .await
}

#[command]
pub(crate) async fn add_sample_vm<R: Runtime>(
    app: AppHandle<R>,
    session: State<'_, HubSession>,
    request: AddSampleVm,
) -> Result<Reply<AddSampleVm>> {
    let AddSampleVm {} = request;
    if !session
        .state()
        .current_hub()
        .is_some_and(SavedHub::is_this_computer)
    {
        return Err(AppError::new(
            ErrorKind::Unsupported,
            "The sample VM lies on this computer, where another hub cannot read it.",
            Retry::Never,
        )
        .with_hint("Switch to the hub \"This computer\"."));
    }
    // Unpacking half a gigabyte keeps a thread busy for a second or two.
    let folder = tauri::async_runtime::spawn_blocking(move || {
        let sample = sample_folder(&app)?;
        let samples = app
            .state::<OwnHub>()
            .data_folder()
            .with_file_name("samples");
        let images = unpack_sample_from(&sample, &samples).map_err(|error| not_unpacked(&error))?;
        Ok::<_, AppError>(images.parent().unwrap_or(&images).to_path_buf())
    })
    .await
    .map_err(|error| not_unpacked(&error))??;
    let names = [SAMPLE_VM.to_owned()];
    session
        .ask(async |hub| hub.add_vms(&folder, &names).await)
        .await
}

/// Where the packed sample lies: beside a program that was built here, else where it was installed.
fn sample_folder<R: Runtime>(app: &AppHandle<R>) -> Result<PathBuf> {
    let program = std::env::current_exe().map_err(|error| not_unpacked(&error))?;
    let beside = program.with_file_name("sample").join(SAMPLE_VM);
    if beside.is_dir() {
        return Ok(beside);
    }
    app.path()
        .resolve(format!("sample/{SAMPLE_VM}"), BaseDirectory::Resource)
        .map_err(|error| not_unpacked(&error))
}

fn not_unpacked(error: &dyn std::fmt::Display) -> AppError {
    AppError::new(
        ErrorKind::Internal,
        "The sample VM could not be unpacked.",
        Retry::Manual,
    )
    .with_hint("It needs about 600 MiB on this user's disk.")
    .with_details(format!("{error:#}"))
}
