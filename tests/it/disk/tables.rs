//! Partition tables beside sfdisk.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use sendense_disk::volumes;
use sendense_tests::{temp_dir, tool};

use super::{open, trees::empty};

/// A disk whose table sfdisk makes; starts in sectors, in disk order.
fn partitioned(folder: &Path, table: &str) -> PathBuf {
    let path = empty(folder, "disk.img", 16 << 20);
    tool("sfdisk").arg("-q").arg(&path).stdin(table).run();
    path
}

fn starts(path: &Path) -> Vec<(u64, u64)> {
    let found = volumes(&open(path)).unwrap().volumes;
    found.iter().map(|v| (v.start, v.size_bytes)).collect()
}

#[test]
fn disk_logical_partitions_are_found_where_sfdisk_puts_them() {
    let folder = temp_dir();
    let disk = partitioned(
        folder.path(),
        "label: dos\nstart=2048, size=2048, type=83\nstart=8192, size=20000, type=5\n\
         start=10240, size=2048, type=83\nstart=14336, size=4096, type=83\nstart=20480, size=1000, type=83\n",
    );
    let dump = tool("sfdisk").arg("--dump").arg(&disk).run().text();
    let number = |line: &str, field: &str| -> u64 {
        let (_, after) = line.split_once(field).unwrap();
        let (digits, _) = after.split_once(',').unwrap();
        digits.trim().parse().unwrap()
    };
    let mut theirs: Vec<_> = dump
        .lines()
        .filter(|line| line.contains("start=") && !line.contains("type=5"))
        .map(|line| (number(line, "start=") * 512, number(line, "size=") * 512))
        .collect();
    theirs.sort_unstable();
    assert_eq!(theirs.len(), 4, "{dump}");
    assert_eq!(starts(&disk), theirs);
}

#[test]
fn disk_a_gpt_of_4096_byte_sectors_is_read_in_those() {
    let folder = temp_dir();
    let table = "label: gpt\nstart=2048, size=200, name=first\nstart=2560, size=300, name=second\n";
    let small = fs::read(partitioned(folder.path(), table)).unwrap();
    // Its numbers count sectors, whatever their size: the same header and entries, further apart.
    let disk = empty(folder.path(), "large.img", 16 << 20);
    let file = File::options().write(true).open(&disk).unwrap();
    file.write_all_at(&small[..512], 0).unwrap();
    file.write_all_at(&small[512..1024], 4096).unwrap();
    file.write_all_at(&small[1024..34 * 512], 2 * 4096).unwrap();
    let found = volumes(&open(&disk)).unwrap().volumes;
    let ours: Vec<_> = found
        .iter()
        .map(|v| (v.start / 4096, v.size_bytes / 4096, v.label.as_deref()))
        .collect();
    assert_eq!(
        ours,
        [(2048, 200, Some("first")), (2560, 300, Some("second"))]
    );
}
