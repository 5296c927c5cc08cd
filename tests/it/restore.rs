//! Restore over REST, as `curl` sees it: what comes out of an image is what the systems' own tools read in it, and
//! failures are visible.
//!
//! One disk of each kind: ext4 and FAT volumes beside an encrypted one, a whole-disk NTFS, and a disk on which nothing
//! can be read.

mod archives;
mod downloads;
mod folders;
mod live;
mod mounts;
mod nbd;

use std::{
    fs,
    path::{Path, PathBuf},
};

use sendense_tests::{Answer, Hub, Outcome, temp_dir, tool};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a LUKS2 volume begins with: enough to be known for what it is.
const LUKS_MAGIC: &[u8] = b"LUKS\xba\xbe\x00\x02";

/// A hub with a backup of one VM.
struct Site {
    hub: Hub,
    folder: TempDir,
    backup_id: String,
}

impl Site {
    /// Backs up a VM of these disks, which `build` makes in the VM's folder.
    #[track_caller]
    fn with_vm(build: impl FnOnce(&Path)) -> Self {
        let folder = temp_dir();
        let vm = folder.path().join("vms").join("restore");
        fs::create_dir_all(&vm).unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        build(&vm);
        let hub = Hub::start(&folder.path().join("data"));
        hub.sendense()
            .args(["vm", "discover"])
            .arg(folder.path().join("vms"))
            .run();
        let backup = hub
            .sendense()
            .args(["backup", "start", "restore", "--wait", "--json"])
            .run()
            .json();
        Self {
            hub,
            folder,
            backup_id: text(&backup["backup_id"]),
        }
    }

    /// Backs up what has changed since the last time; gives the id of the recovery point.
    #[track_caller]
    fn incremental(&self) -> String {
        let start = ["backup", "start", "restore", "--type", "incremental"];
        let backup = self.hub.sendense().args(start).args(["--wait", "--json"]);
        text(&backup.run().json()["backup_id"])
    }

    /// Asks for a mount of this disk.
    #[track_caller]
    fn ask_mount(&self, disk_index: u32) -> Answer {
        self.hub.api().post(
            "/restore/mount",
            &json!({ "backup_id": self.backup_id, "disk_index": disk_index }),
        )
    }

    /// Mounts this disk and says under which id.
    #[track_caller]
    fn mount(&self, disk_index: u32) -> String {
        text(&self.ask_mount(disk_index).ok()["mount_id"])
    }

    /// The rows of a folder.
    #[track_caller]
    fn list(&self, mount_id: &str, path: &str) -> Vec<Value> {
        let url = format!("/restore/{mount_id}/files?path={}", encoded(path));
        let listing = self.hub.api().get(&url).ok();
        let files = listing["files"].as_array().expect("a list of files");
        assert_eq!(listing["total_count"], files.len());
        files.clone()
    }

    /// The address of a download.
    fn url(&self, mount_id: &str, call: &str, path: &str) -> String {
        format!(
            "{}/api/v1/restore/{mount_id}/{call}?path={}",
            self.hub.url(),
            encoded(path)
        )
    }

    /// Lets curl fetch a download into a file.
    #[track_caller]
    fn fetch(&self, url: &str, name: &str, headers: &[&str]) -> (Outcome, PathBuf) {
        let target = self.folder.path().join("out").join(name);
        let mut curl = tool("curl").args(["--silent", "--show-error", "--fail", "-D", "-"]);
        for header in headers {
            curl = curl.args(["-H", header]);
        }
        let outcome = curl.arg("-o").arg(&target).arg(url).outcome();
        (outcome, target)
    }

    /// A file of the image, as the hub sends it.
    #[track_caller]
    fn file(&self, mount_id: &str, path: &str) -> Vec<u8> {
        let (outcome, target) = self.fetch(&self.url(mount_id, "download", path), "file", &[]);
        assert_eq!(outcome.code, Some(0), "{path}: {outcome}");
        let content = fs::read(&target).unwrap();
        fs::remove_file(target).unwrap();
        content
    }

    /// How many downloads the hub says are running.
    #[track_caller]
    fn n_downloads(&self) -> u64 {
        let resources = self.hub.api().get("/restore/resources").ok();
        resources["active_downloads"].as_u64().expect("a number")
    }
}

/// Everything that a path may hold, in a query.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// A JSON string.
#[track_caller]
fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}

/// Bytes that do not compress to nothing and are the same in every run.
fn patterned(n_bytes: usize) -> Vec<u8> {
    (0..n_bytes as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// A tree with everything that names and kinds of entries can do to an archive.
fn odd_tree(tree: &Path) {
    for folder in ["leer", "tief/er/noch tiefer", "Übung 漢字", "back\\slash"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    for (name, content) in [
        ("plain.txt", b"plain\n".to_vec()),
        ("empty", Vec::new()),
        ("with space.txt", b"space".to_vec()),
        ("Übung 漢字/Übersicht 😀.txt", b"unicode".to_vec()),
        ("quote\"percent%41.txt", b"quote".to_vec()),
        ("back\\slash/in\\name", b"backslash".to_vec()),
        ("-leading-dash", b"dash".to_vec()),
        ("tief/er/noch tiefer/unten.bin", patterned(300_000)),
        ("large.bin", patterned(9_000_001)),
    ] {
        fs::write(tree.join(name), content).unwrap();
    }
    fs::write(tree.join("n".repeat(255)), "long name").unwrap();
    for (target, name) in [
        ("plain.txt", "link"),
        ("/etc/passwd", "absolute"),
        ("../../../../etc/passwd", "upwards"),
        ("nowhere", "dangling"),
        ("tief", "to-folder"),
    ] {
        tool("ln").args(["-s", target]).arg(tree.join(name)).run();
    }
    tool("mkfifo").arg(tree.join("pipe")).run();
    tool("touch")
        .args(["-d", "2001-02-03T04:05:06Z"])
        .arg(tree.join("plain.txt"))
        .run();
}

/// An ext4 filesystem with the content of a folder.
fn ext4(tree: &Path, image: &Path, size: &str) {
    tool("mke2fs")
        .args(["-q", "-t", "ext4", "-L", "DATA", "-d"])
        .args([tree, image])
        .arg(size)
        .run();
}

/// Puts volumes behind one another on a disk with a GPT.
fn partitioned(disk: &Path, volumes: &[&Path]) {
    const MIB: u64 = 1 << 20;
    let mut script = String::from("label: gpt\n");
    let mut start = 1;
    let mut places = Vec::new();
    for volume in volumes {
        let n_mib = volume.metadata().unwrap().len().div_ceil(MIB);
        script.push_str(&format!("start={start}MiB, size={n_mib}MiB, type=linux\n"));
        places.push(start);
        start += n_mib;
    }
    fs::File::create(disk)
        .and_then(|file| file.set_len((start + 1) * MIB))
        .unwrap();
    tool("sfdisk").arg("-q").arg(disk).stdin(script).run();
    for (volume, place) in volumes.iter().zip(places) {
        tool("dd")
            .args(["bs=1M", "conv=notrunc,sparse", "status=none"])
            .arg(format!("seek={place}"))
            .arg(format!("if={}", volume.display()))
            .arg(format!("of={}", disk.display()))
            .run();
    }
}

/// A volume that is known for LUKS and nothing more.
fn luks(image: &Path, n_bytes: usize) {
    let mut bytes = vec![0; n_bytes];
    bytes[..LUKS_MAGIC.len()].copy_from_slice(LUKS_MAGIC);
    fs::write(image, bytes).unwrap();
}
