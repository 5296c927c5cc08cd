//! The list of VMs, a VM's state and its disks.

words! {
    title = "VMs";
    loading = "Loading the VMs";
    search = "Search VMs";
    search_hint = "Name, system or path";
    filter = "Filter by state";
    all_states = "All states";
    view = "View";
    table = "Table";
    cards = "Cards";
    back_up_selected = "Back up selected";
    select_first = "First select the VMs to back up";

    none_yet = "No VMs yet";
    none_yet_elsewhere = "Find the VMs that this hub can back up.";
    none_yet_hint = "Choose a folder of disk images, or try Sendense with a small sample VM first.";
    add_sample = "Add sample VM";
    unpacking_sample = "Unpacking the sample…";
    added = "VMs added";
    not_added(name) = "{name} could not be added.";
    nothing_matches_hint = "No VM matches this search and state.";

    never_backed_up = "Never backed up";
    protected = "Protected";
    unknown = "Not known: the hub cannot list its backups";
    last_failed = "Last backup failed";
    last_damaged = "Last backup damaged";
    last_unconfirmed = "Last backup not confirmed";
    power_on = "on";
    power_off = "off";

    select(name) = "Select {name}";
    hardware = "Hardware";
    processors(count) = "{count} CPU" | "{count} CPUs";
    last_backup = "Last backup";
    restore_latest = "Restore latest…";
    no_point_yet = "There are no recovery points yet";
    show_disks = "Show disks";
    copy_name = "Copy name";

    shown(count) = "{count} shown";
    selected(count) = "{count} selected";
    running(count) = "{count} running";
    failed(count) = "{count} failed";
    damaged(count) = "{count} damaged";

    disks_title(name) = "Disks of {name}";
    loading_disks = "Loading the disks";
    chosen_because(reason) = "Chosen because {reason}.";
}
