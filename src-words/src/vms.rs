//! The list of VMs, a VM's state and its disks.

words! {
    never_backed_up = "Never backed up";
    protected = "Protected";
    last_failed = "Last backup failed";
    last_damaged = "Last backup damaged";
    title = "VMs";
    none_yet = "No VMs yet";
    none_yet_hint = "Choose a folder of disk images, or try Sendense with a small sample VM first.";
    unpacking_sample = "Unpacking the sample…";
    add_sample = "Add sample VM";
    discover = "Discover VMs";
    loading = "Loading the VMs";
    nothing_matches_hint = "No VM has this in its name, system or path, or is in this state.";
    added = "VMs added";
    search = "Search VMs";
    search_hint = "Name, system or path";
    filter = "Filter by state";
    all_states = "All states";
    view = "View";
    table = "Table";
    cards = "Cards";
    select_first = "Select the VMs to back up first";
    back_up_selected = "Back up selected";
    no_point_yet = "There are no recovery points yet";
    restore_latest = "Restore latest…";
    show_disks = "Show disks";
    copy_name = "Copy name";
    hardware = "Hardware";
    last_backup = "Last backup";
    loading_disks = "Loading the disks";

    processors(count) = "{count} CPU" | "{count} CPUs";
    shown(count) = "{count} shown";
    selected(count) = "{count} selected";
    running(count) = "{count} running";
    not_added(name) = "{name} could not be added.";
    select(name) = "Select {name}";
    disks_title(name) = "Disks of {name}";
    chosen_because(reason) = "This file, because {reason}.";

    failed(count) = "{count} failed";
    damaged(count) = "{count} damaged";
}
