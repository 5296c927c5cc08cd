//! The reader on volumes that `fatfs` formats and that are then changed byte by byte.

use std::io::{Cursor, Write};

use crate::{AllowedRoots, Content, Error, FileSystem, FsKind, FsPath, Image, volumes};

/// A volume that holds these files.
fn volume(kind: fatfs::FatType, files: &[(&str, &[u8])]) -> Vec<u8> {
    // With more clusters `fatfs` makes FAT32 of everything.
    let len = match kind {
        fatfs::FatType::Fat32 => 36 << 20,
        _ => 16 << 20,
    };
    let mut bytes = Cursor::new(vec![0; len]);
    let options = fatfs::FormatVolumeOptions::new().fat_type(kind);
    fatfs::format_volume(&mut bytes, options.bytes_per_cluster(512)).unwrap();
    let filesystem = fatfs::FileSystem::new(&mut bytes, fatfs::FsOptions::new()).unwrap();
    for (name, content) in files {
        let mut file = filesystem.root_dir().create_file(name).unwrap();
        file.write_all(content).unwrap();
    }
    drop(filesystem);
    bytes.into_inner()
}

fn open(bytes: &[u8]) -> FileSystem {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let image = Image::open(file.path(), &AllowedRoots::new([])).unwrap();
    let found = volumes(&image).unwrap().volumes;
    assert_eq!(found[0].content, Content::Readable(FsKind::Fat));
    found[0].open(&image).unwrap()
}

fn read(filesystem: &mut FileSystem, path: &str) -> Result<Vec<u8>, Error> {
    let mut file = filesystem.open(&FsPath::parse(path).unwrap())?;
    let mut content = vec![0; usize::try_from(file.size_bytes()).unwrap()];
    let mut n_read = 0;
    while n_read < content.len() {
        n_read += file.read(filesystem, n_read as u64, &mut content[n_read..])?;
    }
    Ok(content)
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|found| found == from);
    bytes[at.unwrap()..][..to.len()].copy_from_slice(to);
}

#[test]
fn names_that_differ_in_an_oem_letter_are_two_files() {
    let mut bytes = volume(
        fatfs::FatType::Fat16,
        &[("AXA.TXT", b"first"), ("AXB.TXT", b"second")],
    );
    replace(&mut bytes, b"AXA     TXT", b"A\x80A     TXT");
    replace(&mut bytes, b"AXB     TXT", b"A\x81A     TXT");
    let mut filesystem = open(&bytes);
    let listing = filesystem.read_dir(&FsPath::root()).unwrap();
    assert_eq!(listing.entries.len(), 2, "{listing:?}");
    assert_eq!(read(&mut filesystem, "/AÇA.TXT").unwrap(), b"first");
    assert_eq!(read(&mut filesystem, "/AüA.TXT").unwrap(), b"second");
}

#[test]
fn a_boot_sector_without_its_type_and_mark_is_read() {
    let mut bytes = volume(fatfs::FatType::Fat16, &[("A.TXT", b"content")]);
    bytes[54..62].fill(0);
    bytes[510..512].fill(0);
    assert_eq!(read(&mut open(&bytes), "/a.txt").unwrap(), b"content");
}

#[test]
fn a_lost_boot_sector_of_fat32_is_replaced_by_its_backup() {
    let mut bytes = volume(fatfs::FatType::Fat32, &[("A.TXT", b"content")]);
    bytes[..512].fill(0);
    assert_eq!(read(&mut open(&bytes), "/A.TXT").unwrap(), b"content");
}

#[test]
fn a_broken_chain_costs_its_file_and_names_it() {
    let content = vec![7; 200_000];
    let mut bytes = volume(
        fatfs::FatType::Fat16,
        &[("BROKEN.BIN", &content), ("B.TXT", b"sound")],
    );
    let reserved = usize::from(u16::from_le_bytes([bytes[14], bytes[15]]));
    let row = bytes.windows(11).position(|found| found == b"BROKEN  BIN");
    let row = &bytes[row.unwrap()..][..32];
    let first = usize::from(u16::from_le_bytes([row[26], row[27]]));
    // Its first cluster leads to a free one, in the table in use.
    let entry = reserved * 512 + 2 * first;
    bytes[entry..entry + 2].fill(0);
    let mut filesystem = open(&bytes);
    let error = read(&mut filesystem, "/BROKEN.BIN")
        .map(|read| read.len())
        .unwrap_err();
    assert!(error.to_string().contains("/BROKEN.BIN"), "{error}");
    assert_eq!(read(&mut filesystem, "/B.TXT").unwrap(), b"sound");
}
