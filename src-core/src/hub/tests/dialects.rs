//! What the two dialects say differently, one row of the contract after another, against a hub of a few lines.

use sendense_types::{Backup, BackupStatus, MountSlots};
use serde_json::{Value, json as document};

use super::*;
use crate::hub::{Proof, failure_of};

/// A hub that answers to who reads as [`well`] does, unless `said` has something else for the line.
async fn hub(said: impl Fn(&str) -> Option<String> + Send + 'static) -> (FakeHub, HubClient) {
    let fake = FakeHub::start(move |line| said(line).unwrap_or_else(|| well(line))).await;
    let client = HubClient::new(&fake.address, None).unwrap();
    (fake, client)
}

fn not_offered() -> String {
    json(404, "", "404 page not found\n")
}

fn ok(body: &Value) -> Option<String> {
    Some(json(200, "", &body.to_string()))
}

/// Contract D1.
#[tokio::test]
async fn health_is_found_where_only_documented_hubs_have_it() {
    let (fake, client) = hub(|line| (line == "GET /health").then(not_offered)).await;
    client.health().await.unwrap();
    assert_eq!(fake.asked(), ["GET /health", "GET /api/v1/health"]);
}

/// Contract D4.
#[tokio::test]
async fn a_refused_sign_in_says_why_in_the_words_of_either_dialect() {
    for name in ["error", "error_message"] {
        let (_fake, client) = hub(move |line| {
            let refusal = document!({ "success": false, name: "account is locked until noon" });
            let is_refused = !line.starts_with("GET /health");
            is_refused.then(|| json(401, "", &refusal.to_string()))
        })
        .await;
        let error = client.sign_in("ada", "horse").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorized);
        let said = error.details.unwrap_or(error.message);
        assert!(said.contains("account is locked until noon"), "{said}");
    }
}

/// Contract D12.
#[tokio::test]
async fn disks_are_asked_for_by_id_and_only_where_that_gives_none_by_name() {
    const BY_ID: &str = "GET /api/v1/vm-contexts/ctx-a/disks";
    const BY_NAME: &str = "GET /api/v1/vm-contexts/a/disks";
    let disks = document!({ "disks": [{ "disk_index": 0, "size_gb": 5 }] });
    for (is_deployed, asked) in [(true, vec![BY_ID]), (false, vec![BY_ID, BY_NAME])] {
        let disks = disks.clone();
        let (fake, client) = hub(move |line| match line {
            BY_ID if !is_deployed => ok(&document!({ "disks": [] })),
            _ => ok(&disks),
        })
        .await;
        assert_eq!(client.vm_disks(&vm()).await.unwrap().len(), 1);
        assert_eq!(fake.asked(), asked);
    }
}

/// Contract D28, H2.
#[tokio::test]
async fn backups_are_listed_by_the_id_of_their_vm() {
    let (fake, client) = hub(|_| None).await;
    client.backups(&vm()).await.unwrap();
    let asked = fake.asked();
    assert!(asked[0].contains("vm_context_id=ctx-a"), "{asked:?}");
}

/// Contract H2.
#[tokio::test]
async fn a_backup_of_a_vm_that_a_deployed_hub_does_not_have_is_not_begun() {
    let (fake, client) = hub(|line| match line {
        _ if line.contains("/vm-contexts") => ok(&document!({ "vm_contexts": [], "count": 0 })),
        _ if line.contains("/backups?") => ok(&document!({ "backups": [{ "backup_id": "old",
            "vm_name": "a", "status": "completed", "backup_type": "full", "disks_count": 1 }], "total": 1 })),
        _ => None,
    })
    .await;
    let (vm, repository) = (vm(), RepositoryId::from("r"));
    let started = client.start_backup(&vm, &repository, BackupType::Full, false);
    let error = started.await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, words::failures::vm_not_found());
    let asked = fake.asked();
    assert!(
        !asked.iter().any(|line| line.starts_with("POST")),
        "{asked:?}"
    );
}

/// Contract D35.
#[tokio::test]
async fn a_hub_without_change_ids_offers_no_proof() {
    let (_fake, client) = hub(|line| line.contains("changeid").then(not_offered)).await;
    let backup: Backup = client.backup(&BackupId::from("b")).await.unwrap();
    assert_eq!(client.proof_of(&backup).await, Proof::NotOffered);
}

