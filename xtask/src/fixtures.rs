//! `cargo xtask fixtures`: builds the sample VM `pgtest1` with the systems' own tools, without root, and then the
//! tests' packed disks, which needs root.
//!
//! Disk 0 is like a Windows computer's: a GPT with an EFI system partition (FAT32) and an NTFS volume. Disk 1 is one
//! ext4 filesystem without a partition table. Ids and times are fixed where the tools allow it; mkntfs and wimlib
//! choose some ids themselves, so two builds differ in a few hundred bytes.

mod content;
mod linux;
mod windows;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sendense_fixtures::{
    Manifest, ManifestDisk, ManifestFile, ManifestVolume, sample_folder, sha256_file,
};

use crate::process::{self, program, quietly};
use crate::{setup, workspace};

/// The archives ship with the app and live in the repository, so they stay small.
const MOST_BYTES: u64 = 12 * 1000 * 1000;

/// High, because packing happens once and the archives are copied often.
const ZSTD_LEVEL: i32 = 19;

/// Builds both disks, packs them and writes the manifest.
pub(crate) fn run() -> Result<()> {
    setup::run()?;
    let parent = workspace::target()?;
    let work = tempfile::Builder::new()
        .prefix("building-pgtest1-")
        .tempdir_in(parent)?;
    let folder = sample_folder();
    fs::create_dir_all(&folder)?;

    let mut disks = Vec::new();
    for (name, build) in [
        (
            "disk0.img",
            windows::build as fn(&Path, &Path) -> Result<Vec<ManifestVolume>>,
        ),
        ("disk1.img", linux::build),
    ] {
        println!("building {name}");
        let image = work.path().join(name);
        let volumes = build(work.path(), &image)?;
        let size_bytes = image.metadata()?.len();
        let sha256 = sha256_file(&image)?;
        println!("packing {name}: {size_bytes} bytes");
        pack(&image, &folder.join(format!("{name}.zst")))?;
        disks.push(ManifestDisk {
            file: name.to_owned(),
            size_bytes,
            sha256,
            volumes,
        });
    }
    let manifest = serde_json::to_string_pretty(&Manifest { disks })?;
    fs::write(folder.join("manifest.json"), manifest + "\n")?;

    let mut total = 0;
    for entry in fs::read_dir(&folder)? {
        total += entry?.metadata()?.len();
    }
    println!("{}: {total} bytes", folder.display());
    ensure!(
        total < MOST_BYTES,
        "the sample takes {total} bytes, more than {MOST_BYTES}"
    );
    packed_disks()
}

/// Makes the disks anew that drivers wrote: the tests know how, and where nothing can be mounted they say so.
fn packed_disks() -> Result<()> {
    let folder = workspace::root().join("fixtures/disks");
    println!("packing disks into {}", folder.display());
    process::run(
        workspace::cargo()
            .args(["test", "--workspace", "--test", "it"])
            .args([
                "disks::packed::disks_packed_ones_can_be_made_anew",
                "--",
                "--nocapture",
            ])
            .env("SENDENSE_PACKED_DISKS", folder),
    )
}

/// Packs one image.
fn pack(image: &Path, archive: &Path) -> Result<()> {
    let mut encoder = zstd::Encoder::new(File::create(archive)?, ZSTD_LEVEL)?;
    encoder.include_checksum(true)?;
    io::copy(&mut File::open(image)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    Ok(())
}

/// Creates an image of this size without a block of data.
fn empty_image(path: PathBuf, size_bytes: u64) -> Result<PathBuf> {
    File::create_new(&path)
        .and_then(|file| file.set_len(size_bytes))
        .with_context(|| format!("cannot create {}", path.display()))?;
    Ok(path)
}

/// Copies a volume to its place on a disk, holes staying holes.
fn place(volume: &Path, disk: &Path, start: u64) -> Result<()> {
    let block = 65_536;
    ensure!(
        start.is_multiple_of(block),
        "{start} is not on a block border"
    );
    quietly(
        program("dd")
            .args(["conv=sparse,notrunc", "status=none"])
            .args([
                format!("bs={block}"),
                format!("seek={}", start / block),
                format!("if={}", volume.display()),
                format!("of={}", disk.display()),
            ]),
    )?;
    Ok(())
}

/// Lists files of a tree for the manifest.
fn vouch(tree: &Path, paths: &[&str]) -> Result<Vec<ManifestFile>> {
    let vouch = |path: &&str| {
        let file = tree.join(path);
        Ok(ManifestFile {
            path: format!("/{path}"),
            size_bytes: file
                .metadata()
                .with_context(|| format!("no {path} in the tree"))?
                .len(),
            sha256: sha256_file(&file)?,
        })
    };
    paths.iter().map(vouch).collect()
}
