//! All backups of all VMs.

words! {}
