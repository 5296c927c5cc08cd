use crate::words;

words! {}
