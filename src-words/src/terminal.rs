//! What only the terminal says.

words! {}
