//! Finding VMs: in a folder of this computer, or on a vCenter.

words! {
    title = "Discover VMs";
    hint = "Each subfolder of disk images becomes a VM, and so does each image directly in the folder you choose. Nothing on the disk is changed.";
    looking = "Looking for disk images…";
    nothing = "There are no disk images in this folder. Sendense looks for raw and QCOW2 images and for VM configuration files.";
    vcenter = "vCenter";
    vcenter_hint = "Sendense looks on a vCenter with a sign-in that is saved on the hub. Nothing is added until you choose it.";
    vcenter_line(name, host) = "{name} ({host})";
    no_credentials = "No vCenter sign-in is saved on this hub. Its administrator can add one there.";
    no_vcenters = "This hub does not find VMs for others. Its administrator can add them there.";
    discover = "Discover";
    stop = "Stop";
    asking = "Asking the vCenter. This can take 20 seconds.";
    cancelled = "Looking for VMs was cancelled.";
    no_list = "The hub did not answer with a list of VMs.";
    no_list_hint = "Hubs give no answer when looking takes longer than 15 seconds. Nothing was added. Try again later, or add a VM by its name with “sendense vm discover --credential ID --add NAME”.";
    name_too_long(limit) = "Its name is too long: this hub backs up VMs with names of up to {limit} characters.";
    filter = "Filter by name";
    select_all(count) = "Select {count} VM" | "Select all {count} VMs";
    nothing_there = "There are no VMs on this vCenter that the hub’s sign-in may see.";
    nothing_matches = "No VM matches this filter.";
    found = "VMs found";
    known = "Already in the list.";

    add(count) = "Add {count} VM" | "Add {count} VMs";
    left_out(file, reason) = "Not backed up: {file} ({reason})";
}
