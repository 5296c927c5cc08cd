//! One byte flipped in each region of a backup's files: verifying finds it, and names exactly the recovery points it
//! breaks, as qemu-img sees them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sendense_disk::{AllowedRoots, Image};
use sendense_tests::{long, seed, temp_dir, tool};
use serde_json::{Value, json};

use super::{Bench, Random};

const CLUSTER: usize = 64 << 10;

/// Where to flip a byte; the file of the image or its map, and the bits.
struct Region {
    name: &'static str,
    file: Part,
    place: fn(&Layout) -> Option<usize>,
    bits: u8,
}

/// The files of one disk of a backup. Whatever else comes to lie beside them gets its rows below.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Image,
    Map,
    Manifest,
}

/// Where things are in an image, read from its bytes.
struct Layout {
    bytes: Vec<u8>,
    l1: usize,
    l2: usize,
    mapped: usize,
    unmapped: usize,
    counts: usize,
}

impl Layout {
    fn of(image: &Path) -> Self {
        let bytes = fs::read(image).unwrap();
        let number = |at: usize| {
            let number = u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
            usize::try_from(number & 0x00ff_ffff_ffff_fe00).unwrap()
        };
        let l1 = number(40);
        let l2 = number(l1);
        assert_ne!(l2, 0, "an image with something in it");
        let entry = |is_mapped: bool| {
            let mut entries = (l2..l2 + CLUSTER).step_by(8);
            entries
                .find(|at| (number(*at) != 0) == is_mapped && bytes[*at + 7] == 0)
                .unwrap()
        };
        Self {
            l1,
            l2,
            mapped: entry(true),
            unmapped: entry(false),
            counts: number(48),
            bytes,
        }
    }

    fn number(&self, at: usize) -> usize {
        let number = u64::from_be_bytes(self.bytes[at..at + 8].try_into().unwrap());
        usize::try_from(number & 0x00ff_ffff_ffff_fe00).unwrap()
    }

    fn backing_name(&self) -> Option<usize> {
        let at = u64::from_be_bytes(self.bytes[8..16].try_into().unwrap());
        (at != 0).then(|| usize::try_from(at).unwrap())
    }

    fn text(&self, text: &[u8]) -> Option<usize> {
        let head = &self.bytes[..4096];
        head.windows(text.len()).position(|found| found == text)
    }
}

const fn image(name: &'static str, place: fn(&Layout) -> Option<usize>, bits: u8) -> Region {
    Region {
        name,
        file: Part::Image,
        place,
        bits,
    }
}

const fn map(name: &'static str, place: fn(&Layout) -> Option<usize>) -> Region {
    Region {
        name,
        file: Part::Map,
        place,
        bits: 0x10,
    }
}

const fn manifest(name: &'static str, place: fn(&Layout) -> Option<usize>) -> Region {
    Region {
        name,
        file: Part::Manifest,
        place,
        bits: 1,
    }
}

const REGIONS: &[Region] = &[
    image("magic", |_| Some(1), 1),
    image("version", |_| Some(7), 4),
    image("version, to one that is read as well", |_| Some(7), 1),
    image("place of the backing file's name", |_| Some(14), 1),
    image("length of the backing file's name", |_| Some(19), 0x10),
    image("cluster size", |_| Some(23), 1),
    image("disk size", |_| Some(30), 2),
    image("encryption", |_| Some(35), 1),
    image("size of L1", |_| Some(38), 1),
    image("place of L1", |_| Some(45), 1),
    image("place of the counts", |_| Some(53), 4),
    image("size of the counts", |_| Some(59), 4),
    image("number of snapshots", |_| Some(63), 1),
    image("place of the snapshots", |_| Some(69), 1),
    image("incompatible features", |_| Some(79), 8),
    image("compatible features", |_| Some(87), 1),
    image("side features", |_| Some(95), 8),
    image("size of a count", |_| Some(99), 1),
    image("length of the header", |_| Some(103), 8),
    image("length of an extension", |_| Some(110), 2),
    image("name of a feature", |layout| layout.text(b"lazy"), 1),
    image(
        "format of the backing file",
        |layout| {
            layout.backing_name()?;
            layout.text(b"qcow2")
        },
        4,
    ),
    image("name of the backing file", Layout::backing_name, 1),
    image("padding of the header", |_| Some(5000), 0x80),
    image("end of the header's cluster", |_| Some(CLUSTER - 1), 1),
    image("table of counts", |layout| Some(layout.counts + 5), 1),
    image(
        "unused entry of the table of counts",
        |layout| Some(layout.counts + 8000),
        1,
    ),
    image(
        "a count",
        |layout| Some(layout.number(layout.counts) + 5),
        1,
    ),
    image(
        "count of no cluster",
        |layout| Some(layout.number(layout.counts) + 60_000),
        1,
    ),
    image("entry of L1", |layout| Some(layout.l1 + 5), 1),
    image("flag in L1", |layout| Some(layout.l1), 0x80),
    image("unused entry of L1", |layout| Some(layout.l1 + 8), 0x80),
    image("mapped entry of L2", |layout| Some(layout.mapped + 5), 1),
    image("flag in L2", |layout| Some(layout.mapped), 0x80),
    image(
        "zero mark of a mapped entry",
        |layout| Some(layout.mapped + 7),
        1,
    ),
    image(
        "unmapped entry of L2",
        |layout| Some(layout.unmapped + 5),
        1,
    ),
    image(
        "zero mark of an unmapped entry",
        |layout| Some(layout.unmapped + 7),
        1,
    ),
    image(
        "L2 behind the disk's end",
        |layout| Some(layout.l2 + CLUSTER - 1),
        1,
    ),
    image(
        "data",
        |layout| Some(layout.number(layout.mapped) + 700),
        0x40,
    ),
    map("magic of the map", |_| Some(3)),
    map("cluster size in the map", |_| Some(9)),
    map("disk size in the map", |_| Some(17)),
    map("a run's head", |_| Some(25)),
    map("a hash", |_| Some(60)),
    // The last byte of the file, wherever that is.
    map("checksum", |_| Some(usize::MAX)),
    manifest("format of the manifest", |_| Some(20)),
    manifest("the manifest's words", |_| Some(400)),
    manifest("end of the manifest", |_| Some(usize::MAX)),
];

