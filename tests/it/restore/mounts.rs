//! Mounting, browsing and unmounting.

use std::fs;

use sendense_tests::{Hub, tool};
use serde_json::{Value, json};

use super::{Site, encoded, ext4, luks, odd_tree, partitioned, text};

/// FAT, LUKS and ext4 on one disk; nothing readable on the next.
fn site() -> Site {
    Site::with_vm(|vm| {
        let parts = vm.parent().unwrap().parent().unwrap().join("parts");
        let tree = parts.join("tree");
        fs::create_dir_all(tree.join("Recovery/WindowsRE")).unwrap();
        fs::write(tree.join("Recovery/WindowsRE/ReAgent.xml"), "<xml/>").unwrap();
        odd_tree(&tree);
        let [fat, luks_image, ext4_image] = ["fat", "luks", "ext4"].map(|name| parts.join(name));
        fs::File::create(&fat)
            .and_then(|file| file.set_len(8 << 20))
            .unwrap();
        tool("mkfs.fat").args(["-n", "BOOT"]).arg(&fat).run();
        luks(&luks_image, 2 << 20);
        ext4(&tree, &ext4_image, "64M");
        partitioned(&vm.join("disk0.raw"), &[&fat, &luks_image, &ext4_image]);
        luks(&vm.join("disk1.raw"), 4 << 20);
    })
}

fn names(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| text(&row["name"])).collect()
}

#[test]
fn a_disk_is_mounted_browsed_and_unmounted_as_documented() {
    let site = site();
    let mount = site.ask_mount(0).ok();
    let keys: Vec<_> = mount.as_object().unwrap().keys().cloned().collect();
    let mut documented = [
        "mount_id",
        "backup_id",
        "backup_disk_id",
        "disk_index",
        "mount_path",
        "nbd_device",
        "filesystem_type",
        "status",
        "created_at",
        "expires_at",
    ];
    documented.sort_unstable();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, documented, "{keys:?}");
    assert_eq!(mount["filesystem_type"], "ext4", "of the largest volume");
    assert_eq!(mount["status"], "mounted");
    assert!(mount["backup_disk_id"].is_i64(), "{mount}");
    let mount_id = text(&mount["mount_id"]);
    assert_eq!(site.mount(0), mount_id, "one mount for each disk");

    let roots = site.list(&mount_id, "/");
    assert_eq!(
        names(&roots),
        [
            "Partition 1 - BOOT (8.0 MB)",
            "Partition 2 (2.0 MB)",
            "Partition 3 - DATA (64.0 MB)"
        ]
    );
    assert!(
        text(&roots[1]["unreadable"]).contains("LUKS"),
        "{}",
        roots[1]
    );
    assert_eq!(roots[2]["path"], "/partition-3");
    for folder in ["/partition-3/Recovery/WindowsRE", "/Recovery/WindowsRE"] {
        let rows = site.list(&mount_id, folder);
        assert_eq!(names(&rows), ["ReAgent.xml"]);
        assert_eq!(rows[0]["path"], format!("{folder}/ReAgent.xml"));
        assert_eq!(rows[0]["size"], 6);
        assert_eq!(rows[0]["type"], "file");
    }
    let locked = site
        .hub
        .api()
        .get(&format!("/restore/{mount_id}/files?path=/partition-2"));
    assert_eq!(locked.status, 422, "{locked:?}");
    assert!(text(&locked.json()["error"]).contains("LUKS"), "{locked:?}");

    let mounts = site.hub.api().get("/restore/mounts").ok();
    assert_eq!(mounts["count"], 1);
    assert_eq!(mounts["mounts"][0]["backup_id"], site.backup_id.as_str());
    let unmounted = site.hub.api().delete(&format!("/restore/{mount_id}")).ok();
    assert_eq!(
        unmounted,
        json!({ "message": "backup unmounted successfully", "mount_id": mount_id })
    );
    for gone in [
        site.hub.api().delete(&format!("/restore/{mount_id}")),
        site.hub
            .api()
            .get(&format!("/restore/{mount_id}/files?path=/")),
    ] {
        assert_eq!(gone.status, 404);
        assert!(
            text(&gone.json()["error"]).contains("mount not found"),
            "{gone:?}"
        );
    }
}

