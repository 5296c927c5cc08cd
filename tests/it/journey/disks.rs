//! Disks written by a kernel or a driver in use, through the whole product: everything in a folder comes back, and what
//! cannot be read is named and backed up whole.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use sendense_tests::{Driver, Mounted, Tool, seed, tool};

use super::Terminal;
use crate::disks::{Aged, Census, Style, assert_same, in_whole_seconds, of_folder, without_modes};

fn empty(folder: &Path, name: &str, mebibytes: u64) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let image = folder.join(name);
    let file = File::create(&image).unwrap();
    file.set_len(mebibytes << 20).unwrap();
    image
}

/// Lets a driver write to an image, and says what it reads there afterwards.
fn written(
    driver: Driver,
    image: &Path,
    place: &Path,
    write: impl FnOnce(&Path),
) -> Option<Census> {
    let mounted = Mounted::new(driver, image, place, "rw")?;
    write(mounted.root());
    mounted.unmount();
    let mounted = Mounted::new(driver, image, place, "ro")?;
    let census = of_folder(mounted.root());
    mounted.unmount();
    Some(in_whole_seconds(census))
}

/// Backs a VM up and opens its first disk.
#[track_caller]
fn opened(terminal: &Terminal, vm: &str) -> String {
    terminal.discover();
    terminal.mount(&terminal.back_up(vm), 0)
}

/// What an archive holds, unpacked by the tool that is given.
#[track_caller]
fn unpacked(terminal: &Terminal, unpack: Tool) -> Census {
    let folder = terminal.folder.path().join("unpacked");
    fs::create_dir(&folder).unwrap();
    unpack.env("TZ", "UTC").current_dir(&folder).run();
    in_whole_seconds(of_folder(&folder))
}

/// What the command saves of the first volume as a zip archive.
#[track_caller]
fn unzipped(terminal: &Terminal, mount: &str) -> Census {
    let get = ["restore", "get-dir", mount, "/partition-1", "-o", "all.zip"];
    terminal.sendense(&get).run();
    let unzip = tool("unzip").arg("-q").arg(terminal.out().join("all.zip"));
    unpacked(terminal, unzip)
}

#[test]
fn a_whole_ext4_that_the_kernel_wrote_comes_back_as_the_kernel_shows_it() {
    let terminal = Terminal::open();
    let image = empty(&terminal.vms().join("aged"), "disk0.raw", 96);
    tool("mke2fs")
        .args(["-q", "-F", "-t", "ext4"])
        .arg(&image)
        .run();
    let place = terminal.folder.path().join("mounted");
    let theirs = written(Driver::Kernel, &image, &place, |root| {
        let mut aged = Aged::new(root, seed(), Style::Unix);
        aged.live(400);
        aged.crowd("crowd", 400);
    });
    let Some(theirs) = theirs else { return };
    let mount = opened(&terminal, "aged");
    let archive = terminal.out().join("all.tar.gz");
    let call = format!("restore/{mount}/download-directory?path=/partition-1&format=tar.gz");
    tool("curl")
        .args(["--silent", "--show-error", "--fail", "-o"])
        .arg(&archive)
        .arg(format!("{}/api/v1/{call}", terminal.hub.url()))
        .run();
    let unpack = tool("tar").args(["-xpzf"]).arg(&archive);
    assert_same(&unpacked(&terminal, unpack), &theirs);
}

#[test]
fn a_whole_ntfs_in_use_comes_back_as_ntfs_3g_shows_it() {
    let terminal = Terminal::open();
    let image = empty(&terminal.vms().join("aged"), "disk0.raw", 96);
    tool("mkntfs").args(["-F", "-q", "-f"]).arg(&image).run();
    let place = terminal.folder.path().join("mounted");
    let theirs = written(Driver::Ntfs3g, &image, &place, |root| {
        let mut aged = Aged::new(root, seed(), Style::Windows);
        aged.live(400);
        aged.crowd("crowd", 400);
    });
    let Some(theirs) = theirs else { return };
    let mount = opened(&terminal, "aged");
    let ours = without_modes(unzipped(&terminal, &mount));
    assert_same(&ours, &without_modes(theirs));
}

