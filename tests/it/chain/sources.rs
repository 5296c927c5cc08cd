//! All kinds of disks that can be backed up, and what happens to them between two backups: made, changed and read by
//! QEMU's tools.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sendense_tests::tool;

use super::{Random, random_size, scribble};

/// Of QCOW2; compressed clusters are written as a whole.
const LARGEST_CLUSTER: u64 = 2 << 20;

/// The only disk of a VM.
pub(super) struct Source {
    kind: Kind,
    path: PathBuf,
    size: u64,
    n_snapshots: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Raw,
    /// Perhaps with compressed clusters and internal snapshots.
    Qcow2,
    /// QCOW2 that builds on another.
    Overlay,
    FlatVmdk,
}

impl Kind {
    fn format(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 | Self::Overlay => "qcow2",
            Self::FlatVmdk => "vmdk",
        }
    }
}

impl Source {
    /// A disk of random kind, size and content in `vms/vm` of a folder.
    pub(super) fn random(folder: &Path, random: &mut Random) -> Self {
        let vm = folder.join("vms/vm");
        fs::create_dir_all(&vm).unwrap();
        let kinds = [Kind::Raw, Kind::Qcow2, Kind::Overlay, Kind::FlatVmdk];
        let kind = kinds[usize::try_from(random.below(4)).unwrap()];
        let size = random_size(random);
        let scratch = folder.join("scratch.raw");
        let content = File::create(&scratch).unwrap();
        content.set_len(size).unwrap();
        scribble(&content, random);
        let path = vm.join(format!("disk.{}", kind.format()));
        match kind {
            Kind::Raw => fs::rename(&scratch, &path).unwrap(),
            Kind::FlatVmdk => to_flat_vmdk(&scratch, &path),
            Kind::Qcow2 => to_qcow2(&scratch, &path, random),
            Kind::Overlay => {
                to_qcow2(&scratch, &vm.join("base.qcow2"), random);
                tool("qemu-img")
                    .args(["create", "-q", "-f", "qcow2", "-F", "qcow2"])
                    .args(["-b", "base.qcow2"])
                    .arg(&path)
                    .run();
            }
        }
        let mut source = Self {
            kind,
            path,
            size,
            n_snapshots: 0,
        };
        source.change(random);
        source
    }

    /// What it is, for messages.
    pub(super) fn name(&self) -> String {
        format!("{:?} of {} bytes", self.kind, self.size)
    }

    /// Some writes, and now and then a snapshot.
    pub(super) fn change(&mut self, random: &mut Random) {
        if self.kind == Kind::Raw {
            scribble(
                &File::options().write(true).open(&self.path).unwrap(),
                random,
            );
            return;
        }
        let io = || tool("qemu-io").args(["-f", self.kind.format()]);
        let mut commands = io();
        for _ in 0..random.below(8) {
            commands = commands.args(["-c", &self.write(random)]);
        }
        commands.arg(&self.path).run();
        if self.kind != Kind::FlatVmdk && self.size > LARGEST_CLUSTER {
            let at = random.below(self.size / LARGEST_CLUSTER) * LARGEST_CLUSTER;
            let compress = format!("write -q -c -P 3 {at} {LARGEST_CLUSTER}");
            // QEMU compresses only what was never written, and says so.
            drop(io().args(["-c", &compress]).arg(&self.path).outcome());
        }
        if self.kind != Kind::FlatVmdk && random.below(3) == 0 {
            self.n_snapshots += 1;
            tool("qemu-img")
                .args(["snapshot", "-c", &format!("s{}", self.n_snapshots)])
                .arg(&self.path)
                .run();
        }
    }

    /// One command of qemu-io, which counts in sectors.
    fn write(&self, random: &mut Random) -> String {
        let longest = if random.below(4) == 0 { 2048 } else { 10 };
        let at = random.below(self.size / 512) * 512;
        let len = ((1 + random.below(longest)) * 512).min(self.size - at);
        let byte = random.below(256);
        match random.below(if self.kind == Kind::FlatVmdk { 3 } else { 4 }) {
            0 | 1 => format!("write -q -P {byte} {at} {len}"),
            2 => format!("write -q -z {at} {len}"),
            _ => format!("discard -q {at} {len}"),
        }
    }

    /// Another size: smaller too, where QEMU does that.
    pub(super) fn resize(&mut self, folder: &Path, random: &mut Random) {
        let size = random_size(random);
        match self.kind {
            Kind::Raw => {
                let disk = File::options().write(true).open(&self.path).unwrap();
                disk.set_len(size).unwrap();
                self.size = size;
            }
            Kind::Qcow2 | Kind::Overlay => {
                // Snapshots hold on to what would be cut off.
                self.size = if self.n_snapshots > 0 {
                    self.size.max(size)
                } else {
                    size
                };
                tool("qemu-img")
                    .args(["resize", "-q", "--shrink", "-f", "qcow2"])
                    .arg(&self.path)
                    .arg(self.size.to_string())
                    .run();
            }
            Kind::FlatVmdk => {
                let scratch = folder.join("resized.raw");
                self.keep(&scratch);
                File::options()
                    .write(true)
                    .open(&scratch)
                    .unwrap()
                    .set_len(size)
                    .unwrap();
                to_flat_vmdk(&scratch, &self.path);
                self.size = size;
            }
        }
    }

    /// Writes what it holds now into a raw file, as qemu-img reads it.
    pub(super) fn keep(&self, target: &Path) {
        tool("qemu-img")
            .args(["convert", "-f", self.kind.format(), "-O", "raw"])
            .args([&self.path, target])
            .run();
    }
}

fn to_qcow2(scratch: &Path, path: &Path, random: &mut Random) {
    let cluster = ["4k", "64k", "2M"][usize::try_from(random.below(3)).unwrap()];
    let mut convert = tool("qemu-img").args(["convert", "-f", "raw", "-O", "qcow2"]);
    if random.below(2) == 0 {
        convert = convert.arg("-c");
    }
    convert
        .args(["-o", &format!("cluster_size={cluster}")])
        .args([scratch, path])
        .run();
}

fn to_flat_vmdk(scratch: &Path, path: &Path) {
    tool("qemu-img")
        .args(["convert", "-f", "raw", "-O", "vmdk"])
        .args(["-o", "subformat=monolithicFlat"])
        .args([scratch, path])
        .run();
}
