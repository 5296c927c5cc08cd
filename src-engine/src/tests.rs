//! Backups from start to row, and what a killed hub leaves behind, on small raw images.

mod chains;
mod repositories;
mod upkeep;

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use sendense_disk::{AllowedRoots, Image};
use sendense_types::FailureCode;
use tokio_util::sync::CancellationToken;

use crate::{
    Backup, BackupType, Clock, Engine, Error, Filter, Finding, FoundDisk, FoundVm, Repository,
    Result, Started, Status, Verdict,
    backup::next::LONGEST_CHAIN,
    failure::HUB_STOPPED,
    files::{MARKER, partial_name},
    image::{ImageWriter, map::map_path},
    repository::layout::folder_entries,
    restore::RootLayout,
    store::{Store, backups, repositories::FIRST_NAME, vms},
    verify::check::Check,
    vms::as_on_record,
};

struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    clock: Clock,
    engine: Engine,
}

/// The engine of a hub that was just started.
fn recovered(store: &Store, clock: &Clock, repository: &Path) -> Engine {
    Engine::over(
        store.clone(),
        clock.clone(),
        RootLayout::Volumes,
        repository,
    )
    .unwrap()
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::in_memory().unwrap();
        let clock = Clock::fixed("2026-11-24T10:00:00Z".parse().unwrap());
        let engine = recovered(&store, &clock, &folder.path().join("repository"));
        Self {
            folder,
            store,
            clock,
            engine,
        }
    }

    /// The hub after a kill: the same rows and files, nothing in memory.
    fn restarted(self) -> Self {
        let mut known = self.engine.repositories().list().unwrap().into_iter();
        let first = known.find(|repository| repository.name == FIRST_NAME);
        let engine = recovered(&self.store, &self.clock, &first.unwrap().config.path);
        Self { engine, ..self }
    }

    /// A VM with these disks.
    fn add_vm(&self, disks: &[&[u8]]) -> Vec<PathBuf> {
        let images: Vec<PathBuf> = (0..)
            .zip(disks)
            .map(|(index, content)| {
                let image = self.folder.path().join(format!("disk{index}.raw"));
                fs::write(&image, content).unwrap();
                image
            })
            .collect();
        let found = FoundVm {
            id: "vm".to_owned(),
            name: "vm".to_owned(),
            path: self.folder.path().to_path_buf(),
            num_cpu: None,
            memory_mb: None,
            guest_os: None,
            power_state: None,
            disks: images
                .iter()
                .map(|path| FoundDisk {
                    label: String::new(),
                    path: path.clone(),
                    capacity_bytes: Some(1),
                    format: None,
                    chosen_because: "it is there",
                    problem: None,
                })
                .collect(),
            problem: None,
            left_out: Vec::new(),
        };
        let source = self.folder.path().display().to_string();
        self.store
            .with(|connection| {
                let new = as_on_record(&found, found.name.clone(), &source);
                vms::save(connection, new, self.clock.now())
            })
            .unwrap();
        images
    }

    fn start(&self) -> Result<Started> {
        self.start_of(BackupType::Full)
    }

    fn start_of(&self, backup_type: BackupType) -> Result<Started> {
        self.engine
            .backups()
            .start("vm", &self.repository().id, backup_type, false)
    }

    fn repository(&self) -> Repository {
        self.engine.repositories().list().unwrap().remove(0)
    }

    /// Backs the VM up and waits until that is over.
    async fn back_up(&self) -> Backup {
        let started = self.start().unwrap();
        self.engine.idle().await;
        self.backup(&started.backup_id)
    }

    async fn back_up_incrementally(&self) -> Backup {
        let started = self.start_of(BackupType::Incremental).unwrap();
        self.engine.idle().await;
        self.backup(&started.backup_id)
    }

    /// A disk of a backup has this content, and zeros up to the end of its last sector.
    #[track_caller]
    fn assert_holds(&self, backup: &Backup, disk: usize, content: &[u8]) {
        self.assert_holds_in(&self.repository(), backup, disk, content);
    }

    /// The same in any repository.
    #[track_caller]
    fn assert_holds_in(
        &self,
        repository: &Repository,
        backup: &Backup,
        disk: usize,
        content: &[u8],
    ) {
        let allowed = AllowedRoots::new([repository.config.path.clone()]);
        let image = Image::open(backup.disks[disk].qcow2_path.as_ref().unwrap(), &allowed);
        let image = image.unwrap();
        let mut stored = vec![1; content.len().next_multiple_of(512)];
        assert_eq!(image.size_bytes(), stored.len() as u64);
        image.read_at(0, &mut stored).unwrap();
        let mut expected = content.to_vec();
        expected.resize(stored.len(), 0);
        let differs = stored.iter().zip(&expected).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{} differs", backup.backup_id);
    }

    fn backup(&self, backup_id: &str) -> Backup {
        let filter = Filter {
            backup_id: Some(backup_id.to_owned()),
            ..Filter::default()
        };
        self.engine.backups().list(&filter).unwrap().pop().unwrap()
    }

    /// Every image and map of the repository, and every manifest.
    fn files(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
            for path in folder_entries(folder) {
                if path.is_dir() {
                    walk(&path, files);
                } else {
                    files.push(path);
                }
            }
        }
        let mut files = Vec::new();
        walk(&self.repository().config.path, &mut files);
        files.retain(|file| !file.ends_with(MARKER));
        files.sort();
        files
    }
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// Content in some clusters, zeros in others, and an end within a cluster.
fn disk_content(seed: u8) -> Vec<u8> {
    let mut content = vec![0; 20 * 64 * 1024 + 1536];
    for cluster in [0, 1, 7, 8, 9, 19, 20] {
        let start = cluster * 64 * 1024;
        for (index, byte) in content[start..].iter_mut().take(1000).enumerate() {
            *byte = seed.wrapping_add(index as u8) | 1;
        }
    }
    content
}

