//! Reading a whole disk: one thread per core, four at most, reads pieces of it and hashes their clusters while these
//! are still in the core's cache; the caller gets the pieces one by one, in order.
//!
//! One core reads and hashes about as fast as one other writes, so backups keep two cores busy; verifying uses all it
//! is given. A few buffers are reused, whatever the size of the disk.

use std::{
    collections::BTreeMap,
    num::NonZero,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use tokio_util::sync::CancellationToken;

use super::{DataRanges, Source};
use crate::{
    failure::Failure,
    image::{
        CLUSTER_BYTES,
        map::{ClusterHash, hash_cluster},
    },
};

/// What is read at once. Large enough that a system call costs nothing, small enough for caches.
const PIECE_BYTES: u64 = 1024 * 1024;
/// More threads would wait for the disk, or for the one that takes the pieces.
const MOST_THREADS: usize = 4;
/// Beside the one that each thread fills, so many pieces may be done and not yet taken.
const SPARE_PIECES: usize = 4;

static ZEROS: [u8; CLUSTER_BYTES as usize] = [0; CLUSTER_BYTES as usize];

/// A piece of a disk as it was read.
#[derive(Default)]
pub(crate) struct Piece {
    /// Where it begins: at a cluster.
    pub(crate) offset: u64,
    /// What is there; zeros behind the end of the disk.
    pub(crate) bytes: Vec<u8>,
    /// The hash of each of its clusters, `None` for zeros.
    hashes: Vec<Option<ClusterHash>>,
}

/// The pieces that are still to be read, and the buffers for them.
struct Queue<'s> {
    ranges: DataRanges<'s>,
    /// What is left of the last of them.
    range: Range<u64>,
    /// Of the next piece.
    number: u64,
    buffers: Receiver<Piece>,
}

/// Reads all that a source holds and passes it on in order. Blocks.
///
/// # Errors
/// What reading or taking fails with, first in order; [`Failure::Stopped`] when asked to stop.
pub(crate) fn scan(
    source: &Source,
    stopping: &CancellationToken,
    take: impl FnMut(&Piece) -> Result<(), Failure>,
) -> Result<(), Failure> {
    scan_from(source, 0, stopping, take)
}

/// As [`scan`], from a place on, which is where a cluster begins.
///
/// # Errors
/// As [`scan`].
pub(crate) fn scan_from(
    source: &Source,
    offset: u64,
    stopping: &CancellationToken,
    mut take: impl FnMut(&Piece) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let n_threads = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(MOST_THREADS);
    let n_buffers = n_threads + SPARE_PIECES;
    let (give_back, buffers) = sync_channel(n_buffers);
    let (done, pieces) = sync_channel(n_buffers);
    for _ in 0..n_buffers {
        // The channel holds them all and its other end is right here.
        drop(give_back.try_send(Piece::default()));
    }
    let queue = Mutex::new(Queue {
        ranges: source.data_from(offset),
        range: 0..0,
        number: 0,
        buffers,
    });
    thread::scope(|scope| {
        for _ in 0..n_threads {
            let (queue, done) = (&queue, done.clone());
            scope.spawn(move || read(source, queue, &done, stopping));
        }
        // The threads have theirs: when they end, there is nothing more to wait for.
        drop(done);
        // Both ends go when this returns, and who waits for one of them learns that nobody wants more.
        in_order(pieces, give_back, &mut take)
    })
}

/// Passes the pieces on, in the order of their numbers.
fn in_order(
    pieces: Receiver<(u64, Result<Piece, Failure>)>,
    give_back: SyncSender<Piece>,
    take: &mut impl FnMut(&Piece) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (number, piece) in pieces {
        early.insert(number, piece);
        while let Some(piece) = early.remove(&next) {
            let piece = piece?;
            take(&piece)?;
            next += 1;
            // Nobody takes it back at the end.
            drop(give_back.try_send(piece));
        }
    }
    Ok(())
}

/// What one thread does.
fn read(
    source: &Source,
    queue: &Mutex<Queue<'_>>,
    done: &SyncSender<(u64, Result<Piece, Failure>)>,
    stopping: &CancellationToken,
) {
    loop {
        // A panic under this lock is one in the disk's reader, which has none.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some((number, piece)) = next else {
            return;
        };
        let filled = piece.and_then(|mut piece| {
            if stopping.is_cancelled() {
                return Err(Failure::Stopped);
            }
            // The others would wait for ever for a piece that was lost.
            catch_unwind(AssertUnwindSafe(|| piece.fill(source)))
                .unwrap_or(Err(Failure::Panicked))
                .map(|()| piece)
        });
        let is_last = filled.is_err();
        if done.send((number, filled)).is_err() || is_last {
            return;
        }
    }
}

