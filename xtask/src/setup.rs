//! Installs what building and testing need and this computer lacks.
//!
//! It looks for the program or file itself, not at a package list, so a tool built from source counts as well. On
//! Debian and Ubuntu apt installs the rest; elsewhere it is listed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{self, find, program, shown};
use crate::workspace;

/// One thing the machine must have.
struct Need {
    /// A program in the PATH.
    program: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
    /// What it is for, to be read after "for".
    purpose: &'static str,
}

/// Everything needed beyond Rust. Sorted by package.
const NEEDS: &[Need] = &[
    Need {
        program: "wasm-opt",
        package: "binaryen",
        purpose: "making the window's contents smaller",
    },
    Need {
        program: "mkfs.btrfs",
        package: "btrfs-progs",
        purpose: "making a filesystem that copies files at once",
    },
    Need {
        program: "busybox",
        package: "busybox-static",
        purpose: "making a machine that boots",
    },
    Need {
        program: "curl",
        package: "curl",
        purpose: "asking the hub as the handover does",
    },
    Need {
        program: "dbus-daemon",
        package: "dbus",
        purpose: "a message bus for window tests",
    },
    Need {
        program: "dbus-monitor",
        package: "dbus",
        purpose: "reading notifications in window tests",
    },
    Need {
        program: "debootstrap",
        package: "debootstrap",
        purpose: "installing a whole system in long tests",
    },
    Need {
        program: "mkfs.fat",
        package: "dosfstools",
        purpose: "making FAT volumes",
    },
    Need {
        program: "dunst",
        package: "dunst",
        purpose: "showing notifications in window tests",
    },
    Need {
        program: "debugfs",
        package: "e2fsprogs",
        purpose: "judging ext4 files",
    },
    Need {
        program: "mke2fs",
        package: "e2fsprogs",
        purpose: "making ext4 volumes",
    },
    Need {
        program: "mount.exfat-fuse",
        package: "exfat-fuse",
        purpose: "writing exFAT volumes",
    },
    Need {
        program: "mkfs.exfat",
        package: "exfatprogs",
        purpose: "making exFAT volumes",
    },
    Need {
        program: "sfdisk",
        package: "fdisk",
        purpose: "making partition tables",
    },
    Need {
        program: "fusefat",
        package: "fusefat",
        purpose: "writing and judging FAT volumes that mtools cannot read",
    },
    Need {
        program: "cc",
        package: "gcc",
        purpose: "compiling SQLite and zstd",
    },
    Need {
        program: "git",
        package: "git",
        purpose: "listing the files of the checkout",
    },
    Need {
        program: "gnome-keyring-daemon",
        package: "gnome-keyring",
        purpose: "keeping sign-ins in window tests",
    },
    Need {
        program: "import",
        package: "imagemagick",
        purpose: "taking pictures of the window",
    },
    Need {
        program: "nbdinfo",
        package: "libnbd-bin",
        purpose: "judging disks that are served",
    },
    Need {
        program: "mcopy",
        package: "mtools",
        purpose: "filling FAT volumes",
    },
    Need {
        program: "mkntfs",
        package: "ntfs-3g",
        purpose: "making NTFS volumes",
    },
    Need {
        program: "ntfscat",
        package: "ntfs-3g",
        purpose: "judging NTFS files",
    },
    Need {
        program: "parted",
        package: "parted",
        purpose: "writing partition tables of Apple and BSD",
    },
    Need {
        program: "patch",
        package: "patch",
        purpose: "breaking copies of the product on purpose",
    },
    Need {
        program: "kill",
        package: "procps",
        purpose: "ending hubs as a user would",
    },
    Need {
        program: "qemu-system-x86_64",
        package: "qemu-system-x86",
        purpose: "booting machines from recovery points",
    },
    Need {
        program: "qemu-img",
        package: "qemu-utils",
        purpose: "judging disk images",
    },
    Need {
        program: "strace",
        package: "strace",
        purpose: "watching what is written through to the disk",
    },
    Need {
        program: "syslinux",
        package: "syslinux",
        purpose: "making a disk that boots",
    },
    Need {
        program: "tar",
        package: "tar",
        purpose: "judging tar archives",
    },
    Need {
        program: "unzip",
        package: "unzip",
        purpose: "judging zip archives",
    },
    Need {
        program: "unshare",
        package: "util-linux",
        purpose: "making small full disks",
    },
    Need {
        program: "WebKitWebDriver",
        package: "webkit2gtk-driver",
        purpose: "driving the window in tests",
    },
    Need {
        program: "wimcapture",
        package: "wimtools",
        purpose: "filling NTFS volumes",
    },
    Need {
        program: "xdotool",
        package: "xdotool",
        purpose: "typing into system dialogs in tests",
    },
    Need {
        program: "mkfs.xfs",
        package: "xfsprogs",
        purpose: "making XFS volumes",
    },
    Need {
        program: "Xvfb",
        package: "xvfb",
        purpose: "a display for window tests",
    },
    Need {
        program: "zstd",
        package: "zstd",
        purpose: "packing the sample VM",
    },
];