#[tokio::test]
async fn every_disk_becomes_an_image_with_the_same_content() {
    let bench = Bench::new();
    let contents = [disk_content(1), disk_content(2)];
    bench.add_vm(&[&contents[0], &contents[1]]);
    let backup = bench.back_up().await;
    assert_eq!(backup.status, Status::Completed, "{backup:?}");
    let images = bench
        .files()
        .into_iter()
        .filter(|file| has_extension(file, "qcow2"));
    assert_eq!(images.count(), 2, "{:?}", bench.files());
    for (index, (disk, content)) in backup.disks.iter().zip(&contents).enumerate() {
        assert_eq!(disk.status, Status::Completed);
        assert_eq!(disk.capacity_bytes, content.len() as u64);
        assert_eq!(disk.stored_bytes, 7 * 64 * 1024 - (64 * 1024 - 1536));
        bench.assert_holds(&backup, index, content);
    }
}

#[tokio::test]
async fn a_second_backup_of_one_vm_is_refused_while_the_first_runs() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let first = bench.start().unwrap();
    let refused = bench.start().err().unwrap();
    assert!(
        matches!(&refused, Error::BackupRunning { backup_id, .. } if *backup_id == first.backup_id),
        "{refused}"
    );
    bench.engine.idle().await;
    let second = bench.back_up().await;
    assert_eq!(second.status, Status::Completed);
    assert_ne!(second.backup_id, first.backup_id, "in the same second");
    assert_eq!(
        bench.files().len(),
        6,
        "an image, a map and a manifest each"
    );
}

#[tokio::test]
async fn a_disk_that_is_gone_fails_the_whole_backup_and_leaves_no_image() {
    let bench = Bench::new();
    let images = bench.add_vm(&[&disk_content(1), &disk_content(2)]);
    fs::remove_file(&images[1]).unwrap();
    let backup = bench.back_up().await;
    assert_eq!(backup.status, Status::Failed);
    let reason = backup.error_message.unwrap();
    assert!(reason.contains("disk1.raw"), "{reason}");
    assert_eq!(bench.files(), [] as [PathBuf; 0]);
    assert!(backup.disks.iter().all(|disk| disk.qcow2_path.is_none()));
}

