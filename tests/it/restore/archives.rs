//! Folders as archives, judged by unzip, tar and diff.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use sendense_tests::{long, ntfs_cat, temp_dir, tool};

use super::{Site, encoded, ext4, odd_tree, patterned};

/// What an entry of a tree is, for comparison.
#[derive(Debug, PartialEq)]
enum Kind {
    Folder,
    File(Vec<u8>),
    Link(PathBuf),
}

/// Every entry below a folder; pipes are left out, because archives must not hold any.
fn tree_of(root: &Path) -> BTreeMap<PathBuf, Kind> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = path.symlink_metadata().unwrap().file_type();
            let kind = if kind.is_symlink() {
                Kind::Link(fs::read_link(&path).unwrap())
            } else if kind.is_dir() {
                folders.push(path.clone());
                Kind::Folder
            } else if kind.is_fifo() {
                continue;
            } else {
                Kind::File(fs::read(&path).unwrap())
            };
            found.insert(path.strip_prefix(root).unwrap().to_path_buf(), kind);
        }
    }
    found
}

/// The same entries, without printing megabytes where they differ.
#[track_caller]
fn assert_same(found: &BTreeMap<PathBuf, Kind>, expected: &BTreeMap<PathBuf, Kind>) {
    let names: Vec<_> = found.keys().collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>());
    for (path, kind) in expected {
        assert!(found[path] == *kind, "{} differs", path.display());
    }
}

fn site_and_tree() -> (Site, PathBuf) {
    let mut original = PathBuf::new();
    let site = Site::with_vm(|vm| {
        original = vm.parent().unwrap().parent().unwrap().join("tree");
        fs::create_dir(&original).unwrap();
        odd_tree(&original);
        ext4(&original, &vm.join("disk0.raw"), "64M");
    });
    (site, original)
}

#[test]
fn zip_and_tar_gz_hold_every_file_link_and_empty_folder() {
    let (site, original) = site_and_tree();
    let mount_id = site.mount(0);
    let expected = tree_of(&original);
    for (format, unpack) in [
        ("zip", &["unzip", "-q"][..]),
        ("tar.gz", &["tar", "xzf"][..]),
    ] {
        let url = format!(
            "{}&format={format}",
            site.url(&mount_id, "download-directory", "/partition-1")
        );
        let (outcome, archive) = site.fetch(&url, &format!("archive.{format}"), &[]);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        if format == "zip" {
            tool("unzip").args(["-q", "-t"]).arg(&archive).run();
            let listed = tool("zipinfo").arg("-1").arg(&archive).run().text();
            assert!(listed.lines().any(|name| name == "leer/"), "{listed}");
        } else {
            tool("gzip").arg("-t").arg(&archive).run();
        }
        let out = site.folder.path().join(format!("unpacked-{format}"));
        fs::create_dir(&out).unwrap();
        tool(unpack[0])
            .args(&unpack[1..])
            .arg(&archive)
            .current_dir(&out)
            .run();

        let mut found = tree_of(&out);
        let note = found.remove(Path::new("_NOT RESTORED.txt"));
        let Some(Kind::File(note)) = note else {
            panic!("{format}: no note about the pipe");
        };
        let note = String::from_utf8(note).unwrap();
        assert!(note.contains("/pipe: named pipe"), "{note}");
        assert_eq!(
            found.remove(Path::new("lost+found")),
            Some(Kind::Folder),
            "mke2fs made it"
        );
        assert_same(&found, &expected);
        let modified = tool("stat")
            .args(["-c", "%Y"])
            .arg(out.join("plain.txt"))
            .run();
        assert_eq!(modified.text().trim(), "981173106", "{format}: in UTC");
    }
}

