//! Disks written by real systems, packed for computers that cannot mount anything.
//!
//! `fixtures/disks` keeps each one as an image packed with zstd and the listing from the system that wrote it. `cargo
//! xtask fixtures` rebuilds them with the test at the end of this file.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use sendense_disk::{EntryKind, Name};
use sendense_tests::{Driver, Mounted, repository_root, temp_dir, tool};

use super::{
    Aged, Census, Row, Style, assert_same, fat,
    linux::formatted,
    of_folder, of_image,
    windows::{self, compressed_folder, windows_things},
    without_modes,
};

/// Names the folder that the packed disks are written to.
const TARGET: &str = "SENDENSE_PACKED_DISKS";

/// They lie in the repository, so they stay small.
const MOST_BYTES_OF_ONE: u64 = 300_000;
const MOST_BYTES: u64 = 3_000_000;

/// Random content does not get smaller by packing.
const MOST_CONTENT: usize = 1500;

/// Makes an image in a folder and says what its system shows; `None`, and on the list of skipped tests, where
/// it cannot be mounted.
type Make = fn(&Path) -> Option<(PathBuf, Census)>;

const DISKS: &[(&str, Make)] = &[
    ("ext4-1k", |folder| {
        ext(folder, 24, &["-t", "ext4", "-b", "1024"])
    }),
    ("ext4-4k", |folder| {
        ext(folder, 48, &["-t", "ext4", "-b", "4096"])
    }),
    ("ext4-inline", |folder| {
        ext(
            folder,
            24,
            &["-t", "ext4", "-b", "1024", "-I", "256", "-O", "inline_data"],
        )
    }),
    ("ext4-bigalloc", |folder| {
        ext(
            folder,
            24,
            &["-t", "ext4", "-b", "1024", "-O", "bigalloc,^has_journal"],
        )
    }),
    ("ext3", |folder| {
        ext(folder, 24, &["-t", "ext3", "-b", "1024"])
    }),
    ("ext2", |folder| {
        ext(folder, 24, &["-t", "ext2", "-I", "128"])
    }),
    ("ntfs-4k", |folder| ntfs(folder, "4096")),
    ("ntfs-64k", |folder| ntfs(folder, "65536")),
    ("fat12", |folder| fat(folder, 4000, &["-F", "12"])),
    ("fat16", |folder| fat(folder, 30_000, &["-F", "16"])),
    ("fat32", |folder| {
        fat(folder, 40_000, &["-F", "32", "-s", "1"])
    }),
];

/// Packed images are made with this seed, whatever the seed of the run.
const SEED: u64 = 2_718_281;

fn ext(folder: &Path, mebibytes: u64, arguments: &[&str]) -> Option<(PathBuf, Census)> {
    let volume = formatted(folder, mebibytes, arguments);
    let place = volume.with_extension("mounted");
    let mounted = Mounted::new(Driver::Kernel, &volume, &place, "rw")?;
    let mut aged = Aged::new(mounted.root(), SEED, Style::Unix).at_most(MOST_CONTENT);
    aged.live(200);
    aged.crowd("crowd", 200);
    mounted.unmount();
    let mounted = Mounted::new(Driver::Kernel, &volume, &place, "ro")?;
    let census = of_folder(mounted.root());
    mounted.unmount();
    Some((volume, census))
}

fn ntfs(folder: &Path, cluster_bytes: &str) -> Option<(PathBuf, Census)> {
    let volume = windows::formatted(folder, 24, cluster_bytes);
    let census = windows::written(&volume, |root| {
        let mut aged = Aged::new(root, SEED, Style::Windows).at_most(MOST_CONTENT);
        aged.live(80);
        aged.crowd("crowd", 120);
        windows_things(root);
        if cluster_bytes == "4096" {
            compressed_folder(root, 20, MOST_CONTENT);
        }
    })?;
    Some((volume, census))
}

fn fat(folder: &Path, kibibytes: u64, arguments: &[&str]) -> Option<(PathBuf, Census)> {
    let volume = fat::formatted(folder, kibibytes, arguments);
    fat::age(&volume, 60, 100, MOST_CONTENT);
    let census = fat::census(&volume);
    Some((volume, census))
}

