//! Small images made by the systems' own tools, and where their structures are.
//!
//! The content of files is one byte repeated: what is neither that nor empty is structure, and only structure is worth
//! damaging.

use std::{
    fs::{self, File, OpenOptions},
    ops::Range,
    os::unix::fs::{FileExt, symlink},
    path::{Path, PathBuf},
};

use sendense_tests::tool;

use super::damage::SECTOR;

/// A sound image.
pub(super) struct Base {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// What it holds.
    pub(super) content: Vec<u8>,
    /// The sectors to damage; some more often than others.
    pub(super) targets: Vec<usize>,
    /// Entries that a reader has to find while it is sound.
    pub(super) n_entries: usize,
    /// Makes checksums right again.
    pub(super) repair: Option<fn(&mut [u8])>,
    /// The sectors with those checksums.
    pub(super) repaired: Vec<usize>,
}

impl Base {
    fn new(path: PathBuf, n_entries: usize) -> Self {
        let content = fs::read(&path).unwrap();
        let targets = structures(&content);
        Self {
            path,
            content,
            targets,
            n_entries,
            repair: None,
            repaired: Vec::new(),
        }
    }

    /// Sectors that everything depends on are damaged as often as all others together.
    fn with_heads(mut self, heads: &[usize]) -> Self {
        let n_others = self.targets.len();
        self.targets
            .extend(heads.iter().cycle().take(n_others.max(heads.len())));
        self
    }

    /// Writes a part of the content to the file.
    pub(super) fn write(&self, part: Range<usize>) {
        let file = OpenOptions::new().write(true).open(&self.path).unwrap();
        file.set_len(self.content.len() as u64).unwrap();
        for (number, sector) in self.content[part.clone()].chunks(SECTOR).enumerate() {
            let is_hole = sector.iter().all(|byte| *byte == 0);
            if !is_hole || part.len() == SECTOR {
                let at = part.start + number * SECTOR;
                file.write_all_at(sector, at as u64).unwrap();
            }
        }
    }

    /// Cuts the file off.
    pub(super) fn cut(&self, len: usize) {
        let file = OpenOptions::new().write(true).open(&self.path).unwrap();
        file.set_len(len as u64).unwrap();
    }
}

/// The sectors with different bytes in them.
fn structures(content: &[u8]) -> Vec<usize> {
    let sectors = content.chunks_exact(SECTOR).enumerate();
    sectors
        .filter(|(_, sector)| sector.iter().any(|byte| *byte != sector[0]))
        .map(|(number, _)| number)
        .collect()
}

fn empty(folder: &Path, name: &str, len: u64) -> PathBuf {
    let path = folder.join(name);
    File::create(&path).unwrap().set_len(len).unwrap();
    path
}

/// Folders in folders, a folder of many long names, files of several sizes, a file of many pieces.
fn tree(folder: &Path) -> PathBuf {
    let tree = folder.join("tree");
    let many = tree.join("many");
    let deep = tree.join("deep/er/and/deeper");
    for folder in [&many, &deep] {
        fs::create_dir_all(folder).unwrap();
    }
    for number in 0..60 {
        let name = format!("a name that is long enough to fill a folder {number:03}");
        fs::write(many.join(name), b"A".repeat(number * 50)).unwrap();
    }
    fs::write(deep.join("small.txt"), b"A".repeat(100)).unwrap();
    fs::write(tree.join("large.bin"), b"A".repeat(300_000)).unwrap();
    tree
}

fn pieces(path: &Path) {
    let file = File::create(path).unwrap();
    for number in 0..12 {
        file.write_all_at(&b"A".repeat(4096), number * 16_384)
            .unwrap();
    }
}

