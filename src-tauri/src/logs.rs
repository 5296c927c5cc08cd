//! The log folder: how lines are written to it, and which of them a supporter wants to see first.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tauri::Runtime;
use tauri::plugin::TauriPlugin;
use tauri_plugin_log::log::LevelFilter;
use tauri_plugin_log::{Builder, RotationStrategy, Target, TargetKind};

/// A file of the folder; a bad day fits into one.
const LARGEST_FILE_BYTES: u128 = 1 << 20;
/// Files that are kept beside the one that is written.
const OLDER_FILES: usize = 4;
/// Errors and warnings that are copied with the diagnostics.
const LAST_ERRORS: usize = 20;
/// So much of the end of a file is looked through for them.
const TAIL_BYTES: u64 = 256 * 1024;
/// How the lines begin that count, after the time and whoever wrote them.
const LEVELS: [&str; 2] = ["][ERROR] ", "][WARN] "];

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

/// The last errors and warnings of the log files in a folder, oldest first.
pub(crate) fn last_errors(folder: &Path) -> io::Result<Vec<String>> {
    let mut files: Vec<(SystemTime, PathBuf)> = fs::read_dir(folder)?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_log = path.extension().is_some_and(|ending| ending == "log");
            let written = path.metadata().ok()?.modified().ok()?;
            is_log.then_some((written, path))
        })
        .collect();
    files.sort();
    let mut newest_first = Vec::new();
    for (_, path) in files.iter().rev() {
        let text = tail(path)?;
        let errors = text
            .lines()
            .rev()
            .filter(|line| LEVELS.iter().any(|level| line.contains(level)));
        newest_first.extend(errors.map(str::to_owned));
        if newest_first.len() >= LAST_ERRORS {
            break;
        }
    }
    newest_first.truncate(LAST_ERRORS);
    newest_first.reverse();
    Ok(newest_first)
}

/// The end of a file; where its beginning is left out, the first line may be half a one.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: &str, text: &str) -> String {
        format!("[2026-11-27][10:00:00][sendense_core::session][{level}] {text}\n")
    }

    #[test]
    fn the_last_errors_are_those_of_the_newest_files() {
        let folder = tempfile::tempdir().unwrap();
        let older = folder.path().join("Sendense_2026-11-26.log");
        let newer = folder.path().join("Sendense.log");
        let first: String = (0..30)
            .map(|n| line("ERROR", &format!("old {n}")))
            .collect();
        fs::write(&older, first).unwrap();
        let file = fs::File::options().write(true).open(&older).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let second = line("INFO", "a word [about] errors")
            + &line("WARN", "new 1")
            + &line("DEBUG", "chatter")
            + &line("ERROR", "new 2");
        fs::write(&newer, second).unwrap();
        fs::write(
            folder.path().join("notes.txt"),
            line("ERROR", "none of ours"),
        )
        .unwrap();
        let errors = last_errors(folder.path()).unwrap();
        assert_eq!(errors.len(), LAST_ERRORS);
        assert!(errors[0].ends_with("old 12"), "{errors:?}");
        assert!(errors[18].ends_with("[WARN] new 1"), "{errors:?}");
        assert!(errors[19].ends_with("[ERROR] new 2"), "{errors:?}");
    }

    #[test]
    fn of_a_long_file_only_the_end_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut text = line("ERROR", "long ago");
        while (text.len() as u64) < 2 * TAIL_BYTES {
            text += &line("INFO", "nothing happened");
        }
        text += &line("ERROR", "just now");
        fs::write(folder.path().join("Sendense.log"), text).unwrap();
        let errors = last_errors(folder.path()).unwrap();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].ends_with("just now"), "{errors:?}");
        assert!(last_errors(&folder.path().join("nowhere")).is_err());
    }
}
