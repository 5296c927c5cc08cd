//! Mounts from request to bytes, on small FAT images, with a clock that the tests control.

use std::{
    io::{Cursor, Read, Write},
    net::TcpStream,
};

use jiff::SignedDuration;

use super::{
    ArchiveFormat, Error, MAX_MOUNTS, RootLayout, RowShape, Target,
    fixture::{Fixture, LUKS_MAGIC, at, big_content, bytes, fat_image, partitioned, path},
};

#[tokio::test]
async fn mounts_of_a_deleted_backup_are_closed_unless_something_is_downloaded() {
    let fixture = Fixture::new();
    let image = fat_image();
    fixture.back_up("kept", &image);
    fixture.back_up("deleted", &image);
    let kept = fixture.mount("kept");
    let deleted = fixture.mount("deleted");
    let ids = ["deleted".to_owned()];

    let download = fixture.mounts.enter(&deleted).unwrap();
    let download = download.hold().await.unwrap();
    let refused = fixture.mounts.close_backups(&ids).unwrap_err();
    assert!(
        matches!(&refused, super::Error::DownloadRunning { backup_id } if backup_id == "deleted"),
        "{refused}"
    );
    assert_eq!(fixture.mounts.list().unwrap().len(), 2);

    drop(download);
    fixture.mounts.close_backups(&ids).unwrap();
    let left = fixture.mounts.list().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].mount_id, kept);
}

