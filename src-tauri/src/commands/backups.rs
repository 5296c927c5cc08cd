//! Backups: start, cancel, list, verify, pin, delete, and how many are kept.

use sendense_core::{Backups, HubSession};
use sendense_types::commands::{
    CancelBackup, CancelCopy, CancelVerification, CopyBackup, DeleteBackup, GetBackup, GetChain,
    GetIncrementalBases, GetRetention, ListBackups, ListRecentBackups, ListRunningBackups,
    PinBackup, PreviewRetention, Reply, RunRetention, SetRetention, StartBackup, VerifyBackup,
};
use tauri::{State, command};

use crate::Result;

/// Nobody looks through more of the past than this in one list; each VM has its own.
const RECENT: usize = 200;

#[command]
pub(crate) async fn start_backup(
    backups: State<'_, Backups>,
    request: StartBackup,
) -> Result<Reply<StartBackup>> {
    let StartBackup {
        vm,
        backup_type,
        repository_id,
        verify,
    } = request;
    backups
        .start(&vm, backup_type, &repository_id, verify)
        .await
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
pub(crate) async fn list_recent_backups(
    backups: State<'_, Backups>,
    request: ListRecentBackups,
) -> Result<Reply<ListRecentBackups>> {
    let ListRecentBackups {} = request;
    backups.recent(RECENT).await
}

#[command]
pub(crate) async fn list_backups(
    session: State<'_, HubSession>,
    request: ListBackups,
) -> Result<Reply<ListBackups>> {
    session
        .ask(async |hub| hub.history(&request.vm).await)
        .await
}

#[command]
pub(crate) async fn get_incremental_bases(
    session: State<'_, HubSession>,
    request: GetIncrementalBases,
) -> Result<Reply<GetIncrementalBases>> {
    session
        .ask(async |hub| hub.incremental_bases(&request.vm).await)
        .await
}

#[command]
pub(crate) async fn get_backup(
    session: State<'_, HubSession>,
    request: GetBackup,
) -> Result<Reply<GetBackup>> {
    session
        .ask(async |hub| hub.confirmed_backup(&request.backup_id).await)
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
    backups: State<'_, Backups>,
    request: VerifyBackup,
) -> Result<Reply<VerifyBackup>> {
    backups.verify(&request.backup_id).await
}

#[command]
pub(crate) async fn cancel_verification(
    session: State<'_, HubSession>,
    request: CancelVerification,
) -> Result<Reply<CancelVerification>> {
    session
        .ask(async |hub| hub.cancel_verification(&request.backup_id).await)
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

#[command]
pub(crate) async fn get_retention(
    session: State<'_, HubSession>,
    request: GetRetention,
) -> Result<Reply<GetRetention>> {
    session
        .ask(async |hub| hub.retention(&request.vm).await)
        .await
}

#[command]
pub(crate) async fn set_retention(
    session: State<'_, HubSession>,
    request: SetRetention,
) -> Result<Reply<SetRetention>> {
    session
        .ask(async |hub| hub.set_retention(&request.vm, request.policy).await)
        .await
}

#[command]
pub(crate) async fn preview_retention(
    session: State<'_, HubSession>,
    request: PreviewRetention,
) -> Result<Reply<PreviewRetention>> {
    session
        .ask(async |hub| hub.preview_retention(&request.vm, request.policy).await)
        .await
}

#[command]
pub(crate) async fn run_retention(
    session: State<'_, HubSession>,
    request: RunRetention,
) -> Result<Reply<RunRetention>> {
    session
        .ask(async |hub| hub.run_retention(&request.vm, false).await)
        .await
}

#[command]
pub(crate) async fn copy_backup(
    backups: State<'_, Backups>,
    request: CopyBackup,
) -> Result<Reply<CopyBackup>> {
    backups
        .copy(&request.backup_id, &request.repository_id)
        .await
}

#[command]
pub(crate) async fn cancel_copy(
    backups: State<'_, Backups>,
    request: CancelCopy,
) -> Result<Reply<CancelCopy>> {
    backups
        .cancel_copy(&request.backup_id, &request.repository_id)
        .await
}
