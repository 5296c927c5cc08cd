//! ext2, ext3 and ext4, compared with debugfs and e2fsck.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::{
        ffi::OsStringExt,
        fs::{FileExt, symlink},
    },
    path::{Path, PathBuf},
};

use sendense_disk::{Error, FileSystem, FsKind, FsPath, volumes};
use sendense_tests::{debugfs_cat, temp_dir, tool};

use super::{
    open, read, readable,
    trees::{Tree, assert_same, content, plain_tree, tree_of, tree_of_folder},
};

/// What ext has besides: links, holes, names that are no text.
fn unix_tree(folder: &Path) -> PathBuf {
    let tree = plain_tree(folder);
    symlink("Ein Ordner/mit noch einem", tree.join("fast link")).unwrap();
    symlink("x/".repeat(200), tree.join("slow link")).unwrap();
    let name = OsString::from_vec(b"not \xFF\xFEtext \xC3".to_vec());
    fs::write(tree.join(name), content(100, 3)).unwrap();
    // Pieces in the reach of the single, the double and (with 1 KiB blocks) the triple indirect block.
    let holes = File::create(tree.join("holes.bin")).unwrap();
    for at in [0, 300 << 10, 10 << 20, 70 << 20] {
        holes.write_all_at(&content(9000, 4), at).unwrap();
    }
    holes.set_len((70 << 20) + 123_456).unwrap();
    tree
}

fn ext_volume(folder: &Path, tree: &Path, arguments: &[&str]) -> PathBuf {
    let path = folder.join("volume.img");
    // What lies on a used disk between the files is not zeros.
    fs::write(&path, vec![0xAA; 16 << 20]).unwrap();
    tool("mke2fs")
        .args(["-q", "-F", "-E", "nodiscard", "-d"])
        .arg(tree)
        .args(arguments)
        .arg(&path)
        .run();
    path
}

/// What debugfs gets out of a volume.
fn dumped(folder: &Path, volume: &Path) -> Tree {
    let out = folder.join("out");
    fs::create_dir(&out).unwrap();
    tool("debugfs")
        .arg("-R")
        .arg(format!("rdump / \"{}\"", out.display()))
        .arg(volume)
        .run();
    tree_of_folder(&out)
}

fn change(volume: &Path, commands: &str) {
    tool("debugfs")
        .args(["-w", "-f", "-"])
        .arg(volume)
        .stdin(commands)
        .run();
}

#[track_caller]
fn ext_reads_like_debugfs(arguments: &[&str], kind: FsKind) {
    let folder = temp_dir();
    let tree = unix_tree(folder.path());
    let volume = ext_volume(folder.path(), &tree, arguments);
    let image = open(&volume);
    let ours = tree_of(&mut readable(&image, kind).open(&image).unwrap());
    let theirs = dumped(folder.path(), &volume);
    assert!(ours.len() > 160 && ours.contains_key(&b"not \xFF\xFEtext \xC3"[..]));
    assert_same(&ours, &theirs);
}

#[test]
fn disk_ext2_reads_like_debugfs() {
    ext_reads_like_debugfs(&["-t", "ext2", "-b", "1024"], FsKind::Ext2);
}

#[test]
fn disk_ext3_reads_like_debugfs() {
    ext_reads_like_debugfs(&["-t", "ext3", "-b", "4096"], FsKind::Ext3);
}

#[test]
fn disk_ext4_of_small_blocks_reads_like_debugfs() {
    ext_reads_like_debugfs(&["-t", "ext4", "-b", "1024"], FsKind::Ext4);
}

#[test]
fn disk_ext4_without_checksums_reads_like_debugfs() {
    let arguments = ["-t", "ext4", "-b", "4096", "-O", "^metadata_csum,^64bit"];
    ext_reads_like_debugfs(&arguments, FsKind::Ext4);
}

#[test]
fn disk_ext4_with_its_descriptors_in_many_places_reads_like_debugfs() {
    let features = "meta_bg,^resize_inode,^flex_bg";
    let arguments = ["-t", "ext4", "-b", "1024", "-g", "512", "-O", features];
    ext_reads_like_debugfs(&arguments, FsKind::Ext4);
}

