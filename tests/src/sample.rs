//! The sample VM, unpacked once per checkout and copied for each test that needs its own.

use std::path::{Path, PathBuf};

use sendense_fixtures::{Manifest, SAMPLE_VM, sample_folder, unpack_sample};

use crate::{carve, target_dir, tool};

/// A copy of the sample VM in a folder of the caller.
pub struct SampleVm {
    /// The folder of the VM; its parent is what `vm discover` is given.
    pub folder: PathBuf,
    /// The disk images in order.
    pub disks: Vec<PathBuf>,
    /// What the sample is known to hold.
    pub manifest: Manifest,
}

/// Puts the sample VM as `pgtest1` into `parent`, sparse, sharing blocks with the unpacked one where the filesystem can.
///
/// # Panics
/// When the archives are missing or damaged, or the disk is full.
#[track_caller]
pub fn sample_vm(parent: &Path) -> SampleVm {
    let unpacked =
        unpack_sample(&target_dir().join("fixtures")).unwrap_or_else(|error| panic!("{error:#}"));
    let manifest = Manifest::load(&sample_folder()).unwrap_or_else(|error| panic!("{error:#}"));
    tool("cp")
        .args(["-R", "--sparse=always", "--reflink=auto"])
        .args([&unpacked, &parent.join(SAMPLE_VM)])
        .run();
    let folder = parent.join(SAMPLE_VM);
    let disks = manifest
        .disks
        .iter()
        .map(|disk| folder.join(&disk.file))
        .collect();
    SampleVm {
        folder,
        disks,
        manifest,
    }
}

impl SampleVm {
    /// Copies the first volume with this filesystem into a file of its own, for judges that know no partitions.
    ///
    /// # Panics
    /// When the sample has no such volume.
    #[track_caller]
    pub fn carve_volume(&self, filesystem: &str, target: &Path) {
        for (disk, image) in self.manifest.disks.iter().zip(&self.disks) {
            if let Some(volume) = disk
                .volumes
                .iter()
                .find(|volume| volume.filesystem == filesystem)
            {
                carve(image, volume.start, volume.size_bytes, target)
                    .unwrap_or_else(|error| panic!("{error:#}"));
                return;
            }
        }
        panic!("the sample has no {filesystem} volume");
    }
}
