//! Whole disks of a recovery point, written as images.

words! {
    title = "Full restores";
    restore = "Restore";
    all_disks = "All disks";
    disks = "Disks to restore";
    save_as = "Save disks as";
    qcow2 = "QCOW2 (QEMU, libvirt)";
    raw = "Raw";
    vmdk = "VMDK (VMware, VirtualBox)";
    vmdk_stream = "VMDK, compressed (VMware import)";
    vdi = "VDI (VirtualBox)";
    vhdx = "VHDX (Hyper-V)";
    definition = "VM definition";
    no_definition = "None";
    libvirt = "libvirt (XML)";
    virtualbox = "VirtualBox (.vbox)";
    vmware = "VMware (.vmx)";
    folder = "Folder";
    folder_on_hub = "Folder on the hub's computer";
    measuring = "Reading what the disks hold…";
    room(needed, free) = "Needs up to {needed}; {free} is free there.";
    no_room(needed, free) = "This needs up to {needed}, but only {free} is free there.";
    goes_on(size) = "{size} is there already from an earlier restore. It is compared with the backup and kept.";

    name(vm, format) = "{vm} as {format}";
    pending = "Waiting for other work";
    checking = "Comparing what is there";
    restoring = "Restoring";
    finishing = "Finishing";
    completed = "Restored and verified";
    goes_on_later = "If you restore it to the same folder again, it continues.";
}
