//! Deleting, pinning and thinning out, and kills in the middle of it.

use super::*;
use crate::{
    Policy, Vm,
    claims::Work,
    removal,
    retention::merge::merge,
    store::{jobs, removals},
};

/// One disk, backed up again and again with another content each time.
struct History {
    bench: Bench,
    image: PathBuf,
    points: Vec<(Backup, Vec<u8>)>,
}

impl History {
    /// A full backup and `n_incremental` more; each changes two clusters, and one clears a third.
    async fn new(n_incremental: u8) -> Self {
        let bench = Bench::new();
        let content = disk_content(1);
        let image = bench.add_vm(&[&content]).remove(0);
        let full = bench.back_up().await;
        let mut history = Self {
            bench,
            image,
            points: vec![(full, content)],
        };
        for number in 1..=n_incremental {
            history.back_up(number).await;
        }
        history
    }

    async fn back_up(&mut self, number: u8) {
        let mut content = self.points.last().unwrap().1.clone();
        let cluster = |index: usize| index * 64 * 1024..(index + 1) * 64 * 1024;
        content[cluster(usize::from(number))].fill(number);
        content[cluster(11)].fill(0x80 | number);
        if number == 2 {
            content[cluster(7)].fill(0);
        }
        fs::write(&self.image, &content).unwrap();
        let backup = self.bench.back_up_incrementally().await;
        assert_eq!(backup.status, Status::Completed, "{backup:?}");
        self.points.push((backup, content));
    }

    fn id(&self, number: usize) -> String {
        self.points[number].0.backup_id.clone()
    }

    fn vm(&self) -> Vm {
        self.bench.store.with(vms::list).unwrap().remove(0)
    }

    fn keep_last(&self, keep_last: u32) {
        let policy = Policy {
            keep_last,
            ..Policy::default()
        };
        self.bench
            .engine
            .retention()
            .set_policy(&self.vm(), Some(policy))
            .unwrap();
    }

    async fn thin_out(&self) {
        self.bench.engine.retention().start(&self.vm()).unwrap();
        self.bench.engine.idle().await;
        let run = self.bench.engine.retention().run_of(&self.vm()).unwrap();
        assert!(run.is_over);
        assert_eq!(run.error, None);
    }

    /// Thins out, and gives why that ended early.
    async fn thin_out_in_vain(&self) -> String {
        self.bench.engine.retention().start(&self.vm()).unwrap();
        self.bench.engine.idle().await;
        let run = self.bench.engine.retention().run_of(&self.vm()).unwrap();
        run.error.unwrap()
    }

    /// These points are on record and hold what they held; the repository has nothing else.
    #[track_caller]
    fn assert_left(&self, numbers: &[usize]) {
        let all = self
            .bench
            .engine
            .backups()
            .list(&Filter::default())
            .unwrap();
        let mut ids: Vec<_> = all.iter().map(|backup| backup.backup_id.clone()).collect();
        ids.reverse();
        let expected: Vec<_> = numbers.iter().map(|number| self.id(*number)).collect();
        assert_eq!(ids, expected);
        for number in numbers {
            let (backup, content) = &self.points[*number];
            self.bench.assert_holds(backup, 0, content);
        }
        assert_eq!(
            self.bench.files().len(),
            3 * numbers.len(),
            "images, maps and manifests"
        );
    }

    /// The image that a point builds on.
    fn backing_file(&self, number: usize) -> Option<PathBuf> {
        let allowed = AllowedRoots::new([self.bench.repository().config.path]);
        let image = self.points[number].0.disks[0].qcow2_path.clone().unwrap();
        let image = Image::open(&image, &allowed).unwrap();
        image.files().get(1).cloned()
    }
}

