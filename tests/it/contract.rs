//! The documented contract: every answer of a running hub has the keys and JSON types of its sample in `samples/`, and
//! the handover's command lines work as they are written there.

mod handover;
mod hostile_clients;
mod openapi;
mod shape;
mod slow_disk;
mod two_clients;

use std::path::Path;
use std::time::Duration;

use sendense_hub::{Auth, Config, LocalHub, NewUser, Password, Profile};
use sendense_tests::{Api, SampleVm, sample_vm, temp_dir, until};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use self::shape::{Keys, differences};

/// A hub in this process, which speaks the wanted dialect to a user who signed in.
struct Started {
    // Order matters: the hub stops before its runtime, and its folder goes last.
    hub: LocalHub,
    _runtime: Runtime,
    folder: tempfile::TempDir,
    keys: Keys,
}

impl Started {
    fn new(profile: Profile) -> Self {
        let folder = temp_dir();
        let mut config = Config::new(folder.path().join("data"));
        config.profile = profile;
        config.auth = Auth::Users(vec![NewUser {
            username: "admin".to_owned(),
            password: Password::new("password"),
        }]);
        let runtime = Runtime::new().unwrap();
        let hub = runtime.block_on(LocalHub::start(config)).unwrap();
        let keys = match profile {
            Profile::Documented => Keys::Exactly,
            Profile::Default => Keys::AtLeast,
        };
        Self {
            hub,
            _runtime: runtime,
            folder,
            keys,
        }
    }

    /// Signs in as the handover does, checking the answer, and speaks with that token from then on.
    fn sign_in(&self) -> Api {
        let stranger = Api::new(self.hub.url());
        let answer = stranger
            .post(
                "/auth/login",
                &json!({ "username": "admin", "password": "password" }),
            )
            .ok();
        self.check("auth-login.json", &answer);
        let token = answer["token"].as_str().unwrap();
        Api::new(self.hub.url()).with_header(format!("Authorization: Bearer {token}"))
    }

    /// Makes the hub know the sample VM.
    fn add_sample(&self, api: &Api) -> SampleVm {
        let sample = sample_vm(self.folder.path());
        let folder = sample.folder.parent().unwrap();
        let added = api.post(
            "/discovery/add-vms",
            &json!({ "vm_names": ["pgtest1"], "source": { "folder": folder } }),
        );
        assert_eq!(added.ok()["vms_added"], 1, "{added:?}");
        sample
    }

    /// The answer has the keys and types of the sample.
    #[track_caller]
    fn check(&self, sample: &str, answer: &Value) {
        let found = differences(&read_sample(sample), answer, self.keys);
        assert!(
            found.is_empty(),
            "{sample}:\n{}\nin {answer:#}",
            found.join("\n")
        );
    }
}

