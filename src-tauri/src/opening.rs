//! Files and folders opened by other programs of the system.

use std::path::{Path, PathBuf};

use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;
use tauri::{AppHandle, Runtime};
use tauri_plugin_opener::{Opener, OpenerExt};

use crate::Result;

/// Opens a file or folder with the program that the system has for it.
pub(crate) async fn open<R: Runtime>(app: &AppHandle<R>, path: PathBuf) -> Result<()> {
    by_system(app, move |opener| {
        opener.open_path(path.to_string_lossy(), None::<&str>)
    })
    .await
}

/// Endings of files that systems run when they are opened, or that tell them what to run.
const PROGRAMS: [&str; 34] = [
    "app", "appimage", "bat", "chm", "cmd", "com", "command", "cpl", "desktop", "exe", "hta",
    "inf", "jar", "js", "jse", "lnk", "msc", "msi", "msp", "pif", "pkg", "ps1", "psm1", "py",
    "reg", "run", "scf", "scr", "sh", "url", "vb", "vbe", "vbs", "wsf",
];

/// Whether to open a file may mean to run it.
pub(crate) fn is_program(file: &Path) -> bool {
    let ending = file.extension().unwrap_or_default().to_string_lossy();
    PROGRAMS.contains(&ending.to_lowercase().as_str()) || may_be_run(file)
}

#[cfg(unix)]
fn may_be_run(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let known = file.metadata();
    known.is_ok_and(|known| known.is_file() && known.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn may_be_run(_file: &Path) -> bool {
    false
}

/// Shows a file in its folder.
pub(crate) async fn reveal<R: Runtime>(app: &AppHandle<R>, file: PathBuf) -> Result<()> {
    by_system(app, move |opener| opener.reveal_item_in_dir(file)).await
}

/// Waits for the other program to start, which may take its time.
async fn by_system<R: Runtime>(
    app: &AppHandle<R>,
    open: impl FnOnce(&Opener<R>) -> Result<(), tauri_plugin_opener::Error> + Send + 'static,
) -> Result<()> {
    let app = app.clone();
    tauri::async_runtime::spawn_blocking(move || open(app.opener()))
        .await
        .map_err(|died| not_opened(&died))?
        .map_err(|error| not_opened(&error))
}

fn not_opened(error: &dyn std::fmt::Display) -> AppError {
    AppError::new(
        ErrorKind::Internal,
        words::failures::not_opened(),
        Retry::Manual,
    )
    .with_hint(words::failures::still_where_saved())
    .with_details(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_open_a_program_is_asked_about() {
        let is_program = |name: &str| is_program(Path::new(name));
        assert!(is_program("a/Setup.EXE") && is_program("run.sh") && is_program("link.lnk"));
        assert!(!is_program("notes.txt") && !is_program("sh") && !is_program("a.exe.zip"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_may_be_run_is_a_program_whatever_it_is_called() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.txt");
        std::fs::write(&file, "").unwrap();
        assert!(!is_program(&file));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(is_program(&file));
    }
}