impl Queue<'_> {
    /// The next piece, to be filled; `None` at the end, and when nobody wants more.
    fn next(&mut self) -> Option<(u64, Result<Piece, Failure>)> {
        // First the buffer: so whoever has the lowest number can go on, and the others wait for him.
        let mut piece = self.buffers.recv().ok()?;
        let number = self.number;
        self.number += 1;
        if self.range.is_empty() {
            match self.ranges.next()? {
                Ok(range) => self.range = range,
                Err(failure) => return Some((number, Err(failure))),
            }
        }
        let end = self.range.end.min(self.range.start + PIECE_BYTES);
        piece.offset = self.range.start;
        // It has room already, unless it is new.
        piece.bytes.resize((end - piece.offset) as usize, 0);
        self.range.start = end;
        Some((number, Ok(piece)))
    }
}

impl Piece {
    /// Its clusters that are not zero: number and hash.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = (u64, &ClusterHash)> {
        (self.offset / CLUSTER_BYTES..)
            .zip(&self.hashes)
            .filter_map(|(cluster, hash)| Some((cluster, hash.as_ref()?)))
    }

    /// The bytes of one of its clusters.
    pub(crate) fn cluster(&self, cluster: u64) -> &[u8] {
        let start = (cluster * CLUSTER_BYTES - self.offset) as usize;
        &self.bytes[start..start + ZEROS.len()]
    }

    fn fill(&mut self, source: &Source) -> Result<(), Failure> {
        source.read_at(self.offset, &mut self.bytes)?;
        self.hashes.clear();
        self.hashes
            .extend(self.bytes.chunks(ZEROS.len()).map(|cluster| {
                // Comparing with zeros is one memcmp, which is fast in every build.
                let is_zero = cluster == &ZEROS[..cluster.len()];
                (!is_zero).then(|| hash_cluster(cluster))
            }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write};

    use sendense_disk::{AllowedRoots, Image};

    use super::*;

    /// 40 MiB and a bit, with a cluster of zeros after each that holds something.
    fn striped() -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.raw");
        let mut disk = File::create(&path).unwrap();
        for cluster in 0..640_u32 {
            let byte = if cluster % 2 == 0 { 0 } else { 1 };
            let mut bytes = vec![byte; ZEROS.len()];
            bytes[..4].copy_from_slice(&(cluster * u32::from(byte)).to_le_bytes());
            disk.write_all(&bytes).unwrap();
        }
        disk.write_all(&[7; 1000]).unwrap();
        let image = Image::open(&path, &AllowedRoots::new([])).unwrap();
        let source = Source::of_image(image, &path, 0);
        (folder, source)
    }

    #[test]
    fn pieces_come_in_order_and_know_their_zeros() {
        let (_folder, source) = striped();
        let mut at = 0;
        let mut found = Vec::new();
        scan(&source, &CancellationToken::new(), |piece| {
            assert_eq!(piece.offset, at);
            at += piece.bytes.len() as u64;
            for (cluster, hash) in piece.clusters() {
                let start = (cluster * CLUSTER_BYTES - piece.offset) as usize;
                let bytes = &piece.bytes[start..start + ZEROS.len()];
                assert_eq!(*hash, hash_cluster(bytes));
                found.push(cluster);
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(at, source.size_bytes().next_multiple_of(CLUSTER_BYTES));
        let odd: Vec<u64> = (0..640).filter(|cluster| cluster % 2 == 1).collect();
        assert_eq!(found[..320], odd);
        assert_eq!(found[320..], [640], "the last cluster is cut off");
    }

    #[test]
    fn whoever_takes_no_more_pieces_ends_the_reading() {
        let (_folder, source) = striped();
        let mut n_taken = 0;
        let outcome = scan(&source, &CancellationToken::new(), |_| {
            n_taken += 1;
            match n_taken {
                3 => Err(Failure::RepositoryFull),
                _ => Ok(()),
            }
        });
        assert!(matches!(outcome, Err(Failure::RepositoryFull)));
        assert_eq!(n_taken, 3);
    }

    #[test]
    fn reading_ends_when_asked_to() {
        let (_folder, source) = striped();
        let stopping = CancellationToken::new();
        let outcome = scan(&source, &stopping, |_| {
            stopping.cancel();
            Ok(())
        });
        assert!(matches!(outcome, Err(Failure::Stopped)), "{outcome:?}");
    }
}
