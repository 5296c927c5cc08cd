//! Partition tables: GPT through its library, MBR, and the labels of Sun, SGI, Apple and BSD.
//!
//! Which of them counts follows the Linux kernel (`block/partitions/core.c`): GPT if the MBR announces one, then SGI,
//! MBR, BSD, Sun and Apple.

use crate::{
    Error, Result, Slice,
    formats::bytes::{u16_at, u16_be_at, u32_at, u32_be_at},
    guard::guarded,
};

/// What reading a partition table may take: each logical partition costs a sector.
const TABLE_BYTES: u64 = 4 << 20;
/// The largest GPT that is read; Windows and Linux make 128 entries.
const MAX_GPT_ENTRIES: u32 = 1024;

/// In an MBR: the whole disk is the GPT's.
const PROTECTIVE: u8 = 0xEE;
const DYNAMIC: u8 = 0x42;
/// More than that are a circle that seems to be none.
const MAX_LOGICAL: usize = 256;
const BSD_SLICES: [u8; 3] = [0xA5, 0xA6, 0xA9];

const SECTOR_BYTES: u64 = 512;

/// A place on a disk that a table names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) name: Option<String>,
    /// What its table says that it holds, where that has no mark of its own: name and reason.
    pub(super) purpose: Option<(&'static str, &'static str)>,
}

impl Partition {
    fn new(start: u64, len: u64) -> Self {
        Self {
            start,
            len,
            name: None,
            purpose: None,
        }
    }
}

/// A table with its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) partitions: Vec<Partition>,
    /// A GPT that the first sector announces.
    pub(super) is_announced: bool,
}

/// The tables of a disk.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// The one that counts.
    pub(super) first: Option<Table>,
    /// Those that do not.
    pub(super) others: Vec<Table>,
    /// A sentence about a table that is announced and cannot be read.
    pub(super) damage: Option<String>,
}

/// Reads all tables that a disk has.
pub(super) fn read(disk: &mut Slice) -> Tables {
    let mut sector = [0; 512];
    if disk.read_at(0, &mut sector).is_err() {
        return Tables::default();
    }
    let has_mbr = is_mbr(&sector);
    let is_protective = has_mbr
        && ENTRIES
            .iter()
            .any(|at| sector.get(at.saturating_add(KIND)) == Some(&PROTECTIVE));
    let mut tables = Tables::default();
    let mut gpt = table(disk, "GPT", gpt_partitions).map(|table| Table {
        is_announced: is_protective,
        ..table
    });
    if is_protective && gpt.is_none() {
        tables.damage = Some(
            "the partition table (GPT) that its first sector announces is damaged, and so is its copy"
                .to_owned(),
        );
    }
    let mut found: Vec<Table> = Vec::new();
    if is_protective {
        found.extend(gpt.take());
    }
    found.extend(table(disk, "SGI", sgi_partitions));
    if has_mbr && !is_protective {
        found.extend(mbr(disk));
    }
    found.extend(table(disk, "BSD", |disk| bsd_partitions(disk, 0)));
    found.extend(table(disk, "Sun", sun_partitions));
    found.extend(table(disk, "Apple", apple_partitions));
    found.extend(gpt);
    let mut found = found.into_iter();
    tables.first = found.next();
    tables.others = found.collect();
    tables
}

fn table(
    disk: &mut Slice,
    name: &'static str,
    read: impl FnOnce(&mut Slice) -> Result<Vec<Partition>>,
) -> Option<Table> {
    let size = disk.len_bytes();
    disk.budget().allow(TABLE_BYTES);
    let partitions = guarded(|| read(disk));
    disk.budget().allow(u64::MAX);
    let mut partitions = partitions.unwrap_or_default();
    partitions.retain(|partition| partition.len > 0 && partition.start < size);
    partitions.sort_by_key(|partition| partition.start);
    (!partitions.is_empty()).then_some(Table {
        name,
        partitions,
        is_announced: false,
    })
}

/// Where the four entries of an MBR are; what each is for stands at a place of it.
const ENTRIES: [usize; 4] = [446, 462, 478, 494];
const KIND: usize = 4;

