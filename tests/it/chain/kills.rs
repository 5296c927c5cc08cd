//! Real kills: whatever the hub is doing, it dies at its k-th call that writes, syncs, renames or removes. The next
//! start finds every recovery point that was there, byte for byte, and work continues.

use sendense_tests::{Recording, long, skip};

use super::victim::{Victim, with_oldest};

/// Calls after which a disk is not what it was before.
const CALLS: &str =
    "pwrite64,pwritev,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate";

/// What is being done when the hub dies.
const WORK: [&[&str]; 5] = [
    &["backup", "start", "vm", "--wait"],
    &["backup", "start", "vm", "--type", "incremental", "--wait"],
    &["retention", "run", "vm"],
    &["backup", "delete", "OLDEST", "--with-dependents"],
    &["backup", "verify", "OLDEST"],
];

#[test]
fn chain_a_hub_that_is_killed_anywhere_loses_no_recovery_point() {
    if !Recording::is_possible() {
        skip("this system does not allow strace");
        return;
    }
    let mut victim = Victim::new();
    victim.run(&["retention", "set", "vm", "--last", "3"]);
    let n_rounds = if long() { 100 } else { 10 };
    let mut n_killed = 0;
    for round in 0..n_rounds {
        victim.change();
        // Something to lose, and something to build on.
        victim.run(&["backup", "start", "vm", "--wait"]);
        let before = victim.check();

        victim.change();
        if victim.random.below(2) == 0 {
            victim.run(&["backup", "start", "vm", "--type", "incremental", "--wait"]);
        }
        let oldest = victim.check().pop().unwrap();
        let work = WORK[round % WORK.len()];
        let work = with_oldest(work, &oldest);
        // Verifying writes nothing but what every start and stop does.
        let n_calls = if work[1] == "verify" { 6 } else { 28 };
        let k = 1 + victim.random.below(n_calls);
        let outcome = victim.injected(CALLS, &format!("signal=SIGKILL:when={k}"), &work);
        let was_killed = outcome.code.is_none();
        n_killed += u32::from(was_killed);
        println!("round {round}: {work:?} at call {k}, killed: {was_killed}");
        let after = victim.check();
        // Retention after a backup that was not cut off, and deleting, take points away on purpose.
        if work[1] == "verify" || (work[1] == "start" && was_killed) {
            let newest = before.first().unwrap();
            assert!(after.contains(newest), "{newest} is gone: {after:?}");
        }
        victim.go_on(&after);
    }
    assert!(
        n_killed * 3 >= u32::try_from(n_rounds).unwrap(),
        "only {n_killed} of {n_rounds} were killed: the calls have changed"
    );
}
