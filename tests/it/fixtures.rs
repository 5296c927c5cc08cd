//! The sample VM is what its manifest says, according to the systems' own tools.

use sendense_tests::{
    Manifest, debugfs_cat, ntfs_cat, sample_folder, sample_vm, sha256, sha256_file, temp_dir, tool,
};

#[test]
fn archives_hold_the_images_of_the_manifest() {
    let folder = temp_dir();
    let sample = sample_vm(folder.path());
    assert_eq!(sample.disks.len(), 2);
    for (disk, image) in sample.manifest.disks.iter().zip(&sample.disks) {
        assert_eq!(
            image.metadata().unwrap().len(),
            disk.size_bytes,
            "{}",
            disk.file
        );
        assert_eq!(sha256_file(image), disk.sha256, "{}", disk.file);
    }
}

#[test]
fn archives_stay_small_enough_to_ship() {
    let files = std::fs::read_dir(sample_folder()).unwrap();
    let total: u64 = files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(total < 12_000_000, "the archives take {total} bytes");
}

#[test]
fn ntfs_tools_read_the_files_of_the_manifest() {
    let folder = temp_dir();
    let sample = sample_vm(folder.path());
    let volume = folder.path().join("ntfs.img");
    sample.carve_volume("ntfs", &volume);
    for file in files_of(&sample.manifest, "ntfs") {
        let content = ntfs_cat(&volume, &file.path);
        assert_eq!(content.len() as u64, file.size_bytes, "{}", file.path);
        assert_eq!(sha256(&content), file.sha256, "{}", file.path);
    }
    let stream = tool("ntfscat")
        .args(["--attribute-name", "Zone.Identifier"])
        .arg(&volume)
        .arg("/Users/Public/Documents/downloaded.txt")
        .run();
    assert_eq!(
        stream.text(),
        "[ZoneTransfer]\r\nZoneId=3\r\n",
        "the alternate stream is there"
    );
}

#[test]
fn debugfs_reads_the_files_of_the_manifest() {
    let folder = temp_dir();
    let sample = sample_vm(folder.path());
    for file in files_of(&sample.manifest, "ext4") {
        // A gigabyte of holes is for sha256sum, not for memory.
        if file.size_bytes > 100_000_000 {
            continue;
        }
        assert_eq!(
            sha256(&debugfs_cat(&sample.disks[1], &file.path)),
            file.sha256,
            "{}",
            file.path
        );
    }
    tool("e2fsck")
        .args(["-f", "-n"])
        .arg(&sample.disks[1])
        .run();
}

#[test]
fn mtools_read_the_files_of_the_manifest() {
    let folder = temp_dir();
    let sample = sample_vm(folder.path());
    let volume = folder.path().join("efi.img");
    sample.carve_volume("vfat", &volume);
    for file in files_of(&sample.manifest, "vfat") {
        let content = tool("mtype")
            .arg("-i")
            .arg(&volume)
            .arg(format!("::{}", file.path))
            .run()
            .stdout;
        assert_eq!(sha256(&content), file.sha256, "{}", file.path);
    }
}

/// The files that the manifest knows on volumes of one kind.
fn files_of<'a>(
    manifest: &'a Manifest,
    filesystem: &'a str,
) -> impl Iterator<Item = &'a sendense_fixtures::ManifestFile> {
    let volumes = manifest.disks.iter().flat_map(|disk| &disk.volumes);
    volumes
        .filter(move |volume| volume.filesystem == filesystem)
        .flat_map(|volume| &volume.files)
}
