//! How far along running backups are. Kept in memory, because ten updates a second do not belong in a database.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    Clock,
    store::backups::{Backup, Status},
};

/// The speed is that of the last seconds: an average since the start tells nothing about now.
const SPEED_WINDOW: SignedDuration = SignedDuration::from_secs(5);
/// More samples would not make it truer.
const SAMPLES_APART: SignedDuration = SignedDuration::from_millis(250);
/// Before that, a speed would be a guess.
const STABLE_AFTER: SignedDuration = SignedDuration::from_millis(500);

/// What a job is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// In line, because others are copying.
    Pending,
    /// Looking at the sources and for room.
    Preparing,
    /// Copying.
    Transferring,
    /// Reading back what was written.
    Verifying,
    /// Making images visible and writing their rows.
    Committing,
}

/// How far one backup is; written by its threads, read by requests.
#[derive(Debug)]
pub(crate) struct Progress {
    disks: Vec<DiskProgress>,
    phase: AtomicU8,
    speed: Mutex<Speed>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct DiskProgress {
    total_bytes: AtomicU64,
    read_bytes: AtomicU64,
    stored_bytes: AtomicU64,
    state: AtomicU8,
}

/// When how many bytes had been read, in the last seconds.
#[derive(Debug, Default)]
struct Speed {
    samples: VecDeque<(Timestamp, u64)>,
    moved_at: Option<Timestamp>,
}

const WAITING: u8 = 0;
const COPYING: u8 = 1;
const COPIED: u8 = 2;

impl Phase {
    /// The contract's word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Preparing => "preparing",
            Self::Transferring => "transferring",
            Self::Verifying => "verifying",
            Self::Committing => "committing",
        }
    }

    fn from_u8(value: u8) -> Self {
        [
            Self::Pending,
            Self::Preparing,
            Self::Transferring,
            Self::Verifying,
        ]
        .into_iter()
        .find(|phase| *phase as u8 == value)
        .unwrap_or(Self::Committing)
    }
}