/// What `cargo xtask bench` needs. Sorted by package.
const BENCH_NEEDS: &[Need] = &[
    Need {
        program: "borg",
        package: "borgbackup",
        purpose: "measuring incremental backups beside it",
    },
    Need {
        program: "mke2fs",
        package: "e2fsprogs",
        purpose: "writing an ext4 volume to read",
    },
    Need {
        program: "cc",
        package: "gcc",
        purpose: "compiling SQLite",
    },
    Need {
        program: "ntfs-3g",
        package: "ntfs-3g",
        purpose: "writing an NTFS volume to read",
    },
    Need {
        program: "pip",
        package: "python3-pip",
        purpose: "fetching dissect, to measure reading beside it",
    },
    Need {
        program: "qemu-img",
        package: "qemu-utils",
        purpose: "measuring full backups and verifying beside it",
    },
    Need {
        program: "restic",
        package: "restic",
        purpose: "measuring incremental backups beside it",
    },
];

/// What `cargo xtask corpus` needs beside what tests need. Sorted by package.
const CORPUS_NEEDS: &[Need] = &[
    Need {
        program: "bzip2",
        package: "bzip2",
        purpose: "unpacking images of disks",
    },
    Need {
        program: "e2fsck",
        package: "e2fsprogs",
        purpose: "repairing copies of ext volumes",
    },
    Need {
        program: "mcopy",
        package: "mtools",
        purpose: "judging FAT volumes",
    },
    Need {
        program: "ntfs-3g",
        package: "ntfs-3g",
        purpose: "judging NTFS volumes",
    },
    Need {
        program: "pip",
        package: "python3-pip",
        purpose: "fetching packages that carry images",
    },
    Need {
        program: "qemu-img",
        package: "qemu-utils",
        purpose: "judging backups and image formats",
    },
    Need {
        program: "blkid",
        package: "util-linux",
        purpose: "naming what is on a disk",
    },
    Need {
        program: "xz",
        package: "xz-utils",
        purpose: "unpacking images of disks",
    },
];

/// What the desktop app is built from and its tests need beside the programs: Debian packages.
const LIBRARIES: &[&str] = &[
    "at-spi2-core",
    "dbus-x11",
    "fonts-dejavu-core",
    "libayatana-appindicator3-dev",
    "libdbus-1-dev",
    "librsvg2-dev",
    "libssl-dev",
    "libwebkit2gtk-4.1-dev",
    "libxdo-dev",
    "pkg-config",
    "syslinux-common",
];

/// Makes sure that everything is there, installing what is not.
pub(crate) fn run() -> Result<()> {
    rust_components()?;
    system_packages(NEEDS)?;
    packages(LIBRARIES)
}

