//! NTFS as ntfs-3g writes it while mounted, compared with what ntfs-3g reads.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Write,
    os::unix::{
        ffi::OsStringExt,
        fs::{MetadataExt, symlink},
    },
    path::{Path, PathBuf},
};

use rustix::{
    buffer::spare_capacity,
    fs::{XattrFlags, lgetxattr, llistxattr, setxattr},
};
use sendense_disk::EntryKind;
use sendense_tests::{Driver, Mounted, long, seed, sha256, temp_dir, tool};

use super::{Aged, Census, Style, assert_same, of_folder, of_image, stream_row, without_modes};

const WRITE: &str = "streams_interface=xattr,special_files=wsl,compression";
const READ: &str = "ro,streams_interface=xattr";

/// More than an attribute is ever given here.
const MOST_BYTES: usize = 64 << 10;

const COMPRESSED: u32 = 0x800;
const MOUNT_POINT: u32 = 0xA000_0003;
const WSL_SYMLINK: u32 = 0xA000_001D;

pub(super) fn formatted(folder: &Path, mebibytes: u64, cluster_bytes: &str) -> PathBuf {
    let path = folder.join("volume.img");
    let file = File::create(&path).unwrap();
    file.set_len(mebibytes << 20).unwrap();
    tool("mkntfs")
        .args(["--force", "--quiet", "--fast", "--sector-size", "512"])
        .args(["--partition-start", "0", "--heads", "16"])
        .args(["--sectors-per-track", "63", "--cluster-size", cluster_bytes])
        .arg(&path)
        .run();
    path
}

/// Lets ntfs-3g write to a volume, and says what it reads there afterwards.
pub(super) fn written(volume: &Path, write: impl FnOnce(&Path)) -> Option<Census> {
    let place = volume.with_extension("mounted");
    let mounted = Mounted::new(Driver::Ntfs3g, volume, &place, WRITE)?;
    write(mounted.root());
    mounted.unmount();
    let mounted = Mounted::new(Driver::Ntfs3g, volume, &place, READ)?;
    let census = census(mounted.root());
    mounted.unmount();
    Some(census)
}

#[track_caller]
fn reads_like_ntfs_3g(cluster_bytes: &str, mebibytes: u64, write: impl FnOnce(&Path)) {
    let folder = temp_dir();
    let volume = formatted(folder.path(), mebibytes, cluster_bytes);
    if let Some(theirs) = written(&volume, write) {
        assert_same(&without_modes(of_image(&volume)), &theirs);
    }
}

/// What ntfs-3g shows, with named streams, and links as the disk holds them: ntfs-3g turns targets into paths
/// of this computer.
fn census(root: &Path) -> Census {
    let mut census = of_folder(root);
    let mut streams = Census::new();
    for (name, row) in &mut census {
        let path = root.join(OsString::from_vec(name.clone()));
        for attribute in attributes(&path) {
            if let Some(stream) = attribute.strip_prefix(b"user.") {
                let content = attribute_of(&path, &attribute);
                let hash = sha256(&content).into_bytes();
                let name = [name, stream].join(&b':');
                streams.insert(name, stream_row(content.len() as u64, hash));
            }
        }
        if row.kind == EntryKind::Symlink {
            row.content = target(&attribute_of(&path, b"system.ntfs_reparse_data"));
        }
    }
    census.extend(streams);
    without_modes(census)
}

fn attributes(path: &Path) -> Vec<Vec<u8>> {
    let mut names = Vec::with_capacity(MOST_BYTES);
    llistxattr(path, spare_capacity(&mut names)).unwrap();
    let names = names.split(|byte| *byte == 0);
    names.map(<[u8]>::to_vec).collect()
}

fn attribute_of(path: &Path, name: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(MOST_BYTES);
    lgetxattr(path, name, spare_capacity(&mut content))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    content
}

