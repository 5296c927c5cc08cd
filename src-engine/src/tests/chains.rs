//! What builds on what when the clock, or somebody with a file manager, gets in the way, and cancelling as early as
//! possible.

use std::{sync::mpsc, thread, time::Duration};

use jiff::SignedDuration;

use super::*;
use crate::chain::{Chains, problems};

impl Bench {
    fn completed(&self) -> Vec<Backup> {
        let filter = Filter {
            status: Some(Status::Completed),
            ..Filter::default()
        };
        self.engine.backups().list(&filter).unwrap()
    }

    /// Why a point cannot be restored.
    fn problem(&self, backup_id: &str) -> Option<String> {
        let points = self.completed();
        assert!(points.iter().any(|point| point.backup_id == backup_id));
        problems(&Chains::of(&points), &self.repository().config.path).remove(backup_id)
    }
}

fn image_of(backup: &Backup) -> &Path {
    backup.disks[0].qcow2_path.as_ref().unwrap()
}

#[tokio::test]
async fn incremental_backups_build_on_each_other_though_the_clock_was_put_back() {
    let bench = Bench::new();
    let source = bench.add_vm(&[&disk_content(1)]).remove(0);
    let mut made = vec![bench.back_up().await];
    for seed in 2..6 {
        let hours = if seed == 3 { -48 } else { 1 };
        bench.clock.advance(SignedDuration::from_hours(hours));
        fs::write(&source, disk_content(seed)).unwrap();
        made.push(bench.back_up_incrementally().await);
    }
    for pair in made.windows(2) {
        assert_eq!(
            pair[1].parent_backup_id.as_ref(),
            Some(&pair[0].backup_id),
            "{} is built on what was made before it",
            pair[1].backup_id
        );
    }
    let points = bench.completed();
    assert!(Chains::of(&points).chains()[0].is_line);
    for (seed, point) in (1..).zip(&made) {
        bench.assert_holds(point, 0, &disk_content(seed));
    }
}

#[tokio::test]
async fn what_builds_on_a_lost_image_is_not_restorable_though_it_seems_older() {
    let bench = Bench::new();
    let source = bench.add_vm(&[&disk_content(1)]).remove(0);
    let first = bench.back_up().await;
    bench.clock.advance(SignedDuration::from_hours(-48));
    fs::write(&source, disk_content(2)).unwrap();
    let second = bench.back_up_incrementally().await;
    fs::write(&source, disk_content(3)).unwrap();
    let third = bench.back_up_incrementally().await;
    assert_eq!(bench.problem(&third.backup_id), None);

    fs::remove_file(image_of(&first)).unwrap();
    let lost = Some("an image of it is missing".to_owned());
    assert_eq!(bench.problem(&first.backup_id), lost);
    for point in [&second, &third] {
        let problem = bench.problem(&point.backup_id).unwrap();
        assert!(problem.contains(&first.backup_id), "{problem}");
    }

    // The next one holds the disk in full, because its parent's images cannot be opened.
    fs::write(&source, disk_content(4)).unwrap();
    let fourth = bench.back_up_incrementally().await;
    assert_eq!(bench.problem(&fourth.backup_id), None);
    bench.assert_holds(&fourth, 0, &disk_content(4));
}

#[tokio::test]
async fn a_point_whose_parent_is_not_on_record_is_judged_by_its_images() {
    let bench = Bench::new();
    let source = bench.add_vm(&[&disk_content(1)]).remove(0);
    let first = bench.back_up().await;
    fs::write(&source, disk_content(2)).unwrap();
    let second = bench.back_up_incrementally().await;
    bench
        .store
        .with(|connection| {
            connection.execute_batch("PRAGMA foreign_keys = OFF")?;
            connection.execute("DELETE FROM backup_jobs WHERE id = ?1", [&first.backup_id])
        })
        .unwrap();
    assert_eq!(bench.problem(&second.backup_id), None);
    fs::remove_file(image_of(&first)).unwrap();
    let problem = bench.problem(&second.backup_id).unwrap();
    assert!(problem.contains(&first.backup_id), "{problem}");
}

/// Who sees the row of a backup can cancel it, however early that is: while nobody can know of the job, its row
/// is not there yet.
#[tokio::test]
async fn a_backup_can_be_cancelled_as_soon_as_it_is_on_record() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let runtime = tokio::runtime::Handle::current();
    let (store, engine) = (bench.store.clone(), bench.engine.clone());
    let repository = bench.repository().id;
    let unknown = bench.engine.backups().running();
    let starting = thread::spawn(move || {
        let _runtime = runtime.enter();
        engine
            .backups()
            .start("vm", &repository, BackupType::Full, false)
    });
    let (sender, seen) = mpsc::channel();
    let watching = thread::spawn(move || {
        loop {
            let rows = store.with(|connection| backups::list(connection, &Filter::default()));
            if let Some(row) = rows.unwrap().pop() {
                return sender.send(row.backup_id);
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
    let early = seen.recv_timeout(Duration::from_millis(300));
    assert!(early.is_err(), "the row is there and the job is not");
    drop(unknown);
    let backup_id = seen.recv().unwrap();
    bench.engine.backups().cancel(&backup_id).unwrap();
    starting.join().unwrap().unwrap();
    watching.join().unwrap().unwrap();
    bench.engine.idle().await;
    assert_eq!(bench.backup(&backup_id).status, Status::Cancelled);
}