#[test]
fn filesystems_that_cannot_be_read_are_named_and_backed_up_whole() {
    let kinds = [
        ("XFS", "mkfs.xfs", 320, Driver::Kernel),
        ("Btrfs", "mkfs.btrfs", 160, Driver::Kernel),
        ("exFAT", "mkfs.exfat", 64, Driver::ExfatFuse),
    ];
    let terminal = Terminal::open();
    let mut images = Vec::new();
    for (number, (name, mkfs, mebibytes, driver)) in kinds.into_iter().enumerate() {
        let image = empty(
            &terminal.vms().join("others"),
            &format!("disk{number}.raw"),
            mebibytes,
        );
        tool(mkfs).arg(&image).run();
        let place = terminal.folder.path().join(name);
        let write = |root: &Path| Aged::new(root, seed(), Style::Windows).live(200);
        if written(driver, &image, &place, write).is_none() {
            return;
        }
        images.push(image);
    }
    terminal.discover();
    let backup = terminal.back_up("others");
    let sources: Vec<_> = images.iter().map(|image| (&**image, "raw")).collect();
    terminal.judge_images(&backup, &sources);
    for (number, (name, ..)) in kinds.into_iter().enumerate() {
        let outcome = terminal
            .sendense(&["restore", "mount", &backup, "--disk", &number.to_string()])
            .outcome();
        let said = outcome.text() + &outcome.error_text();
        assert!(said.contains(name), "{name} is not named: {outcome}");
    }
}

#[test]
fn alternate_data_streams_are_shown_saved_and_in_archives() {
    const MARK: &str = "[ZoneTransfer]\r\nZoneId=3\r\n";
    let terminal = Terminal::open();
    let image = empty(&terminal.vms().join("marked"), "disk0.raw", 32);
    tool("mkntfs").args(["-F", "-q", "-f"]).arg(&image).run();
    let place = terminal.folder.path().join("mounted");
    let options = "rw,streams_interface=windows";
    let Some(mounted) = Mounted::new(Driver::Ntfs3g, &image, &place, options) else {
        return;
    };
    let folder = mounted.root().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("setup.exe"), "the content").unwrap();
    fs::write(folder.join("setup.exe:Zone.Identifier"), MARK).unwrap();
    fs::write(folder.join("setup.exe:large"), vec![7; 300_000]).unwrap();
    mounted.unmount();

    let mount = opened(&terminal, "marked");
    let path = "/partition-1/folder/setup.exe";
    let listed = terminal
        .sendense(&["restore", "ls", &mount, "/partition-1/folder"])
        .run()
        .text();
    assert!(
        listed.contains("Zone.Identifier") && listed.contains("large"),
        "{listed}"
    );
    let get = |stream: &str, target: &str| {
        terminal.sendense(&[
            "restore", "get", &mount, path, "--stream", stream, "-o", target,
        ])
    };
    get("Zone.Identifier", "mark").run();
    assert_eq!(
        fs::read_to_string(terminal.out().join("mark")).unwrap(),
        MARK
    );
    let refused = get("none", "nothing").outcome();
    assert!(
        refused.code != Some(0) && refused.error_text().contains("no stream called none"),
        "{refused}"
    );
    unzipped(&terminal, &mount);
    let file = |name: &str| fs::read(terminal.folder.path().join("unpacked").join(name));
    assert_eq!(file("folder/setup.exe").unwrap(), b"the content");
    let streams = "_STREAMS/folder/setup.exe";
    assert_eq!(
        file(&format!("{streams}/Zone.Identifier")).unwrap(),
        MARK.as_bytes()
    );
    assert_eq!(file(&format!("{streams}/large")).unwrap(), vec![7; 300_000]);
    assert!(file("_NOT RESTORED.txt").is_err());
}

#[test]
fn a_file_that_is_damaged_in_its_middle_is_refused_in_words_and_not_kept() {
    let terminal = Terminal::open();
    let image = empty(&terminal.vms().join("worn"), "disk0.raw", 32);
    tool("mkfs.fat")
        .args(["-F", "16", "-s", "4"])
        .arg(&image)
        .run();
    let big = terminal.folder.path().join("BIG.BIN");
    fs::write(&big, vec![7; 9_000_000]).unwrap();
    tool("mcopy")
        .arg("-i")
        .arg(&image)
        .args([&big, Path::new("::/")])
        .run();
    let mut bytes = fs::read(&image).unwrap();
    let at = |place: usize| usize::from(u16::from_le_bytes([bytes[place], bytes[place + 1]]));
    let entry = bytes
        .windows(11)
        .position(|name| name == b"BIG     BIN")
        .unwrap();
    let (first, table, table_bytes) = (at(entry + 26), at(14) * 512, at(22) * 512);
    for copy in [table, table + table_bytes] {
        // The chain ends where it went on.
        bytes[copy + 2 * (first + 3000)..][..2].fill(0);
    }
    fs::write(&image, bytes).unwrap();
    let mount = opened(&terminal, "worn");
    let get = [
        "restore",
        "get",
        &mount,
        "/partition-1/BIG.BIN",
        "-o",
        "big",
    ];
    let refused = terminal.sendense(&get).outcome();
    assert_ne!(refused.code, Some(0), "{refused}");
    let words = refused.error_text();
    assert!(
        words.contains("The content of this file cannot be read") && !words.contains("answer"),
        "{words}"
    );
    assert!(!terminal.out().join("big").exists());
}