#[tokio::test]
async fn a_hub_that_stops_ends_its_backups_as_failed() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let started = bench.start().unwrap();
    bench.engine.stop().await;
    let backup = bench.backup(&started.backup_id);
    // It may have been faster than the stop; half of one is never left.
    match backup.status {
        Status::Failed => assert_eq!(bench.files(), [] as [PathBuf; 0]),
        status => assert_eq!(status, Status::Completed),
    }
    assert!(matches!(bench.start().err(), Some(Error::Stopping)));
}

#[tokio::test]
async fn what_a_killed_hub_left_is_ended_and_removed_by_the_next_start() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let kept = bench.back_up().await;
    let lost = bench.back_up().await;
    // As if the kill had come after the renames and before the last transaction.
    bench
        .store
        .with(|connection| {
            connection.execute(
                "UPDATE backup_jobs SET status = 'running' WHERE id = ?1",
                [&lost.backup_id],
            )
        })
        .unwrap();
    let image = lost.disks[0].qcow2_path.clone().unwrap();
    let folder = image.parent().unwrap();
    fs::write(partial_name(&image), "half").unwrap();
    fs::write(folder.join("backup-older-1-disk0.qcow2.partial"), "half").unwrap();
    fs::write(folder.join("backup-older-1-disk0.map.partial"), "half").unwrap();
    fs::write(folder.join("somebody's notes.txt"), "mine").unwrap();

    let bench = bench.restarted();
    let ended = bench.backup(&lost.backup_id);
    assert_eq!(ended.status, Status::Failed);
    assert_eq!(ended.error_message.as_deref(), Some(HUB_STOPPED));
    let kept_image = kept.disks[0].qcow2_path.clone().unwrap();
    let mut left = vec![
        kept.manifest_path().unwrap(),
        map_path(&kept_image),
        kept_image,
        folder.join("somebody's notes.txt"),
    ];
    left.sort();
    assert_eq!(bench.files(), left);
    assert_eq!(bench.backup(&kept.backup_id).status, Status::Completed);
    assert_eq!(
        bench.back_up().await.status,
        Status::Completed,
        "the VM is free again"
    );
}

