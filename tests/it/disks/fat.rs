//! FAT as mtools write it in several rounds, compared with what mtools read.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use sendense_tests::{Driver, Mounted, Tool, long, seed, temp_dir, tool};

use super::{Aged, Census, Style, assert_same, of_folder, of_image, without_modes};

/// One of the mtools on a volume. FAT has local times: we take them as UTC, and so do they here.
fn mtool(name: &str, volume: &Path) -> Tool {
    tool(name)
        .env("TZ", "UTC")
        .env("MTOOLS_SKIP_CHECK", "1")
        .arg("-i")
        .arg(volume)
}

pub(super) fn formatted(folder: &Path, kibibytes: u64, arguments: &[&str]) -> PathBuf {
    let path = folder.join("volume.img");
    let file = File::create(&path).unwrap();
    file.set_len(kibibytes << 10).unwrap();
    tool("mkfs.fat").args(arguments).arg(&path).run();
    path
}

/// Everything in a folder goes into the root of the volume.
fn copy_in(volume: &Path, folder: &Path) {
    let names = fs::read_dir(folder).unwrap();
    let paths = names.map(|entry| entry.unwrap().path());
    mtool("mcopy", volume)
        .args(["-s", "-m", "-Q", "-o"])
        .args(paths)
        .arg("::/")
        .run();
}

/// Ages a volume: what comes later goes into the holes that others left.
pub(super) fn age(volume: &Path, n_steps: u32, n_names: u32, most_bytes: usize) {
    let scratch = temp_dir();
    let tree = |name: &str| {
        let root = scratch.path().join(name);
        fs::create_dir_all(root.join(name)).unwrap();
        root
    };
    let live = |root: &Path, name: &str, seed: u64| {
        Aged::new(&root.join(name), seed, Style::Windows)
            .at_most(most_bytes)
            .live(n_steps);
    };
    let seed = seed();
    for (number, name) in ["first", "second"].into_iter().enumerate() {
        let root = tree(name);
        live(&root, name, seed + number as u64);
        copy_in(volume, &root);
    }
    mtool("mdeltree", volume).arg("::/first").run();
    let root = tree("third");
    live(&root, "third", seed + 2);
    Aged::new(&root, seed, Style::Windows).crowd("crowd", n_names);
    copy_in(volume, &root);
    mtool("mren", volume)
        .args(["::/second", "renamed Größe"])
        .run();
    mtool("mmd", volume).arg("::/empty").run();
}

/// What mtools get out of a volume.
pub(super) fn census(volume: &Path) -> Census {
    let scratch = temp_dir();
    mtool("mcopy", volume)
        .args(["-s", "-m", "-n", "::/*"])
        .arg(scratch.path())
        .run();
    without_modes(of_folder(scratch.path()))
}

#[track_caller]
fn reads_like_mtools(kibibytes: u64, arguments: &[&str], most_bytes: usize) {
    let folder = temp_dir();
    let volume = formatted(folder.path(), kibibytes, arguments);
    let (n_steps, n_names) = match kibibytes {
        ..10_000 => (100, 200),
        10_000..100_000 => (200, 1000),
        // A folder of FAT holds 65,536 slots, of which each of these names takes six.
        _ if long() => (1500, 15_000),
        _ => (300, 3000),
    };
    age(&volume, n_steps, n_names, most_bytes);
    let checked = tool("fsck.fat").arg("-n").arg(&volume).outcome();
    assert_eq!(
        checked.code,
        Some(0),
        "mtools left a sound volume: {checked}"
    );
    let theirs = census(&volume);
    assert!(theirs.len() >= 200, "only {} entries", theirs.len());
    assert_same(&without_modes(of_image(&volume)), &theirs);
}

fn room() -> u64 {
    if long() { 2_000_000 } else { 300_000 }
}

#[test]
fn disks_fat12_is_what_mtools_read() {
    reads_like_mtools(8000, &["-F", "12", "-s", "4"], 1000);
}

#[test]
fn disks_fat16_is_what_mtools_read() {
    reads_like_mtools(60_000, &["-F", "16"], 20_000);
}

#[test]
fn disks_fat32_is_what_mtools_read() {
    reads_like_mtools(room(), &["-F", "32", "-s", "4"], 300_000);
}

/// mtools take such a volume for FAT16; Linux and Windows look at its boot sector, and so does fusefat.
#[test]
fn disks_fat32_of_few_clusters_is_what_fusefat_shows() {
    let folder = temp_dir();
    let volume = formatted(folder.path(), 32 << 10, &["-F", "32"]);
    let place = folder.path().join("mounted");
    let Some(mounted) = Mounted::new(Driver::Fusefat, &volume, &place, "rw+") else {
        return;
    };
    let path = |number: usize| {
        let name = format!("a longer name for file {number}.txt");
        mounted.root().join("EFI").join(name)
    };
    fs::create_dir(mounted.root().join("EFI")).unwrap();
    for number in 0..150 {
        fs::write(path(number), number.to_string().repeat(7 * number)).unwrap();
    }
    for number in (0..150).step_by(3) {
        fs::remove_file(path(number)).unwrap();
    }
    // In pieces: it goes where others were.
    fs::write(path(150), vec![0x33; 500_000]).unwrap();
    mounted.unmount();
    let Some(mounted) = Mounted::new(Driver::Fusefat, &volume, &place, "ro") else {
        return;
    };
    let theirs = without_times(without_modes(of_folder(mounted.root())));
    mounted.unmount();
    assert_eq!(theirs.len(), 102);
    let ours = without_times(without_modes(of_image(&volume)));
    assert_same(&ours, &theirs);
}

fn without_times(mut census: Census) -> Census {
    for row in census.values_mut() {
        row.modified = 0;
    }
    census
}

#[test]
fn disks_the_judge_of_fat_tells_a_changed_time_and_byte() {
    let folder = temp_dir();
    let volume = formatted(folder.path(), 4000, &["-F", "12"]);
    let file = folder.path().join("file.txt");
    let copy = |content: &str, seconds: u64| {
        fs::write(&file, content).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        File::options()
            .write(true)
            .open(&file)
            .and_then(|file| file.set_modified(time))
            .unwrap();
        mtool("mcopy", &volume)
            .args(["-m", "-o"])
            .arg(&file)
            .arg("::/")
            .run();
        census(&volume)
    };
    let seconds = 1_500_000_000;
    let before = copy("one", seconds);
    let row = &before[&b"file.txt"[..]];
    assert_eq!(row.modified, i128::from(seconds) * 1_000_000_000);
    assert_ne!(copy("eno", seconds), before);
    assert_ne!(copy("one", seconds + 2), before);
    assert_eq!(copy("one", seconds), before);
}