#[test]
fn what_cannot_be_mounted_is_refused_in_words_and_leaves_nothing() {
    let site = site();
    let unreadable = site.ask_mount(1);
    assert_eq!(unreadable.status, 422, "{unreadable:?}");
    assert_eq!(unreadable.json()["error"], "no mountable partitions found");
    assert!(
        text(&unreadable.json()["details"]).contains("LUKS"),
        "{unreadable:?}"
    );
    let absent = site.ask_mount(5);
    assert_eq!(absent.status, 404);
    assert_eq!(
        absent.json()["error"],
        format!("disk not found: backup_id={}, disk_index=5", site.backup_id)
    );
    for body in [
        json!({ "disk_index": 0 }),
        json!({ "backup_id": site.backup_id, "disk_index": -1 }),
        json!({ "backup_id": site.backup_id, "disk_index": 0.5 }),
        json!({ "backup_id": site.backup_id, "disk_index": "0" }),
        json!([]),
    ] {
        let answer = site.hub.api().post("/restore/mount", &body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
    for body in [
        json!({ "backup_id": site.backup_id }),
        json!({ "backup_id": site.backup_id, "disk_index": null }),
    ] {
        assert_eq!(
            site.hub.api().post("/restore/mount", &body).ok()["disk_index"],
            0
        );
    }
    assert_eq!(site.hub.api().get("/restore/mounts").ok()["count"], 1);
}

#[test]
fn links_and_special_files_are_shown_for_what_they_are() {
    let site = site();
    let mount_id = site.mount(0);
    let rows = site.list(&mount_id, "/partition-3");
    let row = |name: &str| {
        rows.iter()
            .find(|row| row["name"] == name)
            .unwrap_or_else(|| panic!("{name} is not listed"))
    };
    assert_eq!(row("absolute")["is_symlink"], true);
    assert_eq!(row("absolute")["symlink_target"], "/etc/passwd");
    assert!(text(&row("pipe")["unreadable"]).contains("named pipe"));
    assert_eq!(row("plain.txt")["modified_time"], "2001-02-03T04:05:06Z");
    for name in [
        "link",
        "absolute",
        "upwards",
        "dangling",
        "to-folder",
        "pipe",
    ] {
        let url = format!("/restore/{mount_id}/download?path=/partition-3/{name}");
        let answer = site.hub.api().get(&url);
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        let words = text(&answer.json()["error"]);
        assert!(words.contains("not a regular file"), "{words}");
        if name == "absolute" {
            assert!(
                words.contains("/etc/passwd"),
                "the target is named: {words}"
            );
        }
    }
    for row in &rows {
        let path = text(&row["path"]);
        let url = format!("/restore/{mount_id}/file-info?path={}", encoded(&path));
        let info = site.hub.api().get(&url).ok();
        assert_eq!(&info, row, "the row of a list and of the entry itself");
    }
}

#[test]
fn a_mount_survives_the_death_of_the_hub_but_not_the_loss_of_the_image() {
    let mut site = site();
    let mount_id = site.mount(0);
    let data = site.hub.data().to_path_buf();
    site.hub.kill();
    site.hub = Hub::start(&data);
    assert_eq!(site.file(&mount_id, "/plain.txt"), b"plain\n");

    let images = tool("find")
        .arg(&data)
        .args(["-name", "*.qcow2", "-delete", "-print"])
        .run();
    assert!(images.text().lines().count() >= 2, "{images}");
    assert_eq!(
        site.file(&mount_id, "/plain.txt"),
        b"plain\n",
        "an open image stays readable"
    );
    site.hub.kill();
    site.hub = Hub::start(&data);
    let gone = site
        .hub
        .api()
        .get(&format!("/restore/{mount_id}/files?path=/"));
    assert_eq!(gone.status, 404, "{gone:?}");
    assert!(
        text(&gone.json()["error"]).contains("QCOW2 file does not exist"),
        "{gone:?}"
    );
    assert_eq!(site.ask_mount(1).status, 404);
}