#[tokio::test]
async fn a_served_disk_holds_its_backup_and_whoever_reads_it_the_mount() {
    let fixture = Fixture::new();
    fixture.back_up("b1", &fat_image());
    let mount_id = fixture.mount("b1");
    let served = fixture.mounts.enter(&mount_id).unwrap().serve().unwrap();
    let ids = ["b1".to_owned()];
    let refused = fixture.mounts.close_backups(&ids).unwrap_err();
    assert!(
        matches!(&refused, Error::DiskServed { backup_id } if backup_id == "b1"),
        "{refused}"
    );

    let mut client = TcpStream::connect(served.address).unwrap();
    let mut hello = 3_u32.to_be_bytes().to_vec();
    hello.extend(b"IHAVEOPT\0\0\0\x01\0\0\0\x20");
    hello.extend(served.export_name.as_bytes());
    client.write_all(&hello).unwrap();
    client.read_exact(&mut [0; 28]).unwrap();
    // The end of the handshake is told before the hold is taken.
    let is_held = || {
        fixture.clock.advance(SignedDuration::from_hours(2));
        fixture.mounts.close_expired(fixture.clock.now()).unwrap() == 0
    };
    let asked = b"\x25\x60\x95\x13\0\0\0\0AAAAAAAA\0\0\0\0\0\0\0\0\0\0\x02\0";
    client.write_all(asked).unwrap();
    client.read_exact(&mut [0; 16 + 512]).unwrap();
    assert!(is_held() && is_held(), "somebody reads");

    drop(client);
    // That it left is noticed by a thread.
    let started = std::time::Instant::now();
    while is_held() {
        assert!(started.elapsed().as_secs() < 20, "nobody reads any more");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(
        TcpStream::connect(served.address).is_err(),
        "it ended with its mount"
    );
    fixture.mounts.close_backups(&ids).unwrap();
}

#[tokio::test]
async fn one_disk_has_one_mount_and_the_documented_fields() {
    let fixture = Fixture::new();
    fixture.back_up("b1", &fat_image());
    let row = fixture.mounts.mount("b1", 0).unwrap();
    assert_eq!(row.backup_id, "b1");
    assert_eq!(row.filesystem_type, "vfat");
    assert_eq!(row.nbd_device, "/dev/nbd0");
    assert_eq!(
        row.mount_path,
        format!("/mnt/sendense/restore/{}", row.mount_id)
    );
    assert_eq!(row.expires_at, at("11:00:00"));

    fixture.clock.advance(SignedDuration::from_mins(10));
    let again = fixture.mounts.mount("b1", 0).unwrap();
    assert_eq!(again.mount_id, row.mount_id);
    assert_eq!(again.expires_at, at("11:10:00"), "asking again is a use");
    assert_eq!(fixture.mounts.list().unwrap(), [again]);
}

#[test]
fn requests_for_one_disk_at_the_same_time_get_the_same_mount() {
    let fixture = Fixture::new();
    fixture.back_up("b1", &fat_image());
    let [a, b, c] = std::thread::scope(|scope| {
        let asked = [(); 3].map(|()| scope.spawn(|| fixture.mount("b1")));
        asked.map(|asked| asked.join().unwrap())
    });
    assert_eq!(a, b);
    assert_eq!(b, c);
}

#[tokio::test]
async fn what_was_not_finished_or_is_gone_cannot_be_mounted() {
    let fixture = Fixture::new();
    let gone = fixture.back_up("gone", &fat_image());
    std::fs::remove_file(&gone).unwrap();
    fixture.record("running", "running", None);
    fixture.record("failed", "failed", None);

    let error = fixture.mounts.mount("nothing", 5).unwrap_err();
    assert_eq!(
        error.to_string(),
        "disk not found: backup_id=nothing, disk_index=5"
    );
    assert!(matches!(error, Error::DiskNotFound { .. }));
    for (backup_id, reason) in [
        ("running", "the backup of this disk is not finished"),
        ("failed", "the backup failed"),
    ] {
        let error = fixture.mounts.mount(backup_id, 0).unwrap_err();
        assert!(error.to_string().starts_with("disk not found"), "{error}");
        assert_eq!(error.details().as_deref(), Some(reason));
    }
    let error = fixture.mounts.mount("gone", 0).unwrap_err();
    assert!(matches!(error, Error::ImageGone { .. }));
    assert!(
        error.to_string().starts_with("QCOW2 file does not exist"),
        "{error}"
    );
    assert_eq!(fixture.mounts.list().unwrap(), [], "failures leave no row");
}

#[tokio::test]
async fn a_disk_without_anything_readable_says_what_was_seen() {
    let fixture = Fixture::new();
    let mut luks = vec![0; 2 << 20];
    luks[..LUKS_MAGIC.len()].copy_from_slice(LUKS_MAGIC);
    fixture.back_up("luks", &luks);
    let error = fixture.mounts.mount("luks", 0).unwrap_err();
    assert_eq!(error.to_string(), "no mountable partitions found");
    assert!(matches!(
        error,
        Error::VolumeUnreadable { .. }
            | Error::ContentUnreadable { .. }
            | Error::NothingReadable { .. }
    ));
    let details = error.details().unwrap();
    assert!(
        details.contains("LUKS") && details.contains("2.0 MiB"),
        "{details}"
    );
    assert_eq!(fixture.mounts.list().unwrap(), []);
}

#[tokio::test]
async fn the_ninth_mount_is_refused_until_one_is_closed() {
    let fixture = Fixture::new();
    let image = fat_image();
    for n in 0..=MAX_MOUNTS {
        fixture.back_up(&format!("b{n}"), &image);
    }
    let mut mount_ids = Vec::new();
    for n in 0..MAX_MOUNTS {
        mount_ids.push(fixture.mount(&format!("b{n}")));
    }
    let error = fixture.mounts.mount("b8", 0).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("maximum concurrent mounts reached")
    );
    assert!(matches!(error, Error::TooManyMounts { .. }));
    fixture.mount("b3");
    fixture.mounts.unmount(&mount_ids[3]).unwrap();
    let row = fixture.mounts.mount("b8", 0).unwrap();
    assert_eq!(row.nbd_device, "/dev/nbd3", "the slot that became free");
    assert_eq!(fixture.mounts.usage().unwrap().devices.len(), MAX_MOUNTS);
}

