//! Harness of the integration tests: tools, judges, the sample VM, and hubs started as a user starts them.
//!
//! A failure here fails the test that called it, with the command line and the command's output. Only tests use this
//! crate, so its functions panic instead of returning errors.

#![allow(
    clippy::disallowed_methods,
    reason = "tests run other programs as judges, and need a clock to choose a seed"
)]

mod bootable;
mod deployed;
mod hub;
mod judge;
mod mounted;
mod proxy;
mod random;
mod recording;
mod sample;
mod small_disk;
mod strace;
mod tls;
mod tool;
mod user;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use bootable::{Kernel, bootable_disk, set_line, written};
pub use deployed::{CREDENTIAL_ID, DeployedHub, Hazards, SESSION_TOKEN};
pub use hub::{Answer, Api, Hub};
pub use judge::{
    debugfs_cat, ntfs_cat, ntfs_cat_file, qemu_img_check, qemu_img_compare, sha256, sha256_file,
};
pub use mounted::{Driver, Mounted};
pub use proxy::{Proxy, ProxyRule};
pub use random::Random;
pub use recording::{Change, CrashState, Fate, FileId, Recording};
pub use sample::{SampleVm, sample_vm};
pub use sendense_fixtures::{Manifest, SAMPLE_VM, carve, sample_folder};
pub use small_disk::SmallDisk;
pub use tls::{Ca, Identity, LOCALHOST, TlsFront, Validity};
pub use tool::{Outcome, Tool, empty_disk, sendense, tool};
pub use user::User;

/// The root of the checkout.
pub fn repository_root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the tests lie in the checkout")
        .to_path_buf()
}

/// Cargo's target folder, found from the test binary so that CARGO_TARGET_DIR counts.
pub fn target_dir() -> PathBuf {
    let binary = std::env::current_exe().expect("a running test has a binary");
    // target/<profile>/deps/<test>
    let target = binary
        .ancestors()
        .nth(3)
        .expect("test binaries lie three folders deep");
    target.to_path_buf()
}

/// A fresh folder under the target folder, removed with the value.
///
/// Not in `/tmp`: that is often in memory, and disk images are large.
pub fn temp_dir() -> tempfile::TempDir {
    let parent = target_dir().join("tmp");
    std::fs::create_dir_all(&parent).expect("the target folder can be written");
    tempfile::Builder::new()
        .prefix("sendense-")
        .tempdir_in(parent)
        .expect("the target folder can be written")
}

/// Records that the calling test could not run here, and why; the test returns right after.
///
/// `cargo xtask test` counts and lists what is recorded. Without it nobody would notice, so the test fails.
///
/// # Panics
/// When `SENDENSE_SKIPS` names no file to record in.
#[track_caller]
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let caller = std::panic::Location::caller();
    let test = match thread.name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => format!("{}:{}", caller.file(), caller.line()),
    };
    let Some(list) = std::env::var_os("SENDENSE_SKIPS") else {
        panic!("{test} cannot run here: {reason} (`cargo xtask test` would list it as skipped)");
    };
    let line = format!("{test}\t{}\n", reason.replace(['\n', '\t'], " "));
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&list)
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .unwrap_or_else(|error| panic!("cannot record a skip in {}: {error}", list.display()));
}

/// The seed of random tests: `SENDENSE_SEED`, else a new one; printed, so that a failure can be repeated.
#[allow(clippy::print_stdout, reason = "libtest shows it when the test fails")]
pub fn seed() -> u64 {
    let seed = match std::env::var("SENDENSE_SEED") {
        Ok(text) => text.parse().expect("SENDENSE_SEED is a whole number"),
        Err(_) => {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("the clock is after 1970");
            u64::from(now.subsec_nanos()) ^ now.as_secs().rotate_left(32)
        }
    };
    println!("SENDENSE_SEED={seed}");
    seed
}

/// Whether the long variants of tests are wanted (`cargo xtask test --long`).
pub fn long() -> bool {
    std::env::var_os("SENDENSE_LONG").is_some_and(|value| value != "0")
}

/// Waits until something is there, looking again and again: another process gives no other sign.
///
/// # Panics
/// When it is not there within `limit`.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            started.elapsed() < limit,
            "{what} did not happen within {limit:?}"
        );
        thread::sleep(Duration::from_millis(2));
    }
}

/// Peak resident memory of a running process, from the kernel.
pub fn peak_memory_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
