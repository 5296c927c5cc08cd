//! Finding VMs in a folder of this computer.

words! {}
