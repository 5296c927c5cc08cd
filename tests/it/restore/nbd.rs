//! Disks served over NBD, judged by QEMU and libnbd; what those never send, a client of a few lines does.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sendense_hub::{Config, LocalHub, Profile};
use sendense_tests::{Api, Hub, Random, sendense, sha256_file, tool, until};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{Site, ext4, partitioned, patterned, text};

/// No client of this computer takes that long.
const PATIENCE: Duration = Duration::from_secs(20);
const EPERM: u32 = 1;
const EIO: u32 = 5;
const EINVAL: u32 = 22;

/// What the hub says of an export.
struct Export {
    uri: String,
    name: String,
    port: u16,
}

impl Export {
    #[track_caller]
    fn of(answer: &Value) -> Self {
        let export = Self {
            uri: text(&answer["uri"]),
            name: text(&answer["export_name"]),
            port: answer["port"].as_u64().unwrap().try_into().unwrap(),
        };
        assert_eq!(answer["address"], "127.0.0.1");
        let (port, name) = (export.port, &export.name);
        assert_eq!(export.uri, format!("nbd://127.0.0.1:{port}/{name}"));
        export
    }

    /// What libnbd finds out about it.
    #[track_caller]
    fn info(&self) -> Value {
        let info = tool("nbdinfo").args(["--json", &self.uri]).run().json();
        info["exports"][0].clone()
    }

    #[track_caller]
    fn compare(&self, source: &Path) {
        tool("qemu-img")
            .args(["compare", "-f", "raw", "-F", "raw", &self.uri])
            .arg(source)
            .run();
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection through the oldest handshake, which gives simple replies.
    #[track_caller]
    fn client(&self) -> Client {
        let mut stream = self.connect();
        let mut greeting = [0; 18];
        stream.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting[..16], b"NBDMAGICIHAVEOPT");
        let mut hello = 3_u32.to_be_bytes().to_vec();
        hello.extend(option(1, self.name.as_bytes()));
        stream.write_all(&hello).unwrap();
        let mut head = [0; 10];
        stream.read_exact(&mut head).unwrap();
        Client {
            stream,
            size_bytes: u64::from_be_bytes(head[..8].try_into().unwrap()),
        }
    }
}

/// A client that sends what it is told to.
struct Client {
    stream: TcpStream,
    size_bytes: u64,
}

impl Client {
    /// Sends a request with its data; gives the error, and what was read without one.
    #[track_caller]
    fn ask(&mut self, command: u16, offset: u64, len: u32, data: &[u8]) -> Result<Vec<u8>, u32> {
        let mut request = request(command, offset, len);
        request.extend(data);
        self.stream.write_all(&request).unwrap();
        let mut reply = [0; 16];
        self.stream.read_exact(&mut reply).unwrap();
        assert_eq!(reply[..4], [0x67, 0x44, 0x66, 0x98]);
        assert_eq!(reply[8..], 7_u64.to_be_bytes());
        match u32::from_be_bytes(reply[4..8].try_into().unwrap()) {
            0 if command == 0 => {
                let mut read = vec![0; len as usize];
                self.stream.read_exact(&mut read).unwrap();
                Ok(read)
            }
            0 => Ok(Vec::new()),
            error => Err(error),
        }
    }

    #[track_caller]
    fn read(&mut self, offset: u64, len: u32) -> Result<Vec<u8>, u32> {
        self.ask(0, offset, len, &[])
    }
}

fn option(number: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"IHAVEOPT".to_vec();
    bytes.extend(number.to_be_bytes());
    bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes
}

fn request(command: u16, offset: u64, len: u32) -> Vec<u8> {
    let mut bytes = vec![0x25, 0x60, 0x95, 0x13, 0, 0];
    bytes.extend(command.to_be_bytes());
    bytes.extend(7_u64.to_be_bytes());
    bytes.extend(offset.to_be_bytes());
    bytes.extend(len.to_be_bytes());
    bytes
}

impl Site {
    /// Mounts a disk for its bytes and has it served.
    #[track_caller]
    fn serve(&self, backup_id: &str, disk_index: u32) -> (String, Export) {
        let mount = self.hub.api().post(
            "/restore/mount",
            &json!({ "backup_id": backup_id, "disk_index": disk_index, "for_bytes": true }),
        );
        let mount_id = text(&mount.ok()["mount_id"]);
        let answer = self.hub.api().post(&nbd(&mount_id), &json!({})).ok();
        assert_eq!(answer["mount_id"], mount_id.as_str());
        (mount_id, Export::of(&answer))
    }

