//! Power cuts and kills at every moment: what the hub does to its files is recorded, and a hub is started on what each
//! prefix of the recording leaves on the disk.

mod bench;
mod judge;

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Instant;

use sendense_tests::{Change, CrashState, Fate, Random, long, skip};

use self::bench::Bench;
use self::judge::Judge;

/// So many states that only chance tells apart are looked at for each operation, unless all are wanted.
const SAMPLE: u64 = 120;

/// Every so many states qemu-img is asked as well.
const QEMU_EVERY: usize = 25;

/// Makes a history, then does `work` and starts the hub on what a crash at any moment of it leaves.
#[track_caller]
fn replay(history: impl FnOnce(&mut Bench), work: &[&str]) {
    let Some(mut bench) = Bench::new() else {
        return skip("this system does not allow strace");
    };
    history(&mut bench);
    let part = do_work(&mut bench, work);
    judge(&bench, &part);
}

/// Does the same with the start of a hub that finds what a crash left of `work`, after as many of its changes
/// as `crash` says.
#[track_caller]
fn replay_start(
    history: impl FnOnce(&mut Bench),
    work: &[&str],
    crash: impl FnOnce(&[Change]) -> Option<usize>,
) {
    let Some(mut bench) = Bench::new() else {
        return skip("this system does not allow strace");
    };
    history(&mut bench);
    let Part {
        beginnings,
        before,
        after,
        ..
    } = do_work(&mut bench, work);
    let changes = &bench.recording.changes()[*beginnings.start()..*beginnings.end()];
    let n_changes = crash(changes).unwrap() + 1;
    let state = bench
        .recording
        .state(beginnings.start() + n_changes, Fate::Kept);
    bench.recording.begin_again(&state);
    let begin = bench.recording.changes().len();
    bench.run(&["vm", "list"]);
    bench.recording.verify();
    let end = bench.recording.changes().len();
    // Rows go first: what is being deleted is gone, what is being made is not there.
    let points = match after.len() < before.len() {
        true => after,
        false => before,
    };
    let part = Part {
        name: format!("start after {}", work.join(" ")),
        beginnings: begin..=end,
        said: end,
        before: points.clone(),
        after: points,
    };
    judge(&bench, &part);
}

/// A part of the record.
struct Part {
    name: String,
    /// After so many changes the power may fail.
    beginnings: RangeInclusive<usize>,
    /// After so many somebody relies on its having been done.
    said: usize,
    /// The recovery points that there were before it and after it.
    before: BTreeSet<String>,
    after: BTreeSet<String>,
}

#[track_caller]
fn do_work(bench: &mut Bench, work: &[&str]) -> Part {
    let before = bench.points();
    let oldest = before.first().cloned().unwrap_or_default();
    let newest = before.last().cloned().unwrap_or_default();
    let words = |word: &&'_ str| word.replace("OLDEST", &oldest).replace("NEWEST", &newest);
    let work: Vec<String> = work.iter().map(words).collect();
    let work: Vec<&str> = work.iter().map(String::as_str).collect();
    bench.scribble();
    let now = bench.disks();
    let begin = bench.recording.changes().len();
    bench.run(&work);
    bench.recording.verify();
    let end = bench.recording.changes().len();
    let after = bench.points();
    for id in &after {
        if bench.known.contains_key(id) {
            continue;
        }
        // A copy is of the time of its original.
        let shown = bench.run(&["backup", "show", id]);
        let original = shown["copied_from"].as_str();
        let disks = original.map_or(&now, |original| &bench.known[original]);
        bench.known.insert(id.clone(), disks.clone());
    }
    bench.scribble();
    let said = bench.recording.changes()[begin..end]
        .iter()
        .position(|change| matches!(change, Change::Said))
        .map_or(end, |position| begin + position + 1);
    Part {
        name: work.join(" "),
        beginnings: begin..=end,
        said,
        before: before.into_iter().collect(),
        after: after.into_iter().collect(),
    }
}

/// Starts the hub on everything that a crash may leave.
#[allow(clippy::print_stdout, reason = "libtest shows it when the test fails")]
#[track_caller]
fn judge(bench: &Bench, part: &Part) {
    let judge = Judge::new(bench, &part.before, &part.after);
    let states = states(bench, &part.beginnings);
    let mut failures = Vec::new();
    let started = Instant::now();
    for (number, (n_changes, fate, state)) in states.iter().enumerate() {
        state.restore(&bench.recording);
        let ask_qemu = number % QEMU_EVERY == 0;
        if let Err(why) = judge.look(*n_changes >= part.said, ask_qemu) {
            let last = bench
                .recording
                .describe(&bench.recording.changes()[n_changes - 1]);
            failures.push(format!(
                "after change {n_changes} ({last}), {fate:?}: {why}"
            ));
        }
    }
    println!(
        "{}: changes {:?}, {} states in {:?}",
        part.name,
        part.beginnings,
        states.len(),
        started.elapsed()
    );
    assert!(
        failures.is_empty(),
        "{}: {} of {} states are wrong\n{}",
        part.name,
        failures.len(),
        states.len(),
        failures[..failures.len().min(12)].join("\n")
    );
}

