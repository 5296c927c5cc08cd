//! What a retention keeps and removes.

words! {}
