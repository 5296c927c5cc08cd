//! Lists a folder, walks a tree or reads its files, in the first volume of a disk, and says how long it took.
//!
//! ```text
//! read_disk list|walk|read IMAGE PATH
//! ```
//!
//! Prints the seconds between the opened filesystem and the end of the work, the number of entries seen (or files
//! read), and the sum of their bytes. `cargo xtask bench` measures with it.

#![allow(clippy::print_stdout, reason = "what it found is its output")]

use std::{error::Error, path::Path, time::Instant};

use sendense_disk::{AllowedRoots, EntryKind, FileSystem, FsPath, Image, volumes};

/// How much is read at once, as by the hub.
const CHUNK_BYTES: usize = 256 << 10;

/// Entries, and the bytes that they hold.
#[derive(Default)]
struct Seen {
    n_entries: u64,
    n_bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    List,
    Walk,
    Read,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, image, path] = arguments.as_slice() else {
        return Err("usage: read_disk list|walk|read IMAGE PATH".into());
    };
    let image = Image::open(Path::new(image), &AllowedRoots::new([]))?;
    let layout = volumes(&image)?;
    let volume = layout.volumes.first().ok_or("the disk has no volume")?;
    let mut filesystem = volume.open(&image)?;
    let path = FsPath::parse(path)?;
    let mut seen = Seen::default();
    let started = Instant::now();
    let task = match what.as_str() {
        "list" => Task::List,
        "walk" => Task::Walk,
        "read" => Task::Read,
        other => return Err(format!("list, walk or read, not {other}").into()),
    };
    if filesystem.entry(&path)?.kind == EntryKind::File {
        read(&mut filesystem, &path, &mut seen)?;
    } else {
        look(&mut filesystem, &path, task, &mut seen)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{seconds} {} {}", seen.n_entries, seen.n_bytes);
    Ok(())
}

/// Counts the entries of a folder and of those below it, or reads its files.
fn look(
    filesystem: &mut FileSystem,
    path: &FsPath,
    task: Task,
    seen: &mut Seen,
) -> Result<(), Box<dyn Error>> {
    let listing = filesystem.read_dir(path)?;
    if let Some(damage) = listing.damage.first() {
        return Err(format!("{path}: {damage}").into());
    }
    for entry in listing.entries {
        if entry.is_internal {
            continue;
        }
        let is_file = entry.kind == EntryKind::File;
        if is_file && task == Task::Read {
            read(filesystem, &path.join(&entry.name), seen)?;
            continue;
        }
        seen.n_entries += 1;
        if is_file {
            seen.n_bytes += entry.size_bytes;
        }
        if entry.kind == EntryKind::Directory && task != Task::List {
            look(filesystem, &path.join(&entry.name), task, seen)?;
        }
    }
    Ok(())
}

/// Reads a file from its beginning to its end.
fn read(filesystem: &mut FileSystem, path: &FsPath, seen: &mut Seen) -> Result<(), Box<dyn Error>> {
    let mut file = filesystem.open(path)?;
    let n_bytes = usize::try_from(file.size_bytes())?;
    let mut buffer = vec![0; n_bytes.min(CHUNK_BYTES)];
    seen.n_entries += 1;
    let mut at = 0;
    loop {
        let n_read = file.read(filesystem, at, &mut buffer)?;
        if n_read == 0 {
            seen.n_bytes += at;
            return Ok(());
        }
        at += n_read as u64;
    }
}
