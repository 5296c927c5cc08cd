//! Everything that a filesystem holds, as shown by a mount of it and by us.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use sendense_disk::{
    AllowedRoots, Content, EntryKind, FileReader, FileSystem, FsPath, Image, Name, volumes,
};
use sendense_tests::{sha256, sha256_file};

/// What is known of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) kind: EntryKind,
    pub(crate) size_bytes: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: i128,
    pub(crate) mode: u32,
    /// SHA-256 of a file, or the target of a link.
    pub(crate) content: Vec<u8>,
}

/// Entries by their path, as bytes.
pub(crate) type Census = BTreeMap<Vec<u8>, Row>;

/// Walks a mounted filesystem. What fsck keeps for itself in the root is left out.
pub(crate) fn of_folder(root: &Path) -> Census {
    let mut census = Census::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let kind = match metadata.mode() >> 12 {
                0x1 => EntryKind::Fifo,
                0x2 => EntryKind::CharDevice,
                0x4 => EntryKind::Directory,
                0x6 => EntryKind::BlockDevice,
                0x8 => EntryKind::File,
                0xA => EntryKind::Symlink,
                0xC => EntryKind::Socket,
                _ => EntryKind::Other,
            };
            let content = match kind {
                EntryKind::File => sha256_file(&path).into_bytes(),
                EntryKind::Symlink => fs::read_link(&path)
                    .unwrap()
                    .as_os_str()
                    .as_bytes()
                    .to_vec(),
                _ => Vec::new(),
            };
            let row = Row {
                kind,
                size_bytes: match kind {
                    EntryKind::File | EntryKind::Symlink => metadata.len(),
                    _ => 0,
                },
                modified: i128::from(metadata.mtime()) * 1_000_000_000
                    + i128::from(metadata.mtime_nsec()),
                mode: metadata.mode() & 0o7777,
                content,
            };
            if kind == EntryKind::Directory {
                folders.push(path.clone());
            }
            let name = path.strip_prefix(root).unwrap().as_os_str();
            census.insert(name.as_bytes().to_vec(), row);
        }
    }
    census
}

/// Walks the only volume of an image that can be read. Damage and entries that cannot be read are rows as well,
/// so that they show as differences.
pub(crate) fn of_image(path: &Path) -> Census {
    let image = Image::open(path, &AllowedRoots::new([])).unwrap();
    let found = volumes(&image).unwrap().volumes;
    let volume = found
        .iter()
        .find(|volume| matches!(volume.content, Content::Readable(_)));
    let volume = volume.unwrap_or_else(|| panic!("nothing can be read: {found:?}"));
    of_filesystem(&mut volume.open(&image).unwrap())
}

pub(crate) fn of_filesystem(filesystem: &mut FileSystem) -> Census {
    let mut census = Census::new();
    let mut folders = vec![FsPath::root()];
    while let Some(folder) = folders.pop() {
        let listing = filesystem.read_dir(&folder);
        let listing = listing.unwrap_or_else(|error| panic!("{folder}: {error}"));
        for sentence in listing.damage {
            census.insert(bytes_of(&folder, Some(&sentence)), odd());
        }
        for entry in listing.entries {
            if entry.is_internal {
                continue;
            }
            let path = folder.join(&entry.name);
            if let Some(reason) = &entry.unreadable {
                census.insert(bytes_of(&path, Some(reason)), odd());
                continue;
            }
            for stream in &entry.streams {
                let reader = filesystem.open_stream(&path, &stream.name);
                let content = hash_of(filesystem, reader);
                let name = [bytes_of(&path, None), stream.name.to_bytes()].join(&b':');
                census.insert(name, stream_row(stream.size_bytes, content));
            }
            let content = match entry.kind {
                EntryKind::File => {
                    let reader = filesystem.open(&path);
                    hash_of(filesystem, reader)
                }
                EntryKind::Symlink => filesystem.read_link(&path).unwrap().to_bytes(),
                _ => Vec::new(),
            };
            let row = Row {
                kind: entry.kind,
                size_bytes: match entry.kind {
                    EntryKind::File | EntryKind::Symlink => entry.size_bytes,
                    _ => 0,
                },
                modified: entry.modified.map_or(0, |time| time.as_nanosecond()),
                mode: u32::from(entry.mode),
                content,
            };
            if entry.kind == EntryKind::Directory {
                folders.push(path.clone());
            }
            census.insert(bytes_of(&path, None), row);
        }
    }
    census
}

