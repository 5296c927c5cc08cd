//! Whether a QCOW2 image is intact to the last byte: header, tables and reference counts.
//!
//! Reading a disk skips what it does not need, so an image can lose its reference counts and still look intact until
//! somebody writes to it. Nothing is skipped here. What is expected is what the hub writes: version 3, 64 KiB clusters,
//! 16-bit counts, no snapshots, no compression, no encryption, and each cluster used once. Format: QEMU's
//! docs/interop/qcow2.txt.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::{
    OFFSET, ZERO,
    flaw::{Flaw, Trouble, flaw},
    header,
    header::{CLUSTER_BYTES, Header},
    u64_at,
};
use crate::{AllowedRoots, Error, ExtentKind, Image, Result};

/// Entries of eight bytes in a cluster.
const TABLE_ENTRIES: u64 = CLUSTER_BYTES / 8;
/// What the hub writes; the one before knows no parts that are marked as emptied.
const VERSION: u32 = 3;
/// Counts of two bytes in a cluster.
const COUNTS: u64 = CLUSTER_BYTES / 2;
/// The cluster that an entry names is used by it alone; so it is in all our images.
const COPIED: u64 = 1 << 63;

/// The first flaw of an image as the hub writes them; `None` where every byte of its structure is right.
/// What the clusters hold is not looked at. The image that it builds on is opened where it was emptied.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read.
pub fn find_flaw(
    path: &Path,
    backing: Option<&Path>,
    allowed: &AllowedRoots,
) -> Result<Option<Flaw>> {
    let file = File::open(path)?;
    let file_bytes = file.metadata()?.len();
    let mut image = Structure {
        file,
        file_bytes,
        used: Used::default(),
        emptied: Vec::new(),
    };
    match image
        .check()
        .and_then(|()| check_emptied(&image.emptied, backing, allowed))
    {
        Ok(()) => Ok(None),
        Err(Trouble::Flaw(flaw)) => Ok(Some(flaw)),
        Err(Trouble::Unreadable(error)) => Err(Error::Io(error)),
    }
}

struct Structure {
    file: File,
    file_bytes: u64,
    used: Used,
    /// Runs of the disk that are marked as zero, in bytes, with the place of the first mark.
    emptied: Vec<Emptied>,
}

struct Emptied {
    start: u64,
    end: u64,
    place: u64,
}

impl Emptied {
    /// The place of the mark for a byte of the disk.
    fn mark_of(&self, at: u64) -> u64 {
        let n_marks = at.saturating_sub(self.start) / CLUSTER_BYTES;
        n_marks.saturating_mul(8).saturating_add(self.place)
    }
}

/// A part is marked as zero where what the image builds on held something, and only there.
fn check_emptied(
    emptied: &[Emptied],
    backing: Option<&Path>,
    allowed: &AllowedRoots,
) -> Result<(), Trouble> {
    let Some(first) = emptied.first() else {
        return Ok(());
    };
    let needless = |place: u64| {
        flaw(format!(
            "a part of the disk is marked as emptied, and there was nothing before, at byte {place}"
        ))
    };
    let Some(backing) = backing else {
        return Err(needless(first.place));
    };
    // Whoever reads the disk sees what is wrong with that one.
    let Ok(backing) = Image::open(backing, allowed) else {
        return Ok(());
    };
    for run in emptied {
        let mut at = run.start;
        while at < run.end {
            let is_empty = at >= backing.size_bytes();
            let Ok(extent) = backing.extent_at(at.min(backing.size_bytes().saturating_sub(1)))
            else {
                return Ok(());
            };
            if is_empty || extent.kind == ExtentKind::Zero {
                return Err(needless(run.mark_of(at)));
            }
            // Its last cluster may be shorter than ours.
            at = at
                .saturating_add(extent.len_bytes.max(1))
                .checked_next_multiple_of(CLUSTER_BYTES)
                .unwrap_or(u64::MAX);
        }
    }
    Ok(())
}

impl Structure {
    fn check(&mut self) -> Result<(), Trouble> {
        let first = self.read(0, CLUSTER_BYTES, "its header")?;
        let header = header::check(&first)?;
        self.claim(0, CLUSTER_BYTES, "its header")?;
        let blocks = self.check_count_table(&header)?;
        self.check_tables(&header)?;
        if header.version != VERSION {
            return Err(flaw(
                "its version is damaged, in its header at byte 4".to_owned(),
            ));
        }
        self.check_counts(&blocks)
    }

