//! Full restores: the user chooses a folder of this computer in the system's dialog, the hub writes.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use sendense_core::{FolderFrom, FullRestores, HubSession};
use sendense_types::commands::{
    CancelFullRestore, ChooseRestoreFolder, ListFullRestores, PlanFullRestore, Reply,
    ShowFullRestore, StartFullRestore,
};
use sendense_types::{AppError, ErrorKind, FullRestoreOrder, HubId, Retry};
use sendense_words as words;
use tauri::{AppHandle, Manager, Runtime, State, command};

use super::repositories::no_folder_chosen;
use crate::preferences::Preferences;
use crate::{Result, dialogs, opening};

/// The folder of this computer that was chosen last.
#[derive(Default)]
pub(crate) struct FolderToRestoreTo(Mutex<Option<String>>);

impl FolderToRestoreTo {
    /// What is asked for, with the folder that was chosen if the hub is the one of this computer: the window names none.
    fn put_into(
        &self,
        session: &HubSession,
        order: FullRestoreOrder,
    ) -> Result<(FullRestoreOrder, FolderFrom)> {
        if session.state().current != HubId::this_computer() {
            return Ok((order, FolderFrom::Window));
        }
        let chosen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = chosen.clone().ok_or_else(no_folder_chosen)?;
        Ok((FullRestoreOrder { folder, ..order }, FolderFrom::Dialog))
    }
}

#[command]
pub(crate) async fn list_full_restores(
    restores: State<'_, FullRestores>,
    request: ListFullRestores,
) -> Result<Reply<ListFullRestores>> {
    let ListFullRestores {} = request;
    restores.list().await
}

#[command]
pub(crate) async fn choose_restore_folder<R: Runtime>(
    app: AppHandle<R>,
    folder: State<'_, FolderToRestoreTo>,
    request: ChooseRestoreFolder,
) -> Result<Reply<ChooseRestoreFolder>> {
    let ChooseRestoreFolder {} = request;
    let last = app.state::<Preferences>().last_folder();
    let title = words::frame::choose_restore_folder();
    let Some(chosen) = dialogs::choose_folder(&app, title, last.as_deref()).await? else {
        return Ok(None);
    };
    app.state::<Preferences>().remember_folder(&chosen);
    let path = chosen.to_string_lossy().into_owned();
    *folder.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.clone());
    Ok(Some(path))
}

#[command]
pub(crate) async fn plan_full_restore(
    session: State<'_, HubSession>,
    restores: State<'_, FullRestores>,
    folder: State<'_, FolderToRestoreTo>,
    request: PlanFullRestore,
) -> Result<Reply<PlanFullRestore>> {
    let (order, from) = folder.put_into(&session, request.order)?;
    restores.plan(&order, from).await
}

#[command]
pub(crate) async fn start_full_restore(
    session: State<'_, HubSession>,
    restores: State<'_, FullRestores>,
    folder: State<'_, FolderToRestoreTo>,
    request: StartFullRestore,
) -> Result<Reply<StartFullRestore>> {
    let (order, from) = folder.put_into(&session, request.order)?;
    restores.start(&order, from).await
}

#[command]
pub(crate) async fn cancel_full_restore(
    restores: State<'_, FullRestores>,
    request: CancelFullRestore,
) -> Result<Reply<CancelFullRestore>> {
    restores.cancel(&request.restore_id).await
}

#[command]
pub(crate) async fn show_full_restore<R: Runtime>(
    app: AppHandle<R>,
    session: State<'_, HubSession>,
    restores: State<'_, FullRestores>,
    request: ShowFullRestore,
) -> Result<Reply<ShowFullRestore>> {
    let restore = restores.find(&request.restore_id).await?;
    let is_here = session.state().current == HubId::this_computer();
    let file = restore.files.first().map(PathBuf::from);
    match file.filter(|file| is_here && file.exists()) {
        Some(file) => opening::reveal(&app, file).await,
        None => Err(AppError::new(
            ErrorKind::NotFound,
            words::failures::file_gone(),
            Retry::Never,
        )
        .with_hint(words::failures::file_gone_why())),
    }
}
