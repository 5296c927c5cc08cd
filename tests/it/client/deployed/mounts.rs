//! Mounts on a hub whose list says neither the backup nor the disk of any (contract 3.8, D42).

use std::path::Path;
use std::sync::Arc;
use std::thread;

use sendense_core::{KnownMount, MountRecord, Mounts, WallClock};
use sendense_tests::{Outcome, sendense};
use sendense_types::{BackupId, OpenMount, Opener, Settings};
use tokio::sync::watch;

use super::*;

/// What a computer that keeps its record in a folder sees of the hub's mounts, by disk.
async fn seen_from(folder: &Path, site: &Site) -> Vec<KnownMount> {
    let record = MountRecord::in_folder(Some(folder));
    let mut mounts = record.list(&site.hub, Opener::Window).await.unwrap().open;
    mounts.sort_by_key(|mount| mount.mount.backup_disk_id);
    mounts
}

async fn mount_from(folder: &Path, site: &Site, backup: &BackupId, disk: u32) -> KnownMount {
    let record = MountRecord::in_folder(Some(folder));
    let opened = record.open(&site.hub, backup, disk, Opener::Window).await;
    opened.unwrap()
}

/// Contract D42, H13.
#[tokio::test]
async fn a_computer_tells_its_mounts_apart_and_knows_those_of_others_by_their_disk() {
    let site = Site::open(Hazards::default()).await;
    let backup = site
        .back_up(BackupType::Full, &site.repository().await)
        .await;
    let here = site.folder.path().join("here");
    let there = site.folder.path().join("there");
    for disk in [0, 1] {
        mount_from(&here, &site, &backup.backup_id, disk).await;
    }
    let ours = seen_from(&here, &site).await;
    for (index, mount) in (0..).zip(&ours) {
        assert_eq!(mount.opened_by(), Opener::Window);
        assert_eq!(mount.mount.backup_id.as_ref(), Some(&backup.backup_id));
        assert_eq!(mount.mount.disk_index, Some(index));
        let known = mount.known.as_ref().unwrap();
        assert_eq!(known.vm_name.as_deref(), Some("pgtest1"));
        assert!(known.backup_time.is_some(), "{known:?}");
    }
    for foreign in seen_from(&there, &site).await {
        assert_eq!(foreign.opened_by(), Opener::SomebodyElse);
        assert_eq!((&foreign.known, &foreign.mount.disk_index), (&None, &None));
        assert!(foreign.mount.backup_disk_id.is_some(), "{foreign:?}");
    }

    // The hub shares what is open, and it stays whose it is.
    let shared = mount_from(&there, &site, &backup.backup_id, 1).await;
    assert_eq!(shared.mount.mount_id, ours[1].mount.mount_id);
    assert_eq!(shared.opened_by(), Opener::SomebodyElse);
    let seen = seen_from(&there, &site).await;
    assert_eq!(seen[0].mount.disk_index, None);
    assert_eq!(seen[1].mount.disk_index, Some(1), "it was said once");

    // Ours ends, and the other computer opens the same disk: we know what that is.
    site.hub.unmount(&ours[0].mount.mount_id).await.unwrap();
    mount_from(&there, &site, &backup.backup_id, 0).await;
    let seen = seen_from(&here, &site).await;
    assert_ne!(seen[0].mount.mount_id, ours[0].mount.mount_id);
    assert_eq!(seen[0].opened_by(), Opener::SomebodyElse);
    assert_eq!(seen[0].mount.disk_index, Some(0));
    assert_eq!(seen[1].opened_by(), Opener::Window);

    // Without any mount nothing is left of them.
    for mount in seen {
        site.hub.unmount(&mount.mount.mount_id).await.unwrap();
    }
    seen_from(&here, &site).await;
    let file = std::fs::read_to_string(here.join("mounts.json")).unwrap();
    assert!(!file.contains("pgtest1"), "{file}");
}

/// The app's mounts, as after a start.
async fn start_app(site: &Site, folder: &Path) -> Mounts {
    let events = Events::new();
    let session = session_with(site, &events).await;
    let (_, settings) = watch::channel(Settings::default());
    // Ends are told by the hub's clock, which is that of this computer; nothing here waits for one.
    let clock: WallClock = Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
    let record = MountRecord::in_folder(Some(folder));
    Mounts::new(session, settings, clock, record)
}