/// Contract D38.
#[tokio::test]
async fn a_mount_names_its_disk_also_the_first() {
    let (fake, client) = hub(|_| ok(&document!({ "mount_id": "m", "status": "mounted" }))).await;
    client.mount(&BackupId::from("b"), 0).await.unwrap();
    let sent: Value = serde_json::from_str(&fake.sent()[0]).unwrap();
    assert_eq!(sent, document!({ "backup_id": "b", "disk_index": 0 }));
}

/// Contract D64, H12.
#[tokio::test]
async fn a_backup_stays_where_a_hub_would_lose_what_builds_on_it_or_is_mounted_of_it() {
    let (fake, client) = hub(|_| None).await;
    let deleted = client.delete_backup(&BackupId::from("b"), true).await;
    assert_eq!(deleted.unwrap_err().kind, ErrorKind::Unsupported);
    assert_eq!(fake.asked(), ["GET /api/v1/backups/b"]);
}

/// Contract H33.
#[tokio::test]
async fn a_new_repository_is_said_to_be_enabled_and_free_of_rules_that_nobody_asked_for() {
    let added = document!({ "id": "r", "name": "Vault", "type": "local", "enabled": true });
    let (fake, client) = hub(move |_| ok(&added)).await;
    let place = RepositoryPlace::Folder {
        path: "/srv/backups".to_owned(),
    };
    client.create_repository("Vault", &place).await.unwrap();
    let sent: Value = serde_json::from_str(&fake.sent()[0]).unwrap();
    assert_eq!(sent["enabled"], true);
    assert_eq!(sent["is_immutable"], false);
    assert_eq!(sent["min_retention_days"], 0);
}

/// Section 12.9.
#[tokio::test]
async fn a_hubs_own_words_for_a_backup_that_it_has_given_up_are_kept() {
    const WORDS: &str = "Job stalled - no telemetry for 5 minutes";
    let said = document!({ "backup_id": "b", "vm_name": "a", "status": "failed",
        "backup_type": "full", "error_message": WORDS });
    let (_fake, client) = hub(move |_| ok(&said)).await;
    let backup = client.backup(&BackupId::from("b")).await.unwrap();
    let failure = failure_of(&backup).unwrap();
    let told = format!("{} {:?}", failure.message, failure.details);
    assert!(told.contains("no telemetry for 5 minutes"), "{failure:?}");
}

/// Contract D56.
#[tokio::test]
async fn details_of_a_file_come_from_its_folder_where_they_are_not_offered() {
    let (fake, client) = hub(|line| match line {
        _ if line.contains("file-info") => Some(not_offered()),
        _ => ok(&document!({ "files": [
            { "name": "b", "path": "/partition-1/a/b", "type": "file", "size": 1 },
            { "name": "c", "path": "/partition-1/a/c", "type": "file", "size": 2 },
        ] })),
    })
    .await;
    let mount = MountId::from("m");
    let file = client.file(&mount, "/partition-1/a/c").await.unwrap();
    assert_eq!(file.size, Some(2));
    let listed = fake.asked().pop().unwrap();
    assert!(
        listed.ends_with("/files?path=%2Fpartition-1%2Fa"),
        "{listed}"
    );
    let missing = client.file(&mount, "/partition-1/a/d").await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::NotFound);
}

/// Contract D61.
#[tokio::test]
async fn a_mount_may_say_no_filesystem() {
    for said in [document!(""), Value::Null] {
        let (_fake, client) = hub(move |_| {
            ok(&document!({ "mount_id": "m", "status": "mounted", "filesystem_type": said }))
        })
        .await;
        let mount = client.mount(&BackupId::from("b"), 0).await.unwrap();
        assert_eq!(mount.filesystem_type, None);
    }
}

/// Contract D56, D62.
#[tokio::test]
async fn a_hub_says_how_many_mounts_are_in_use_or_nothing() {
    // As a deployed hub says it: everybody's mounts count.
    let said = document!({ "active_mounts": 7, "max_mounts": 8, "available_slots": 1,
        "allocated_devices": null, "available_devices": 8, "device_utilization_percent": 87.5 });
    let (_fake, client) = hub(move |_| ok(&said)).await;
    let slots = client.mount_slots().await.unwrap();
    assert_eq!(slots, Some(MountSlots { used: 7, most: 8 }));
    for answer in [not_offered(), json(200, "", "{}")] {
        let (_fake, client) = hub(move |_| Some(answer.clone())).await;
        assert_eq!(client.mount_slots().await.unwrap(), None);
    }
}

