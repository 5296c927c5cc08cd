//! The disk readers on the sample VM and on images from `qemu-img`, compared with what other programs read there.

mod ext;
mod fat;
mod hostile;
mod ntfs;
mod tables;
mod trees;
mod vmdk;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use sendense_disk::{
    AllowedRoots, Content, EntryKind, Error, ExtentKind, FileSystem, FsKind, FsPath, Image, Volume,
    volumes,
};
use sendense_tests::{debugfs_cat, ntfs_cat, sample_vm, sha256, temp_dir, tool};

fn open(path: &Path) -> Image {
    Image::open(path, &AllowedRoots::new([])).unwrap()
}

fn read(filesystem: &mut FileSystem, path: &str) -> Vec<u8> {
    let mut reader = filesystem.open(&FsPath::parse(path).unwrap()).unwrap();
    let mut content = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n_read = reader
            .read(filesystem, content.len() as u64, &mut buffer)
            .unwrap();
        if n_read == 0 {
            return content;
        }
        content.extend_from_slice(&buffer[..n_read]);
    }
}

fn readable(image: &Image, kind: FsKind) -> Volume {
    let found = volumes(image).unwrap().volumes;
    let volume = found.iter().find(|v| v.content == Content::Readable(kind));
    volume
        .unwrap_or_else(|| panic!("no {kind:?} in {found:?}"))
        .clone()
}

#[test]
fn disk_every_file_that_the_manifest_lists_has_its_bytes() {
    let folder = temp_dir();
    let sample = sample_vm(folder.path());
    let mut n_files = 0;
    for (disk, path) in sample.manifest.disks.iter().zip(&sample.disks) {
        let image = open(path);
        assert_eq!(image.size_bytes(), disk.size_bytes);
        let found = volumes(&image).unwrap().volumes;
        for listed in &disk.volumes {
            let volume = found.iter().find(|v| v.start == listed.start).unwrap();
            assert_eq!(volume.size_bytes, listed.size_bytes);
            let mut filesystem = volume.open(&image).unwrap();
            assert!(
                filesystem
                    .kind()
                    .as_str()
                    .starts_with(&listed.filesystem[..3])
            );
            for file in &listed.files {
                let content = read(&mut filesystem, &file.path);
                assert_eq!(content.len() as u64, file.size_bytes, "{}", file.path);
                assert_eq!(sha256(&content), file.sha256, "{}", file.path);
                n_files += 1;
            }
        }
    }
    assert!(n_files > 10, "the manifest lists files of every volume");
}

#[test]
fn disk_ntfs_and_ext_content_is_what_their_own_tools_read() {
    let folder = temp_dir();
    let sample = sample_vm(folder.path());
    let ntfs_volume = folder.path().join("ntfs.img");
    sample.carve_volume("ntfs", &ntfs_volume);
    let image = open(&sample.disks[0]);
    let mut ntfs = readable(&image, FsKind::Ntfs).open(&image).unwrap();
    let path = "/Recovery/WindowsRE/ReAgent.xml";
    assert_eq!(read(&mut ntfs, path), ntfs_cat(&ntfs_volume, path));
    // Windows does not mind the case of a name.
    assert_eq!(
        read(&mut ntfs, "/recovery/WINDOWSRE/reagent.XML"),
        ntfs_cat(&ntfs_volume, path)
    );

    let ext_volume = folder.path().join("ext4.img");
    sample.carve_volume("ext4", &ext_volume);
    let image = open(&sample.disks[1]);
    let mut ext = readable(&image, FsKind::Ext4).open(&image).unwrap();
    let mut n_files = 0;
    for entry in ext.read_dir(&FsPath::root()).unwrap().entries {
        if entry.kind == EntryKind::File && entry.size_bytes < 1 << 20 {
            let path = format!("/{}", entry.name.to_path_text());
            assert_eq!(
                read(&mut ext, &path),
                debugfs_cat(&ext_volume, &path),
                "{path}"
            );
            n_files += 1;
        }
    }
    let listing = tool("debugfs")
        .args(["-R", "ls -p /"])
        .arg(&ext_volume)
        .run();
    let rows = String::from_utf8(listing.stdout).unwrap();
    let names: Vec<_> = rows
        .lines()
        .filter_map(|row| row.split('/').nth(5))
        .collect();
    for entry in ext.read_dir(&FsPath::root()).unwrap().entries {
        assert!(
            names.contains(&entry.name.display().as_str()),
            "{:?}",
            entry.name
        );
    }
    assert!(
        n_files > 0 || names.len() > 3,
        "the root holds something to compare"
    );
}

#[test]
fn disk_a_folder_of_ten_thousand_entries_lists_them_all_once() {
    let folder = temp_dir();
    let sample = sample_vm(folder.path());
    let image = open(&sample.disks[1]);
    let mut ext = readable(&image, FsKind::Ext4).open(&image).unwrap();
    let mut folders = vec![FsPath::root()];
    let mut largest = 0;
    while let Some(folder) = folders.pop() {
        let entries = ext.read_dir(&folder).unwrap().entries;
        let mut seen = BTreeMap::new();
        for entry in &entries {
            assert!(
                seen.insert(entry.name.clone(), ()).is_none(),
                "{folder}: {:?} twice",
                entry.name
            );
            if entry.kind == EntryKind::Directory {
                folders.push(folder.join(&entry.name));
            }
        }
        largest = largest.max(entries.len());
    }
    assert_eq!(largest, 10_000);
}