#[tokio::test]
async fn a_mount_that_nobody_uses_expires_and_browsing_keeps_it() {
    let fixture = Fixture::new();
    fixture.back_up("b1", &fat_image());
    let mount_id = fixture.mount("b1");
    fixture.clock.advance(SignedDuration::from_mins(59));
    assert_eq!(fixture.names(&mount_id, "/Recovery").await.len(), 2);
    fixture.clock.advance(SignedDuration::from_mins(59));
    assert_eq!(
        fixture.mounts.close_expired(fixture.clock.now()).unwrap(),
        0
    );
    fixture.clock.advance(SignedDuration::from_mins(1));
    let error = fixture.mounts.enter(&mount_id).err().unwrap();
    assert!(matches!(error, Error::MountNotFound { .. }));
    assert!(
        error.to_string().contains("mount not found"),
        "refused before it is reaped"
    );
    assert_eq!(fixture.mounts.usage().unwrap().n_expired, 1);
    assert_eq!(
        fixture.mounts.close_expired(fixture.clock.now()).unwrap(),
        1
    );
    assert_eq!(fixture.mounts.list().unwrap(), []);
    assert!(fixture.mounts.unmount(&mount_id).is_err());
}

#[tokio::test]
async fn mounts_survive_a_restart_with_the_time_they_had_left() {
    let fixture = Fixture::new();
    let image = fixture.back_up("b1", &fat_image());
    let mount_id = fixture.mount("b1");
    fixture.clock.advance(SignedDuration::from_mins(30));
    fixture.names(&mount_id, "/").await;
    fixture.mounts.close_expired(fixture.clock.now()).unwrap();

    let fixture = fixture.restarted();
    fixture.clock.advance(SignedDuration::from_mins(45));
    assert_eq!(
        fixture.names(&mount_id, "/Recovery").await,
        ["ReAgent.xml", "leer"]
    );

    let fixture = fixture.restarted();
    std::fs::remove_file(image).unwrap();
    let error = fixture.mounts.enter(&mount_id).err().unwrap();
    assert!(
        error.to_string().starts_with("QCOW2 file does not exist"),
        "{error}"
    );
}

#[tokio::test]
async fn a_deleted_backup_takes_its_mounts_with_it() {
    let fixture = Fixture::new();
    fixture.back_up("b1", &fat_image());
    let mount_id = fixture.mount("b1");
    fixture
        .store
        .with(|connection| connection.execute("DELETE FROM backup_jobs WHERE id = 'b1'", []))
        .unwrap();
    let error = fixture.mounts.enter(&mount_id).err().unwrap();
    assert!(error.to_string().contains("mount not found"));
    assert_eq!(fixture.mounts.list().unwrap(), []);
}

#[tokio::test]
async fn an_image_that_is_deleted_while_it_is_open_stays_readable() {
    let fixture = Fixture::new();
    let image = fixture.back_up("b1", &fat_image());
    let mount_id = fixture.mount("b1");
    std::fs::remove_file(image).unwrap();
    let answer = fixture.download(&mount_id, "/Recovery/ReAgent.xml").await;
    assert_eq!(bytes(answer.unwrap()).await, b"<xml/>");
}

#[tokio::test]
async fn the_root_lists_volumes_and_other_paths_lie_on_the_largest() {
    let fixture = Fixture::new();
    let mut luks = vec![0; 1 << 20];
    luks[..LUKS_MAGIC.len()].copy_from_slice(LUKS_MAGIC);
    let disk = partitioned(&[(0x83, &luks), (0x0c, &fat_image())]);
    fixture.back_up("b1", &disk);
    let mount_id = fixture.mount("b1");
    let mount = fixture.mounts.enter(&mount_id).unwrap();
    let rows = mount
        .list(path("/"), RowShape::Extended)
        .await
        .unwrap()
        .rows;
    assert_eq!(rows.len(), 2, "what cannot be read is listed too");
    assert_eq!(rows[0].name, "Partition 1 (1.0 MB)");
    assert!(rows[0].unreadable.as_ref().unwrap().contains("LUKS"));
    assert_eq!(rows[1].path, "/partition-2");
    assert!(rows[1].name.starts_with("Partition 2"), "{}", rows[1].name);
    assert!(rows[1].name.ends_with("(16.0 MB)"), "{}", rows[1].name);
    assert_eq!(rows[1].unreadable, None);

    let error = mount.list(path("/partition-1"), RowShape::Extended).await;
    let error = error.unwrap_err();
    assert!(matches!(
        error,
        Error::VolumeUnreadable { .. }
            | Error::ContentUnreadable { .. }
            | Error::NothingReadable { .. }
    ));
    assert!(error.to_string().contains("LUKS"), "{error}");
    assert!(
        mount
            .list(path("/partition-3"), RowShape::Extended)
            .await
            .is_err()
    );

    for folder in ["/partition-2/Recovery", "/Recovery"] {
        let rows = mount
            .list(path(folder), RowShape::Extended)
            .await
            .unwrap()
            .rows;
        let paths: Vec<_> = rows.iter().map(|row| row.path.clone()).collect();
        assert_eq!(
            paths,
            [format!("{folder}/ReAgent.xml"), format!("{folder}/leer")]
        );
        assert_eq!((rows[0].kind, rows[0].size), ("file", 6));
        assert_eq!(rows[0].mode, "0777");
        assert_eq!((rows[1].kind, rows[1].size), ("directory", 0));
    }
    let row = mount
        .row_of(path("/partition-2/Recovery"), RowShape::Extended)
        .await;
    assert_eq!(row.unwrap().path, "/partition-2/Recovery");
}

