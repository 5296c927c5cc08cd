//! Interrupted downloads and backups: hubs that die and disks that are full.

use std::time::Duration;

use sendense_tests::{Hub, Outcome, sample_vm, sendense, sha256_file, skip, temp_dir, tool, until};

use super::Terminal;

/// A file of 1 GiB: long enough to be interrupted.
const LARGE: &str = "/srv/data/sparse.img";

#[test]
fn a_hub_that_dies_in_mid_download_leaves_a_beginning_that_is_gone_on_with() {
    let mut terminal = Terminal::open();
    let sample = sample_vm(&terminal.vms());
    terminal.discover();
    let backup = terminal.back_up("pgtest1");
    let mount = terminal.mount(&backup, 1);
    let mut get = terminal
        .sendense(&["restore", "get", &mount, LARGE, "-o", "restored"])
        .spawn();

    let out = terminal.out();
    until("the download to begin", Duration::from_secs(60), || {
        let entries = std::fs::read_dir(&out).ok()?;
        entries
            .flatten()
            .any(|entry| entry.metadata().is_ok_and(|meta| meta.len() > 1 << 20))
            .then_some(())
    });
    terminal.hub.kill();

    let status = until("the command to end", Duration::from_secs(120), || {
        get.try_wait().unwrap()
    });
    assert!(!status.success(), "half a file is not a success");
    let mut words = String::new();
    std::io::Read::read_to_string(&mut get.stderr.take().unwrap(), &mut words).unwrap();
    assert!(
        words.split_whitespace().count() >= 3 && !words.contains("panicked"),
        "{words}"
    );
    assert!(words.contains("are kept"), "{words}");
    let mut left = terminal.restored();
    left.sort();
    assert_eq!(left, ["restored.part", "restored.part.json"]);

    let data = terminal.hub.data().to_path_buf();
    terminal.hub = Hub::start(&data);
    let mount = terminal.mount(&backup, 1);
    let restored = terminal.get(&mount, LARGE, "restored");
    let volumes = sample.manifest.disks[1].volumes.iter();
    let mut known = volumes.flat_map(|volume| &volume.files);
    let known = known.find(|file| file.path == LARGE).unwrap();
    assert_eq!(sha256_file(&restored), known.sha256);
    assert_eq!(terminal.restored(), ["restored"]);
}

#[test]
fn a_full_disk_ends_a_download_in_words() {
    let terminal = Terminal::open();
    sample_vm(&terminal.vms());
    terminal.discover();
    let mount = terminal.mount(&terminal.back_up("pgtest1"), 1);
    let url = terminal.hub.url();
    let command = [
        "--hub", &url, "restore", "get", &mount, LARGE, "-o", "restored",
    ];
    let Some(outcome) = on_small_disk("8m", &command) else {
        return skip("this system allows no tmpfs in a user namespace");
    };
    assert_failed_for_room(&outcome);
}

#[test]
fn a_full_disk_ends_a_backup_in_words_and_leaves_no_image() {
    let folder = temp_dir();
    let sample = sample_vm(folder.path());
    let vms = sample
        .folder
        .parent()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    let Some(discovered) = on_small_disk("24m", &["--data", "data", "vm", "discover", &vms]) else {
        return skip("this system allows no tmpfs in a user namespace");
    };
    assert_eq!(discovered.code, Some(0), "{discovered}");
    // Each small disk is a fresh one, so this command has to find the VM again before it backs it up.
    let outcome = on_small_disk_script(
        "24m",
        &format!(
            "\"$SENDENSE\" --data data vm discover '{vms}' >/dev/null && \"$SENDENSE\" --data data backup start pgtest1 --wait"
        ),
    );
    let outcome = outcome.expect("it worked a moment ago");
    assert_failed_for_room(&outcome);
}

/// The command failed, said that there is no room, and left nothing that looks like a result.
#[track_caller]
fn assert_failed_for_room(outcome: &Outcome) {
    assert!(!matches!(outcome.code, Some(0 | 101) | None), "{outcome}");
    let words = outcome.error_text();
    let (words, left) = words.split_once("left behind:").unwrap_or((&words, ""));
    let said = ["full", "no room", "space", "not enough"];
    assert!(
        said.iter().any(|said| words.to_lowercase().contains(said)),
        "{outcome}"
    );
    assert_eq!(left.trim(), "", "{outcome}");
}

/// Runs `sendense` in a small filesystem of its own; nothing when the system does not allow one.
fn on_small_disk(size: &str, args: &[&str]) -> Option<Outcome> {
    let words: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
    on_small_disk_script(size, &format!("\"$SENDENSE\" {}", words.join(" ")))
}

/// Runs a script in a small filesystem of its own, listing downloads and images it leaves on standard error.
fn on_small_disk_script(size: &str, script: &str) -> Option<Outcome> {
    let possible = tool("unshare")
        .args(["-rm", "sh", "-c", "mount -t tmpfs none /mnt"])
        .outcome();
    if possible.code != Some(0) {
        return None;
    }
    let folder = temp_dir();
    let binary = sendense().program();
    let script = format!(
        "mount -t tmpfs -o size={size} none \"$PLACE\" && cd \"$PLACE\" || exit 99\n\
         {script}\ncode=$?\necho left behind: $(find . -name 'restored*' -o -name '*qcow2*') >&2\nexit $code"
    );
    let outcome = tool("unshare")
        .args(["-rm", "sh", "-c", &script])
        .env("PLACE", folder.path())
        .env("SENDENSE", binary)
        .outcome();
    Some(outcome)
}
