//! Times, spans and names of kinds as people read them.

use jiff::Timestamp;
use sendense_types::{ByteSize, FileEntry, FileKind, OpenMount, Units};
use sendense_words as words;

use crate::dom;

/// "8 Oct 2025 19:24", by this computer's zone.
pub(crate) fn date(time: Timestamp) -> String {
    let (day, month, year, hour, minute) = dom::local(time.as_millisecond() as f64);
    let time = format!("{hour:02}:{minute:02}");
    words::common::date(day, words::common::month(month), year, time)
}

/// "pgtest1 · Disk 0"; where nobody here knows what it is of, the little that the hub says.
pub(crate) fn mount_title(mount: &OpenMount) -> String {
    match (&mount.vm_name, mount.disk_index, mount.backup_disk_id) {
        (Some(vm), index, _) => words::mounts::name_of(vm, index),
        (None, None, Some(number)) => words::mounts::somebodys_disk(number),
        (None, index, _) => words::mounts::name_of(words::mounts::somebodys(), index),
    }
}

/// "96 MiB/s", and "2 s left": how fast something goes and how long it takes, as far as that is known.
pub(crate) fn pace(
    speed_bps: Option<u64>,
    eta_seconds: Option<u64>,
    units: Units,
) -> impl Iterator<Item = String> {
    let speed = speed_bps.map(|speed| words::common::per_second(ByteSize(speed).in_units(units)));
    let left = eta_seconds.map(|seconds| words::common::time_left(span(seconds)));
    speed.into_iter().chain(left)
}

/// The name of a file system as its users write it.
pub(crate) fn file_system(name: &str) -> String {
    match name {
        "ntfs" => "NTFS".to_owned(),
        "exfat" => "exFAT".to_owned(),
        "vfat" | "fat" | "fat12" | "fat16" | "fat32" => name.to_uppercase(),
        _ => name.to_owned(),
    }
}

/// "2 hours ago"; the date for what is older than a day.
pub(crate) fn ago(time: Timestamp) -> String {
    match seconds_since(time) {
        0..60 => words::common::just_now().to_owned(),
        seconds @ 60..3600 => words::common::minutes_ago(seconds / 60),
        seconds @ 3600..86400 => words::common::hours_ago(seconds / 3600),
        _ => date(time),
    }
}

/// The same behind a verb: "verified 2 hours ago", "verified on 8 Oct 2025 19:24".
pub(crate) fn when(time: Timestamp) -> String {
    match seconds_since(time) {
        0..86400 => ago(time),
        _ => words::common::on_date(date(time)),
    }
}

fn seconds_since(time: Timestamp) -> u64 {
    ((dom::now_ms() - time.as_millisecond() as f64) / 1000.0).max(0.0) as u64
}

/// "48 s", "3 min 44 s", "2 h 5 min"
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => words::common::seconds_short(seconds),
        60..3600 => words::common::minutes_seconds(seconds / 60, seconds % 60),
        _ => words::common::hours_minutes(seconds / 3600, seconds % 3600 / 60),
    }
}

/// Minutes until a moment, rounded up; 0 when it has passed.
pub(crate) fn minutes_until(time: Timestamp) -> u64 {
    let left = (time.as_millisecond() as f64 - dom::now_ms()) / 60_000.0;
    left.ceil().max(0.0) as u64
}

/// "Expires in 52 min"; "Expires now" in its last seconds.
pub(crate) fn expires_in(minutes: u64) -> String {
    match minutes {
        0 => words::mounts::expires_now().to_owned(),
        _ => words::mounts::expires_in(minutes),
    }
}

/// Whether so many minutes are few enough to warn.
pub(crate) fn is_soon(minutes: u64) -> bool {
    minutes <= 10
}

/// "Disk 0 · System"; "Disk 0" alone where the label says no more than that.
pub(crate) fn disk(index: u32, label: &str) -> String {
    let name = words::common::disk(index);
    let letters = |text: &str| -> String {
        let known = text.chars().filter(|character| character.is_alphanumeric());
        known.flat_map(char::to_lowercase).collect()
    };
    match letters(label) {
        said if said.is_empty() || said == letters(&name) || said == index.to_string() => name,
        _ => format!("{name} · {label}"),
    }
}

