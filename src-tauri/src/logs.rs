//! The log folder, and how lines are written to it.

use std::path::PathBuf;

use tauri::Runtime;
use tauri::plugin::TauriPlugin;
use tauri_plugin_log::log::LevelFilter;
use tauri_plugin_log::{Builder, RotationStrategy, Target, TargetKind};

/// A file of the folder; a bad day fits into one.
const LARGEST_FILE_BYTES: u128 = 1 << 20;
/// Files that are kept beside the one that is written.
const OLDER_FILES: usize = 4;

/// Where log files are, as it was at the start.
pub(crate) struct LogFolder(pub(crate) PathBuf);

/// Writes what our crates log to files in this place, oldest line first, and to the terminal.
pub fn log_to<R: Runtime>(place: TargetKind) -> TauriPlugin<R> {
    Builder::new()
        .clear_targets()
        .targets([Target::new(TargetKind::Stdout), Target::new(place)])
        .max_file_size(LARGEST_FILE_BYTES)
        .rotation_strategy(RotationStrategy::KeepSome(OLDER_FILES))
        .level(LevelFilter::Warn)
        // What it says is in the failure of the request, which is logged.
        .level_for("rustls_platform_verifier", LevelFilter::Off)
        .level_for("sendense_desktop", LevelFilter::Info)
        .level_for("sendense_core", LevelFilter::Info)
        .level_for("sendense_hub", LevelFilter::Info)
        .build()
}
