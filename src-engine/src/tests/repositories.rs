//! What repositories know without a database, and chains that move between repositories.

use super::*;
use crate::{
    ChainCopy, NotConnected,
    repository::{ensure_local, manifest::Manifest},
};

/// A VM with two disks and a chain of three points, the second of them pinned.
struct Shelf {
    bench: Bench,
    points: Vec<Backup>,
    contents: Vec<[Vec<u8>; 2]>,
}

impl Shelf {
    async fn new() -> Self {
        let bench = Bench::new();
        let mut contents = vec![[disk_content(1), disk_content(2)]];
        let images = bench.add_vm(&[&contents[0][0], &contents[0][1]]);
        let mut points = vec![bench.back_up().await];
        for seed in 3..5 {
            let mut next = contents[contents.len() - 1].clone();
            next[0][seed * 1000] ^= 7;
            next[1] = disk_content(seed as u8);
            for (image, content) in images.iter().zip(&next) {
                fs::write(image, content).unwrap();
            }
            contents.push(next);
            points.push(bench.back_up_incrementally().await);
        }
        bench
            .engine
            .backups()
            .pin(&points[1].backup_id, true)
            .unwrap();
        Self {
            bench,
            points,
            contents,
        }
    }

    fn folder(&self) -> PathBuf {
        self.bench.repository().config.path
    }

    /// Another repository, new and empty.
    fn second(&self) -> Repository {
        let folder = self.bench.folder.path().join("second");
        self.bench
            .engine
            .repositories()
            .create("second", &folder)
            .unwrap()
    }

    /// A hub without any memory, whose first repository lies there.
    fn amnesiac(self, first: &str) -> Self {
        let store = Store::in_memory().unwrap();
        let clock = Clock::fixed("2026-12-24T10:00:00Z".parse().unwrap());
        let engine = recovered(&store, &clock, &self.bench.folder.path().join(first));
        let bench = Bench {
            store,
            clock,
            engine,
            ..self.bench
        };
        Self { bench, ..self }
    }

    /// What is on record there, oldest first.
    fn points_in(&self, repository: &Repository) -> Vec<Backup> {
        let filter = Filter {
            repository_id: Some(repository.id.clone()),
            ..Filter::default()
        };
        let mut found = self.bench.engine.backups().list(&filter).unwrap();
        found.reverse();
        found
    }

    /// All points are on record with what was known of them, and hold what they held.
    #[track_caller]
    fn assert_whole(&self, repository: &Repository) {
        let found = self.points_in(repository);
        assert_eq!(found.len(), self.points.len());
        for ((found, known), contents) in found.iter().zip(&self.points).zip(&self.contents) {
            assert_eq!(found.backup_type, known.backup_type);
            assert_eq!(found.created_at, known.created_at);
            assert_eq!(found.completed_at, known.completed_at);
            assert_eq!(found.stored_bytes(), known.stored_bytes());
            for (index, content) in contents.iter().enumerate() {
                assert_eq!(found.disks[index].change_id, known.disks[index].change_id);
                let path = found.disks[index].qcow2_path.as_ref().unwrap();
                assert!(path.starts_with(&repository.config.path), "{path:?}");
                self.bench
                    .assert_holds_in(repository, found, index, content);
            }
        }
    }
}

