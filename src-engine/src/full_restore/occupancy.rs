//! Which parts of a disk hold something: one bit for each, and how many do before any of them.

use crate::image::CLUSTER_BYTES;

/// The parts of a disk that are not zero, in parts of one size: 2 MiB of memory for a terabyte in clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Occupancy {
    unit_bytes: u64,
    n_units: u64,
    words: Vec<u64>,
    /// So many are set before each word.
    before: Vec<u64>,
}

impl Occupancy {
    /// Of a disk of that size, from the numbers of its clusters that hold something, in any order.
    pub(crate) fn of_clusters(disk_bytes: u64, clusters: impl IntoIterator<Item = u64>) -> Self {
        let mut occupancy = Self::empty(disk_bytes, CLUSTER_BYTES);
        for cluster in clusters {
            occupancy.set(cluster);
        }
        occupancy.count_up();
        occupancy
    }

    /// The same in other parts, which are whole clusters.
    pub(crate) fn in_units_of(&self, unit_bytes: u64) -> Self {
        let clusters = unit_bytes / self.unit_bytes;
        let disk_bytes = self.n_units * self.unit_bytes;
        let mut coarse = Self::empty(disk_bytes, unit_bytes);
        for unit in self.iter() {
            coarse.set(unit / clusters);
        }
        coarse.count_up();
        coarse
    }

    fn empty(disk_bytes: u64, unit_bytes: u64) -> Self {
        let n_units = disk_bytes.div_ceil(unit_bytes);
        Self {
            unit_bytes,
            n_units,
            words: vec![0; n_units.div_ceil(64) as usize],
            before: Vec::new(),
        }
    }

    fn set(&mut self, unit: u64) {
        if unit < self.n_units {
            self.words[(unit / 64) as usize] |= 1 << (unit % 64);
        }
    }

    fn count_up(&mut self) {
        let mut n = 0;
        let counted = self.words.iter().map(|word| {
            let before = n;
            n += u64::from(word.count_ones());
            before
        });
        self.before = counted.collect();
    }

    /// The size of a part.
    pub(crate) fn unit_bytes(&self) -> u64 {
        self.unit_bytes
    }

    /// So many parts the disk has.
    #[cfg(test)]
    pub(crate) fn n_units(&self) -> u64 {
        self.n_units
    }

    /// Whether a part holds something.
    pub(crate) fn is_set(&self, unit: u64) -> bool {
        let word = self.words.get((unit / 64) as usize);
        word.is_some_and(|word| word >> (unit % 64) & 1 == 1)
    }

    /// So many parts before that one hold something.
    pub(crate) fn rank(&self, unit: u64) -> u64 {
        let at = (unit / 64) as usize;
        match self.words.get(at) {
            None => self.count(),
            Some(word) => {
                let below = word & ((1 << (unit % 64)) - 1);
                self.before[at] + u64::from(below.count_ones())
            }
        }
    }

    /// So many hold something.
    pub(crate) fn count(&self) -> u64 {
        let last = self.words.last().zip(self.before.last());
        last.map_or(0, |(word, before)| before + u64::from(word.count_ones()))
    }

    /// Those that hold something, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.words.iter().zip(0_u64..).flat_map(|(word, number)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(number * 64 + u64::from(bit))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn ranks_count_what_is_before(set in proptest::collection::btree_set(0_u64..1000, 0..300)) {
            let disk_bytes = 999 * CLUSTER_BYTES + 512;
            let occupancy = Occupancy::of_clusters(disk_bytes, set.iter().copied());
            prop_assert_eq!(occupancy.n_units(), 1000);
            prop_assert_eq!(occupancy.count(), set.len() as u64);
            prop_assert!(occupancy.iter().eq(set.iter().copied()));
            for unit in 0..1000 {
                prop_assert_eq!(occupancy.is_set(unit), set.contains(&unit));
                prop_assert_eq!(occupancy.rank(unit), set.range(..unit).count() as u64);
            }
            let coarse = occupancy.in_units_of(16 * CLUSTER_BYTES);
            prop_assert_eq!(coarse.n_units(), 63);
            for unit in 0..63 {
                let holds = set.range(unit * 16..(unit + 1) * 16).next().is_some();
                prop_assert_eq!(coarse.is_set(unit), holds);
            }
        }
    }

    #[test]
    fn a_disk_without_anything_has_no_parts() {
        let empty = Occupancy::of_clusters(0, []);
        assert_eq!((empty.n_units(), empty.count(), empty.rank(5)), (0, 0, 0));
        let zeros = Occupancy::of_clusters(1 << 30, []);
        assert_eq!(zeros.iter().next(), None);
    }
}
