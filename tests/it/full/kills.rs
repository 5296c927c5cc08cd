//! Hubs that die while they restore, and disks that fill up: never is there a wrong image by its name, and the next
//! restore to the same folder goes on or starts over.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use sendense_tests::{Hub, Recording, SmallDisk, long, sendense, skip, tool, until};
use serde_json::{Value, json};

use super::{FORMATS, Kept, assert_restored, names, words};

/// Calls after which a disk is not what it was before.
const CALLS: &str =
    "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate";

/// Does this with what strace shall do to its calls.
fn injected(kept: &Kept, fault: &str, args: &[&str]) -> sendense_tests::Outcome {
    tool("strace")
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={CALLS}")])
        .args(["-e", &format!("inject={CALLS}:{fault}")])
        .arg(sendense().program())
        .args(["--data", "data", "--json"])
        .args(args)
        .current_dir(kept.folder.path())
        .outcome()
}

/// Whatever is there by a name that images have is right.
#[track_caller]
fn assert_nothing_wrong(folder: &Path, format: &str, source: &Path) {
    for name in names(folder) {
        if !name.ends_with(".part") && !name.ends_with(".part.json") {
            assert!(!name.ends_with(".partial"), "{name}");
            assert_restored(&folder.join(name), format, source);
        }
    }
}

#[test]
fn full_restore_that_is_killed_goes_on_or_starts_over_and_is_right_in_the_end() {
    if !Recording::is_possible() {
        return skip("this system does not allow strace");
    }
    let mut kept = Kept::new((200 << 20) + 512);
    kept.fill(3, 60);
    kept.fill(100, 70);
    kept.back_up();
    kept.change();
    kept.back_up();
    let (id, source) = kept.points.last().unwrap().clone();
    let n_rounds = if long() { 120 } else { 20 };
    let (mut n_killed, mut n_resumed) = (0, 0);
    for round in 0..n_rounds {
        let (word, format, extension) = FORMATS[round % FORMATS.len()];
        let target = kept.target(&format!("round-{round}"));
        let folder = target.to_str().unwrap();
        let args = ["restore", "vm", &id, "-o", folder, "--format", word];
        // The first calls are those of the hub that starts.
        for _ in 0..2 {
            let k = 30 + kept.random.below(150);
            let outcome = injected(&kept, &format!("signal=SIGKILL:when={k}"), &args);
            let was_killed = outcome.code.is_none();
            n_killed += u32::from(was_killed);
            println!("round {round}: {word} at call {k}, killed: {was_killed}");
            assert_nothing_wrong(&target, format, &source);
            if !was_killed {
                n_resumed += u32::from(outcome.json()["resumed_bytes"] != 0);
                break;
            }
        }
        let name = format!("vm.{extension}");
        if names(&target) != [name.as_str()] {
            let restored = kept.run(&args);
            assert_eq!(restored["status"], "completed", "{restored}");
            let resumed = restored["resumed_bytes"].as_u64().unwrap();
            n_resumed += u32::from(resumed > 0);
            println!("resumed {resumed}: {}", restored["remarks"]);
        }
        assert_eq!(names(&target), [name.as_str()]);
        assert_restored(&target.join(name), format, &source);
        fs::remove_dir_all(&target).unwrap();
    }
    assert!(
        n_killed >= 10,
        "only {n_killed} were killed: the calls have changed"
    );
    assert!(n_resumed >= 2, "only {n_resumed} went on");
}

/// Restores until the journal vouches for something, and kills the hub.
fn broken_off(kept: &Kept, order: &Value, journal: &Path) {
    let mut hub = Hub::start(&kept.path("data"));
    hub.api().post("/restore/full", order).ok();
    until("something to be done", Duration::from_secs(60), || {
        let text = fs::read(journal).ok()?;
        let journal: Value = serde_json::from_slice(&text).ok()?;
        (journal["done_until"] != 0).then_some(())
    });
    hub.kill();
}

