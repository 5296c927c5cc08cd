//! How far running backups are. Kept in memory: a database is no place for ten updates a second.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::{
    Clock,
    backup::{Backup, Status},
};

/// The speed is that of the last seconds: an average since the start tells nothing about now.
const SPEED_SAMPLE: Duration = Duration::from_millis(500);
/// Share of the newest sample in the speed that is shown.
const NEWEST_SHARE: f64 = 0.3;

/// What a job is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
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

#[derive(Debug)]
struct Speed {
    sampled_at: Instant,
    sampled_bytes: u64,
    bytes_per_second: Option<f64>,
    moved_at: Option<Timestamp>,
}

const WAITING: u8 = 0;
const COPYING: u8 = 1;
const COPIED: u8 = 2;

impl Phase {
    /// The contract's word.
    pub(super) fn as_str(self) -> &'static str {
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
    pub(super) fn new(n_disks: usize, clock: Clock) -> Self {
        Self {
            disks: (0..n_disks).map(|_| DiskProgress::default()).collect(),
            phase: AtomicU8::new(Phase::Pending as u8),
            speed: Mutex::new(Speed {
                sampled_at: Instant::now(),
                sampled_bytes: 0,
                bytes_per_second: None,
                moved_at: None,
            }),
            clock,
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(super) fn expect(&self, disk: usize, total_bytes: u64) {
        if let Some(disk) = self.disks.get(disk) {
            disk.total_bytes.store(total_bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn begin(&self, disk: usize) {
        if let Some(disk) = self.disks.get(disk) {
            disk.state.store(COPYING, Ordering::Relaxed);
        }
    }

    pub(super) fn end(&self, disk: usize) {
        if let Some(disk) = self.disks.get(disk) {
            disk.state.store(COPIED, Ordering::Relaxed);
        }
    }

    /// So much of a disk was read, and so much of that had to be stored.
    pub(super) fn copied(&self, disk: usize, read_bytes: u64, stored_bytes: u64) {
        let Some(disk) = self.disks.get(disk) else {
            return;
        };
        disk.read_bytes.fetch_add(read_bytes, Ordering::Relaxed);
        disk.stored_bytes.fetch_add(stored_bytes, Ordering::Relaxed);
        let mut speed = self.speed.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = speed.sampled_at.elapsed();
        if elapsed < SPEED_SAMPLE {
            return;
        }
        let read = self.read_bytes();
        let newest = (read.saturating_sub(speed.sampled_bytes)) as f64 / elapsed.as_secs_f64();
        speed.bytes_per_second = Some(match speed.bytes_per_second {
            None => newest,
            Some(before) => before.mul_add(1.0 - NEWEST_SHARE, newest * NEWEST_SHARE),
        });
        speed.sampled_at = Instant::now();
        speed.sampled_bytes = read;
        speed.moved_at = Some(self.clock.now());
    }

    pub(super) fn read_bytes(&self) -> u64 {
        self.disks
            .iter()
            .map(|disk| disk.read_bytes.load(Ordering::Relaxed))
            .sum()
    }

    /// Read and stored bytes of one disk.
    pub(super) fn disk_bytes(&self, disk: usize) -> (u64, u64) {
        self.disks.get(disk).map_or((0, 0), |disk| {
            (
                disk.read_bytes.load(Ordering::Relaxed),
                disk.stored_bytes.load(Ordering::Relaxed),
            )
        })
    }

    /// Puts what is known here into what is on record.
    pub(super) fn show_in(&self, backup: &mut Backup) {
        let speed = self.speed.lock().unwrap_or_else(PoisonError::into_inner);
        backup.current_phase = Phase::from_u8(self.phase.load(Ordering::Relaxed))
            .as_str()
            .to_owned();
        backup.transfer_speed_bps = speed.bytes_per_second.unwrap_or(0.0) as u64;
        backup.last_telemetry_at = speed.moved_at;
        drop(speed);

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
    }
}
