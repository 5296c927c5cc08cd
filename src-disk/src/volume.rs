//! What lies on a disk: partitions of an MBR (logical ones included) or a GPT, or one filesystem
//! over the whole disk; and what each of them holds.
//!
//! A volume that cannot be read is a value, not a failure: it is listed with its name and the reason,
//! and the others stay usable.

use std::fmt;

use crate::{Error, FileSystem, FsKind, Image, Result, Slice, formats::fat, guard::guarded};

/// More partitions than that are not listed: the rest is damage.
const MAX_VOLUMES: usize = 256;
/// What reading a partition table may take: each logical partition costs a sector.
const TABLE_BYTES: u64 = 4 << 20;
/// The largest GPT that is read; Windows and Linux make 128 entries.
const MAX_GPT_ENTRIES: u32 = 1024;

/// What lies on a disk.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The volumes in disk order; never none.
    pub volumes: Vec<Volume>,
    /// Tables and signatures that are on the disk and were not followed, because the systems that use such
    /// disks do not follow them either; a sentence each.
    pub passed_over: Vec<String>,
}

/// A partition, or the whole disk.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Position on the disk, counted from 1.
    pub number: u32,
    /// Where it begins, in bytes.
    pub start: u64,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// The name that the filesystem or the partition table gives it.
    pub label: Option<String>,
    /// What is on it.
    pub content: Content,
}

/// What a volume holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A filesystem that can be read.
    Readable(FsKind),
    /// Anything else.
    Unreadable(Unreadable),
}

/// Why a volume cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What it is: `BitLocker`, `LUKS`, `XFS`, …
    pub name: String,
    /// A sentence for a person.
    pub reason: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

const ENCRYPTED: &str = "it is encrypted and cannot be opened here";
const NOT_YET: &str = "this filesystem cannot be read yet";

/// Signatures of what is known but not readable: offset, bytes, name, reason.
const SIGNATURES: &[(u64, &[u8], &str, &str)] = &[
    (3, b"-FVE-FS-", "BitLocker", ENCRYPTED),
    (0, b"LUKS\xba\xbe", "LUKS", ENCRYPTED),
    (
        512,
        b"LABELONE",
        "LVM",
        "logical volumes cannot be read yet",
    ),
    (0, b"LABELONE", "LVM", "logical volumes cannot be read yet"),
    (0, b"XFSB", "XFS", NOT_YET),
    (0x1_0040, b"_BHRfS_M", "Btrfs", NOT_YET),
    (3, b"EXFAT   ", "exFAT", NOT_YET),
    (3, b"ReFS\0\0\0\0", "ReFS", NOT_YET),
    (32, b"NXSB", "APFS", NOT_YET),
    (1024, b"H+\0\x04", "HFS+", NOT_YET),
    (1024, b"HX\0\x05", "HFS+", NOT_YET),
    (0x8001, b"CD001", "ISO 9660", NOT_YET),
    (
        4086,
        b"SWAPSPACE2",
        "swap",
        "it is swap space and holds no files",
    ),
    (
        4086,
        b"SWAP-SPACE",
        "swap",
        "it is swap space and holds no files",
    ),
    (
        4096,
        b"\xfc\x4e\x2b\xa9",
        "RAID",
        "it is a member of a software RAID",
    ),
    (
        0,
        b"\xfc\x4e\x2b\xa9",
        "RAID",
        "it is a member of a software RAID",
    ),
];

/// The volumes of a disk, in disk order. An unpartitioned disk is one volume; a disk of zeros is one
/// volume named `empty`.
///
/// # Errors
/// [`Error::Io`] and [`Error::Corrupt`] where the disk itself cannot be read; a damaged partition
/// table is not an error but one unreadable volume.
pub fn volumes(image: &Image) -> Result<Layout> {
    Ok(Layout {
        volumes: found(image)?,
        passed_over: Vec::new(),
    })
}

