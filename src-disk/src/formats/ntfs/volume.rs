//! The file table: from a reference to a file with all its attributes.

use std::collections::BTreeMap;

use super::{
    attribute::{self, ATTRIBUTE_LIST, Attribute, Body, DATA, Listed},
    boot::{BOOT_BYTES, Boot},
    record::{Piece, Record, Reference},
    stream::Stream,
};
use crate::{Error, Result, Slice};

/// Windows writes none longer.
const MAX_LIST_BYTES: u64 = 256 << 10;
/// What a volume's own structures may take in memory.
pub(super) const MAX_OWN_BYTES: u64 = 16 << 20;

pub(super) struct Volume {
    pub(super) slice: Slice,
    pub(super) boot: Boot,
    table: Stream,
    /// What of the volume itself had to be read elsewhere, a sentence each.
    pub(super) damage: Vec<String>,
}

/// A file, a folder or whatever else has a record of its own.
pub(super) struct File {
    pub(super) reference: Reference,
    pub(super) is_folder: bool,
    pub(super) attributes: Vec<Attribute>,
    /// Whether some of its attributes could not be found.
    pub(super) is_damaged: bool,
}

impl File {
    pub(super) fn first(&self, kind: u32, name: &[u16]) -> Option<&Attribute> {
        let parts = self.attributes.iter().filter(|it| it.is(kind, name));
        parts.min_by_key(|it| it.first_cluster())
    }
}

impl Volume {
    pub(super) fn open(mut slice: Slice) -> Result<Self> {
        let mut damage = Vec::new();
        let boot = match boot_at(&mut slice, 0) {
            Ok(boot) => boot,
            Err(error) => {
                let boot = backup(&mut slice).ok_or(error)?;
                damage.push(
                    "the volume's first sector is damaged: its copy at the end is used".to_owned(),
                );
                boot
            }
        };
        let first = match raw_record(&mut slice, boot.table, boot.record_bytes) {
            Some(record) => record,
            None => {
                let copy = raw_record(&mut slice, boot.mirror, boot.record_bytes);
                damage.push(
                    "the first record of the table of files is damaged: its copy is used"
                        .to_owned(),
                );
                copy.ok_or_else(|| {
                    Error::corrupt("NTFS: the table of files has no sound record, and no copy")
                })?
            }
        };
        let (attributes, _) = attribute::attributes(&first);
        let own = attributes.iter().filter(|it| it.is(DATA, &[]));
        let table = Stream::join(own, boot.cluster_bytes)?
            .ok_or_else(|| Error::corrupt("NTFS: where the table of files lies is unknown"))?;
        let mut volume = Self {
            slice,
            boot,
            table,
            damage,
        };
        volume.join_table(&attributes)?;
        Ok(volume)
    }

    /// Adds the parts of the table that other records tell of: each of those lies in the parts before it.
    fn join_table(&mut self, attributes: &[Attribute]) -> Result<()> {
        let (mut list, _) = self.list(attributes)?.unwrap_or_default();
        list.retain(|it| it.kind == DATA && it.first_cluster > 0);
        list.sort_by_key(|it| it.first_cluster);
        for listed in list {
            let part = self.record(listed.owner).and_then(|record| {
                let (attributes, _) = attribute::attributes(&record);
                let mut parts = attributes.into_iter();
                let part = parts.find(|it| it.is(DATA, &[]) && it.instance == listed.instance);
                part.ok_or_else(|| Error::corrupt("NTFS: a record is missing"))
            });
            if part.and_then(|part| self.table.extend(&part)).is_err() {
                self.damage.push(
                    "a part of the table of files cannot be found: files in it are lost".to_owned(),
                );
                break;
            }
        }
        Ok(())
    }

    /// The record that a reference means, and not a later one of that number.
    pub(super) fn record(&mut self, reference: Reference) -> Result<Record> {
        let number = reference.number();
        let damaged = |what: &str| Error::corrupt(format!("NTFS: file record {number} {what}"));
        let record_bytes = self.boot.record_bytes;
        let at = number.checked_mul(record_bytes as u64);
        let at = at.filter(|at| *at < self.table.len_bytes());
        let at = at.ok_or_else(|| damaged("does not exist"))?;
        let mut bytes = vec![0; record_bytes];
        self.table.read_exact(&mut self.slice, at, &mut bytes)?;
        let record = match Record::parse(bytes, number) {
            // The first four have a copy.
            None if number < 4 => {
                let mirror = self.boot.mirror.saturating_add(at);
                raw_record(&mut self.slice, mirror, record_bytes).map(|record| Record {
                    reference: Reference(record.reference.0 | number),
                    ..record
                })
            }
            parsed => parsed,
        };
        let record = record.ok_or_else(|| damaged("is damaged, or was deleted"))?;
        if !record.is(reference) {
            return Err(damaged("belongs to another file by now"));
        }
        Ok(record)
    }