/// NTFS with 4096-byte and with 512-byte clusters.
pub(super) fn ntfs(folder: &Path) -> Vec<Base> {
    let tree = tree(folder);
    for number in 0..12 {
        // More names than one file record has room for: they go to others, by an attribute list.
        let name = format!("one of the many names of a single file, number {number}");
        fs::hard_link(tree.join("large.bin"), tree.join(name)).unwrap();
    }
    symlink("deep/er", tree.join("link")).unwrap();
    let wim = folder.join("tree.wim");
    tool("wimcapture")
        .args([&tree, &wim])
        .args(["tree", "--no-acls", "--compress=none"])
        .run();
    let volume = |name: &str, cluster_bytes: &str| {
        let path = empty(folder, name, 8 << 20);
        tool("mkntfs")
            .args(["--force", "--quiet", "--fast", "--sector-size", "512"])
            .args(["--partition-start", "0", "--heads", "16"])
            .args(["--sectors-per-track", "63", "--cluster-size", cluster_bytes])
            .arg(&path)
            .run();
        tool("wimapply").args([&wim, &path]).run();
        let mut base = Base::new(path, 70);
        base.targets = records(&base.content);
        base.with_heads(&[0])
    };
    let mut bases = vec![volume("ntfs.img", "4096"), volume("small.ntfs.img", "512")];
    for base in &mut bases {
        // The boot sector alone as often as all records would be half of all images.
        let n_records = records(&base.content).len();
        base.targets.truncate(n_records + n_records / 8);
    }
    bases
}

/// The sectors of file records and of folders' index records.
fn records(content: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    for sector in 0..content.len() / SECTOR {
        let n_sectors = match &content[sector * SECTOR..][..4] {
            b"FILE" => 2,
            b"INDX" => 8,
            _ => continue,
        };
        let end = (sector + n_sectors).min(content.len() / SECTOR);
        found.extend(sector..end);
    }
    found
}

/// ext4 without checksums, with checksums, with a journal to replay, with content in inodes, with clusters,
/// ext2, and one with fast commits and indexed folders, where it can be mounted.
pub(super) fn ext(folder: &Path) -> Vec<Base> {
    let tree = tree(folder);
    pieces(&tree.join("pieces.bin"));
    symlink("deep/er", tree.join("link")).unwrap();
    symlink("deep/".repeat(30), tree.join("long link")).unwrap();
    let volume = |name: &str, arguments: &[&str]| {
        let path = empty(folder, name, 4 << 20);
        tool("mke2fs")
            .args(["-q", "-F", "-E", "no_copy_xattrs", "-d"])
            .arg(&tree)
            .args(arguments)
            .arg(&path)
            .run();
        // Gives large folders their tree of hashes; 1 says that something was changed.
        let checked = tool("e2fsck").args(["-fyD"]).arg(&path).outcome();
        assert!(checked.code <= Some(1), "{checked}");
        path
    };
    let dirty = volume("dirty.ext4.img", &["-t", "ext4", "-b", "1024"]);
    journal(&dirty);
    let paths = [
        volume(
            "ext4.img",
            &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^64bit"],
        ),
        volume("sums.ext4.img", &["-t", "ext4", "-b", "4096"]),
        volume("ext2.img", &["-t", "ext2", "-b", "1024"]),
        volume(
            "inline.ext4.img",
            &["-t", "ext4", "-b", "1024", "-O", "inline_data"],
        ),
        volume(
            "clusters.ext4.img",
            &["-t", "ext4", "-b", "1024", "-O", "bigalloc", "-C", "4096"],
        ),
        dirty,
    ];
    paths
        .into_iter()
        .chain(fast_commits(folder))
        .map(|path| Base::new(path, 66).with_heads(&[2, 3]))
        .map(|mut base| {
            let n_targets = base.targets.len();
            base.targets.truncate(n_targets / 2 + n_targets / 16);
            base
        })
        .collect()
}

/// A filesystem as it is while a kernel writes to it; `None` where nothing may be mounted.
fn fast_commits(folder: &Path) -> Option<PathBuf> {
    let live = empty(folder, "live.img", 8 << 20);
    tool("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-b", "1024", "-O", "fast_commit"])
        .arg(&live)
        .run();
    let mount = folder.join("mount");
    fs::create_dir(&mount).unwrap();
    let mounted = tool("mount")
        .args(["-o", "loop"])
        .args([&live, &mount])
        .outcome();
    (mounted.code == Some(0)).then_some(())?;
    let write = |number: usize| {
        let path = mount.join(format!("a long name {} {number}", "x".repeat(60)));
        fs::write(&path, vec![b'y'; 3000]).unwrap();
        File::open(&path).unwrap().sync_all().unwrap();
    };
    (0..150).for_each(write);
    tool("sync").arg("-f").arg(&mount).run();
    (150..160).for_each(write);
    let path = folder.join("fast.ext4.img");
    fs::copy(&live, &path).unwrap();
    tool("umount").arg(&mount).run();
    Some(path)
}