fn qemu_img(arguments: &[&str]) {
    tool("qemu-img").args(arguments).run();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A compressed QCOW2 of the sample's first disk, and an overlay over it in another folder.
fn overlay(folder: &Path) -> (PathBuf, PathBuf) {
    let sample = sample_vm(folder);
    let base = folder.join("base.qcow2");
    let images = folder.join("images");
    std::fs::create_dir(&images).unwrap();
    let top = images.join("top.qcow2");
    qemu_img(&[
        "convert",
        "-c",
        "-f",
        "raw",
        "-O",
        "qcow2",
        text(&sample.disks[0]),
        text(&base),
    ]);
    qemu_img(&[
        "create",
        "-q",
        "-f",
        "qcow2",
        "-F",
        "qcow2",
        "-b",
        text(&base),
        text(&top),
    ]);
    (base, top)
}

#[test]
fn disk_compressed_clusters_read_right_through_a_backing_file() {
    let folder = temp_dir();
    let (base, top) = overlay(folder.path());
    let allowed = AllowedRoots::new([folder.path().to_owned()]);
    let image = Image::open(&top, &allowed).unwrap();
    assert_eq!(image.files().len(), 2);
    let sample = sendense_tests::Manifest::load(&sendense_tests::sample_folder()).unwrap();
    let listed = &sample.disks[0].volumes[1].files[0];
    let mut ntfs = readable(&image, FsKind::Ntfs).open(&image).unwrap();
    assert_eq!(sha256(&read(&mut ntfs, &listed.path)), listed.sha256);
    assert!(base.exists());
}

#[test]
fn disk_a_backing_file_outside_the_allowed_folders_is_refused() {
    let folder = temp_dir();
    let (_, top) = overlay(folder.path());
    let allowed = AllowedRoots::new([folder.path().join("images")]);
    let error = Image::open(&top, &allowed).unwrap_err();
    assert!(matches!(error, Error::BackingFileOutside { .. }), "{error}");

    // A link inside an allowed folder does not make its target allowed.
    let linked = folder.path().join("images/base.qcow2");
    std::os::unix::fs::symlink(folder.path().join("base.qcow2"), &linked).unwrap();
    qemu_img(&[
        "rebase",
        "-u",
        "-f",
        "qcow2",
        "-F",
        "qcow2",
        "-b",
        text(&linked),
        text(&top),
    ]);
    let error = Image::open(&top, &allowed).unwrap_err();
    assert!(matches!(error, Error::BackingFileOutside { .. }), "{error}");
}

#[test]
fn disk_an_image_that_builds_on_itself_is_refused() {
    let folder = temp_dir();
    let (_, top) = overlay(folder.path());
    qemu_img(&[
        "rebase",
        "-u",
        "-f",
        "qcow2",
        "-F",
        "qcow2",
        "-b",
        text(&top),
        text(&top),
    ]);
    let allowed = AllowedRoots::new([folder.path().to_owned()]);
    let error = Image::open(&top, &allowed).unwrap_err();
    assert!(error.to_string().contains("builds on itself"), "{error}");
}

/// Every extent of an image, which has to cover it; zeros have to be zeros, and some have to be known.
#[track_caller]
fn assert_zeros_are_zeros(image: &Image, content: &[u8]) {
    let mut offset = 0;
    let mut n_zeros = 0;
    while offset < image.size_bytes() {
        let extent = image.extent_at(offset).unwrap();
        assert_eq!(extent.start, offset);
        let end = offset + extent.len_bytes;
        if extent.kind == ExtentKind::Zero {
            let range = usize::try_from(offset).unwrap()..usize::try_from(end).unwrap();
            let is_empty = content[range].iter().all(|byte| *byte == 0);
            assert!(is_empty, "{offset}..{end} is said to be zeros");
            n_zeros += extent.len_bytes;
        }
        offset = end;
    }
    assert_eq!(offset, image.size_bytes());
    assert!(
        n_zeros > 1 << 20,
        "only {n_zeros} bytes are known to be zeros"
    );
}

#[test]
fn disk_what_is_said_to_be_zeros_is_zeros() {
    let folder = temp_dir();
    let raw = folder.path().join("raw.img");
    // Clusters of data between holes, and data again in the overlay.
    let mut content = vec![0; 8 << 20];
    for cluster in [0, 3, 4, 40, 127] {
        content[cluster << 16..(cluster + 1) << 16].fill(0x11);
    }
    let file = std::fs::File::create(&raw).unwrap();
    for (number, cluster) in content.chunks(1 << 16).enumerate() {
        if cluster[0] != 0 {
            std::os::unix::fs::FileExt::write_all_at(&file, cluster, (number as u64) << 16)
                .unwrap();
        }
    }
    file.set_len(content.len() as u64).unwrap();
    assert_zeros_are_zeros(&open(&raw), &content);

    let allowed = AllowedRoots::new([folder.path().to_owned()]);
    for arguments in [&["-c"][..], &["-o", "cluster_size=4096"], &[]] {
        let base = folder.path().join("base.qcow2");
        let converted = ["convert", "-f", "raw", "-O", "qcow2"];
        let all = [&converted, arguments, &[text(&raw), text(&base)]].concat();
        qemu_img(&all);
        assert_zeros_are_zeros(&open(&base), &content);
        let top = folder.path().join("top.qcow2");
        qemu_img(&[
            "create",
            "-q",
            "-f",
            "qcow2",
            "-F",
            "qcow2",
            "-b",
            text(&base),
            text(&top),
        ]);
        assert_zeros_are_zeros(&Image::open(&top, &allowed).unwrap(), &content);
    }
}
