//! The journey on the sample VM, command by command, each with a hub of its own, as a newcomer would have it.

use sendense_tests::{ntfs_cat, sample_vm, sendense, sha256, sha256_file, temp_dir, tool};
use serde_json::Value;

use super::{Terminal, text};

#[test]
fn single_commands_without_a_running_hub_do_the_whole_job() {
    let folder = temp_dir();
    let sample = sample_vm(folder.path());
    let run = |args: &[&str]| {
        sendense()
            .args(["--data", "data"])
            .args(args)
            .arg("--json")
            .current_dir(folder.path())
            .run()
            .json()
    };
    run(&["vm", "discover", "."]);
    let backup = text(&run(&["backup", "start", "pgtest1", "--wait"])["backup_id"]);
    let mount = text(&run(&["restore", "mount", &backup, "--disk", "0"])["mount_id"]);

    let listing = run(&["restore", "ls", &mount, "Recovery/WindowsRE"]);
    let mut names: Vec<String> = files(&listing)
        .iter()
        .map(|file| text(&file["name"]))
        .collect();
    names.sort();
    assert_eq!(names, ["ReAgent.xml", "boot.sdi", "winre.wim"]);
    let re_agent = files(&listing)
        .iter()
        .find(|file| file["name"] == "ReAgent.xml")
        .unwrap();
    assert_eq!(re_agent["size"], 1129);
    let path = text(&re_agent["path"]);

    run(&["restore", "get", &mount, &path, "-o", "ReAgent.xml"]);
    run(&["restore", "unmount", &mount]);

    let volume = folder.path().join("ntfs.img");
    sample.carve_volume("ntfs", &volume);
    let original = ntfs_cat(&volume, "/Recovery/WindowsRE/ReAgent.xml");
    assert_eq!(
        sha256_file(&folder.path().join("ReAgent.xml")),
        sha256(&original)
    );
}

/// Contract D38.
#[test]
fn every_known_file_of_every_volume_comes_back() {
    let terminal = Terminal::open();
    let sample = sample_vm(&terminal.vms());
    terminal.discover();
    let backup = terminal.back_up("pgtest1");
    let sources: Vec<_> = sample
        .disks
        .iter()
        .map(|disk| (disk.as_path(), "raw"))
        .collect();
    terminal.judge_images(&backup, &sources);

    for (index, disk) in sample.manifest.disks.iter().enumerate() {
        let mount = terminal.mount(&backup, index);
        for (number, volume) in (1..).zip(&disk.volumes) {
            for file in &volume.files {
                let path = format!("/partition-{number}{}", file.path);
                let restored = terminal.get(&mount, &path, "restored");
                assert_eq!(
                    restored.metadata().unwrap().len(),
                    file.size_bytes,
                    "{path}"
                );
                assert_eq!(sha256_file(&restored), file.sha256, "{path}");
                std::fs::remove_file(restored).unwrap();
            }
        }
        terminal.json(&["restore", "unmount", &mount]);
    }
}

/// Contract D52.
#[test]
fn a_folder_comes_back_as_a_zip_that_unzip_accepts() {
    let terminal = Terminal::open();
    let sample = sample_vm(&terminal.vms());
    terminal.discover();
    let mount = terminal.mount(&terminal.back_up("pgtest1"), 0);
    let folder = "/partition-2/Users/Public";
    terminal
        .sendense(&[
            "restore",
            "get-dir",
            &mount,
            folder,
            "-o",
            "Public.zip",
            "--format",
            "zip",
        ])
        .run();

    let archive = terminal.out().join("Public.zip");
    tool("unzip").args(["-q", "-t"]).arg(&archive).run();
    tool("unzip")
        .args(["-q", "-d"])
        .arg(terminal.out().join("Public"))
        .arg(&archive)
        .run();
    let known = sample.manifest.disks[0].volumes[1].files.iter();
    let mut compared = 0;
    for file in known.filter(|file| file.path.starts_with("/Users/Public/")) {
        let path = file.path.trim_start_matches("/Users/");
        assert_eq!(
            sha256_file(&terminal.out().join(path)),
            file.sha256,
            "{path}"
        );
        compared += 1;
    }
    assert_eq!(
        compared, 4,
        "the manifest knows four files below the folder"
    );
}

#[test]
fn ten_thousand_entries_are_listed() {
    let terminal = Terminal::open();
    sample_vm(&terminal.vms());
    terminal.discover();
    let mount = terminal.mount(&terminal.back_up("pgtest1"), 1);
    let listing = terminal.json(&["restore", "ls", &mount, "/srv/many"]);
    assert_eq!(files(&listing).len(), 10_000);
}

/// Contract H21, H25.
#[test]
fn odd_names_can_be_listed_and_fetched_by_the_path_that_the_list_gives() {
    let terminal = Terminal::open();
    sample_vm(&terminal.vms());
    terminal.discover();
    let mount = terminal.mount(&terminal.back_up("pgtest1"), 1);
    let listing = terminal.json(&["restore", "ls", &mount, "/srv/names"]);
    assert_eq!(files(&listing).len(), 5, "{listing}");
    for file in files(&listing) {
        let restored = terminal.get(&mount, &text(&file["path"]), "restored");
        assert_eq!(
            Some(restored.metadata().unwrap().len()),
            file["size"].as_u64(),
            "{file}"
        );
        std::fs::remove_file(restored).unwrap();
    }
}

fn files(listing: &Value) -> &[Value] {
    listing["files"].as_array().expect("a listing has files")
}