#[tokio::test]
async fn the_documented_root_is_the_largest_volume() {
    let fixture = Fixture::with_layout(RootLayout::OneVolume);
    let disk = partitioned(&[(0x0c, &fat_image())]);
    fixture.back_up("b1", &disk);
    let mount_id = fixture.mount("b1");
    let names = fixture.names(&mount_id, "/").await;
    assert!(names.contains(&"Recovery".to_owned()), "{names:?}");
    let mount = fixture.mounts.enter(&mount_id).unwrap();
    let error = mount.list(path("/partition-1"), RowShape::Documented).await;
    assert!(matches!(error.unwrap_err(), Error::PathMissing { .. }));
}

#[tokio::test]
async fn wrong_paths_are_answered_in_words() {
    let fixture = Fixture::new();
    fixture.back_up("b1", &fat_image());
    let mount_id = fixture.mount("b1");
    let mount = fixture.mounts.enter(&mount_id).unwrap();
    let missing = mount
        .list(path("/nope"), RowShape::Extended)
        .await
        .unwrap_err();
    assert_eq!(missing.to_string(), "path does not exist: /nope");
    let file = mount
        .list(path("/empty.txt"), RowShape::Extended)
        .await
        .unwrap_err();
    assert!(file.to_string().contains("not a directory"), "{file}");
    assert!(matches!(file, Error::NotADirectory { .. }));
    let archive = mount
        .archive(path("/empty.txt"), ArchiveFormat::Zip)
        .await
        .err()
        .unwrap();
    assert!(
        archive.to_string().contains("path is not a directory"),
        "{archive}"
    );
}

#[tokio::test]
async fn a_part_of_a_file_is_read_and_the_same_file_is_known_again() {
    let fixture = Fixture::new();
    fixture.back_up("b1", &fat_image());
    let mut tags = Vec::new();
    for _ in 0..2 {
        let mount_id = fixture.mount("b1");
        let mount = fixture.mounts.enter(&mount_id).unwrap();
        let Target::File(head) = mount.target(path("/big.bin"), None).await.unwrap() else {
            panic!("it is a file");
        };
        assert_eq!(
            (head.name.as_str(), head.size_bytes),
            ("big.bin", 3_000_000)
        );
        tags.push(mount.tag(&head));
        let part = mount.read(head, path("/big.bin"), 1_000_000..2_000_000);
        let part = bytes(part.await.unwrap()).await;
        assert!(part == big_content()[1_000_000..2_000_000]);
        fixture.mounts.unmount(&mount_id).unwrap();
    }
    assert_eq!(tags[0], tags[1], "the tag outlives the mount");
}

