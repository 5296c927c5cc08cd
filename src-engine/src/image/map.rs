//! The cluster map: what a disk held when it was backed up, as one hash for each cluster.
//!
//! The next backup compares with it and writes only what differs, without reading the image again.
//! Clusters of zeros are not in it, so it takes room for what is written, not for the size of the
//! disk, and both writing and comparing go through it once, in order, in little memory.
//!
//! ```text
//! "SENDMAP1"            8 bytes
//! cluster size          u64, bytes; all numbers are little-endian
//! disk size             u64, bytes
//! runs:
//!   first cluster       u64
//!   number of clusters  u64, at least 1
//!   hashes              32 bytes each: BLAKE3 of the cluster, filled up with zeros behind the disk's end
//! end                   u64, all ones
//! checksum              32 bytes: BLAKE3 of everything before
//! ```

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use super::CLUSTER_BYTES;
use crate::files::{partial_name, remove};

const MAGIC: &[u8; 8] = b"SENDMAP1";
const END: u64 = u64::MAX;
const HASH_BYTES: usize = blake3::OUT_LEN;
/// So many hashes are written as one run at most: 128 KiB of memory.
const LONGEST_RUN: u64 = 4096;

/// The hash of one cluster.
pub(crate) type ClusterHash = [u8; HASH_BYTES];

/// A map that is being written; dropped before [`publish`](FinishedMap::publish), it removes its file.
pub(crate) struct MapWriter {
    file: BufWriter<File>,
    checksum: blake3::Hasher,
    run_start: u64,
    run: Vec<u8>,
    paths: Paths,
}

/// A complete map under its temporary name.
pub(crate) struct FinishedMap {
    paths: Paths,
    /// The checksum, which names the map: the change id of the disk.
    pub(crate) change_id: String,
}

/// The temporary and the final name; the former goes unless it became the latter.
struct Paths {
    partial: PathBuf,
    target: PathBuf,
    is_published: bool,
}

/// A map that is read from its first cluster to its last.
pub(crate) struct MapReader {
    /// Size of the disk in bytes, which need not be a multiple of anything.
    pub(crate) disk_bytes: u64,
    /// The checksum, which names the map: the change id of the disk.
    pub(crate) change_id: String,
    file: BufReader<File>,
    cluster: u64,
    left_in_run: u64,
}

/// Where the map of an image lies.
pub(crate) fn map_path(image: &Path) -> PathBuf {
    image.with_extension("map")
}

/// The hash of a cluster. The last one of a disk may be shorter.
pub(crate) fn hash_cluster(bytes: &[u8]) -> ClusterHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(bytes);
    let missing = CLUSTER_BYTES as usize - bytes.len().min(CLUSTER_BYTES as usize);
    if missing > 0 {
        hasher.update(&vec![0; missing]);
    }
    hasher.finalize().into()
}

impl MapWriter {
    /// Begins the map of a disk of that size.
    pub(crate) fn create(image: &Path, disk_bytes: u64) -> io::Result<Self> {
        let target = map_path(image);
        let partial = partial_name(&target);
        let file = File::create_new(&partial)?;
        let mut map = Self {
            file: BufWriter::new(file),
            checksum: blake3::Hasher::new(),
            run_start: 0,
            run: Vec::new(),
            paths: Paths {
                partial,
                target,
                is_published: false,
            },
        };
        map.put(MAGIC)?;
        map.put(&CLUSTER_BYTES.to_le_bytes())?;
        map.put(&disk_bytes.to_le_bytes())?;
        Ok(map)
    }

    /// Adds a cluster, which lies behind all that were added before.
    pub(crate) fn push(&mut self, cluster: u64, hash: &ClusterHash) -> io::Result<()> {
        let n_in_run = (self.run.len() / HASH_BYTES) as u64;
        if n_in_run > 0 && (cluster != self.run_start + n_in_run || n_in_run == LONGEST_RUN) {
            self.end_run()?;
        }
        if self.run.is_empty() {
            self.run_start = cluster;
        }
        self.run.extend_from_slice(hash);
        Ok(())
    }

    /// Completes the map and waits until it is on the disk.
    pub(crate) fn finish(mut self) -> io::Result<FinishedMap> {
        self.end_run()?;
        self.put(&END.to_le_bytes())?;
        let checksum = self.checksum.finalize();
        self.file.write_all(checksum.as_bytes())?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(FinishedMap {
            paths: self.paths,
            change_id: checksum.to_hex().to_string(),
        })
    }

    fn end_run(&mut self) -> io::Result<()> {
        if self.run.is_empty() {
            return Ok(());
        }
        let run = std::mem::take(&mut self.run);
        self.put(&self.run_start.to_le_bytes())?;
        self.put(&((run.len() / HASH_BYTES) as u64).to_le_bytes())?;
        self.put(&run)?;
        // Its memory serves the next run.
        self.run = run;
        self.run.clear();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.update(bytes);
        self.file.write_all(bytes)
    }
}

