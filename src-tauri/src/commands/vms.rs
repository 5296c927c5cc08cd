//! VMs: the list, what is known about each, and finding new ones.

use sendense_core::{Backups, HubSession};
use sendense_types::commands::{
    AddSampleVm, AddVms, CancelDiscovery, ChooseFolderOfImages, DiscoverVms, GetVm, GetVmSummary,
    ListVcenterCredentials, ListVmDisks, ListVmProtection, ListVms, Reply,
};
use sendense_words as words;
use tauri::{AppHandle, Runtime, State, command};

use crate::{Result, dialogs, sample};

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
    let folder = dialogs::choose_folder(&app, words::frame::choose_images(), None).await?;
    Ok(folder.map(|folder| folder.to_string_lossy().into_owned()))
}

#[command]
pub(crate) async fn discover_vms(
    session: State<'_, HubSession>,
    request: DiscoverVms,
) -> Result<Reply<DiscoverVms>> {
    session.discover_vms(&request.source).await
}

#[command]
pub(crate) async fn cancel_discovery(
    session: State<'_, HubSession>,
    request: CancelDiscovery,
) -> Result<Reply<CancelDiscovery>> {
    let CancelDiscovery {} = request;
    session.cancel_discovery();
    Ok(())
}

#[command]
pub(crate) async fn list_vcenter_credentials(
    session: State<'_, HubSession>,
    request: ListVcenterCredentials,
) -> Result<Reply<ListVcenterCredentials>> {
    let ListVcenterCredentials {} = request;
    session
        .ask(async |hub| hub.vcenter_credentials().await)
        .await
}

#[command]
pub(crate) async fn add_vms(
    session: State<'_, HubSession>,
    request: AddVms,
) -> Result<Reply<AddVms>> {
    session
        .ask(async |hub| hub.add_vms(&request.source, &request.names).await)
        .await
}

#[command]
pub(crate) async fn add_sample_vm<R: Runtime>(
    app: AppHandle<R>,
    session: State<'_, HubSession>,
    request: AddSampleVm,
) -> Result<Reply<AddSampleVm>> {
    let AddSampleVm {} = request;
    sample::add(&app, &session).await
}