    fn vm(&self) -> PathBuf {
        self.folder.path().join("vms/restore")
    }

    /// Every file of the repository with its hash.
    pub(super) fn repository(&self) -> Vec<(PathBuf, String)> {
        let mut files = Vec::new();
        let mut folders = vec![self.hub.data().join("repository")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push((path.clone(), sha256_file(&path))),
                }
            }
        }
        files.sort();
        assert!(!files.is_empty());
        files
    }
}

fn nbd(mount_id: &str) -> String {
    format!("/restore/{mount_id}/nbd")
}

/// A disk on which nothing is that a filesystem could be.
fn opaque(path: &Path, len: usize) {
    fs::write(path, patterned(len)).unwrap();
}

/// Writes over a part of a disk.
fn change(disk: &Path, offset: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    let disk = fs::File::options().write(true).open(disk).unwrap();
    disk.write_all_at(bytes, offset).unwrap();
}

#[test]
fn every_point_of_a_chain_is_served_as_it_was_backed_up_whatever_its_size() {
    // Clusters are of 64 KiB, sectors of 512 bytes: one disk ends with neither.
    const ODD: usize = 5 * (1 << 20) + 3 * 512;
    let site = Site::with_vm(|vm| {
        let parts = vm.parent().unwrap().parent().unwrap().join("parts");
        let tree = parts.join("tree");
        fs::create_dir_all(&tree).unwrap();
        fs::write(tree.join("file"), patterned(3_000_000)).unwrap();
        ext4(&tree, &parts.join("ext4"), "64M");
        partitioned(&vm.join("disk0.raw"), &[&parts.join("ext4")]);
        opaque(&vm.join("disk1.raw"), ODD);
    });
    let kept = site.folder.path().join("kept");
    fs::create_dir(&kept).unwrap();
    let mut points = Vec::new();
    for n in 0..3_u8 {
        let id = match n {
            0 => site.backup_id.clone(),
            _ => {
                change(
                    &site.vm().join("disk0.raw"),
                    u64::from(n) * 9_000_001,
                    &[n; 200_000],
                );
                change(&site.vm().join("disk1.raw"), ODD as u64 - 700, &[n; 700]);
                site.incremental()
            }
        };
        for disk in ["disk0.raw", "disk1.raw"] {
            fs::copy(site.vm().join(disk), kept.join(format!("{n}-{disk}"))).unwrap();
        }
        points.push(id);
    }
    let before = site.repository();
    for (n, backup_id) in points.iter().enumerate() {
        for disk in 0..2 {
            let (mount_id, export) = site.serve(backup_id, disk);
            let source = kept.join(format!("{n}-disk{disk}.raw"));
            export.compare(&source);
            let info = export.info();
            let size_bytes = source.metadata().unwrap().len();
            assert_eq!(info["export-size"], size_bytes, "{info}");
            assert_eq!(info["is_read_only"], true, "{info}");
            assert_eq!(info["can_multi_conn"], true, "{info}");
            assert_eq!(info["contexts"], json!(["base:allocation"]), "{info}");
            // Several connections at a time, with requests ahead.
            let copy = site.folder.path().join("copy.raw");
            tool("nbdcopy").arg(&export.uri).arg(&copy).run();
            tool("cmp").args([&copy, &source]).run();
            fs::remove_file(&copy).unwrap();
            // Simple replies, in pieces and across them.
            let mut client = export.client();
            assert_eq!(client.size_bytes, size_bytes);
            let bytes = fs::read(&source).unwrap();
            let all = u32::try_from(size_bytes.min(32 << 20)).unwrap();
            for (offset, len) in [(0, 1), (1, 70_000), (65_535, 2_500_001), (0, all)] {
                let read = client.read(offset, len).unwrap();
                let expected = &bytes[offset as usize..][..len as usize];
                assert!(read == expected, "{len} bytes at {offset}");
            }
            let tail = client.read(size_bytes - 511, 511).unwrap();
            assert!(tail == bytes[bytes.len() - 511..]);
            site.hub.api().delete(&format!("/restore/{mount_id}")).ok();
        }
    }
    // What is empty is not sent.
    let (_, export) = site.serve(&points[2], 0);
    let map = tool("nbdinfo").args(["--json", "--map", &export.uri]).run();
    let map = map.json();
    let map = map.as_array().unwrap();
    let bytes_of = |kind: u64| -> u64 {
        let extents = map.iter().filter(|extent| extent["type"] == kind);
        extents
            .map(|extent| extent["length"].as_u64().unwrap())
            .sum()
    };
    assert_eq!(bytes_of(0) + bytes_of(3), 66 << 20, "{map:?}");
    assert!(bytes_of(3) > 40 << 20, "the disk is mostly empty: {map:?}");
    let converted = site.folder.path().join("converted.qcow2");
    tool("qemu-img")
        .args(["convert", "-O", "qcow2", &export.uri])
        .arg(&converted)
        .run();
    tool("qemu-img")
        .args(["compare", "-f", "qcow2", "-F", "raw"])
        .args([&converted, &kept.join("2-disk0.raw")])
        .run();
    assert_eq!(site.repository(), before);
}