fn found(image: &Image) -> Result<Vec<Volume>> {
    let size = image.size_bytes();
    let mut whole = Slice::new(image.clone(), 0, size);
    // A filesystem over the whole disk first: FAT and NTFS boot sectors end like an MBR does.
    let content = inspect(&mut whole)?;
    if matches!(content, Content::Readable(_)) || is_known(&content) {
        return Ok(vec![volume(image, 1, 0, size, content, None)]);
    }
    whole.budget().allow(TABLE_BYTES);
    let mut partitions = guarded(|| gpt_partitions(&mut whole)).unwrap_or_default();
    if partitions.is_empty() {
        whole.budget().allow(TABLE_BYTES);
        partitions = guarded(|| mbr_partitions(&mut whole)).unwrap_or_default();
    }
    partitions.retain(|partition| partition.len > 0 && partition.start < size);
    if partitions.is_empty() {
        return Ok(vec![volume(image, 1, 0, size, content, None)]);
    }
    partitions.sort_by_key(|partition| partition.start);
    partitions.truncate(MAX_VOLUMES);
    let mut found = Vec::with_capacity(partitions.len());
    for (number, partition) in (1..).zip(partitions) {
        let mut slice = Slice::new(image.clone(), partition.start, partition.len);
        // A place that cannot be read makes one volume unreadable, not the disk.
        let content = inspect(&mut slice)
            .unwrap_or_else(|error| unreadable("damaged volume", &error.to_string()));
        found.push(volume(
            image,
            number,
            partition.start,
            slice.len_bytes(),
            content,
            partition.name,
        ));
    }
    Ok(found)
}

impl Volume {
    /// Opens the filesystem on this volume.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where there is none that can be read, [`Error::Corrupt`] where it is
    /// damaged.
    pub fn open(&self, image: &Image) -> Result<FileSystem> {
        match &self.content {
            Content::Readable(kind) => {
                let slice = Slice::new(image.clone(), self.start, self.size_bytes);
                FileSystem::mount(slice, *kind)
            }
            Content::Unreadable(reason) => Err(Error::unsupported(reason.to_string())),
        }
    }
}

struct Partition {
    start: u64,
    len: u64,
    name: Option<String>,
}

fn volume(
    image: &Image,
    number: u32,
    start: u64,
    size_bytes: u64,
    content: Content,
    partition_name: Option<String>,
) -> Volume {
    let mut volume = Volume {
        number,
        start,
        size_bytes,
        label: None,
        content,
    };
    if let Content::Readable(_) = volume.content {
        match volume.open(image) {
            Ok(filesystem) => volume.label = filesystem.label(),
            // It looks like a filesystem, and is none: say so now, not at the first click.
            Err(error) => {
                volume.content = unreadable("damaged filesystem", &error.to_string());
            }
        }
    }
    volume.label = volume.label.or(partition_name);
    volume
}

fn unreadable(name: &str, reason: &str) -> Content {
    Content::Unreadable(Unreadable {
        name: name.to_owned(),
        reason: reason.to_owned(),
    })
}

fn is_known(content: &Content) -> bool {
    matches!(content, Content::Unreadable(what) if what.name != "unknown" && what.name != "empty")
}

/// Looks for a filesystem, then for anything else that has a name.
fn inspect(slice: &mut Slice) -> Result<Content> {
    let mut head = vec![0; 4096.min(usize::try_from(slice.len_bytes()).unwrap_or(4096))];
    slice.read_at(0, &mut head)?;
    let has = |offset: usize, bytes: &[u8]| head.get(offset..offset + bytes.len()) == Some(bytes);
    for (offset, bytes, name, reason) in SIGNATURES {
        let mut found = vec![0; bytes.len()];
        if slice.len_bytes() >= offset + bytes.len() as u64 {
            slice.read_at(*offset, &mut found)?;
            if found == *bytes {
                return Ok(unreadable(name, reason));
            }
        }
    }
    if has(3, b"NTFS    ") {
        return Ok(Content::Readable(FsKind::Ntfs));
    }
    // ext superblock at 1024: magic at 56, compatible features at 92, incompatible at 96.
    if has(1024 + 56, &[0x53, 0xEF]) {
        let has_journal = head.get(1024 + 92).is_some_and(|byte| byte & 0x04 != 0);
        // Extents, 64bit, flex_bg: none of them exists before ext4.
        let incompatible = head.get(1024 + 96..1024 + 98).unwrap_or(&[0, 0]);
        let is_ext4 = incompatible[0] & 0xC0 != 0 || incompatible[1] & 0x02 != 0;
        return Ok(Content::Readable(match (is_ext4, has_journal) {
            (true, _) => FsKind::Ext4,
            (false, true) => FsKind::Ext3,
            (false, false) => FsKind::Ext2,
        }));
    }
    if is_fat(slice, &head) {
        return Ok(Content::Readable(FsKind::Fat));
    }
    if head.iter().all(|byte| *byte == 0) {
        return Ok(unreadable(
            "empty",
            "nothing has been written to its beginning",
        ));
    }
    Ok(unreadable("unknown", "its content is not recognised"))
}

