//! Machines that boot from a recovery point at once, in QEMU without any help of the processor's.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use sendense_tests::{Kernel, Outcome, bootable_disk, set_line, tool, until, written};
use serde_json::{Value, json};

use super::{Site, text};

/// The machine is up for ten seconds, on a computer that has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(240);

impl Site {
    /// Makes a machine of a recovery point from the terminal.
    #[track_caller]
    fn start(&self, backup_id: &str, folder: &Path) -> Value {
        self.hub
            .sendense()
            .args(["restore", "start", backup_id, "--json", "-o"])
            .arg(folder)
            .run()
            .json()
    }
}

/// Boots a machine until it turns itself off.
#[track_caller]
fn boot(machine: &Value) -> Outcome {
    tool(text(&machine["definition"]))
        .env("QEMU_ACCEL", "-accel tcg")
        .args(["-display", "none", "-serial", "stdio", "-no-reboot"])
        .limit(PATIENCE)
        .run()
}

#[test]
fn a_machine_boots_from_a_point_at_once_and_the_repository_stays_as_it_is() {
    let Some(kernel) = Kernel::of_the_system() else {
        return;
    };
    let site = Site::with_vm(|vm| bootable_disk(&kernel, &vm.join("disk0.raw"), "the first line"));
    let disk = site.folder.path().join("vms/restore/disk0.raw");
    set_line(&disk, "the second line");
    let second = site.incremental();
    let before = site.repository();
    let folders = ["one", "it's, two"].map(|name| site.folder.path().join("out").join(name));

    let machine = site.start(&second, &folders[1]);
    let assumed = machine["assumed"].to_string();
    assert!(assumed.contains("memory is not known"), "{assumed}");
    assert!(assumed.contains("no network"), "{assumed}");
    let overlay = folders[1].join("disk0.qcow2");
    assert!(
        overlay.metadata().unwrap().len() < 1 << 20,
        "nothing is copied"
    );
    let ran = boot(&machine);
    assert!(ran.text().contains("the second line"), "{ran}");

    // What it wrote is on its own disk, and nowhere else.
    let raw = site.folder.path().join("out/raw");
    let flatten = |from: &Path| {
        tool("qemu-img")
            .args(["convert", "-O", "raw"])
            .args([from, &raw])
            .run();
        written(&raw)
    };
    assert_eq!(flatten(&overlay).as_deref(), Some("the machine was here\n"));
    assert_eq!(site.repository(), before);
    assert_eq!(written(&disk), None);

    // The point and the one that it builds on are held, also after a restart.
    let Site {
        hub,
        folder,
        backup_id,
    } = site;
    let data = hub.data().to_path_buf();
    hub.stop();
    let hub = sendense_tests::Hub::start(&data);
    let site = Site {
        hub,
        folder,
        backup_id,
    };
    let listed = site
        .hub
        .sendense()
        .args(["restore", "live", "--json"])
        .run()
        .json();
    let id = text(&machine["id"]);
    assert_eq!(listed["machines"][0]["id"], id.as_str());
    assert_eq!(listed["machines"][0]["backup_id"], second.as_str());
    for path in [
        format!("/backups/{second}"),
        format!("/backups/{}?with_dependents=true", site.backup_id),
    ] {
        let refused = site.hub.api().delete(&path);
        assert_eq!(refused.status, 409, "{refused:?}");
    }
    assert_eq!(
        site.hub.api().delete(&format!("/backups/{second}")).json()["code"],
        "held_by_live_machine"
    );
    assert_eq!(site.repository(), before);

    // An older point boots beside it.
    let first = site.start(&site.backup_id, &folders[0]);
    let ran = boot(&first);
    assert!(ran.text().contains("the first line"), "{ran}");
    assert_eq!(site.repository(), before);

    // While QEMU has a disk open, its point is not let go.
    let mut held = tool("qemu-io").args(["-f", "qcow2"]).arg(&overlay).spawn();
    let stop = |id: &str, more: &[&str]| {
        let command = site.hub.sendense().args(["restore", "stop", id]);
        command.args(more).outcome()
    };
    until("the lock", PATIENCE, || {
        let info = tool("qemu-img").arg("info").arg(&overlay).outcome();
        (info.code != Some(0)).then_some(())
    });
    let refused = stop(&id, &["--discard"]);
    assert_eq!(refused.code, Some(6), "{refused}");
    assert!(refused.error_text().contains("is running"), "{refused}");
    assert!(overlay.exists());
    drop(held.stdin.take());
    held.wait().unwrap();
    let stopped = stop(&id, &[]);
    assert_eq!(stopped.code, Some(0), "{stopped}");
    assert!(overlay.exists(), "what it wrote stays");
    let stopped = stop(&text(&first["id"]), &["--discard"]);
    assert_eq!(stopped.code, Some(0), "{stopped}");
    assert!(!folders[0].exists());
    assert_eq!(stop(&id, &[]).code, Some(3), "it is gone");
    site.hub.api().delete(&format!("/backups/{second}")).ok();
}

#[test]
fn a_machine_is_made_in_a_folder_of_its_own_or_not_at_all() {
    let site = Site::with_vm(|vm| fs::write(vm.join("disk0.raw"), [7; 1 << 20]).unwrap());
    let out = site.folder.path().join("out");
    fs::create_dir(out.join("full")).unwrap();
    fs::write(out.join("full/file"), "mine").unwrap();
    let repository = site.hub.data().join("repository");
    let ask = |folder: PathBuf| {
        let body = json!({ "backup_id": site.backup_id, "folder": folder });
        site.hub.api().post("/restore/live-machines", &body)
    };
    for folder in [
        out.join("full"),
        out.join("full/file"),
        PathBuf::from("relative"),
        repository.join("inside"),
    ] {
        let refused = ask(folder);
        assert_eq!(refused.status, 400, "{refused:?}");
        assert_eq!(refused.json()["code"], "live_folder");
    }
    assert_eq!(fs::read(out.join("full/file")).unwrap(), b"mine");
    let body = json!({ "backup_id": "nothing", "folder": out.join("new") });
    assert_eq!(
        site.hub.api().post("/restore/live-machines", &body).status,
        404
    );
    assert!(!out.join("new").exists());
    let machines = site.hub.api().get("/restore/live-machines").ok();
    assert_eq!(machines["machines"], json!([]));

    let body = json!({ "backup_id": site.backup_id, "folder": out.join("a & b"), "definition": "libvirt" });
    let machine = site.hub.api().post("/restore/live-machines", &body).ok();
    let domain = fs::read_to_string(text(&machine["definition"])).unwrap();
    assert!(domain.contains("a &amp; b/disk0.qcow2"), "{domain}");
    tool("qemu-img")
        .args(["compare", "-f", "qcow2", "-F", "raw"])
        .arg(out.join("a & b/disk0.qcow2"))
        .arg(site.folder.path().join("vms/restore/disk0.raw"))
        .run();
}
