//! Verifying: whether an image still holds what its cluster map says was backed up.

use std::path::Path;

use sendense_disk::{AllowedRoots, ExtentKind, Image};
use tokio_util::sync::CancellationToken;

use super::{
    image::CLUSTER_BYTES,
    map::{ClusterHash, MapReader, hash_cluster},
};

/// What is read at once.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// What verifying one disk of a backup found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Every cluster is what it was.
    Sound,
    /// It cannot be restored as it was; in words.
    Damaged(String),
    /// There is nothing to compare with; in words. The image itself may be sound.
    Unproven(String),
    /// Verifying was ended before it was through.
    Stopped,
}

/// Reads a disk of a backup through its whole chain and compares it with its map. Blocks. Tells how
/// many bytes of the disk were checked, piece by piece.
pub(super) fn verify(
    image: &Path,
    repository: &Path,
    stopping: &CancellationToken,
    checked: &mut dyn FnMut(u64),
) -> Finding {
    let allowed = AllowedRoots::new([repository.to_path_buf()]);
    let disk = match Image::open(image, &allowed) {
        Ok(disk) => disk,
        Err(error) => return Finding::Damaged(error.to_string()),
    };
    let mut expected = match MapReader::open(image).and_then(Expected::new) {
        Ok(expected) => expected,
        Err(error) => return Finding::Unproven(error.to_string()),
    };
    let mut damage = Damage::default();
    let mut buffer = Vec::new();
    let mut offset = 0;
    while offset < disk.size_bytes() {
        if stopping.is_cancelled() {
            return Finding::Stopped;
        }
        let len = match piece_at(&disk, offset, &mut buffer) {
            Ok(len) => len,
            Err(error) => return Finding::Damaged(format!("at byte {offset}: {error}")),
        };
        if let Err(error) = expected.compare(offset, len, &buffer, &mut damage) {
            return Finding::Unproven(error.to_string());
        }
        checked(len);
        offset += len;
    }
    if let Err(error) = expected.rest(&mut damage) {
        return Finding::Unproven(error.to_string());
    }
    damage.into_finding()
}

/// Reads the piece at a place, which begins at a cluster. Where the image knows zeros without
/// reading, the buffer stays empty and the piece may be long.
fn piece_at(disk: &Image, offset: u64, buffer: &mut Vec<u8>) -> Result<u64, sendense_disk::Error> {
    let left = disk.size_bytes() - offset;
    let extent = disk.extent_at(offset)?;
    buffer.clear();
    if extent.kind == ExtentKind::Zero {
        let whole = extent.len_bytes - extent.len_bytes % CLUSTER_BYTES;
        if extent.len_bytes >= left {
            return Ok(left);
        }
        if whole > 0 {
            return Ok(whole);
        }
    }
    let len = left.min(CHUNK_BYTES);
    buffer.resize(usize::try_from(len).unwrap_or(0), 0);
    disk.read_at(offset, buffer)?;
    Ok(len)
}

/// What the map says, in step with the disk.
struct Expected {
    map: MapReader,
    next: Option<(u64, ClusterHash)>,
}

impl Expected {
    fn new(mut map: MapReader) -> std::io::Result<Self> {
        let next = map.next()?;
        Ok(Self { map, next })
    }

    fn compare(
        &mut self,
        offset: u64,
        len: u64,
        bytes: &[u8],
        damage: &mut Damage,
    ) -> std::io::Result<()> {
        let first = offset / CLUSTER_BYTES;
        let end = (offset + len).div_ceil(CLUSTER_BYTES);
        if bytes.is_empty() {
            // Zeros: nothing may be expected here.
            while let Some((cluster, _)) = self.next.filter(|(cluster, _)| *cluster < end) {
                damage.add(cluster);
                self.next = self.map.next()?;
            }
            return Ok(());
        }
        for (cluster, bytes) in (first..).zip(bytes.chunks(CLUSTER_BYTES as usize)) {
            let is_zero = bytes.iter().all(|byte| *byte == 0);
            match self.next.filter(|(expected, _)| *expected == cluster) {
                Some((_, hash)) => {
                    if is_zero || hash_cluster(bytes) != hash {
                        damage.add(cluster);
                    }
                    self.next = self.map.next()?;
                }
                None if is_zero => {}
                None => damage.add(cluster),
            }
        }
        Ok(())
    }

    /// Clusters that should lie behind the end of the disk.
    fn rest(&mut self, damage: &mut Damage) -> std::io::Result<()> {
        while let Some((cluster, _)) = self.next {
            damage.add(cluster);
            self.next = self.map.next()?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Damage {
    first: Option<u64>,
    n_clusters: u64,
}

impl Damage {
    fn add(&mut self, cluster: u64) {
        self.first.get_or_insert(cluster);
        self.n_clusters += 1;
    }

    fn into_finding(self) -> Finding {
        match self.first {
            None => Finding::Sound,
            Some(first) => Finding::Damaged(format!(
                "{} clusters of 64 KiB differ from what was backed up, the first at byte {}",
                self.n_clusters,
                first * CLUSTER_BYTES
            )),
        }
    }
}
