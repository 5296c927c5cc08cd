//! Opens the bytes as an image of any format and reads its extents, its partition table and its contents.

#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;

static LIBRARIES_MAY_PANIC: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // Images and GPTs are read by libraries that panic on some damage. The product catches that, so here it is no
    // finding; a panic that gets past the product still is.
    LIBRARIES_MAY_PANIC.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    sendense_fuzz::read(bytes);
});
