//! Watching a backup until it is over, and really over (contract 8.4).
//!
//! The rules are in [`Plan`], which knows no hub and no clock; [`watch_backup`] asks and waits.

use std::time::{Duration, Instant};

use sendense_types::{
    AppError, AppEvent, Backup, BackupId, BackupProgress, BackupStatus, ErrorKind,
};

use crate::hub::{Proof, failure_of};
use crate::speed::Speed;
use crate::{HubClient, Result};

/// The first looks come quickly, because small backups are over in a moment.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Pauses grow with the time a backup has taken, so that its end is never noticed later than by that part.
const PART_OF_THE_TIME: u32 = 16;
/// Hubs have nothing new more often than that.
const PAUSE: Duration = Duration::from_secs(3);
/// A backup that does not move for a while is asked for less often.
const SLOW_PAUSE: Duration = Duration::from_secs(15);
const SLOW_AFTER: Duration = Duration::from_secs(15);
/// Without a change for so long a backup counts as stalled.
const STALLED_AFTER: Duration = Duration::from_secs(60);
/// So long a hub may take to confirm the disks of a backup that it calls completed, from the last sign of life on.
const CONFIRM_WITHIN: Duration = Duration::from_secs(600);
/// On hubs that cannot confirm disks, the later ones of a completed backup get this long, from then on as well.
const SETTLE_WITHOUT_PROOF: Duration = Duration::from_secs(60);
/// A hub that cannot be reached for this long is given up; the backup continues without us.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// Watches a backup until it is over, publishing what happens, and says how it ended.
///
/// A hub that does not answer for a while is asked again. A backup counts as over when all its disks
/// are: on deployed hubs a backup is called completed too early (contract H10), and one that they never confirm ends as
/// [`Unconfirmed`](BackupStatus::Unconfirmed).
///
/// # Errors
/// Why the backup failed, in words; that it was not confirmed; or that the hub has lost it or can no longer be reached.
pub async fn watch_backup(
    hub: &HubClient,
    id: &BackupId,
    publish: &mut (dyn FnMut(AppEvent) + Send),
) -> Result<Backup> {
    let mut plan = Plan::default();
    loop {
        let step = match hub.backup(id).await {
            Ok(backup) => {
                if plan.last.is_none() {
                    hub.remember(&backup).await;
                }
                plan.seen(backup, Instant::now())
            }
            Err(error) => plan.missed(error, Instant::now()),
        };
        let pause = match step {
            Step::Look { event, pause } => {
                publish(event);
                pause
            }
            Step::Confirm {
                mut backup,
                event,
                pause,
            } => {
                let proof = hub.proof_of(&backup).await;
                if let Some(status) = plan.settled(proof, &backup, Instant::now()) {
                    backup.status = status;
                    return end(hub, *backup, publish).await;
                }
                publish(event);
                pause
            }
            Step::Over(backup) => return end(hub, *backup, publish).await,
            Step::GiveUp(error) => {
                let silence = plan.heard_at.map(|heard_at| heard_at.elapsed().as_secs());
                let mut vm_name = plan.last.map(|(backup, _)| backup.vm_name);
                if error.kind == ErrorKind::NotFound {
                    let forgotten = hub.forget_backup(id).await;
                    vm_name = vm_name.or(forgotten);
                }
                publish(AppEvent::BackupLost {
                    backup_id: id.clone(),
                    vm_name,
                    silent_for_seconds: silence,
                    error: error.clone(),
                });
                return Err(error);
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Publishes how a backup ended, and says it. Whoever starts next need not ask for it again.
async fn end(
    hub: &HubClient,
    backup: Backup,
    publish: &mut (dyn FnMut(AppEvent) + Send),
) -> Result<Backup> {
    hub.remember_end(&backup.backup_id).await;
    publish(AppEvent::BackupFinished {
        backup: Box::new(backup.clone()),
    });
    failure_of(&backup).map_or(Ok(backup), Err)
}

/// What to do after a look.
#[derive(Debug)]
enum Step {
    /// Tell, and look again.
    Look { event: AppEvent, pause: Duration },
    /// The hub says completed but lists no disks: ask for each. Unless all are done, tell, and look again.
    Confirm {
        backup: Box<Backup>,
        event: AppEvent,
        pause: Duration,
    },
    /// It will not change any more.
    Over(Box<Backup>),
    /// There is nothing more to learn.
    GiveUp(AppError),
}

/// The polling plan of one backup.
#[derive(Debug, Default)]
struct Plan {
    began_at: Option<Instant>,
    /// What was seen last, and when that was new.
    last: Option<(Backup, Instant)>,
    /// When the hub answered last.
    heard_at: Option<Instant>,
    speed: Speed,
    missing_since: Option<Instant>,
}

impl Plan {
    /// The hub answered.
    fn seen(&mut self, backup: Backup, now: Instant) -> Step {
        self.missing_since = None;
        self.heard_at = Some(now);
        let is_new = self.last.as_ref().is_none_or(|(last, _)| *last != backup);
        if is_new {
            self.last = Some((backup.clone(), now));
        }
        let pause = self.pause(now);
        match backup.status {
            BackupStatus::Failed | BackupStatus::Cancelled => Step::Over(Box::new(backup)),
            BackupStatus::Completed if is_proven_by_its_disks(&backup) => {
                Step::Over(Box::new(backup))
            }
            BackupStatus::Completed | BackupStatus::Unconfirmed if backup.disks.is_empty() => {
                Step::Confirm {
                    event: AppEvent::BackupProgressed(self.progress(backup.clone(), now)),
                    backup: Box::new(backup),
                    pause,
                }
            }
            _ => Step::Look {
                event: AppEvent::BackupProgressed(self.progress(backup, now)),
                pause,
            },
        }
    }

    /// The hub did not answer.
    fn missed(&mut self, error: AppError, now: Instant) -> Step {
        let since = *self.missing_since.get_or_insert(now);
        let is_hopeless = matches!(
            error.kind,
            ErrorKind::NotFound
                | ErrorKind::Unauthorized
                | ErrorKind::Forbidden
                | ErrorKind::Untrusted
        );
        match &self.last {
            Some((backup, _)) if !is_hopeless && now.duration_since(since) < GIVE_UP_AFTER => {
                Step::Look {
                    event: AppEvent::BackupUnreachable {
                        backup_id: backup.backup_id.clone(),
                        error,
                    },
                    pause: PAUSE,
                }
            }
            // Never seen, hopeless, or gone for too long.
            _ => Step::GiveUp(error),
        }
    }

    /// How a backup that the hub calls completed ended, after its disks were asked for; `None` while they may still be
    /// confirmed. A hub that goes on copying gets all the time it takes.
    fn settled(&self, proof: Proof, backup: &Backup, now: Instant) -> Option<BackupStatus> {
        let changed_at = self.last.as_ref().map_or(now, |(_, at)| *at);
        let waited = now.duration_since(changed_at);
        let is_single = backup.disk_count.unwrap_or(1) <= 1;
        let is_called_done = backup.status == BackupStatus::Completed;
        match proof {
            Proof::Confirmed => Some(BackupStatus::Completed),
            Proof::NotOffered if is_single && is_called_done => Some(BackupStatus::Completed),
            Proof::NotOffered => {
                (waited >= SETTLE_WITHOUT_PROOF).then_some(BackupStatus::Unconfirmed)
            }
            Proof::NotYet | Proof::Unknown => {
                (waited >= CONFIRM_WITHIN).then_some(BackupStatus::Unconfirmed)
            }
        }
    }

    fn pause(&mut self, now: Instant) -> Duration {
        let began_at = *self.began_at.get_or_insert(now);
        let changed_at = self.last.as_ref().map_or(now, |(_, at)| *at);
        if now.duration_since(changed_at) >= SLOW_AFTER {
            return SLOW_PAUSE;
        }
        (now.duration_since(began_at) / PART_OF_THE_TIME).clamp(FIRST_PAUSE, PAUSE)
    }

    fn progress(&mut self, backup: Backup, now: Instant) -> BackupProgress {
        if let Some(bytes) = backup.bytes_transferred {
            self.speed.sample(now, bytes);
        }
        let changed_at = self.last.as_ref().map_or(now, |(_, at)| *at);
        BackupProgress {
            speed_bps: self.speed.bytes_per_second(),
            eta_seconds: backup
                .total_bytes
                .filter(|total_bytes| *total_bytes > 0)
                .and_then(|total_bytes| self.speed.seconds_left(total_bytes)),
            is_stalled: now.duration_since(changed_at) >= STALLED_AFTER,
            backup: Box::new(backup),
        }
    }
}

/// Hubs that list disks say of each whether it is done.
fn is_proven_by_its_disks(backup: &Backup) -> bool {
    !backup.disks.is_empty()
        && backup
            .disks
            .iter()
            .all(|disk| disk.status == BackupStatus::Completed)
}

#[cfg(test)]
mod tests {
    use sendense_types::{BackupDisk, BackupType, Retry};

    use super::*;

    fn backup(status: BackupStatus, bytes: u64) -> Backup {
        Backup {
            backup_id: BackupId::from("backup-1"),
            vm_context_id: None,
            vm_name: "vm".to_owned(),
            repository_id: None,
            backup_type: BackupType::Full,
            status,
            hub_status: String::new(),
            disks: Vec::new(),
            disk_count: Some(2),
            progress_percent: None,
            bytes_transferred: Some(bytes),
            total_bytes: Some(10_000),
            total_size_gb: None,
            current_phase: None,
            transfer_speed_bps: None,
            stored_bytes: None,
            is_pinned: None,
            verification: None,
            verified_at: None,
            copied_from: None,
            parent_backup_id: None,
            dependents: Vec::new(),
            error_message: None,
            error_code: None,
            last_telemetry_at: None,
            created_at: None,
            started_at: None,
            completed_at: None,
        }
    }

    fn with_disks(mut backup: Backup, statuses: &[BackupStatus]) -> Backup {
        backup.disks = (0..)
            .zip(statuses)
            .map(|(disk_index, status)| BackupDisk {
                disk_index,
                status: *status,
                size_gb: None,
                qcow2_path: None,
                bytes_transferred: None,
                total_bytes: None,
                progress_percent: None,
            })
            .collect();
        backup
    }

    fn offline() -> AppError {
        AppError::new(
            ErrorKind::Offline,
            "The hub does not answer.",
            Retry::Manual,
        )
    }

    /// Contract H30.
    #[test]
    fn looks_come_quickly_at_first_and_rarely_when_nothing_moves() {
        let mut plan = Plan::default();
        let start = Instant::now();
        let mut pause = |millis, bytes| {
            let at = start + Duration::from_millis(millis);
            match plan.seen(backup(BackupStatus::Active, bytes), at) {
                Step::Look { pause, .. } => pause,
                step => panic!("{step:?}"),
            }
        };
        assert_eq!(pause(0, 1), FIRST_PAUSE);
        assert_eq!(pause(800, 2), FIRST_PAUSE);
        assert_eq!(pause(16_000, 3), Duration::from_secs(1));
        assert_eq!(pause(90_000, 4), PAUSE);
        assert_eq!(pause(104_999, 4), PAUSE);
        assert_eq!(pause(105_000, 4), SLOW_PAUSE);
        assert_eq!(pause(120_000, 5), PAUSE, "it moves again");
    }

    /// Contract H8, H39, section 12.9.
    #[test]
    fn progress_has_a_speed_and_a_stall_is_noticed() {
        let mut plan = Plan::default();
        let start = Instant::now();
        let mut look = |bytes, second| {
            let at = start + Duration::from_secs(second);
            match plan.seen(backup(BackupStatus::Active, bytes), at) {
                Step::Look {
                    event: AppEvent::BackupProgressed(progress),
                    ..
                } => progress,
                step => panic!("{step:?}"),
            }
        };
        assert_eq!(look(0, 0).speed_bps, None);
        let moving = look(2000, 2);
        assert_eq!(
            (moving.speed_bps, moving.eta_seconds),
            (Some(1000), Some(8))
        );
        assert!(!look(2000, 61).is_stalled, "it moved 59 seconds ago");
        assert!(look(2000, 62).is_stalled);
        assert!(!look(3000, 63).is_stalled);
    }

    /// Contract H10.
    #[test]
    fn completed_is_over_only_with_all_disks() {
        let start = Instant::now();
        let half = with_disks(
            backup(BackupStatus::Completed, 0),
            &[BackupStatus::Completed, BackupStatus::Active],
        );
        let step = Plan::default().seen(half, start);
        assert!(matches!(step, Step::Look { .. }), "{step:?}");
        let whole = with_disks(
            backup(BackupStatus::Completed, 0),
            &[BackupStatus::Completed, BackupStatus::Completed],
        );
        let step = Plan::default().seen(whole, start);
        assert!(matches!(step, Step::Over(_)), "{step:?}");
    }

    /// Contract D19, D35, H10, H42.
    #[test]
    fn a_hub_that_lists_no_disks_has_to_confirm_them() {
        let mut plan = Plan::default();
        let start = Instant::now();
        let done = backup(BackupStatus::Completed, 0);
        let step = plan.seen(done.clone(), start);
        assert!(matches!(step, Step::Confirm { .. }), "{step:?}");
        use BackupStatus::{Completed, Unconfirmed};
        let later = |seconds| start + Duration::from_secs(seconds);
        let settled = |plan: &Plan, proof, at| plan.settled(proof, &done, at);
        assert_eq!(settled(&plan, Proof::Confirmed, start), Some(Completed));
        assert_eq!(settled(&plan, Proof::NotYet, later(599)), None);
        assert_eq!(settled(&plan, Proof::NotYet, later(600)), Some(Unconfirmed));
        assert_eq!(settled(&plan, Proof::Unknown, later(599)), None);
        assert_eq!(settled(&plan, Proof::NotOffered, later(59)), None);
        assert_eq!(
            settled(&plan, Proof::NotOffered, later(60)),
            Some(Unconfirmed)
        );
        let mut single = done.clone();
        single.disk_count = Some(1);
        assert_eq!(
            plan.settled(Proof::NotOffered, &single, start),
            Some(Completed)
        );
    }

    /// Contract D18.
    #[test]
    fn a_backup_in_a_state_that_nobody_knows_is_followed() {
        let mut plan = Plan::default();
        let step = plan.seen(backup(BackupStatus::Unknown, 1), Instant::now());
        assert!(matches!(step, Step::Look { .. }), "{step:?}");
    }

    /// Contract H30.
    #[test]
    fn for_days_a_backup_is_looked_at_no_more_often_than_planned() {
        const TWO_DAYS: Duration = Duration::from_secs(48 * 3600);
        for (moves, least_pause) in [(true, PAUSE), (false, SLOW_PAUSE)] {
            let (mut plan, start) = (Plan::default(), Instant::now());
            let (mut at, mut n_looks) = (start, 0_u64);
            while at.duration_since(start) < TWO_DAYS {
                let bytes = if moves { n_looks } else { 1 };
                let Step::Look { pause, .. } = plan.seen(backup(BackupStatus::Active, bytes), at)
                else {
                    panic!("it runs");
                };
                at += pause;
                n_looks += 1;
            }
            let planned = TWO_DAYS.as_secs() / least_pause.as_secs();
            // The first looks come more quickly.
            assert!((planned..planned + 100).contains(&n_looks), "{n_looks}");
        }
    }

    /// Contract H42.
    #[test]
    fn the_wait_for_a_proof_begins_anew_with_each_sign_of_life() {
        let mut plan = Plan::default();
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        for (second, bytes) in [(0, 1), (500, 2), (1000, 3)] {
            let step = plan.seen(backup(BackupStatus::Unconfirmed, bytes), later(second));
            let Step::Confirm { backup, event, .. } = step else {
                panic!("{step:?}");
            };
            assert!(matches!(event, AppEvent::BackupProgressed(_)), "{event:?}");
            assert_eq!(plan.settled(Proof::NotYet, &backup, later(second)), None);
        }
        let last = backup(BackupStatus::Unconfirmed, 3);
        assert_eq!(plan.settled(Proof::NotYet, &last, later(1599)), None);
        assert_eq!(
            plan.settled(Proof::NotYet, &last, later(1600)),
            Some(BackupStatus::Unconfirmed)
        );
    }

    #[test]
    fn a_hub_that_is_away_for_a_while_is_asked_again() {
        let mut plan = Plan::default();
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        plan.seen(backup(BackupStatus::Active, 5), start);
        let step = plan.missed(offline(), later(1));
        assert!(
            matches!(
                step,
                Step::Look {
                    event: AppEvent::BackupUnreachable { .. },
                    ..
                }
            ),
            "{step:?}"
        );
        assert!(matches!(
            plan.missed(offline(), later(600)),
            Step::Look { .. }
        ));
        assert!(matches!(
            plan.missed(offline(), later(601)),
            Step::GiveUp(_)
        ));
        assert_eq!(plan.heard_at, Some(start));
    }

    #[test]
    fn a_backup_that_was_never_seen_or_is_gone_is_given_up() {
        let start = Instant::now();
        assert!(matches!(
            Plan::default().missed(offline(), start),
            Step::GiveUp(_)
        ));
        let mut plan = Plan::default();
        plan.seen(backup(BackupStatus::Active, 5), start);
        let gone = AppError::new(ErrorKind::NotFound, "Backup not found.", Retry::Never);
        assert!(matches!(plan.missed(gone, start), Step::GiveUp(_)));
    }
}