/// What crashes leave, each state once: all that are certain, and of those by chance a sample.
fn states(bench: &Bench, beginnings: &RangeInclusive<usize>) -> Vec<(usize, Fate, CrashState)> {
    let seed = bench.seed;
    let mut random = Random::new(seed);
    let n_beginnings = (beginnings.end() - beginnings.start() + 1) as u64;
    let n_torn = if long() { 12 } else { 2 };
    let torn = (0..n_torn).map(|number| Fate::Torn(seed.rotate_left(5 * number)));
    let by_chance: Vec<Fate> = [Fate::Kept].into_iter().chain(torn).collect();
    let mut seen = HashSet::new();
    let mut states = Vec::new();
    for n_changes in beginnings.clone() {
        let mut fates = vec![Fate::Dropped, Fate::OnlyNames];
        for fate in &by_chance {
            if long() || random.below(by_chance.len() as u64 * n_beginnings) < SAMPLE {
                fates.push(*fate);
            }
        }
        for fate in fates {
            let state = bench.recording.state(n_changes, fate);
            let mut hasher = DefaultHasher::new();
            state.hash(&mut hasher);
            if seen.insert(hasher.finish()) {
                states.push((n_changes, fate, state));
            }
        }
    }
    states
}

#[test]
fn chain_replay_of_a_full_backup() {
    replay(|_| {}, &["backup", "start", "vm", "--wait"]);
}

#[test]
fn chain_replay_of_a_full_backup_beside_others() {
    replay(
        |bench| {
            bench.back_up("full");
            bench.back_up("incremental");
        },
        &["backup", "start", "vm", "--wait"],
    );
}

#[test]
fn chain_replay_of_an_incremental_backup() {
    replay(
        |bench| {
            bench.back_up("full");
            bench.back_up("incremental");
        },
        &["backup", "start", "vm", "--type", "incremental", "--wait"],
    );
}

#[test]
fn chain_replay_of_verifying() {
    replay(
        |bench| {
            bench.back_up("full");
            bench.back_up("incremental");
        },
        &["backup", "verify", "OLDEST"],
    );
}

#[test]
fn chain_replay_of_deleting_a_chain() {
    replay(
        |bench| {
            bench.back_up("full");
            bench.back_up("incremental");
            bench.back_up("full");
        },
        &["backup", "delete", "OLDEST", "--with-dependents"],
    );
}

#[test]
fn chain_replay_of_copying_a_chain() {
    replay(
        |bench| {
            bench.back_up("full");
            bench.back_up("incremental");
            bench.run(&["repository", "add", "second", "watched/second"]);
            bench.back_up("incremental");
        },
        &["repository", "copy", "NEWEST", "--to", "second"],
    );
}

#[test]
fn chain_replay_of_merging() {
    replay(
        |bench| {
            bench.back_up("full");
            for _ in 0..3 {
                bench.back_up("incremental");
            }
            bench.run(&["retention", "set", "vm", "--last", "2"]);
        },
        &["retention", "run", "vm"],
    );
}

#[test]
fn chain_replay_of_retention_that_drops_a_chain() {
    replay(
        |bench| {
            bench.back_up("full");
            bench.back_up("incremental");
            bench.back_up("full");
            bench.run(&["retention", "set", "vm", "--last", "1"]);
        },
        &["retention", "run", "vm"],
    );
}

#[test]
fn chain_replay_of_a_start_that_ends_an_unfinished_backup() {
    replay_start(
        |bench| {
            bench.back_up("full");
            bench.back_up("incremental");
        },
        &["backup", "start", "vm", "--type", "incremental", "--wait"],
        // All images have their names, the backup is not on record yet.
        |changes| {
            changes
                .iter()
                .rposition(|change| matches!(change, Change::Rename(_, path, _) if is_image(path)))
        },
    );
}

#[test]
fn chain_replay_of_a_start_that_finishes_a_deletion() {
    replay_start(
        |bench| {
            bench.back_up("full");
            bench.back_up("incremental");
            bench.back_up("full");
        },
        &["backup", "delete", "OLDEST", "--with-dependents"],
        // The first of four images is gone, no backup of the chain is on record any more.
        |changes| {
            changes
                .iter()
                .position(|change| matches!(change, Change::Remove(path) if is_image(path)))
        },
    );
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "qcow2")
}
