//! Repositories, and copying recovery points between them.

words! {}
