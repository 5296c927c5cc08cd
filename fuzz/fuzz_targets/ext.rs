//! Walks through an ext2, ext3 or ext4 filesystem.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sendense_fuzz::read_marked(bytes, &[(1080, &[0x53, 0xEF])]);
});
