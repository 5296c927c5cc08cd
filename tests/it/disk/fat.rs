//! FAT, compared with mtools.

use std::{fs, path::PathBuf};

use sendense_disk::FsKind;
use sendense_tests::{temp_dir, tool};

use super::{
    open, readable,
    trees::{assert_same, content, empty, plain_tree, tree_of, tree_of_folder},
};

#[track_caller]
fn fat_reads_like_mtools(bits: &str, len: u64) {
    let folder = temp_dir();
    let tree = plain_tree(folder.path());
    let volume = empty(folder.path(), "volume.img", len);
    tool("mkfs.fat")
        .args(["-F", bits, "-s", "1"])
        .arg(&volume)
        .run();
    let copy = |sources: &[PathBuf]| {
        tool("mcopy")
            .args(["-s", "-Q", "-o", "-i"])
            .arg(&volume)
            .args(sources)
            .arg("::/")
            .run();
    };
    let sources = fs::read_dir(&tree).unwrap();
    copy(
        &sources
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>(),
    );
    // A file in the gaps that others leave.
    for number in (0..150).step_by(3) {
        tool("mdel")
            .arg("-i")
            .arg(&volume)
            .arg(format!(
                "::/many/a longer name for file number {number}.txt"
            ))
            .run();
    }
    let pieces = folder.path().join("pieces.bin");
    fs::write(&pieces, content(150_000, 5)).unwrap();
    copy(&[pieces]);

    let image = open(&volume);
    let ours = tree_of(&mut readable(&image, FsKind::Fat).open(&image).unwrap());
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    tool("mcopy")
        .args(["-s", "-Q", "-i"])
        .arg(&volume)
        .arg("::/*")
        .arg(&out)
        .run();
    assert!(ours.len() > 100);
    assert_same(&ours, &tree_of_folder(&out));
}

#[test]
fn disk_fat12_reads_like_mtools() {
    fat_reads_like_mtools("12", 2 << 20);
}

#[test]
fn disk_fat16_reads_like_mtools() {
    fat_reads_like_mtools("16", 16 << 20);
}

#[test]
fn disk_fat32_reads_like_mtools() {
    fat_reads_like_mtools("32", 36 << 20);
}