/// The name of a file or folder, in either system's spelling.
pub(crate) fn last_part(path: &str) -> String {
    path.rsplit(['/', '\\'])
        .find(|part| !part.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// What a file is, by its ending, and how many alternate data streams it has.
pub(crate) fn kind_of(file: &FileEntry) -> String {
    let kind = kind_alone(file);
    match file.streams.len() {
        0 => kind,
        n => words::browser::with_streams(n as u64, kind),
    }
}

fn kind_alone(file: &FileEntry) -> String {
    if let Some(reason) = &file.unreadable {
        return reason.clone();
    }
    if file.is_symlink {
        return words::browser::link().to_owned();
    }
    if file.kind == FileKind::Directory {
        return words::common::folder().to_owned();
    }
    let ending = match file.name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.len() <= 8 => ending.to_lowercase(),
        _ => return words::browser::file().to_owned(),
    };
    match ending.as_str() {
        "txt" | "log" | "md" => words::browser::text_document().to_owned(),
        "xml" => words::browser::xml_document().to_owned(),
        "pdf" => words::browser::pdf_document().to_owned(),
        "doc" | "docx" | "odt" => words::browser::text_document().to_owned(),
        "xls" | "xlsx" | "ods" => words::browser::spreadsheet().to_owned(),
        "zip" | "7z" | "rar" | "gz" | "tar" | "xz" | "zst" => words::browser::archive().to_owned(),
        "jpg" | "jpeg" | "png" | "gif" | "bmp" | "webp" => words::browser::picture().to_owned(),
        "exe" | "com" => words::browser::program().to_owned(),
        "dll" | "so" => words::browser::library().to_owned(),
        "wim" => words::browser::windows_image().to_owned(),
        "ini" | "conf" | "cfg" | "toml" | "yaml" | "yml" | "json" => {
            words::browser::settings_file().to_owned()
        }
        other => words::browser::file_of_kind(other.to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(seconds: i64) -> Timestamp {
        let now = dom::now_ms() as i64 / 1000;
        Timestamp::from_second(now - seconds).unwrap()
    }

    fn ago_by(seconds: i64) -> String {
        ago(before(seconds))
    }

    #[test]
    fn the_last_part_of_a_path_is_its_name_on_every_system() {
        assert_eq!(last_part("/srv/backups/"), "backups");
        assert_eq!(last_part("D:\\Backups"), "Backups");
        assert_eq!(last_part("/"), "");
    }

    #[test]
    fn the_near_past_is_told_relative_and_the_far_past_by_date() {
        assert_eq!(ago_by(5), "just now");
        assert_eq!(ago_by(60), "1 minute ago");
        assert_eq!(ago_by(2 * 3600), "2 hours ago");
        assert_eq!(ago_by(30 * 86400), "9 Sep 2025 08:53");
        assert_eq!(ago_by(-100), "just now", "clocks differ");
    }

    #[test]
    fn a_time_behind_a_verb_makes_a_sentence_with_it_whether_near_or_far() {
        let verified = |seconds| format!("Verified {}", when(before(seconds)));
        assert_eq!(verified(5), "Verified just now");
        assert_eq!(verified(7200), "Verified 2 hours ago");
        assert_eq!(verified(30 * 86400), "Verified on 9 Sep 2025 08:53");
    }

    #[test]
    fn what_expires_is_never_said_to_have_no_minutes_left() {
        assert_eq!(expires_in(52), "Expires in 52 min");
        assert_eq!(expires_in(0), "Expires now");
    }

    #[test]
    fn a_label_that_only_repeats_the_number_of_a_disk_is_left_out() {
        assert_eq!(disk(0, "System"), "Disk 0 · System");
        assert_eq!(disk(0, "Hard disk 1"), "Disk 0 · Hard disk 1");
        assert_eq!(
            disk(1, "Disk 0"),
            "Disk 1 · Disk 0",
            "another number is news"
        );
        for label in ["", "Disk 0", "disk0", "disk-0", "0"] {
            assert_eq!(disk(0, label), "Disk 0", "{label:?}");
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        assert_eq!(span(48), "48 s");
        assert_eq!(span(224), "3 min 44 s");
        assert_eq!(span(7500), "2 h 5 min");
    }
}