#[tokio::test]
async fn a_folder_is_answered_with_a_zip_that_keeps_empty_folders() {
    let fixture = Fixture::new();
    fixture.back_up("b1", &fat_image());
    let mount_id = fixture.mount("b1");
    let answer = fixture.download(&mount_id, "/Recovery").await.unwrap();
    let archive = bytes(answer).await;
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut names: Vec<_> = archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["ReAgent.xml", "leer/"]);
    let mut content = Vec::new();
    archive
        .by_name("ReAgent.xml")
        .unwrap()
        .read_to_end(&mut content)
        .unwrap();
    assert_eq!(content, b"<xml/>");
}

#[tokio::test]
async fn the_whole_disk_is_archived_by_volume_with_a_note_on_the_rest() {
    let fixture = Fixture::new();
    let mut luks = vec![0; 1 << 20];
    luks[..LUKS_MAGIC.len()].copy_from_slice(LUKS_MAGIC);
    fixture.back_up("b1", &partitioned(&[(0x0c, &fat_image()), (0x83, &luks)]));
    let mount_id = fixture.mount("b1");
    let answer = fixture.download(&mount_id, "/").await.unwrap();
    let mount = fixture.mounts.enter(&mount_id).unwrap();
    let name = mount.archive_name(&path("/"), ArchiveFormat::Zip);
    assert_eq!(name, "b1-disk0.zip");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes(answer).await)).unwrap();
    let mut content = Vec::new();
    archive
        .by_name("partition-1/big.bin")
        .unwrap()
        .read_to_end(&mut content)
        .unwrap();
    assert!(content == big_content());
    let mut note = String::new();
    archive
        .by_name("_NOT RESTORED.txt")
        .unwrap()
        .read_to_string(&mut note)
        .unwrap();
    assert!(
        note.contains("/partition-2: ") && note.contains("LUKS"),
        "{note}"
    );
}

#[tokio::test]
async fn an_open_download_holds_the_mount_and_frees_its_thread_when_it_is_dropped() {
    let fixture = Fixture::new();
    fixture.back_up("b1", &fat_image());
    let mount_id = fixture.mount("b1");
    let answer = fixture.download(&mount_id, "/big.bin").await.unwrap();
    assert_eq!(fixture.mounts.usage().unwrap().n_downloads, 1);
    fixture.clock.advance(SignedDuration::from_hours(5));
    assert_eq!(
        fixture.mounts.close_expired(fixture.clock.now()).unwrap(),
        0
    );
    assert_eq!(
        fixture.names(&mount_id, "/Recovery").await.len(),
        2,
        "a download that nobody reads does not hold up a listing"
    );
    drop(answer);
    while fixture.mounts.usage().unwrap().n_downloads > 0 {
        tokio::task::yield_now().await;
    }
    fixture.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(
        fixture.mounts.close_expired(fixture.clock.now()).unwrap(),
        1
    );
}

#[tokio::test]
async fn many_downloads_of_one_mount_run_side_by_side() {
    let fixture = Fixture::new();
    fixture.back_up("b1", &fat_image());
    let mount_id = fixture.mount("b1");
    let downloads = (0..24).map(|_| async {
        let answer = fixture.download(&mount_id, "/big.bin").await.unwrap();
        bytes(answer).await
    });
    let expected = big_content();
    for content in futures::future::join_all(downloads).await {
        assert!(content == expected);
    }
}