#[tokio::test]
async fn an_incremental_backup_wants_a_full_one_first() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let refused = bench.start_of(BackupType::Incremental).err();
    assert!(
        matches!(refused, Some(Error::NoPreviousBackup { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_incremental_backup_stores_what_changed_and_every_point_stays_what_it_was() {
    let bench = Bench::new();
    let images = bench.add_vm(&[&disk_content(1)]);
    let first = disk_content(1);
    let mut second = first.clone();
    // Changed, gone, new.
    second[7 * 64 * 1024 + 5] ^= 1;
    second[8 * 64 * 1024..9 * 64 * 1024].fill(0);
    second[15 * 64 * 1024] = 9;
    let full = bench.back_up().await;
    fs::write(&images[0], &second).unwrap();
    let incremental = bench.back_up_incrementally().await;
    assert_eq!(incremental.backup_type, BackupType::Incremental);
    assert_eq!(incremental.parent_backup_id.as_ref(), Some(&full.backup_id));
    assert_eq!(incremental.stored_bytes(), 2 * 64 * 1024);
    let nothing = bench.back_up_incrementally().await;
    assert_eq!(nothing.stored_bytes(), 0);
    assert_eq!(
        nothing.disks[0].change_id, incremental.disks[0].change_id,
        "equal disks have equal change ids"
    );
    assert_eq!(
        nothing.parent_backup_id.as_ref(),
        Some(&incremental.backup_id),
        "onto the newest"
    );
    bench.assert_holds(&full, 0, &first);
    bench.assert_holds(&incremental, 0, &second);
    bench.assert_holds(&nothing, 0, &second);
}

#[tokio::test]
async fn disks_that_are_new_or_whose_map_is_damaged_are_written_in_full() {
    let bench = Bench::new();
    let content = disk_content(1);
    bench.add_vm(&[&content]);
    let full = bench.back_up().await;
    bench.add_vm(&[&content, &disk_content(2)]);
    let grown = bench.back_up_incrementally().await;
    assert_eq!(grown.status, Status::Completed, "{grown:?}");
    assert_eq!(grown.disks[0].stored_bytes, 0);
    assert!(grown.disks[1].stored_bytes > 0);
    bench.assert_holds(&grown, 1, &disk_content(2));

    let map = map_path(grown.disks[0].qcow2_path.as_ref().unwrap());
    let mut bytes = fs::read(&map).unwrap();
    bytes[40] ^= 1;
    fs::write(&map, bytes).unwrap();
    let after = bench.back_up_incrementally().await;
    assert!(after.disks[0].stored_bytes > 0, "its map is not believed");
    assert_eq!(after.disks[1].stored_bytes, 0);
    bench.assert_holds(&after, 0, &content);
    bench.assert_holds(&full, 0, &content);
}

impl Bench {
    /// Verifies a backup and says what was found on its first disk, and which backups are broken.
    async fn verify(&self, backup: &Backup) -> (Finding, Vec<String>) {
        self.engine
            .verifications()
            .start(&backup.backup_id)
            .unwrap();
        self.engine.idle().await;
        let state = self
            .engine
            .verifications()
            .state_of(&backup.backup_id)
            .unwrap();
        assert!(state.is_over);
        (state.findings[0].1.clone(), state.broken)
    }
}

#[tokio::test]
async fn verifying_finds_damage_and_names_what_it_breaks() {
    let bench = Bench::new();
    let images = bench.add_vm(&[&disk_content(1)]);
    let full = bench.back_up().await;
    let mut content = disk_content(1);
    content[15 * 64 * 1024] = 9;
    content[..64 * 1024].fill(5);
    fs::write(&images[0], &content).unwrap();
    let incremental = bench.back_up_incrementally().await;
    let other_chain = bench.back_up().await;
    for backup in [&full, &incremental, &other_chain] {
        assert_eq!(bench.verify(backup).await, (Finding::Sound, Vec::new()));
    }

    // A byte that both points show, then one that only the full backup shows.
    let image = full.disks[0].qcow2_path.clone().unwrap();
    let sound = fs::read(&image).unwrap();
    let flip = |pattern: &[u8], shift: usize| {
        let mut bytes = sound.clone();
        let place = bytes
            .windows(pattern.len())
            .position(|window| window == pattern);
        bytes[place.unwrap() + shift] ^= 0x40;
        fs::write(&image, bytes).unwrap();
    };
    let content = disk_content(1);
    let mut both = vec![full.backup_id.clone(), incremental.backup_id.clone()];
    both.sort();
    // Clusters are written in order, and all hold the same: the last such place is behind the first.
    let mut bytes = sound.clone();
    let last = bytes
        .windows(500)
        .rposition(|window| *window == content[7 * 64 * 1024..7 * 64 * 1024 + 500]);
    bytes[last.unwrap()] ^= 0x40;
    fs::write(&image, bytes).unwrap();
    let (finding, mut broken) = bench.verify(&full).await;
    assert!(matches!(finding, Finding::Damaged(_)), "{finding:?}");
    broken.sort();
    assert_eq!(broken, both);

    flip(&content[..500], 0);
    let (finding, broken) = bench.verify(&full).await;
    assert!(matches!(finding, Finding::Damaged(_)), "{finding:?}");
    assert_eq!(
        broken,
        std::slice::from_ref(&full.backup_id),
        "the overlay hides that cluster"
    );
    assert_eq!(bench.verify(&incremental).await.0, Finding::Sound);

    fs::write(&image, &sound[..sound.len() / 2]).unwrap();
    let (finding, broken) = bench.verify(&incremental).await;
    assert!(matches!(finding, Finding::Damaged(_)), "{finding:?}");
    assert_eq!(broken.len(), 2, "{broken:?}");
    fs::write(&image, &sound).unwrap();

    fs::remove_file(map_path(&image)).unwrap();
    let (finding, broken) = bench.verify(&full).await;
    assert!(matches!(finding, Finding::Unproven(_)), "{finding:?}");
    assert_eq!(broken, [] as [String; 0]);
}

#[tokio::test]
async fn what_verifying_found_is_on_record_and_nothing_builds_on_damage() {
    let bench = Bench::new();
    let content = disk_content(1);
    bench.add_vm(&[&content]);
    let verdict = |backup: &Backup| {
        let verified = bench.backup(&backup.backup_id).verified;
        verified.map(|verified| verified.verdict)
    };
    let repository = bench.repository().id;
    let proven = bench
        .engine
        .backups()
        .start("vm", &repository, BackupType::Full, true);
    let proven = proven.unwrap().backup_id;
    bench.engine.idle().await;
    let full = bench.backup(&proven);
    assert_eq!(verdict(&full), Some(Verdict::Sound));
    let incremental = bench.back_up_incrementally().await;
    assert_eq!(verdict(&incremental), None, "nobody has looked");

    let image = full.disks[0].qcow2_path.clone().unwrap();
    let sound = fs::read(&image).unwrap();
    fs::write(&image, &sound[..sound.len() / 2]).unwrap();
    bench.verify(&full).await;
    assert_eq!(verdict(&full), Some(Verdict::Damaged));
    assert_eq!(verdict(&incremental), Some(Verdict::Damaged));
    let next = bench
        .engine
        .backups()
        .start("vm", &repository, BackupType::Incremental, false);
    let next = next.unwrap();
    assert_eq!(next.backup_type, BackupType::Full);
    let why = next.full_reason.unwrap();
    assert!(why.contains(&incremental.backup_id), "{why}");
    bench.engine.idle().await;

    fs::write(&image, &sound).unwrap();
    bench.verify(&incremental).await;
    assert_eq!(verdict(&incremental), Some(Verdict::Sound));
}

#[tokio::test]
async fn verifying_misses_clusters_that_are_gone_from_the_image() {
    let bench = Bench::new();
    let content = disk_content(1);
    bench.add_vm(&[&content]);
    let full = bench.back_up().await;
    let path = full.disks[0].qcow2_path.clone().unwrap();
    for last_is_there in [true, false] {
        // Sound for everybody who does not know what was backed up.
        let mut image = ImageWriter::create(&path, content.len() as u64, None).unwrap();
        if last_is_there {
            let last = content.len() / (64 * 1024) * 64 * 1024;
            let end = content.len().next_multiple_of(512);
            let mut cluster = content[last..].to_vec();
            cluster.resize(end - last, 0);
            image.write_at(last as u64, &cluster).unwrap();
        }
        image.finish().unwrap().publish().unwrap();
        let (finding, _) = bench.verify(&full).await;
        assert!(matches!(finding, Finding::Damaged(_)), "{finding:?}");
    }
}

#[tokio::test]
async fn a_cancelled_verification_ends_and_leaves_what_was_known() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let full = bench.back_up().await;
    let (id, engine) = (&full.backup_id, &bench.engine);
    assert!(matches!(
        engine.verifications().cancel(id),
        Err(Error::NotVerified(_))
    ));
    assert_eq!(bench.verify(&full).await, (Finding::Sound, Vec::new()));
    let verdict = || bench.backup(id).verified.map(|verified| verified.verdict);
    assert_eq!(verdict(), Some(Verdict::Sound));

    // While it waits for its turn, which does not come.
    let slots = engine.slots();
    let n_slots = slots.available_permits() as u32;
    let slots = slots.acquire_many_owned(n_slots).await;
    engine.verifications().start(id).unwrap();
    engine.verifications().cancel(id).unwrap();
    engine.idle().await;
    let state = engine.verifications().state_of(id).unwrap();
    assert_eq!((state.is_over, state.verdict()), (true, None));
    drop(slots);
    assert!(matches!(
        engine.verifications().cancel(id),
        Err(Error::VerificationOver)
    ));

    // And while it reads.
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let all = [bench.backup(id)];
    let check = Check::of(&all[0], cancelled);
    check.run(&all[0], &all, &bench.repository(), |state| {
        assert_eq!(state.verdict(), None);
    });
    assert_eq!(check.state().findings, [(0, Finding::Stopped)]);
    assert_eq!(verdict(), Some(Verdict::Sound));
}

#[tokio::test]
async fn only_complete_backups_are_verified() {
    let bench = Bench::new();
    let images = bench.add_vm(&[&disk_content(1)]);
    fs::remove_file(&images[0]).unwrap();
    let failed = bench.back_up().await;
    let refused = bench.engine.verifications().start(&failed.backup_id).err();
    assert!(
        matches!(refused, Some(Error::BackupNotComplete(_))),
        "{refused:?}"
    );
    let unknown = bench.engine.verifications().start("backup-x-1").err();
    assert!(
        matches!(unknown, Some(Error::BackupNotFound(_))),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn a_chain_gets_no_longer_than_it_may() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    bench.back_up().await;
    for _ in 1..LONGEST_CHAIN {
        let backup = bench.back_up_incrementally().await;
        assert_eq!(backup.backup_type, BackupType::Incremental);
    }
    let fresh = bench.back_up_incrementally().await;
    assert_eq!(fresh.backup_type, BackupType::Full);
    assert_eq!(fresh.parent_backup_id, None);
    bench.assert_holds(&fresh, 0, &disk_content(1));
}

#[tokio::test]
async fn a_cancelled_backup_leaves_nothing_and_says_so() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let started = bench.start().unwrap();
    // Nothing has been awaited, so the job has not begun.
    bench.engine.backups().cancel(&started.backup_id).unwrap();
    bench.engine.idle().await;
    let backup = bench.backup(&started.backup_id);
    assert_eq!(backup.status, Status::Cancelled);
    assert_eq!(backup.error_code, Some(FailureCode::Cancelled));
    assert_eq!(bench.files(), [] as [PathBuf; 0]);
    let again = bench.engine.backups().cancel(&started.backup_id).err();
    assert!(matches!(again, Some(Error::BackupOver(_))), "{again:?}");
    let unknown = bench.engine.backups().cancel("backup-x-1").err();
    assert!(
        matches!(unknown, Some(Error::BackupNotFound(_))),
        "{unknown:?}"
    );
    assert_eq!(bench.back_up().await.status, Status::Completed);
}

/// What happens to a disk between two backups.
#[derive(Clone, Debug)]
enum Event {
    Write { at: usize, len: usize, byte: u8 },
    Resize(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_usize..3_000_000, 1_usize..300_000, 0_u8..4)
            .prop_map(|(at, len, byte)| Event::Write { at, len, byte }),
        1 => (1_usize..3_000_000).prop_map(Event::Resize),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_recovery_point_of_every_history_is_the_disk_of_its_time(
        histories in proptest::collection::vec(proptest::collection::vec(event(), 0..5), 3..6)
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let mut disk = disk_content(1);
            let images = bench.add_vm(&[&disk]);
            let mut points = vec![(bench.back_up().await, disk.clone())];
            for events in histories {
                for event in events {
                    match event {
                        Event::Write { at, len, byte } => {
                            let start = at.min(disk.len());
                            let end = (at + len).min(disk.len());
                            disk[start..end].fill(byte);
                        }
                        Event::Resize(len) => disk.resize(len, 0),
                    }
                }
                fs::write(&images[0], &disk).unwrap();
                let backup = bench.back_up_incrementally().await;
                assert_eq!(backup.status, Status::Completed, "{backup:?}");
                points.push((backup, disk.clone()));
            }
            for (backup, disk) in &points {
                bench.assert_holds(backup, 0, disk);
            }
        });
    }
}

#[tokio::test]
async fn a_failure_that_could_not_be_written_down_is_told_and_written_down_later() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let read_only = |on: bool| {
        let set =
            |connection: &rusqlite::Connection| connection.pragma_update(None, "query_only", on);
        bench.store.with(set).unwrap();
    };
    let slots = bench.engine.slots();
    let n_slots = slots.available_permits() as u32;
    let slots = slots.acquire_many_owned(n_slots).await;
    let lost = bench.start().unwrap();
    read_only(true);
    drop(slots);
    bench.engine.idle().await;
    let told = bench.backup(&lost.backup_id);
    assert_eq!(told.status, Status::Failed);
    let reason = told.error_message.unwrap();
    assert!(reason.contains("database"), "{reason}");
    assert!(matches!(bench.start().err(), Some(Error::Database(_))));

    read_only(false);
    let next = bench.back_up().await;
    assert_eq!(next.status, Status::Completed, "{next:?}");
    let bench = bench.restarted();
    let recorded = bench.backup(&lost.backup_id);
    assert_eq!(recorded.error_message.as_deref(), Some(&*reason));
}
