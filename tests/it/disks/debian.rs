//! Installed systems: in long runs a complete Debian, by debootstrap from wherever this computer gets its packages.

use std::{path::Path, time::Duration};

use sendense_tests::{Driver, Mounted, long, skip, temp_dir, tool};

use super::{assert_same, linux::formatted, of_folder, of_image};

/// Packages of many files, so that there are some fifty thousand names.
const PACKAGES: &str = "git,vim,python3,gcc,libboost-dev,golang-src";

/// The first source of packages that apt knows: where they are, and of which release.
fn source() -> Option<(String, String)> {
    let listed = tool("apt-get")
        .args(["indextargets", "--format", "$(SITE) $(CODENAME)"])
        .arg("Created-By: Packages")
        .outcome();
    let text = listed.text();
    let (site, release) = text.lines().next()?.split_once(' ')?;
    Some((site.to_owned(), release.to_owned()))
}

/// Fills a mounted filesystem with a part of this system, or in long runs a whole new one; false, and on the list of skipped tests, where that is not to be had.
#[track_caller]
fn install(root: &Path) -> bool {
    if !long() {
        for part in ["/usr/sbin", "/usr/share/zoneinfo", "/usr/share/perl5"] {
            // Not every system has each of them.
            if Path::new(part).is_dir() {
                tool("cp").arg("-a").arg(part).arg(root).run();
            }
        }
        return true;
    }
    let Some((site, release)) = source() else {
        skip("apt knows no source of packages");
        return false;
    };
    let installed = tool("debootstrap")
        .args(["--variant=minbase", &format!("--include={PACKAGES}")])
        .arg(release)
        .arg(root)
        .arg(site)
        .limit(Duration::from_secs(1800))
        .outcome();
    if installed.code != Some(0) {
        skip(&format!("debootstrap cannot install here: {installed}"));
        return false;
    }
    true
}

#[test]
fn disks_every_file_of_an_installed_system_is_what_the_kernel_shows() {
    let (mebibytes, least_names) = if long() { (6000, 45_000) } else { (300, 300) };
    let folders = [temp_dir(), temp_dir()];
    let volumes = ["1024", "4096"].map(|block_bytes| ["-t", "ext4", "-b", block_bytes]);
    let [small, large] = [0, 1].map(|at| formatted(folders[at].path(), mebibytes, &volumes[at]));
    let place = |volume: &Path| volume.with_extension("mounted");
    let Some(first) = Mounted::new(Driver::Kernel, &small, &place(&small), "rw") else {
        return;
    };
    if !install(first.root()) {
        return;
    }
    let Some(second) = Mounted::new(Driver::Kernel, &large, &place(&large), "rw") else {
        return;
    };
    tool("cp")
        .arg("-a")
        .arg(first.root().join("."))
        .arg(second.root())
        .run();
    first.unmount();
    second.unmount();
    for volume in [small, large] {
        let Some(mounted) = Mounted::new(Driver::Kernel, &volume, &place(&volume), "ro") else {
            return;
        };
        let theirs = of_folder(mounted.root());
        mounted.unmount();
        assert!(theirs.len() > least_names, "only {} names", theirs.len());
        assert_same(&of_image(&volume), &theirs);
    }
}