/// A recovery point and what its disks held.
struct Point {
    id: String,
    images: Vec<PathBuf>,
    sources: Vec<PathBuf>,
}

impl Point {
    /// Whether qemu-img reads every disk as it was.
    fn is_whole(&self) -> bool {
        self.images
            .iter()
            .zip(&self.sources)
            .all(|(image, source)| {
                // Zeros at the end are the same disk for it, whatever the size is.
                let described = tool("qemu-img")
                    .args(["info", "--output=json"])
                    .arg(image)
                    .outcome();
                let compared = tool("qemu-img")
                    .args(["compare", "-f", "raw", "-F", "qcow2"])
                    .args([source, image])
                    .outcome();
                let size = fs::metadata(source).unwrap().len();
                compared.code == Some(0) && described.json()["virtual-size"] == size
            })
    }

    /// What our own reader gives, as a restore would.
    fn assert_restores(&self, repository: &Path) {
        for (image, source) in self.images.iter().zip(&self.sources) {
            let allowed = AllowedRoots::new([repository.to_path_buf()]);
            let disk = Image::open(image, &allowed).unwrap();
            let expected = fs::read(source).unwrap();
            let mut read = vec![1; expected.len()];
            disk.read_at(0, &mut read).unwrap();
            assert!(read == expected, "{} restores", self.id);
        }
    }
}

fn disks(folder: &Path) -> Vec<PathBuf> {
    let vm = folder.join("vms/vm");
    fs::create_dir_all(&vm).unwrap();
    let disks: Vec<PathBuf> = ["a.raw", "b.raw"].map(|name| vm.join(name)).into();
    for (number, disk) in (1..).zip(&disks) {
        let file = File::create(disk).unwrap();
        // No multiple of a cluster, but of a sector: qemu-img would compare sizes.
        file.set_len(40 * CLUSTER as u64 + 1536).unwrap();
        for cluster in [1_u64, 2, 3, 9, 20, 40] {
            let content = vec![number * 16 + cluster as u8; 1500];
            file.write_all_at(&content, cluster * CLUSTER as u64)
                .unwrap();
        }
    }
    disks
}

/// Changes, empties and adds clusters.
fn change(disks: &[PathBuf], step: u8) {
    for disk in disks {
        let file = File::options().write(true).open(disk).unwrap();
        for (cluster, byte) in [
            (2_u64, step),
            (u64::from(step), 0),
            (30 + u64::from(step), 7),
        ] {
            let content = vec![byte; CLUSTER];
            file.write_all_at(&content, cluster * CLUSTER as u64)
                .unwrap();
        }
    }
}

fn point(bench: &Bench, disks: &[PathBuf], backup_type: &str, number: usize) -> Point {
    let backup = bench.back_up(backup_type);
    let images = backup["disks"].as_array().unwrap().iter();
    Point {
        id: backup["backup_id"].as_str().unwrap().to_owned(),
        images: images
            .map(|disk| PathBuf::from(disk["qcow2_path"].as_str().unwrap()))
            .collect(),
        sources: (0..)
            .zip(disks)
            .map(|(index, disk)| bench.keep_source(disk, number * 10 + index))
            .collect(),
    }
}