#[tokio::test]
async fn a_backup_that_others_build_on_is_deleted_only_together_with_them() {
    let history = History::new(3).await;
    let engine = &history.bench.engine;
    let refused = engine.backups().delete(&history.id(1), false).unwrap_err();
    let Error::HasDependents { dependents, .. } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(*dependents, [history.id(3), history.id(2)]);
    history.assert_left(&[0, 1, 2, 3]);

    let deleted = engine.backups().delete(&history.id(2), true).unwrap();
    assert_eq!(deleted, [history.id(3), history.id(2)]);
    history.assert_left(&[0, 1]);
    engine.backups().delete(&history.id(1), false).unwrap();
    history.assert_left(&[0]);
    engine.backups().delete(&history.id(0), false).unwrap();
    history.assert_left(&[]);
    let gone = engine.backups().delete(&history.id(0), false).unwrap_err();
    assert!(matches!(gone, Error::BackupNotFound(_)), "{gone}");
}

#[tokio::test]
async fn a_pinned_backup_is_not_deleted_not_even_with_what_it_builds_on() {
    let history = History::new(2).await;
    let engine = &history.bench.engine;
    engine.backups().pin(&history.id(2), true).unwrap();
    let refused = engine.backups().delete(&history.id(0), true).unwrap_err();
    assert!(
        matches!(&refused, Error::BackupPinned(id) if *id == history.id(2)),
        "{refused}"
    );
    history.assert_left(&[0, 1, 2]);
    engine.backups().pin(&history.id(2), false).unwrap();
    engine.backups().delete(&history.id(0), true).unwrap();
    history.assert_left(&[]);
}

#[tokio::test]
async fn the_next_incremental_backup_builds_on_what_is_left() {
    let mut history = History::new(2).await;
    history
        .bench
        .engine
        .backups()
        .delete(&history.id(2), false)
        .unwrap();
    history.points.truncate(2);
    history.back_up(3).await;
    history.assert_left(&[0, 1, 2]);
    assert_eq!(history.points[2].0.parent_backup_id, Some(history.id(1)));
}

#[tokio::test]
async fn retention_merges_expired_points_into_the_next_kept_one() {
    let history = History::new(4).await;
    history.keep_last(2);
    history
        .bench
        .engine
        .backups()
        .pin(&history.id(1), true)
        .unwrap();
    history.thin_out().await;
    history.assert_left(&[0, 1, 3, 4]);
    let parent = |number: usize| {
        let id = history.id(number);
        history.bench.backup(&id).parent_backup_id
    };
    assert_eq!(parent(3), Some(history.id(1)));
    let image_of = |number: usize| history.points[number].0.disks[0].qcow2_path.clone();
    assert_eq!(history.backing_file(3), image_of(1));

    history
        .bench
        .engine
        .backups()
        .pin(&history.id(1), false)
        .unwrap();
    for number in [0, 3, 4] {
        history.bench.verify(&history.points[number].0).await;
    }
    history.thin_out().await;
    history.assert_left(&[0, 3, 4]);
    assert_eq!(history.backing_file(3), image_of(0));
    let is_verified = [0, 3, 4].map(|number| {
        let point = history.bench.backup(&history.id(number));
        point.verified.is_some()
    });
    assert_eq!(is_verified, [true, false, false], "those have a new image");
    // Nothing is left to do.
    history.thin_out().await;
    history.assert_left(&[0, 3, 4]);
}

#[tokio::test]
async fn retention_runs_after_each_backup_and_keeps_the_chain_going() {
    let mut history = History::new(0).await;
    history.keep_last(2);
    for number in 1..=4 {
        history.back_up(number).await;
    }
    history.assert_left(&[0, 3, 4]);
    assert_eq!(
        history.bench.verify(&history.points[4].0).await.0,
        Finding::Sound
    );
}

#[tokio::test]
async fn a_whole_chain_that_expired_is_dropped() {
    let mut history = History::new(2).await;
    let full = history.bench.back_up().await;
    let content = history.points[2].1.clone();
    history.points.push((full, content));
    history.keep_last(1);
    history.thin_out().await;
    history.assert_left(&[3]);
}