fn odd() -> Row {
    stream_row(0, Vec::new())
}

/// A named stream of an entry, whose path is that of the entry, a colon and the name.
pub(crate) fn stream_row(size_bytes: u64, content: Vec<u8>) -> Row {
    Row {
        kind: EntryKind::Other,
        size_bytes,
        modified: 0,
        mode: 0,
        content,
    }
}

/// The same without what FAT and NTFS do not have: permissions, and lengths of links.
pub(crate) fn without_modes(mut census: Census) -> Census {
    for row in census.values_mut() {
        row.mode = 0;
        if row.kind == EntryKind::Symlink {
            row.size_bytes = 0;
        }
    }
    census
}

/// The same without times.
pub(crate) fn without_times(mut census: Census) -> Census {
    for row in census.values_mut() {
        row.modified = 0;
    }
    census
}

/// The same with times in whole seconds, which is what tar archives hold.
pub(crate) fn in_whole_seconds(mut census: Census) -> Census {
    for row in census.values_mut() {
        row.modified = row.modified.div_euclid(1_000_000_000) * 1_000_000_000;
    }
    census
}

fn bytes_of(path: &FsPath, remark: Option<&str>) -> Vec<u8> {
    let names: Vec<_> = path.names().iter().map(Name::to_bytes).collect();
    let mut bytes = names.join(&b'/');
    if let Some(remark) = remark {
        bytes.extend_from_slice(format!(" [{remark}]").as_bytes());
    }
    bytes
}

/// Hashes a file piece by piece, in pieces of an odd size: whoever reads on has to find the place again.
fn hash_of(filesystem: &mut FileSystem, reader: sendense_disk::Result<FileReader>) -> Vec<u8> {
    let read = || -> sendense_disk::Result<Vec<u8>> {
        let mut reader = reader?;
        let mut content = Vec::new();
        let mut buffer = vec![0; (1 << 20) - 7];
        loop {
            let n_read = reader.read(filesystem, content.len() as u64, &mut buffer)?;
            if n_read == 0 {
                return Ok(content);
            }
            content.extend_from_slice(&buffer[..n_read]);
        }
    };
    match { read }() {
        Ok(content) => sha256(&content).into_bytes(),
        Err(error) => error.to_string().into_bytes(),
    }
}

/// Differences between two walks, a line each.
pub(crate) fn differences(ours: &Census, theirs: &Census) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, row) in theirs {
        let path_text = String::from_utf8_lossy(path);
        match ours.get(path) {
            None => lines.push(format!("missing: {path_text}")),
            Some(our) if our != row => {
                lines.push(format!(
                    "differs: {path_text}: ours {} theirs {}",
                    shown(our),
                    shown(row)
                ));
            }
            Some(_) => {}
        }
    }
    for path in ours.keys().filter(|path| !theirs.contains_key(*path)) {
        lines.push(format!("only ours: {}", String::from_utf8_lossy(path)));
    }
    lines
}

fn shown(row: &Row) -> String {
    format!(
        "{:?} {} bytes, {} ns, {:o}, {}",
        row.kind,
        row.size_bytes,
        row.modified,
        row.mode,
        String::from_utf8_lossy(&row.content)
    )
}

/// No name, size, time, mode, target or hash differs.
#[track_caller]
pub(crate) fn assert_same(ours: &Census, theirs: &Census) {
    let lines = differences(ours, theirs);
    let mut text = String::new();
    for line in lines.iter().take(20) {
        writeln!(text, "{line}").unwrap();
    }
    assert!(
        lines.is_empty(),
        "{} differences among {} entries:\n{text}",
        lines.len(),
        theirs.len()
    );
}

#[test]
fn disks_a_census_tells_what_differs() {
    let folder = sendense_tests::temp_dir();
    let file = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    file("a", "one");
    file("b", "two");
    let before = of_folder(folder.path());
    assert!(differences(&before, &before).is_empty());
    file("a", "eno");
    fs::rename(folder.path().join("b"), folder.path().join("c")).unwrap();
    let after = of_folder(folder.path());
    let lines = differences(&after, &before);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("differs: a"), "{lines:?}");
    assert_eq!(lines[1..], ["missing: b", "only ours: c"]);
}
