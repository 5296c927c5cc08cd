//! Files and folders on their way to this computer.

words! {}