#[tokio::test]
async fn a_damaged_image_is_not_merged_and_everything_stays() {
    let history = History::new(3).await;
    let image = history.points[2].0.disks[0].qcow2_path.clone().unwrap();
    let sound = fs::read(&image).unwrap();
    let mut bytes = sound.clone();
    let place = bytes.windows(64).rposition(|window| window == [2; 64]);
    bytes[place.unwrap()] ^= 1;
    fs::write(&image, &bytes).unwrap();
    history.keep_last(1);
    let why = history.thin_out_in_vain().await;
    assert!(why.contains("verify it"), "{why}");
    fs::write(&image, &sound).unwrap();
    history.assert_left(&[0, 1, 2, 3]);
}

#[tokio::test]
async fn a_merge_that_would_uncover_damage_below_leaves_everything() {
    let mut history = History::new(0).await;
    let image = |backup: &Backup| backup.disks[0].qcow2_path.clone().unwrap();
    // Of the full backup nobody sees a cluster any more that was changed, and changed back.
    let mut content = history.points[0].1.clone();
    for fill in [0xa1, 0x55, 0xa1] {
        content[64 * 1024..2 * 64 * 1024].fill(fill);
        fs::write(&history.image, &content).unwrap();
        let backup = match history.points.len() {
            1 => history.bench.back_up().await,
            _ => history.bench.back_up_incrementally().await,
        };
        history.points.push((backup, content.clone()));
    }
    let full = image(&history.points[1].0);
    let sound = fs::read(&full).unwrap();
    let mut bytes = sound.clone();
    let place = bytes.windows(64).position(|window| window == [0xa1; 64]);
    bytes[place.unwrap()] ^= 1;
    fs::write(&full, &bytes).unwrap();
    let newest = history.points[3].0.clone();
    assert_eq!(history.bench.verify(&newest).await.0, Finding::Sound);

    history.keep_last(1);
    let why = history.thin_out_in_vain().await;
    assert!(why.contains("would be damaged"), "{why}");
    assert_eq!(history.bench.verify(&newest).await.0, Finding::Sound);
}

#[tokio::test]
async fn a_clock_that_was_put_back_misleads_neither_retention_nor_deletion() {
    let history = History::new(4).await;
    // The second incremental seems to be newer than the one that builds on it.
    history
        .bench
        .store
        .with(|connection| {
            let times = [(2, "2026-11-24T12:00:00Z"), (3, "2026-11-24T11:00:00Z")];
            for (number, time) in times {
                connection.execute(
                    "UPDATE backup_jobs SET created_at = ?2 WHERE id = ?1",
                    (history.id(number), time),
                )?;
            }
            Ok::<_, rusqlite::Error>(())
        })
        .unwrap();
    let dependents = |number: usize| -> Vec<String> {
        let backup = history.bench.backup(&history.id(number));
        let dependents = history.bench.engine.backups().dependents(&backup).unwrap();
        dependents
            .into_iter()
            .map(|backup| backup.backup_id)
            .collect()
    };
    assert_eq!(
        dependents(1),
        [history.id(4), history.id(3), history.id(2)],
        "those that build on it come first"
    );
    history.keep_last(1);
    history.thin_out().await;
    for number in [0, 4] {
        let (point, content) = &history.points[number];
        let point = history.bench.backup(&point.backup_id);
        history.bench.assert_holds(&point, 0, content);
    }
}

#[tokio::test]
async fn what_was_pinned_or_built_on_meanwhile_stays_on_record() {
    let history = History::new(2).await;
    let forget = |number: usize| {
        let doomed = [history.points[number].0.clone()];
        removal::forget(&history.bench.store, &doomed)
    };
    assert!(matches!(forget(1), Err(Error::HasDependents { .. })));
    history
        .bench
        .engine
        .backups()
        .pin(&history.id(2), true)
        .unwrap();
    assert!(matches!(forget(2), Err(Error::BackupPinned(_))));
    history.assert_left(&[0, 1, 2]);
}