impl FinishedMap {
    /// Gives the map its name.
    pub(crate) fn publish(mut self) -> io::Result<()> {
        fs::rename(&self.paths.partial, &self.paths.target)?;
        self.paths.is_published = true;
        Ok(())
    }
}

impl Drop for Paths {
    fn drop(&mut self) {
        if !self.is_published {
            remove(&self.partial);
        }
    }
}

impl MapReader {
    /// Opens a map, reading it through once: one that is damaged is worse than none.
    ///
    /// # Errors
    /// `InvalidData` where it is no map, is damaged, or counts in other clusters.
    pub(crate) fn open(image: &Path) -> io::Result<Self> {
        let path = map_path(image);
        let change_id = verify_checksum(&path)?.to_hex().to_string();
        let mut file = BufReader::new(File::open(&path)?);
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        let cluster_bytes = read_u64(&mut file)?;
        let disk_bytes = read_u64(&mut file)?;
        if magic != *MAGIC || cluster_bytes != CLUSTER_BYTES {
            return Err(damaged("it is of another format"));
        }
        Ok(Self {
            disk_bytes,
            change_id,
            file,
            cluster: 0,
            left_in_run: 0,
        })
    }

    /// The next cluster that is not zero; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, ClusterHash)>> {
        if self.left_in_run == 0 {
            let first = read_u64(&mut self.file)?;
            if first == END {
                // Asked once more, it is still the end.
                self.file.seek_relative(-8)?;
                return Ok(None);
            }
            self.cluster = first;
            self.left_in_run = read_u64(&mut self.file)?;
            if self.left_in_run == 0 {
                return Err(damaged("it has an empty run"));
            }
        }
        let mut hash = [0; HASH_BYTES];
        self.file.read_exact(&mut hash)?;
        let cluster = self.cluster;
        self.cluster += 1;
        self.left_in_run -= 1;
        Ok(Some((cluster, hash)))
    }
}

fn verify_checksum(path: &Path) -> io::Result<blake3::Hash> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let Some(covered) = length.checked_sub(HASH_BYTES as u64) else {
        return Err(damaged("it is cut off"));
    };
    let mut checksum = blake3::Hasher::new();
    checksum.update_reader((&mut file).take(covered))?;
    let mut expected = [0; HASH_BYTES];
    file.read_exact(&mut expected)?;
    let checksum = checksum.finalize();
    if checksum != expected {
        return Err(damaged("its checksum differs"));
    }
    Ok(checksum)
}

fn read_u64(file: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the cluster map cannot be used: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(image: &Path, clusters: &[u64]) -> String {
        let mut map = MapWriter::create(image, 1 << 40).unwrap();
        for cluster in clusters {
            map.push(*cluster, &hash_cluster(&cluster.to_le_bytes()))
                .unwrap();
        }
        let finished = map.finish().unwrap();
        let change_id = finished.change_id.clone();
        finished.publish().unwrap();
        change_id
    }

    fn read(image: &Path) -> io::Result<Vec<(u64, ClusterHash)>> {
        let mut map = MapReader::open(image)?;
        let mut clusters = Vec::new();
        while let Some(cluster) = map.next()? {
            clusters.push(cluster);
        }
        assert_eq!(map.next()?, None);
        Ok(clusters)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_written_is_read(mut clusters in proptest::collection::vec(0_u64..20_000, 0..200), dense in 0_u64..10_000) {
            let folder = tempfile::tempdir().unwrap();
            let image = folder.path().join("disk.qcow2");
            // Longer than a run may be.
            clusters.extend(30_000..30_000 + dense);
            clusters.sort_unstable();
            clusters.dedup();
            write(&image, &clusters);
            let expected: Vec<_> = clusters.iter().map(|cluster| (*cluster, hash_cluster(&cluster.to_le_bytes()))).collect();
            prop_assert_eq!(read(&image).unwrap(), expected);
        }
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("disk.qcow2");
        write(&image, &[1, 2, 3, 7]);
        let path = map_path(&image);
        let sound = fs::read(&path).unwrap();
        for position in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[position] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            assert!(read(&image).is_err(), "byte {position}");
            fs::write(&path, &sound[..position]).unwrap();
            assert!(read(&image).is_err(), "cut at {position}");
        }
    }

    #[test]
    fn equal_disks_have_equal_change_ids() {
        let folder = tempfile::tempdir().unwrap();
        let ids = ["a", "b", "c"].map(|name| {
            let image = folder.path().join(format!("{name}.qcow2"));
            write(&image, if name == "c" { &[1, 2] } else { &[1, 3] })
        });
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
    }

    #[test]
    fn an_abandoned_map_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("disk.qcow2");
        drop(MapWriter::create(&image, 1).unwrap());
        drop(MapWriter::create(&image, 1).unwrap().finish().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
