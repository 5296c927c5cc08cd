//! What a full restore does not do: write over anything, write where the hub keeps its own, restore what is damaged,
//! and let go of a recovery point that it reads.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use sendense_tests::{Hub, until};
use serde_json::json;

use super::{FORMATS, Kept, assert_restored, names, words};

#[test]
fn full_restore_of_a_damaged_backup_names_the_place_and_leaves_nothing() {
    let mut kept = Kept::new(40 << 20);
    kept.fill(0, 20);
    let id = kept.back_up();
    let image = kept.image(&id);
    let file = File::options().read(true).write(true).open(&image).unwrap();
    let length = file.metadata().unwrap().len();
    let mut byte = [0];
    file.read_exact_at(&mut byte, length - (1 << 20)).unwrap();
    file.write_all_at(&[byte[0] ^ 1], length - (1 << 20))
        .unwrap();
    for (word, _, _) in FORMATS {
        let target = kept.target(word);
        let folder = target.to_str().unwrap();
        let args = ["restore", "vm", &id, "-o", folder, "--format", word];
        let outcome = kept.command(&args).outcome();
        let words = words(&outcome);
        assert!(
            words.contains("at byte") && words.contains("disk 0"),
            "{outcome}"
        );
        assert_eq!(names(&target), [""; 0], "{word}");
    }
    // A chain that builds on what is damaged is damaged too, and a file that is cut off.
    file.set_len(length / 2).unwrap();
    let target = kept.target("cut");
    let outcome = kept.command(&["restore", "vm", &id, "-o", "cut"]).outcome();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert_eq!(names(&target), [""; 0]);
}

#[test]
fn full_restore_without_a_map_restores_and_says_that_nothing_could_be_compared() {
    let kept = Kept::with_points((20 << 20) + 512, 2);
    let (id, source) = kept.points.last().unwrap();
    fs::remove_file(kept.image(id).with_extension("map")).unwrap();
    for (word, format, extension) in FORMATS {
        let target = kept.target(word);
        let folder = target.to_str().unwrap();
        let restored = kept.run(&["restore", "vm", id, "-o", folder, "--format", word]);
        let remark = restored["remarks"][0].as_str().unwrap();
        assert!(remark.contains("could not be compared"), "{restored}");
        assert_restored(&target.join(format!("vm.{extension}")), format, source);
    }
}

#[test]
fn full_restore_writes_over_nothing_and_not_where_the_hub_keeps_its_own() {
    let kept = Kept::with_points(2 << 20, 1);
    let id = &kept.points[0].0;
    let target = kept.target("target");
    fs::write(target.join("vm.qcow2"), "precious").unwrap();
    std::os::unix::fs::symlink("/nowhere", target.join("vm.vdi")).unwrap();
    fs::create_dir(target.join("vm.raw")).unwrap();
    for format in ["qcow2", "vdi", "raw"] {
        let args = ["restore", "vm", id, "-o", "target", "--format", format];
        let outcome = kept.command(&args).outcome();
        assert_eq!(outcome.code, Some(6), "{outcome}");
    }
    assert_eq!(fs::read(target.join("vm.qcow2")).unwrap(), b"precious");
    fs::write(target.join("file"), "").unwrap();
    fs::create_dir(kept.path("data/deep")).unwrap();
    std::os::unix::fs::symlink(kept.path("data"), kept.path("link")).unwrap();
    for (folder, code) in [
        ("missing", 3),
        ("target/file", 1),
        ("data", 1),
        ("data/deep", 1),
        ("data/repository", 1),
        ("link", 1),
    ] {
        let args = ["restore", "vm", id, "-o", folder];
        let outcome = kept.command(&args).outcome();
        assert_eq!(outcome.code, Some(code), "{folder}: {outcome}");
    }
    // No machine of that kind could run from it.
    for (format, definition) in [
        ("vhdx", "libvirt"),
        ("qcow2", "virtualbox"),
        ("vmdk-stream", "vmware"),
    ] {
        let outcome = kept
            .command(&["restore", "vm", id, "-o", "target", "--format", format])
            .args(["--definition", definition])
            .outcome();
        assert_eq!(outcome.code, Some(1), "{outcome}");
    }
    assert_eq!(names(&target), ["file", "vm.qcow2", "vm.raw", "vm.vdi"]);
}

