//! One disk from its source into an image: one thread reads, one compares, one writes, and a few
//! buffers go round.

use std::{
    io,
    ops::Range,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use tokio_util::sync::CancellationToken;

use super::{
    failure::Failure,
    image::{CLUSTER_BYTES, ImageWriter, SECTOR_BYTES},
    map::{ClusterHash, MapReader, MapWriter, hash_cluster},
    source::Source,
};

/// What is read at once. Large enough that a system call costs nothing, small enough for caches.
const CHUNK_BYTES: u64 = 1024 * 1024;
/// Buffers that go round: one being read, one compared, one written, the rest even them out.
const N_BUFFERS: usize = 6;

static ZEROS: [u8; CLUSTER_BYTES as usize] = [0; CLUSTER_BYTES as usize];

/// Where a disk is written.
pub(super) struct Target<'t> {
    pub(super) image: &'t ImageWriter,
    /// What the disk holds now.
    pub(super) map: &'t mut MapWriter,
    /// What it held in the image that this one builds on; `None` for an image of its own.
    pub(super) parent: Option<MapReader>,
}

/// A piece of a disk as it was read; it begins at a cluster.
struct Chunk {
    offset: u64,
    bytes: Vec<u8>,
}

/// What has to be done to the image.
enum Change {
    /// Write these parts of the chunk.
    Write(Chunk, Vec<Range<usize>>),
    /// These clusters held something in the parent and hold nothing now.
    Zero(Range<u64>),
}

/// Copies what differs from the parent, or from zero; tells how much was read and stored.
pub(super) fn copy(
    source: &Source,
    target: Target<'_>,
    stopping: &CancellationToken,
    mut copied: impl FnMut(u64, u64),
) -> Result<(), Failure> {
    let (full, filled) = sync_channel::<Chunk>(N_BUFFERS);
    let (decided, changes) = sync_channel::<Change>(N_BUFFERS);
    let (give_back, empty) = sync_channel::<Vec<u8>>(N_BUFFERS);
    for _ in 0..N_BUFFERS {
        // The channel holds them all and its other end is right here.
        drop(give_back.try_send(Vec::new()));
    }
    let Target { image, map, parent } = target;
    let disk_bytes = source.size_bytes();
    thread::scope(|scope| {
        // Senders move into their threads, so that who waits for more sees the end.
        let reader = scope.spawn(move || read(source, &full, &empty, stopping));
        let comparer = scope.spawn(move || {
            let n_clusters = disk_bytes.div_ceil(CLUSTER_BYTES);
            Parent::new(parent, n_clusters)
                .and_then(|parent| compare(&filled, &decided, map, parent))
                .map_err(Failure::repository(image.path()))
        });
        let written = write(image, disk_bytes, &changes, &give_back, &mut copied);
        // Whoever waits for a place or a buffer learns that nobody wants more.
        drop(changes);
        drop(give_back);
        let read = reader.join().map_err(|_| Failure::Panicked)?;
        let compared = comparer.join().map_err(|_| Failure::Panicked)?;
        // If a later stage failed, the earlier ones only stopped because of that.
        written.and(compared).and(read)
    })
}

fn read(
    source: &Source,
    full: &SyncSender<Chunk>,
    empty: &Receiver<Vec<u8>>,
    stopping: &CancellationToken,
) -> Result<(), Failure> {
    for range in source.data() {
        let range = range?;
        let mut offset = range.start;
        while offset < range.end {
            if stopping.is_cancelled() {
                return Err(Failure::Stopped);
            }
            let Ok(mut bytes) = empty.recv() else {
                return Ok(());
            };
            let len = (range.end - offset).min(CHUNK_BYTES);
            bytes.resize(len as usize, 0);
            source.read_at(offset, &mut bytes)?;
            if full.send(Chunk { offset, bytes }).is_err() {
                return Ok(());
            }
            offset += len;
        }
    }
    Ok(())
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

/// Decides cluster by cluster what to write, and notes down what the disk holds.
fn compare(
    filled: &Receiver<Chunk>,
    decided: &SyncSender<Change>,
    map: &mut MapWriter,
    mut parent: Parent,
) -> io::Result<()> {
    for chunk in filled {
        let mut changed: Vec<Range<usize>> = Vec::new();
        let first = chunk.offset / CLUSTER_BYTES;
        for (cluster, (start, bytes)) in (first..).zip(clusters(&chunk.bytes)) {
            // Comparing with zeros is one memcmp, which is fast in every build.
            if bytes == &ZEROS[..bytes.len()] {
                continue;
            }
            while let Some(gone) = parent.gone_before(cluster)? {
                if decided.send(Change::Zero(gone)).is_err() {
                    return Ok(());
                }
            }
            let hash = hash_cluster(bytes);
            map.push(cluster, &hash)?;
            if parent.has(cluster, &hash)? {
                continue;
            }
            let end = start + bytes.len();
            match changed.last_mut() {
                Some(run) if run.end == start => run.end = end,
                _ => changed.push(start..end),
            }
        }
        if decided.send(Change::Write(chunk, changed)).is_err() {
            return Ok(());
        }
    }
    while let Some(gone) = parent.gone_before(u64::MAX)? {
        if decided.send(Change::Zero(gone)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn write(
    image: &ImageWriter,
    disk_bytes: u64,
    changes: &Receiver<Change>,
    give_back: &SyncSender<Vec<u8>>,
    copied: &mut impl FnMut(u64, u64),
) -> Result<(), Failure> {
    // QEMU counts disks in sectors, and so does the image.
    let image_bytes = disk_bytes.next_multiple_of(SECTOR_BYTES);
    let failed = |error| Failure::repository(image.path())(error);
    for change in changes {
        match change {
            Change::Zero(clusters) => {
                let start = clusters.start * CLUSTER_BYTES;
                let end = (clusters.end * CLUSTER_BYTES).min(image_bytes);
                image.zero_at(start, end - start).map_err(failed)?;
            }
            Change::Write(Chunk { offset, bytes }, changed) => {
                let mut stored = 0;
                for run in changed {
                    let at = offset + run.start as u64;
                    // The disk may end within its last cluster.
                    let len = (run.len() as u64).min(image_bytes.saturating_sub(at));
                    let run = &bytes[run.start..run.start + len as usize];
                    image.write_at(at, run).map_err(failed)?;
                    stored += len;
                }
                copied(
                    (bytes.len() as u64).min(disk_bytes.saturating_sub(offset)),
                    stored,
                );
                // Nobody takes it back at the end.
                drop(give_back.try_send(bytes));
            }
        }
    }
    Ok(())
}

/// The clusters of a piece that begins at one, each with its place in it.
fn clusters(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    bytes
        .chunks(ZEROS.len())
        .enumerate()
        .map(|(number, cluster)| (number * ZEROS.len(), cluster))
}
