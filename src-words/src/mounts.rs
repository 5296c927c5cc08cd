//! Mounts: opening one, how long it lasts, closing it.

words! {}