#[test]
fn nobody_writes_to_a_served_disk_and_nobody_reads_it_without_its_name() {
    let site = Site::with_vm(|vm| opaque(&vm.join("disk0.raw"), 3 << 20));
    let plain = site.ask_mount(0);
    assert_eq!(plain.status, 422, "there are no files: {plain:?}");
    let (mount_id, export) = site.serve(&site.backup_id, 0);
    assert_eq!(site.ask_mount(0).status, 422, "and still none");
    let again = site.hub.api().post(&nbd(&mount_id), &json!({})).ok();
    assert_eq!(again["uri"], export.uri.as_str(), "there is one export");
    let before = site.repository();

    let port = export.port;
    for wrong in [
        format!("nbd://127.0.0.1:{port}"),
        format!("nbd://127.0.0.1:{port}/disk0"),
        format!("nbd://127.0.0.1:{port}/{}x", export.name),
        format!("nbd://127.0.0.1:{port}/{}", &export.name[1..]),
    ] {
        let refused = tool("qemu-img").args(["info", &wrong]).outcome();
        assert_eq!(refused.code, Some(1), "{refused}");
    }
    let listed = tool("nbdinfo")
        .args(["--list", &format!("nbd://127.0.0.1:{port}")])
        .outcome();
    assert_ne!(listed.code, Some(0), "{listed}");
    assert!(!listed.text().contains(&export.name), "{listed}");
    tool("qemu-img").args(["info", &export.uri]).run();

    for command in ["write -P 9 0 64k", "discard 0 64k", "write -z 0 64k"] {
        let refused = tool("qemu-io")
            .args(["-f", "raw", "-c", command, &export.uri])
            .outcome();
        assert_ne!(refused.code, Some(0), "{command}: {refused}");
    }
    // What no tool sends to a disk that is read-only.
    let mut client = export.client();
    let first = client.read(0, 65_536).unwrap();
    assert_eq!(client.ask(1, 0, 65_536, &[9; 65_536]), Err(EPERM));
    assert_eq!(client.ask(4, 0, 65_536, &[]), Err(EPERM), "trim");
    assert_eq!(client.ask(6, 0, 65_536, &[]), Err(EPERM), "write zeros");
    assert_eq!(client.ask(3, 0, 0, &[]), Ok(Vec::new()), "flush");
    assert_eq!(client.ask(5, 0, 65_536, &[]), Err(EINVAL), "cache");
    assert_eq!(client.read(0, 65_536), Ok(first));
    assert_eq!(site.repository(), before);

    // The point is held, also while nobody reads.
    drop(client);
    let delete = format!("/backups/{}", site.backup_id);
    let refused = site.hub.api().delete(&delete);
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(refused.json()["code"], "disk_served");
    let told = site
        .hub
        .sendense()
        .args(["backup", "delete", &site.backup_id])
        .outcome();
    assert!(
        told.error_text().contains("served to other programs"),
        "{told}"
    );
    export.compare(&site.vm().join("disk0.raw"));

    // It ends when it is told to, under whoever reads, and with its mount.
    let mut client = export.client();
    site.hub.api().delete(&nbd(&mount_id)).ok();
    assert_eq!(client.stream.read(&mut [0]).unwrap_or(0), 0, "cut off");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    site.hub.api().delete(&nbd(&mount_id)).ok();
    let (same, second) = site.serve(&site.backup_id, 0);
    assert_eq!(same, mount_id);
    assert_ne!(second.name, export.name);
    let mut client = second.client();
    site.hub.api().delete(&format!("/restore/{mount_id}")).ok();
    assert_eq!(client.stream.read(&mut [0]).unwrap_or(0), 0, "cut off");
    assert!(TcpStream::connect(("127.0.0.1", second.port)).is_err());
    for gone in [
        site.hub.api().post(&nbd(&mount_id), &json!({})),
        site.hub.api().delete(&nbd(&mount_id)),
    ] {
        assert_eq!(gone.status, 404, "{gone:?}");
        assert_eq!(gone.json()["code"], "mount_not_found");
    }
    site.hub.api().delete(&delete).ok();
}

