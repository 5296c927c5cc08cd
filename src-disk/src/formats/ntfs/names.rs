//! Names: those in a folder's index, and how Windows compares them.

use std::collections::HashMap;

use super::{attribute::units, index::IndexEntry, record::Reference};
use crate::Name;

/// `$I30`, the index of names.
pub(super) const NAMES: [u16; 4] = [0x24, 0x49, 0x33, 0x30];

const NAME_LEN: usize = 0x40;
const NAMESPACE: usize = 0x41;
const NAME: usize = 0x42;
/// A second, short name for programs of DOS.
const DOS: u8 = 2;

pub(super) struct FolderName {
    pub(super) name: Name,
    pub(super) reference: Reference,
    pub(super) is_dos: bool,
}

impl FolderName {
    pub(super) fn parse(entry: &IndexEntry<'_>) -> Option<Self> {
        let len = 2 * usize::from(*entry.key.get(NAME_LEN)?);
        Some(Self {
            name: Name::from_utf16(units(entry.key.get(NAME..NAME + len)?)),
            reference: entry.reference()?,
            is_dos: *entry.key.get(NAMESPACE)? == DOS,
        })
    }
}

/// The names of a folder, as far as they can be read.
pub(super) struct Folder {
    pub(super) names: Vec<FolderName>,
    /// How many pieces of its index could not be read.
    pub(super) n_damaged: usize,
    /// Exact names to places in `names`; short names only where nothing else has them.
    exact: HashMap<Name, usize>,
}

impl Folder {
    pub(super) fn new(names: Vec<FolderName>, n_damaged: usize) -> Self {
        let mut exact = HashMap::with_capacity(names.len());
        for is_dos in [false, true] {
            for (place, found) in names.iter().enumerate() {
                if found.is_dos == is_dos {
                    exact.entry(found.name.clone()).or_insert(place);
                }
            }
        }
        Self {
            names,
            n_damaged,
            exact,
        }
    }

    /// The exact name first, then as Windows compares them.
    pub(super) fn find(&self, name: &Name, upcase: &Upcase) -> Option<Reference> {
        let place = self.exact.get(name).copied().or_else(|| {
            let wanted = upcase.fold(name);
            let is_same = |found: &FolderName| upcase.fold(&found.name) == wanted;
            let long = self.names.iter().position(|it| !it.is_dos && is_same(it));
            long.or_else(|| self.names.iter().position(|it| it.is_dos && is_same(it)))
        })?;
        self.names.get(place).map(|found| found.reference)
    }
}

/// The volume's own table of upper-case letters.
pub(super) struct Upcase(Vec<u16>);

impl Upcase {
    pub(super) fn new(table: &[u8]) -> Self {
        Self(units(table))
    }

    fn fold(&self, name: &Name) -> Vec<u16> {
        let upper = |unit: u16| self.0.get(usize::from(unit)).copied().unwrap_or(unit);
        name.to_utf16().into_iter().map(upper).collect()
    }
}
