//! NTFS, compared with ntfscat.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sendense_disk::{FsKind, FsPath};
use sendense_tests::{ntfs_cat, temp_dir, tool};

use super::{
    open, read, readable,
    trees::{Item, assert_same, content, empty, plain_tree, tree_of, tree_of_folder},
};

pub(super) fn ntfs_volume(folder: &Path, tree: &Path, cluster_bytes: &str) -> PathBuf {
    let wim = folder.join("tree.wim");
    tool("wimcapture")
        .args([tree, &wim])
        .args(["tree", "--no-acls", "--compress=none"])
        .run();
    let volume = empty(folder, "volume.img", 16 << 20);
    tool("mkntfs")
        .args(["--force", "--quiet", "--fast", "--sector-size", "512"])
        .args(["--partition-start", "0", "--heads", "16"])
        .args(["--sectors-per-track", "63", "--cluster-size", cluster_bytes])
        .arg(&volume)
        .run();
    tool("wimapply").args([&wim, &volume]).run();
    volume
}

#[track_caller]
fn ntfs_reads_like_ntfscat(cluster_bytes: &str) {
    let folder = temp_dir();
    let tree = plain_tree(folder.path());
    for number in 0..12 {
        // More names than one file record has room for: they go to others, by an attribute list.
        let name = format!("one of the many names of a single file, number {number}");
        fs::hard_link(tree.join("large.bin"), tree.join(name)).unwrap();
    }
    let volume = ntfs_volume(folder.path(), &tree, cluster_bytes);
    let image = open(&volume);
    let ours = tree_of(&mut readable(&image, FsKind::Ntfs).open(&image).unwrap());
    let mut theirs = tree_of_folder(&tree);
    for (path, item) in &mut theirs {
        if let Item::File(content) = item {
            let path = String::from_utf8(path.clone()).unwrap();
            if !path.starts_with("many/") || path.ends_with("9.txt") {
                *content = ntfs_cat(&volume, &path);
            }
        }
    }
    assert_same(&ours, &theirs);
}

#[test]
fn disk_ntfs_reads_like_ntfscat() {
    ntfs_reads_like_ntfscat("4096");
}

#[test]
fn disk_ntfs_of_small_clusters_reads_like_ntfscat() {
    ntfs_reads_like_ntfscat("512");
}

#[test]
fn disk_what_was_never_written_to_an_ntfs_file_reads_as_zeros() {
    let folder = temp_dir();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let len = 200_000u64;
    fs::write(tree.join("log.bin"), content(200_000, 1)).unwrap();
    let volume = ntfs_volume(folder.path(), &tree, "4096");
    // The sizes of its data stand side by side: allocated (a multiple of the cluster), real, initialized.
    let mut bytes = fs::read(&volume).unwrap();
    let sizes = [len.next_multiple_of(4096), len, len]
        .map(u64::to_le_bytes)
        .concat();
    let places: Vec<_> = bytes
        .chunks_exact(8)
        .enumerate()
        .filter(|(number, _)| bytes[number * 8..].starts_with(&sizes))
        .map(|(number, _)| number * 8)
        .collect();
    assert_eq!(places.len(), 1, "{places:?}");
    let initialized = 54_321u64;
    bytes[places[0] + 16..places[0] + 24].copy_from_slice(&initialized.to_le_bytes());
    fs::write(&volume, &bytes).unwrap();

    let theirs = ntfs_cat(&volume, "/log.bin");
    assert!(
        theirs[54_321..].iter().all(|byte| *byte == 0),
        "the judge knows"
    );
    let image = open(&volume);
    let mut ntfs = readable(&image, FsKind::Ntfs).open(&image).unwrap();
    assert!(read(&mut ntfs, "/log.bin") == theirs);
    let mut reader = ntfs.open(&FsPath::parse("/log.bin").unwrap()).unwrap();
    let mut piece = vec![1; 100];
    for at in [54_300, 54_321, 150_000] {
        let n_read = reader.read(&mut ntfs, at as u64, &mut piece).unwrap();
        assert_eq!(piece[..n_read], theirs[at..at + n_read], "{at}");
    }
}

/// A record without the marks at the ends of its sectors, and the way back.
pub(super) struct Record {
    at: usize,
    pub(super) bytes: Vec<u8>,
}

impl Record {
    pub(super) fn at(volume: &[u8], at: usize, len: usize) -> Self {
        let mut bytes = volume[at..at + len].to_vec();
        let marks = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
        for sector in 1..=len / 512 {
            let mark = marks + 2 * sector;
            bytes.copy_within(mark..mark + 2, 512 * sector - 2);
        }
        Self { at, bytes }
    }

