//! Partition tables, compared with sfdisk.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use sendense_disk::{Content, FsKind, Layout, volumes};
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

fn layout(path: &Path) -> Layout {
    volumes(&open(path)).unwrap()
}

/// Whether something is said of what was passed over.
#[track_caller]
fn assert_passed_over(layout: &Layout, names: &[&str]) {
    for name in names {
        assert!(
            layout.passed_over.iter().any(|said| said.contains(name)),
            "{name}: {:?}",
            layout.passed_over
        );
    }
}

/// Writes a table and leaves everything else as it is.
fn write_table(disk: &Path, table: &str) {
    tool("sfdisk")
        .args(["-q", "--wipe", "never", "--wipe-partitions", "never"])
        .arg(disk)
        .stdin(table)
        .run();
}

/// An ext4 of 4 MiB from a place on.
fn format(disk: &Path, start: u64) {
    tool("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-b", "1024", "-E"])
        .arg(format!("offset={start}"))
        .arg(disk)
        .arg("4M")
        .run();
}

fn is_ext4(layout: &Layout, number: usize) -> bool {
    layout.volumes[number].content == Content::Readable(FsKind::Ext4)
}

#[test]
fn disk_an_mbr_counts_before_the_gpt_that_was_there_before() {
    let folder = temp_dir();
    let disk = empty(folder.path(), "disk.img", 32 << 20);
    write_table(
        &disk,
        "label: gpt\nstart=2048,size=8192\nstart=10240,size=8192\n",
    );
    write_table(&disk, "label: dos\nstart=4096,size=16384,type=83\n");
    format(&disk, 4096 * 512);
    let found = layout(&disk);
    assert_eq!(starts(&disk), [(4096 * 512, 16384 * 512)]);
    assert!(is_ext4(&found, 0), "{found:?}");
    assert_passed_over(&found, &["(GPT) with 2 partitions"]);

    // And the other way round.
    write_table(&disk, "label: gpt\nstart=2048,size=8192\n");
    assert_eq!(starts(&disk), [(2048 * 512, 8192 * 512)]);
}

#[test]
fn disk_a_table_counts_before_what_the_disk_was_as_a_whole() {
    let folder = temp_dir();
    let marks: [(&str, u64, &[u8]); 6] = [
        ("Btrfs", 0x1_0040, b"_BHRfS_M"),
        ("ISO 9660", 0x8001, b"CD001"),
        ("LVM", 512, b"LABELONE"),
        ("RAID", 4096, b"\xfc\x4e\x2b\xa9"),
        ("swap", 4086, b"SWAPSPACE2"),
        ("ext4", 0, b""),
    ];
    // With an id whose first byte on the disk is the last one of a mark at the end of others.
    let gpt = "gpt\nlabel-id: 1234562F-0000-4000-8000-000000000001";
    for table in ["dos", gpt] {
        for (name, place, mark) in marks {
            // These lie where a GPT lies, which overwrites them.
            if table == gpt && matches!(name, "ext4" | "LVM" | "RAID" | "swap") {
                continue;
            }
            let kind = table.lines().next().unwrap();
            let disk = empty(folder.path(), &format!("{kind} {name}.img"), 32 << 20);
            if name == "ext4" {
                tool("mke2fs")
                    .args(["-q", "-F", "-t", "ext4"])
                    .arg(&disk)
                    .run();
            }
            let file = File::options().write(true).open(&disk).unwrap();
            file.write_all_at(mark, place).unwrap();
            write_table(&disk, &format!("label: {table}\nstart=2048,size=16384\n"));
            format(&disk, 2048 * 512);
            let found = layout(&disk);
            assert_eq!(starts(&disk), [(2048 * 512, 16384 * 512)], "{kind} {name}");
            assert!(is_ext4(&found, 0), "{kind} {name}: {found:?}");
            assert_passed_over(&found, &[name]);
        }
    }
}

#[test]
fn disk_a_filesystem_counts_before_the_marks_of_an_older_one() {
    let folder = temp_dir();
    let disk = empty(folder.path(), "ntfs.img", 160 << 20);
    tool("mkfs.btrfs").args(["-q", "-f"]).arg(&disk).run();
    tool("mkntfs").args(["-q", "-F", "-f"]).arg(&disk).run();
    let found = layout(&disk);
    assert_eq!(found.volumes[0].content, Content::Readable(FsKind::Ntfs));
    assert_passed_over(&found, &["Btrfs"]);

    // Whatever blkid finds of a layer below comes first.
    let disk = empty(folder.path(), "layer.img", 16 << 20);
    format(&disk, 0);
    let file = File::options().write(true).open(&disk).unwrap();
    file.write_all_at(b"LABELONE", 512).unwrap();
    let found = layout(&disk);
    assert!(
        matches!(&found.volumes[0].content, Content::Unreadable(what) if what.name == "LVM"),
        "{found:?}"
    );
    assert_passed_over(&found, &["ext4"]);
}

#[test]
fn disk_the_labels_of_sun_sgi_apple_and_bsd_are_read() {
    let folder = temp_dir();
    for (label, start, size) in [("sun", 16065, 32130), ("sgi", 4096, 20000)] {
        let disk = empty(folder.path(), label, 64 << 20);
        write_table(
            &disk,
            &format!("label: {label}\nstart={start},size={size}\n"),
        );
        format(&disk, start * 512);
        let found = layout(&disk);
        let volume = found.volumes.iter().find(|it| it.start == start * 512);
        let content = volume.map(|it| &it.content);
        assert_eq!(
            content,
            Some(&Content::Readable(FsKind::Ext4)),
            "{label}: {found:?}"
        );
    }
    for label in ["mac", "bsd"] {
        let disk = empty(folder.path(), label, 64 << 20);
        let named: &[&str] = if label == "mac" { &["data"] } else { &[] };
        tool("parted")
            .arg("-s")
            .arg(&disk)
            .args(["mklabel", label, "mkpart"])
            .args(named)
            .args(["ext2", "2MiB", "20MiB"])
            .run();
        format(&disk, 2 << 20);
        let found = layout(&disk);
        let places: Vec<_> = found
            .volumes
            .iter()
            .map(|it| (it.start, it.size_bytes))
            .collect();
        assert_eq!(places, [(2 << 20, 18 << 20)], "{label}");
        assert!(is_ext4(&found, 0), "{label}: {found:?}");
        assert_eq!(found.volumes[0].label.is_some(), label == "mac");
    }
}

#[test]
fn disk_an_mbr_that_counts_in_sectors_of_4096_bytes_is_read_in_those() {
    let folder = temp_dir();
    let disk = empty(folder.path(), "disk.img", 32 << 20);
    write_table(&disk, "label: dos\nstart=256,size=4096,type=83\n");
    format(&disk, 256 * 4096);
    assert_eq!(starts(&disk), [(256 * 4096, 4096 * 4096)]);
}