fn set_attribute(path: &Path, name: &str, content: &[u8]) {
    setxattr(path, name, content, XattrFlags::empty())
        .unwrap_or_else(|error| panic!("{name} of {}: {error}", path.display()));
}

/// The target that a reparse point shows to people ([MS-FSCC] 2.1.2).
fn target(reparse: &[u8]) -> Vec<u8> {
    let half = |at: usize| usize::from(u16::from_le_bytes([reparse[at], reparse[at + 1]]));
    match u32::from_le_bytes(reparse[..4].try_into().unwrap()) {
        WSL_SYMLINK => reparse[12..].to_vec(),
        MOUNT_POINT => {
            let start = 16 + half(12);
            let units = reparse[start..start + half(14)]
                .chunks_exact(2)
                .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            let units: Vec<u16> = units.collect();
            String::from_utf16(&units).unwrap().into_bytes()
        }
        tag => panic!("no test makes a link of type {tag:#x}"),
    }
}

fn junction(path: &Path, target: &str) {
    fs::create_dir(path).unwrap();
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let followed = utf16(&format!(r"\??\{target}"));
    let shown = utf16(target);
    let half = |number: usize| u16::try_from(number).unwrap().to_le_bytes();
    let mut reparse = MOUNT_POINT.to_le_bytes().to_vec();
    // Both names end in a zero that their lengths do not count.
    reparse.extend(half(8 + followed.len() + shown.len() + 4));
    reparse.extend([0, 0]);
    for number in [0, followed.len(), followed.len() + 2, shown.len()] {
        reparse.extend(half(number));
    }
    for name in [followed, shown] {
        reparse.extend(name);
        reparse.extend([0, 0]);
    }
    set_attribute(path, "system.ntfs_reparse_data", &reparse);
}

pub(super) fn age(root: &Path) {
    let mut aged = Aged::new(root, seed(), Style::Windows);
    aged.live(if long() { 20_000 } else { 1500 });
    aged.crowd("crowd", if long() { 100_000 } else { 3000 });
}

fn room() -> u64 {
    if long() { 1024 } else { 160 }
}

/// What only Windows has.
pub(super) fn windows_things(root: &Path) {
    let folder = root.join("streams, links");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("downloaded.exe");
    fs::write(&file, b"MZ").unwrap();
    let mark = b"[ZoneTransfer]\r\nZoneId=3\r\n";
    set_attribute(&file, "user.Zone.Identifier", mark);
    set_attribute(&file, "user.Größe 漢字", &mark.repeat(900));
    set_attribute(&file, "user.empty", b"");
    set_attribute(&folder, "user.of a folder", mark);
    for number in 0..40 {
        // More names than a file record has room for.
        let name = format!("one of the many names of a single file, number {number}");
        fs::hard_link(&file, folder.join(name)).unwrap();
    }
    junction(&folder.join("junction"), r"C:\Users\Jörg");
    symlink("../anywhere/über", folder.join("link of WSL")).unwrap();
}

/// A folder in which everything is compressed from its first byte on.
pub(super) fn compressed_folder(root: &Path, n_steps: u32, most_bytes: usize) {
    let folder = root.join("compressed");
    fs::create_dir(&folder).unwrap();
    set_attribute(
        &folder,
        "system.ntfs_attrib_be",
        &(0x10 | COMPRESSED).to_be_bytes(),
    );
    Aged::new(&folder, seed(), Style::Windows)
        .at_most(most_bytes)
        .live(n_steps);
    let text = folder.join("text.log");
    fs::write(&text, "a line that is like the others\n".repeat(9000)).unwrap();
    let metadata = text.metadata().unwrap();
    assert!(
        metadata.blocks() * 512 < metadata.len() / 2,
        "ntfs-3g compresses: {} blocks",
        metadata.blocks()
    );
}

#[test]
fn disks_a_small_ntfs_in_use_is_what_ntfs_3g_shows() {
    reads_like_ntfs_3g("4096", 64, |root| {
        Aged::new(root, seed(), Style::Windows).live(30);
    });
}

