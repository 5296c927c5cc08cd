//! Large disks cost only what is written on them, in room, time and memory.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use sendense_tests::{Hub, qemu_img_check, qemu_img_compare, seed, temp_dir};
use serde_json::{Value, json};

use super::{Random, image_of, new_disk};

const CLUSTER_BYTES: u64 = 64 << 10;
/// Where something is written: 16 places of 64 MiB, far apart.
const N_PLACES: u64 = 16;
const PLACE_BYTES: u64 = 64 << 20;
const PLACES_APART: u64 = (2 << 40) / N_PLACES;
const WRITTEN_BYTES: u64 = N_PLACES * PLACE_BYTES;
const MOST_MEMORY_BYTES: u64 = 200_000_000;

/// Writes something new to that cluster of those that are in use.
fn write_cluster(disk: &File, number: u64, random: &mut Random) {
    let in_place = PLACE_BYTES / CLUSTER_BYTES;
    let at = number / in_place * PLACES_APART + number % in_place * CLUSTER_BYTES;
    let mut bytes = vec![0; usize::try_from(CLUSTER_BYTES).unwrap()];
    for word in bytes.chunks_exact_mut(8) {
        word.copy_from_slice(&random.below(u64::MAX).to_le_bytes());
    }
    disk.write_all_at(&bytes, at).unwrap();
}

/// Room that a file takes on the disk.
fn allocated_bytes(file: &Path) -> u64 {
    fs::metadata(file).unwrap().blocks() * 512
}

#[test]
fn chain_a_disk_of_2_tib_costs_what_is_written_on_it() {
    let folder = temp_dir();
    let (source, disk) = new_disk(folder.path());
    let mut random = Random(seed() | 1);
    disk.set_len(2 << 40).unwrap();
    let n_clusters = WRITTEN_BYTES / CLUSTER_BYTES;
    for number in 0..n_clusters {
        write_cluster(&disk, number, &mut random);
    }
    let hub = Hub::start(&folder.path().join("data"));
    let run = |args: &[&str]| {
        let command = hub.sendense().arg("--json").args(args);
        command.limit(Duration::from_secs(120)).run().json()
    };
    let judge = |backup: &Value| {
        let image = image_of(backup);
        qemu_img_check(&image);
        qemu_img_compare(&source, "raw", &image, "qcow2");
        allocated_bytes(&image)
    };
    let vms = folder.path().join("vms");
    run(&["vm", "discover", vms.to_str().unwrap()]);

    let full = run(&["backup", "start", "vm", "--wait"]);
    assert_eq!(full["total_bytes"], WRITTEN_BYTES, "holes are not read");
    assert_eq!(full["stored_bytes"], WRITTEN_BYTES);
    let allocated = judge(&full);
    assert!(
        allocated < WRITTEN_BYTES / 100 * 101,
        "{allocated} bytes on the disk"
    );

    let mut changed = BTreeSet::new();
    while (changed.len() as u64) < n_clusters / 100 {
        let number = random.below(n_clusters);
        write_cluster(&disk, number, &mut random);
        changed.insert(number);
    }
    let changed_bytes = changed.len() as u64 * CLUSTER_BYTES;
    let incremental = run(&["backup", "start", "vm", "--type", "incremental", "--wait"]);
    assert_eq!(incremental["stored_bytes"], json!(changed_bytes));
    // With its tables, of which each place needs one.
    let allocated = judge(&incremental);
    assert!(
        allocated <= changed_bytes / 10 * 12,
        "{allocated} bytes on the disk for {changed_bytes} that changed"
    );

    let id = incremental["backup_id"].as_str().unwrap();
    assert_eq!(run(&["backup", "verify", id])["status"], "sound");
    let peak = hub.peak_memory_bytes();
    println!("the hub took {peak} bytes of memory at most");
    assert!(peak < MOST_MEMORY_BYTES, "{peak} bytes of memory");
}
