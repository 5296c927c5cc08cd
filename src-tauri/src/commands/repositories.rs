//! Repositories: where backups are kept. Their folders on this computer come from the system's dialog, never from the
//! window.

use std::sync::{Mutex, PoisonError};

use sendense_core::HubSession;
use sendense_types::commands::{
    AddRemoteRepository, AddRepository, ChooseRepositoryFolder, DeleteRepository, FindBackups,
    ListRepositories, Reply, TestNewRepository, TestRepository,
};
use sendense_types::{AppError, ChosenFolder, ErrorKind, RepositoryPlace, Retry};
use sendense_words as words;
use tauri::{AppHandle, Runtime, State, command};

use crate::{Result, dialogs};

/// The folder that was chosen last for a repository which is not there yet.
#[derive(Default)]
pub(crate) struct FolderToUse(Mutex<Option<String>>);

impl FolderToUse {
    fn keep(&self, folder: Option<String>) -> Option<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *kept, folder)
    }
}

/// Something is to go to a folder of this computer before the user has chosen one in the system's dialog.
pub(super) fn no_folder_chosen() -> AppError {
    AppError::new(
        ErrorKind::Invalid,
        words::failures::no_folder_chosen(),
        Retry::Never,
    )
    .with_hint(words::failures::choose_first())
}

#[command]
pub(crate) async fn list_repositories(
    session: State<'_, HubSession>,
    request: ListRepositories,
) -> Result<Reply<ListRepositories>> {
    let ListRepositories {} = request;
    session.ask(async |hub| hub.repositories().await).await
}

#[command]
pub(crate) async fn choose_repository_folder<R: Runtime>(
    app: AppHandle<R>,
    session: State<'_, HubSession>,
    chosen: State<'_, FolderToUse>,
    request: ChooseRepositoryFolder,
) -> Result<Reply<ChooseRepositoryFolder>> {
    let ChooseRepositoryFolder {} = request;
    let title = words::frame::choose_repository();
    let Some(folder) = dialogs::choose_folder(&app, title, None).await? else {
        return Ok(None);
    };
    let path = folder.to_string_lossy().into_owned();
    let place = RepositoryPlace::folder(path.clone());
    let test = session
        .ask(async |hub| hub.test_repository(&place).await)
        .await?;
    drop(chosen.keep(Some(path.clone())));
    Ok(Some(ChosenFolder { path, test }))
}

#[command]
pub(crate) async fn add_repository(
    session: State<'_, HubSession>,
    chosen: State<'_, FolderToUse>,
    request: AddRepository,
) -> Result<Reply<AddRepository>> {
    let folder = chosen.keep(None).ok_or_else(no_folder_chosen)?;
    let place = RepositoryPlace::folder(folder.clone());
    let added = session
        .ask(async |hub| hub.create_repository(&request.name, &place).await)
        .await;
    if added.is_err() {
        // Another name may do.
        drop(chosen.keep(Some(folder)));
    }
    added
}

#[command]
pub(crate) async fn test_repository(
    session: State<'_, HubSession>,
    request: TestRepository,
) -> Result<Reply<TestRepository>> {
    session
        .ask(async |hub| hub.test_known_repository(&request.repository_id).await)
        .await
}

#[command]
pub(crate) async fn test_new_repository(
    session: State<'_, HubSession>,
    request: TestNewRepository,
) -> Result<Reply<TestNewRepository>> {
    session
        .ask_elsewhere(async |hub| hub.test_repository(&request.place).await)
        .await
}

#[command]
pub(crate) async fn add_remote_repository(
    session: State<'_, HubSession>,
    request: AddRemoteRepository,
) -> Result<Reply<AddRemoteRepository>> {
    let AddRemoteRepository { name, place } = request;
    session
        .ask_elsewhere(async |hub| hub.create_repository(name.trim(), &place).await)
        .await
}

#[command]
pub(crate) async fn delete_repository(
    session: State<'_, HubSession>,
    request: DeleteRepository,
) -> Result<Reply<DeleteRepository>> {
    session
        .ask(async |hub| hub.delete_repository(&request.repository_id).await)
        .await
}

#[command]
pub(crate) async fn find_backups<R: Runtime>(
    app: AppHandle<R>,
    session: State<'_, HubSession>,
    request: FindBackups,
) -> Result<Reply<FindBackups>> {
    let FindBackups {} = request;
    let title = words::frame::choose_backups();
    let Some(folder) = dialogs::choose_folder(&app, title, None).await? else {
        return Ok(None);
    };
    let path = folder.to_string_lossy().into_owned();
    session
        .ask(async |hub| hub.rescan_repository(&path).await)
        .await
        .map(Some)
}