#[test]
fn disks_ntfs_in_use_is_what_ntfs_3g_shows() {
    reads_like_ntfs_3g("4096", room(), age);
}

#[test]
fn disks_ntfs_of_large_clusters_in_use_is_what_ntfs_3g_shows() {
    reads_like_ntfs_3g("65536", room() * 2, age);
}

#[test]
fn disks_ntfs_of_sectors_as_clusters_in_use_is_what_ntfs_3g_shows() {
    reads_like_ntfs_3g("512", room(), age);
}

#[test]
fn disks_streams_hard_links_and_junctions_of_ntfs_are_what_ntfs_3g_shows() {
    reads_like_ntfs_3g("4096", 64, windows_things);
}

#[test]
fn disks_a_compressed_folder_of_ntfs_is_what_ntfs_3g_shows() {
    reads_like_ntfs_3g("4096", 128, |root| compressed_folder(root, 150, 300_000));
    reads_like_ntfs_3g("1024", 128, |root| compressed_folder(root, 150, 300_000));
}

/// Fills a volume with small files and takes every other away, so that all that is free lies in pieces.
fn fragment(root: &Path) {
    let path = |number: u32| root.join(format!("fill {number}"));
    let mut n_files = 0;
    while File::create(path(n_files))
        .and_then(|mut file| file.write_all(&[0x11; 4096]))
        .is_ok()
    {
        n_files += 1;
    }
    assert!(n_files > 1000, "only {n_files} files fill the volume");
    for number in (0..n_files).step_by(2) {
        fs::remove_file(path(number)).unwrap();
    }
}

#[test]
fn disks_folders_and_files_of_a_fragmented_ntfs_are_what_ntfs_3g_shows() {
    let folder = temp_dir();
    let volume = formatted(folder.path(), 64, "4096");
    let theirs = written(&volume, |root| {
        fragment(root);
        fs::write(root.join("in pieces.bin"), vec![0x22; 3 << 20]).unwrap();
        Aged::new(root, seed(), Style::Windows).crowd("crowd", 15_000);
    });
    let Some(theirs) = theirs else { return };
    let record = tool("ntfsinfo")
        .args(["-q", "-F", "/crowd"])
        .arg(&volume)
        .run();
    assert!(
        record.text().contains("$ATTRIBUTE_LIST"),
        "the folder's blocks are described in several file records: {record}"
    );
    assert_same(&without_modes(of_image(&volume)), &theirs);
}

#[test]
fn disks_the_judge_of_ntfs_tells_a_changed_stream_time_and_target() {
    let folder = temp_dir();
    let volume = formatted(folder.path(), 16, "4096");
    let Some(before) = written(&volume, windows_things) else {
        return;
    };
    let rows = |text: &str| -> usize {
        let paths = before.keys();
        paths
            .filter(|path| String::from_utf8_lossy(path).contains(text))
            .count()
    };
    assert_eq!(
        rows("one of the many names"),
        40 * 4,
        "a name and three streams each"
    );
    assert_eq!(rows(":of a folder"), 1);
    let junction = &before[&b"streams, links/junction"[..]];
    assert_eq!(junction.content, r"C:\Users\Jörg".as_bytes());
    let after = written(&volume, |root| {
        let folder = root.join("streams, links");
        set_attribute(&folder, "user.of a folder", b"changed");
        fs::remove_file(folder.join("link of WSL")).unwrap();
        symlink("../anywhere/else", folder.join("link of WSL")).unwrap();
    });
    let after = after.unwrap();
    let mut changed: Vec<_> = before
        .iter()
        .filter(|(path, row)| after.get(*path) != Some(row))
        .map(|(path, _)| String::from_utf8_lossy(path).into_owned())
        .collect();
    changed.retain(|path| path != "streams, links");
    assert_eq!(
        changed,
        ["streams, links/link of WSL", "streams, links:of a folder"]
    );
}
