//! Flat VMDK disks, as QEMU writes them: in one part and in many, holes included.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use sendense_disk::{AllowedRoots, ExtentKind, Image, ImageFormat};
use sendense_tests::{qemu_img_compare, sendense, temp_dir, tool};
use serde_json::Value;

const GIB: u64 = 1 << 30;

/// A disk of that size with a few bytes here and there, converted.
fn vmdk(folder: &Path, subformat: &str, size: u64) -> (PathBuf, PathBuf) {
    let raw = folder.join("content.raw");
    let content = File::create(&raw).unwrap();
    content.set_len(size).unwrap();
    for number in 0..9_u64 {
        let at = size / 9 * number;
        let bytes: Vec<u8> = (0..30_000_u32)
            .map(|n| (n % 251) as u8 ^ number as u8)
            .collect();
        content.write_all_at(&bytes, at).unwrap();
    }
    let disk = folder.join("web.vmdk");
    tool("qemu-img")
        .args(["convert", "-f", "raw", "-O", "vmdk", "-o"])
        .arg(format!("subformat={subformat}"))
        .args([&raw, &disk])
        .run();
    (raw, disk)
}

/// Every byte through our reader, holes passed over.
fn assert_same(raw: &Path, image: &Image) {
    let raw = File::open(raw).unwrap();
    assert_eq!(image.size_bytes(), raw.metadata().unwrap().len());
    let mut at = 0;
    let mut n_read = 0;
    while at < image.size_bytes() {
        let extent = image.extent_at(at).unwrap();
        assert!(extent.len_bytes > 0);
        let len = extent.len_bytes.min(1 << 20);
        let mut expected = vec![0; usize::try_from(len).unwrap()];
        raw.read_exact_at(&mut expected, at).unwrap();
        if extent.kind == ExtentKind::Zero {
            assert!(expected.iter().all(|byte| *byte == 0), "at {at}");
        } else {
            let mut read = vec![1; expected.len()];
            image.read_at(at, &mut read).unwrap();
            assert!(read == expected, "at {at}");
            n_read += len;
        }
        at += len;
    }
    assert!(n_read < 64 << 20, "holes are not read: {n_read}");
}

#[test]
fn disk_a_flat_vmdk_in_one_part_is_read_as_qemu_wrote_it() {
    let folder = temp_dir();
    let (raw, disk) = vmdk(folder.path(), "monolithicFlat", GIB + 512);
    let image = Image::open(&disk, &AllowedRoots::new([folder.path().to_path_buf()])).unwrap();
    assert_eq!(image.format(), ImageFormat::Vmdk);
    assert_eq!(image.files().len(), 2);
    assert_same(&raw, &image);
}

#[test]
fn disk_a_flat_vmdk_in_parts_is_read_across_their_ends() {
    let folder = temp_dir();
    let (raw, disk) = vmdk(folder.path(), "twoGbMaxExtentFlat", 5 * GIB);
    let image = Image::open(&disk, &AllowedRoots::new([folder.path().to_path_buf()])).unwrap();
    assert!(image.files().len() >= 4, "{:?}", image.files());
    // A few bytes on both sides of where the first part ends.
    let end = fs::metadata(&image.files()[1]).unwrap().len();
    for (number, part) in [(1, end - 9), (2, 0)] {
        let file = File::options()
            .write(true)
            .open(&image.files()[number])
            .unwrap();
        file.write_all_at(b"in sight!", part).unwrap();
    }
    let content = File::options().write(true).open(&raw).unwrap();
    content
        .write_all_at(b"in sight!in sight!", end - 9)
        .unwrap();
    let mut across = [0; 18];
    image.read_at(end - 9, &mut across).unwrap();
    assert_eq!(&across, b"in sight!in sight!");
    assert_same(&raw, &image);
}

#[test]
fn disk_sparse_vmdk_images_are_refused_by_name() {
    for subformat in [
        "monolithicSparse",
        "twoGbMaxExtentSparse",
        "streamOptimized",
    ] {
        let folder = temp_dir();
        let (_, disk) = vmdk(folder.path(), subformat, 8 << 20);
        let allowed = AllowedRoots::new([folder.path().to_path_buf()]);
        let error = Image::open(&disk, &allowed).unwrap_err().to_string();
        assert!(
            error.contains("VMDK") && error.contains("qemu-img"),
            "{subformat}: {error}"
        );
    }
}

fn run(folder: &Path, args: &[&str]) -> Value {
    sendense()
        .args(["--data", "data", "--json"])
        .args(args)
        .current_dir(folder)
        .run()
        .json()
}

#[test]
fn disk_a_machine_of_flat_vmdk_disks_is_found_with_its_sizes_and_backed_up() {
    let folder = temp_dir();
    let vm = folder.path().join("vms/web");
    fs::create_dir_all(&vm).unwrap();
    let (raw, _) = vmdk(&vm, "twoGbMaxExtentFlat", 3 * GIB);
    fs::rename(&raw, folder.path().join("content.raw")).unwrap();
    let raw = folder.path().join("content.raw");
    let found = run(folder.path(), &["vm", "discover", "vms"]);
    let text = found.to_string();
    assert!(!text.contains("cannot be read"), "{text}");
    let backup = run(folder.path(), &["backup", "start", "web", "--wait"]);
    let disks = backup["disks"].as_array().unwrap();
    assert_eq!(disks.len(), 1, "the descriptor is the disk: {backup}");
    let image = PathBuf::from(disks[0]["qcow2_path"].as_str().unwrap());
    qemu_img_compare(&raw, "raw", &image, "qcow2");
    // A part that is written to is a change like any other.
    let part = File::options()
        .write(true)
        .open(vm.join("web-f002.vmdk"))
        .unwrap();
    part.write_all_at(b"new", 1 << 20).unwrap();
    let next = run(
        folder.path(),
        &["backup", "start", "web", "--type", "incremental", "--wait"],
    );
    let image = PathBuf::from(next["disks"][0]["qcow2_path"].as_str().unwrap());
    qemu_img_compare(&vm.join("web.vmdk"), "vmdk", &image, "qcow2");
}

#[test]
fn disk_what_a_vmware_snapshot_is_the_difference_to_is_no_disk_of_a_machine() {
    let folder = temp_dir();
    let vm = folder.path().join("vms/web");
    fs::create_dir_all(&vm).unwrap();
    vmdk(&vm, "monolithicFlat", 8 << 20);
    fs::remove_file(vm.join("content.raw")).unwrap();
    fs::write(vm.join("web-000001-delta.vmdk"), [7; 4096]).unwrap();
    fs::write(
        vm.join("web-000001.vmdk"),
        "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=2\ncreateType=\"vmfsSparse\"\n\
         parentFileNameHint=\"web.vmdk\"\nRW 16384 VMFSSPARSE \"web-000001-delta.vmdk\"\n",
    )
    .unwrap();
    fs::write(
        vm.join("web.vmx"),
        "displayName = \"web\"\nscsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"web-000001.vmdk\"\n",
    )
    .unwrap();
    let found = sendense()
        .args(["--data", "data", "--json", "vm", "discover", "vms"])
        .current_dir(folder.path())
        .outcome();
    let text = format!("{found}");
    assert!(text.contains("delete the snapshots"), "{text}");
    assert!(
        !text.contains("web/web.vmdk"),
        "only together with its snapshot: {text}"
    );
}