#[tokio::test]
async fn a_lost_database_is_rebuilt_from_the_repository() {
    let shelf = Shelf::new().await.amnesiac("repository");
    let reported = shelf.bench.engine.repositories().differences();
    assert!(
        reported
            .iter()
            .any(|difference| difference.problem.contains("rescan")),
        "{reported:?}"
    );
    let rescanned = shelf
        .bench
        .engine
        .repositories()
        .rescan(&shelf.folder())
        .unwrap();
    let ids: Vec<_> = shelf
        .points
        .iter()
        .map(|point| point.backup_id.clone())
        .collect();
    assert_eq!(rescanned.adopted, ids);
    assert!(rescanned.problems.is_empty(), "{:?}", rescanned.problems);
    shelf.assert_whole(&shelf.bench.repository());
    assert_eq!(shelf.bench.engine.repositories().differences(), []);
    for (position, point) in shelf.points.iter().enumerate() {
        let found = shelf.bench.backup(&point.backup_id);
        assert_eq!(found.parent_backup_id, point.parent_backup_id);
        assert_eq!(found.is_pinned, position == 1);
    }
    let next = shelf.bench.back_up_incrementally().await;
    assert_eq!(next.status, Status::Completed);
    assert_eq!(next.parent_backup_id.as_ref(), ids.last());
    assert_eq!(next.stored_bytes(), 0, "nothing has changed");

    let again = shelf
        .bench
        .engine
        .repositories()
        .rescan(&shelf.folder())
        .unwrap();
    assert_eq!(again.adopted, [""; 0]);
    assert_eq!(again.n_known, 4);
}

#[tokio::test]
async fn a_repository_that_comes_from_another_computer_opens_where_it_is_now() {
    let shelf = Shelf::new().await;
    let moved = shelf.bench.folder.path().join("usb/backups");
    fs::create_dir_all(moved.parent().unwrap()).unwrap();
    fs::rename(shelf.folder(), &moved).unwrap();
    let shelf = shelf.amnesiac("another");
    let rescanned = shelf.bench.engine.repositories().rescan(&moved).unwrap();
    assert_eq!(rescanned.adopted.len(), 3);
    shelf.assert_whole(&rescanned.repository);

    let elsewhere = moved.with_extension("renamed");
    fs::rename(&moved, &elsewhere).unwrap();
    let rescanned = shelf
        .bench
        .engine
        .repositories()
        .rescan(&elsewhere)
        .unwrap();
    assert_eq!((rescanned.adopted.len(), rescanned.n_known), (0, 3));
    shelf.assert_whole(&rescanned.repository);
}

#[tokio::test]
async fn a_second_copy_of_a_connected_repository_is_refused() {
    let shelf = Shelf::new().await;
    let copy = shelf.bench.folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    let marker = Path::new(MARKER);
    fs::copy(shelf.folder().join(marker), copy.join(marker)).unwrap();
    let refused = shelf.bench.engine.repositories().rescan(&copy).unwrap_err();
    assert!(
        matches!(refused, Error::RepositoryElsewhere { .. }),
        "{refused}"
    );
    let nothing = shelf.bench.folder.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    let refused = shelf
        .bench
        .engine
        .repositories()
        .rescan(&nothing)
        .unwrap_err();
    assert!(matches!(refused, Error::NoRepositoryThere(_)), "{refused}");
    assert_eq!(fs::read_dir(&nothing).unwrap().count(), 0);
}

#[tokio::test]
async fn what_cannot_be_restored_is_reported_and_the_rest_is_found() {
    let shelf = Shelf::new().await.amnesiac("repository");
    let manifest = |point: usize| shelf.points[point].manifest_path().unwrap();
    let mut damaged = fs::read(manifest(1)).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(manifest(1), damaged).unwrap();
    fs::remove_file(shelf.points[2].disks[1].qcow2_path.as_ref().unwrap()).unwrap();
    let rescanned = shelf
        .bench
        .engine
        .repositories()
        .rescan(&shelf.folder())
        .unwrap();
    assert_eq!(rescanned.adopted, [shelf.points[0].backup_id.clone()]);
    let told: Vec<_> = rescanned
        .problems
        .iter()
        .map(|(path, _)| path.clone())
        .collect();
    assert_eq!(told.len(), 2, "{:?}", rescanned.problems);
    assert!(
        told.contains(&manifest(1)) && told.contains(&manifest(2)),
        "{told:?}"
    );
}

