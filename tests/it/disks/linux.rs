//! ext2, ext3 and ext4 as a Linux kernel writes them, and as a power cut leaves them.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use sendense_tests::{Driver, Mounted, long, seed, sha256, temp_dir, tool, until};

use super::census::{Census, Row};
use super::{Aged, Style, assert_same, of_folder, of_image, without_times};

pub(super) fn formatted(folder: &Path, mebibytes: u64, arguments: &[&str]) -> PathBuf {
    let path = folder.join("volume.img");
    File::create(&path)
        .unwrap()
        .set_len(mebibytes << 20)
        .unwrap();
    tool("mke2fs")
        .args(["-q", "-F"])
        .args(arguments)
        .arg(&path)
        .run();
    path
}

/// Writes through the kernel, and reads it back through the kernel and by ourselves.
#[track_caller]
fn reads_like_the_kernel(arguments: &[&str], write: impl FnOnce(&mut Aged)) {
    let folder = temp_dir();
    // In the long form with an inode for each of a hundred thousand names.
    let mebibytes = if long() { 8192 } else { 160 };
    let volume = formatted(folder.path(), mebibytes, arguments);
    let place = folder.path().join("mounted");
    let Some(mounted) = Mounted::new(Driver::Kernel, &volume, &place, "rw") else {
        return;
    };
    write(&mut Aged::new(mounted.root(), seed(), Style::Unix));
    mounted.unmount();
    // Unmounted cleanly, so that there is nothing to replay; ext2 would not take an option that forbids it.
    let Some(mounted) = Mounted::new(Driver::Kernel, &volume, &place, "ro") else {
        return;
    };
    let theirs = of_folder(mounted.root());
    drop(mounted);
    assert_same(&of_image(&volume), &theirs);
}

fn age(aged: &mut Aged) {
    aged.live(if long() { 20_000 } else { 1500 });
    aged.crowd("crowd", if long() { 100_000 } else { 3000 });
}

#[test]
fn disks_a_folder_that_the_kernel_grew_past_one_block_shows_all_names() {
    reads_like_the_kernel(&["-t", "ext4"], |aged| aged.crowd("crowd", 150));
}

#[test]
fn disks_ext4_of_small_blocks_is_what_the_kernel_shows() {
    reads_like_the_kernel(&["-t", "ext4", "-b", "1024"], age);
}

#[test]
fn disks_ext4_is_what_the_kernel_shows() {
    reads_like_the_kernel(&["-t", "ext4", "-b", "4096"], age);
}

#[test]
fn disks_ext4_with_small_files_in_their_inodes_is_what_the_kernel_shows() {
    reads_like_the_kernel(
        &["-t", "ext4", "-b", "1024", "-I", "256", "-O", "inline_data"],
        age,
    );
}

#[test]
fn disks_ext4_with_clusters_of_blocks_is_what_the_kernel_shows() {
    reads_like_the_kernel(
        &["-t", "ext4", "-b", "1024", "-O", "bigalloc", "-C", "16384"],
        age,
    );
}

#[test]
fn disks_ext4_with_rare_features_is_what_the_kernel_shows() {
    reads_like_the_kernel(
        &[
            "-t",
            "ext4",
            "-O",
            "meta_bg,^resize_inode,metadata_csum_seed,large_dir,ea_inode",
        ],
        age,
    );
    reads_like_the_kernel(
        &[
            "-t",
            "ext4",
            "-b",
            "1024",
            "-O",
            "^metadata_csum,uninit_bg,sparse_super2,mmp",
        ],
        age,
    );
}

#[test]
fn disks_ext3_is_what_the_kernel_shows() {
    reads_like_the_kernel(&["-t", "ext3", "-b", "1024"], age);
}

#[test]
fn disks_ext2_is_what_the_kernel_shows() {
    reads_like_the_kernel(&["-t", "ext2", "-I", "128"], age);
}

/// Who replays the journal of a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judge {
    E2fsck,
    /// Of a fast commit, e2fsck 1.47 leaves a superblock with the wrong checksum and stops.
    Kernel,
}

