//! Failing disks: one call of the hub, or each from then on, returns an error. The work fails with a message, nothing
//! of it stays, nothing else is lost, and what follows works.

use sendense_tests::{Outcome, Recording, long, skip};

use super::victim::{Victim, with_oldest};

/// Which calls fail, how, and from which on: the first ones are those of the hub's start.
const FAULTS: [(&str, &str, u64); 6] = [
    ("pwrite64,pwritev", "EIO", 3),
    ("pwrite64,pwritev", "ENOSPC", 3),
    ("fsync,fdatasync", "EIO", 3),
    ("rename,renameat,renameat2", "EIO", 1),
    ("ftruncate,fallocate,mkdir,mkdirat", "ENOSPC", 1),
    ("unlink,unlinkat", "EIO", 1),
];

/// What is being done when the disk fails.
const WORK: [&[&str]; 4] = [
    &["backup", "start", "vm", "--type", "incremental", "--wait"],
    &["backup", "start", "vm", "--wait"],
    &["retention", "run", "vm"],
    &["backup", "delete", "OLDEST", "--with-dependents"],
];

#[test]
fn chain_a_disk_that_fails_anywhere_fails_the_work_in_words_and_loses_nothing() {
    if !Recording::is_possible() {
        skip("this system does not allow strace");
        return;
    }
    let mut victim = Victim::new();
    victim.run(&["retention", "set", "vm", "--last", "3"]);
    let n_rounds = if long() { 100 } else { 10 };
    let mut n_failed = 0;
    for round in 0..n_rounds {
        victim.change();
        victim.run(&["backup", "start", "vm", "--wait"]);
        victim.check();
        victim.change();
        victim.run(&["backup", "start", "vm", "--type", "incremental", "--wait"]);
        let mut before = victim.check();
        victim.change();

        let oldest = before.pop().unwrap();
        let work = WORK[round % WORK.len()];
        let work = with_oldest(work, &oldest);
        let pick = usize::try_from(victim.random.below(FAULTS.len() as u64)).unwrap();
        let (calls, error, first) = FAULTS[pick];
        let k = first + victim.random.below(first * 5);
        let and_all_others = ["", "+"][usize::try_from(victim.random.below(2)).unwrap()];
        println!("round {round}: {work:?}, {error} from call {k}{and_all_others} of {calls}");
        let fault = format!("error={error}:when={k}{and_all_others}");
        let outcome = victim.injected(calls, &fault, &work);
        println!("{outcome}");
        n_failed += u32::from(outcome.code != Some(0));
        assert_in_words(&outcome);
        if !calls.contains("unlink") {
            victim.assert_nothing_unfinished();
        }

        let after = victim.check();
        if work[1] == "start" {
            let newest = before.first().unwrap();
            assert!(after.contains(newest), "{newest} is gone: {after:?}");
        }
        victim.go_on(&after);
    }
    assert!(
        n_failed > 0,
        "none of {n_rounds} failed: the calls have changed"
    );
}

/// It ended by itself, and where it did not do what was asked says so in words.
#[track_caller]
fn assert_in_words(outcome: &Outcome) {
    assert!(!matches!(outcome.code, None | Some(101)), "{outcome}");
    let words = outcome.error_text();
    assert!(!words.contains("panicked"), "{outcome}");
    if outcome.code == Some(0) {
        return;
    }
    // That a disk is full is said where it is: `full_disk` looks at the words.
    let said = [
        "full",
        "space",
        "i/o error",
        "output error",
        "cannot",
        "could not",
    ];
    let words = words.to_lowercase();
    assert!(said.iter().any(|said| words.contains(said)), "{outcome}");
}
