//! All backups of all VMs.

words! {
    title = "Activity";
    vm = "VM";
    kind = "Type";
    all_kinds = "All types";
    backups = "Backups";
    finished = "Finished backups";
    backup_of(what) = "Backup of {what}";

    unread(count, example) = "The hub could not list the backups of {count} VM, {example}. They are missing here." | "The hub could not list the backups of {count} VMs, such as {example}. They are missing here.";
    nothing_yet = "No activity yet";
    nothing_yet_hint = "Backups on this hub and the files you save from them appear here.";
    nothing_matches_hint = "No activity matches this type and VM.";
}
