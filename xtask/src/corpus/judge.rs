//! What is on an image, according to tools that share no code with us: e2fsck and the kernel, ntfs-3g, mtools, qemu-img
//! and util-linux.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sendense_fixtures::carve;
use serde_json::Value;

use super::scratch;
use super::tree::{MAX_HASHED, Tree, walk};
use crate::process::{program, quietly};

/// What an image holds.
#[derive(Debug)]
pub(super) enum Truth {
    /// Files. What is damaged has several views: as it is, and as repaired.
    Files {
        filesystem: String,
        views: Vec<Tree>,
        is_clean: bool,
    },
    /// Something that we do not read, by util-linux's name for it.
    Named(String),
    /// A partition table, with what is in each partition by its number.
    Table {
        kind: String,
        partitions: Vec<(u32, Self)>,
    },
    /// An image format of qemu's.
    Container(String),
    /// The judges know nothing, or do not agree; in words.
    Unknown(String),
}

/// The tools, and where they work.
pub(super) struct Judge {
    folder: PathBuf,
}

impl Judge {
    pub(super) fn new(work: &Path) -> Result<Self> {
        let folder = work.join("judge");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    pub(super) fn judge(&self, image: &Path) -> Result<Truth> {
        let mut about = program("qemu-img");
        about.args(["info", "--output=json"]).arg(image);
        let Ok(about) = quietly(&mut about) else {
            return Ok(Truth::Unknown("qemu-img refuses it".to_owned()));
        };
        let about: Value = serde_json::from_slice(&about)?;
        match about["format"].as_str() {
            // A whole disk in LUKS is a raw image to everybody else.
            Some("raw" | "luks") => self.content(image, true),
            Some(format) => Ok(Truth::Container(format.to_owned())),
            None => Ok(Truth::Unknown("qemu-img names no format".to_owned())),
        }
    }

    /// What is on a raw image, be it a disk or a volume.
    fn content(&self, image: &Path, is_disk: bool) -> Result<Truth> {
        let mut blkid = program("blkid");
        blkid.args(["--probe", "--output", "export"]).arg(image);
        let output = blkid.output().context("cannot start blkid")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let field = |name: &str| {
            let mut fields = said.lines().filter_map(|line| line.split_once('='));
            let found = fields.find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_owned())
        };
        if output.status.code() == Some(8) {
            return Ok(Truth::Unknown("blkid finds several signatures".to_owned()));
        }
        match (field("TYPE"), field("PTTYPE")) {
            // A table counts before what the disk was as a whole, as for the kernel.
            (Some(kind), Some(table)) if is_disk && !matches!(kind.as_str(), "vfat" | "ntfs") => {
                self.table(image, table)
            }
            (Some(kind), _) => self.files(image, kind),
            (None, Some(kind)) if is_disk => self.table(image, kind),
            _ => match self.ext(image) {
                // A superblock that only a repair finds again.
                Ok(truth @ Truth::Files { .. }) => Ok(truth),
                _ => Ok(Truth::Unknown("blkid knows nothing of it".to_owned())),
            },
        }
    }

    fn files(&self, image: &Path, kind: String) -> Result<Truth> {
        let truth = match kind.as_str() {
            "ext2" | "ext3" | "ext4" | "ext4dev" => self.ext(image),
            "vfat" => self.fat(image),
            "ntfs" => self.ntfs(image),
            _ => return Ok(Truth::Named(kind)),
        };
        truth.or_else(|error| {
            let line = error.to_string().replace('\n', " ");
            Ok(Truth::Unknown(format!(
                "{kind}, but its judge says: {line}"
            )))
        })
    }

    /// The kernel's mount of a copy, which e2fsck has repaired where it had to.
    fn ext(&self, image: &Path) -> Result<Truth> {
        let folder = scratch(&self.folder)?;
        let copy = folder.path().join("copy.img");
        quietly(program("cp").arg("--sparse=always").arg(image).arg(&copy))?;
        let check = |how: &str| {
            let mut e2fsck = within("60", "e2fsck");
            let status = e2fsck.args(["-f", how]).arg(&copy).output();
            status.map(|output| output.status.code().unwrap_or(255))
        };
        let is_clean = check("-n")? == 0;
        let mut views = Vec::new();
        // Even a clean one may have a journal to replay, which a check that only reads passes over.
        let mut is_sound = false;
        for _ in 0..2 {
            // 1 and 2: everything was repaired.
            is_sound = is_sound || check("-y")? < 4;
        }
        if is_sound {
            let mut mount = program("mount");
            mount.args(["-o", "loop,ro,errors=continue"]).arg(&copy);
            let mounted = Mounted::by(mount, folder.path());
            views.push(match mounted {
                Ok(mounted) => walk(&mounted.0)?,
                Err(_) => self.debugfs(&copy)?,
            });
        }
        if !is_clean {
            // What a repair takes away or puts elsewhere may still be there.
            views.extend(self.debugfs(image));
        }
        views.retain(|view| !view.is_empty());
        ensure!(!views.is_empty(), "nobody can read or repair it");
        Ok(Truth::Files {
            filesystem: "ext".to_owned(),
            views,
            is_clean,
        })
    }

