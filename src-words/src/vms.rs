//! The list of VMs, a VM's state and its disks.

words! {}
