//! One disk of a recovery point, from its images into one of its own.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use sendense_disk::{AllowedRoots, Image};
use sendense_types::ImageFormat;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    expected::{Differs, Expected},
    format::{
        lay_out,
        stream::{Grains, Stream},
        write_tables,
    },
    journal::{Journal, checkpoints, journal_path, part_path},
    layout::{Identity, Layout},
    occupancy::Occupancy,
    target::is_taken,
};
use crate::{
    failure::Failure,
    files::{self, remove},
    image::{
        CLUSTER_BYTES, SECTOR_BYTES,
        map::{MapReader, hash_cluster},
    },
    source::{
        Source,
        scan::{Piece, scan_from},
    },
};

/// What is read at once of an image that is gone on with.
const PIECE_BYTES: u64 = 1024 * 1024;
/// A compressed image is written in pieces of this size.
const STREAM_BUFFER_BYTES: usize = 1024 * 1024;

/// What is to become of a disk.
pub(crate) struct Order<'o> {
    pub(crate) disk_index: u32,
    /// Its image in the repository, and the folder of that.
    pub(crate) image: &'o Path,
    pub(crate) repository: &'o Path,
    /// The file that it becomes.
    pub(crate) target: &'o Path,
    pub(crate) format: ImageFormat,
}

/// A disk whose image is known down to its last byte, but for its data.
pub(crate) struct Disk {
    pub(crate) disk_index: u32,
    pub(crate) layout: Layout,
    /// What there is to know beside that.
    pub(crate) remarks: Vec<String>,
    pub(crate) target: PathBuf,
    source: Source,
    image: PathBuf,
    /// Whether there is a map to compare with.
    is_proven: bool,
    found: Found,
    journal: Journal,
}

/// What an earlier restore left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Nothing that can be used.
    Nothing,
    /// A part of the image.
    Part,
    /// All of it, under its own name.
    Named,
}

impl Disk {
    /// Finds out what the image will be, and what of it is there.
    ///
    /// # Errors
    /// When the disk cannot be read or does not fit into the format, and when somebody else's file is in the way.
    pub(crate) fn plan(order: &Order<'_>) -> Result<Self, Failure> {
        let disk_index = order.disk_index;
        let allowed = AllowedRoots::new([order.repository.to_path_buf()]);
        let image = Image::open(order.image, &allowed)
            .map_err(|source| Failure::BackupUnreadable { disk_index, source })?;
        let image_bytes = image.size_bytes();
        let source = Source::of_image(image, order.image, disk_index);
        let mut remarks = Vec::new();
        let (disk_bytes, clusters, change_id) = match read_map(order.image) {
            Ok((map, clusters)) => {
                if map.disk_bytes.next_multiple_of(SECTOR_BYTES) != image_bytes {
                    let offset = map.disk_bytes.min(image_bytes);
                    return Err(Failure::BackupDamaged { disk_index, offset });
                }
                (map.disk_bytes, clusters, Some(map.change_id))
            }
            // Better something that may be right than nothing.
            Err(error) => {
                remarks.push(format!(
                    "disk {disk_index} could not be compared with what was backed up: {error}"
                ));
                let clusters =
                    extents(&source).map_err(|failure| unreadable(disk_index, failure))?;
                (image_bytes, clusters, None)
            }
        };
        let file_name = order.target.file_name().unwrap_or_default();
        let identity = |seed| Identity {
            seed,
            file_name: file_name.to_string_lossy().into_owned(),
        };
        let name_of = |seed: Uuid| {
            layout_id(
                order.format,
                disk_bytes,
                change_id.as_deref(),
                &identity(seed),
            )
        };
        let known = Journal::read(order.target)
            .filter(|journal| change_id.is_some() && journal.layout == name_of(journal.seed()));
        let found = find(order.target, known.as_ref())?;
        let is_left = is_taken(&journal_path(order.target));
        let journal = match known {
            Some(journal) if found != Found::Nothing => journal,
            _ => {
                let seed = Uuid::new_v4();
                Journal::new(name_of(seed), seed)
            }
        };
        if found == Found::Nothing && is_left {
            remarks.push(format!(
                "disk {disk_index} was started over: what an earlier restore left there is of something else"
            ));
        }
        let layout = lay_out(order.format, disk_bytes, clusters, identity(journal.seed()))
            .map_err(|too_large| Failure::DiskTooLarge {
                disk_index,
                format: order.format,
                limit_bytes: too_large.limit_bytes,
            })?;
        let mut disk = Self {
            disk_index,
            layout,
            remarks,
            target: order.target.to_path_buf(),
            source,
            image: order.image.to_path_buf(),
            is_proven: change_id.is_some(),
            found,
            journal,
        };
        if disk.found == Found::Part && !disk.layout.has_places() && !disk.journal.is_complete {
            disk.found = Found::Nothing;
            disk.remarks.push(format!(
                "disk {disk_index} was started over: a compressed image cannot be gone on with"
            ));
        }
        Ok(disk)
    }

