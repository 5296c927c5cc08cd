//! Repositories that outlive their hub: a lost database, a disk that moves, a chain in a second repository.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sendense_tests::{qemu_img_check, qemu_img_compare, seed, temp_dir, tool};
use serde_json::Value;

use super::{Random, cli, image_of, new_disk, scribble};

/// A VM with a chain of three points, and its disk at each of them.
struct Shelf {
    folder: tempfile::TempDir,
    disk: File,
    source: PathBuf,
    random: Random,
    points: Vec<(Value, PathBuf)>,
}

impl Shelf {
    fn new() -> Self {
        let folder = temp_dir();
        let (source, disk) = new_disk(folder.path());
        disk.set_len((6 << 20) + 512).unwrap();
        let mut shelf = Self {
            folder,
            disk,
            source,
            random: Random(seed() | 1),
            points: Vec::new(),
        };
        shelf.run(&["vm", "discover", "vms"]);
        for kind in ["full", "incremental", "incremental"] {
            shelf.back_up(kind);
        }
        shelf
    }

    fn run(&self, arguments: &[&str]) -> Value {
        cli(self.folder.path(), arguments).run().json()
    }

    fn back_up(&mut self, kind: &str) {
        scribble(&self.disk, &mut self.random);
        let backup = self.run(&[
            "backup",
            "start",
            "vm",
            "--type",
            kind,
            "--verify",
            "--wait",
            "--repository",
            "local",
        ]);
        let kept = self
            .folder
            .path()
            .join(format!("kept-{}", self.points.len()));
        tool("cp")
            .args(["--sparse=always", "--reflink=auto"])
            .args([&self.source, &kept])
            .run();
        self.points.push((backup, kept));
    }

    fn id(&self, point: usize) -> &str {
        self.points[point].0["backup_id"].as_str().unwrap()
    }

    /// Every point that the hub has in that repository is what it was; says how many there are.
    #[track_caller]
    fn check(&self, repository: &str) -> usize {
        let chain = self.run(&["backup", "chain", "vm", "--repository", repository]);
        let links = chain["chain"].as_array().unwrap();
        for (link, (_, kept)) in links.iter().zip(&self.points) {
            let shown = self.run(&["backup", "show", link["backup_id"].as_str().unwrap()]);
            let image = image_of(&shown);
            qemu_img_check(&image);
            qemu_img_compare(kept, "raw", &image, "qcow2");
        }
        links.len()
    }
}

fn forget_everything(data: &Path) {
    for name in ["hub.db", "hub.db-wal", "hub.db-shm"] {
        match fs::remove_file(data.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
    }
}

#[test]
fn chain_a_lost_database_is_rebuilt_by_one_command_and_the_chain_goes_on() {
    let mut shelf = Shelf::new();
    forget_everything(&shelf.folder.path().join("data"));
    let listed = shelf.run(&["repository", "list"]);
    let problems = listed["repositories"][0]["problems"].as_array().unwrap();
    assert!(
        problems
            .iter()
            .any(|it| it["problem"].as_str().unwrap().contains("rescan")),
        "{listed}"
    );
    let found = shelf.run(&["hub", "rescan", "data/repository"]);
    assert_eq!(
        found["adopted_backups"].as_array().unwrap().len(),
        3,
        "{found}"
    );
    assert_eq!(shelf.check("local"), 3);
    shelf.back_up("incremental");
    assert_eq!(shelf.points[3].0["backup_type"], "incremental");
    assert_eq!(shelf.check("local"), 4);
    let mount = shelf.run(&["backup", "verify", shelf.id(3)]);
    assert_eq!(mount["status"], "sound");
}

#[test]
fn chain_a_copied_chain_is_byte_for_byte_the_same_and_stands_alone() {
    let shelf = Shelf::new();
    let tested = cli(
        shelf.folder.path(),
        &["repository", "test", "vms/vm/disk.raw"],
    )
    .outcome();
    assert_eq!(tested.code, Some(1), "a file is no folder: {tested}");
    shelf.run(&["repository", "test", "second"]);
    let second = shelf.run(&["repository", "add", "second", "second"]);
    let copied = shelf.run(&["repository", "copy", shelf.id(2), "--to", "second"]);
    assert_eq!(copied["status"], "completed", "{copied}");
    assert_eq!(shelf.check("second"), 3);
    let cancel = ["repository", "cancel-copy", shelf.id(2), "--to", "second"];
    let over = cli(shelf.folder.path(), &cancel).outcome();
    assert_eq!(over.code, Some(6), "it is over: {over}");

    let kept = cli(shelf.folder.path(), &["repository", "delete", "second"]).outcome();
    assert_eq!(kept.code, Some(6), "there are backups in it: {kept}");
    shelf.run(&["backup", "delete", shelf.id(0), "--with-dependents"]);
    assert_eq!(shelf.check("local"), 0);
    assert_eq!(shelf.check("second"), 3);

    // The disk with it goes to another computer.
    let elsewhere = shelf.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(shelf.folder.path().join("second"), elsewhere.join("disk")).unwrap();
    let away = shelf.run(&["repository", "list"]);
    let row = away["repositories"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["id"] == second["id"]);
    assert_eq!(row.unwrap()["is_connected"], false, "{away}");
    let another = cli(&elsewhere, &["hub", "rescan", "disk"]).run().json();
    assert_eq!(another["adopted_backups"].as_array().unwrap().len(), 3);
    for (id, (_, kept)) in another["adopted_backups"]
        .as_array()
        .unwrap()
        .iter()
        .zip(&shelf.points)
    {
        let shown = cli(&elsewhere, &["backup", "show", id.as_str().unwrap()])
            .run()
            .json();
        qemu_img_compare(kept, "raw", &image_of(&shown), "qcow2");
    }
}