#[tokio::test]
async fn damage_in_a_file_is_said_and_costs_an_archive_that_file() {
    let fixture = Fixture::new();
    let mut image = fat_image();
    // Without its allocation tables a file ends after its first cluster.
    let at = |offset: usize| usize::from(u16::from_le_bytes([image[offset], image[offset + 1]]));
    let (n_reserved_sectors, n_table_sectors) = (at(14), at(22));
    let tables = n_reserved_sectors * 512..(n_reserved_sectors + 2 * n_table_sectors) * 512;
    image[tables][4..].fill(0);
    fixture.back_up("b1", &image);
    let mount_id = fixture.mount("b1");

    let whole = fixture.download(&mount_id, "/big.bin").await;
    let mount = fixture.mounts.enter(&mount_id).unwrap();
    let Target::File(head) = mount.target(path("/big.bin"), None).await.unwrap() else {
        panic!("it is a file");
    };
    let part = mount.read(head, path("/big.bin"), 2_000_000..3_000_000);
    for answer in [whole, part.await] {
        let error = answer.err().unwrap();
        assert!(matches!(
            error,
            Error::VolumeUnreadable { .. }
                | Error::ContentUnreadable { .. }
                | Error::NothingReadable { .. }
        ));
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }
    let mount = fixture.mounts.enter(&mount_id).unwrap();
    for format in [ArchiveFormat::Zip, ArchiveFormat::TarGz] {
        let answer = mount.archive(path("/partition-1"), format).await.unwrap();
        let archive = bytes(answer).await;
        let files = match format {
            ArchiveFormat::Zip => unzipped(archive),
            ArchiveFormat::TarGz => untarred(&archive),
        };
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "Recovery/ReAgent.xml",
                "_NOT RESTORED.txt",
                "empty.txt",
                "Übersicht 漢.txt",
            ]
        );
        let note = String::from_utf8_lossy(&files[1].1);
        assert!(note.contains("\n/big.bin: "), "{note}");
    }
}

#[tokio::test]
async fn damage_in_the_middle_of_a_large_file_is_zeros_and_said() {
    let fixture = Fixture::new();
    let mut image = fat_image();
    let at = |offset: usize| usize::from(u16::from_le_bytes([image[offset], image[offset + 1]]));
    let cluster_bytes = usize::from(image[13]) * 512;
    let table = at(14) * 512;
    let entry = image.windows(11).position(|name| name == b"BIG     BIN");
    let first = at(entry.unwrap() + 26);
    // The chain ends where it went on.
    let n_kept = 2_000_000 / cluster_bytes;
    let copies = [table, table + at(22) * 512];
    for table in copies {
        image[table + 2 * (first + n_kept - 1)..][..2].fill(0);
    }
    fixture.back_up("b1", &image);
    let mount_id = fixture.mount("b1");
    let mount = fixture.mounts.enter(&mount_id).unwrap();
    let answer = mount
        .archive(path("/partition-1"), ArchiveFormat::TarGz)
        .await
        .unwrap();
    let files = untarred(&bytes(answer).await);
    let content = |name: &str| &files.iter().find(|(it, _)| it == name).unwrap().1;
    let mut expected = big_content();
    expected[n_kept * cluster_bytes..].fill(0);
    assert!(*content("big.bin") == expected);
    let note = String::from_utf8_lossy(content("_NOT RESTORED.txt"));
    assert!(
        note.contains("DAMAGED") && note.contains("\n/big.bin: ") && note.contains("are zeros"),
        "{note}"
    );
}

/// The files of an archive, sorted.
fn unzipped(archive: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut files = Vec::new();
    for number in 0..archive.len() {
        let mut file = archive.by_index(number).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        if file.is_file() {
            files.push((file.name().unwrap().into_owned(), content));
        }
    }
    files.sort();
    files
}

fn untarred(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    let mut files = Vec::new();
    for file in archive.entries().unwrap() {
        let mut file = file.unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        if file.header().entry_type().is_file() {
            files.push((file.path().unwrap().display().to_string(), content));
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn a_recursive_listing_is_one_json_document_with_everything_in_it() {
    let fixture = Fixture::new();
    fixture.back_up("b1", &fat_image());
    let mount_id = fixture.mount("b1");
    let mount = fixture.mounts.enter(&mount_id).unwrap();
    let body = mount
        .list_recursively(path("/"), "/".to_owned(), RowShape::Extended)
        .await
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&bytes(body).await).unwrap();
    assert_eq!(json["mount_id"], mount_id.as_str());
    assert_eq!(json["path"], "/");
    let mut paths: Vec<_> = json["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["path"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(json["total_count"], paths.len());
    paths.sort();
    assert_eq!(
        paths,
        [
            "/partition-1",
            "/partition-1/Recovery",
            "/partition-1/Recovery/ReAgent.xml",
            "/partition-1/Recovery/leer",
            "/partition-1/big.bin",
            "/partition-1/empty.txt",
            "/partition-1/Übersicht 漢.txt",
        ]
    );
}
