//! Filesystems mounted by the system itself: the kernel's drivers, ntfs-3g and other FUSE drivers write the tests'
//! disks, and say what is on them.

use std::path::{Path, PathBuf};

use crate::{skip, tool};

/// Which driver mounts an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// The kernel's own, by a loop device.
    Kernel,
    /// ntfs-3g, by FUSE.
    Ntfs3g,
    /// exfat-fuse, by FUSE.
    ExfatFuse,
    /// fusefat, by FUSE: any FAT, ASCII names only; its times are a month off.
    Fusefat,
}

/// A filesystem in a file, mounted until the value goes.
pub struct Mounted {
    place: PathBuf,
    driver: Driver,
}

impl Mounted {
    /// Mounts an image on a new folder. `None`, and on the list of skipped tests, where this user may not or
    /// the system has no such driver.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[track_caller]
    pub fn new(driver: Driver, image: &Path, place: &Path, options: &str) -> Option<Self> {
        let mounted = Self::try_new(driver, image, place, options);
        mounted.map_err(|why| skip(&why)).ok()
    }

    /// Mounts an image that this driver may refuse, with its reason.
    ///
    /// # Errors
    /// What the driver says.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[track_caller]
    pub fn try_new(
        driver: Driver,
        image: &Path,
        place: &Path,
        options: &str,
    ) -> Result<Self, String> {
        std::fs::create_dir_all(place).expect("the folder can be made");
        let command = match driver {
            Driver::Kernel => tool("mount").arg("-o").arg(format!("loop,{options}")),
            Driver::Ntfs3g => tool("ntfs-3g").args(["-o", options]),
            // It takes no image, but mount makes a device of it.
            Driver::ExfatFuse => tool("mount")
                .args(["-t", "exfat-fuse", "-o"])
                .arg(format!("loop,{options}")),
            Driver::Fusefat => tool("fusefat").args(["-o", options]),
        };
        let outcome = command.args([image, place]).outcome();
        if outcome.code != Some(0) {
            return Err(format!(
                "{driver:?} mounts nothing here: {}",
                outcome.error_text()
            ));
        }
        Ok(Self {
            place: place.to_path_buf(),
            driver,
        })
    }

    /// The mounted root.
    pub fn root(&self) -> &Path {
        &self.place
    }

    /// Unmounts, after which all that was written is in the image.
    ///
    /// # Panics
    /// When it is still in use.
    #[track_caller]
    pub fn unmount(self) {
        tool("umount").arg(&self.place).run();
        if self.driver != Driver::Kernel {
            // The program goes on writing for a moment after the place is free.
            crate::until(
                "the driver ends",
                std::time::Duration::from_secs(30),
                || {
                    let found = tool("pgrep").arg("-f").arg(&self.place).outcome();
                    (found.code != Some(0)).then_some(())
                },
            );
        }
        std::mem::forget(self);
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: what still holds a file there must not make the folder stay.
        drop(tool("umount").arg("-l").arg(&self.place).outcome());
    }
}