/// Makes sure that the programs are there which we are measured beside.
pub(crate) fn bench() -> Result<()> {
    system_packages(BENCH_NEEDS)
}

/// Makes sure that the programs are there which fetch other projects' disks and judge them.
pub(crate) fn corpus() -> Result<()> {
    system_packages(CORPUS_NEEDS)
}

/// Installs `clippy` and `rustfmt`, which rustup's minimal profile leaves out.
pub(crate) fn rust_components() -> Result<()> {
    for component in ["clippy", "rustfmt"] {
        let installed = || {
            let name = if component == "rustfmt" {
                "fmt"
            } else {
                component
            };
            workspace::cargo()
                .args([name, "--version"])
                .output()
                .is_ok_and(|output| output.status.success())
        };
        if installed() {
            continue;
        }
        println!("installing the Rust component {component}: rustup component add {component}");
        let words = format!("the Rust component {component} is missing and rustup cannot add it");
        process::run(program("rustup").args(["component", "add", component]))
            .context(words.clone())?;
        ensure!(installed(), words);
    }
    Ok(())
}

/// Installs the system packages that are missing.
fn system_packages(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs
        .iter()
        .filter(|need| find(need.program).is_none())
        .collect();
    if missing.is_empty() {
        println!("set-up: all {} tools are there", needs.len());
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    packages.dedup();
    for need in &missing {
        println!(
            "missing: {} (package {}), for {}",
            need.program, need.package, need.purpose
        );
    }
    if find("apt-get").is_none() {
        bail!(
            "this machine has no apt-get; please install by hand: {} (Debian's names)",
            packages.join(", ")
        );
    }
    install(&packages)?;
    for need in missing {
        ensure!(
            find(need.program).is_some(),
            "{} is still missing although apt installed {}",
            need.program,
            need.package
        );
    }
    Ok(())
}

/// Installs Debian packages that are not there yet.
pub(crate) fn packages(names: &[&str]) -> Result<()> {
    if find("dpkg").is_none() {
        println!(
            "please see to it that these are installed (Debian's names): {}",
            names.join(", ")
        );
        return Ok(());
    }
    let is_there = |name: &&str| process::quietly(program("dpkg").args(["--status", name])).is_ok();
    let missing: Vec<&str> = names
        .iter()
        .filter(|name| !is_there(name))
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing: the packages {}", missing.join(", "));
    install(&missing)
}

fn install(packages: &[&str]) -> Result<()> {
    apt(&["update"])?;
    let mut install = vec!["install", "--yes", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)
}

/// Runs apt-get, as root by sudo if we are not.
fn apt(args: &[&str]) -> Result<()> {
    let mut command = if is_root()? {
        program("apt-get")
    } else {
        ensure!(
            find("sudo").is_some(),
            "not root, and there is no sudo; please run as root: apt-get {}",
            args.join(" ")
        );
        let mut sudo = program("sudo");
        // sudo may have to ask for a password, and does not pass our environment on.
        sudo.stdin(std::process::Stdio::inherit());
        sudo.args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        sudo
    };
    command
        // A system that has just started updates itself, and holds the lock for minutes.
        .args(["-qq", "-o", "DPkg::Lock::Timeout=300"])
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive");
    println!("{}", shown(&command));
    process::run(&mut command)
}

/// Whether we are root, from the kernel: std does not know user ids.
fn is_root() -> Result<bool> {
    let path = Path::new("/proc/self/status");
    let status = fs::read_to_string(path).context("cannot read /proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("Uid:"));
    Ok(line.and_then(|line| line.split_whitespace().nth(2)) == Some("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_sorted_so_that_each_is_named_once() {
        for needs in [NEEDS, BENCH_NEEDS, CORPUS_NEEDS] {
            let packages: Vec<&str> = needs.iter().map(|need| need.package).collect();
            assert!(packages.is_sorted(), "{packages:?}");
        }
    }
}
