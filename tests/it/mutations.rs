//! Thousands of damaged images: whatever is on a disk, reading it ends with an answer.
//!
//! Each test runs itself a second time, in a process with limited memory. There it damages a small real image, walks
//! through it, undoes the damage and continues. A panic that leaves the disk crate, a stack overflow or an allocation
//! that is too large ends that process; a loop silences it. The last line it wrote names the seed that repeats the
//! failure.

mod damage;
mod images;
mod walk;

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::Child,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use sendense_tests::{long, seed, temp_dir, tool};

use damage::{Damaged, Random};
use images::Base;

/// Set in the second process: the seed. `SENDENSE_MUTATION` repeats a single one there.
const SEED: &str = "SENDENSE_MUTATIONS_SEED";
const ONLY: &str = "SENDENSE_MUTATION";

/// Longest time for one image.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the second process may map: 512 MiB, and what the program itself takes before it begins.
const ADDRESS_SPACE_BYTES: u64 = (512 + 128) << 20;

#[test]
fn mutations_ntfs() {
    run("mutations::mutations_ntfs", 2000, images::ntfs);
}

#[test]
fn mutations_ext() {
    run("mutations::mutations_ext", 2000, images::ext);
}

#[test]
fn mutations_fat() {
    run("mutations::mutations_fat", 2000, images::fat);
}

#[test]
fn mutations_partition_tables() {
    run(
        "mutations::mutations_partition_tables",
        2000,
        images::partition_tables,
    );
}

#[test]
fn mutations_qcow2() {
    run("mutations::mutations_qcow2", 1000, images::qcow2);
}

#[test]
fn mutations_vmdk() {
    run("mutations::mutations_vmdk", 500, images::vmdk);
}

/// Both sides of one test.
#[track_caller]
fn run(test: &str, n_images: u64, bases: fn(&Path) -> Vec<Base>) {
    let n_images = if long() { 10 * n_images } else { n_images };
    match std::env::var(SEED) {
        Ok(seed) => damage_and_read(seed.parse().unwrap(), n_images, bases),
        Err(_) => watch(test, n_images),
    }
}

/// The second process: a line for each image, before it is read.
#[allow(clippy::print_stdout, reason = "the first process reads it")]
fn damage_and_read(seed: u64, n_images: u64, bases: fn(&Path) -> Vec<Base>) {
    let folder = temp_dir();
    let mut bases = bases(folder.path());
    for base in &bases {
        // Without this, a base that cannot be read at all would survive everything.
        let seen = walk::walk(&base.path);
        assert!(
            seen.n_entries >= base.n_entries && seen.n_bytes > 0,
            "{} is sound, and yet only {seen:?} is found",
            base.path.display()
        );
    }
    let only: Option<u64> = std::env::var(ONLY).ok().map(|text| text.parse().unwrap());
    let n_bases = bases.len() as u64;
    for number in 0..n_images {
        if only.is_some_and(|only| only != number) {
            continue;
        }
        let base = &mut bases[usize::try_from(number % n_bases).unwrap()];
        let mut random = Random::new(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let damaged = Damaged::new(base, &mut random);
        println!(
            "mutation {number} of {n_images}: {} {}",
            base.path.file_name().unwrap().display(),
            damaged.what
        );
        walk::walk(&base.path);
        damaged.undo(base);
    }
    println!("mutations done");
}

/// The first process: waits for lines, not longer than one image may take.
#[track_caller]
fn watch(test: &str, n_images: u64) {
    let seed = seed();
    let mut child = tool("prlimit")
        .arg(format!("--as={ADDRESS_SPACE_BYTES}"))
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(SEED, seed.to_string())
        // Each thread of glibc's allocator reserves 64 MiB of addresses that nobody uses.
        .env("MALLOC_ARENA_MAX", "1")
        .env("RUST_BACKTRACE", "0")
        .spawn();
    let (sender, lines) = mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reader = thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if line.contains("mutation") && sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut stderr = child.stderr.take().unwrap();
    let errors = thread::spawn(move || tail(&mut stderr));

    let mut last = "making the images".to_owned();
    // The first line comes when the images are made, and other programs make them.
    let mut patience = Duration::from_secs(120);
    let is_alive = loop {
        match lines.recv_timeout(patience) {
            Ok(line) => last = line,
            Err(RecvTimeoutError::Disconnected) => break true,
            Err(RecvTimeoutError::Timeout) => break false,
        }
        patience = PATIENCE;
    };
    let status = end(&mut child, is_alive);
    drop(reader.join());
    let errors = errors.join().unwrap();
    assert!(
        is_alive,
        "no progress for {patience:?} in {test}, SENDENSE_SEED={seed}, at: {last}\n{errors}"
    );
    assert!(
        status.success() && last == "mutations done",
        "{test} of {n_images} images ended with {status}, SENDENSE_SEED={seed}, at: {last}\n{errors}"
    );
}

fn end(child: &mut Child, is_alive: bool) -> std::process::ExitStatus {
    if !is_alive {
        drop(child.kill());
    }
    child.wait().unwrap()
}

/// The end of what the process said: every caught panic says something.
fn tail(stderr: &mut impl Read) -> String {
    const KEPT: usize = 4000;
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n_read) = stderr.read(&mut buffer) {
        if n_read == 0 {
            break;
        }
        kept.extend_from_slice(&buffer[..n_read]);
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
        }
    }
    String::from_utf8_lossy(&kept[kept.len().saturating_sub(KEPT)..]).into_owned()
}
