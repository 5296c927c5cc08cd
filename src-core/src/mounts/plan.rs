//! When something has to be done about a mount. No hub, no clock: moments are passed in.

use std::time::Duration;

use sendense_types::Opener;
use tokio::time::Instant;

/// A mount in use is used again at least so often, so that a hub does not think it forgotten.
const PING_EVERY: Duration = Duration::from_secs(10 * 60);
/// Somebody who has not moved for this long is no longer browsing.
const ACTIVE_FOR: Duration = Duration::from_secs(30 * 60);
/// Minutes before the end at which a warning is due, in falling order.
const WARNINGS: [u32; 2] = [10, 2];
/// A look that did not help is repeated after this.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Leaving the browser for another folder of the same mount, or by mistake, is no reason to unmount.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// What has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Tell that it ends in so many minutes.
    Warn { minutes: u32 },
    /// Use it, so that it lasts.
    Ping,
    /// Ask the hub whether it is still there.
    Look,
    /// Unmount it.
    Close,
}

/// Who uses a mount, and what has been done for it.
#[derive(Clone, Debug)]
pub(super) struct Upkeep {
    /// When the hub ends it, as far as known.
    end: Option<Instant>,
    /// Downloads that read from it.
    pub(super) holds: usize,
    /// When somebody was seen browsing it; `None` when they have left.
    pub(super) browsed_at: Option<Instant>,
    /// When it was last used by us.
    pub(super) last_use: Instant,
    /// When it is to be unmounted.
    pub(super) close_at: Option<Instant>,
    /// Warnings that were given, counted from the first.
    n_warned: usize,
    /// When a look at the end was last taken.
    looked_at: Option<Instant>,
}

impl Upkeep {
    /// A mount that is used now and still lasts so long.
    pub(super) fn new(lasts: Option<Duration>, now: Instant) -> Self {
        let mut upkeep = Self {
            end: None,
            holds: 0,
            browsed_at: None,
            last_use: now,
            close_at: None,
            n_warned: 0,
            looked_at: None,
        };
        upkeep.end = lasts.map(|lasts| now + lasts);
        // One that is met shortly before its end is warned of once, not for every mark it has passed.
        upkeep.n_warned = passed(upkeep.end, now).saturating_sub(1);
        upkeep
    }

    /// The hub says that it still lasts so long.
    pub(super) fn ends_at(&mut self, lasts: Option<Duration>) {
        let now = Instant::now();
        self.end = lasts.map(|lasts| now + lasts);
        // With more time, the warnings are due again.
        self.n_warned = self.n_warned.min(passed(self.end, now));
        if lasts.is_some_and(|lasts| !lasts.is_zero()) {
            self.looked_at = None;
        }
    }

    /// What has to be done now, which then counts as done, and when the next thing has to be.
    pub(super) fn due(
        &mut self,
        now: Instant,
        keeps_open: bool,
        opened_by: Opener,
    ) -> (Vec<Deed>, Option<Instant>) {
        let mut deeds = Vec::new();
        let mut next = Vec::new();
        if let Some(close_at) = self.close_at.filter(|_| self.holds == 0) {
            if close_at <= now {
                self.close_at = None;
                return (vec![Deed::Close], None);
            }
            next.push(close_at);
        }
        // Whoever opened another one decides how long it is needed.
        if keeps_open && opened_by != Opener::SomebodyElse && self.is_used(now) {
            let ping_at = self.last_use + PING_EVERY;
            if ping_at <= now {
                self.last_use = now;
                deeds.push(Deed::Ping);
            }
            next.push(self.last_use + PING_EVERY);
        }
        if let Some(end) = self.end {
            if end <= now {
                let look_at = self.looked_at.map_or(now, |looked| looked + LOOK_AGAIN);
                if look_at <= now {
                    self.looked_at = Some(now);
                    deeds.push(Deed::Look);
                }
                next.push(now.max(look_at) + LOOK_AGAIN);
            } else {
                let passed = passed(self.end, now);
                if passed > self.n_warned {
                    self.n_warned = passed;
                    if opened_by == Opener::Window {
                        let minutes = WARNINGS[passed - 1];
                        deeds.push(Deed::Warn { minutes });
                    }
                }
                next.push(mark(end, passed).unwrap_or(end));
            }
        }
        (deeds, next.into_iter().min())
    }

    fn is_used(&self, now: Instant) -> bool {
        self.holds > 0
            || self
                .browsed_at
                .is_some_and(|browsed| now.duration_since(browsed) <= ACTIVE_FOR)
    }
}

/// How many warnings are already behind us.
fn passed(end: Option<Instant>, now: Instant) -> usize {
    let Some(end) = end else { return 0 };
    (0..WARNINGS.len())
        .take_while(|n| mark(end, *n).is_none_or(|mark| mark <= now))
        .count()
}

