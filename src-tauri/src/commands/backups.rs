//! Backups: start, cancel, list, verify, pin, delete.

use sendense_core::{Backups, HubSession};
use sendense_types::commands::{
    CancelBackup, DeleteBackup, GetBackup, GetChain, ListBackups, ListRepositories,
    ListRunningBackups, PinBackup, Reply, StartBackup, VerifyBackup,
};
use tauri::{State, command};

use crate::Result;

#[command]
pub(crate) async fn list_repositories(
    session: State<'_, HubSession>,
    request: ListRepositories,
) -> Result<Reply<ListRepositories>> {
    let ListRepositories {} = request;
    session.ask(async |hub| hub.repositories().await).await
}

#[command]
pub(crate) async fn start_backup(
    backups: State<'_, Backups>,
    request: StartBackup,
) -> Result<Reply<StartBackup>> {
    let StartBackup {
        vm,
        backup_type,
        repository_id,
    } = request;
    backups.start(&vm, backup_type, &repository_id).await
}

#[command]
pub(crate) async fn cancel_backup(
    backups: State<'_, Backups>,
    request: CancelBackup,
) -> Result<Reply<CancelBackup>> {
    backups.cancel(&request.backup_id).await
}

#[command]
pub(crate) fn list_running_backups(
    backups: State<'_, Backups>,
    request: ListRunningBackups,
) -> Reply<ListRunningBackups> {
    let ListRunningBackups {} = request;
    backups.running()
}

#[command]
pub(crate) async fn list_backups(
    session: State<'_, HubSession>,
    request: ListBackups,
) -> Result<Reply<ListBackups>> {
    session
        .ask(async |hub| hub.backups(&request.vm).await)
        .await
}

#[command]
pub(crate) async fn get_backup(
    session: State<'_, HubSession>,
    request: GetBackup,
) -> Result<Reply<GetBackup>> {
    session
        .ask(async |hub| hub.backup(&request.backup_id).await)
        .await
}

#[command]
pub(crate) async fn get_chain(
    session: State<'_, HubSession>,
    request: GetChain,
) -> Result<Reply<GetChain>> {
    session
        .ask(async |hub| hub.chain(&request.vm, &request.repository_id).await)
        .await
}

#[command]
pub(crate) async fn verify_backup(
    session: State<'_, HubSession>,
    request: VerifyBackup,
) -> Result<Reply<VerifyBackup>> {
    session
        .ask(async |hub| hub.verify_backup(&request.backup_id, &mut |_| ()).await)
        .await
}

#[command]
pub(crate) async fn pin_backup(
    session: State<'_, HubSession>,
    request: PinBackup,
) -> Result<Reply<PinBackup>> {
    session
        .ask(async |hub| hub.pin_backup(&request.backup_id, request.is_pinned).await)
        .await
}

#[command]
pub(crate) async fn delete_backup(
    session: State<'_, HubSession>,
    request: DeleteBackup,
) -> Result<Reply<DeleteBackup>> {
    let DeleteBackup {
        backup_id,
        with_dependents,
    } = request;
    session
        .ask(async |hub| hub.delete_backup(&backup_id, with_dependents).await)
        .await
}
