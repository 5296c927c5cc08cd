//! Hubs: connecting, signing in, being offline.

words! {}