/// Whether a sector holds an MBR, and not the code of a boot sector.
fn is_mbr(sector: &[u8; 512]) -> bool {
    sector.ends_with(&[0x55, 0xAA]) && ENTRIES.iter().all(|at| matches!(sector[*at], 0 | 0x80))
}

/// In sectors of 512 bytes, or of 4096 where only so the partitions hold what a partition holds.
fn mbr(disk: &mut Slice) -> Option<Table> {
    let small = table(disk, "MBR", |disk| mbr_partitions(disk, 512));
    if small
        .as_ref()
        .is_some_and(|table| holds_anything(disk, table))
    {
        return small;
    }
    let large = table(disk, "MBR", |disk| mbr_partitions(disk, 4096));
    match large {
        Some(large) if fits(disk, &large) && holds_anything(disk, &large) => Some(large),
        _ => small,
    }
}

fn fits(disk: &Slice, table: &Table) -> bool {
    let mut ends = table
        .partitions
        .iter()
        .map(|it| it.start.saturating_add(it.len));
    ends.all(|end| end <= disk.len_bytes())
}

fn holds_anything(disk: &mut Slice, table: &Table) -> bool {
    table.partitions.iter().any(|partition| {
        let mut slice = disk.part(partition.start, partition.len);
        super::signature::inspect(&mut slice)
            .is_ok_and(|seen| super::signature::is_known(&seen.content))
    })
}

fn mbr_partitions(disk: &mut Slice, sector_bytes: u64) -> Result<Vec<Partition>> {
    let mut sector = [0; 512];
    disk.read_at(0, &mut sector)?;
    let mut used = Vec::new();
    for entry in entries_of(&sector) {
        if is_extended(entry.kind) {
            used.extend(logical_partitions(disk, entry.start, sector_bytes));
        } else {
            used.push((entry.kind, entry.partition(0, sector_bytes)));
        }
    }
    let mut partitions = Vec::new();
    for (kind, partition) in used {
        let slices = if BSD_SLICES.contains(&kind) {
            bsd_partitions(disk, partition.start).unwrap_or_default()
        } else {
            Vec::new()
        };
        if slices.is_empty() {
            partitions.push(partition);
        } else {
            partitions.extend(slices);
        }
    }
    Ok(partitions)
}

/// The partitions in an extended one: a chain of sectors, each with one of them and the way to the next. What
/// was found before the chain breaks is there.
fn logical_partitions(disk: &mut Slice, extended: u64, sector_bytes: u64) -> Vec<(u8, Partition)> {
    let mut found = Vec::new();
    let mut at = extended;
    for _ in 0..MAX_LOGICAL {
        let mut sector = [0; 512];
        let place = at.saturating_mul(sector_bytes);
        if disk.read_at(place, &mut sector).is_err() || !sector.ends_with(&[0x55, 0xAA]) {
            break;
        }
        let mut next = None;
        for entry in entries_of(&sector) {
            if is_extended(entry.kind) {
                // Counted from the beginning of all of them.
                next = next.or(extended.checked_add(entry.start));
            } else {
                found.push((entry.kind, entry.partition(at, sector_bytes)));
            }
        }
        // Each lies behind the one before it, or the chain is a circle.
        match next {
            Some(next) if next > at => at = next,
            _ => break,
        }
    }
    found
}

struct Entry {
    kind: u8,
    start: u64,
    len: u64,
}

impl Entry {
    fn partition(&self, base: u64, sector_bytes: u64) -> Partition {
        let mut partition = Partition::new(
            base.saturating_add(self.start).saturating_mul(sector_bytes),
            self.len.saturating_mul(sector_bytes),
        );
        if self.kind == DYNAMIC {
            partition.purpose = Some(DYNAMIC_DISK);
        }
        partition
    }
}

/// The entries of an MBR, or of a link in the chain of an extended partition, that are in use.
fn entries_of(sector: &[u8; 512]) -> Vec<Entry> {
    ENTRIES
        .into_iter()
        .filter_map(|at| {
            let row = sector.get(at..)?;
            let entry = Entry {
                kind: *row.get(KIND)?,
                start: u64::from(u32_at(row, 8)?),
                len: u64::from(u32_at(row, 12)?),
            };
            (entry.kind != 0 && entry.len > 0).then_some(entry)
        })
        .collect()
}