#[test]
fn hostile_clients_harm_nobody_and_a_good_one_reads_on() {
    const SIZE: u64 = 24 << 20;
    let site = Site::with_vm(|vm| opaque(&vm.join("disk0.raw"), SIZE as usize));
    let (_, export) = site.serve(&site.backup_id, 0);
    let bytes = fs::read(site.vm().join("disk0.raw")).unwrap();
    let mut good = export.client();
    let mut check = |what: &str| {
        let read = good.read(1 << 20, 100_000).unwrap();
        assert!(read == bytes[1 << 20..][..100_000], "after {what}");
    };
    check("nothing");

    let mut random = Random::new(7);
    for n in 0..64 {
        let noise: Vec<u8> = (0..1 + n * 17).map(|_| random.below(256) as u8).collect();
        let mut stream = export.connect();
        // It may be cut off in the middle of it.
        drop(stream.write_all(&noise));
        drop(stream.shutdown(Shutdown::Write));
        drop(stream.read_to_end(&mut Vec::new()));
    }
    check("noise");

    let hello = |rest: &[u8]| {
        let mut bytes = 3_u32.to_be_bytes().to_vec();
        bytes.extend(rest);
        bytes
    };
    let mut endless = b"IHAVEOPT".to_vec();
    endless.extend(7_u32.to_be_bytes());
    endless.extend(u32::MAX.to_be_bytes());
    let mut lying = 100_u32.to_be_bytes().to_vec();
    lying.extend(b"name");
    for (what, sent) in [
        ("flags without a meaning", u32::MAX.to_be_bytes().to_vec()),
        ("an endless option", hello(&endless)),
        ("a name longer than its option", hello(&option(7, &lying))),
        ("a wrong name", hello(&option(1, b"disk"))),
        ("an option that nobody knows", hello(&option(99, b"?"))),
        ("options without end", hello(&option(8, b"").repeat(200))),
    ] {
        let mut stream = export.connect();
        drop(stream.write_all(&sent));
        drop(stream.shutdown(Shutdown::Write));
        let mut said = Vec::new();
        let ended = stream.read_to_end(&mut said);
        assert!(!is_timeout(&ended), "{what}");
        assert!(
            !said.windows(32).any(|part| part == export.name.as_bytes()),
            "{what}"
        );
        check(what);
    }

    // More strangers who say nothing than there are places: the first go, and one with the name gets in.
    let mut silent: Vec<_> = (0..40).map(|_| export.connect()).collect();
    export.compare(&site.vm().join("disk0.raw"));
    check("silence");
    let mut first = silent.remove(0);
    assert!(
        !is_timeout(&first.read_to_end(&mut Vec::new())),
        "it had to go"
    );
    drop(silent);

    let mut rude = export.client();
    for (offset, len, why) in [
        (SIZE, 1, "at the end"),
        (SIZE - 1, 2, "over the end"),
        (u64::MAX, 512, "far away"),
        (u64::MAX - 511, u32::MAX, "around the corner"),
        (0, u32::MAX, "all at once"),
        (0, (32 << 20) + 1, "more than is allowed"),
        (0, 0, "nothing"),
    ] {
        assert_eq!(rude.read(offset, len), Err(EINVAL), "{why}");
    }
    assert_eq!(
        rude.ask(7, 0, 512, &[]),
        Err(EINVAL),
        "status without a context"
    );
    assert_eq!(rude.read(SIZE - 1, 1).unwrap(), bytes[bytes.len() - 1..]);
    // A write that would never end is not waited for.
    rude.stream.write_all(&request(1, 0, u32::MAX)).unwrap();
    assert_eq!(rude.stream.read(&mut [0]).unwrap_or(0), 0, "cut off");
    check("rudeness");

    // Much is asked for and nothing taken: it costs no memory, and nobody waits for it.
    let before = site.hub.peak_memory_bytes();
    let mut greedy: Vec<_> = (0..8).map(|_| export.client()).collect();
    for client in &mut greedy {
        let asked = request(0, 0, 24 << 20).repeat(100);
        client.stream.write_all(&asked).unwrap();
    }
    export.compare(&site.vm().join("disk0.raw"));
    check("greed");
    let more = site.hub.peak_memory_bytes() - before;
    assert!(
        more < 64 << 20,
        "{more} bytes more for eight greedy clients"
    );
    drop(greedy);

    // There are places for sixteen, whoever they are.
    let more: Vec<_> = (0..15)
        .map(|_| until("a place", PATIENCE, || try_client(&export)))
        .collect();
    let refused = tool("qemu-img").args(["info", &export.uri]).outcome();
    assert_eq!(refused.code, Some(1), "{refused}");
    check("a crowd");
    drop(more);
    until("a place", PATIENCE, || {
        let info = tool("qemu-img").args(["info", &export.uri]).outcome();
        (info.code == Some(0)).then_some(())
    });
}

