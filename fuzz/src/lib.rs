//! What all fuzz targets do with the bytes that the fuzzer makes up: read them as a disk, as far as possible.
//!
//! They walk through the disk as the tests of damaged images do. Except in the target `image`, a panic is a finding
//! even where the product would turn it into "this is damaged", because libFuzzer ends the process at once.

#[path = "../../tests/it/mutations/walk.rs"]
mod walk;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::LazyLock;

/// The image, in a folder of its own: what an image builds on is looked for beside it. libFuzzer ends without cleaning
/// up, so the last image of each process stays.
static DISK: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = env::temp_dir().join(format!("sendense-fuzz-{}", process::id()));
    fs::create_dir_all(&folder).expect("the folder of temporary files can be written");
    folder.join("disk.img")
});

/// Reads these bytes as a disk image of whatever format they say.
pub fn read(bytes: &[u8]) {
    fs::write(&*DISK, bytes).expect("the folder of temporary files has room");
    walk::walk(&DISK);
}

/// Reads these bytes as a disk with the marks of a filesystem, so that no run is spent on finding them.
pub fn read_marked(bytes: &[u8], marks: &[(usize, &[u8])]) {
    let mut disk = bytes.to_vec();
    for (at, mark) in marks {
        let Some(place) = disk.get_mut(*at..*at + mark.len()) else {
            return;
        };
        place.copy_from_slice(mark);
    }
    read(&disk);
}
