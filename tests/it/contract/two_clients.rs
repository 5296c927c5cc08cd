//! Two clients that do something to the same thing at the same moment: no change is lost, and each learns what came of
//! its own.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use sendense_tests::{Answer, Api, until};
use serde_json::{Value, json};

use super::{Profile, Started};

/// How often each pair tries: who is first differs.
const ROUNDS: usize = 8;

/// A hub with the sample VM, and its only repository.
struct Shared {
    _hub: Started,
    api: Api,
    repository: Value,
}

impl Shared {
    fn open() -> Self {
        let hub = Started::new(Profile::Default);
        let api = hub.sign_in();
        hub.add_sample(&api);
        let repository = api.get("/repositories").ok()["repositories"][0]["id"].clone();
        Self {
            _hub: hub,
            api,
            repository,
        }
    }

    fn order(&self, kind: &str) -> Value {
        json!({ "vm_name": "pgtest1", "repository_id": self.repository, "backup_type": kind })
    }

    fn back_up(&self, kind: &str) -> String {
        let id = id_of(
            &self.api.post("/backups", &self.order(kind)).ok(),
            "backup_id",
        );
        self.wait_for(&id);
        id
    }

    fn wait_for(&self, id: &str) {
        until("the backup to finish", Duration::from_secs(120), || {
            let detail = self.api.get(&format!("/backups/{id}")).ok();
            assert_ne!(detail["status"], "failed", "{detail}");
            (detail["status"] == "completed").then_some(())
        });
    }

    fn mount(&self, backup: &str) -> Answer {
        let order = json!({ "backup_id": backup, "disk_index": 0 });
        self.api.post("/restore/mount", &order)
    }

    /// The backups there are.
    fn ids(&self) -> Vec<String> {
        let list = self.api.get("/backups?vm_name=pgtest1").ok();
        let rows = list["backups"].as_array().unwrap();
        rows.iter().map(|row| id_of(row, "backup_id")).collect()
    }
}

fn id_of(answer: &Value, key: &str) -> String {
    let id = answer[key].as_str();
    id.unwrap_or_else(|| panic!("no {key} in {answer}"))
        .to_owned()
}

/// Both begin at the same moment.
fn at_once<T: Send>(one: impl FnOnce() -> T + Send, other: impl FnOnce() -> T + Send) -> (T, T) {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        let one = scope.spawn(|| {
            barrier.wait();
            one()
        });
        barrier.wait();
        let other = other();
        (one.join().unwrap(), other)
    })
}

/// One of the two did it, the other was refused like this.
#[track_caller]
fn one_of(answers: [&Answer; 2], refusals: &[u16]) {
    let n_done = answers
        .iter()
        .filter(|answer| (200..300).contains(&answer.status))
        .count();
    assert_eq!(n_done, 1, "{answers:?}");
    let mut refused = answers.iter().filter(|answer| answer.status >= 300);
    assert!(
        refused.all(|answer| refusals.contains(&answer.status)),
        "{answers:?}"
    );
}

#[test]
fn of_two_backups_of_a_vm_one_begins() {
    let shared = Shared::open();
    for round in 1..=ROUNDS {
        let start = || shared.api.post("/backups", &shared.order("full"));
        let (one, other) = at_once(start, start);
        one_of([&one, &other], &[409]);
        let begun = [&one, &other]
            .into_iter()
            .find(|answer| answer.status < 300);
        shared.wait_for(&id_of(&begun.unwrap().ok(), "backup_id"));
        assert_eq!(shared.ids().len(), round);
    }
}

#[test]
fn of_two_deletions_one_deletes_and_the_other_finds_nothing() {
    let shared = Shared::open();
    let kept = shared.back_up("full");
    for _ in 0..ROUNDS {
        let id = shared.back_up("full");
        let delete = || shared.api.delete(&format!("/backups/{id}"));
        let (one, other) = at_once(delete, delete);
        one_of([&one, &other], &[404, 409]);
        assert_eq!(shared.ids(), [kept.as_str()]);
    }
    shared.mount(&kept).ok();
}

#[test]
fn a_deletion_ends_a_mount_that_somebody_else_opens() {
    let shared = Shared::open();
    for _ in 0..ROUNDS {
        let id = shared.back_up("full");
        let (mount, deleted) = at_once(
            || shared.mount(&id),
            || shared.api.delete(&format!("/backups/{id}")),
        );
        deleted.ok();
        if mount.status < 300 {
            let mount = id_of(&mount.ok(), "mount_id");
            let listed = shared.api.get(&format!("/restore/{mount}/files?path=/"));
            assert_eq!(listed.status, 404, "{listed:?}");
        } else {
            assert_eq!(mount.status, 404, "{mount:?}");
        }
        assert!(shared.ids().is_empty());
        let left = shared.api.get("/restore/mounts").ok();
        assert_eq!(left["count"], 0, "{left}");
    }
}

#[test]
fn a_pin_holds_a_backup_or_comes_too_late() {
    let shared = Shared::open();
    for _ in 0..ROUNDS {
        let id = shared.back_up("full");
        let path = format!("/backups/{id}");
        let pin = format!("{path}/pin");
        let (pinned, deleted) = at_once(
            || shared.api.ask("PUT", &pin, None),
            || shared.api.delete(&path),
        );
        one_of([&pinned, &deleted], &[404, 409]);
        if pinned.status < 300 {
            assert_eq!(shared.api.get(&path).ok()["is_pinned"], true);
            shared.api.delete(&pin).ok();
            shared.api.delete(&path).ok();
        }
        assert!(shared.ids().is_empty());
    }
}

#[test]
fn a_disk_that_two_mount_is_open_until_one_closes_it() {
    let shared = Shared::open();
    let id = shared.back_up("full");
    for _ in 0..ROUNDS {
        let mount = || id_of(&shared.mount(&id).ok(), "mount_id");
        let (one, other) = at_once(mount, mount);
        let files = |mount: &str| {
            let path = format!("/restore/{mount}/files?path=/");
            shared.api.get(&path)
        };
        files(&one).ok();
        files(&other).ok();
        let (closed, listed) = at_once(
            || shared.api.delete(&format!("/restore/{one}")),
            || files(&other),
        );
        closed.ok();
        // Whoever shares a mount shares its end, and is told so.
        assert!([200, 404].contains(&listed.status), "{listed:?}");
        let again = shared.api.delete(&format!("/restore/{other}"));
        assert!([200, 404].contains(&again.status), "{again:?}");
        let left = shared.api.get("/restore/mounts").ok();
        assert_eq!(left["count"], 0, "{left}");
    }
}

#[test]
fn of_two_rules_for_a_vm_one_counts_whole() {
    let shared = Shared::open();
    shared.back_up("full");
    let path = "/vm-contexts/pgtest1/retention";
    let misunderstood = shared
        .api
        .ask("PUT", path, Some(&json!({ "keep_last": 3 })));
    assert_eq!(misunderstood.status, 400, "{misunderstood:?}");
    let rule =
        |last: u32, daily: u32| json!({ "policy": { "keep_last": last, "keep_daily": daily } });
    for _ in 0..ROUNDS {
        let set = |rule: Value| shared.api.ask("PUT", path, Some(&rule));
        let (one, other) = at_once(|| set(rule(1, 11)), || set(rule(2, 22)));
        one.ok();
        other.ok();
        let kept = shared.api.get(path).ok();
        let kept = (&kept["policy"]["keep_last"], &kept["policy"]["keep_daily"]);
        assert!(
            [(&json!(1), &json!(11)), (&json!(2), &json!(22))].contains(&kept),
            "{kept:?}"
        );
    }
}
