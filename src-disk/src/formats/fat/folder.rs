//! The entries of a folder.

use std::collections::HashMap;

use jiff::{Timestamp, civil, tz::TimeZone};

use super::name::{LongName, oem_text, short_name};
use crate::{
    Entry, EntryKind, Name,
    formats::bytes::{u16_at, u32_at},
};

const ENTRY_BYTES: usize = 32;
const DELETED: u8 = 0xE5;
const VOLUME_ID: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
/// Read-only, hidden, system and volume label at once: a piece of a long name.
const LONG_NAME: u8 = 0x0F;
const ATTRIBUTES: u8 = 0x3F;

/// One entry, and where its content begins.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: Name,
    pub(crate) is_folder: bool,
    pub(crate) first: u32,
    size_bytes: u32,
    modified: Option<Timestamp>,
}

impl Row {
    pub(crate) fn entry(&self) -> Entry {
        let kind = if self.is_folder {
            EntryKind::Directory
        } else {
            EntryKind::File
        };
        Entry {
            id: self.first.into(),
            size_bytes: if self.is_folder {
                0
            } else {
                u64::from(self.size_bytes)
            },
            modified: self.modified,
            ..Entry::new(self.name.clone(), kind)
        }
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) rows: Vec<Row>,
    /// What could not be read of it, a sentence each.
    pub(crate) damage: Vec<String>,
    /// The volume's label, which is an entry of the root folder.
    pub(crate) label: Option<String>,
    /// The first row of each name.
    by_name: HashMap<Name, usize>,
}

impl Folder {
    /// The rows in the bytes of a folder. Only FAT32 has the upper half of a cluster's number; in others
    /// OS/2 kept something else there.
    pub(crate) fn parse(bytes: &[u8], is_fat32: bool, is_root: bool) -> Self {
        let mut folder = Self::default();
        let mut long = LongName::default();
        let mut n_nameless = 0_usize;
        let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
        if !is_root
            && !entries
                .iter()
                // Some drivers give a long name to these as well.
                .find(|entry| entry[11] & ATTRIBUTES != LONG_NAME)
                .is_some_and(|entry| entry.starts_with(b".  "))
        {
            folder.damage.push(
                "the folder does not begin as folders do: some of its entries may be none"
                    .to_owned(),
            );
        }
        for entry in entries {
            let attributes = entry[11] & ATTRIBUTES;
            match entry[0] {
                0 => break,
                DELETED => long.clear(),
                _ if attributes == LONG_NAME => long.push(entry),
                _ if attributes & VOLUME_ID != 0 => {
                    long.clear();
                    if is_root && folder.label.is_none() {
                        folder.label = Some(label(&entry[..11]));
                    }
                }
                _ => {
                    let Some(row) = row(entry, &mut long, is_fat32) else {
                        continue;
                    };
                    if !row.name.is_possible() {
                        n_nameless = n_nameless.saturating_add(1);
                        continue;
                    }
                    folder
                        .by_name
                        .entry(row.name.clone())
                        .or_insert(folder.rows.len());
                    folder.rows.push(row);
                }
            }
        }
        if n_nameless > 0 {
            folder.damage.push(format!(
                "{n_nameless} entries have names that no path can hold: they are not listed"
            ));
        }
        folder
    }

    /// The row of a name: the very name, or else the first that differs by its case only.
    pub(crate) fn find(&self, name: &Name) -> Option<&Row> {
        match self.by_name.get(name) {
            Some(index) => self.rows.get(*index),
            None => self
                .rows
                .iter()
                .find(|row| row.name.matches_ignoring_case(name)),
        }
    }
}

/// `None` for the entries `.` and `..`.
fn row(entry: &[u8; ENTRY_BYTES], long: &mut LongName, is_fat32: bool) -> Option<Row> {
    let short: &[u8; 11] = entry.first_chunk()?;
    if short == b".          " || short == b"..         " {
        long.clear();
        return None;
    }
    let name = long.take(short);
    let low = u16_at(entry, 26)?;
    let high = if is_fat32 { u16_at(entry, 20)? } else { 0 };
    Some(Row {
        name: name.unwrap_or_else(|| Name::from_bytes(short_name(short, entry[12]))),
        is_folder: entry[11] & DIRECTORY != 0,
        first: (u32::from(high) << 16) | u32::from(low),
        size_bytes: u32_at(entry, 28)?,
        modified: modified(u16_at(entry, 24)?, u16_at(entry, 22)?),
    })
}

/// The text of a volume's label.
pub(crate) fn label(raw: &[u8]) -> String {
    let mut raw = raw.to_vec();
    if raw.first() == Some(&0x05) {
        raw[0] = DELETED;
    }
    oem_text(&raw).trim_end_matches([' ', '\0']).to_owned()
}

/// `None` for fields out of range, which real disks hold. Content changes in steps of two seconds; only
/// the time of creation has finer ones.
fn modified(date: u16, time: u16) -> Option<Timestamp> {
    let bits = |field: u16, at: u32, n_bits: u32| (field >> at) & !(u16::MAX << n_bits);
    let small = |field: u16| i8::try_from(field).ok();
    let date = civil::Date::new(
        i16::try_from(bits(date, 9, 7).saturating_add(1980)).ok()?,
        small(bits(date, 5, 4))?,
        small(bits(date, 0, 5))?,
    );
    let time = civil::Time::new(
        small(bits(time, 11, 5))?,
        small(bits(time, 5, 6))?,
        small(bits(time, 0, 5) << 1)?,
        0,
    );
    TimeZone::UTC
        .to_timestamp(date.ok()?.to_datetime(time.ok()?))
        .ok()
}
