//! Walks through a FAT filesystem.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sendense_fuzz::read_marked(bytes, &[(0, &[0xEB]), (510, &[0x55, 0xAA])]);
});
