//! The log folder: which lines a supporter wants to see first, and the end of all of them.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Errors and warnings that are shown first.
const LAST_ERRORS: usize = 20;
/// So much of the end of a file is looked through for them.
const TAIL_BYTES: u64 = 256 * 1024;
/// How the lines begin that count, after the time and whoever wrote them.
const LEVELS: [&str; 2] = ["][ERROR] ", "][WARN] "];

/// The last errors and warnings of the log files in a folder, oldest first.
pub(super) fn last_errors(folder: &Path) -> io::Result<Vec<String>> {
    let mut newest_first = Vec::new();
    for path in newest_first_in(folder)? {
        let text = tail(&path, TAIL_BYTES)?;
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

/// The newest `most_bytes` of the log files in a folder, by the name of each file, the newest first.
pub(super) fn newest(folder: &Path, most_bytes: u64) -> io::Result<Vec<(String, String)>> {
    let mut left = most_bytes;
    let mut files = Vec::new();
    for path in newest_first_in(folder)? {
        if left == 0 {
            break;
        }
        let text = tail(&path, left)?;
        left = left.saturating_sub(text.len() as u64);
        let name = path.file_name().unwrap_or_default();
        files.push((name.to_string_lossy().into_owned(), text));
    }
    Ok(files)
}

fn newest_first_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<(SystemTime, PathBuf)> = fs::read_dir(folder)?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_log = path.extension().is_some_and(|ending| ending == "log");
            let written = path.metadata().ok()?.modified().ok()?;
            is_log.then_some((written, path))
        })
        .collect();
    files.sort();
    Ok(files.into_iter().rev().map(|(_, path)| path).collect())
}

/// The end of a file. Where its beginning is left out, it begins with a whole line: of half a one nobody could tell
/// what has to be taken out of it.
fn tail(path: &Path, most_bytes: u64) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let begin = file.metadata()?.len().saturating_sub(most_bytes);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(most_bytes).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = match begin {
        0 => &text,
        _ => text.split_once('\n').map_or("", |(_, whole)| whole),
    };
    Ok(text.to_owned())
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

    #[test]
    fn the_newest_bytes_of_all_files_begin_with_a_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let older = folder.path().join("older.log");
        fs::write(&older, "one\ntwo\nthree\n").unwrap();
        let file = fs::File::options().write(true).open(&older).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        fs::write(folder.path().join("newer.log"), "four\n").unwrap();
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        for (most, expected) in [
            (3, vec![file("newer.log", ""), file("older.log", "")]),
            (5, vec![file("newer.log", "four\n")]),
            (
                14,
                vec![file("newer.log", "four\n"), file("older.log", "three\n")],
            ),
            (
                100,
                vec![
                    file("newer.log", "four\n"),
                    file("older.log", "one\ntwo\nthree\n"),
                ],
            ),
        ] {
            assert_eq!(newest(folder.path(), most).unwrap(), expected, "{most}");
        }
    }
}
