//! What a disk has to hold, in step with reading it.

use std::io;

use crate::{
    image::map::{ClusterHash, MapReader},
    source::scan::Piece,
};

/// The first cluster that is not what was backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Differs(pub(crate) u64);

/// What the cluster map says, from some cluster on; without a map anything is right.
pub(crate) struct Expected {
    map: Option<MapReader>,
    next: Option<(u64, ClusterHash)>,
}

impl Expected {
    /// From that cluster on.
    pub(crate) fn from(mut map: Option<MapReader>, cluster: u64) -> io::Result<Self> {
        let mut next = None;
        if let Some(map) = &mut map {
            next = map.next()?;
            while next.is_some_and(|(before, _)| before < cluster) {
                next = map.next()?;
            }
        }
        Ok(Self { map, next })
    }

    /// Whether a piece is what it has to be, and all before it that was not read is zero.
    pub(crate) fn check(&mut self, piece: &Piece) -> io::Result<Result<(), Differs>> {
        let Some(map) = &mut self.map else {
            return Ok(Ok(()));
        };
        for (cluster, found) in piece.clusters() {
            match self.next {
                Some((next, expected)) if next == cluster && expected == *found => {
                    self.next = map.next()?;
                }
                // One that is missing, one that is too many, or one that is another.
                Some((next, _)) => return Ok(Err(Differs(next.min(cluster)))),
                None => return Ok(Err(Differs(cluster))),
            }
        }
        Ok(Ok(()))
    }

    /// Whether all that it has to hold was read.
    pub(crate) fn end(&self) -> Result<(), Differs> {
        match self.next {
            None => Ok(()),
            Some((missing, _)) => Err(Differs(missing)),
        }
    }
}
