//! Installs what building and testing need and this machine lacks.
//!
//! Presence is looked up by the program or file itself, not by what a package list says: whoever built
//! a tool from source has it as well. On Debian and Ubuntu the rest is installed by apt, elsewhere named.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{self, find, program, shown};

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
        program: "curl",
        package: "curl",
        purpose: "asking the hub as the handover does",
    },
    Need {
        program: "mkfs.fat",
        package: "dosfstools",
        purpose: "making FAT volumes",
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
        program: "sfdisk",
        package: "fdisk",
        purpose: "making partition tables",
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
        program: "wimcapture",
        package: "wimtools",
        purpose: "filling NTFS volumes",
    },
    Need {
        program: "zstd",
        package: "zstd",
        purpose: "packing the sample VM",
    },
];

/// Makes sure that everything is there, installing what is not.
pub(crate) fn run() -> Result<()> {
    rust_components()?;
    system_packages()
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
            process::cargo()
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
fn system_packages() -> Result<()> {
    let missing: Vec<&Need> = NEEDS
        .iter()
        .filter(|need| find(need.program).is_none())
        .collect();
    if missing.is_empty() {
        println!("set-up: all {} tools are there", NEEDS.len());
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
    apt(&["update"])?;
    let mut install = vec!["install", "--yes", "--no-install-recommends"];
    install.extend(&packages);
    apt(&install)?;
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
        .arg("-qq")
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
        let packages: Vec<&str> = NEEDS.iter().map(|need| need.package).collect();
        assert!(packages.is_sorted(), "{packages:?}");
    }
}
