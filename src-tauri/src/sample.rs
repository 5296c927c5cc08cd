//! The sample VM: unpacked beside the data of this computer's hub, and added there.

use std::path::PathBuf;

use sendense_core::HubSession;
use sendense_fixtures::{SAMPLE_VM, unpack_sample_from};
use sendense_types::{AddedVms, AppError, ErrorKind, Retry, SavedHub, VmSource};
use sendense_words as words;
use tauri::path::BaseDirectory;
use tauri::{AppHandle, Manager, Runtime};

use crate::Result;
use crate::local_hub::OwnHub;

/// Adds the sample VM to the hub of this computer; another one cannot read it.
pub(crate) async fn add<R: Runtime>(app: &AppHandle<R>, session: &HubSession) -> Result<AddedVms> {
    let state = session.state();
    if !state.current_hub().is_some_and(SavedHub::is_this_computer) {
        return Err(AppError::new(
            ErrorKind::Unsupported,
            words::failures::sample_elsewhere(),
            Retry::Never,
        )
        .with_hint(words::failures::switch_to(words::common::this_computer())));
    }
    let folder = unpack(app.clone()).await?;
    let source = VmSource::Folder {
        folder: folder.to_string_lossy().into_owned(),
    };
    let names = [SAMPLE_VM.to_owned()];
    session
        .ask(async |hub| hub.add_vms(&source, &names).await)
        .await
}

/// Unpacks it and says where. Half a gigabyte keeps a thread busy for a second or two.
async fn unpack<R: Runtime>(app: AppHandle<R>) -> Result<PathBuf> {
    tauri::async_runtime::spawn_blocking(move || {
        let packed = packed(&app)?;
        let samples = app
            .state::<OwnHub>()
            .data_folder()
            .with_file_name("samples");
        let images = unpack_sample_from(&packed, &samples).map_err(|error| not_unpacked(&error))?;
        Ok(images.parent().unwrap_or(&images).to_path_buf())
    })
    .await
    .map_err(|died| not_unpacked(&died))?
}

/// Where the packed sample lies: beside a program that was built here, else where it was installed.
fn packed<R: Runtime>(app: &AppHandle<R>) -> Result<PathBuf> {
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
        words::failures::sample_not_unpacked(),
        Retry::Manual,
    )
    .with_hint(words::failures::sample_size())
    .with_details(format!("{error:#}"))
}