impl Progress {
    /// Of a backup with that many disks that has not begun.
    pub(crate) fn new(n_disks: usize, clock: Clock) -> Self {
        Self {
            disks: (0..n_disks).map(|_| DiskProgress::default()).collect(),
            phase: AtomicU8::new(Phase::Pending as u8),
            speed: Mutex::default(),
            clock,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        if phase == Phase::Transferring {
            self.speed().sample(self.clock.now(), self.read_bytes());
        }
    }

    pub(crate) fn expect(&self, disk: usize, total_bytes: u64) {
        if let Some(disk) = self.disks.get(disk) {
            disk.total_bytes.store(total_bytes, Ordering::Relaxed);
        }
    }

    pub(crate) fn begin(&self, disk: usize) {
        if let Some(disk) = self.disks.get(disk) {
            disk.state.store(COPYING, Ordering::Relaxed);
        }
    }

    pub(crate) fn end(&self, disk: usize) {
        if let Some(disk) = self.disks.get(disk) {
            disk.state.store(COPIED, Ordering::Relaxed);
        }
    }

    /// So much of a disk was read, and so much of that had to be stored.
    pub(crate) fn copied(&self, disk: usize, read_bytes: u64, stored_bytes: u64) {
        let Some(disk) = self.disks.get(disk) else {
            return;
        };
        disk.read_bytes.fetch_add(read_bytes, Ordering::Relaxed);
        disk.stored_bytes.fetch_add(stored_bytes, Ordering::Relaxed);
        let now = self.clock.now();
        let mut speed = self.speed();
        speed.moved_at = Some(now);
        if speed.is_due(now) {
            speed.sample(now, self.read_bytes());
        }
    }

    fn speed(&self) -> MutexGuard<'_, Speed> {
        // Nothing panics under this lock.
        self.speed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read_bytes(&self) -> u64 {
        self.disks
            .iter()
            .map(|disk| disk.read_bytes.load(Ordering::Relaxed))
            .sum()
    }

    /// Read and stored bytes of one disk.
    pub(crate) fn disk_bytes(&self, disk: usize) -> (u64, u64) {
        self.disks.get(disk).map_or((0, 0), |disk| {
            (
                disk.read_bytes.load(Ordering::Relaxed),
                disk.stored_bytes.load(Ordering::Relaxed),
            )
        })
    }

    /// Puts what is known here into what is on record.
    pub(crate) fn show_in(&self, backup: &mut Backup) {
        let phase = Phase::from_u8(self.phase.load(Ordering::Relaxed));
        backup.current_phase = phase.as_str().to_owned();
        for (row, disk) in backup.disks.iter_mut().zip(&self.disks) {
            row.total_bytes = disk.total_bytes.load(Ordering::Relaxed);
            row.bytes_transferred = disk.read_bytes.load(Ordering::Relaxed).min(row.total_bytes);
            row.stored_bytes = disk.stored_bytes.load(Ordering::Relaxed);
            row.status = match disk.state.load(Ordering::Relaxed) {
                WAITING => Status::Pending,
                COPIED => Status::Completed,
                _ => Status::Running,
            };
        }
        // Clients offer a restore as soon as every disk is done (contract 8.4), but there is nothing
        // to restore before the whole backup is on record.
        if backup
            .disks
            .iter()
            .all(|disk| disk.status == Status::Completed)
            && let Some(last) = backup.disks.last_mut()
        {
            last.status = Status::Running;
        }
        backup.bytes_transferred = backup.disks.iter().map(|disk| disk.bytes_transferred).sum();
        backup.total_bytes = backup.disks.iter().map(|disk| disk.total_bytes).sum();

        // As of now and not of the last byte: where nothing moves, the speed falls.
        let now = self.clock.now();
        let mut speed = self.speed();
        if phase == Phase::Transferring && speed.is_due(now) {
            speed.sample(now, self.read_bytes());
        }
        let bytes_per_second = speed.bytes_per_second();
        backup.transfer_speed_bps = bytes_per_second.unwrap_or(0);
        backup.last_telemetry_at = speed.moved_at;
        backup.eta_seconds = bytes_per_second
            .filter(|speed| *speed > 0 && phase == Phase::Transferring)
            .map(|speed| {
                let left = backup.total_bytes.saturating_sub(backup.bytes_transferred);
                left.div_ceil(speed)
            });
    }
}

impl Speed {
    fn is_due(&self, now: Timestamp) -> bool {
        self.samples
            .back()
            .is_none_or(|(last, _)| now.duration_since(*last).abs() >= SAMPLES_APART)
    }