    /// Bytes of the disk that are there already, as far as the journal says.
    pub(crate) fn resumable_bytes(&self) -> u64 {
        match self.found {
            Found::Nothing => 0,
            Found::Part | Found::Named => self.content_before(self.done_until()),
        }
    }

    /// The bytes of the disk before a place that are written.
    fn content_before(&self, offset: u64) -> u64 {
        self.layout.clusters.rank(offset.div_ceil(CLUSTER_BYTES)) * CLUSTER_BYTES
    }

    fn done_until(&self) -> u64 {
        match self.journal.is_complete {
            true => self.layout.disk_bytes.next_multiple_of(CLUSTER_BYTES),
            false => self.journal.done_until - self.journal.done_until % CLUSTER_BYTES,
        }
    }

    /// Compares what an earlier restore left with the backup; gives how many bytes of the disk can be kept. Tells how
    /// many were compared. Blocks.
    ///
    /// # Errors
    /// When somebody else's file has the name of the image.
    pub(crate) fn check(
        &mut self,
        cancel: &CancellationToken,
        checked: &mut dyn FnMut(u64),
    ) -> Result<u64, Failure> {
        let path = match self.found {
            Found::Nothing => return Ok(0),
            Found::Part => part_path(&self.target),
            Found::Named => self.target.clone(),
        };
        // What is compressed is whole, or not gone on with; it was synced before its journal said so.
        if !self.layout.has_places() {
            checked(self.layout.content_bytes());
            return Ok(self.layout.content_bytes());
        }
        let done_until = self.done_until();
        let differs = self
            .first_difference(&path, done_until, cancel, checked)
            .map_err(|error| match error.kind() {
                io::ErrorKind::Interrupted => Failure::Stopped,
                _ => Failure::target(&path)(error),
            })?;
        let Some(Differs(cluster)) = differs else {
            return Ok(self.content_before(done_until));
        };
        if self.found == Found::Named {
            return Err(Failure::TargetThere { path });
        }
        self.journal.is_complete = false;
        self.journal.done_until = cluster * CLUSTER_BYTES;
        self.remarks.push(format!(
            "disk {} was started over at byte {}: what an earlier restore left there is not what was backed up",
            self.disk_index, self.journal.done_until
        ));
        Ok(self.content_before(self.journal.done_until))
    }

    /// The first cluster before a place that is not in that file as it was backed up.
    fn first_difference(
        &self,
        path: &Path,
        done_until: u64,
        cancel: &CancellationToken,
        checked: &mut dyn FnMut(u64),
    ) -> io::Result<Option<Differs>> {
        let file = File::open(path)?;
        let len_bytes = file.metadata()?.len();
        if self.journal.is_complete && len_bytes != self.layout.file_bytes() {
            return Ok(Some(Differs(0)));
        }
        let mut map = MapReader::open(&self.image)?;
        let mut run = Run::default();
        let mut buffer = Vec::new();
        loop {
            let next = map
                .next()?
                .filter(|(cluster, _)| cluster * CLUSTER_BYTES < done_until);
            let place = next.map(|(cluster, _)| self.layout.place(cluster));
            if place != Some(run.end()) || run.len_bytes() >= PIECE_BYTES {
                if cancel.is_cancelled() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                if let Some(differs) = run.compare(&file, &mut buffer)? {
                    return Ok(Some(differs));
                }
                checked(run.len_bytes());
                run = Run {
                    place: place.unwrap_or_default(),
                    clusters: Vec::new(),
                };
            }
            match next {
                Some(next) => run.clusters.push(next),
                None => return Ok(None),
            }
        }
    }

    /// Writes the image under its temporary name, and waits until it is on the disk. Tells how many bytes of the disk
    /// are there. Blocks.
    ///
    /// # Errors
    /// What is written stays for the next restore, unless the backup itself is damaged.
    pub(crate) fn write(
        &mut self,
        cancel: &CancellationToken,
        written: &mut dyn FnMut(u64),
    ) -> Result<(), Failure> {
        if self.found == Found::Named || (self.found == Found::Part && self.journal.is_complete) {
            written(self.layout.content_bytes());
            return Ok(());
        }
        let part = part_path(&self.target);
        let failed = |error| Failure::target(&part)(error);
        let file = self.open_part(&part).map_err(failed)?;
        match self.layout.has_places() {
            true => self.write_in_place(&file, &part, cancel, written)?,
            false => self.write_stream(&file, &part, cancel, written)?,
        }
        file.sync_all().map_err(failed)?;
        self.journal.is_complete = true;
        self.journal.write(&self.target).map_err(failed)?;
        self.found = Found::Part;
        Ok(())
    }

