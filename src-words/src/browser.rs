//! The files of a mounted disk.

words! {}