fn is_extended(kind: u8) -> bool {
    matches!(kind, 0x05 | 0x0F | 0x85)
}

const DYNAMIC_DISK: (&str, &str) = (
    "dynamic disk",
    "volumes of Windows' dynamic disks cannot be read yet",
);
const STORAGE_SPACE: (&str, &str) = (
    "Storage Spaces",
    "Windows spreads its volumes over several disks, which cannot be read yet",
);
/// GUIDs as a GPT holds them.
const DYNAMIC_DATA: [u8; 16] = [
    0xA0, 0x60, 0x9B, 0xAF, 0x31, 0x14, 0x62, 0x4F, 0xBC, 0x68, 0x33, 0x11, 0x71, 0x4A, 0x69, 0xAD,
];
const STORAGE_SPACES: [u8; 16] = [
    0x8F, 0xAF, 0x5C, 0xE7, 0x80, 0xF6, 0xEE, 0x4C, 0xAF, 0xA3, 0xB0, 0x01, 0xE5, 0x6E, 0xFC, 0x2D,
];

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
            purpose: match entry.partition_type_guid {
                DYNAMIC_DATA => Some(DYNAMIC_DISK),
                STORAGE_SPACES => Some(STORAGE_SPACE),
                _ => None,
            },
        })
    };
    Ok(partitions.filter_map(partition).collect())
}