/// A line each: path, kind, size, time, mode, content. Bytes that are no text are escaped as in the contract.
fn to_text(census: &Census) -> String {
    let mut text = String::new();
    let escaped = |bytes: &[u8]| {
        let text = Name::from_bytes(bytes).to_path_text();
        text.replace('\\', "\\\\")
            .replace('\n', "\\n")
            .replace('\t', "\\t")
    };
    for (path, row) in census {
        let Row {
            kind,
            size_bytes,
            modified,
            mode,
            content,
        } = row;
        let (path, content) = (escaped(path), escaped(content));
        writeln!(
            text,
            "{path}\t{kind:?}\t{size_bytes}\t{modified}\t{mode:o}\t{content}"
        )
        .unwrap();
    }
    text
}

fn from_text(text: &str) -> Census {
    let plain = |text: &str| -> Vec<u8> {
        let mut unescaped = String::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            unescaped.push(match letter {
                '\\' => match letters.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    _ => '\\',
                },
                letter => letter,
            });
        }
        Name::from_path_text(&unescaped).to_bytes()
    };
    let row = |line: &str| {
        let columns: Vec<_> = line.split('\t').collect();
        let [path, kind, size, modified, mode, content] = columns[..] else {
            panic!("not six columns: {line}");
        };
        let kind = match kind {
            "File" => EntryKind::File,
            "Directory" => EntryKind::Directory,
            "Symlink" => EntryKind::Symlink,
            "Other" => EntryKind::Other,
            kind => panic!("no packed disk holds a {kind}"),
        };
        let row = Row {
            kind,
            size_bytes: size.parse().unwrap(),
            modified: modified.parse().unwrap(),
            mode: u32::from_str_radix(mode, 8).unwrap(),
            content: plain(content),
        };
        (plain(path), row)
    };
    text.lines().map(row).collect()
}

fn shelf() -> PathBuf {
    repository_root().join("fixtures/disks")
}

#[track_caller]
fn reads_as_listed(kind: &str) {
    let folder = temp_dir();
    let mut n_disks = 0;
    for (name, _) in DISKS.iter().filter(|(name, _)| name.starts_with(kind)) {
        let image = folder.path().join(format!("{name}.img"));
        let archive = shelf().join(format!("{name}.img.zst"));
        sendense_fixtures::unpack(&archive, &image).unwrap_or_else(|error| panic!("{error:#}"));
        let theirs = from_text(&fs::read_to_string(shelf().join(format!("{name}.txt"))).unwrap());
        assert!(
            theirs.len() > 100,
            "{name} lists only {} entries",
            theirs.len()
        );
        let ours = of_image(&image);
        let ours = if kind == "ext" {
            ours
        } else {
            without_modes(ours)
        };
        assert_same(&ours, &theirs);
        n_disks += 1;
    }
    assert!(n_disks > 1, "no packed disk is called {kind}");
}

#[test]
fn disks_packed_ext_is_what_the_kernel_showed() {
    reads_as_listed("ext");
}

#[test]
fn disks_packed_ntfs_is_what_ntfs_3g_showed() {
    reads_as_listed("ntfs");
}

#[test]
fn disks_packed_fat_is_what_mtools_read() {
    reads_as_listed("fat");
}

#[test]
fn disks_packed_ones_can_be_made_anew_and_stay_small() {
    let kept = std::env::var_os(TARGET).map(PathBuf::from);
    let scratch = temp_dir();
    let target = kept.unwrap_or_else(|| scratch.path().join("packed"));
    fs::create_dir_all(&target).unwrap();
    let mut total = 0;
    for (name, make) in DISKS {
        let folder = temp_dir();
        let Some((image, census)) = make(folder.path()) else {
            return;
        };
        let text = to_text(&census);
        assert!(
            from_text(&text) == census,
            "{name}: the listing keeps everything"
        );
        let listing = target.join(format!("{name}.txt"));
        fs::write(&listing, text).unwrap();
        let archive = target.join(format!("{name}.img.zst"));
        tool("zstd")
            .args(["-q", "-19", "--force"])
            .arg(&image)
            .arg("-o")
            .arg(&archive)
            .run();
        let n_bytes = archive.metadata().unwrap().len() + listing.metadata().unwrap().len();
        println!("{name}: {n_bytes} bytes for {} entries", census.len());
        assert!(n_bytes < MOST_BYTES_OF_ONE, "{name} takes {n_bytes} bytes");
        total += n_bytes;
    }
    assert!(total < MOST_BYTES, "the packed disks take {total} bytes");
}