fn ids(list: &Value) -> Vec<&str> {
    let mut ids: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn chain_a_flipped_byte_anywhere_is_found_and_breaks_what_qemu_img_cannot_read() {
    let folder = temp_dir();
    let disks = disks(folder.path());
    let bench = Bench::new(folder.path(), "vm");
    let repository = folder.path().join("data/repository");
    let mut points = vec![point(&bench, &disks, "full", 0)];
    for step in [1, 3] {
        change(&disks, step);
        points.push(point(&bench, &disks, "incremental", usize::from(step)));
    }
    // Shares nothing with the others.
    points.push(point(&bench, &disks, "full", 9));
    for point in &points {
        let found = bench.verify(&point.id);
        assert_eq!(found["status"], "sound", "{found}");
    }

    // A disk of the full backup, the other one of an overlay, and one of the overlay above it.
    for (number, disk) in [(0, 0), (1, 1), (2, 0)] {
        let image = &points[number].images[disk];
        for region in REGIONS {
            let layout = Layout::of(image);
            let Some(place) = (region.place)(&layout) else {
                continue;
            };
            let path = match region.file {
                Part::Image => image.clone(),
                Part::Map => image.with_extension("map"),
                Part::Manifest => {
                    let context = image.ancestors().nth(2).unwrap();
                    context.join(format!("{}.json", points[number].id))
                }
            };
            let what = format!("{} of point {number}, disk {disk}", region.name);
            println!("{what}");
            let sound = fs::read(&path).unwrap();
            let mut damaged = sound.clone();
            let place = place.min(sound.len() - 1);
            damaged[place] ^= region.bits;
            fs::write(&path, &damaged).unwrap();
            let found = bench.verify(&points[number].id);
            assert_found(&points, region, &found, &what, &repository);
            fs::write(&path, &sound).unwrap();
        }
    }
    for point in &points {
        assert_eq!(bench.verify(&point.id)["status"], "sound");
    }
    bench.stop();
}

#[test]
fn chain_no_flipped_byte_of_an_image_or_a_map_verifies_as_sound() {
    let mut random = Random(seed() | 1);
    let folder = temp_dir();
    let disks = disks(folder.path());
    let bench = Bench::new(folder.path(), "vm");
    let repository = folder.path().join("data/repository");
    let mut points = vec![point(&bench, &disks, "full", 0)];
    change(&disks, 1);
    points.push(point(&bench, &disks, "incremental", 1));
    for number in 0..if long() { 3000 } else { 60 } {
        let at = usize::try_from(random.below(2)).unwrap();
        let image = &points[at].images[0];
        let path = match random.below(6) {
            0 => image.with_extension("map"),
            _ => image.clone(),
        };
        let sound = fs::read(&path).unwrap();
        let mut damaged = sound.clone();
        // The header is small beside the rest, and every byte of it means something.
        let end = match random.below(3) {
            0 => 700,
            _ => sound.len() as u64,
        };
        let place = usize::try_from(random.below(end.min(sound.len() as u64))).unwrap();
        damaged[place] ^= 1 << random.below(8);
        fs::write(&path, &damaged).unwrap();
        let found = bench.verify(&points[at].id);
        let what = format!("{number}: byte {place} of {}", path.display());
        assert_ne!(found["status"], "sound", "{what}");
        let intact = ids(&found["intact_backups"]);
        let broken = ids(&found["broken_backups"]);
        for point in &points {
            // Broken is also what this hub cannot read, though others might.
            if intact.contains(&point.id.as_str()) {
                assert!(point.is_whole(), "{what}: {found}");
                point.assert_restores(&repository);
            }
            if found["status"] != "unproven" && !point.is_whole() {
                assert!(broken.contains(&point.id.as_str()), "{what}: {found}");
            }
        }
        fs::write(&path, &sound).unwrap();
    }
    bench.stop();
}

/// Verifying says what qemu-img says.
#[track_caller]
fn assert_found(points: &[Point], region: &Region, found: &Value, what: &str, repository: &Path) {
    if region.file == Part::Map {
        assert_eq!(found["status"], "unproven", "{what}: {found}");
        assert_eq!(found["broken_backups"], json!([]), "{what}");
        return;
    }
    let is_whole = points
        .iter()
        .any(|point| found["backup_id"] == *point.id && point.is_whole());
    let status = if is_whole { "flawed" } else { "damaged" };
    assert_eq!(found["status"], status, "{what}: {found}");
    let (whole, broken): (Vec<&Point>, Vec<&Point>) =
        points.iter().partition(|point| point.is_whole());
    let of = |points: &[&Point]| {
        let mut ids: Vec<String> = points.iter().map(|point| point.id.clone()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(
        ids(&found["broken_backups"]),
        of(&broken),
        "{what}: {found}"
    );
    assert_eq!(ids(&found["intact_backups"]), of(&whole), "{what}: {found}");
    for point in whole {
        point.assert_restores(repository);
    }
}
