//! One disk from its source into an image: one thread reads, one writes, a few buffers go round.

use std::{
    ops::Range,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use tokio_util::sync::CancellationToken;

use super::{
    failure::Failure,
    image::{CLUSTER_BYTES, ImageWriter, SECTOR_BYTES},
    source::Source,
};

/// What is read at once. Large enough that a system call costs nothing, small enough for caches.
const CHUNK_BYTES: u64 = 1024 * 1024;
/// Buffers that go round: one being read, one being written, the rest even out the two.
const N_BUFFERS: usize = 6;

static ZEROS: [u8; CLUSTER_BYTES as usize] = [0; CLUSTER_BYTES as usize];

/// A piece of a disk on its way.
struct Chunk {
    offset: u64,
    bytes: Vec<u8>,
}

/// Copies everything that is not zero; tells how much was read and stored, chunk by chunk.
pub(super) fn copy(
    source: &Source,
    target: &ImageWriter,
    stopping: &CancellationToken,
    mut copied: impl FnMut(u64, u64),
) -> Result<(), Failure> {
    let (full, filled) = sync_channel::<Chunk>(N_BUFFERS);
    let (give_back, empty) = sync_channel::<Vec<u8>>(N_BUFFERS);
    for _ in 0..N_BUFFERS {
        // The channel holds them all and its other end is right here.
        drop(give_back.try_send(Vec::new()));
    }
    thread::scope(|scope| {
        // The sender moves into the thread, so that the writer sees the end when the reader ends.
        let reader = scope.spawn(move || read(source, &full, &empty, stopping));
        let written = write(
            target,
            source.size_bytes(),
            &filled,
            &give_back,
            &mut copied,
        );
        // A reader that waits for a place or a buffer learns that nobody wants more.
        drop(filled);
        drop(give_back);
        let read = reader.join().map_err(|_| Failure::Panicked)?;
        // If writing failed, the reader only stopped because of that.
        written.and(read)
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

fn write(
    target: &ImageWriter,
    disk_bytes: u64,
    filled: &Receiver<Chunk>,
    give_back: &SyncSender<Vec<u8>>,
    copied: &mut impl FnMut(u64, u64),
) -> Result<(), Failure> {
    // QEMU counts disks in sectors, and so does the image.
    let image_bytes = disk_bytes.next_multiple_of(SECTOR_BYTES);
    for Chunk { offset, bytes } in filled {
        let mut stored = 0;
        for run in runs_with_content(&bytes) {
            let at = offset + run.start as u64;
            // The disk may end within its last cluster.
            let len = (run.len() as u64).min(image_bytes.saturating_sub(at));
            let run = &bytes[run.start..run.start + len as usize];
            target
                .write_at(at, run)
                .map_err(Failure::repository(target.path()))?;
            stored += len;
        }
        copied(
            (bytes.len() as u64).min(disk_bytes.saturating_sub(offset)),
            stored,
        );
        // Nobody takes it back at the end.
        drop(give_back.try_send(bytes));
    }
    Ok(())
}

/// Runs of clusters that are not all zero. `bytes` begins at a cluster.
fn runs_with_content(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut clusters = bytes
        .chunks(ZEROS.len())
        .enumerate()
        .map(|(number, cluster)| {
            let start = number * ZEROS.len();
            // Comparing with zeros is one memcmp, which is fast in every build.
            (
                start..start + cluster.len(),
                cluster != &ZEROS[..cluster.len()],
            )
        })
        .filter(|(_, has_content)| *has_content)
        .map(|(range, _)| range)
        .peekable();
    std::iter::from_fn(move || {
        let mut run = clusters.next()?;
        while let Some(next) = clusters.next_if(|next| next.start == run.end) {
            run.end = next.end;
        }
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_hold_every_cluster_with_content_and_no_other(
            content in proptest::collection::vec(any::<bool>(), 0..20),
            tail in 0_usize..3,
        ) {
            let mut bytes = Vec::new();
            for has_content in &content {
                let at = bytes.len();
                bytes.resize(at + ZEROS.len(), 0);
                if *has_content {
                    bytes[at + ZEROS.len() - 1] = 1;
                }
            }
            // A last cluster that is not whole.
            bytes.resize(bytes.len() + tail * 512, 7);
            let mut covered = vec![false; content.len() + usize::from(tail > 0)];
            let mut last_end = None;
            for run in runs_with_content(&bytes) {
                prop_assert!(last_end.is_none_or(|end| end < run.start), "runs are joined");
                last_end = Some(run.end);
                covered[run.start / ZEROS.len()..run.end.div_ceil(ZEROS.len())].fill(true);
            }
            let mut expected = content;
            if tail > 0 {
                expected.push(true);
            }
            prop_assert_eq!(covered, expected);
        }
    }
}
