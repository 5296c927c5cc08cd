//! Running VMs on a filesystem that copies files instantly: their disks are backed up as they were at one moment.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sendense_disk::{AllowedRoots, Image};
use sendense_tests::{qemu_img_check, qemu_img_compare, skip, temp_dir, tool};
use serde_json::Value;

use super::{Bench, image_of};

const PIECE: usize = 64 << 10;

/// A Btrfs in a file, mounted on `vms`.
struct Btrfs {
    folder: tempfile::TempDir,
}

impl Btrfs {
    /// `None`, and on the list of skipped tests, where only administrators may mount.
    fn new() -> Option<Self> {
        let folder = temp_dir();
        let file = folder.path().join("btrfs.img");
        // It is mostly holes. Btrfs needs some room for itself, and the hub leaves some to the machine.
        File::create(&file).unwrap().set_len(4 << 30).unwrap();
        tool("mkfs.btrfs").arg("-q").arg(&file).run();
        let place = folder.path().join("vms");
        fs::create_dir(&place).unwrap();
        let mounted = tool("mount")
            .args(["-o", "loop"])
            .args([&file, &place])
            .outcome();
        if mounted.code != Some(0) {
            skip(&format!(
                "a Btrfs cannot be mounted: {}",
                mounted.error_text()
            ));
            return None;
        }
        fs::create_dir(place.join("vm")).unwrap();
        Some(Self { folder })
    }

    fn vm(&self) -> PathBuf {
        self.folder.path().join("vms/vm")
    }
}

impl Drop for Btrfs {
    fn drop(&mut self) {
        // Lazily: what still holds a file there must not make the folder stay.
        let place = self.folder.path().join("vms");
        drop(tool("umount").arg("-l").arg(place).outcome());
    }
}

/// A program that has a disk open for writing, as a running machine does.
pub(super) struct Machine(Child);

impl Machine {
    /// Opens the disk. Nothing else may look at it by QEMU's tools meanwhile: those lock it too, and of two
    /// that lock it at the same time both give up.
    pub(super) fn run(disk: &Path, format: &str) -> Self {
        let mut child = tool("qemu-io").args(["-f", format]).arg(disk).spawn();
        // It asks for a command once the disk is open and locked.
        let mut asked = [0; "qemu-io> ".len()];
        let output = child.stdout.as_mut().expect("its output is piped");
        output.read_exact(&mut asked).expect("QEMU opens the disk");
        assert_eq!(asked, *b"qemu-io> ");
        Self(child)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn disk_of(backup: &Value, disk: usize) -> PathBuf {
    PathBuf::from(backup["disks"][disk]["qcow2_path"].as_str().unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn chain_all_disks_of_a_running_machine_are_backed_up_from_copies() {
    let Some(btrfs) = Btrfs::new() else {
        return;
    };
    let vm = btrfs.vm();
    let create = |args: &[&str]| {
        tool("qemu-img")
            .args(["create", "-q"])
            .args(args)
            .current_dir(&vm)
            .run();
    };
    let write = |disk: &str, format: &str, command: &str| {
        tool("qemu-io")
            .args(["-f", format, "-c", command, disk])
            .current_dir(&vm)
            .run();
    };
    create(&["-f", "qcow2", "base.qcow2", "20M"]);
    write("base.qcow2", "qcow2", "write -q -P 5 1M 3M");
    create(&["-f", "qcow2", "-F", "qcow2", "-b", "base.qcow2", "a.qcow2"]);
    write("a.qcow2", "qcow2", "write -q -P 6 2M 5M");
    create(&["-f", "raw", "b.raw", "9M"]);
    write("b.raw", "raw", "write -q -P 7 0 1M");
    create(&[
        "-f",
        "vmdk",
        "-o",
        "subformat=monolithicFlat",
        "c.vmdk",
        "6M",
    ]);
    write("c.vmdk", "vmdk", "write -q -P 8 4M 1M");
    let before = names(&vm);

    let bench = Bench::new(btrfs.folder.path(), "vm");
    let disks = [("a.qcow2", "qcow2"), ("b.raw", "raw"), ("c.vmdk", "vmdk")];
    let machines = disks.map(|(disk, format)| Machine::run(&vm.join(disk), format));
    let full = bench.back_up("full");
    assert_eq!(names(&vm), before, "copies have no names");
    drop(machines);
    for (number, (disk, format)) in disks.into_iter().enumerate() {
        qemu_img_check(&disk_of(&full, number));
        qemu_img_compare(&vm.join(disk), format, &disk_of(&full, number), "qcow2");
    }

    write("a.qcow2", "qcow2", "write -q -P 9 0 1M");
    write("c.vmdk", "vmdk", "write -q -z 4M 512k");
    let machine = Machine::run(&vm.join("a.qcow2"), "qcow2");
    let next = bench.back_up("incremental");
    drop(machine);
    for (number, (disk, format)) in disks.into_iter().enumerate() {
        qemu_img_check(&disk_of(&next, number));
        qemu_img_compare(&vm.join(disk), format, &disk_of(&next, number), "qcow2");
    }
    bench.stop();
}

#[test]
fn chain_a_disk_that_is_written_to_all_the_time_is_backed_up_as_of_one_moment() {
    let Some(btrfs) = Btrfs::new() else {
        return;
    };
    let disk = btrfs.vm().join("disk.raw");
    const N_PIECES: u64 = 200;
    let file = File::create(&disk).unwrap();
    file.set_len(N_PIECES * PIECE as u64).unwrap();
    let bench = Bench::new(btrfs.folder.path(), "vm");
    let machine = Machine::run(&disk, "raw");
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || {
            // Round after round, from the first piece to the last: at any moment all pieces up to some place are
            // of one round, and the others of the round before.
            for round in 1_u32.. {
                for piece in 0..N_PIECES {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let bytes = round.to_le_bytes().repeat(PIECE / 4);
                    file.write_all_at(&bytes, piece * PIECE as u64).unwrap();
                }
            }
        }
    });
    let backups = ["full", "incremental", "incremental"].map(|kind| bench.back_up(kind));
    is_over.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    drop(machine);
    for backup in &backups {
        let allowed = AllowedRoots::new([btrfs.folder.path().to_path_buf()]);
        let image = Image::open(&image_of(backup), &allowed).unwrap();
        let rounds: Vec<u32> = (0..N_PIECES)
            .map(|piece| {
                let mut bytes = [0; 4];
                image.read_at(piece * PIECE as u64, &mut bytes).unwrap();
                u32::from_le_bytes(bytes)
            })
            .collect();
        let (first, last) = (rounds[0], rounds[rounds.len() - 1]);
        assert!(
            rounds.is_sorted_by(|a, b| a >= b) && first - last <= 1,
            "of one moment: {rounds:?}"
        );
    }
    bench.stop();
}
