//! Finding VMs in a folder of this computer.

words! {
    title = "Discover VMs";
    hint = "Each subfolder of disk images becomes a VM, and so does each image directly in the folder you choose. Nothing on the disk is changed.";
    looking = "Looking for disk images…";
    nothing = "There are no disk images in this folder. Sendense looks for raw and QCOW2 images and for VM configuration files.";
    found = "VMs found";
    known = "Already in the list.";

    add(count) = "Add {count} VM" | "Add {count} VMs";
    left_out(file, reason) = "Not backed up: {file} ({reason})";
}