/// A FAT boot sector has no magic number of its own: its fields must make sense together.
fn is_fat(slice: &mut Slice, head: &[u8]) -> bool {
    match fat::find_boot(slice) {
        // A stale backup must not win over the partition table of a disk.
        Some((_, is_backup)) => !(is_backup && head.get(510..512) == Some(&[0x55, 0xAA])),
        None => false,
    }
}

fn gpt_partitions(disk: &mut Slice) -> Result<Vec<Partition>> {
    refuse_large_gpt(disk)?;
    let gpt = gptman::GPT::find_from(disk).map_err(|error| Error::corrupt(error.to_string()))?;
    let partitions = gpt.iter().filter(|(_, entry)| entry.is_used());
    let partition = |(_, entry): (u32, &gptman::GPTPartitionEntry)| {
        let n_sectors = entry
            .ending_lba
            .checked_sub(entry.starting_lba)?
            .checked_add(1)?;
        let name = entry.partition_name.as_str().trim();
        Some(Partition {
            start: entry.starting_lba.checked_mul(gpt.sector_size)?,
            len: n_sectors.checked_mul(gpt.sector_size)?,
            name: (!name.is_empty()).then(|| name.to_owned()),
        })
    };
    Ok(partitions.filter_map(partition).collect())
}

/// `gptman` allocates as many entries as a header says, before it reads one: 2^32 end the process.
fn refuse_large_gpt(disk: &mut Slice) -> Result<()> {
    let len = disk.len_bytes();
    for sector_bytes in [512, 4096] {
        let last = (len / sector_bytes).saturating_sub(1) * sector_bytes;
        for header in [sector_bytes, last] {
            let mut bytes = [0; 92];
            if header + 92 > len {
                continue;
            }
            disk.read_at(header, &mut bytes)?;
            let n_entries = u32::from_le_bytes([bytes[80], bytes[81], bytes[82], bytes[83]]);
            if bytes.starts_with(b"EFI PART") && n_entries > MAX_GPT_ENTRIES {
                return Err(Error::Corrupt {
                    what: format!("a partition table of {n_entries} entries"),
                    offset: Some(header),
                });
            }
        }
    }
    Ok(())
}

fn mbr_partitions(disk: &mut Slice) -> Result<Vec<Partition>> {
    let mbr =
        mbrman::MBR::read_from(disk, 512).map_err(|error| Error::corrupt(error.to_string()))?;
    let partitions = mbr
        .iter()
        .filter(|(_, entry)| entry.is_used() && !entry.is_extended());
    let partition = |(_, entry): (usize, &mbrman::MBRPartitionEntry)| Partition {
        start: u64::from(entry.starting_lba) * 512,
        len: u64::from(entry.sectors) * 512,
        name: None,
    };
    Ok(partitions.map(partition).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AllowedRoots;

    fn volumes_of(bytes: &[u8]) -> Vec<Volume> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let image = Image::open(file.path(), &AllowedRoots::new([])).unwrap();
        volumes(&image).unwrap().volumes
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (offset, bytes, name, _) in SIGNATURES {
            let mut disk = vec![0; 1 << 20];
            let offset = usize::try_from(*offset).unwrap();
            disk[offset..offset + bytes.len()].copy_from_slice(bytes);
            let found = volumes_of(&disk);
            assert_eq!(found.len(), 1);
            assert!(
                matches!(&found[0].content, Content::Unreadable(what) if what.name == *name),
                "{name}: {:?}",
                found[0].content
            );
        }
    }

    #[test]
    fn an_empty_disk_and_a_tiny_one_are_one_unreadable_volume() {
        for len in [0, 1, 511, 512, 5000, 1 << 20] {
            let found = volumes_of(&vec![0; len]);
            assert_eq!(found.len(), 1, "{len}");
            assert!(matches!(found[0].content, Content::Unreadable(_)), "{len}");
        }
    }

    #[test]
    fn partitions_of_an_mbr_are_numbered_in_disk_order_and_cut_at_its_end() {
        let mut disk = vec![0; 4 << 20];
        for (slot, start, len) in [(0, 4096u32, 99_999u32), (1, 2048, 2048)] {
            let entry = &mut disk[446 + 16 * slot..][..16];
            entry[4] = 0x83;
            entry[8..12].copy_from_slice(&start.to_le_bytes());
            entry[12..16].copy_from_slice(&len.to_le_bytes());
        }
        disk[510..512].copy_from_slice(&[0x55, 0xAA]);
        let found = volumes_of(&disk);
        let places: Vec<_> = found
            .iter()
            .map(|v| (v.number, v.start, v.size_bytes))
            .collect();
        assert_eq!(places, [(1, 1 << 20, 1 << 20), (2, 2 << 20, 2 << 20)]);
    }
}
