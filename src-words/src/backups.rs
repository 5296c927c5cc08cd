//! Starting a backup, and one that is running.

words! {}
