//! How fast something moves and how long it will take, from what was seen so far.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What is shown is the average over this time: long enough to be calm, short enough to be true.
const WINDOW: Duration = Duration::from_secs(10);
/// Before that, a speed would be a guess.
const STABLE_AFTER: Duration = Duration::from_secs(1);

/// Samples of a growing number of bytes.
#[derive(Debug, Default)]
pub(crate) struct Speed {
    samples: VecDeque<(Instant, u64)>,
}

impl Speed {
    /// So many bytes in all had been moved at that moment.
    pub(crate) fn sample(&mut self, at: Instant, bytes: u64) {
        // What begins anew (contract 6.5: the next disk) has no history.
        if self.samples.back().is_some_and(|(_, last)| bytes < *last) {
            self.samples.clear();
        }
        self.samples.push_back((at, bytes));
        while self.samples.len() > 2
            && self
                .samples
                .get(1)
                .is_some_and(|(second, _)| at.duration_since(*second) >= WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// Bytes per second; `None` until that is stable.
    pub(crate) fn bytes_per_second(&self) -> Option<u64> {
        let (first, first_bytes) = self.samples.front()?;
        let (last, last_bytes) = self.samples.back()?;
        let elapsed = last.duration_since(*first);
        if elapsed < STABLE_AFTER {
            return None;
        }
        Some(((last_bytes - first_bytes) as f64 / elapsed.as_secs_f64()) as u64)
    }

    /// Seconds until `total_bytes` have been moved; `None` until that is stable, and while nothing moves.
    pub(crate) fn seconds_left(&self, total_bytes: u64) -> Option<u64> {
        let speed = self.bytes_per_second().filter(|speed| *speed > 0)?;
        let (_, done_bytes) = self.samples.back()?;
        Some(total_bytes.saturating_sub(*done_bytes).div_ceil(speed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_its_speed_and_end() {
        let start = Instant::now();
        let mut speed = Speed::default();
        assert_eq!(speed.bytes_per_second(), None);
        for second in 0..5 {
            speed.sample(start + Duration::from_secs(second), second * 1000);
        }
        assert_eq!(speed.bytes_per_second(), Some(1000));
        assert_eq!(speed.seconds_left(10_000), Some(6));
    }

    #[test]
    fn old_samples_are_forgotten() {
        let start = Instant::now();
        let mut speed = Speed::default();
        for second in 0..=10 {
            speed.sample(start + Duration::from_secs(second), second * 1000);
        }
        for second in 11..=30 {
            speed.sample(start + Duration::from_secs(second), 10_000);
        }
        assert_eq!(speed.bytes_per_second(), Some(0));
        assert_eq!(speed.seconds_left(20_000), None, "a stall has no end");
    }

    /// Contract H26.
    #[test]
    fn a_restart_is_no_negative_speed() {
        let start = Instant::now();
        let mut speed = Speed::default();
        speed.sample(start, 5000);
        speed.sample(start + Duration::from_secs(2), 100);
        assert_eq!(speed.bytes_per_second(), None);
        speed.sample(start + Duration::from_secs(4), 300);
        assert_eq!(speed.bytes_per_second(), Some(100));
    }
}
