//! What survives a power cut: the order in which files are synced, renamed and recorded, as the kernel sees it
//! (strace).

use std::path::Path;

use sendense_tests::{SampleVm, sample_vm, sendense, skip, temp_dir, tool};
use serde_json::Value;

/// Calls that make things durable, or visible.
const CALLS: &str = "trace=fsync,fdatasync,rename,renameat,renameat2";

/// Runs `sendense` and gives its answer and those calls in their order; nothing where the system
/// lets nobody watch.
fn watched(folder: &Path, args: &[&str]) -> Option<(Value, Vec<String>)> {
    if tool("strace").args(["-qq", "true"]).outcome().code != Some(0) {
        skip("this system does not allow strace");
        return None;
    }
    let log = folder.join("strace.log");
    let outcome = tool("strace")
        // -y: file descriptors with their paths.
        .args(["-f", "-y", "-qq", "-s", "4096", "-e", CALLS, "-o"])
        .arg(&log)
        .arg(sendense().program())
        .args(["--data", "data", "--json"])
        .args(args)
        .current_dir(folder)
        .run();
    let log = std::fs::read_to_string(log).unwrap();
    let calls = log
        .lines()
        .filter(|line| !line.contains("resumed>"))
        .map(str::to_owned)
        .collect();
    Some((outcome.json(), calls))
}

/// The place of the first call after `from` that names all of this.
#[track_caller]
fn position(calls: &[String], from: usize, what: &[&str]) -> usize {
    let found = calls
        .iter()
        .skip(from)
        .position(|call| what.iter().all(|part| call.contains(part)));
    match found {
        Some(position) => from + position,
        None => panic!("no {what:?} after call {from} in\n{}", calls.join("\n")),
    }
}

fn sample(folder: &Path) -> SampleVm {
    let sample = sample_vm(folder);
    sendense()
        .args(["--data", "data", "vm", "discover", "."])
        .current_dir(folder)
        .run();
    sample
}

#[test]
fn durability_of_a_backup_images_are_on_the_disk_before_they_have_their_names_and_rows() {
    let folder = temp_dir();
    sample(folder.path());
    let Some((backup, calls)) = watched(folder.path(), &["backup", "start", "pgtest1", "--wait"])
    else {
        return;
    };
    let disks = backup["disks"].as_array().unwrap();
    assert_eq!(disks.len(), 2);
    let mut all_named = 0;
    for disk in disks {
        let image = Path::new(disk["qcow2_path"].as_str().unwrap());
        let parent = image.parent().unwrap().display();
        for file in [image.to_path_buf(), image.with_extension("map")] {
            let file = file.display();
            let written = position(&calls, 0, &["sync(", &format!("<{file}.partial>")]);
            let renamed = position(&calls, written, &["rename", &format!("\"{file}\"")]);
            let named = position(&calls, renamed, &["sync(", &format!("<{parent}>")]);
            all_named = all_named.max(named);
        }
    }
    position(&calls, all_named, &["sync(", "hub.db-wal>"]);
}

#[test]
fn durability_of_a_download_the_file_is_on_the_disk_before_it_has_its_name() {
    let folder = temp_dir();
    sample(folder.path());
    let run = |args: &[&str]| {
        sendense()
            .args(["--data", "data", "--json"])
            .args(args)
            .current_dir(folder.path())
            .run()
            .json()
    };
    let backup = run(&["backup", "start", "pgtest1", "--wait"]);
    let mount = run(&["restore", "mount", backup["backup_id"].as_str().unwrap()]);
    let mount = mount["mount_id"].as_str().unwrap();
    let file = "Recovery/WindowsRE/ReAgent.xml";
    let Some((_, calls)) = watched(folder.path(), &["restore", "get", mount, file]) else {
        return;
    };
    let written = position(&calls, 0, &["sync(", "ReAgent.xml.part>"]);
    let renamed = position(&calls, written, &["rename", "\"ReAgent.xml\""]);
    let parent = format!("<{}>", folder.path().display());
    position(&calls, renamed, &["sync(", &parent]);
}