#[test]
fn disk_an_ext4_file_with_a_wrong_checksum_is_damaged_and_the_others_are_not() {
    let folder = temp_dir();
    let tree = plain_tree(folder.path());
    let volume = ext_volume(folder.path(), &tree, &["-t", "ext4", "-b", "4096"]);
    let number = tool("debugfs")
        .args(["-R", "stat /nothing"])
        .arg(&volume)
        .run();
    let number = number.text();
    let number = number.split_whitespace().nth(1).unwrap();
    let place = tool("debugfs")
        .args(["-R", &format!("imap <{number}>")])
        .arg(&volume)
        .run();
    let place = place.text();
    let (_, place) = place.split_once("located at block ").unwrap();
    let (block, offset) = place.split_once(", offset 0x").unwrap();
    let at = block.parse::<u64>().unwrap() * 4096 + u64::from_str_radix(offset.trim(), 16).unwrap();
    // A size, where there was none.
    let file = File::options().write(true).open(&volume).unwrap();
    file.write_all_at(&[1], at + 5).unwrap();
    let image = open(&volume);
    let mut ext = readable(&image, FsKind::Ext4).open(&image).unwrap();
    for entry in ext.read_dir(&FsPath::root()).unwrap().entries {
        let is_damaged = entry.name.to_bytes() == b"nothing";
        assert_eq!(entry.unreadable.is_some(), is_damaged, "{entry:?}");
    }
}

#[test]
fn disk_a_fragmented_ext4_file_reads_like_debugfs() {
    let folder = temp_dir();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    for number in 0..200 {
        fs::write(tree.join(format!("{number}")), content(8000, number)).unwrap();
    }
    let volume = ext_volume(folder.path(), &tree, &["-t", "ext4", "-b", "1024"]);
    let large = folder.path().join("large");
    fs::write(&large, content(14 << 20, 1000)).unwrap();
    let mut commands: String = (0..200)
        .step_by(2)
        .map(|number| format!("rm {number}\n"))
        .collect();
    commands += &format!("write {} large\n", large.display());
    change(&volume, &commands);
    let extents = tool("debugfs").args(["-R", "ex /large"]).arg(&volume).run();
    assert!(extents.text().lines().count() > 50, "{extents}");
    let image = open(&volume);
    let mut ext = readable(&image, FsKind::Ext4).open(&image).unwrap();
    let theirs = debugfs_cat(&volume, "/large");
    assert!(read(&mut ext, "/large") == theirs, "{} bytes", theirs.len());
    // And from the middle, as a download does that goes on where it stopped.
    let mut reader = ext.open(&FsPath::parse("/large").unwrap()).unwrap();
    let mut piece = vec![0; 5000];
    for at in [7_654_321, 1, 4096, theirs.len() - 5000] {
        let n_read = reader.read(&mut ext, at as u64, &mut piece).unwrap();
        assert_eq!(piece[..n_read], theirs[at..at + n_read], "{at}");
    }
}

#[test]
fn disk_reserved_blocks_of_an_ext4_file_read_as_zeros() {
    let folder = temp_dir();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("database"), content(100_000, 1)).unwrap();
    let volume = ext_volume(folder.path(), &tree, &["-t", "ext4", "-b", "1024"]);
    // Databases and virtual machines reserve blocks that they have not written yet; what lies there on
    // the disk belonged to somebody else.
    change(
        &volume,
        "fallocate /database 150 249\nfallocate /database 300 399\nsif /database size 500000\n",
    );
    let image = open(&volume);
    let mut ext = readable(&image, FsKind::Ext4).open(&image).unwrap();
    let theirs = debugfs_cat(&volume, "/database");
    assert_eq!(theirs.len(), 500_000);
    assert!(
        theirs[100_000..].iter().all(|byte| *byte == 0),
        "the judge knows"
    );
    assert!(read(&mut ext, "/database") == theirs);
}