#[test]
fn a_folder_in_a_folder_is_archived_without_what_lies_above() {
    let (site, original) = site_and_tree();
    let mount_id = site.mount(0);
    let url = site.url(&mount_id, "download", "/tief");
    let (outcome, archive) = site.fetch(&url, "tief.zip", &[]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let headers = outcome.text().to_lowercase();
    assert!(
        headers.contains("content-type: application/zip"),
        "{headers}"
    );
    assert!(headers.contains("filename=\"tief.zip\""), "{headers}");
    let out = site.folder.path().join("tief");
    tool("unzip")
        .arg("-q")
        .arg(&archive)
        .arg("-d")
        .arg(&out)
        .run();
    assert_same(&tree_of(&out), &tree_of(&original.join("tief")));
}

#[test]
fn files_of_ntfs_are_those_that_ntfscat_reads() {
    let site = Site::with_vm(|vm| {
        let tree = vm.parent().unwrap().parent().unwrap().join("tree");
        fs::create_dir_all(tree.join("Users/Öffentlich/leer")).unwrap();
        for (name, n_bytes) in [
            ("resident.txt", 100),
            ("large.bin", 5_000_000),
            ("Users/Öffentlich/漢字 😀.bin", 70_000),
        ] {
            fs::write(tree.join(name), patterned(n_bytes)).unwrap();
        }
        let wim = tree.with_extension("wim");
        tool("wimcapture")
            .args([&tree, &wim])
            .arg("--compress=none")
            .run();
        let image = vm.join("disk0.raw");
        fs::File::create(&image)
            .and_then(|file| file.set_len(48 << 20))
            .unwrap();
        tool("mkntfs").args(["-F", "-q"]).arg(&image).run();
        tool("wimapply").arg(&wim).arg("1").arg(&image).run();
    });
    let mount_id = site.mount(0);
    let image = site.folder.path().join("vms/restore/disk0.raw");
    for path in [
        "/resident.txt",
        "/large.bin",
        "/Users/Öffentlich/漢字 😀.bin",
    ] {
        assert!(
            site.file(&mount_id, &format!("/partition-1{path}")) == ntfs_cat(&image, path),
            "{path} differs from what ntfscat reads"
        );
    }
    let rows = site.list(&mount_id, "/Users");
    assert_eq!(rows[0]["name"], "Öffentlich");
    assert_eq!(rows[0]["mode"], "0777");
    let url = site.url(&mount_id, "download-directory", "/Users");
    let (outcome, archive) = site.fetch(&url, "Users.zip", &[]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let listed = tool("zipinfo").arg("-1").arg(&archive).run().text();
    let mut names: Vec<_> = listed.lines().collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["Öffentlich/", "Öffentlich/leer/", "Öffentlich/漢字 😀.bin"]
    );
}

#[test]
fn a_damaged_file_and_a_damaged_folder_cost_an_archive_no_more_than_themselves() {
    let site = Site::with_vm(|vm| {
        let scratch = vm.parent().unwrap().parent().unwrap();
        let tree = scratch.join("tree");
        fs::create_dir_all(tree.join("lost")).unwrap();
        fs::write(tree.join("a good.bin"), patterned(2_000_000)).unwrap();
        fs::write(tree.join("broken.bin"), patterned(2_000_000)).unwrap();
        fs::write(tree.join("lost/inside.txt"), "gone").unwrap();
        fs::write(tree.join("z good.txt"), "after").unwrap();
        let image = vm.join("disk0.raw");
        ext4(&tree, &image, "64M");
        // The magic of the extent header, without which nobody knows where the blocks are.
        for path in ["/broken.bin", "/lost"] {
            tool("debugfs")
                .args(["-w", "-R"])
                .arg(format!("set_inode_field {path} block[0] 0"))
                .arg(&image)
                .run();
        }
    });
    let mount_id = site.mount(0);
    for format in ["zip", "tar.gz"] {
        let url = format!(
            "{}&format={format}",
            site.url(&mount_id, "download-directory", "/partition-1")
        );
        let (outcome, archive) = site.fetch(&url, "broken", &[]);
        assert_eq!(outcome.code, Some(0), "{format}: {outcome}");
        let unpacked = temp_dir();
        let unpack = match format {
            "zip" => tool("unzip").arg("-q").arg(&archive),
            _ => tool("tar").arg("-xzf").arg(&archive),
        };
        unpack.current_dir(unpacked.path()).run();
        let read = |name: &str| fs::read(unpacked.path().join(name));
        assert!(read("a good.bin").unwrap() == patterned(2_000_000));
        assert_eq!(read("z good.txt").unwrap(), b"after");
        assert!(read("broken.bin").is_err());
        let note = String::from_utf8(read("_NOT RESTORED.txt").unwrap()).unwrap();
        for path in ["broken.bin", "lost"] {
            assert!(note.contains(&format!("\n/{path}: ")), "{format}: {note}");
        }
        assert!(!note.contains("good"), "{note}");
    }
    let rows = site.list(&mount_id, "/partition-1/lost");
    assert!(rows.is_empty(), "shown, and marked: {rows:?}");
    assert_eq!(
        site.file(&mount_id, "/z good.txt"),
        b"after",
        "the rest of the disk stays usable"
    );
}

#[test]
fn a_file_of_more_than_four_gigabytes_fits_an_archive() {
    // In the long form, over the 8 GiB that a tar header can say in digits.
    let (n_bytes, formats): (u64, &[&str]) = if long() {
        (9 << 30, &["zip", "tar.gz"])
    } else {
        ((4 << 30) + 4097, &["zip"])
    };
    let site = Site::with_vm(|vm| {
        let tree = vm.parent().unwrap().parent().unwrap().join("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("before.txt"), "before").unwrap();
        let sparse = tree.join("large sparse.bin");
        fs::write(&sparse, patterned(100_000)).unwrap();
        fs::File::options()
            .write(true)
            .open(&sparse)
            .and_then(|file| file.set_len(n_bytes))
            .unwrap();
        ext4(&tree, &vm.join("disk0.raw"), "200M");
    });
    let mount_id = site.mount(0);
    let before = site.hub.peak_memory_bytes();
    for format in formats {
        let url = format!(
            "{}&format={format}",
            site.url(&mount_id, "download-directory", "/partition-1")
        );
        let (outcome, archive) = site.fetch(&url, &format!("large.{format}"), &[]);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let listed = if *format == "zip" {
            tool("unzip").args(["-q", "-t"]).arg(&archive).run();
            tool("zipinfo").arg("-l").arg(&archive).run().text()
        } else {
            tool("tar").arg("tvzf").arg(&archive).run().text()
        };
        assert!(
            listed.lines().any(
                |line| line.contains("large sparse.bin") && line.contains(&n_bytes.to_string())
            ),
            "{listed}"
        );
    }
    let grown = site.hub.peak_memory_bytes() - before;
    assert!(grown < 64 << 20, "the hub took {grown} bytes more");
    let url = format!(
        "/restore/{mount_id}/download-directory?path={}&format=rar",
        encoded("/partition-1")
    );
    let refused = site.hub.api().get(&url);
    assert_eq!(refused.status, 400);
    assert!(
        refused.json()["error"]
            .to_string()
            .contains("unsupported archive type")
    );
}