/// Leaves a transaction in the journal, as a machine does that is backed up while it runs.
fn journal(volume: &Path) {
    let block = volume.with_extension("block");
    // The first block of the inode table, as it is.
    let listing = tool("debugfs").args(["-R", "imap <2>"]).arg(volume).run();
    let text = listing.text();
    let number: u64 = text
        .split_once("located at block ")
        .and_then(|(_, after)| after.split_once(',')?.0.parse().ok())
        .unwrap_or_else(|| panic!("no block in {listing}"));
    let mut bytes = vec![0; 1024];
    File::open(volume)
        .unwrap()
        .read_exact_at(&mut bytes, number * 1024)
        .unwrap();
    fs::write(&block, bytes).unwrap();
    tool("debugfs")
        .args(["-w", "-f", "-"])
        .arg(volume)
        .stdin(format!(
            "jo -c -v 3\njw -b {number} {}\njc\n",
            block.display()
        ))
        .run();
}

/// FAT12, FAT16 and FAT32.
pub(super) fn fat(folder: &Path) -> Vec<Base> {
    let tree = tree(folder);
    let volume = |bits: &str, len: u64| {
        let path = empty(folder, &format!("fat{bits}.img"), len);
        tool("mkfs.fat")
            .args(["-F", bits, "-s", "1", "-n", "SMALL"])
            .arg(&path)
            .run();
        copy_in(&path, &tree);
        let base = Base::new(path, 66);
        let n_others = base.targets.len();
        let mut base = base.with_heads(&[0]);
        base.targets.truncate(n_others + n_others / 8);
        base
    };
    vec![
        volume("12", 1440 << 10),
        volume("16", 8 << 20),
        volume("32", 34 << 20),
    ]
}

fn copy_in(volume: &Path, tree: &Path) {
    let entries = fs::read_dir(tree).unwrap();
    let entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    tool("mcopy")
        .args(["-s", "-Q", "-i"])
        .arg(volume)
        .args(&entries)
        .arg("::/")
        .run();
}

/// A FAT volume of 900 sectors with one file.
fn small_volume(folder: &Path) -> Vec<u8> {
    let path = empty(folder, "small.img", 900 * 512);
    let file = folder.join("file.txt");
    fs::write(&file, b"A".repeat(1000)).unwrap();
    tool("mkfs.fat").args(["-F", "12"]).arg(&path).run();
    tool("mcopy")
        .arg("-i")
        .arg(&path)
        .arg(&file)
        .arg("::/")
        .run();
    fs::read(&path).unwrap()
}

/// An MBR with logical partitions, and a GPT.
pub(super) fn partition_tables(folder: &Path) -> Vec<Base> {
    let volume = small_volume(folder);
    let disk = |name: &str, table: &str, starts: &[usize]| {
        let path = empty(folder, name, 4 << 20);
        tool("sfdisk").arg("-q").arg(&path).stdin(table).run();
        let mut content = fs::read(&path).unwrap();
        let targets = structures(&content);
        for start in starts {
            content[start * SECTOR..][..volume.len()].copy_from_slice(&volume);
        }
        fs::write(&path, content).unwrap();
        let mut base = Base::new(path, starts.len());
        base.targets = targets;
        base
    };
    let mbr = "label: dos\nstart=64, size=900, type=6\nstart=2048, size=6000, type=5\n\
               start=2112, size=900, type=6\nstart=3200, size=900, type=6\nstart=4400, size=900, type=6\n";
    let gpt =
        "label: gpt\nfirst-lba: 34\nstart=64, size=900, name=one\nstart=2048, size=900, name=two\n";
    let mut gpt = disk("gpt.img", gpt, &[64, 2048]);
    gpt.repair = Some(repair_gpt);
    gpt.repaired = vec![1, gpt.content.len() / SECTOR - 1];
    vec![
        disk("mbr.img", mbr, &[64, 2112, 3200, 4400]),
        gpt.with_heads(&[1]),
    ]
}