    /// The journal is there before the part.
    fn open_part(&mut self, part: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true);
        if self.found == Found::Part {
            // Not complete any more, where what is there has turned out to differ.
            self.journal.write(&self.target)?;
            return options.open(part);
        }
        if is_taken(&journal_path(&self.target)) {
            remove(part);
        }
        self.journal.write(&self.target)?;
        options.create_new(true).open(part)
    }

    fn write_in_place(
        &self,
        mut file: &File,
        part: &Path,
        cancel: &CancellationToken,
        written: &mut dyn FnMut(u64),
    ) -> Result<(), Failure> {
        let failed = |error| Failure::target(part)(error);
        let done_until = match self.found {
            Found::Part => self.done_until(),
            Found::Nothing | Found::Named => 0,
        };
        let mut checkpoints = checkpoints(&self.target, self.journal.clone());
        self.read(done_until, cancel, &mut |piece| {
            let mut at = 0;
            let mut len_bytes = 0;
            for (cluster, bytes) in self.runs(piece) {
                let place = self.layout.place(cluster);
                if at != place {
                    file.seek(SeekFrom::Start(place)).map_err(failed)?;
                }
                file.write_all(bytes).map_err(failed)?;
                at = place + bytes.len() as u64;
                len_bytes += bytes.len() as u64;
            }
            let end = piece.offset + piece.bytes.len() as u64;
            checkpoints.written(len_bytes, end).map_err(failed)?;
            written(self.content_before(end));
            Ok(())
        })?;
        write_tables(&self.layout, &mut |offset, bytes| {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(bytes)
        })
        .and_then(|()| file.set_len(self.layout.file_bytes()))
        .and_then(|()| checkpoints.end())
        .map_err(failed)
    }

    fn write_stream(
        &self,
        file: &File,
        part: &Path,
        cancel: &CancellationToken,
        written: &mut dyn FnMut(u64),
    ) -> Result<(), Failure> {
        let failed = |error| Failure::target(part)(error);
        let file = BufWriter::with_capacity(STREAM_BUFFER_BYTES, file);
        let mut stream = Stream::begin(&self.layout, file).map_err(failed)?;
        let mut grains = Grains::new();
        let mut grain = Vec::new();
        self.read(0, cancel, &mut |piece| {
            for (cluster, _) in piece.clusters() {
                grain.clear();
                let bytes = piece.cluster(cluster);
                grains
                    .append(cluster, bytes, &mut grain)
                    .and_then(|()| stream.push(cluster, &grain))
                    .map_err(failed)?;
            }
            written(self.content_before(piece.offset + piece.bytes.len() as u64));
            Ok(())
        })?;
        stream.finish().map(drop).map_err(failed)
    }

    /// Reads the disk from a place on, and passes on what is what was backed up.
    fn read(
        &self,
        done_until: u64,
        cancel: &CancellationToken,
        take: &mut dyn FnMut(&Piece) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let disk_index = self.disk_index;
        let differs = |Differs(cluster)| Failure::BackupDamaged {
            disk_index,
            offset: cluster * CLUSTER_BYTES,
        };
        // The map was sound a moment ago.
        let lost = |error: io::Error| Failure::BackupUnreadable {
            disk_index,
            source: error.into(),
        };
        let map = match self.is_proven {
            true => Some(MapReader::open(&self.image).map_err(lost)?),
            false => None,
        };
        let mut expected = Expected::from(map, done_until / CLUSTER_BYTES).map_err(lost)?;
        let mut outcome = Ok(());
        scan_from(&self.source, done_until, cancel, |piece| {
            expected.check(piece).map_err(lost)?.map_err(differs)?;
            // A failure to write is not one of the source.
            outcome = take(piece);
            match outcome {
                Ok(()) => Ok(()),
                Err(_) => Err(Failure::Stopped),
            }
        })
        .map_err(|failure| match std::mem::replace(&mut outcome, Ok(())) {
            Err(taking) => taking,
            Ok(()) => unreadable(disk_index, failure),
        })?;
        expected.end().map_err(differs)
    }

    /// The clusters of a piece that hold something, those together that lie together in the image as well.
    fn runs<'p>(&self, piece: &'p Piece) -> Vec<(u64, &'p [u8])> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for (cluster, _) in piece.clusters() {
            match runs.last_mut() {
                Some((first, n))
                    if *first + *n == cluster
                        && self.layout.place(*first) + *n * CLUSTER_BYTES
                            == self.layout.place(cluster) =>
                {
                    *n += 1;
                }
                _ => runs.push((cluster, 1)),
            }
        }
        let bytes = |(first, n): (u64, u64)| {
            let start = first * CLUSTER_BYTES;
            let mut end = start + n * CLUSTER_BYTES;
            // Only raw images end where the disk does.
            if self.layout.format == ImageFormat::Raw {
                end = end.min(self.layout.disk_bytes);
            }
            let in_piece = |at: u64| (at - piece.offset) as usize;
            (first, &piece.bytes[in_piece(start)..in_piece(end)])
        };
        runs.into_iter().map(bytes).collect()
    }

    /// Gives the image its name, which nothing may have.
    ///
    /// # Errors
    /// When somebody else has made a file of that name meanwhile.
    pub(crate) fn name(&mut self) -> Result<(), Failure> {
        if self.found == Found::Named {
            return Ok(());
        }
        let part = part_path(&self.target);
        files::rename_new(&part, &self.target).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::TargetThere {
                path: self.target.clone(),
            },
            _ => Failure::target(&self.target)(error),
        })?;
        self.found = Found::Named;
        Ok(())
    }

    /// Removes the journal of an image that has its name.
    pub(crate) fn forget(&self) {
        remove(&journal_path(&self.target));
    }

    /// Removes what is there of the image; one that has its name is whole, and stays.
    pub(crate) fn give_up(&self) {
        if is_taken(&journal_path(&self.target)) {
            remove(&part_path(&self.target));
            self.forget();
        }
    }

    /// Where the disk can be looked into.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }
}