/// A client, where there is a place for it.
fn try_client(export: &Export) -> Option<TcpStream> {
    let mut stream = export.connect();
    let mut hello = 3_u32.to_be_bytes().to_vec();
    hello.extend(option(1, export.name.as_bytes()));
    stream.write_all(&hello).ok()?;
    let mut said = [0; 28];
    stream.read_exact(&mut said).ok()?;
    Some(stream)
}

fn is_timeout(outcome: &io::Result<usize>) -> bool {
    outcome.as_ref().is_err_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        )
    })
}

#[test]
fn what_is_damaged_fails_at_its_place_and_the_rest_is_read() {
    const CLUSTER: u64 = 65_536;
    let site = Site::with_vm(|vm| {
        // Half of each cluster can be compressed.
        let mut bytes = patterned(4 << 20);
        for cluster in bytes.chunks_mut(CLUSTER as usize) {
            cluster[32_768..].fill(0);
        }
        fs::write(vm.join("disk0.raw"), bytes).unwrap();
    });
    let source = site.vm().join("disk0.raw");
    let shown = site
        .hub
        .sendense()
        .args(["backup", "show", &site.backup_id, "--json"])
        .run();
    let image = PathBuf::from(text(&shown.json()["disks"][0]["qcow2_path"]));
    // Compressed clusters are the ones of which reading shows that they are damaged.
    let packed = site.folder.path().join("packed.qcow2");
    tool("qemu-img")
        .args(["convert", "-c", "-O", "qcow2"])
        .args([&image, &packed])
        .run();
    let checked = tool("qemu-img")
        .args(["check", "--output=json"])
        .arg(&packed)
        .run()
        .json();
    assert_eq!(checked["compressed-clusters"], 64, "{checked}");
    let mut bytes = fs::read(&packed).unwrap();
    // The last cluster lies last.
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end - 3000..=end].fill(0xff);
    fs::write(&image, &bytes).unwrap();

    let (_, export) = site.serve(&site.backup_id, 0);
    let good = fs::read(&source).unwrap();
    let mut client = export.client();
    let n_clusters = good.len() as u64 / CLUSTER;
    let damaged: Vec<u64> = (0..n_clusters)
        .filter(|n| match client.read(n * CLUSTER, CLUSTER as u32) {
            Ok(read) => {
                assert!(
                    read == good[(n * CLUSTER) as usize..][..CLUSTER as usize],
                    "{n}"
                );
                false
            }
            Err(error) => {
                assert_eq!(error, EIO, "{n}");
                true
            }
        })
        .collect();
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    let bad = damaged[0] * CLUSTER;
    // More at once, with pieces that can be read before the one that cannot.
    assert_eq!(client.read(0, good.len() as u32), Err(EIO));
    assert!(client.read(0, bad as u32).is_ok());
    // The same in chunks.
    let read = |offset: u64, len: u64| {
        tool("qemu-io")
            .args([
                "-r",
                "-f",
                "raw",
                "-c",
                &format!("read {offset} {len}"),
                &export.uri,
            ])
            .outcome()
    };
    let failed = read(bad, CLUSTER);
    assert!(failed.text().contains("Input/output error"), "{failed}");
    let whole = read(0, good.len() as u64);
    assert!(whole.text().contains("Input/output error"), "{whole}");
    let before = read(0, bad);
    assert!(
        before.text().contains(&format!("read {bad}/{bad} bytes")),
        "{before}"
    );
    site.hub.api().get("/health").ok();
}