    fn sample(&mut self, now: Timestamp, bytes: u64) {
        // Somebody set the clock back: what was measured by it is worth nothing.
        if self.samples.back().is_some_and(|(last, _)| now < *last) {
            self.samples.clear();
        }
        self.samples.push_back((now, bytes));
        // The oldest is just outside the window, so that the window is full.
        while self
            .samples
            .get(1)
            .is_some_and(|(second, _)| now.duration_since(*second) >= SPEED_WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// `None` until it is more than a guess.
    fn bytes_per_second(&self) -> Option<u64> {
        let (first, first_bytes) = self.samples.front()?;
        let (last, last_bytes) = self.samples.back()?;
        let elapsed = last.duration_since(*first);
        if elapsed < STABLE_AFTER {
            return None;
        }
        let moved = last_bytes.saturating_sub(*first_bytes);
        Some((moved as f64 / elapsed.as_secs_f64()) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::store::backups::BackupDisk;

    const MIB: u64 = 1 << 20;

    fn row(n_disks: u32) -> Backup {
        let disk = |disk_index| {
            BackupDisk::new(disk_index, 0, PathBuf::from("disk.qcow2"), Status::Pending)
        };
        Backup {
            status: Status::Running,
            disks: (0..n_disks).map(disk).collect(),
            ..Backup::example()
        }
    }

    /// A backup of two disks of 100 and 50 MiB whose first disk is being copied.
    fn copying() -> (Progress, Clock) {
        let clock = Clock::fixed(Timestamp::UNIX_EPOCH);
        let progress = Progress::new(2, clock.clone());
        progress.enter(Phase::Preparing);
        progress.expect(0, 100 * MIB);
        progress.expect(1, 50 * MIB);
        progress.enter(Phase::Transferring);
        progress.begin(0);
        (progress, clock)
    }

    fn shown(progress: &Progress) -> Backup {
        let mut backup = row(2);
        progress.show_in(&mut backup);
        backup
    }

    #[test]
    fn a_steady_backup_has_its_speed_and_the_time_that_is_left() {
        let (progress, clock) = copying();
        assert_eq!(shown(&progress).eta_seconds, None, "nothing is known yet");
        for _ in 0..10 {
            clock.advance(SignedDuration::from_secs(1));
            progress.copied(0, 5 * MIB, 0);
        }
        let backup = shown(&progress);
        assert_eq!(backup.transfer_speed_bps, 5 * MIB);
        assert_eq!(backup.eta_seconds, Some(20), "100 of 150 MiB are left");
        assert_eq!(backup.last_telemetry_at, Some(clock.now()));
        assert_eq!(backup.bytes_transferred, 50 * MIB);
        assert_eq!(backup.total_bytes, 150 * MIB);
        assert_eq!(backup.current_phase, "transferring");
    }

    #[test]
    fn what_is_read_and_not_stored_moves_a_backup_as_well() {
        let (progress, clock) = copying();
        clock.advance(SignedDuration::from_secs(1));
        progress.copied(0, 10 * MIB, 0);
        let backup = shown(&progress);
        assert_eq!(backup.disks[0].bytes_transferred, 10 * MIB);
        assert_eq!(backup.disks[0].stored_bytes, 0);
        assert_eq!(backup.transfer_speed_bps, 10 * MIB);
    }

    #[test]
    fn where_nothing_moves_the_speed_falls_and_nobody_knows_the_end() {
        let (progress, clock) = copying();
        for _ in 0..3 {
            clock.advance(SignedDuration::from_secs(1));
            progress.copied(0, 9 * MIB, 9 * MIB);
        }
        let moved_at = clock.now();
        let mut before = shown(&progress).transfer_speed_bps;
        assert_eq!(before, 9 * MIB);
        for _ in 0..5 {
            clock.advance(SignedDuration::from_secs(2));
            let speed = shown(&progress).transfer_speed_bps;
            assert!(speed < before || speed == 0, "{speed} after {before}");
            before = speed;
        }
        let backup = shown(&progress);
        assert_eq!((backup.transfer_speed_bps, backup.eta_seconds), (0, None));
        assert_eq!(backup.last_telemetry_at, Some(moved_at));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_speed() {
        let mut speed = Speed::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        speed.sample(at(100), 0);
        speed.sample(at(102), 100);
        assert_eq!(speed.bytes_per_second(), Some(50));
        speed.sample(at(10), 200);
        assert_eq!(speed.bytes_per_second(), None);
        speed.sample(at(12), 400);
        assert_eq!(speed.bytes_per_second(), Some(100));
    }

    #[test]
    fn the_last_disk_is_done_only_with_the_backup() {
        let (progress, _) = copying();
        progress.copied(0, 100 * MIB, 0);
        progress.end(0);
        let statuses = |progress: &Progress| {
            let disks = shown(progress).disks;
            [disks[0].status, disks[1].status]
        };
        assert_eq!(statuses(&progress), [Status::Completed, Status::Pending]);
        progress.begin(1);
        progress.copied(1, 50 * MIB, 0);
        progress.end(1);
        progress.enter(Phase::Committing);
        assert_eq!(statuses(&progress), [Status::Completed, Status::Running]);
        let backup = shown(&progress);
        assert_eq!(backup.eta_seconds, None, "there is nothing left to copy");
        assert_eq!(backup.current_phase, "committing");
    }
}