/// Clusters that lie one behind the other in a file.
#[derive(Default)]
struct Run {
    place: u64,
    clusters: Vec<(u64, crate::image::map::ClusterHash)>,
}

impl Run {
    fn len_bytes(&self) -> u64 {
        self.clusters.len() as u64 * CLUSTER_BYTES
    }

    fn end(&self) -> u64 {
        self.place + self.len_bytes()
    }

    /// The first of them that is not in the file as it should be. A raw image may end within the last one.
    fn compare(&self, file: &File, buffer: &mut Vec<u8>) -> io::Result<Option<Differs>> {
        buffer.clear();
        let mut part = file;
        part.seek(SeekFrom::Start(self.place))?;
        part.take(self.len_bytes()).read_to_end(buffer)?;
        buffer.resize(self.len_bytes() as usize, 0);
        let found = buffer.chunks(CLUSTER_BYTES as usize);
        let differing = self
            .clusters
            .iter()
            .zip(found)
            .find(|((_, expected), found)| hash_cluster(found) != *expected);
        Ok(differing.map(|((cluster, _), _)| Differs(*cluster)))
    }
}

/// Whether what is there is ours.
fn find(target: &Path, journal: Option<&Journal>) -> Result<Found, Failure> {
    let part = part_path(target);
    let has_part = is_taken(&part);
    if is_taken(target) {
        return match journal {
            Some(journal) if journal.is_complete && !has_part => Ok(Found::Named),
            _ => Err(Failure::TargetThere {
                path: target.to_path_buf(),
            }),
        };
    }
    if has_part && !is_taken(&journal_path(target)) {
        return Err(Failure::TargetThere { path: part });
    }
    Ok(match journal {
        Some(_) if has_part => Found::Part,
        _ => Found::Nothing,
    })
}

/// The map of an image, read through, and the clusters in it.
fn read_map(image: &Path) -> io::Result<(MapReader, Occupancy)> {
    let mut map = MapReader::open(image)?;
    let mut failed = Ok(());
    let disk_bytes = map.disk_bytes;
    let clusters = std::iter::from_fn(|| match map.next() {
        Ok(next) => next.map(|(cluster, _)| cluster),
        Err(error) => {
            failed = Err(error);
            None
        }
    });
    let occupancy = Occupancy::of_clusters(disk_bytes, clusters);
    failed?;
    Ok((map, occupancy))
}

/// The clusters that an image may hold something in, as far as it tells without being read.
fn extents(source: &Source) -> Result<Occupancy, Failure> {
    let ranges = source.data().collect::<Result<Vec<_>, _>>()?;
    let clusters = ranges
        .into_iter()
        .flat_map(|range| range.start / CLUSTER_BYTES..range.end.div_ceil(CLUSTER_BYTES));
    Ok(Occupancy::of_clusters(source.size_bytes(), clusters))
}

/// A failure to read the backup, as one of this disk.
fn unreadable(disk_index: u32, failure: Failure) -> Failure {
    match failure {
        Failure::Source { source, .. } => Failure::BackupUnreadable { disk_index, source },
        other => other,
    }
}

/// Names an image: two of the same name are the same, byte for byte.
fn layout_id(
    format: ImageFormat,
    disk_bytes: u64,
    change_id: Option<&str>,
    identity: &Identity,
) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [
        format.as_str(),
        &disk_bytes.to_string(),
        change_id.unwrap_or_default(),
        &identity.seed.to_string(),
        &identity.file_name,
    ] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