/// Contract H11, section 12.7.
#[tokio::test]
async fn what_a_failed_mount_left_behind_is_told_from_a_name_that_is_taken_and_tried_once_more() {
    const REFUSED: &str = "failed to create mount record: Error 1062 (23000): Duplicate entry '/dev/nbd3' for key \
         'uk_nbd_device'";
    let _clock = StoppedClock::new();
    let refused = document!({ "error": REFUSED }).to_string();
    let (fake, client) = hub(move |_| Some(json(500, "", &refused))).await;
    let asking = client.clone();
    let asking = AbortOnDropHandle::new(tokio::spawn(async move {
        asking.mount(&BackupId::from("b"), 0).await
    }));
    fake.asked_times(1).await;
    settle().await;
    assert!(!asking.is_finished(), "it is tried again");
    advance(Duration::from_secs(3)).await;
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(fake.asked().len(), 2);
    assert_eq!(error.message, words::failures::leftover_mount());
    let hint = error.hint.unwrap();
    assert_eq!(hint, words::failures::leftover_mount_hint());
    assert!(error.details.unwrap().contains("/dev/nbd3"));
}

/// Contract H6, section 12.14.
#[tokio::test]
async fn a_name_that_is_too_long_is_refused_in_words_and_not_for_want_of_room() {
    const REFUSED: &str = "failed to create backup: Error 1406 (22001): Data too long for column 'backup_id' at row 1";
    let refused = document!({ "error": "internal error", "details": REFUSED }).to_string();
    let (fake, client) =
        hub(move |line| line.starts_with("POST").then(|| json(500, "", &refused))).await;
    let repository = RepositoryId::from("r");
    let started = client
        .start_backup(&vm(), &repository, BackupType::Full, false)
        .await;
    let error = started.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert_eq!(error.message, words::failures::name_too_long());
    let mut starts = fake.asked();
    starts.retain(|line| line.starts_with("POST"));
    assert_eq!(starts.len(), 1);
}

/// Contract H6.
#[tokio::test]
async fn a_name_that_is_too_long_for_a_backup_is_told_when_the_vm_is_found() {
    let [fits, is_too_long] = [35, 36].map(|length| "ü".repeat(length));
    let found = document!({ "discovered_vms": [{ "name": fits }, { "name": is_too_long }] });
    let (_fake, client) = hub(move |_| ok(&found)).await;
    let source = VmSource::Vcenter { credential_id: 1 };
    let found = client.discover_vms(&source).await.unwrap();
    assert_eq!(found[0].problem, None);
    assert_eq!(found[1].problem, Some(words::discovery::name_too_long(35)));
}

/// Contract H21.
#[tokio::test]
async fn a_name_that_is_not_unicode_cannot_be_asked_for_and_that_is_said() {
    let missing = json(500, "", r#"{"error":"path does not exist: x"}"#);
    let (_fake, client) = hub(move |_| Some(missing.clone())).await;
    let mount = MountId::from("m");
    for (path, is_lost) in [
        ("/partition-1/caf\u{fffd}", true),
        ("/partition-1/cafe", false),
    ] {
        let file = client.file(&mount, path).await.unwrap_err();
        let listing = client.list_files(&mount, path).await.unwrap_err();
        for error in [file, listing] {
            assert_eq!(error.kind, ErrorKind::NotFound);
            let is_said = error.message == words::failures::name_is_lost(path);
            assert_eq!(is_said, is_lost, "{error:?}");
        }
    }
}

/// Section 12.3.
#[tokio::test]
async fn a_completed_backup_may_keep_the_words_of_an_earlier_failure() {
    let said = document!({ "backup_id": "b", "vm_name": "a", "status": "completed",
        "backup_type": "full", "error_message": "connection lost, trying again" });
    let (_fake, client) = hub(move |_| ok(&said)).await;
    let backup = client.backup(&BackupId::from("b")).await.unwrap();
    assert_eq!(backup.status, BackupStatus::Completed);
    assert_eq!(failure_of(&backup), None);
}
