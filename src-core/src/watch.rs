//! Watching a backup until it is over, and really over (contract 8.4).
//!
//! The rules are in [`Plan`], which knows no hub and no clock; [`watch_backup`] asks and waits.

use std::time::{Duration, Instant};

use sendense_types::{
    AppError, AppEvent, Backup, BackupId, BackupProgress, BackupStatus, ErrorKind,
};

use crate::hub::failure_of;
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
/// So long a hub may take to confirm the disks of a backup that it calls completed.
const CONFIRM_WITHIN: Duration = Duration::from_secs(600);
/// On hubs that cannot confirm disks, the later ones of a completed backup get this long.
const SETTLE_WITHOUT_PROOF: Duration = Duration::from_secs(60);
/// A hub that cannot be reached for this long is given up; the backup continues without us.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// Watches a backup until it is over, publishing what happens, and says how it ended.
///
/// A hub that does not answer for a while is asked again. A backup counts as over when all its disks
/// are: on deployed hubs a backup is called completed too early (contract H10).
///
/// # Errors
/// Why the backup failed, in words; or that the hub has lost it or can no longer be reached.
pub async fn watch_backup(
    hub: &HubClient,
    id: &BackupId,
    publish: &mut (dyn FnMut(AppEvent) + Send),
) -> Result<Backup> {
    let mut plan = Plan::default();
    loop {
        let step = match hub.backup(id).await {
            Ok(backup) => plan.seen(backup, Instant::now()),
            Err(error) => plan.missed(error, Instant::now()),
        };
        let pause = match step {
            Step::Look { event, pause } => {
                publish(event);
                pause
            }
            Step::Confirm { backup, pause } => {
                let proof = confirm(hub, &backup).await;
                if plan.is_settled(proof, &backup, Instant::now()) {
                    return Ok(finish(*backup, publish));
                }
                pause
            }
            Step::Over(backup) => {
                let failure = failure_of(&backup);
                let backup = finish(*backup, publish);
                return failure.map_or(Ok(backup), Err);
            }
            Step::GiveUp(error) => return Err(error),
        };
        tokio::time::sleep(pause).await;
    }
}

fn finish(backup: Backup, publish: &mut (dyn FnMut(AppEvent) + Send)) -> Backup {
    publish(AppEvent::BackupFinished {
        backup: Box::new(backup.clone()),
    });
    backup
}

/// What the hub says about the disks of a backup that it calls completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Every disk is done.
    Confirmed,
    /// At least one is not.
    NotYet,
    /// This hub cannot tell.
    NotOffered,
}

async fn confirm(hub: &HubClient, backup: &Backup) -> Proof {
    for disk_index in 0..backup.disk_count.unwrap_or(1) {
        match hub.is_disk_confirmed(backup, disk_index).await {
            Ok(true) => {}
            Ok(false) => return Proof::NotYet,
            Err(error) if matches!(error.kind, ErrorKind::Unsupported | ErrorKind::NotFound) => {
                return Proof::NotOffered;
            }
            Err(error) => {
                tracing::debug!(%error, "could not ask whether a disk is done");
                return Proof::NotYet;
            }
        }
    }
    Proof::Confirmed
}

/// What to do after a look.
#[derive(Debug)]
enum Step {
    /// Tell, and look again.
    Look { event: AppEvent, pause: Duration },
    /// The hub says completed but lists no disks: ask for each, and look again if need be.
    Confirm {
        backup: Box<Backup>,
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
    speed: Speed,
    completed_since: Option<Instant>,
    missing_since: Option<Instant>,
}

impl Plan {
    /// The hub answered.
    fn seen(&mut self, backup: Backup, now: Instant) -> Step {
        self.missing_since = None;
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
            BackupStatus::Completed if backup.disks.is_empty() => {
                self.completed_since.get_or_insert(now);
                Step::Confirm {
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

    /// Whether a completed backup counts as over, after its disks were asked for.
    fn is_settled(&self, proof: Proof, backup: &Backup, now: Instant) -> bool {
        let waited = self
            .completed_since
            .map_or(Duration::ZERO, |since| now.duration_since(since));
        match proof {
            Proof::Confirmed => true,
            Proof::NotYet => waited >= CONFIRM_WITHIN,
            Proof::NotOffered => {
                backup.disk_count.unwrap_or(1) <= 1 || waited >= SETTLE_WITHOUT_PROOF
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

    #[test]
    fn a_hub_that_lists_no_disks_has_to_confirm_them() {
        let mut plan = Plan::default();
        let start = Instant::now();
        let done = backup(BackupStatus::Completed, 0);
        let step = plan.seen(done.clone(), start);
        assert!(matches!(step, Step::Confirm { .. }), "{step:?}");
        assert!(plan.is_settled(Proof::Confirmed, &done, start));
        let later = |seconds| start + Duration::from_secs(seconds);
        assert!(!plan.is_settled(Proof::NotYet, &done, later(599)));
        assert!(plan.is_settled(Proof::NotYet, &done, later(600)));
        assert!(!plan.is_settled(Proof::NotOffered, &done, later(59)));
        assert!(plan.is_settled(Proof::NotOffered, &done, later(60)));
        let mut single = done;
        single.disk_count = Some(1);
        assert!(plan.is_settled(Proof::NotOffered, &single, start));
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
