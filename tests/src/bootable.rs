//! A disk that boots: a real kernel of the system's packages, a shell, and a line that the machine says.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{skip, target_dir, temp_dir, tool};

/// Where the partition begins, in bytes.
const START: u64 = 1 << 20;
/// Without the folder of the kernel's version; what needs others is tried again.
const MODULES: &[&str] = &[
    "drivers/virtio/virtio.ko",
    "drivers/virtio/virtio_ring.ko",
    "drivers/virtio/virtio_pci_modern_dev.ko",
    "drivers/virtio/virtio_pci_legacy_dev.ko",
    "drivers/virtio/virtio_pci.ko",
    "drivers/block/virtio_blk.ko",
    "fs/nls/nls_cp437.ko",
    "fs/nls/nls_ascii.ko",
    "fs/fat/fat.ko",
    "fs/fat/vfat.ko",
];
/// Says the line on the disk, writes a file beside it, and turns the machine off.
const INIT: &str = "#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc none /proc
$b mount -t devtmpfs none /dev
for round in 1 2 3; do for m in /modules/*; do $b insmod $m 2>/dev/null; done; done
n=0
while [ ! -e /dev/vda1 ] && [ $n -lt 200 ]; do $b sleep 0.1; n=$((n+1)); done
$b mount -t vfat /dev/vda1 /mnt && $b cat /mnt/line.txt && echo 'the machine was here' > /mnt/written.txt
$b umount /mnt
$b sync
$b poweroff -f
";
const LOADER: &str = "DEFAULT l
PROMPT 0
TIMEOUT 1
LABEL l
 KERNEL vmlinuz
 INITRD initrd.gz
 APPEND console=ttyS0 quiet panic=-1 no_timer_check
";

/// Packages whose first dependency is a kernel: Debian's, Ubuntu's.
const KERNELS: [&str; 2] = ["linux-image-cloud-amd64", "linux-image-virtual"];

/// A kernel of the system's packages. It is unpacked, and never installed: nobody wants to boot it otherwise.
pub struct Kernel {
    image: PathBuf,
    /// Its modules, below the folder of its version.
    modules: PathBuf,
}

impl Kernel {
    /// Fetches one and keeps it for the next time. `None`, and on the list of skipped tests, where there is none.
    ///
    /// # Panics
    /// When it cannot be unpacked.
    #[track_caller]
    pub fn of_the_system() -> Option<Self> {
        let folder = target_dir().join("fixtures/kernel");
        let found = Self::in_folder(&folder).or_else(|| {
            fetch(&folder)?;
            Self::in_folder(&folder)
        });
        if found.is_none() {
            skip("apt has no kernel package to unpack");
        }
        found
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let boot = fs::read_dir(folder.join("boot")).ok()?;
        let mut kernels = boot.filter_map(|entry| {
            let image = entry.ok()?.path();
            let version = image
                .file_name()?
                .to_str()?
                .strip_prefix("vmlinuz-")?
                .to_owned();
            let modules = folder.join("lib/modules").join(version).join("kernel");
            Some(Self { image, modules })
        });
        kernels.next()
    }
}

/// Unpacks a kernel and its modules into a folder.
fn fetch(folder: &Path) -> Option<()> {
    let parts = temp_dir();
    let image = KERNELS.iter().find_map(|package| {
        let depends = tool("apt-cache").args(["depends", package]).outcome();
        let text = depends.text();
        let mut names = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "));
        names
            .find(|name| name.starts_with("linux-image-"))
            .map(str::to_owned)
    })?;
    let version = image.trim_start_matches("linux-image-").to_owned();
    let download = |package: &str| {
        let apt = tool("apt-get").current_dir(parts.path());
        apt.args(["-qq", "download", package]).outcome().code == Some(0)
    };
    if !download(&image) {
        return None;
    }
    // Ubuntu has most modules in a package of their own, Debian does not.
    download(&format!("linux-modules-{version}"));
    fs::create_dir_all(folder).expect("a folder can be made");
    for package in fs::read_dir(parts.path()).expect("the folder is there") {
        let package = package.expect("the folder can be read").path();
        tool("dpkg-deb").arg("-x").arg(package).arg(folder).run();
    }
    Some(())
}

/// Makes a disk that boots with a BIOS, says this line on its serial port, writes `written.txt` and turns itself off.
///
/// # Panics
/// When the packages that `cargo xtask test` installs are not there.
pub fn bootable_disk(kernel: &Kernel, disk: &Path, line: &str) {
    let parts = disk.with_extension("parts");
    let root = parts.join("root");
    for folder in ["bin", "modules", "proc", "dev", "mnt"] {
        fs::create_dir_all(root.join(folder)).expect("a folder can be made");
    }
    for (n, module) in MODULES.iter().enumerate() {
        let name = format!("modules/{n:02}.ko");
        fs::copy(kernel.modules.join(module), root.join(name)).expect("the kernel has its modules");
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox is there");
    fs::write(root.join("init"), INIT).expect("a file can be written");
    let initrd = parts.join("initrd.gz");
    tool("sh")
        .args([
            "-c",
            "chmod +x init && find . | busybox cpio -o -H newc | gzip -1 > \"$1\"",
            "sh",
        ])
        .arg(&initrd)
        .current_dir(&root)
        .run();
    let loader = parts.join("syslinux.cfg");
    fs::write(&loader, LOADER).expect("a file can be written");

    let volume = parts.join("fat");
    let empty = |path: &Path, n_bytes| {
        let file = fs::File::create(path);
        file.and_then(|file| file.set_len(n_bytes))
            .expect("a file can be made");
    };
    empty(&volume, 24 << 20);
    tool("mkfs.fat")
        .args(["-F", "16", "-n", "BOOT"])
        .arg(&volume)
        .run();
    let copy = |from: &Path, name: &str| {
        tool("mcopy")
            .arg("-i")
            .arg(&volume)
            .arg(from)
            .arg(format!("::{name}"))
            .run();
    };
    copy(&kernel.image, "vmlinuz");
    copy(&initrd, "initrd.gz");
    copy(&loader, "syslinux.cfg");
    tool("syslinux").arg("-i").arg(&volume).run();

    empty(disk, 26 << 20);
    tool("sfdisk")
        .arg("-q")
        .arg(disk)
        .stdin("start=2048, size=49152, type=6, bootable\n")
        .run();
    for (from, place) in [
        (Path::new("/usr/lib/syslinux/mbr/mbr.bin"), 0),
        (&volume, 1),
    ] {
        tool("dd")
            .args(["bs=1M", "conv=notrunc", "status=none"])
            .arg(format!("seek={place}"))
            .arg(format!("if={}", from.display()))
            .arg(format!("of={}", disk.display()))
            .run();
    }
    set_line(disk, line);
    fs::remove_dir_all(parts).expect("a folder can be removed");
}

/// What the machine says from now on.
pub fn set_line(disk: &Path, line: &str) {
    let text = disk.with_extension("line");
    fs::write(&text, format!("{line}\n")).expect("a file can be written");
    tool("mcopy")
        .args(["-o", "-i"])
        .arg(volume_of(disk))
        .arg(&text)
        .arg("::line.txt")
        .run();
    fs::remove_file(text).expect("a file can be removed");
}

/// What the machine wrote to a raw disk; nothing before it ran.
pub fn written(disk: &Path) -> Option<String> {
    let read = tool("mtype")
        .arg("-i")
        .arg(volume_of(disk))
        .arg("::written.txt")
        .outcome();
    (read.code == Some(0)).then(|| read.text())
}

fn volume_of(disk: &Path) -> String {
    format!("{}@@{START}", disk.display())
}
