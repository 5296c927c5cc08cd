//! The main job from a terminal: `sendense` against a hub in a separate process, checked by tools that are not ours.

mod access;
mod diagnostics;
mod discovery;
mod disks;
mod hubs;
mod images;
mod interrupted;
mod refusals;
mod sample;

use std::path::{Path, PathBuf};

use sendense_tests::{Hub, Tool, qemu_img_check, qemu_img_compare, temp_dir};
use serde_json::Value;
use tempfile::TempDir;

/// A hub without sign-in, and a terminal in an empty folder.
struct Terminal {
    hub: Hub,
    folder: TempDir,
}

impl Terminal {
    /// Starts the hub on a data directory of its own.
    fn open() -> Self {
        let folder = temp_dir();
        for name in ["vms", "out", "data"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let hub = Hub::start(&folder.path().join("data"));
        Self { hub, folder }
    }

    /// Where VMs are put to be discovered.
    fn vms(&self) -> PathBuf {
        self.folder.path().join("vms")
    }

    /// Where files are restored to; must hold nothing else.
    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// What lies in the restore folder.
    fn restored(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.out()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// A `sendense` command for this hub.
    fn sendense(&self, args: &[&str]) -> Tool {
        self.hub.sendense().args(args).current_dir(&self.out())
    }

    /// A command that succeeds, with its answer in JSON.
    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        self.sendense(args).arg("--json").run().json()
    }

    /// Finds and adds the VMs of the folder.
    #[track_caller]
    fn discover(&self) {
        self.sendense(&["vm", "discover"]).arg(self.vms()).run();
    }

    /// Backs up a VM and says under which id.
    #[track_caller]
    fn back_up(&self, vm: &str) -> String {
        text(&self.json(&["backup", "start", vm, "--wait"])["backup_id"])
    }

    /// Opens a disk of a backup and says under which id.
    #[track_caller]
    fn mount(&self, backup: &str, disk: usize) -> String {
        text(&self.json(&["restore", "mount", backup, "--disk", &disk.to_string()])["mount_id"])
    }

    /// The QCOW2 files of a backup, in disk order.
    #[track_caller]
    fn images_of(&self, backup: &str) -> Vec<PathBuf> {
        let backup = self.json(&["backup", "show", backup]);
        let disks = backup["disks"]
            .as_array()
            .expect("a backup lists its disks");
        disks
            .iter()
            .map(|disk| PathBuf::from(text(&disk["qcow2_path"])))
            .collect()
    }

    /// Each image of the backup is sound and identical to its source.
    #[track_caller]
    fn judge_images(&self, backup: &str, sources: &[(&Path, &str)]) {
        let images = self.images_of(backup);
        assert_eq!(
            images.len(),
            sources.len(),
            "one image per disk: {images:?}"
        );
        for (image, (source, format)) in images.iter().zip(sources) {
            qemu_img_check(image);
            qemu_img_compare(source, format, image, "qcow2");
        }
    }

    /// Restores one file under this name and says where it is.
    #[track_caller]
    fn get(&self, mount: &str, path: &str, name: &str) -> PathBuf {
        self.sendense(&["restore", "get", mount, path, "-o", name])
            .run();
        self.out().join(name)
    }
}

/// A JSON string.
#[track_caller]
fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}

/// A command that must fail in words for people: exit code set, nothing on standard output, no panic, no jargon.
#[track_caller]
fn refused(tool: Tool) -> String {
    let outcome = tool.outcome();
    let code = outcome.code.unwrap_or_else(|| panic!("{outcome}"));
    assert!(
        code != 0 && code != 101,
        "the exit code says that it failed, and not by a panic: {outcome}"
    );
    assert!(
        outcome.stdout.is_empty(),
        "results go to standard output, errors do not: {outcome}"
    );
    let words = outcome.error_text();
    assert!(
        words.split_whitespace().count() >= 3,
        "the error is a sentence: {outcome}"
    );
    for jargon in [
        "panicked",
        "RUST_BACKTRACE",
        "Err(",
        "Error {",
        "Some(",
        "Os {",
    ] {
        assert!(
            !words.contains(jargon),
            "`{jargon}` is not for people: {outcome}"
        );
    }
    words
}