    /// What debugfs copies out. Sizes are bounded, as damage claims any.
    fn debugfs(&self, image: &Path) -> Result<Tree> {
        let folder = scratch(&self.folder)?;
        // Names of damaged folders can climb, and folders lead back to themselves.
        let target = folder.path().join("a/b/c/d/e/f");
        fs::create_dir_all(&target)?;
        let mut debugfs = within("10", "prlimit");
        debugfs
            .arg(format!("--fsize={MAX_HASHED}"))
            .args(["debugfs", "-R", "rdump / ."])
            .arg(fs::canonicalize(image)?)
            .current_dir(&target);
        quietly(&mut debugfs)?;
        walk(&target)
    }

    fn fat(&self, image: &Path) -> Result<Truth> {
        let folder = scratch(&self.folder)?;
        let target = folder.path().join("files");
        fs::create_dir(&target)?;
        let tool = |name: &str| {
            let mut tool = within("60", name);
            tool.env("TZ", "UTC").env("MTOOLS_SKIP_CHECK", "1");
            tool.env("LC_ALL", "C.UTF-8").arg("-i").arg(image);
            tool
        };
        let names = quietly(tool("mdir").args(["-b", "-a", "::"]))?;
        if !names.is_empty() {
            quietly(tool("mcopy").args(["-s", "-n", "-m", "::*"]).arg(&target))?;
        }
        Ok(Truth::Files {
            filesystem: "FAT".to_owned(),
            views: vec![walk(&target)?],
            is_clean: true,
        })
    }

    fn ntfs(&self, image: &Path) -> Result<Truth> {
        let folder = scratch(&self.folder)?;
        let mut mount = within("60", "ntfs-3g");
        mount.args(["-o", "ro"]).arg(fs::canonicalize(image)?);
        let mounted = Mounted::by(mount, folder.path())?;
        Ok(Truth::Files {
            filesystem: "NTFS".to_owned(),
            views: vec![walk(&mounted.0)?],
            is_clean: true,
        })
    }

    /// What util-linux finds in a table, each partition looked at for itself.
    fn table(&self, image: &Path, kind: String) -> Result<Truth> {
        let mut partx = program("partx");
        partx.args([
            "--show",
            "--raw",
            "--noheadings",
            "--output",
            "NR,START,SECTORS,TYPE",
        ]);
        // An empty table is an error to it.
        let said = quietly(partx.arg(image)).unwrap_or_default();
        let folder = scratch(&self.folder)?;
        let length = fs::metadata(image)?.len();
        let mut partitions = Vec::new();
        for line in String::from_utf8_lossy(&said).lines() {
            let mut words = line.split_whitespace();
            let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
            let (Some(number), Some(start), Some(sectors)) = (number(), number(), number()) else {
                continue;
            };
            if matches!(words.next(), Some("0x5" | "0xf" | "0x85")) {
                continue;
            }
            let (start, bytes) = (start * 512, sectors * 512);
            let truth = if start + bytes > length {
                Truth::Unknown("it ends behind the disk".to_owned())
            } else {
                let carved = folder.path().join(format!("partition-{number}.img"));
                carve(image, start, bytes, &carved)?;
                let truth = self.content(&carved, false)?;
                fs::remove_file(carved)?;
                truth
            };
            partitions.push((u32::try_from(number)?, truth));
        }
        Ok(Truth::Table { kind, partitions })
    }
}

/// A program that is ended when it takes longer.
fn within(seconds: &str, name: &str) -> Command {
    let mut command = program("timeout");
    command.args([seconds, name]);
    command
}

/// A mounted folder; dropping it unmounts.
struct Mounted(PathBuf);

impl Mounted {
    /// Has `mount` mount on a folder inside of that one.
    fn by(mut mount: Command, folder: &Path) -> Result<Self> {
        let place = folder.join("mounted");
        fs::create_dir(&place)?;
        quietly(mount.arg(&place))?;
        Ok(Self(place))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = quietly(program("umount").arg(&self.0));
        // Whoever looks at every new device may hold it for a moment.
        if unmounted.is_err() {
            drop(quietly(program("umount").arg("--lazy").arg(&self.0)));
        }
    }
}

/// Unmounts what a run that was ended left behind.
pub(super) fn unmount_below(folder: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/mounts").context("cannot read /proc/mounts")?;
    for line in mounts.lines() {
        let place = line.split(' ').nth(1).map(Path::new);
        if let Some(place) = place.filter(|place| place.starts_with(folder)) {
            quietly(program("umount").arg(place))?;
        }
    }
    Ok(())
}
