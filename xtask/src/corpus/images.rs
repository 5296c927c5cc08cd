//! Images inside packages: found by their location, unpacked with their holes.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::packages::Package;
use crate::process::{program, quietly};

/// What unpacks a file of that ending.
const PACKERS: &[(&str, &str)] = &[
    ("gz", "gzip"),
    ("bz2", "bzip2"),
    ("xz", "xz"),
    ("zst", "zstd"),
];

/// How images are called, once unpacked.
const ENDINGS: &[&str] = &[
    "bin", "bochs", "cloop", "dmg", "img", "qcow2", "raw", "vhd", "vhdx", "vmdk",
];
/// Those of them by which a disk is known.
const TELLING: &[&str] = &["qcow2", "vhd", "vhdx", "vmdk"];
/// And those that have no ending.
const NAMES: &[&str] = &[
    "image",
    "image0",
    "testfs1",
    "parallels-v1",
    "parallels-v2",
    "parallels-with-bitmap",
];

/// Larger ones are pages of zeros for tests of other things.
const MAX_BYTES: u64 = 4 << 30;
const BLOCK_BYTES: usize = 4096;

/// The last part of a path.
pub(super) fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The package's images, each a file in a folder of its own, as a VM's disk is.
pub(super) fn of(package: &Package, corpus: &Path) -> Result<Vec<PathBuf>> {
    let folder = corpus.join("images").join(package.name);
    let is_unpacked = folder.join("unpacked");
    if !is_unpacked.exists() {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let source = package.fetch(corpus)?;
        println!("{package}: unpacking {}", name(&source));
        let unpacked = super::scratch(corpus)?;
        let tree = if source.is_dir() {
            source
        } else {
            let mut tar = program("tar");
            tar.arg("--extract").arg("--file").arg(&source);
            tar.arg("--directory").arg(unpacked.path());
            quietly(&mut tar)?;
            unpacked.path().to_path_buf()
        };
        let mut files = Vec::new();
        files_below(&tree, &mut files)?;
        for file in files {
            let inside = file.strip_prefix(&tree)?.to_string_lossy().into_owned();
            let inside = format!("/{inside}");
            if package.wanted.iter().any(|part| inside.contains(part)) {
                unpack(package, &file, &inside, &folder)?;
            }
        }
        fs::write(is_unpacked, "")?;
    }
    let mut images = Vec::new();
    files_below(&folder, &mut images)?;
    images.retain(|image| image.parent() != Some(&folder));
    images.sort();
    ensure!(!images.is_empty(), "it carries no image");
    Ok(images)
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files_below(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Unpacks a file if it is an image; called after where it lay, as most are called alike.
fn unpack(package: &Package, file: &Path, inside: &str, folder: &Path) -> Result<()> {
    let (packer, plain) = packing(inside);
    let parts: Vec<&str> = plain.split('/').filter(|part| !part.is_empty()).collect();
    let Some((last, before)) = parts.split_last() else {
        return Ok(());
    };
    let is_named = NAMES.contains(last);
    let ending = last.rsplit_once('.').map(|(_, ending)| ending);
    if !is_named && !ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
        return Ok(());
    }
    let vm = before
        .iter()
        .skip(usize::from(before.len() > 1))
        .chain([last]);
    let vm: Vec<String> = std::iter::once(&package.name)
        .chain(vm)
        .filter(|part| !["tests", "ts", "_data", "data", "blkid", "lib", "image"].contains(*part))
        .map(|part| part.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "-"))
        .collect();
    // What it is called must not say more than a user's file would.
    let is_telling = |ending: &&str| TELLING.contains(ending);
    let ending = ending.filter(is_telling).unwrap_or("img");
    let vm = vm.join("-");
    let target = folder.join(&vm).join(format!("{vm}.{ending}"));
    fs::create_dir_all(folder.join(&vm))?;
    let outcome = match packer {
        None => write_sparse(File::open(file)?, &target),
        Some(packer) => unpack_by(packer, file, &target),
    };
    outcome.with_context(|| format!("{inside} cannot be unpacked"))
}

fn unpack_by(packer: &str, file: &Path, target: &Path) -> Result<()> {
    let mut command = program(packer);
    command.arg("-dc").stdin(File::open(file)?);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let outcome = write_sparse(child.stdout.take().context("its output is piped")?, target);
    let status = child.wait()?;
    outcome?;
    ensure!(status.success(), "{packer} failed: {status}");
    Ok(())
}

/// The program that unpacks a file, and its name without the ending that says so.
fn packing(name: &str) -> (Option<&'static str>, &str) {
    let (plain, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let packer = PACKERS.iter().find(|(known, _)| *known == ending);
    match packer {
        Some((_, packer)) => (Some(packer), plain),
        None => (None, name),
    }
}

/// Zeros become holes: most images are little but zeros.
fn write_sparse(mut source: impl Read, target: &Path) -> Result<()> {
    let mut file = File::create(target)?;
    let mut buffer = vec![0; 256 * BLOCK_BYTES];
    let mut size = 0_u64;
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match source.read(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        if filled == 0 {
            break;
        }
        for block in buffer[..filled].chunks(BLOCK_BYTES) {
            if block.iter().any(|byte| *byte != 0) {
                file.seek(SeekFrom::Start(size))?;
                file.write_all(block)?;
            }
            size += block.len() as u64;
        }
        ensure!(size <= MAX_BYTES, "it is larger than any image of a test");
    }
    Ok(file.set_len(size)?)
}