/// `gptman` allocates as many entries as a header says, before it reads one: 2^32 end the process.
fn refuse_large_gpt(disk: &mut Slice) -> Result<()> {
    let len = disk.len_bytes();
    for sector_bits in [9, 12] {
        let sector_bytes = 1 << sector_bits;
        let last = (len >> sector_bits << sector_bits).saturating_sub(sector_bytes);
        for header in [sector_bytes, last] {
            let mut bytes = [0; 92];
            if len.saturating_sub(header) < 92 {
                continue;
            }
            disk.read_at(header, &mut bytes)?;
            let n_entries = u32_at(&bytes, 80).unwrap_or(0);
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

/// The label of IRIX disks (Linux: `block/partitions/sgi.c`).
fn sgi_partitions(disk: &mut Slice) -> Result<Vec<Partition>> {
    const VOLUME_HEADER: u32 = 0;
    const WHOLE_DISK: u32 = 6;
    let mut label = [0; 512];
    disk.read_at(0, &mut label)?;
    let mut words = (0..512)
        .step_by(4)
        .map(|at| u32_be_at(&label, at).unwrap_or(0));
    let sum = words.by_ref().fold(0, u32::wrapping_add);
    if u32_be_at(&label, 0) != Some(0x0BE5_A941) || sum != 0 {
        return Ok(Vec::new());
    }
    Ok((312..504)
        .step_by(12)
        .filter_map(|at| {
            let row = label.get(at..)?;
            let kind = u32_be_at(row, 8)?;
            let start = u64::from(u32_be_at(row, 4)?);
            let len = u64::from(u32_be_at(row, 0)?);
            let is_of_files = kind != VOLUME_HEADER && kind != WHOLE_DISK;
            is_of_files.then(|| Partition::new(start * SECTOR_BYTES, len * SECTOR_BYTES))
        })
        .collect())
}

/// The label of SPARC disks (Linux: `block/partitions/sun.c`).
fn sun_partitions(disk: &mut Slice) -> Result<Vec<Partition>> {
    const WHOLE_DISK: u16 = 5;
    let mut label = [0; 512];
    disk.read_at(0, &mut label)?;
    let words = (0..512)
        .step_by(2)
        .map(|at| u16_be_at(&label, at).unwrap_or(0));
    let sum = words.fold(0, |sum, word| sum ^ word);
    if u16_be_at(&label, 508) != Some(0xDABE) || sum != 0 {
        return Ok(Vec::new());
    }
    let heads = u64::from(u16_be_at(&label, 436).unwrap_or(0));
    let n_sectors = u64::from(u16_be_at(&label, 438).unwrap_or(0));
    let cylinder = heads.saturating_mul(n_sectors).saturating_mul(SECTOR_BYTES);
    let has_kinds = u32_be_at(&label, 188) == Some(0x600D_DEEE);
    Ok((0..8)
        .filter_map(|number| {
            let row = label.get(444..)?.chunks_exact(8).nth(number)?;
            let start = u64::from(u32_be_at(row, 0)?).checked_mul(cylinder)?;
            let len = u64::from(u32_be_at(row, 4)?) * SECTOR_BYTES;
            let kind = label.get(142..)?.chunks_exact(4).nth(number)?;
            let kind = u16_be_at(kind, 0)?;
            let is_whole = if has_kinds {
                kind == WHOLE_DISK
            } else {
                number == 2
            };
            (!is_whole).then(|| Partition::new(start, len))
        })
        .collect())
}

/// The map of Apple disks (Linux: `block/partitions/mac.c`): a block for each partition.
fn apple_partitions(disk: &mut Slice) -> Result<Vec<Partition>> {
    const MAX_PARTITIONS: u32 = 256;
    let mut block = [0; 512];
    disk.read_at(0, &mut block)?;
    let block_bytes = u64::from(u16_be_at(&block, 2).unwrap_or(0));
    if !block.starts_with(b"ER") || !matches!(block_bytes, 512 | 1024 | 2048 | 4096) {
        return Ok(Vec::new());
    }
    let mut partitions = Vec::new();
    let mut n_blocks = 1;
    let mut number = 1;
    while number <= n_blocks {
        disk.read_at(u64::from(number).saturating_mul(block_bytes), &mut block)?;
        if !block.starts_with(b"PM") {
            break;
        }
        n_blocks = u32_be_at(&block, 4).unwrap_or(0).min(MAX_PARTITIONS);
        let text = |at: usize| {
            let bytes = block.get(at..).and_then(|rest| rest.get(..32));
            let bytes = bytes
                .unwrap_or_default()
                .split(|byte| *byte == 0)
                .next()
                .unwrap_or_default();
            String::from_utf8_lossy(bytes).trim().to_owned()
        };
        let kind = text(48);
        if !matches!(
            kind.as_str(),
            "Apple_partition_map" | "Apple_Free" | "Apple_Void" | "Apple_Driver"
        ) {
            let place = |at: usize| {
                u64::from(u32_be_at(&block, at).unwrap_or(0)).saturating_mul(block_bytes)
            };
            let name = Some(text(16)).filter(|name| !name.is_empty());
            partitions.push(Partition {
                name,
                ..Partition::new(place(8), place(12))
            });
        }
        number = number.saturating_add(1);
    }
    Ok(partitions)
}

/// A BSD disk label on a disk or a slice of it (Linux: `block/partitions/msdos.c`): in the second sector, or
/// as on Alpha in the first.
fn bsd_partitions(disk: &mut Slice, slice_start: u64) -> Result<Vec<Partition>> {
    const MAGIC: u32 = 0x8256_4557;
    const UNUSED: u8 = 0;
    const PLACES: [u64; 2] = [SECTOR_BYTES, 64];
    let mut label = [0; 404];
    let mut places = PLACES.into_iter();
    loop {
        let Some(place) = places.next() else {
            return Ok(Vec::new());
        };
        disk.read_at(slice_start.saturating_add(place), &mut label)?;
        if u32_at(&label, 0) == Some(MAGIC) && u32_at(&label, 132) == Some(MAGIC) {
            break;
        }
    }
    let n_partitions = usize::from(u16_at(&label, 138).unwrap_or(0)).min(16);
    let rows: Vec<_> = (0..n_partitions)
        .filter_map(|number| {
            let row = label.get(148..)?.chunks_exact(16).nth(number)?;
            let kind = *row.get(12)?;
            let len = u64::from(u32_at(row, 0)?) * SECTOR_BYTES;
            let start = u64::from(u32_at(row, 4)?) * SECTOR_BYTES;
            // The third is the whole disk or slice.
            (kind != UNUSED && number != 2).then_some((start, len))
        })
        .collect();
    // Places are counted from the disk's beginning, but by some from the slice's.
    let is_relative = rows.iter().any(|(start, _)| *start < slice_start);
    let base = if is_relative { slice_start } else { 0 };
    Ok(rows
        .into_iter()
        .map(|(start, len)| Partition::new(start.saturating_add(base), len))
        .collect())
}
