//! What is on a disk: the partitions in its table, or one filesystem over the whole disk; and what each of them
//! contains. Old tables and filesystems leave traces: what the kernel would use is used, the rest is named.
//!
//! A volume that cannot be read is a value, not a failure: it is listed with its name and the reason, and the others
//! stay usable.

mod signature;
mod table;

use std::fmt;

use self::{
    signature::{Seen, inspect, is_known, name_of, unreadable},
    table::{Partition, Table, Tables},
};
use crate::{Error, FileSystem, FsKind, Image, Result, Slice};

pub(crate) use signature::{AT_END, BIOS_RAID, FIRST_SECTOR, LATER, LAYERS, UNMARKED};

/// More partitions than that are not listed: the rest is damage.
const MAX_VOLUMES: usize = 256;

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

/// The volumes of a disk, in disk order. An unpartitioned disk is one volume; a disk of zeros is one
/// volume named `empty`.
///
/// # Errors
/// [`Error::Io`] and [`Error::Corrupt`] where the disk itself cannot be read; a damaged partition
/// table is not an error but one unreadable volume.
pub fn volumes(image: &Image) -> Result<Layout> {
    let size = image.size_bytes();
    let mut whole = Slice::new(image.clone(), 0, size);
    let seen = inspect(&mut whole)?;
    let Tables {
        first,
        mut others,
        damage,
    } = table::read(&mut whole);
    // FAT and NTFS boot sectors end like an MBR does, and what is in one's place may look like entries.
    let mut table = match first {
        Some(table) if !seen.has_first_sector || table.is_announced => table,
        first => {
            others.extend(first);
            return Ok(unpartitioned(image, seen, &others, damage));
        }
    };
    let mut layout = Layout::default();
    if is_known(&seen.content) {
        layout.passed_over.push(format!(
            "the disk as a whole also has the mark of {}, which does not count beside its partition table ({})",
            name_of(&seen.content),
            table.name
        ));
    }
    layout.passed_over.extend(others.iter().map(|other| {
        format!(
            "an older partition table ({}) with {} partitions is on the disk as well: {} counts",
            other.name,
            other.partitions.len(),
            table.name
        )
    }));
    if table.partitions.len() > MAX_VOLUMES {
        layout.passed_over.push(format!(
            "the partition table names {} partitions, of which the first {MAX_VOLUMES} are shown",
            table.partitions.len()
        ));
        table.partitions.truncate(MAX_VOLUMES);
    }
    for (number, partition) in (1..).zip(&table.partitions) {
        let (volume, passed_over) = partitioned(image, number, partition);
        layout.volumes.push(volume);
        layout.passed_over.extend(passed_over.iter().map(|name| {
            format!(
                "partition {number} also has the mark of {name}, which is older and does not count"
            )
        }));
    }
    // A table in which nothing is, over a filesystem that can be read: then the table is what is left over.
    if matches!(seen.content, Content::Readable(_))
        && !layout
            .volumes
            .iter()
            .any(|volume| is_known(&volume.content))
    {
        let whole = unpartitioned(image, seen, &[table], None);
        let volumes = whole.volumes.iter();
        if volumes
            .map(|it| &it.content)
            .any(|it| matches!(it, Content::Readable(_)))
        {
            return Ok(whole);
        }
    }
    Ok(layout)
}

/// A disk that is one volume.
fn unpartitioned(image: &Image, seen: Seen, tables: &[Table], damage: Option<String>) -> Layout {
    let content = match damage {
        Some(damage) if !is_known(&seen.content) => unreadable("damaged partition table", &damage),
        _ => seen.content,
    };
    let mut passed_over: Vec<_> = seen
        .passed_over
        .iter()
        .map(|name| {
            format!("the disk also has the mark of {name}, which is older and does not count")
        })
        .collect();
    passed_over.extend(tables.iter().map(|table| {
        format!(
            "a partition table ({}) with {} partitions is on the disk as well: the disk is {}, which has no \
             partitions",
            table.name,
            table.partitions.len(),
            name_of(&content)
        )
    }));
    Layout {
        volumes: vec![volume(image, 1, 0, image.size_bytes(), content, None)],
        passed_over,
    }
}

fn partitioned(image: &Image, number: u32, partition: &Partition) -> (Volume, Vec<String>) {
    let mut slice = Slice::new(image.clone(), partition.start, partition.len);
    // A place that cannot be read makes one volume unreadable, not the disk.
    let (content, passed_over) = match inspect(&mut slice) {
        Ok(seen) => (seen.content, seen.passed_over),
        Err(error) => (unreadable("damaged volume", &error.to_string()), Vec::new()),
    };
    let content = match partition.purpose {
        Some((name, reason)) if !is_known(&content) => unreadable(name, reason),
        _ => content,
    };
    let volume = volume(
        image,
        number,
        partition.start,
        slice.len_bytes(),
        content,
        partition.name.clone(),
    );
    (volume, passed_over)
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
        for signature in [LAYERS, FIRST_SECTOR, LATER].into_iter().flatten() {
            let mut disk = vec![0; 3 << 20];
            signature.write(&mut disk);
            let found = volumes_of(&disk);
            assert_eq!(found.len(), 1);
            assert!(
                matches!(&found[0].content, Content::Unreadable(what) if what.name == signature.name),
                "{}: {:?}",
                signature.name,
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
