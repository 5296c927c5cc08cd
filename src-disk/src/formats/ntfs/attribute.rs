//! Attributes: everything that makes up a file, in its own record or, through an attribute list, in others.

use super::record::{Piece, Record, Reference};
use crate::formats::bytes::{u16_at, u32_at, u64_at};

pub(super) const STANDARD_INFORMATION: u32 = 0x10;
pub(super) const ATTRIBUTE_LIST: u32 = 0x20;
pub(super) const SECURITY_DESCRIPTOR: u32 = 0x50;
pub(super) const VOLUME_NAME: u32 = 0x60;
pub(super) const DATA: u32 = 0x80;
pub(super) const INDEX_ROOT: u32 = 0x90;
pub(super) const INDEX_ALLOCATION: u32 = 0xA0;
pub(super) const BITMAP: u32 = 0xB0;
pub(super) const REPARSE_POINT: u32 = 0xC0;
const END: u32 = 0xFFFF_FFFF;

/// Where a record's first attribute is told.
const FIRST_ATTRIBUTE: usize = 0x14;
const LEN: usize = 0x04;
const IS_ELSEWHERE: usize = 0x08;
const NAME_LEN: usize = 0x09;
const NAME: usize = 0x0A;
const FLAGS: usize = 0x0C;
const INSTANCE: usize = 0x0E;
const VALUE_LEN: usize = 0x10;
const VALUE: usize = 0x14;
const FIRST_CLUSTER: usize = 0x10;
const RUNS: usize = 0x20;
const UNIT: usize = 0x22;
const SIZE: usize = 0x30;
const INITIALIZED: usize = 0x38;

/// A file has its standard information, one or two names, its content, and at times one thing more.
const USUAL_ATTRIBUTES: usize = 5;

const COMPRESSED: u16 = 0x00FF;
const ENCRYPTED: u16 = 0x4000;

#[derive(Clone)]
pub(super) struct Attribute {
    pub(super) kind: u32,
    pub(super) name: Vec<u16>,
    pub(super) instance: u16,
    pub(super) is_compressed: bool,
    pub(super) is_encrypted: bool,
    pub(super) body: Body,
}

#[derive(Clone)]
pub(super) enum Body {
    Resident(Piece),
    Runs(Part),
}

/// Where a part of an attribute lies; the part that begins at cluster 0 tells the sizes of all.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) first_cluster: u64,
    pub(super) size: u64,
    pub(super) initialized: u64,
    /// Compressed content comes in units of 2 to the power of this many clusters.
    pub(super) unit: u8,
    pub(super) runs: Piece,
}

impl Attribute {
    pub(super) fn first_cluster(&self) -> u64 {
        match &self.body {
            Body::Resident(_) => 0,
            Body::Runs(part) => part.first_cluster,
        }
    }

    pub(super) fn size(&self) -> u64 {
        match &self.body {
            Body::Resident(value) => value.len() as u64,
            Body::Runs(part) => part.size,
        }
    }

    pub(super) fn is(&self, kind: u32, name: &[u16]) -> bool {
        self.kind == kind && self.name.iter().eq(name)
    }
}

/// The attributes of one record; what follows one that is not sound cannot be found.
pub(super) fn attributes(record: &Record) -> (Vec<Attribute>, bool) {
    let mut found = Vec::with_capacity(USUAL_ATTRIBUTES);
    let bytes = &record.bytes;
    let mut at = usize::from(u16_at(bytes, FIRST_ATTRIBUTE).unwrap_or(u16::MAX));
    loop {
        if u32_at(bytes, at) == Some(END) {
            return (found, true);
        }
        let Some((attribute, len)) = parse(bytes, at) else {
            return (found, false);
        };
        found.push(attribute);
        at = at.saturating_add(len);
    }
}

fn parse(record: &Piece, at: usize) -> Option<(Attribute, usize)> {
    let len = usize::try_from(u32_at(record, at.checked_add(LEN)?)?).ok()?;
    let bytes = record.get(at..at.checked_add(len)?)?;
    (len >= 0x18).then_some(())?;
    let name = usize::from(u16_at(bytes, NAME)?);
    let name_bytes = usize::from(*bytes.get(NAME_LEN)?) * 2;
    let name = bytes.get(name..)?.get(..name_bytes)?;
    let flags = u16_at(bytes, FLAGS)?;
    let body = if *bytes.get(IS_ELSEWHERE)? == 0 {
        let start = usize::from(u16_at(bytes, VALUE)?);
        let len = usize::try_from(u32_at(bytes, VALUE_LEN)?).ok()?;
        let end = start.checked_add(len).filter(|end| *end <= bytes.len())?;
        Body::Resident(record.part(at.checked_add(start)?..at.checked_add(end)?)?)
    } else {
        let runs = usize::from(u16_at(bytes, RUNS)?);
        Body::Runs(Part {
            first_cluster: u64_at(bytes, FIRST_CLUSTER)?,
            size: u64_at(bytes, SIZE)?,
            initialized: u64_at(bytes, INITIALIZED)?,
            unit: *bytes.get(UNIT)?,
            runs: record.part(at.checked_add(runs)?..at.checked_add(len)?)?,
        })
    };
    let attribute = Attribute {
        kind: u32_at(bytes, 0)?,
        name: units(name).collect(),
        instance: u16_at(bytes, INSTANCE)?,
        is_compressed: flags & COMPRESSED != 0,
        is_encrypted: flags & ENCRYPTED != 0,
        body,
    };
    Some((attribute, len))
}

pub(super) fn units(bytes: &[u8]) -> impl Iterator<Item = u16> {
    let (units, _) = bytes.as_chunks::<2>();
    units.iter().map(|unit| u16::from_le_bytes(*unit))
}

/// An entry of an attribute list: which attribute lies in which record.
pub(super) struct Listed {
    pub(super) kind: u32,
    pub(super) first_cluster: u64,
    pub(super) owner: Reference,
    pub(super) instance: u16,
}

/// The entries of an attribute list, and whether it is sound to its end.
pub(super) fn listed(list: &[u8]) -> (Vec<Listed>, bool) {
    let mut found = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let entry = (|| {
            let len = usize::from(u16_at(rest, 0x04)?);
            (len >= 0x1A && len <= rest.len()).then_some(())?;
            let entry = Listed {
                kind: u32_at(rest, 0)?,
                first_cluster: u64_at(rest, 0x08)?,
                owner: Reference(u64_at(rest, 0x10)?),
                instance: u16_at(rest, 0x18)?,
            };
            Some((entry, len))
        })();
        let Some((entry, len)) = entry else {
            return (found, false);
        };
        found.push(entry);
        rest = &rest[len..];
    }
    (found, true)
}