    /// The file record that a byte belongs to.
    fn around(volume: &[u8], inside: usize) -> Self {
        let record = Self::at(volume, inside / 1024 * 1024, 1024);
        assert!(record.bytes.starts_with(b"FILE"));
        record
    }

    pub(super) fn write(mut self, volume: &mut [u8]) {
        let marks = usize::from(u16::from_le_bytes([self.bytes[4], self.bytes[5]]));
        for sector in 1..=self.bytes.len() / 512 {
            let end = 512 * sector - 2;
            self.bytes.copy_within(end..end + 2, marks + 2 * sector);
            self.bytes.copy_within(marks..marks + 2, end);
        }
        volume[self.at..self.at + self.bytes.len()].copy_from_slice(&self.bytes);
    }

    pub(super) fn word(&self, at: usize) -> usize {
        usize::try_from(u32::from_le_bytes(
            self.bytes[at..at + 4].try_into().unwrap(),
        ))
        .unwrap()
    }

    /// Number and sequence number, as other records refer to it.
    fn reference(&self) -> u64 {
        let sequence = u64::from(u16::from_le_bytes([self.bytes[16], self.bytes[17]]));
        self.word(44) as u64 | (sequence << 48)
    }

    fn attributes(&self) -> Vec<Vec<u8>> {
        let mut at = usize::from(u16::from_le_bytes([self.bytes[20], self.bytes[21]]));
        let mut attributes = Vec::new();
        while self.word(at) != 0xFFFF_FFFF {
            let len = self.word(at + 4);
            attributes.push(self.bytes[at..at + len].to_vec());
            at += len;
        }
        attributes
    }

    fn set_attributes(&mut self, attributes: &[Vec<u8>]) {
        let first = usize::from(u16::from_le_bytes([self.bytes[20], self.bytes[21]]));
        let mut all = attributes.concat();
        all.extend_from_slice(&0xFFFF_FFFF_u64.to_le_bytes());
        self.bytes[first..].fill(0);
        self.bytes[first..first + all.len()].copy_from_slice(&all);
        let used = u32::try_from(first + all.len()).unwrap();
        self.bytes[24..28].copy_from_slice(&used.to_le_bytes());
    }
}

/// An entry of an attribute list: whose attribute it is, and which cluster of the content it begins with.
fn list_entry(attribute: &[u8], cluster: u64, owner: u64) -> Vec<u8> {
    let mut entry = attribute[..4].to_vec();
    entry.extend_from_slice(&[32, 0, 0, 26]);
    entry.extend_from_slice(&cluster.to_le_bytes());
    entry.extend_from_slice(&owner.to_le_bytes());
    entry.extend_from_slice(&attribute[14..16]);
    entry.resize(32, 0);
    entry
}

fn attribute_list(entries: &[u8]) -> Vec<u8> {
    let mut list = vec![0; 24];
    list[0] = 0x20;
    let len = u32::try_from(entries.len()).unwrap();
    list[4..8].copy_from_slice(&(24 + len).to_le_bytes());
    list[10] = 24;
    list[14] = 99;
    list[16..20].copy_from_slice(&len.to_le_bytes());
    list[20] = 24;
    list.extend(entries);
    list
}

/// A data attribute of one run, out of one that has the sizes.
fn data_part(whole: &[u8], first: u64, n_clusters: u8, place: u32) -> Vec<u8> {
    let mut part = whole[..64].to_vec();
    part[4..8].copy_from_slice(&72u32.to_le_bytes());
    part[16..24].copy_from_slice(&first.to_le_bytes());
    part[24..32].copy_from_slice(&(first + u64::from(n_clusters) - 1).to_le_bytes());
    part[32..34].copy_from_slice(&64u16.to_le_bytes());
    if first > 0 {
        part[40..64].fill(0);
    }
    let place = place.to_le_bytes();
    part.extend_from_slice(&[0x31, n_clusters, place[0], place[1], place[2], 0, 0, 0]);
    part
}

