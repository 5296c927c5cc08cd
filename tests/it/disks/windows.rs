//! NTFS as ntfs-3g writes it.
