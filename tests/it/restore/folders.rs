//! Folders as they are, judged by find and diff.

use std::fs;
use std::path::{Path, PathBuf};

use sendense_tests::{Outcome, tool};

use super::{Site, ext4, odd_tree};

/// Every entry below a folder with its kind, size, permissions, time and target, as find prints them. A disk has a folder
/// of its own at the root, and pipes are not restored.
fn entries(root: &Path) -> String {
    const EACH: [&str; 12] = [
        "-type",
        "d",
        "-printf",
        "%P folder %m %T@\\n",
        "-o",
        "-type",
        "l",
        "-printf",
        "%P link %l\\n",
        "-o",
        "-type",
        "f",
    ];
    let found = tool("find")
        .current_dir(root)
        .args([".", "-mindepth", "1", "-not", "-name", "lost+found", "("])
        .args(EACH)
        .args(["-printf", "%P file %s %m %T@\\n", ")"])
        .run();
    let text = found.text();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// A hub with a backup of the odd tree, whose times are whole seconds: mke2fs copies no others.
fn site() -> (Site, PathBuf) {
    let mut original = PathBuf::new();
    let site = Site::with_vm(|vm| {
        original = vm.parent().unwrap().parent().unwrap().join("tree");
        fs::create_dir(&original).unwrap();
        odd_tree(&original);
        // What a file is called while it arrives, in any order.
        for name in [
            "twin",
            "twin.part",
            "twin.2.part",
            "twin.part.json",
            "pair.part",
            "pair",
        ] {
            fs::write(original.join(name), name).unwrap();
        }
        tool("chmod")
            .arg("500")
            .args([original.join("leer"), original.join("tief/er")])
            .run();
        tool("chmod")
            .arg("640")
            .arg(original.join("plain.txt"))
            .run();
        tool("find")
            .arg(&original)
            .args([
                "-exec",
                "touch",
                "-h",
                "-d",
                "2003-02-01T04:05:06Z",
                "{}",
                "+",
            ])
            .run();
        ext4(&original, &vm.join("disk0.raw"), "64M");
    });
    (site, original)
}

impl Site {
    /// `sendense restore get-dir` of the whole volume, as files.
    fn get_dir(&self, mount_id: &str, name: &str) -> Outcome {
        self.hub
            .sendense()
            .current_dir(&self.folder.path().join("out"))
            .args(["restore", "get-dir", mount_id, "/partition-1"])
            .args(["--format", "files", "-o", name, "--json"])
            .outcome()
    }

    fn out(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("out")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

#[test]
fn a_folder_comes_back_with_its_names_times_permissions_and_links() {
    let (site, original) = site();
    let mount_id = site.mount(0);
    let saved = site.get_dir(&mount_id, "tree");
    assert_eq!(saved.code, Some(0), "{saved}");
    assert_eq!(site.out(), ["tree"]);
    let restored = site.folder.path().join("out/tree");
    assert_eq!(entries(&restored), entries(&original));
    tool("diff")
        .args(["--recursive", "--no-dereference", "--exclude=lost+found"])
        .args(["--exclude=pipe"])
        .args([&original, &restored])
        .run();
    let said = saved.json();
    let problems = said["not_restored"].as_str().unwrap();
    assert_eq!(problems.lines().count(), 1, "the pipe: {problems}");
    assert!(problems.starts_with("/partition-1/pipe"), "{problems}");

    // A folder that is there is one to save into, and what is in it stays.
    let inside = site.get_dir(&mount_id, "tree");
    assert_eq!(inside.code, Some(0), "{inside}");
    assert_eq!(entries(&restored.join("partition-1")), entries(&original));
    let refused = site.get_dir(&mount_id, "tree");
    assert_ne!(refused.code, Some(0));
    assert!(refused.error_text().contains("exists"), "{refused}");
    assert_eq!(site.out(), ["tree"]);
}

#[test]
fn strangers_things_are_not_touched_and_nothing_is_written_through_a_link() {
    let (site, _) = site();
    let mount_id = site.mount(0);
    let out = site.folder.path().join("out");
    fs::create_dir(out.join("tree.part")).unwrap();
    fs::write(out.join("tree.part/mine"), "mine").unwrap();
    let refused = site.get_dir(&mount_id, "tree");
    assert_ne!(refused.code, Some(0), "{refused}");
    assert_eq!(fs::read(out.join("tree.part/mine")).unwrap(), b"mine");
    assert_eq!(site.out(), ["tree.part"]);

    // A link in the place of a folder that a beginning has.
    let elsewhere = site.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::remove_dir_all(out.join("tree.part")).unwrap();
    let saved = site.get_dir(&mount_id, "tree");
    assert_eq!(saved.code, Some(0), "{saved}");
    fs::rename(out.join("tree"), out.join("again.part")).unwrap();
    fs::remove_dir_all(out.join("again.part/Übung 漢字")).unwrap();
    tool("ln")
        .args(["-s"])
        .args([&elsewhere, &out.join("again.part/Übung 漢字")])
        .run();
    let refused = site.get_dir(&mount_id, "again");
    assert_ne!(refused.code, Some(0), "there is no note: {refused}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_tar_archive_holds_the_folder_as_it_is() {
    let (site, original) = site();
    let mount_id = site.mount(0);
    let out = site.folder.path().join("out");
    let saved = site
        .hub
        .sendense()
        .current_dir(&out)
        .args(["restore", "get-dir", &mount_id, "/partition-1"])
        .args(["-o", "tree.tar.gz", "--json"])
        .outcome();
    assert_eq!(saved.code, Some(0), "{saved}");
    let restored = out.join("tree");
    fs::create_dir(&restored).unwrap();
    let unpacked = tool("tar")
        .current_dir(&restored)
        .args(["--extract", "--gzip", "--preserve-permissions"])
        .args(["--file", "../tree.tar.gz", "--exclude=_NOT RESTORED*"])
        .run();
    assert_eq!(unpacked.error_text(), "");
    assert_eq!(entries(&restored), entries(&original));
    tool("diff")
        .args(["--recursive", "--no-dereference", "--exclude=lost+found"])
        .args(["--exclude=pipe"])
        .args([&original, &restored])
        .run();
    let problems = saved.json()["not_restored"].as_str().unwrap().to_owned();
    assert!(problems.contains("/pipe"), "{problems}");
}

#[test]
fn many_are_saved_together_and_names_that_are_taken_are_dealt_with_as_asked() {
    let (site, original) = site();
    let mount_id = site.mount(0);
    let out = site.folder.path().join("out");
    let get_many = |paths: &[&str], on_conflict: &str| {
        site.hub
            .sendense()
            .current_dir(&out)
            .args(["restore", "get-many", &mount_id])
            .args(paths)
            .args(["-o", ".", "--on-conflict", on_conflict, "--json"])
            .outcome()
    };
    let paths = ["/partition-1/plain.txt", "/partition-1/tief"];
    let saved = get_many(&paths, "fail");
    assert_eq!(saved.code, Some(0), "{saved}");
    assert_eq!(site.out(), ["plain.txt", "tief"]);
    assert_eq!(entries(&out.join("tief")), entries(&original.join("tief")));

    fs::write(out.join("plain.txt"), "mine").unwrap();
    let mine = || fs::read(out.join("plain.txt")).unwrap() == b"mine";
    let skipped = get_many(&paths, "skip");
    assert_eq!(skipped.code, Some(0), "{skipped}");
    assert_eq!(skipped.json()["saved"].as_array().unwrap().len(), 0);
    assert!(mine());
    let refused = get_many(&paths, "fail");
    assert_ne!(refused.code, Some(0), "{refused}");
    assert_eq!(refused.json()["failed"].as_array().unwrap().len(), 2);
    assert!(mine());
    let both = get_many(&paths, "keep-both");
    assert_eq!(both.code, Some(0), "{both}");
    assert!(mine());
    assert_eq!(
        site.out(),
        ["plain (2).txt", "plain.txt", "tief", "tief (2)"]
    );
    // A folder is replaced by nothing; what can be had is had.
    let replaced = get_many(&paths, "replace");
    assert_ne!(replaced.code, Some(0), "{replaced}");
    let wanted = fs::read(original.join("plain.txt")).unwrap();
    assert_eq!(fs::read(out.join("plain.txt")).unwrap(), wanted);
    assert_eq!(fs::read(out.join("plain (2).txt")).unwrap(), wanted);
}