#[test]
fn a_disk_is_served_from_the_terminal_until_ctrl_c() {
    let site = Site::with_vm(|vm| opaque(&vm.join("disk0.raw"), 2 << 20));
    let start = || {
        let command = site.hub.sendense();
        let mut child = command
            .args(["restore", "serve", &site.backup_id, "--disk", "0", "--json"])
            .spawn();
        let mut stdout = child.stdout.take().unwrap();
        let mut said = Vec::new();
        let export: Value = until("the address", PATIENCE, || {
            let mut piece = [0; 4096];
            let n = stdout.read(&mut piece).unwrap();
            assert_ne!(n, 0, "it ended: {}", String::from_utf8_lossy(&said));
            said.extend(&piece[..n]);
            serde_json::from_slice(&said).ok()
        });
        assert_eq!(export["size_bytes"], 2 << 20);
        (child, Export::of(&export))
    };
    let interrupt = |child: &std::process::Child| {
        tool("kill").arg("-INT").arg(child.id().to_string()).run();
    };
    let (mut child, export) = start();
    export.compare(&site.vm().join("disk0.raw"));
    interrupt(&child);
    assert!(child.wait().unwrap().success());
    assert!(TcpStream::connect(("127.0.0.1", export.port)).is_err());
    assert_eq!(site.hub.api().get("/restore/mounts").ok()["count"], 0);

    // A mount that was there stays.
    let (mount_id, _) = site.serve(&site.backup_id, 0);
    let (mut child, export) = start();
    interrupt(&child);
    assert!(child.wait().unwrap().success());
    assert!(TcpStream::connect(("127.0.0.1", export.port)).is_err());
    let mounts = site.hub.api().get("/restore/mounts").ok();
    assert_eq!(mounts["mounts"][0]["mount_id"], mount_id.as_str());
    site.hub.api().delete(&format!("/restore/{mount_id}")).ok();

    // Closed by somebody else, it says so.
    let (mut child, _) = start();
    let mounts = site.hub.api().get("/restore/mounts").ok();
    let mount_id = text(&mounts["mounts"][0]["mount_id"]);
    site.hub.api().delete(&format!("/restore/{mount_id}")).ok();
    let ended = Instant::now();
    assert!(!child.wait().unwrap().success());
    assert!(ended.elapsed() < Duration::from_secs(25));
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(said.contains("no longer served"), "{said}");

    let missing = site
        .hub
        .sendense()
        .args(["restore", "serve", "nothing"])
        .outcome();
    assert_eq!(missing.code, Some(3), "{missing}");
}

#[test]
fn hubs_that_serve_no_disks_say_so_and_a_hub_that_ends_serves_none() {
    let refused = sendense()
        .args(["--hub", "http://192.0.2.1:8082", "restore", "serve", "b"])
        .outcome();
    assert!(
        refused.error_text().contains("its own computer only"),
        "{refused}"
    );

    let site = Site::with_vm(|vm| {
        let tree = vm.parent().unwrap().join("tree");
        fs::create_dir_all(&tree).unwrap();
        ext4(&tree, &vm.join("disk0.raw"), "16M");
    });
    let (_, export) = site.serve(&site.backup_id, 0);
    let mut client = export.client();
    let Site {
        hub,
        folder,
        backup_id,
    } = site;
    let data = hub.data().to_path_buf();
    hub.stop();
    assert_eq!(client.stream.read(&mut [0]).unwrap_or(0), 0, "cut off");
    // The mount is there after a restart, and the disk is served again when somebody asks.
    let hub = Hub::start(&data);
    let site = Site {
        hub,
        folder,
        backup_id,
    };
    assert_eq!(site.hub.api().get("/restore/mounts").ok()["count"], 1);
    let (mount_id, second) = site.serve(&site.backup_id, 0);
    assert_ne!(second.name, export.name);
    second.compare(&site.vm().join("disk0.raw"));
    site.hub.api().delete(&format!("/restore/{mount_id}")).ok();

    // A hub that knows what is documented, and nothing more.
    let Site {
        hub,
        folder: _folder,
        backup_id,
    } = site;
    hub.stop();
    let mut config = Config::new(&data);
    config.profile = Profile::Documented;
    let runtime = Runtime::new().unwrap();
    let hub = runtime.block_on(LocalHub::start(config)).unwrap();
    let refused = sendense()
        .arg("--data")
        .arg(&data)
        .args(["restore", "serve", &backup_id])
        .outcome();
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(
        refused.error_text().contains("does not serve disks"),
        "{refused}"
    );
    let api = Api::new(hub.url()).with_header(format!("Authorization: Bearer {}", hub.key()));
    assert_eq!(
        api.get("/restore/mounts").ok()["count"],
        0,
        "nothing is left open"
    );
    runtime.block_on(hub.stop());
}
