//! Independent judges: what other people's programs say about our images and files.

use std::path::Path;

use crate::tool;

/// `qemu-img check` finds nothing wrong, not even a leaked cluster.
///
/// # Panics
/// When it does.
#[track_caller]
pub fn qemu_img_check(image: &Path) {
    tool("qemu-img")
        .args(["check", "--output=json"])
        .arg(image)
        .run();
}

/// `qemu-img compare` finds both images identical, whatever their formats.
///
/// # Panics
/// When they differ.
#[track_caller]
pub fn qemu_img_compare(left: &Path, left_format: &str, right: &Path, right_format: &str) {
    tool("qemu-img")
        .args(["compare", "-f", left_format, "-F", right_format])
        .args([left, right])
        .run();
}

/// A file's content as the NTFS tools read it from a volume image (see `carve`).
#[track_caller]
pub fn ntfs_cat(volume: &Path, path: &str) -> Vec<u8> {
    tool("ntfscat").arg(volume).arg(path).run().stdout
}

/// Writes a file's content as the NTFS tools read it, for files too large for memory.
#[track_caller]
pub fn ntfs_cat_file(volume: &Path, path: &str, target: &Path) {
    tool("sh")
        .args(["-c", "exec ntfscat \"$1\" \"$2\" > \"$3\"", "ntfscat"])
        .arg(volume)
        .arg(path)
        .arg(target)
        .run();
}

/// A file's content as debugfs reads it from an ext2/3/4 volume image.
#[track_caller]
pub fn debugfs_cat(volume: &Path, path: &str) -> Vec<u8> {
    let outcome = tool("debugfs")
        .arg("-R")
        .arg(format!("cat \"{path}\""))
        .arg(volume)
        .run();
    // debugfs reports a missing file on standard error and still ends with success.
    assert!(
        !outcome.error_text().contains("File not found"),
        "{outcome}"
    );
    outcome.stdout
}

/// SHA-256 of bytes, in lower-case hexadecimal.
pub fn sha256(mut bytes: &[u8]) -> String {
    sendense_fixtures::sha256(&mut bytes).expect("memory can be read")
}

/// SHA-256 of a file, in lower-case hexadecimal.
#[track_caller]
pub fn sha256_file(path: &Path) -> String {
    sendense_fixtures::sha256_file(path).unwrap_or_else(|error| panic!("{error:#}"))
}