#[tokio::test]
async fn two_manifests_of_the_same_images_are_one_recovery_point() {
    let shelf = Shelf::new().await;
    let manifest = shelf.points[2].manifest_path().unwrap();
    shelf
        .bench
        .store
        .with(|connection| {
            let renamed = "UPDATE backup_jobs SET id = 'backup-vm-0' WHERE id = ?1";
            connection
                .pragma_update(None, "foreign_keys", false)
                .unwrap();
            connection
                .execute(renamed, [&shelf.points[2].backup_id])
                .unwrap();
            let renamed =
                "UPDATE backup_disks SET backup_job_id = 'backup-vm-0' WHERE backup_job_id = ?1";
            connection.execute(renamed, [&shelf.points[2].backup_id])
        })
        .unwrap();
    let rescanned = shelf
        .bench
        .engine
        .repositories()
        .rescan(&shelf.folder())
        .unwrap();
    assert_eq!(rescanned.adopted, [""; 0]);
    let [(path, why)] = &rescanned.problems[..] else {
        panic!("{:?}", rescanned.problems);
    };
    assert_eq!(*path, manifest);
    assert!(why.to_string().contains("backup-vm-0"), "{why}");
}

#[tokio::test]
async fn every_flipped_byte_of_a_manifest_is_noticed() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let path = bench.back_up().await.manifest_path().unwrap();
    let sound = fs::read(&path).unwrap();
    Manifest::read(&path).unwrap();
    for position in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[position] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(Manifest::read(&path).is_err(), "byte {position}");
    }
    fs::write(&path, &sound[..sound.len() - 1]).unwrap();
    assert!(Manifest::read(&path).is_err(), "the end is cut off");
}