#[test]
fn full_restore_holds_its_recovery_point_and_one_that_is_cancelled_leaves_nothing() {
    let mut kept = Kept::new(400 << 20);
    kept.fill(0, 300);
    let id = kept.back_up();
    let target = kept.target("target");
    let hub = Hub::start(&kept.path("data"));
    let api = hub.api();
    let order = json!({ "backup_id": id, "folder": target, "format": "vmdk_stream" });
    let plan = api.post("/restore/full/plan", &order).ok();
    assert_eq!(plan["files"], json!([target.join("vm.vmdk")]));
    assert!(
        plan["needed_bytes"].as_u64().unwrap() >= 300 << 20,
        "{plan}"
    );
    assert_eq!(names(&target), [""; 0]);

    let restore = api.post("/restore/full", &order).ok();
    let path = format!("/restore/full/{}", restore["restore_id"].as_str().unwrap());
    until("the restore to begin", Duration::from_secs(60), || {
        let now = api.get(&path).ok();
        (now["status"] == "restoring" && now["done_bytes"] != 0).then_some(())
    });
    let deleted = api.delete(&format!("/backups/{id}"));
    assert_eq!(deleted.status, 409, "{deleted:?}");
    assert_eq!(deleted.json()["code"], "vm_busy");
    let again = api.post("/restore/full", &order);
    assert_eq!(again.status, 409, "{again:?}");
    api.post(&format!("{path}/cancel"), &json!({})).ok();
    let over = until("the restore to end", Duration::from_secs(60), || {
        let now = api.get(&path).ok();
        (now["completed_at"] != json!(null)).then_some(now)
    });
    assert_eq!(over["status"], "cancelled", "{over}");
    assert_eq!(names(&target), [""; 0]);
    let late = api.post(&format!("{path}/cancel"), &json!({}));
    assert_eq!(late.json()["code"], "full_restore_over");
    let unknown = api.get("/restore/full/no-such");
    assert_eq!(unknown.json()["code"], "full_restore_not_found");
    let list = api.get("/restore/full").ok();
    assert_eq!(list["restores"][0]["restore_id"], restore["restore_id"]);
    api.delete(&format!("/backups/{id}")).ok();
    hub.stop();
}

#[test]
fn full_restore_is_not_there_on_a_hub_that_speaks_as_deployed_ones_do() {
    use sendense_core::HubClient;
    use sendense_hub::{Auth, Config, LocalHub, Profile};

    let kept = Kept::with_points(1 << 20, 1);
    let order = sendense_types::FullRestoreOrder {
        backup_id: kept.points[0].0.as_str().into(),
        disk_indexes: Vec::new(),
        folder: kept.target("target").display().to_string(),
        format: sendense_types::ImageFormat::Raw,
        definition: sendense_types::MachineDefinition::None,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (profile, is_offered) in [(Profile::Documented, false), (Profile::Default, true)] {
        let mut config = Config::new(kept.path("data"));
        config.auth = Auth::Off;
        config.profile = profile;
        runtime.block_on(async {
            let hub = LocalHub::start(config).await.unwrap();
            let client = HubClient::new(hub.url(), None).unwrap();
            let offered = client.offered_full_restores().await.unwrap().is_some();
            assert_eq!(offered, is_offered, "{profile:?}");
            let started = client.start_full_restore(&order).await;
            assert_eq!(started.is_ok(), is_offered, "{started:?}");
            if let Err(error) = started {
                assert_eq!(error.kind, sendense_types::ErrorKind::Unsupported);
            }
            hub.stop().await;
        });
    }
}