/// Leaves two transactions in the journal, as a machine does that is backed up while it runs, and reads the
/// volume beside a copy into which e2fsck has written them.
#[track_caller]
fn journal_reads_like_e2fsck(volume_arguments: &[&str], journal_arguments: &str) {
    let folder = temp_dir();
    let tree = plain_tree(folder.path());
    let volume = ext_volume(folder.path(), &tree, volume_arguments);
    let blocks = |path: &str| -> Vec<u64> {
        let command = format!("blocks \"{path}\"");
        let listed = tool("debugfs").args(["-R", &command]).arg(&volume).run();
        let text = listed.text();
        text.split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect()
    };
    let root = blocks("/")[0];
    let file = blocks("/large.bin");
    let mut entries = vec![0; 1024];
    File::open(&volume)
        .unwrap()
        .read_exact_at(&mut entries, root * 1024)
        .unwrap();
    // A new name for a file, whose only copy is in the journal.
    let at = entries
        .windows(7)
        .position(|name| name == b"nothing")
        .unwrap();
    entries[at..at + 7].copy_from_slice(b"anybody");
    let written = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let names = written("names", &entries);
    // Content that begins like a block of the journal's own.
    let mut content = vec![0x42; 1024];
    content[..4].copy_from_slice(&[0xC0, 0x3B, 0x39, 0x98]);
    let escaped = written("escaped", &content);
    let old = written("old", &[0x43; 1024]);
    // debugfs writes revocations with wrong checksums, at which e2fsck stops.
    let revocation = match journal_arguments {
        "" => format!("jw -r {}\n", file[4]),
        _ => String::new(),
    };
    change(
        &volume,
        &format!(
            "jo {journal_arguments}\njw -b {root} {names}\njw -b {} {escaped}\njw -b {} {old}\njw -b {} {old}\n\
             {revocation}jw -b {} {escaped}\njc\n",
            file[3], file[4], file[5], file[5]
        ),
    );
    let replayed = folder.path().join("replayed.img");
    fs::copy(&volume, &replayed).unwrap();
    let checked = tool("e2fsck").args(["-fy"]).arg(&replayed).outcome();
    assert!(checked.text().contains("recovering journal"), "{checked}");

    let image = open(&volume);
    let found = volumes(&image).unwrap().volumes;
    let ours = tree_of(&mut found[0].open(&image).unwrap());
    assert!(ours.contains_key(&b"anybody"[..]), "the newest name counts");
    assert_same(&ours, &dumped(folder.path(), &replayed));
}

#[test]
fn disk_an_ext3_journal_reads_as_if_it_were_replayed() {
    journal_reads_like_e2fsck(&["-t", "ext3", "-b", "1024"], "");
}

#[test]
fn disk_an_ext4_journal_reads_as_if_it_were_replayed() {
    let arguments = ["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,64bit"];
    journal_reads_like_e2fsck(&arguments, "-c -v 3");
}

#[test]
fn disk_an_ext4_journal_of_the_second_version_reads_as_if_it_were_replayed() {
    let arguments = ["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^64bit"];
    journal_reads_like_e2fsck(&arguments, "-c -v 2");
}

fn mounted(volume: &Path) -> FileSystem {
    let image = open(volume);
    volumes(&image).unwrap().volumes[0].open(&image).unwrap()
}

/// The blocks of a file or folder, as debugfs tells them.
fn blocks_of(volume: &Path, path: &str) -> Vec<u64> {
    let command = format!("blocks {path}");
    let told = tool("debugfs").args(["-R", &command]).arg(volume).run();
    let text = told.text();
    let blocks = text.split_whitespace();
    blocks.map(|block| block.parse().unwrap()).collect()
}

