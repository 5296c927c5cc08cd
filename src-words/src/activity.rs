//! All backups of all VMs.

words! {
    title = "Activity";
    vm = "VM";
    kind = "Kind";
    all_kinds = "All kinds";
    backups = "Backups";
    finished = "Finished backups";
    backup_of(what) = "Backup of {what}";

    nothing_yet = "No activity yet";
    nothing_yet_hint = "Backups on this hub and the files you save from them appear here.";
    nothing_matches_hint = "There is no activity of this kind or for this VM.";
}