    pub(super) fn file(&mut self, reference: Reference) -> Result<File> {
        let record = self.record(reference)?;
        if record.base.number() != 0 {
            return Err(Error::corrupt(format!(
                "NTFS: file record {} is a part of another",
                reference.number()
            )));
        }
        let (attributes, is_sound) = attribute::attributes(&record);
        let mut file = File {
            reference: record.reference,
            is_folder: record.is_folder,
            attributes: Vec::new(),
            is_damaged: !is_sound,
        };
        match self.list(&attributes) {
            Ok(None) => file.attributes = attributes,
            Ok(Some((list, is_sound))) => {
                file.is_damaged |= !is_sound;
                self.gather(&mut file, attributes, &list);
            }
            Err(_) => {
                file.is_damaged = true;
                file.attributes = attributes;
            }
        }
        Ok(file)
    }

    /// The attributes that a list names, each record read once.
    fn gather(&mut self, file: &mut File, own: Vec<Attribute>, list: &[Listed]) {
        let mut records = BTreeMap::from([(file.reference.number(), own)]);
        for listed in list {
            let attributes = records.entry(listed.owner.number()).or_insert_with(|| {
                let record = self.record(listed.owner).ok();
                let record = record.filter(|it| it.base.number() == file.reference.number());
                record.map_or_else(Vec::new, |record| attribute::attributes(&record).0)
            });
            let mut places = attributes.iter();
            let place =
                places.position(|it| it.kind == listed.kind && it.instance == listed.instance);
            match place.map(|place| attributes.swap_remove(place)) {
                Some(attribute) => file.attributes.push(attribute),
                None => file.is_damaged = true,
            }
        }
    }

    fn list(&mut self, attributes: &[Attribute]) -> Result<Option<(Vec<Listed>, bool)>> {
        let lists = attributes.iter().filter(|it| it.kind == ATTRIBUTE_LIST);
        let Some(mut list) = Stream::join(lists, self.boot.cluster_bytes)? else {
            return Ok(None);
        };
        let list = list.all(&mut self.slice, MAX_LIST_BYTES)?;
        Ok(Some(attribute::listed(&list)))
    }

    pub(super) fn stream(&self, file: &File, kind: u32, name: &[u16]) -> Result<Option<Stream>> {
        let parts = file.attributes.iter().filter(|it| it.is(kind, name));
        Stream::join(parts, self.boot.cluster_bytes)
    }

    /// A value that is small in any sound file.
    pub(super) fn value(&mut self, file: &File, kind: u32, name: &[u16]) -> Result<Option<Piece>> {
        if let Some(Body::Resident(value)) = file.first(kind, name).map(|first| &first.body) {
            return Ok(Some(value.clone()));
        }
        match self.stream(file, kind, name)? {
            Some(mut stream) => {
                let bytes = stream.all(&mut self.slice, MAX_OWN_BYTES)?;
                Ok(Some(bytes.into()))
            }
            None => Ok(None),
        }
    }
}

fn boot_at(slice: &mut Slice, at: u64) -> Result<Boot> {
    let mut sector = [0; BOOT_BYTES];
    slice.read_at(at, &mut sector)?;
    Boot::parse(&sector)
}

/// The copy of the boot sector in the volume's last sector.
fn backup(slice: &mut Slice) -> Option<Boot> {
    [512, 4096, 1024, 2048]
        .into_iter()
        .find_map(|sector_bytes| {
            let at = slice.len_bytes().checked_sub(sector_bytes)?;
            boot_at(slice, at).ok()
        })
}

/// The record of the table itself, before the table can be read.
fn raw_record(slice: &mut Slice, at: u64, record_bytes: usize) -> Option<Record> {
    let mut bytes = vec![0; record_bytes];
    slice.read_at(at, &mut bytes).ok()?;
    Record::parse(bytes, 0)
}
