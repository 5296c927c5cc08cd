//! The recovery points of a VM: the list, verifying, pinning, deleting.

words! {
    back = "Back to VMs";
    retention = "Retention…";
    vm_busy = "A backup of this VM is running";
    all_repositories = "All repositories";
    repository_unknown = "Unknown repository";
    away_hint = "This repository is not connected. Nothing is lost: connect its disk to restore from it.";
    loading = "Loading the backups";
    partial = "This hub lists no backups of VMs with “-disk” in their name. Only those started on this computer and the newest completed one are known.";
    none_yet = "No backups yet";
    none_yet_hint = "The first backup saves all data in use; later ones save only what changed.";

    chain = "Chain";
    recovery_point = "Recovery point";
    duration = "Duration";
    pinned = "Pinned";
    pinned_hint = "Pinned: kept until you unpin it";
    restore = "Restore…";
    why = "Why?";
    no_reason = "The hub gave no reason.";
    copying(percent) = "Copying {percent}%";
    backup_from(time) = "Backup from {time}";
    more_for(time) = "More for the backup from {time}";

    not_finished = "Not finished yet";
    no_point = "No recovery point";
    cannot_restore = "Cannot be restored";
    begins_chain = "Starts a chain";
    builds_below = "Builds on the one below";

    verified = "Verified";
    verified_when(when) = "Verified {when}";
    flawed = "Flawed";
    flawed_note = "It can be restored, but damage was found in its files";
    flawed_when(when) = "It can be restored, but damage was found in its files {when}";
    unproven = "Unproven";
    unproven_note = "It could not be verified: there was nothing to compare it with";
    unproven_when(when) = "It could not be verified {when}: there was nothing to compare it with";
    damage_found = "Damage was found";
    damage_found_when(when) = "Damage was found {when}";
    verifying(percent) = "Verifying {percent}%";
    verifying_note = "Reading it and comparing it with what was backed up";

    verify = "Verify";
    cancel_verifying = "Stop verifying";
    pin = "Pin";
    unpin = "Unpin";
    is_pinned = "Unpin it first";
    copy_asks = "Copy to another repository…";
    cancel_copying = "Stop copying";
    copy_id = "Copy ID";
    delete_asks = "Delete…";

    total(count, size) = "Total: {size} in {count} recovery point" | "Total: {size} in {count} recovery points";
    chains(count) = "{count} chain" | "{count} chains";
    keeps_all = "Keeps all recovery points";
    keeps(rules) = "Keeps {rules}";

    delete_question(time) = "Delete the backup from {time}?";
    delete_warning(vm) = "It holds {vm} as it was at that time. Deleting it cannot be undone.";
    others_go = "These depend on it and are deleted with it:";
    nothing_else_goes = "No other recovery point depends on it.";
    delete_all(count) = "Delete all {count}";
    deleted = "Deleted";

    sound = "The backup is sound";
    sound_hint = "All its data is unchanged since it was backed up.";
    damaged = "The backup is damaged";
    disk_problem(index, problem) = "Disk {index}: {problem}.";
    still_restorable = "It can still be restored.";
    n_broken(count) = "{count} recovery point cannot be restored." | "{count} recovery points cannot be restored.";
    take_full = "Run a full backup now.";
    not_provable = "The backup could not be verified";
    not_provable_hint = "There is nothing left to compare it with, so it may or may not be sound.";
    verifying_cancelled = "Verification stopped";
    verifying_cancelled_hint = "The previous result still applies.";
    copied = "Copy complete";
    copied_hint = "The copy matches what was backed up.";
}