#[test]
fn full_restore_goes_on_with_what_is_right_and_says_where_it_is_not() {
    let mut kept = Kept::new(400 << 20);
    kept.fill(0, 390);
    let id = kept.back_up();
    let source = kept.points[0].1.clone();
    for (word, format, extension) in FORMATS {
        if word == "vmdk-stream" {
            continue;
        }
        let target = kept.target(word);
        let folder = target.to_str().unwrap();
        let args = ["restore", "vm", &id, "-o", folder, "--format", word];
        let order = json!({ "backup_id": id, "folder": folder, "format": word });
        let name = target.join(format!("vm.{extension}"));
        let part = target.join(format!("vm.{extension}.part"));
        let journal = target.join(format!("vm.{extension}.part.json"));
        broken_off(&kept, &order, &journal);
        assert!(!name.exists() && part.exists(), "{word}");
        let list = kept.run_in_hub("/restore/full");
        let cut_off = list["restores"][0]["error_message"].as_str().unwrap();
        assert!(cut_off.contains("the hub stopped"), "{list}");

        // Somebody's file of that name is not touched, nor is what is unfinished.
        fs::write(&name, "precious").unwrap();
        let refused = kept.command(&args).outcome();
        assert_eq!(refused.code, Some(6), "{refused}");
        assert_eq!(fs::read(&name).unwrap(), b"precious");
        fs::remove_file(&name).unwrap();

        // What has changed since is not kept.
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(&part)
            .unwrap();
        let at = 40 << 20;
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
        let restored = kept.run(&args);
        let resumed = restored["resumed_bytes"].as_u64().unwrap();
        assert!((30 << 20..=40 << 20).contains(&resumed), "{restored}");
        let remark = restored["remarks"][0].as_str().unwrap();
        assert!(remark.contains("is not what was backed up"), "{restored}");
        assert_restored(&name, format, &source);
        assert_eq!(names(&target).len(), 1);
        fs::remove_dir_all(&target).unwrap();
    }
}

#[test]
fn full_restore_of_another_point_starts_over_and_says_so() {
    let mut kept = Kept::new(200 << 20);
    kept.fill(0, 190);
    let first = kept.back_up();
    kept.fill(0, 1);
    let second = kept.back_up();
    let target = kept.target("target");
    let order = json!({ "backup_id": first, "folder": target, "format": "qcow2" });
    broken_off(&kept, &order, &target.join("vm.qcow2.part.json"));
    let restored = kept.run(&["restore", "vm", &second, "-o", "target"]);
    assert_eq!(restored["resumed_bytes"], 0);
    let remark = restored["remarks"][0].as_str().unwrap();
    assert!(remark.contains("started over"), "{restored}");
    assert_restored(&target.join("vm.qcow2"), "qcow2", &kept.points[1].1);
    assert_eq!(names(&target), ["vm.qcow2"]);
}

#[test]
fn full_restore_leaves_a_file_alone_that_is_called_like_an_unfinished_one() {
    let kept = Kept::with_points(1 << 20, 1);
    let target = kept.target("target");
    fs::write(target.join("vm.qcow2.part"), "precious").unwrap();
    let id = &kept.points[0].0;
    let refused = kept
        .command(&["restore", "vm", id, "-o", "target"])
        .outcome();
    assert!(words(&refused).contains(".part"), "{refused}");
    assert_eq!(fs::read(target.join("vm.qcow2.part")).unwrap(), b"precious");
    assert_eq!(names(&target), ["vm.qcow2.part"]);
}

#[test]
fn full_restore_to_a_disk_that_fills_up_says_so_and_goes_on_when_there_is_room() {
    let Some(small) = SmallDisk::new("100m") else {
        return skip("this system allows no tmpfs in a user namespace");
    };
    let mut kept = Kept::new(120 << 20);
    kept.fill(0, 80);
    let id = kept.back_up();
    let source = &kept.points[0].1;
    let data = kept.path("data");
    for (word, format, extension) in FORMATS {
        let restore = || {
            small
                .tool(sendense().program())
                .arg("--data")
                .arg(&data)
                .args(["--json", "restore", "vm", &id, "--format", word, "-o"])
                .arg(small.path())
                .outcome()
        };
        small.fill(30 << 20);
        let outcome = restore();
        assert_eq!(outcome.code, Some(7), "{word}: {outcome}");
        let there = small.tool("ls").run().text();
        assert!(
            !there.lines().any(|name| name == format!("vm.{extension}")),
            "{word}: {there}"
        );
        small.empty();
        let outcome = restore();
        assert_eq!(outcome.code, Some(0), "{word}: {outcome}");
        let image = small.path().join(format!("vm.{extension}"));
        let compare = small.tool("qemu-img");
        let compare = compare.args(["compare", "-f", "raw", "-F", format]);
        compare.arg(source).arg(&image).run();
        let there = small.tool("ls").run().text();
        assert_eq!(there.trim(), format!("vm.{extension}"));
        small.tool("rm").arg(&image).run();
    }
}