    /// The table of the blocks that hold the counts; gives where those lie.
    fn check_count_table(&mut self, header: &Header) -> Result<Vec<u64>, Trouble> {
        let name = "the table of its reference counts";
        let table_bytes = header.count_table_clusters.saturating_mul(CLUSTER_BYTES);
        let table = self.read(header.count_table, table_bytes, name)?;
        self.claim(header.count_table, table_bytes, name)?;
        let mut blocks = Vec::new();
        for (number, place, entry) in entries(&table, header.count_table) {
            blocks.push(entry);
            if entry == 0 {
                continue;
            }
            if entry & !OFFSET != 0 {
                return Err(flaw(format!(
                    "{name} has bits set that mean nothing, in entry {number} at byte {place}"
                )));
            }
            let name = format!("block {number} of its reference counts");
            self.claim(entry, CLUSTER_BYTES, &name)?;
        }
        Ok(blocks)
    }

    /// The tables that lead from the disk to the clusters of the file.
    fn check_tables(&mut self, header: &Header) -> Result<(), Trouble> {
        let name = "its table of first level";
        let table_bytes = header.l1_entries.saturating_mul(8);
        let table_bytes = table_bytes.next_multiple_of(CLUSTER_BYTES);
        let table = self.read(header.l1_table, table_bytes, name)?;
        self.claim(header.l1_table, table_bytes, name)?;
        let n_clusters = header.disk_bytes.div_ceil(CLUSTER_BYTES);
        for (number, place, entry) in entries(&table, header.l1_table) {
            if entry == 0 {
                continue;
            }
            if number >= n_clusters.div_ceil(TABLE_ENTRIES) {
                return Err(flaw(format!(
                    "{name} has an entry behind the end of the disk, at byte {place}"
                )));
            }
            if entry & !OFFSET != COPIED {
                return Err(flaw(format!(
                    "entry {number} of {name} has wrong flags, at byte {place}"
                )));
            }
            self.check_l2(entry & OFFSET, number, header)?;
        }
        Ok(())
    }

    /// One table of second level: what it names are clusters of the disk.
    fn check_l2(&mut self, offset: u64, l1_number: u64, header: &Header) -> Result<(), Trouble> {
        let disk_bytes = header.disk_bytes;
        let name = format!("its table {l1_number} of second level");
        let table = self.read(offset, CLUSTER_BYTES, &name)?;
        self.claim(offset, CLUSTER_BYTES, &name)?;
        let n_clusters = disk_bytes.div_ceil(CLUSTER_BYTES);
        for (number, place, entry) in entries(&table, offset) {
            if entry == 0 {
                continue;
            }
            let cluster = l1_number
                .saturating_mul(TABLE_ENTRIES)
                .saturating_add(number);
            let start = cluster.saturating_mul(CLUSTER_BYTES);
            if cluster >= n_clusters {
                return Err(flaw(format!(
                    "{name} has an entry behind the end of the disk, at byte {place}"
                )));
            }
            if entry == ZERO {
                if header.version != VERSION {
                    // QEMU reads images of the version before, but none that says this.
                    return Err(Trouble::Flaw(Flaw {
                        what: format!(
                            "its version is damaged, in its header at byte 4: no part of the disk can be marked as emptied \
                             there, and one is at byte {place}"
                        ),
                        is_refused: true,
                    }));
                }
                self.empty(start, place);
                continue;
            }
            if entry & !OFFSET != COPIED {
                return Err(flaw(format!(
                    "entry {number} of {name} has wrong flags, at byte {place}"
                )));
            }
            let owner = format!("the disk from its byte {start}");
            self.claim(entry & OFFSET, CLUSTER_BYTES, &owner)?;
            if cluster.saturating_add(1) == n_clusters {
                self.check_end(entry & OFFSET, disk_bytes)?;
            }
        }
        Ok(())
    }

    /// Notes that a cluster of the disk is marked as zero.
    fn empty(&mut self, start: u64, place: u64) {
        let end = start.saturating_add(CLUSTER_BYTES);
        match self.emptied.last_mut() {
            // Places are in step within one table only.
            Some(run) if run.end == start && run.mark_of(start) == place => run.end = end,
            _ => self.emptied.push(Emptied { start, end, place }),
        }
    }

    /// In the last cluster, what lies behind the end of the disk is zero, as far as it was written.
    fn check_end(&mut self, cluster: u64, disk_bytes: u64) -> Result<(), Trouble> {
        let used = disk_bytes % CLUSTER_BYTES;
        let start = cluster.saturating_add(used);
        if used == 0 || start >= self.file_bytes {
            return Ok(());
        }
        let written = self.file_bytes.saturating_sub(start);
        let len = CLUSTER_BYTES.saturating_sub(used).min(written);
        let rest = self.read(start, len, "its last cluster")?;
        match rest.iter().position(|byte| *byte != 0) {
            None => Ok(()),
            Some(position) => Err(flaw(format!(
                "something lies behind the end of the disk, at byte {}",
                start.saturating_add(position as u64)
            ))),
        }
    }