#[tokio::test]
async fn rows_and_files_that_differ_are_reported_and_nothing_is_deleted() {
    let mut shelf = Shelf::new().await;
    let manifest = shelf.points[0].manifest_path().unwrap();
    let written = fs::read(&manifest).unwrap();
    fs::write(&manifest, "something else").unwrap();
    fs::remove_file(shelf.points[1].manifest_path().unwrap()).unwrap();
    let lost = shelf.points[2].disks[0].qcow2_path.clone().unwrap();
    fs::remove_file(&lost).unwrap();
    let stranger = lost.with_file_name("backup-other-disk0.qcow2");
    fs::write(&stranger, "of another hub").unwrap();

    shelf.bench = shelf.bench.restarted();
    let differences = shelf.bench.engine.repositories().differences();
    let paths: Vec<_> = differences
        .iter()
        .map(|difference| &difference.path)
        .collect();
    assert_eq!(paths, [&lost, &stranger], "{differences:?}");
    assert!(differences[0].problem.contains(&shelf.points[2].backup_id));
    assert!(stranger.exists());
    assert_eq!(
        fs::read(&manifest).unwrap(),
        written,
        "written anew from the rows"
    );
    assert!(shelf.points[1].manifest_path().unwrap().exists());
    assert_eq!(
        shelf
            .bench
            .engine
            .backups()
            .list(&Filter::default())
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn a_repository_whose_disk_is_not_connected_is_neither_written_to_nor_lost() {
    let mut shelf = Shelf::new().await;
    let folder = shelf.folder();
    let away = folder.with_extension("away");
    fs::rename(&folder, &away).unwrap();
    // As the place of a disk that is not plugged in.
    fs::create_dir(&folder).unwrap();
    shelf.bench = shelf.bench.restarted();
    for refused in [
        shelf.bench.start_of(BackupType::Full).err().unwrap(),
        shelf
            .bench
            .engine
            .verifications()
            .start(&shelf.points[0].backup_id)
            .unwrap_err(),
        shelf
            .bench
            .engine
            .backups()
            .pin(&shelf.points[0].backup_id, true)
            .unwrap_err(),
    ] {
        let is_told = matches!(
            refused,
            Error::RepositoryNotConnected {
                why: NotConnected::NotThere(_),
                ..
            }
        );
        assert!(is_told, "{refused}");
    }
    ensure_local(&shelf.bench.store, &shelf.bench.clock, &folder).unwrap();
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        0,
        "nothing was written"
    );
    assert_eq!(
        shelf.bench.engine.repositories().differences(),
        [],
        "nothing is called lost"
    );

    fs::remove_dir(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    shelf.assert_whole(&shelf.bench.repository());
    assert_eq!(
        shelf.bench.back_up_incrementally().await.status,
        Status::Completed
    );
}

async fn copy(shelf: &Shelf, point: usize, target: &Repository) -> ChainCopy {
    let source = &shelf.points[point].backup_id;
    let id = shelf
        .bench
        .engine
        .copies()
        .start(source, &target.id)
        .unwrap();
    shelf.bench.engine.idle().await;
    let mut copies = shelf.bench.engine.copies().of_backup(source).unwrap();
    copies.retain(|copy| copy.id == id);
    copies.remove(0)
}

#[tokio::test]
async fn a_point_that_is_copied_back_leaves_what_is_there() {
    let mut shelf = Shelf::new().await;
    let target = shelf.second();
    assert_eq!(copy(&shelf, 2, &target).await.error_message, None);
    let there = shelf.points_in(&target);
    let engine = &shelf.bench.engine;
    engine
        .backups()
        .delete(&shelf.points[2].backup_id, false)
        .unwrap();
    // What the copy has of the full backup is damaged; here it is sound.
    let damaged = there[0].disks[0].qcow2_path.clone().unwrap();
    let bytes = fs::read(&damaged).unwrap();
    fs::write(&damaged, vec![0; bytes.len()]).unwrap();
    let first = shelf.points[0].disks[0].qcow2_path.clone().unwrap();
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let before = inode(&first);

    let home = shelf.bench.repository();
    let newest = &there[2].backup_id;
    engine.copies().start(newest, &home.id).unwrap();
    engine.idle().await;
    let copied = engine.copies().of_backup(newest).unwrap().remove(0);
    assert_eq!(copied.error_message, None, "only the newest was missing");
    assert_eq!(inode(&first), before);
    let found = shelf.points_in(&home);
    assert_eq!(found.len(), 3);
    assert_eq!(found[2].parent_backup_id, Some(found[1].backup_id.clone()));
    shelf.points[2].backup_id = found[2].backup_id.clone();
    shelf.assert_whole(&home);
}

#[tokio::test]
async fn a_copy_never_writes_over_a_file_that_is_on_record() {
    let shelf = Shelf::new().await;
    let target = shelf.second();
    assert_eq!(copy(&shelf, 0, &target).await.error_message, None);
    // As if it had come there in another way.
    let forgotten = "UPDATE backup_jobs SET copied_from = NULL WHERE repository_id = ?1";
    shelf
        .bench
        .store
        .with(|connection| connection.execute(forgotten, [&target.id]))
        .unwrap();
    let refused = copy(&shelf, 1, &target).await.error_message.unwrap();
    assert!(refused.contains("stays as it is"), "{refused}");
}

#[tokio::test]
async fn two_copies_of_one_machine_to_one_place_do_not_run_together() {
    let shelf = Shelf::new().await;
    let target = shelf.second();
    let engine = &shelf.bench.engine;
    let slots = engine.slots();
    let n_slots = slots.available_permits() as u32;
    let slots = slots.acquire_many_owned(n_slots).await;
    engine
        .copies()
        .start(&shelf.points[1].backup_id, &target.id)
        .unwrap();
    for number in [1, 2] {
        let again = engine
            .copies()
            .start(&shelf.points[number].backup_id, &target.id);
        assert!(matches!(again, Err(Error::CopyRunning(_))), "{again:?}");
    }
    drop(slots);
    engine.idle().await;
    assert_eq!(copy(&shelf, 2, &target).await.error_message, None);
    shelf.assert_whole(&target);
}

#[tokio::test]
async fn a_point_whose_parent_cannot_be_adopted_still_hangs_on_what_is_below() {
    let shelf = Shelf::new().await;
    let manifest = shelf.points[1].manifest_path().unwrap();
    fs::write(&manifest, "{}").unwrap();
    let shelf = shelf.amnesiac("repository");
    let rescanned = shelf
        .bench
        .engine
        .repositories()
        .rescan(&shelf.folder())
        .unwrap();
    assert_eq!(rescanned.adopted.len(), 2, "{:?}", rescanned.problems);
    let (full, last) = (&shelf.points[0].backup_id, &shelf.points[2].backup_id);
    assert_eq!(
        shelf.bench.backup(last).parent_backup_id.as_ref(),
        Some(full)
    );
    let refused = shelf.bench.engine.backups().delete(full, false);
    assert!(matches!(refused, Err(Error::HasDependents { .. })));
}

#[tokio::test]
async fn a_chain_is_copied_point_by_point_and_stands_without_the_original() {
    let shelf = Shelf::new().await;
    let target = shelf.second();
    let first_two = copy(&shelf, 1, &target).await;
    assert_eq!(first_two.error_message, None);
    assert_eq!(first_two.verification_status, "passed");
    let all = copy(&shelf, 2, &target).await;
    assert_eq!(all.error_message, None);
    assert!(
        all.size_bytes < first_two.size_bytes,
        "only what was not there yet"
    );
    shelf.assert_whole(&target);

    let newest = shelf.bench.backup(all.backup_id.as_ref().unwrap());
    assert_eq!(
        newest.copied_from.as_ref(),
        Some(&shelf.points[2].backup_id)
    );
    shelf
        .bench
        .engine
        .backups()
        .delete(&shelf.points[0].backup_id, true)
        .unwrap_err();
    shelf
        .bench
        .engine
        .backups()
        .pin(&shelf.points[1].backup_id, false)
        .unwrap();
    shelf
        .bench
        .engine
        .backups()
        .delete(&shelf.points[0].backup_id, true)
        .unwrap();
    shelf.assert_whole(&target);

    let started =
        shelf
            .bench
            .engine
            .backups()
            .start("vm", &target.id, BackupType::Incremental, true);
    let started = started.unwrap();
    shelf.bench.engine.idle().await;
    let next = shelf.bench.backup(&started.backup_id);
    assert_eq!(next.status, Status::Completed, "{next:?}");
    assert_eq!(next.parent_backup_id, all.backup_id);
}

#[tokio::test]
async fn a_copy_that_was_cut_off_goes_on_and_leaves_nothing() {
    let mut shelf = Shelf::new().await;
    let target = shelf.second();
    let image = shelf.points[0].disks[0].qcow2_path.clone().unwrap();
    let below = image.strip_prefix(shelf.folder()).unwrap().to_path_buf();
    // As a kill between two pieces leaves it.
    let half = target
        .config
        .path
        .join(format!("{}.copying", below.display()));
    fs::create_dir_all(half.parent().unwrap()).unwrap();
    fs::write(&half, &fs::read(&image).unwrap()[..100_000]).unwrap();
    shelf.bench = shelf.bench.restarted();
    assert!(half.exists(), "it is not taken for rubbish");
    assert_eq!(shelf.bench.engine.repositories().differences(), []);
    assert_eq!(copy(&shelf, 2, &target).await.error_message, None);
    shelf.assert_whole(&target);
    assert!(!half.exists());
}

#[tokio::test]
async fn a_cancelled_copy_ends_though_others_hold_it_up_and_goes_on_when_asked_again() {
    let shelf = Shelf::new().await;
    let target = shelf.second();
    let source = &shelf.points[2].backup_id;
    let engine = &shelf.bench.engine;
    let slots = engine.slots();
    let n_slots = slots.available_permits() as u32;
    let slots = slots.acquire_many_owned(n_slots).await;
    let id = engine.copies().start(source, &target.id).unwrap();
    engine.copies().cancel(source, id).unwrap();
    engine.idle().await;
    let cancelled = engine.copies().of_backup(source).unwrap().remove(0);
    assert_eq!(cancelled.status, "failed");
    assert_eq!(cancelled.error_message.as_deref(), Some("it was cancelled"));
    assert_eq!(cancelled.error_code, Some(FailureCode::Cancelled));
    drop(slots);
    assert!(matches!(
        engine.copies().cancel(source, id),
        Err(Error::CopyNotRunning)
    ));
    assert!(matches!(
        engine.copies().cancel(source, id + 1),
        Err(Error::CopyNotFound(_))
    ));
    assert_eq!(copy(&shelf, 2, &target).await.error_message, None);
    shelf.assert_whole(&target);
}

#[tokio::test]
async fn a_copy_of_a_damaged_chain_is_said_to_be_damaged() {
    let shelf = Shelf::new().await;
    let target = shelf.second();
    let image = shelf.points[0].disks[0].qcow2_path.clone().unwrap();
    let mut bytes = fs::read(&image).unwrap();
    let place = bytes.len() - 64 * 1024;
    bytes[place] ^= 1;
    fs::write(&image, bytes).unwrap();
    let copy = copy(&shelf, 0, &target).await;
    assert_eq!(copy.status, "failed");
    assert!(
        copy.error_message
            .unwrap()
            .contains("disk 0 of both is damaged")
    );
}

#[tokio::test]
async fn a_point_whose_base_is_not_on_record_is_not_copied() {
    let shelf = Shelf::new().await;
    let target = shelf.second();
    shelf
        .bench
        .store
        .with(|connection| {
            connection.execute(
                "UPDATE backup_jobs SET parent_backup_id = NULL WHERE id = ?1",
                [&shelf.points[1].backup_id],
            )
        })
        .unwrap();
    let copy = copy(&shelf, 2, &target).await;
    assert_eq!(copy.status, "failed");
    let why = copy.error_message.unwrap();
    assert!(why.contains(&shelf.points[1].backup_id), "{why}");
    let filter = Filter {
        repository_id: Some(target.id.clone()),
        ..Filter::default()
    };
    assert_eq!(shelf.bench.engine.backups().list(&filter).unwrap(), []);
}

#[tokio::test]
async fn repositories_are_made_once_and_given_up_when_they_are_empty() {
    let shelf = Shelf::new().await;
    let engine = &shelf.bench.engine;
    let folder = shelf.bench.folder.path().join("disk");
    let made = engine.repositories().create("disk", &folder).unwrap();
    let name_taken = engine
        .repositories()
        .create("disk", &folder.with_extension("2"))
        .unwrap_err();
    assert!(
        matches!(name_taken, Error::RepositoryNameTaken(_)),
        "{name_taken}"
    );
    let there = engine.repositories().create("again", &folder).unwrap_err();
    assert!(matches!(there, Error::RepositoryThere(_)), "{there}");
    let inside = engine
        .repositories()
        .create("inside", &folder.join("deeper"))
        .unwrap_err();
    assert!(matches!(inside, Error::RepositoryInside { .. }), "{inside}");
    let file = folder.with_extension("file");
    fs::write(&file, "").unwrap();
    let no_folder = engine.repositories().create("file", &file).unwrap_err();
    assert!(matches!(no_folder, Error::NotAFolder(_)), "{no_folder}");

    let started = engine
        .backups()
        .start("vm", &made.id, BackupType::Full, false)
        .unwrap();
    let busy = engine.repositories().delete(&made.id).unwrap_err();
    assert!(matches!(busy, Error::RepositoryHasBackups { .. }), "{busy}");
    engine.idle().await;
    engine.backups().delete(&started.backup_id, false).unwrap();
    engine.repositories().delete(&made.id).unwrap();
    assert!(!folder.join(MARKER).exists());
    let first = engine
        .repositories()
        .delete(&shelf.bench.repository().id)
        .unwrap_err();
    assert!(matches!(first, Error::FirstRepository), "{first}");
}