/// Cuts the power of a busy filesystem again and again. Each cut is what the judge makes of a copy of it, as
/// the kernel then shows that one.
///
/// The image lies on Btrfs, which clones a file at one moment: what a copy made bit by bit holds has never
/// been on any disk, with commit blocks that are newer than the blocks they commit.
#[track_caller]
fn survives_power_cuts(arguments: &[&str], options: &str, judge_of: Judge) {
    let folder = temp_dir();
    let host = folder.path().join("host.img");
    File::create(&host).unwrap().set_len(2 << 30).unwrap();
    tool("mkfs.btrfs").arg("-q").arg(&host).run();
    let hosting = folder.path().join("host");
    let Some(host) = Mounted::new(Driver::Kernel, &host, &hosting, "rw") else {
        return;
    };
    let volume = formatted(host.root(), 64, arguments);
    let place = folder.path().join("mounted");
    let Some(mounted) = Mounted::new(Driver::Kernel, &volume, &place, options) else {
        return;
    };
    let n_cuts = if long() { 17 } else { 4 };
    let cut = |number: usize| host.root().join(format!("cut {number}.img"));
    let is_over = AtomicBool::new(false);
    let root = mounted.root();
    thread::scope(|scope| {
        scope.spawn(|| be_busy(root, &is_over));
        scope.spawn(|| sync_often(root, &is_over));
        until(
            "the first files are synced",
            Duration::from_secs(60),
            || root.join("synced 3").exists().then_some(()),
        );
        let pause = Duration::from_millis(if long() { 700 } else { 250 });
        for number in 0..n_cuts {
            thread::sleep(pause);
            tool("cp")
                .arg("--reflink=always")
                .args([&volume, &cut(number)])
                .run();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    drop(mounted);
    let mut unjudged = Vec::new();
    for number in 0..n_cuts {
        let copy = cut(number);
        let ours = of_image(&copy);
        if judge_of == Judge::E2fsck {
            let checked = tool("e2fsck").arg("-fy").arg(&copy).outcome();
            assert!(checked.code <= Some(1), "{checked}");
        }
        let place = folder.path().join("judge");
        // The kernel replays what is left in the journal, for which it has to write.
        let judge = match Mounted::try_new(Driver::Kernel, &copy, &place, "rw") {
            Ok(judge) => judge,
            // It fails to replay some of its own fast commits.
            Err(why) if judge_of == Judge::Kernel => {
                unjudged.push(why);
                continue;
            }
            Err(why) => panic!("what e2fsck repaired can be mounted: {why}"),
        };
        let theirs = of_folder(judge.root());
        drop(judge);
        assert!(theirs.len() > 5, "the copy holds nothing: {theirs:?}");
        if judge_of == Judge::Kernel {
            // Replaying a fast commit, the kernel stamps folders and some files with the time of its replay.
            let (mut ours, mut theirs) = (without_times(ours), without_times(theirs));
            take_out_half_replayed(&mut ours, &mut theirs);
            assert_same(&ours, &theirs);
        } else {
            assert_same(&ours, &theirs);
        }
    }
    assert!(
        2 * unjudged.len() <= n_cuts,
        "{n_cuts} cuts, and no judge for these: {unjudged:?}"
    );
}

fn be_busy(root: &Path, is_over: &AtomicBool) {
    let work = root.join("work");
    fs::create_dir(&work).unwrap();
    let mut aged = Aged::new(&work, seed(), Style::Unix);
    while !is_over.load(Ordering::Relaxed) {
        aged.live(20);
        if fs::read_dir(&work).unwrap().count() > 300 {
            fs::remove_dir_all(&work).unwrap();
            fs::create_dir(&work).unwrap();
            aged = Aged::new(&work, seed(), Style::Unix);
        }
    }
}

/// Names that [`sync_often`] uses in turn.
const SYNCED_NAMES: u32 = 200;
/// It is stopped long before it has used each so many times.
const SYNCED_TIMES: u32 = 100;

/// What it leaves as its file of this number.
fn synced(number: u32) -> Vec<u8> {
    let mut content = number.to_le_bytes().repeat(900);
    content.resize(40_000, 0);
    content.extend(b"again");
    content
}

/// Takes out files of which the kernel's replay shows what was synced last and zeros instead of what was synced before:
/// it loses extents of its own fast commits at times. That a file is right where ours has it is known from the writer.
fn take_out_half_replayed(ours: &mut Census, theirs: &mut Census) {
    let half = sha256(&synced(0)).into_bytes();
    for name in 0..SYNCED_NAMES {
        let path = format!("synced {name}").into_bytes();
        // Number 0 is written as zeros.
        if name == 0 || theirs.get(&path).is_none_or(|row| row.content != half) {
            continue;
        }
        let is_whole = |row: &Row| {
            let mut numbers = (0..SYNCED_TIMES).map(|time| name + time * SYNCED_NAMES);
            numbers.any(|number| sha256(&synced(number)).into_bytes() == row.content)
        };
        assert!(
            ours.get(&path).is_some_and(is_whole),
            "synced {name}: {:?}",
            ours.get(&path)
        );
        ours.remove(&path);
        theirs.remove(&path);
    }
}

/// Waits for the disk after each file, which makes transactions and fast commits.
fn sync_often(root: &Path, is_over: &AtomicBool) {
    let mut number = 0_u32;
    while !is_over.load(Ordering::Relaxed) {
        let path = root.join(format!("synced {}", number % SYNCED_NAMES));
        drop(fs::remove_file(&path));
        let synced = File::create(&path).and_then(|mut file| {
            file.write_all(&number.to_le_bytes().repeat(900))?;
            file.sync_all()?;
            file.write_all_at(b"again", 40_000)?;
            file.sync_data()
        });
        drop(synced);
        number += 1;
    }
}

#[test]
fn disks_a_power_cut_of_ext4_shows_what_e2fsck_leaves() {
    survives_power_cuts(
        &["-t", "ext4", "-b", "1024", "-J", "size=4"],
        "rw,commit=1",
        Judge::E2fsck,
    );
}

#[test]
fn disks_a_power_cut_of_ext4_with_the_first_journal_checksums_shows_what_e2fsck_leaves() {
    survives_power_cuts(
        &["-t", "ext4", "-O", "^metadata_csum", "-J", "size=8"],
        "rw,commit=1,data=writeback,journal_checksum,journal_async_commit",
        Judge::E2fsck,
    );
}

#[test]
fn disks_a_power_cut_of_ext4_that_journals_data_shows_what_e2fsck_leaves() {
    survives_power_cuts(
        &["-t", "ext4", "-J", "size=8"],
        "rw,data=journal,commit=1",
        Judge::E2fsck,
    );
}

#[test]
fn disks_a_power_cut_of_ext4_with_fast_commits_shows_what_the_kernel_replays() {
    survives_power_cuts(
        &["-t", "ext4", "-O", "fast_commit", "-J", "size=8"],
        "rw",
        Judge::Kernel,
    );
}
