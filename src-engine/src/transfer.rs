//! One disk from its source into an image: what differs from the parent, or from zero.

use std::{io, ops::Range};

use tokio_util::sync::CancellationToken;

use crate::{
    failure::Failure,
    image::{
        CLUSTER_BYTES, ImageWriter, SECTOR_BYTES,
        map::{ClusterHash, MapReader, MapWriter},
    },
    source::{
        Source,
        scan::{Piece, scan},
    },
};

/// Where a disk is written.
pub(crate) struct Target<'t> {
    pub(crate) image: &'t mut ImageWriter,
    /// What the disk holds now.
    pub(crate) map: &'t mut MapWriter,
    /// What it held in the image that this one builds on; `None` for an image of its own.
    pub(crate) parent: Option<MapReader>,
}

/// Copies what differs from the parent, or from zero; tells how much was read and stored.
pub(crate) fn transfer(
    source: &Source,
    target: Target<'_>,
    stopping: &CancellationToken,
    mut copied: impl FnMut(u64, u64),
) -> Result<(), Failure> {
    let disk_bytes = source.size_bytes();
    let path = target.image.path().to_path_buf();
    let failed = |error| Failure::repository(&path)(error);
    let n_clusters = disk_bytes.div_ceil(CLUSTER_BYTES);
    let mut difference = Difference {
        parent: Parent::new(target.parent, n_clusters).map_err(failed)?,
        image: target.image,
        map: target.map,
        image_bytes: disk_bytes.next_multiple_of(SECTOR_BYTES),
    };
    scan(source, stopping, |piece| {
        let stored_bytes = difference.store(piece).map_err(failed)?;
        let inside = disk_bytes.saturating_sub(piece.offset);
        copied((piece.bytes.len() as u64).min(inside), stored_bytes);
        Ok(())
    })?;
    difference.zero_gone_before(u64::MAX).map_err(failed)
}

/// Decides cluster by cluster what to write, and notes down what the disk holds.
struct Difference<'t> {
    parent: Parent,
    image: &'t mut ImageWriter,
    map: &'t mut MapWriter,
    /// QEMU counts disks in sectors, and so does the image.
    image_bytes: u64,
}

impl Difference<'_> {
    /// Writes what is new in a piece; gives how much that was.
    fn store(&mut self, piece: &Piece) -> io::Result<u64> {
        let mut changed: Vec<Range<u64>> = Vec::new();
        for (cluster, hash) in piece.clusters() {
            self.zero_gone_before(cluster)?;
            self.map.push(cluster, hash)?;
            if self.parent.has(cluster, hash)? {
                continue;
            }
            match changed.last_mut() {
                Some(run) if run.end == cluster => run.end += 1,
                _ => changed.push(cluster..cluster + 1),
            }
        }
        let mut stored_bytes = 0;
        for run in changed {
            let start = run.start * CLUSTER_BYTES;
            // The disk may end within its last cluster.
            let end = (run.end * CLUSTER_BYTES).min(self.image_bytes);
            let in_piece = |at: u64| (at - piece.offset) as usize;
            let bytes = &piece.bytes[in_piece(start)..in_piece(end)];
            self.image.write_at(start, bytes)?;
            stored_bytes += end - start;
        }
        Ok(stored_bytes)
    }

    /// What the parent holds before that cluster and was not come past is zero now.
    fn zero_gone_before(&mut self, cluster: u64) -> io::Result<()> {
        while let Some(gone) = self.parent.gone_before(cluster)? {
            let start = gone.start * CLUSTER_BYTES;
            let end = (gone.end * CLUSTER_BYTES).min(self.image_bytes);
            self.image.zero_at(start, end - start)?;
        }
        Ok(())
    }
}

/// The clusters of the parent, in step with those of the disk.
struct Parent {
    map: Option<MapReader>,
    next: Option<(u64, ClusterHash)>,
    /// Behind the end of the disk the parent does not matter: the disk may have shrunk.
    n_clusters: u64,
}

impl Parent {
    fn new(map: Option<MapReader>, n_clusters: u64) -> io::Result<Self> {
        let mut parent = Self {
            map,
            next: None,
            n_clusters,
        };
        parent.step()?;
        Ok(parent)
    }

    fn step(&mut self) -> io::Result<()> {
        let next = match &mut self.map {
            Some(map) => map.next()?,
            None => None,
        };
        self.next = next.filter(|(cluster, _)| *cluster < self.n_clusters);
        Ok(())
    }

    /// Clusters before that one which held something; the disk has none of them any more.
    fn gone_before(&mut self, cluster: u64) -> io::Result<Option<Range<u64>>> {
        let Some((first, _)) = self.next.filter(|(gone, _)| *gone < cluster) else {
            return Ok(None);
        };
        let mut end = first;
        while self
            .next
            .is_some_and(|(gone, _)| gone == end && gone < cluster)
        {
            end += 1;
            self.step()?;
        }
        Ok(Some(first..end))
    }

    /// Whether the parent's cluster is the same. To be asked after [`gone_before`](Self::gone_before).
    fn has(&mut self, cluster: u64, hash: &ClusterHash) -> io::Result<bool> {
        match self.next {
            Some((same, parents)) if same == cluster => {
                self.step()?;
                Ok(parents == *hash)
            }
            _ => Ok(false),
        }
    }
}
