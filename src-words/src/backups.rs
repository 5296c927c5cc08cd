//! Starting a backup, and one that is running.

words! {
    start = "Start backup";
    may_not_fit = "The disks are larger than the free space in this repository. Empty space on them is not backed up, so they may still fit.";
    disks = "Disks";
    disks_hint = "All disks are backed up together, at the same moment";
    verify = "Verify after the backup";
    verify_hint = "Reads everything back before the backup counts as completed";
    total = "Total";
    full_hint = "All data in use";
    incremental_hint = "Only what changed since the last backup";
    incremental_not_yet = "Not possible yet: this repository has no completed backup to build on.";
    incremental_elsewhere = "Not possible: the newest recovery point is in another repository, so an incremental backup to this one would miss earlier changes.";
    incremental_lost = "Not possible: this hub has lost the chain of this VM’s backups and refuses incremental backups of it.";
    incremental_unconfirmed = "Not possible yet: the hub has not confirmed the newest backup.";
    incremental_or_full_hint = "Only what changed; a full backup where there is nothing to build on";
    full = "Full";
    incremental = "Incremental";
    other_type = "Other";
    starting = "Starting…";
    others_started = "Any other backups were started.";
    completed = "Completed";
    failed = "Failed";
    cancelled = "Cancelled";
    running = "Running";
    unknown = "Unknown";
    unconfirmed = "Not confirmed";
    lost_note = "The hub no longer knows this backup, so nobody can say how it ended. Check the VM’s backups.";
    unconfirmed_note = "The hub reports this backup as completed, but has not confirmed every disk. The disks it has confirmed can be restored.";
    running_now = "Running now";
    overall_progress = "Overall progress";
    speed_chart = "Speed over time";
    cancel = "Cancel backup";
    back_up_now = "Back up now";
    started = "Backup started";
    full_started = "Full backup started";
    leave_hint = "You can leave this page or close the window.";
    new_point = "New recovery point.";
    nothing_stays = "None of it was kept. Earlier recovery points are unchanged.";
    view = "View backups";

    title(vm) = "Back up {vm}";
    several_title(count) = "Back up {count} VM" | "Back up {count} VMs";
    start_several(count) = "Start {count} backup" | "Start {count} backups";
    several_started(count) = "{count} backup started" | "{count} backups started";
    full_up_to(size) = "All data in use, up to {size}";
    incremental_since(time) = "Only what changed since the last backup, {time}";
    backing_up(what) = "Backing up {what}";
    disk_progress(index) = "Progress of disk {index}";
    stalled = "no progress for a minute";
    started_hint(vm) = "{vm}: you can leave this page or close the window.";
    finished_toast(vm) = "Backup of {vm} finished";
    cancelled_toast(vm) = "Backup of {vm} cancelled";
    lost_toast(vm) = "Backup of {vm} not found";
    unconfirmed_toast(vm) = "Backup of {vm} not confirmed";
    failed_toast(vm) = "Backup of {vm} failed";
}