fn read_sample(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("it/samples")
        .join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn documented_answers_have_exactly_the_keys_and_types_of_the_samples() {
    walk_through(&Started::new(Profile::Documented));
}

#[test]
fn default_answers_have_at_least_the_keys_and_types_of_the_samples() {
    walk_through(&Started::new(Profile::Default));
}

/// Asks every documented question, in every state that the answer can have.
fn walk_through(started: &Started) {
    let api = started.sign_in();
    started.add_sample(&api);
    started.check(
        "backup-list-vms-available-for-backup.json",
        &api.get("/vm-contexts").ok(),
    );
    started.check(
        "backup-get-vm-disks.json",
        &api.get("/vm-contexts/pgtest1/disks").ok(),
    );

    let repositories = api.get("/repositories").ok();
    let repository = repositories["repositories"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let order = json!({ "vm_name": "pgtest1", "repository_id": repository, "backup_type": "full" });
    let mut seen = Vec::new();
    // Watched from before its start on, because it may be over soon.
    let answer = std::thread::scope(|scope| {
        let start = scope.spawn(|| api.post("/backups", &order).ok());
        until("the backup to finish", Duration::from_secs(120), || {
            let list = api.get("/backups?vm_name=pgtest1").ok();
            let backup = list["backups"][0]["backup_id"].as_str()?.to_owned();
            // The list is asked in the same states as the detail.
            started.check("backup-list-backup-history.json", &in_any_state(list));
            let detail = api.get(&format!("/backups/{backup}")).ok();
            started.check("backup-monitor-backup-progress.json", &detail);
            let status = detail["status"].as_str().unwrap().to_owned();
            assert!(
                ["started", "in_progress", "completed"].contains(&status.as_str()),
                "{detail}"
            );
            assert_eq!(
                detail["completed_at"].is_null(),
                status != "completed",
                "{detail}"
            );
            seen.push(status.clone());
            (status == "completed").then_some(())
        });
        start.join().unwrap()
    });
    assert!(
        seen.len() > 1,
        "the backup was seen before it was complete: {seen:?}"
    );
    started.check("backup-start-vm-backup.json", &answer);
    assert_eq!(
        answer["disk_results"].as_array().map(Vec::len),
        Some(2),
        "one row per disk: {answer}"
    );
    let backup = answer["backup_id"].as_str().unwrap().to_owned();

    let history = api.get("/backups?vm_name=pgtest1").ok();
    started.check("backup-list-backup-history.json", &history);
    assert_eq!(history["total_count"], 1);
    let chain = api
        .get(&format!(
            "/backups/chain?vm_name=pgtest1&repository_id={repository}"
        ))
        .ok();
    started.check("backup-get-backup-chain.json", &chain);
    assert_eq!(chain["chain"][0]["is_restorable"], true, "{chain}");

    let mount = api
        .post(
            "/restore/mount",
            &json!({ "backup_id": backup, "disk_index": 0 }),
        )
        .ok();
    started.check("restore-mount-backup-disk.json", &mount);
    let id = mount["mount_id"].as_str().unwrap().to_owned();
    started.check(
        "restore-list-active-mounts.json",
        &api.get("/restore/mounts").ok(),
    );
    let refusal = api.post(
        "/restore/mount",
        &json!({ "backup_id": backup, "disk_index": 9 }),
    );
    assert_eq!(refusal.status, 404, "{refusal:?}");
    started.check("restore-mount-backup-disk-error.json", &refusal.json());

    started.check(
        "restore-browse-files.json",
        &api.get(&format!("/restore/{id}/files?path=/")).ok(),
    );
    let folder = api
        .get(&format!("/restore/{id}/files?path=/Recovery/WindowsRE"))
        .ok();
    started.check("restore-navigate-into-subdirectory.json", &folder);
    assert_eq!(folder["total_count"], 3, "{folder}");
    let odd = api
        .get(&format!("/restore/{id}/files?path=/Users/Public/Documents"))
        .ok();
    started.check("restore-browse-files.json", &odd);
    started.check(
        "restore-unmount-backup.json",
        &api.delete(&format!("/restore/{id}")).ok(),
    );
    let none = api.get("/restore/mounts").ok();
    assert_eq!(
        (&none["count"], &none["mounts"]),
        (&json!(0), &json!([])),
        "an empty list is a list"
    );
}

/// A row of a backup that runs has no end yet, where the sample only shows finished ones.
fn in_any_state(mut list: Value) -> Value {
    for row in list["backups"].as_array_mut().into_iter().flatten() {
        if row["status"] != "completed" && row["completed_at"].is_null() {
            row["completed_at"] = json!("2025-10-08T19:28:15Z");
        }
    }
    list
}

#[test]
fn a_documented_root_lists_the_files_of_the_volume() {
    let started = Started::new(Profile::Documented);
    let api = started.sign_in();
    let id = mounted_sample(&started, &api);
    let root = api.get(&format!("/restore/{id}/files?path=/")).ok();
    let names: Vec<&str> = root["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|file| file["name"].as_str())
        .collect();
    for name in ["$RECYCLE.BIN", "Recovery", "Windows"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[test]
fn a_default_root_lists_volumes_and_documented_paths_still_work() {
    let started = Started::new(Profile::Default);
    let api = started.sign_in();
    let id = mounted_sample(&started, &api);
    let root = api.get(&format!("/restore/{id}/files?path=/")).ok();
    let paths: Vec<&str> = root["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|file| file["path"].as_str())
        .collect();
    assert_eq!(paths, ["/partition-1", "/partition-2"], "{root}");
    let file = api.get(&format!(
        "/restore/{id}/download?path=/Recovery/WindowsRE/ReAgent.xml"
    ));
    assert_eq!(
        (file.status, file.body.len()),
        (200, 1129),
        "a path without volume means the largest one"
    );
}

/// Backs up the sample and opens its first disk.
fn mounted_sample(started: &Started, api: &Api) -> String {
    started.add_sample(api);
    let repository = api.get("/repositories").ok()["repositories"][0]["id"].clone();
    let order = json!({ "vm_name": "pgtest1", "repository_id": repository, "backup_type": "full" });
    let backup = api.post("/backups", &order).ok()["backup_id"]
        .as_str()
        .unwrap()
        .to_owned();
    until("the backup to finish", Duration::from_secs(120), || {
        let detail = api.get(&format!("/backups/{backup}")).ok();
        assert_ne!(detail["status"], "failed", "{detail}");
        (detail["status"] == "completed").then_some(())
    });
    let mount = api
        .post(
            "/restore/mount",
            &json!({ "backup_id": backup, "disk_index": 0 }),
        )
        .ok();
    mount["mount_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_failure_is_named_for_programs_where_the_documentation_does_not_forbid_it() {
    for (profile, code) in [
        (Profile::Default, json!("mount_not_found")),
        (Profile::Documented, Value::Null),
    ] {
        let started = Started::new(profile);
        let refused = started.sign_in().get("/restore/nothing/files?path=/");
        assert_eq!(refused.status, 404, "{refused:?}");
        let body = refused.json();
        assert_eq!(body["error"], "mount not found: nothing", "{body}");
        assert_eq!(body["code"], code, "{body}");
    }
}