/// When the n-th warning is due; `None` after the last.
fn mark(end: Instant, n: usize) -> Option<Instant> {
    let minutes = WARNINGS.get(n)?;
    end.checked_sub(Duration::from_secs(u64::from(*minutes) * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Runs a mount through time, jumping from deadline to deadline as the task does.
    fn history(
        mut upkeep: Upkeep,
        began: Instant,
        minutes: u32,
        keeps_open: bool,
    ) -> Vec<(u64, Deed)> {
        let mut now = began;
        let end = began + MINUTE * minutes;
        let mut history = Vec::new();
        while now <= end {
            let (deeds, next) = upkeep.due(now, keeps_open, Opener::Window);
            let minute = now.duration_since(began).as_secs() / 60;
            history.extend(deeds.iter().map(|deed| (minute, *deed)));
            if deeds.contains(&Deed::Close) {
                break;
            }
            let Some(next) = next else { break };
            assert!(next > now, "time must go on after {now:?}: {upkeep:?}");
            now = next;
        }
        history
    }

    #[tokio::test(start_paused = true)]
    async fn an_unused_mount_is_warned_of_twice_and_looked_for_at_its_end() {
        let now = Instant::now();
        let upkeep = Upkeep::new(Some(MINUTE * 60), now);
        let history = history(upkeep, now, 60, true);
        assert_eq!(
            history,
            [
                (50, Deed::Warn { minutes: 10 }),
                (58, Deed::Warn { minutes: 2 }),
                (60, Deed::Look),
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_mount_that_is_met_late_is_warned_of_once() {
        let now = Instant::now();
        let history = history(Upkeep::new(Some(MINUTE), now), now, 0, true);
        assert_eq!(history, [(0, Deed::Warn { minutes: 2 })]);
    }

    /// Contract D63.
    #[tokio::test(start_paused = true)]
    async fn a_browsed_mount_is_used_every_ten_minutes_as_long_as_somebody_is_there() {
        let now = Instant::now();
        let mut upkeep = Upkeep::new(None, now);
        upkeep.browsed_at = Some(now);
        let pings = history(upkeep.clone(), now, 120, true);
        assert_eq!(
            pings,
            [(10, Deed::Ping), (20, Deed::Ping), (30, Deed::Ping)]
        );
        assert_eq!(
            history(upkeep, now, 120, false),
            [],
            "unless that is not wanted"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_download_keeps_a_mount_in_use_and_open() {
        let now = Instant::now();
        let mut upkeep = Upkeep::new(None, now);
        upkeep.holds = 1;
        upkeep.close_at = Some(now + GRACE);
        let history = history(upkeep, now, 25, true);
        assert_eq!(history, [(10, Deed::Ping), (20, Deed::Ping)]);
    }

    #[tokio::test(start_paused = true)]
    async fn leaving_the_browser_unmounts_after_a_moment() {
        let now = Instant::now();
        let mut upkeep = Upkeep::new(Some(MINUTE * 60), now);
        upkeep.close_at = Some(now + GRACE);
        assert_eq!(upkeep.due(now, true, Opener::Window).0, []);
        assert_eq!(history(upkeep, now, 60, true), [(0, Deed::Close)]);
    }

    #[tokio::test(start_paused = true)]
    async fn with_more_time_the_warnings_are_due_again() {
        let now = Instant::now();
        let mut upkeep = Upkeep::new(Some(MINUTE * 9), now);
        assert_eq!(
            upkeep.due(now, true, Opener::Window).0,
            [Deed::Warn { minutes: 10 }]
        );
        assert_eq!(upkeep.due(now, true, Opener::Window).0, []);
        upkeep.ends_at(Some(MINUTE * 60));
        tokio::time::advance(MINUTE * 51).await;
        let due = upkeep.due(Instant::now(), true, Opener::Window).0;
        assert_eq!(due, [Deed::Warn { minutes: 10 }]);
    }

    /// Contract H13.
    #[tokio::test(start_paused = true)]
    async fn nobody_is_warned_of_other_peoples_mounts() {
        let now = Instant::now();
        let mut upkeep = Upkeep::new(Some(MINUTE * 9), now);
        assert_eq!(upkeep.due(now, true, Opener::SomebodyElse).0, []);
        assert_eq!(upkeep.due(now, true, Opener::Terminal).0, []);
    }

    #[tokio::test(start_paused = true)]
    async fn looking_at_somebody_elses_mount_does_not_keep_it_alive() {
        let now = Instant::now();
        let mut upkeep = Upkeep::new(Some(MINUTE * 60), now);
        (upkeep.browsed_at, upkeep.holds) = (Some(now), 1);
        let later = now + PING_EVERY;
        assert_eq!(upkeep.due(later, true, Opener::SomebodyElse).0, []);
        assert_eq!(upkeep.due(later, true, Opener::Terminal).0, [Deed::Ping]);
    }
}