/// New checksums for both headers: UEFI 2.10, 5.3.2.
fn repair_gpt(disk: &mut [u8]) {
    for header in [SECTOR, disk.len() - SECTOR] {
        let field = |at: usize| -> usize {
            let bytes = disk[header + at..][..4].try_into().unwrap();
            usize::try_from(u32::from_le_bytes(bytes)).unwrap()
        };
        let entries = field(72).saturating_mul(SECTOR);
        let len = field(80).saturating_mul(field(84));
        if let Some(array) = entries
            .checked_add(len)
            .and_then(|end| disk.get(entries..end))
        {
            let sum = crc32(array);
            disk[header + 88..][..4].copy_from_slice(&sum.to_le_bytes());
        }
        disk[header + 16..][..4].fill(0);
        let sum = crc32(&disk[header..][..92]);
        disk[header + 16..][..4].copy_from_slice(&sum.to_le_bytes());
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(sum & 1));
        }
    }
    !sum
}

/// QCOW2 with large compressed clusters, with small ones, and of the old version.
pub(super) fn qcow2(folder: &Path) -> Vec<Base> {
    let raw = folder.join("raw.img");
    fs::write(&raw, small_volume(folder)).unwrap();
    let image = |name: &str, arguments: &[&str]| {
        let path = folder.join(name);
        tool("qemu-img")
            .args(["convert", "-f", "raw", "-O", "qcow2"])
            .args(arguments)
            .args([&raw, &path])
            .run();
        let mut base = Base::new(path, 1);
        base.content
            .resize(base.content.len().next_multiple_of(SECTOR), 0);
        base.write(0..base.content.len());
        base.targets = tables(&base.content);
        base.with_heads(&[0])
    };
    vec![
        image("compressed.qcow2", &["-c"]),
        image("small.qcow2", &["-o", "cluster_size=1024"]),
        image("old.qcow2", &["-o", "compat=0.10,cluster_size=4096"]),
    ]
}

/// A flat VMDK: its descriptor is what can be damaged.
pub(super) fn vmdk(folder: &Path) -> Vec<Base> {
    let raw = folder.join("raw.img");
    fs::write(&raw, small_volume(folder)).unwrap();
    let path = folder.join("flat.vmdk");
    tool("qemu-img")
        .args(["convert", "-f", "raw", "-O", "vmdk"])
        .args(["-o", "subformat=monolithicFlat"])
        .args([&raw, &path])
        .run();
    let mut base = Base::new(path, 1);
    let len = base.content.len().next_multiple_of(SECTOR);
    base.content.resize(len, b'\n');
    base.write(0..len);
    base.targets = (0..len / SECTOR).collect();
    vec![base]
}

/// The sectors of the L1 and L2 tables and of the reference counts: QEMU's docs/interop/qcow2.txt.
fn tables(content: &[u8]) -> Vec<usize> {
    let number = |at: usize| u64::from_be_bytes(content[at..at + 8].try_into().unwrap());
    let place = |entry: u64| usize::try_from(entry & 0x00FF_FFFF_FFFF_FE00).unwrap();
    let cluster = 1usize << content[23];
    let (l1, references) = (place(number(40)), place(number(48)));
    let n_l1_entries = usize::try_from(number(32) & 0xFFFF_FFFF).unwrap();
    let mut clusters = vec![l1, references];
    clusters.extend((0..n_l1_entries).map(|index| place(number(l1 + index * 8))));
    clusters.extend((0..cluster / 8).map(|index| place(number(references + index * 8))));
    let mut sectors: Vec<usize> = clusters
        .into_iter()
        .filter(|start| *start > 0)
        .flat_map(|start| start / SECTOR..(start + cluster) / SECTOR)
        .filter(|sector| *sector < content.len() / SECTOR)
        .collect();
    let structures = structures(content);
    sectors.retain(|sector| structures.contains(sector));
    sectors.sort_unstable();
    sectors.dedup();
    sectors
}
