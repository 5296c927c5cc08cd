//! Verifying: whether an image still contains what its cluster map says was backed up.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use sendense_disk::{AllowedRoots, Flaw, Image, find_flaw};
use tokio_util::sync::CancellationToken;

use crate::{
    failure::Failure,
    image::{
        CLUSTER_BYTES, SECTOR_BYTES,
        map::{ClusterHash, MapReader},
    },
    source::{
        Source,
        scan::{Piece, scan},
    },
    store::backups::Verdict,
};

/// What verifying one disk of a backup found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Every cluster is what it was.
    Sound,
    /// It cannot be restored as it was; in words.
    Damaged(String),
    /// An image is damaged where it does not matter for the disk, which is what was backed up; in words.
    Flawed(String),
    /// There is nothing to compare with; in words. The image itself may be sound.
    Unproven(String),
    /// Verifying was ended before it was through.
    Stopped,
}

impl Finding {
    /// What that says of the disk, and why where it is not sound; `None` when it was not seen to its end.
    pub fn judged(&self) -> Option<(Verdict, Option<&str>)> {
        match self {
            Self::Sound => Some((Verdict::Sound, None)),
            Self::Flawed(why) => Some((Verdict::Flawed, Some(why))),
            Self::Unproven(why) => Some((Verdict::Unproven, Some(why))),
            Self::Damaged(why) => Some((Verdict::Damaged, Some(why))),
            Self::Stopped => None,
        }
    }
}

/// What was found in the disks of a backup, about it as a whole; `None` when that was not seen to its end.
pub(crate) fn verdict<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Option<Verdict> {
    let mut worst = Verdict::Sound;
    for finding in findings {
        let (found, _) = finding.judged()?;
        worst = worst.max(found);
    }
    Some(worst)
}

/// Verifies disks of backups. What was found in an image holds for all that build on it.
pub(crate) struct Verifier<'v> {
    repository: &'v Path,
    stopping: &'v CancellationToken,
    flaws: HashMap<PathBuf, Option<Flaw>>,
}

impl<'v> Verifier<'v> {
    /// For the images of one repository.
    pub(crate) fn new(repository: &'v Path, stopping: &'v CancellationToken) -> Self {
        Self {
            repository,
            stopping,
            flaws: HashMap::new(),
        }
    }

    /// Checks the structure of all images of a chain, reads the disk through them and compares it with its
    /// map. Blocks. Tells how many bytes of the disk were checked, piece by piece.
    pub(crate) fn verify(&mut self, image: &Path, checked: &mut dyn FnMut(u64)) -> Finding {
        self.verify_with_map_of(image, image, checked)
    }

    /// As [`verify`](Self::verify), for an image that has not got its name yet: that of the image whose map it has
    /// to agree with.
    pub(crate) fn verify_with_map_of(
        &mut self,
        image: &Path,
        named: &Path,
        checked: &mut dyn FnMut(u64),
    ) -> Finding {
        let allowed = AllowedRoots::new([self.repository.to_path_buf()]);
        let disk = match Image::open(image, &allowed) {
            Ok(disk) => disk,
            Err(error) => return Finding::Damaged(error.to_string()),
        };
        let flaw = match self.flaw_of_chain(&disk, &allowed) {
            Ok(flaw) => flaw,
            Err(finding) => return finding,
        };
        let also = |words: String| match &flaw {
            None => words,
            Some(flaw) => format!("{words}; {flaw}"),
        };
        let map = match MapReader::open(named) {
            Ok(map) => map,
            Err(error) => return Finding::Unproven(also(error.to_string())),
        };
        // Images count in sectors.
        let disk_bytes = map.disk_bytes.next_multiple_of(SECTOR_BYTES);
        if disk.size_bytes() != disk_bytes {
            return Finding::Damaged(also(format!(
                "the image is of a disk of {} bytes, and {disk_bytes} were backed up",
                disk.size_bytes()
            )));
        }
        match self.compare(&disk, image, map, checked) {
            Finding::Sound => match flaw {
                None => Finding::Sound,
                Some(flaw) => Finding::Flawed(format!("{flaw}; the disk itself is unharmed")),
            },
            Finding::Damaged(why) => Finding::Damaged(also(why)),
            Finding::Unproven(why) => Finding::Unproven(also(why)),
            other => other,
        }
    }