/// Waits until the record says where the only mount was left.
async fn left_in(mount: &OpenMount, folder: &str, file: &Path) {
    loop {
        let text = std::fs::read_to_string(file).unwrap();
        if text.contains(folder) && text.contains(mount.mount_id.as_str()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Contract 8.7, H13.
#[tokio::test]
async fn after_a_restart_the_app_goes_on_with_its_mounts_and_leaves_others_alone() {
    const FOLDER: &str = "/partition-2/Recovery";
    let site = Site::open(Hazards::default()).await;
    let backup = site
        .back_up(BackupType::Full, &site.repository().await)
        .await;
    let (here, there) = (site.folder.path().join("here"), site.folder.path());
    let theirs = mount_from(there, &site, &backup.backup_id, 1).await;
    let mounts = start_app(&site, &here).await;
    let ours = mounts.open(&backup.backup_id, 0).await.unwrap();
    mounts.browse(&ours.mount_id, Some(FOLDER.to_owned()));
    left_in(&ours, FOLDER, &here.join("mounts.json")).await;
    drop(mounts);

    let mounts = start_app(&site, &here).await;
    let listed = mounts.list().await.unwrap();
    assert_eq!(listed.len(), 2);
    let again = mounts.known(&ours.mount_id).unwrap();
    assert_eq!(again.vm_name.as_deref(), Some("pgtest1"));
    assert_eq!(again.backup_time, ours.backup_time);
    assert_eq!(again.disk_index, Some(0));
    assert_eq!(again.folder, FOLDER);
    let foreign = mounts.known(&theirs.mount.mount_id).unwrap();
    assert!(foreign.is_somebody_elses(), "{foreign:?}");
    assert_eq!(foreign.vm_name, None);

    // The hub ends it. What comes back is another mount, in the same folder.
    site.hub.unmount(&ours.mount_id).await.unwrap();
    mounts.list().await.unwrap();
    assert!(!mounts.known(&ours.mount_id).unwrap().is_open);
    let new = mounts.remount(&ours.mount_id).await.unwrap();
    assert_ne!(new.mount_id, ours.mount_id);
    assert_eq!(new.folder, FOLDER);

    // Quitting closes what is ours, and only that.
    mounts.close_all_ours().await;
    let left = site.hub.mounts().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].mount_id, theirs.mount.mount_id);
}

/// Contract D42.
#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_says_what_is_mounted_and_by_whom() {
    let site = Site::open(Hazards::default()).await;
    let backup = site
        .back_up(BackupType::Full, &site.repository().await)
        .await;
    let [here, there] = ["here", "there"].map(|name| site.folder.path().join(name));
    let run = |folder: &Path, args: &[&str]| -> Outcome {
        let command = sendense().arg("--data").arg(folder);
        let command = command.args(["--hub", site.deployed.url(), "restore"]);
        command.args(args).run()
    };
    let mount = |disk: &str| {
        let args = ["mount", backup.backup_id.as_str(), "--disk", disk, "--json"];
        run(&here, &args).json()
    };
    // Two at the same time.
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| mount("0"));
        let second = mount("1");
        (first.join().unwrap(), second)
    });
    assert_eq!(first["vm_name"], "pgtest1");
    assert_eq!(second["opened_by"], "terminal");
    let listed = run(&here, &["mounts"]).text();
    assert_eq!(listed.matches("pgtest1").count(), 2, "{listed}");
    assert_eq!(listed.matches("this computer").count(), 2, "{listed}");
    let listed = run(&here, &["mounts", "--json"]).json();
    let mut disks: Vec<_> = listed["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| (&mount["disk_index"], &mount["backup_id"]))
        .collect();
    disks.sort_by_key(|(index, _)| index.as_u64());
    let id = backup.backup_id.as_str();
    assert_eq!(disks, [(&0.into(), &id.into()), (&1.into(), &id.into())]);

    // The window knows them, too.
    let seen = seen_from(&here, &site).await;
    assert!(
        seen.iter()
            .all(|mount| mount.opened_by() == Opener::Terminal),
        "{seen:?}"
    );
    let elsewhere = run(&there, &["mounts"]).text();
    assert_eq!(elsewhere.matches("somebody else").count(), 2, "{elsewhere}");
    let number = first["backup_disk_id"].as_u64().unwrap();
    let disk = format!("hub’s disk no. {number}");
    assert!(elsewhere.contains(&disk), "{elsewhere}");
    let id = first["mount_id"].as_str().unwrap();
    run(&here, &["unmount", id]);
    let listed = run(&here, &["mounts"]).text();
    assert_eq!(listed.matches("pgtest1").count(), 1, "{listed}");
}
