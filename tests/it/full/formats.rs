//! Every format from every chain is what was backed up.

use std::fs;

use sendense_tests::long;

use super::{FORMATS, Kept, assert_restored, names};

/// Sizes that end with a sector, within one, with a cluster, with a block of VDI and VHDX, and with a grain table.
const SIZES: [u64; 6] = [
    (5 << 20) + 512,
    (3 << 20) + 1,
    65536,
    64 << 20,
    (32 << 20) + 65536,
    (700 << 20) + 1536,
];

#[test]
fn full_restore_every_format_from_every_chain_is_identical_for_qemu_img() {
    let chains: &[usize] = if long() { &[1, 4, 30] } else { &[1, 4] };
    for n_points in chains {
        for (number, size) in SIZES.into_iter().enumerate() {
            let kept = Kept::with_points(size, *n_points);
            println!("{n_points} points of {size} bytes");
            let (newest, source) = kept.points.last().unwrap();
            for (word, format, extension) in FORMATS {
                let target = kept.target(word);
                let folder = target.to_str().unwrap();
                let restored = kept.run(&["restore", "vm", newest, "-o", folder, "--format", word]);
                assert_eq!(restored["status"], "completed", "{restored}");
                assert_eq!(restored["done_bytes"], restored["total_bytes"]);
                assert_eq!(restored["remarks"].as_array().map_or(0, Vec::len), 0);
                let name = format!("vm.{extension}");
                assert_eq!(names(&target), [name.as_str()]);
                let image = target.join(&name);
                assert_eq!(restored["files"][0], image.to_str().unwrap());
                assert_restored(&image, format, source);
                if word == "raw" {
                    assert_eq!(fs::metadata(&image).unwrap().len(), size);
                }
            }
            // What lies under the newest is restored as well as that.
            let (oldest, source) = &kept.points[0];
            let target = kept.target("oldest");
            let folder = target.to_str().unwrap();
            let (word, format, extension) = FORMATS[number % FORMATS.len()];
            kept.run(&["restore", "vm", oldest, "-o", folder, "--format", word]);
            assert_restored(&target.join(format!("vm.{extension}")), format, source);
        }
    }
}

#[test]
fn full_restore_an_empty_and_a_full_disk_are_identical_for_qemu_img() {
    for n_full in [0, 40] {
        let mut kept = Kept::new(40 << 20);
        kept.fill(0, n_full);
        let id = kept.back_up();
        for (word, format, extension) in FORMATS {
            let target = kept.target(word);
            let folder = target.to_str().unwrap();
            kept.run(&["restore", "disk", &id, "-o", folder, "--format", word]);
            let image = target.join(format!("vm.{extension}"));
            assert_restored(&image, format, &kept.points[0].1);
        }
    }
}

#[test]
fn full_restore_of_several_disks_writes_those_that_are_wanted() {
    let kept = Kept::new(1 << 20);
    let second = kept.path("vms/vm/second.raw");
    fs::write(&second, vec![7; 3 << 20]).unwrap();
    fs::write(kept.path("vms/vm/disk.raw"), vec![5; 1 << 20]).unwrap();
    kept.run(&["vm", "discover", "vms"]);
    let backup = kept.run(&["backup", "start", "vm", "--wait"]);
    let id = backup["backup_id"].as_str().unwrap();
    let all = kept.target("all");
    let restored = kept.run(&["restore", "vm", id, "-o", "all", "--format", "vdi"]);
    assert_eq!(restored["disk_indexes"], serde_json::json!([0, 1]));
    assert_eq!(names(&all), ["vm-disk0.vdi", "vm-disk1.vdi"]);
    assert_restored(
        &all.join("vm-disk0.vdi"),
        "vdi",
        &kept.path("vms/vm/disk.raw"),
    );
    assert_restored(&all.join("vm-disk1.vdi"), "vdi", &second);

    let one = kept.target("one");
    kept.run(&[
        "restore", "disk", id, "--disk", "1", "-o", "one", "--format", "raw",
    ]);
    assert_eq!(names(&one), ["vm-disk1.raw"]);
    assert_restored(&one.join("vm-disk1.raw"), "raw", &second);
    let missing = kept.command(&["restore", "disk", id, "--disk", "2", "-o", "one"]);
    assert_eq!(missing.outcome().code, Some(3));
}