    /// What is wrong with the images of a chain, where the disk may be right all the same.
    fn flaw_of_chain(
        &mut self,
        disk: &Image,
        allowed: &AllowedRoots,
    ) -> Result<Option<String>, Finding> {
        let mut first = None;
        for (number, file) in disk.files().iter().enumerate() {
            if self.stopping.is_cancelled() {
                return Err(Finding::Stopped);
            }
            let backing = disk.files().get(number + 1).map(PathBuf::as_path);
            let flaw = match self.flaws.get(file) {
                Some(known) => known.clone(),
                None => match find_flaw(file, backing, allowed) {
                    Ok(flaw) => self.flaws.entry(file.clone()).or_insert(flaw).clone(),
                    Err(error) => return Err(Finding::Damaged(error.to_string())),
                },
            };
            let Some(Flaw { what, is_refused }) = flaw else {
                continue;
            };
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let words = format!("in {name}: {what}");
            if is_refused {
                return Err(Finding::Damaged(words));
            }
            first.get_or_insert(words);
        }
        Ok(first)
    }

    /// Reads a disk and compares it with its map.
    fn compare(
        &self,
        disk: &Image,
        image: &Path,
        map: MapReader,
        checked: &mut dyn FnMut(u64),
    ) -> Finding {
        let mut expected = match Expected::new(map) {
            Ok(expected) => expected,
            Err(error) => return Finding::Unproven(error.to_string()),
        };
        let mut damage = Damage::default();
        let source = Source::of_image(disk.clone(), image, 0);
        let mut done_until = 0;
        let scanned = scan(&source, self.stopping, |piece| {
            expected
                .compare(piece, &mut damage)
                .map_err(Failure::repository(image))?;
            // The image knows of zeros without reading; they are checked all the same.
            let end = (piece.offset + piece.bytes.len() as u64).min(source.size_bytes());
            checked(end - done_until);
            done_until = end;
            Ok(())
        });
        match scanned {
            Ok(()) => {}
            Err(Failure::Stopped) => return Finding::Stopped,
            Err(Failure::Source { source, .. }) => return Finding::Damaged(source.to_string()),
            // The map, which was sound a moment ago.
            Err(other) => return Finding::Unproven(other.to_string()),
        }
        if let Err(error) = expected.rest(&mut damage) {
            return Finding::Unproven(error.to_string());
        }
        checked(source.size_bytes() - done_until);
        damage.into_finding()
    }
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

    /// Compares a piece. Whatever the map has before it and was not come past is zero on the disk.
    fn compare(&mut self, piece: &Piece, damage: &mut Damage) -> std::io::Result<()> {
        for (cluster, found) in piece.clusters() {
            while let Some((missing, _)) = self.next.filter(|(next, _)| *next < cluster) {
                damage.add(missing);
                self.next = self.map.next()?;
            }
            match self.next.filter(|(next, _)| *next == cluster) {
                Some((_, expected)) => {
                    if expected != *found {
                        damage.add(cluster);
                    }
                    self.next = self.map.next()?;
                }
                None => damage.add(cluster),
            }
        }
        Ok(())
    }

    /// What the map still has and the disk has not.
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
            Some(first) => {
                let place = first * CLUSTER_BYTES;
                Finding::Damaged(match self.n_clusters {
                    1 => format!(
                        "a cluster of 64 KiB differs from what was backed up, at byte {place}"
                    ),
                    n => format!(
                        "{n} clusters of 64 KiB differ from what was backed up, the first at byte {place}"
                    ),
                })
            }
        }
    }
}
