//! The recovery points of a VM: the list, verifying, pinning, deleting.

words! {}