    /// Each cluster is counted as often as it was seen: once, or not at all.
    fn check_counts(&mut self, blocks: &[u64]) -> Result<(), Trouble> {
        for (number, block) in (0_u64..).zip(blocks) {
            let first = number.saturating_mul(COUNTS);
            if *block == 0 {
                if let Some(cluster) = self.used.first_of(number) {
                    return Err(flaw(format!(
                        "cluster {cluster} is used and not counted: block {number} of the reference counts is missing"
                    )));
                }
                continue;
            }
            let counts = self.read(*block, CLUSTER_BYTES, "its reference counts")?;
            let places = (*block..).step_by(2);
            for ((cluster, place), count) in (first..).zip(places).zip(counts.chunks_exact(2)) {
                let expected = u8::from(self.used.has(cluster));
                if *count != [0, expected] {
                    return Err(flaw(format!(
                        "the reference count of cluster {cluster} is {} instead of {expected}, at byte {place}",
                        u16::from_be_bytes([count[0], count[1]])
                    )));
                }
            }
        }
        match self.used.first_from(blocks.len() as u64) {
            None => Ok(()),
            Some(cluster) => Err(flaw(format!(
                "cluster {cluster} is used and not counted: the table of the reference counts is too short"
            ))),
        }
    }

    /// Notes that clusters are used, by whom for the first time.
    fn claim(&mut self, offset: u64, len_bytes: u64, by: &str) -> Result<(), Trouble> {
        if !offset.is_multiple_of(CLUSTER_BYTES) {
            return Err(flaw(format!(
                "{by} should lie at byte {offset}, where no cluster begins"
            )));
        }
        let first = offset / CLUSTER_BYTES;
        let end = first.saturating_add(len_bytes / CLUSTER_BYTES);
        for cluster in first..end {
            // The last may end early: zeros at the end are not written.
            if cluster.saturating_mul(CLUSTER_BYTES) >= self.file_bytes {
                return Err(flaw(format!(
                    "{by} should lie at byte {offset}, behind the end of the file"
                )));
            }
            if !self.used.add(cluster) {
                return Err(flaw(format!(
                    "{by} should lie at byte {offset}, where something else is"
                )));
            }
        }
        Ok(())
    }

    fn read(&mut self, offset: u64, len_bytes: u64, what: &str) -> Result<Vec<u8>, Trouble> {
        let end = offset.checked_add(len_bytes);
        if end.is_none_or(|end| end > self.file_bytes) {
            return Err(flaw(format!(
                "{what} should lie at byte {offset}, behind the end of the file"
            )));
        }
        let mut bytes = vec![0; usize::try_from(len_bytes).unwrap_or(usize::MAX)];
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Number, place in the file and value of each entry of a table.
fn entries(table: &[u8], offset: u64) -> impl Iterator<Item = (u64, u64, u64)> {
    let places = (offset..).step_by(8);
    (0_u64..)
        .zip(places)
        .zip(table.chunks_exact(8))
        .map(|((number, place), entry)| (number, place, u64_at(entry, 0)))
}

/// The clusters that are used, one bit each: 4 MiB for a file of 2 TiB, and a hole costs nothing.
#[derive(Default)]
struct Used(HashMap<u64, Vec<u64>>);

impl Used {
    /// Adds a cluster; false where it was there already.
    fn add(&mut self, cluster: u64) -> bool {
        let words = self
            .0
            .entry(cluster / COUNTS)
            .or_insert_with(|| vec![0; (COUNTS / 64) as usize]);
        let bit = 1 << (cluster % 64);
        match words.get_mut((cluster % COUNTS / 64) as usize) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }

    fn has(&self, cluster: u64) -> bool {
        let words = self.0.get(&(cluster / COUNTS));
        words
            .and_then(|words| words.get((cluster % COUNTS / 64) as usize))
            .is_some_and(|word| word & (1 << (cluster % 64)) != 0)
    }

    /// The first used cluster of those that one block of counts is for.
    fn first_of(&self, block: u64) -> Option<u64> {
        let words = self.0.get(&block)?;
        let mut firsts = (block.saturating_mul(COUNTS)..).step_by(64).zip(words);
        firsts.find_map(|(first, word)| {
            (*word != 0).then(|| first.saturating_add(u64::from(word.trailing_zeros())))
        })
    }

    /// The first used cluster that no block before this one is for.
    fn first_from(&self, block: u64) -> Option<u64> {
        let later = self.0.keys().filter(|number| **number >= block).min()?;
        self.first_of(*later)
    }
}
