//! Names: those in a folder's index, and how Windows compares them.

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
            name: Name::from_utf16(units(entry.key.get(NAME..)?.get(..len)?)),
            reference: entry.reference()?,
            is_dos: *entry.key.get(NAMESPACE)? == DOS,
        })
    }
}

/// The names of a folder, as far as they can be read.
pub(super) struct Folder {
    /// Sorted; of equal ones, short names come last.
    pub(super) names: Vec<FolderName>,
    /// How many pieces of its index could not be read.
    pub(super) n_damaged: usize,
}

impl Folder {
    pub(super) fn new(mut names: Vec<FolderName>, n_damaged: usize) -> Self {
        names.sort_by(|a, b| (&a.name, a.is_dos).cmp(&(&b.name, b.is_dos)));
        Self { names, n_damaged }
    }

    /// The exact name first, then as Windows compares them.
    pub(super) fn find(&self, name: &Name, upcase: &Upcase) -> Option<Reference> {
        let first = self.names.partition_point(|it| it.name < *name);
        let exact = self.names.get(first).filter(|it| it.name == *name);
        let found = exact.or_else(|| {
            let wanted = upcase.fold(name);
            let is_same = |found: &&FolderName| upcase.fold(&found.name) == wanted;
            let long = self.names.iter().filter(|it| !it.is_dos).find(is_same);
            long.or_else(|| self.names.iter().filter(|it| it.is_dos).find(is_same))
        })?;
        Some(found.reference)
    }
}

/// The volume's own table of upper-case letters.
pub(super) struct Upcase(Vec<u16>);

impl Upcase {
    pub(super) fn new(table: &[u8]) -> Self {
        Self(units(table).collect())
    }

    fn fold(&self, name: &Name) -> Vec<u16> {
        let upper = |unit: u16| self.0.get(usize::from(unit)).copied().unwrap_or(unit);
        name.to_utf16().into_iter().map(upper).collect()
    }
}
