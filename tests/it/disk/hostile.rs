//! Structures that lead back to themselves, which accidents rarely produce: reading them must end.

use std::{fs, path::Path, sync::mpsc, thread, time::Duration};

use sendense_disk::{Error, FileSystem, FsKind, FsPath};
use sendense_tests::{temp_dir, tool};

use super::{
    ntfs::{Record, ntfs_volume},
    open, readable,
    trees::{empty, plain_tree},
};

/// How many entries, and what is said of damage.
type Listed = (usize, Vec<String>);

/// Reads a folder and looks for a name that is not in it, in a thread that may be left behind.
#[track_caller]
fn ends(volume: &Path, kind: FsKind, folder: &str) -> (Result<Listed, Error>, Result<(), Error>) {
    let volume = volume.to_owned();
    let folder = FsPath::parse(folder).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let image = open(&volume);
        let mut filesystem: FileSystem = readable(&image, kind).open(&image).unwrap();
        let listed = filesystem
            .read_dir(&folder)
            .map(|listing| (listing.entries.len(), listing.damage));
        let name = FsPath::parse(&format!("{folder}/0 is not there")).unwrap();
        let found = filesystem.entry(&name).map(drop);
        drop(sender.send((listed, found)));
    });
    receiver
        .recv_timeout(Duration::from_secs(5))
        .expect("reading a circle ends")
}

#[test]
fn disk_a_fat_folder_that_goes_on_with_itself_is_read_to_an_end() {
    let folder = temp_dir();
    let volume = empty(folder.path(), "volume.img", 8 << 20);
    tool("mkfs.fat")
        .args(["-F", "16", "-s", "1"])
        .arg(&volume)
        .run();
    tool("mmd").arg("-i").arg(&volume).arg("::/LOOP").run();
    let mut bytes = fs::read(&volume).unwrap();
    let half = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let (reserved, n_fats, n_roots, fat_sectors) =
        (half(14), usize::from(bytes[16]), half(17), half(22));
    let root = (reserved + n_fats * fat_sectors) * 512;
    assert!(bytes[root..].starts_with(b"LOOP "));
    let cluster = half(root + 26);
    let data = root + n_roots * 32 + (cluster - 2) * 512;
    // Nothing but deleted entries, and the next cluster is this one.
    for entry in bytes[data..data + 512].chunks_exact_mut(32) {
        entry[0] = 0xE5;
    }
    let next = reserved * 512 + cluster * 2;
    bytes[next..next + 2].copy_from_slice(&u16::try_from(cluster).unwrap().to_le_bytes());
    fs::write(&volume, bytes).unwrap();

    let (listed, found) = ends(&volume, FsKind::Fat, "/LOOP");
    let (n_entries, damage) = listed.unwrap();
    assert!(n_entries == 0 && !damage.is_empty(), "{damage:?}");
    assert!(found.is_err());
}

#[test]
fn disk_an_ntfs_index_below_itself_is_read_to_an_end() {
    let folder = temp_dir();
    let tree = plain_tree(folder.path());
    let n_names = fs::read_dir(tree.join("many")).unwrap().count();
    let volume = ntfs_volume(folder.path(), &tree, "4096");
    let mut bytes = fs::read(&volume).unwrap();
    // Every index record is below its own first entry.
    for at in (0..bytes.len()).step_by(4096) {
        if !bytes[at..].starts_with(b"INDX") {
            continue;
        }
        let mut record = Record::at(&bytes, at, 4096);
        let own = record.bytes[16..24].to_vec();
        let first = 24 + record.word(24);
        let len = usize::from(u16::from_le_bytes([
            record.bytes[first + 8],
            record.bytes[first + 9],
        ]));
        record.bytes[first + 12] |= 1;
        record.bytes[first + len - 8..first + len].copy_from_slice(&own);
        record.write(&mut bytes);
    }
    fs::write(&volume, bytes).unwrap();

    // Which record is below which does not matter to whoever reads all of them; a few names were overwritten.
    let (listed, found) = ends(&volume, FsKind::Ntfs, "/many");
    let (n_entries, damage) = listed.unwrap();
    assert_eq!(n_entries + damage.len(), n_names, "{damage:?}");
    assert!(found.is_err());
}
