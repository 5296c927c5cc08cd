//! Whole trees of files: made, read by us, read by the system, compared.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use sendense_disk::{EntryKind, FileSystem, FsPath};

use super::read;

/// What a path is; content and targets in full.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    Folder,
    File(Vec<u8>),
    Link(Vec<u8>),
}

/// Paths as bytes: not every name is text.
pub(super) type Tree = BTreeMap<Vec<u8>, Item>;

/// Everything in a folder of this computer.
pub(super) fn tree_of_folder(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = path.symlink_metadata().unwrap().file_type();
            let item = if kind.is_symlink() {
                Item::Link(fs::read_link(&path).unwrap().into_os_string().into_vec())
            } else if kind.is_dir() {
                folders.push(path.clone());
                Item::Folder
            } else {
                Item::File(fs::read(&path).unwrap())
            };
            let name = path.strip_prefix(root).unwrap();
            tree.insert(name.as_os_str().as_bytes().to_vec(), item);
        }
    }
    tree
}

/// Everything in a filesystem.
pub(super) fn tree_of(filesystem: &mut FileSystem) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![FsPath::root()];
    while let Some(folder) = folders.pop() {
        for entry in filesystem.read_dir(&folder).unwrap().entries {
            if entry.is_internal {
                continue;
            }
            assert_eq!(entry.unreadable, None, "{folder}: {:?}", entry.name);
            let path = folder.join(&entry.name);
            let item = match entry.kind {
                EntryKind::Directory => {
                    folders.push(path.clone());
                    Item::Folder
                }
                EntryKind::Symlink => Item::Link(filesystem.read_link(&path).unwrap().to_bytes()),
                EntryKind::File => {
                    let content = read(filesystem, &path.to_string());
                    assert_eq!(content.len() as u64, entry.size_bytes, "{path}");
                    Item::File(content)
                }
                _ => continue,
            };
            let names: Vec<_> = path.names().iter().map(|name| name.to_bytes()).collect();
            tree.insert(names.join(&b'/'), item);
        }
    }
    tree
}

#[track_caller]
pub(super) fn assert_same(ours: &Tree, theirs: &Tree) {
    let names = |tree: &Tree| -> Vec<String> {
        let paths = tree.keys();
        paths
            .map(|path| String::from_utf8_lossy(path).into_owned())
            .collect()
    };
    assert_eq!(names(ours), names(theirs));
    for (path, item) in ours {
        // Not assert_eq: files of megabytes make unreadable messages.
        if item != &theirs[path] {
            let path = String::from_utf8_lossy(path);
            panic!(
                "{path} differs from byte {:?}",
                first_difference(item, &theirs[path.as_bytes()])
            );
        }
    }
}

fn first_difference(ours: &Item, theirs: &Item) -> Option<usize> {
    let (Item::File(ours), Item::File(theirs)) = (ours, theirs) else {
        return None;
    };
    let both = ours.iter().zip(theirs);
    both.enumerate()
        .find(|(_, (ours, theirs))| ours != theirs)
        .map(|(at, _)| at)
        .or(Some(ours.len().min(theirs.len())))
}

/// Bytes that say where they belong: a block from another place shows.
pub(super) fn content(len: usize, file: u32) -> Vec<u8> {
    let word = |number: u32| {
        number
            .wrapping_mul(0x9E37_79B1)
            .rotate_left(7)
            .wrapping_add(file)
            .to_le_bytes()
    };
    let words = u32::try_from(len.div_ceil(4)).unwrap();
    let mut bytes: Vec<u8> = (0..words).flat_map(word).collect();
    bytes.truncate(len);
    bytes
}

pub(super) fn empty(folder: &Path, name: &str, len: u64) -> PathBuf {
    let path = folder.join(name);
    File::create(&path).unwrap().set_len(len).unwrap();
    path
}

/// Names that every system has.
pub(super) fn plain_tree(folder: &Path) -> PathBuf {
    let tree = folder.join("tree");
    let deep = tree.join("Ein Ordner/mit noch einem/und noch einem");
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir(tree.join("empty")).unwrap();
    let many = tree.join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..150 {
        let name = format!("a longer name for file number {number}.txt");
        let len = usize::try_from(number).unwrap() * 37;
        fs::write(many.join(name), content(len, number)).unwrap();
    }
    fs::write(deep.join("Grüße 漢字.txt"), content(5000, 1)).unwrap();
    fs::write(tree.join("large.bin"), content(1_200_345, 2)).unwrap();
    fs::write(tree.join("nothing"), b"").unwrap();
    tree
}