#[test]
fn disk_a_damaged_block_of_names_costs_those_names_and_no_others() {
    let folder = temp_dir();
    let tree = plain_tree(folder.path());
    let volume = ext_volume(folder.path(), &tree, &["-t", "ext4", "-b", "1024"]);
    let many = FsPath::parse("/many").unwrap();
    let all = mounted(&volume).read_dir(&many).unwrap().entries;
    let file = File::options().write(true).open(&volume).unwrap();
    file.write_all_at(&[0xFF; 4], blocks_of(&volume, "/many")[2] * 1024 + 500)
        .unwrap();
    let mut ours = mounted(&volume);
    let listing = ours.read_dir(&many).unwrap();
    assert!(
        listing.damage.len() == 1 && listing.damage[0].starts_with("1 of the blocks"),
        "{:?}",
        listing.damage
    );
    let n_missing = all.len() - listing.entries.len();
    assert!((1..30).contains(&n_missing), "{n_missing}");
    for entry in &all {
        let path = many.join(&entry.name);
        let is_listed = listing.entries.iter().any(|known| known.name == entry.name);
        match ours.entry(&path) {
            Ok(_) => assert!(is_listed, "{path}"),
            // It is not said that there is none of that name.
            Err(error) => assert!(
                !is_listed && matches!(error, Error::Corrupt { .. }),
                "{error}"
            ),
        }
    }
}

#[test]
fn disk_an_ext4_group_whose_descriptor_is_damaged_is_read_by_its_copy() {
    let folder = temp_dir();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("file"), content(5000, 1)).unwrap();
    for features in ["metadata_csum", "^metadata_csum,uninit_bg"] {
        let arguments = ["-t", "ext4", "-b", "1024", "-O", features];
        let volume = ext_volume(folder.path(), &tree, &arguments);
        // Where the table of the first group's inodes lies.
        let file = File::options().write(true).open(&volume).unwrap();
        file.write_all_at(&[0xFF; 2], 2048 + 8).unwrap();
        let mut ours = mounted(&volume);
        assert_eq!(read(&mut ours, "/file"), content(5000, 1));
    }
}

#[test]
fn disk_a_damaged_transaction_is_not_replayed_and_is_said() {
    // The first version of checksums has one for a whole transaction, which leaves the commit block out; the
    // third has one for everything.
    for (features, n_places) in [("^metadata_csum,64bit", 2), ("metadata_csum,64bit", 3)] {
        let folder = temp_dir();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("file"), content(3 << 10, 1)).unwrap();
        let arguments = ["-t", "ext4", "-b", "1024", "-O", features];
        let volume = ext_volume(folder.path(), &tree, &arguments);
        let mut commands = String::new();
        for (block, byte) in blocks_of(&volume, "/file").iter().zip(1u8..) {
            let path = folder.path().join(format!("{byte}"));
            fs::write(&path, [byte; 1024]).unwrap();
            commands += &format!("jo -c -v 3\njw -b {block} {}\njc\n", path.display());
        }
        change(&volume, &commands);
        let whole = fs::read(&volume).unwrap();
        let mut copies = whole.chunks(1024).enumerate();
        let copy = copies.find(|(_, block)| block.iter().all(|byte| *byte == 2));
        let copy = copy.expect("in the journal").0 as u64;
        let mut expected = vec![1; 1024];
        expected.extend([2; 1024]);
        expected.extend([3; 1024]);
        assert!(read(&mut mounted(&volume), "/file") == expected);
        // In the copied block, in its descriptor before it, in the commit block behind it.
        let places = [
            copy * 1024 + 512,
            (copy - 1) * 1024 + 900,
            (copy + 1) * 1024 + 57,
        ];
        for (number, at) in places.into_iter().take(n_places).enumerate() {
            let file = File::options().write(true).open(&volume).unwrap();
            let old = whole[usize::try_from(at).unwrap()];
            file.write_all_at(&[!old], at).unwrap();
            let mut expected = expected.clone();
            expected[1024..2048].copy_from_slice(&content(3 << 10, 1)[1024..2048]);
            // As the kernel and e2fsck have it: a copy with a checksum of its own is left out, and the rest counts;
            // a commit block ends what counts; and nothing does where a descriptor is damaged.
            let original = content(3 << 10, 1);
            match (n_places, number) {
                (3, 0) => {}
                (3, 1) => expected.clone_from(&original),
                _ => expected[2048..].copy_from_slice(&original[2048..]),
            }
            let mut ours = mounted(&volume);
            assert!(read(&mut ours, "/file") == expected, "{features} {number}");
            let damage = ours.read_dir(&FsPath::root()).unwrap().damage;
            assert!(damage.iter().any(|it| it.contains("journal")), "{damage:?}");
            file.write_all_at(&[old], at).unwrap();
        }
    }
}