#[tokio::test]
async fn a_kill_between_a_merge_and_its_row_loses_nothing() {
    let mut history = History::new(3).await;
    let (expired, into) = (&history.points[2].0, &history.points[3].0);
    let repository = history.bench.repository().config.path;
    let stopping = CancellationToken::new();
    merge(&[expired], into, &repository, &stopping).unwrap();

    history.bench = history.bench.restarted();
    history.assert_left(&[0, 1, 2, 3]);
    history.keep_last(1);
    history.thin_out().await;
    history.assert_left(&[0, 3]);
}

#[tokio::test]
async fn a_kill_between_rows_and_files_is_finished_by_the_next_start() {
    let mut history = History::new(1).await;
    history
        .bench
        .store
        .transaction(|transaction| jobs::forget(transaction, [&history.points[1].0]))
        .unwrap();
    assert_eq!(history.bench.files().len(), 6, "the files are still there");
    history.bench = history.bench.restarted();
    history.assert_left(&[0]);
}

#[tokio::test]
async fn a_path_that_is_used_again_is_not_removed() {
    let mut history = History::new(0).await;
    let backup = &history.points[0].0;
    history
        .bench
        .store
        .with(|connection| removals::note_files(connection, backup))
        .unwrap();
    history.bench = history.bench.restarted();
    history.assert_left(&[0]);
}

#[tokio::test]
async fn files_on_a_disk_that_is_not_connected_go_when_it_is_back() {
    let mut history = History::new(1).await;
    let repository = history.bench.repository().config.path;
    let elsewhere = repository.with_extension("elsewhere");
    fs::rename(&repository, &elsewhere).unwrap();
    history
        .bench
        .engine
        .backups()
        .delete(&history.id(1), false)
        .unwrap();
    fs::rename(&elsewhere, &repository).unwrap();
    assert_eq!(history.bench.files().len(), 6, "nothing could be removed");
    history.bench = history.bench.restarted();
    history.assert_left(&[0]);
}

#[tokio::test]
async fn a_running_backup_is_not_deleted_and_keeps_what_it_builds_on() {
    let history = History::new(0).await;
    let started = history.bench.start_of(BackupType::Incremental).unwrap();
    let engine = &history.bench.engine;
    let itself = engine
        .backups()
        .delete(&started.backup_id, false)
        .unwrap_err();
    assert!(matches!(itself, Error::BackupNotOver(_)), "{itself}");
    let parent = engine.backups().delete(&history.id(0), true).unwrap_err();
    assert!(matches!(parent, Error::BackupRunning { .. }), "{parent}");
    engine.idle().await;
    assert_eq!(
        history.bench.backup(&started.backup_id).status,
        Status::Completed
    );
}

#[tokio::test]
async fn while_chains_change_nothing_else_begins() {
    let history = History::new(1).await;
    let engine = &history.bench.engine;
    let work = Work::thinning_out(&history.vm().context_id);
    let _claim = engine.shared().claims.claim(work).unwrap();
    let id = history.id(1);
    for refused in [
        history.bench.start().err(),
        engine.verifications().start(&id).err(),
        engine.backups().delete(&id, false).err(),
    ] {
        let refused = refused.unwrap();
        assert!(matches!(refused, Error::VmBusy { .. }), "{refused}");
    }
    history.assert_left(&[0, 1]);
}

#[tokio::test]
async fn a_policy_that_keeps_nothing_is_refused() {
    let history = History::new(0).await;
    let (engine, vm) = (&history.bench.engine, history.vm());
    let refused = engine
        .retention()
        .set_policy(&vm, Some(Policy::default()))
        .unwrap_err();
    assert!(matches!(refused, Error::KeepsNothing), "{refused}");
    let none = engine.retention().start(&vm).unwrap_err();
    assert!(matches!(none, Error::NoRetention(_)), "{none}");
}