#[test]
fn disk_an_ntfs_file_whose_own_record_keeps_only_its_first_part_is_read_whole() {
    let folder = temp_dir();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    // No tool fragments a file on demand: the record of another file becomes this one's second.
    fs::write(tree.join("log.bin"), content(200_000, 1)).unwrap();
    fs::write(tree.join("other.bin"), content(8000, 2)).unwrap();
    let volume = ntfs_volume(folder.path(), &tree, "4096");
    let mut bytes = fs::read(&volume).unwrap();
    let record_of = |len: u64| {
        let sizes = [len.next_multiple_of(4096), len, len]
            .map(u64::to_le_bytes)
            .concat();
        let found = bytes.windows(24).position(|window| window == sizes);
        Record::around(&bytes, found.unwrap())
    };
    let (mut own, mut second) = (record_of(200_000), record_of(8000));
    let mut attributes = own.attributes();
    let whole = attributes.pop().unwrap();
    let runs = usize::from(u16::from_le_bytes([whole[32], whole[33]]));
    let mut place = [0; 4];
    let place_bytes = usize::from(whole[runs] >> 4);
    assert_eq!(
        (whole[0], whole[runs] & 15, whole[runs + 1]),
        (0x80, 1, 49),
        "one run"
    );
    place[..place_bytes].copy_from_slice(&whole[runs + 2..runs + 2 + place_bytes]);
    let place = u32::from_le_bytes(place);
    let first = data_part(&whole, 0, 24, place);
    let rest = data_part(&whole, 24, 25, place + 24);
    attributes.push(first);
    let mut entries: Vec<u8> = attributes
        .iter()
        .flat_map(|attribute| list_entry(attribute, 0, own.reference()))
        .collect();
    entries.extend(list_entry(&rest, 24, second.reference()));
    attributes.insert(1, attribute_list(&entries));
    own.set_attributes(&attributes);
    second.set_attributes(&[rest]);
    second.bytes[32..40].copy_from_slice(&own.reference().to_le_bytes());
    own.write(&mut bytes);
    second.write(&mut bytes);
    fs::write(&volume, &bytes).unwrap();

    let theirs = ntfs_cat(&volume, "/log.bin");
    assert!(theirs == content(200_000, 1), "the judge reads it whole");
    let image = open(&volume);
    let mut ntfs = readable(&image, FsKind::Ntfs).open(&image).unwrap();
    assert!(read(&mut ntfs, "/log.bin") == theirs);
}

#[test]
fn disk_an_ntfs_table_of_files_in_more_pieces_than_its_record_has_room_for_is_read_whole() {
    let folder = temp_dir();
    let tree = plain_tree(folder.path());
    fs::write(tree.join("0.bin"), content(8000, 1)).unwrap();
    let volume = ntfs_volume(folder.path(), &tree, "4096");
    let mut bytes = fs::read(&volume).unwrap();
    let cluster = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let [table, mirror] = [0x30, 0x38].map(|at| usize::try_from(cluster(at)).unwrap() * 4096);
    let sizes = [8192u64, 8000, 8000].map(u64::to_le_bytes).concat();
    let other = bytes.windows(24).position(|window| window == sizes);
    let mut second = Record::around(&bytes, other.unwrap());
    let mut own = Record::at(&bytes, table, 1024);

    // The table's own record keeps the part that the record with the rest lies in.
    let mut attributes = own.attributes();
    let data = attributes.iter().position(|it| it[0] == 0x80).unwrap();
    let whole = attributes[data].clone();
    let last = u64::from_le_bytes(whole[24..32].try_into().unwrap());
    let n_clusters = u8::try_from(last + 1).unwrap();
    let n_first = u8::try_from(second.word(44) / 4 + 1).unwrap();
    assert!(
        n_first < n_clusters - 10,
        "{n_first} of {n_clusters} clusters"
    );
    let place = u32::try_from(table / 4096).unwrap();
    attributes[data] = data_part(&whole, 0, n_first, place);
    let rest = data_part(
        &whole,
        u64::from(n_first),
        n_clusters - n_first,
        place + u32::from(n_first),
    );
    let mut entries: Vec<u8> = Vec::new();
    for (number, attribute) in attributes.iter().enumerate() {
        entries.extend(list_entry(attribute, 0, own.reference()));
        if number == data {
            entries.extend(list_entry(&rest, u64::from(n_first), second.reference()));
        }
    }
    attributes.insert(1, attribute_list(&entries));
    own.set_attributes(&attributes);
    second.set_attributes(&[rest]);
    second.bytes[32..40].copy_from_slice(&own.reference().to_le_bytes());
    own.write(&mut bytes);
    second.write(&mut bytes);
    bytes.copy_within(table..table + 1024, mirror);
    fs::write(&volume, &bytes).unwrap();

    let image = open(&volume);
    let mut ntfs = readable(&image, FsKind::Ntfs).open(&image).unwrap();
    for number in [1, 75, 149] {
        let path = format!("/many/a longer name for file number {number}.txt");
        let theirs = ntfs_cat(&volume, &path);
        assert_eq!(theirs.len(), number * 37, "the judge finds it");
        assert!(read(&mut ntfs, &path) == theirs, "{path}");
    }
}
