//! How long a mount lives: one hour after its last use (documented kind, contract 6.3).
//!
//! Pure arithmetic; the time is passed in.

use jiff::{SignedDuration, Timestamp};

/// A mount that nobody uses lives that long.
pub const IDLE_TIMEOUT: SignedDuration = SignedDuration::from_hours(1);

/// The life of one mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    last_used: Timestamp,
    n_downloads: u32,
}

impl Lease {
    /// A lease that was last renewed at that time.
    pub(crate) fn last_used(last_used: Timestamp) -> Self {
        Self {
            last_used,
            n_downloads: 0,
        }
    }

    /// Somebody browsed. A clock that was set back does not shorten the lease.
    pub(crate) fn renew(&mut self, now: Timestamp) {
        self.last_used = self.last_used.max(now);
    }

    /// A download begins: until it ends the mount cannot expire.
    pub(crate) fn hold(&mut self, now: Timestamp) {
        self.renew(now);
        self.n_downloads += 1;
    }

    /// A download ended: the hour starts anew.
    pub(crate) fn release(&mut self, now: Timestamp) {
        self.renew(now);
        self.n_downloads = self.n_downloads.saturating_sub(1);
    }

    /// Whether something is being downloaded.
    pub(crate) fn is_held(&self) -> bool {
        self.n_downloads > 0
    }

    /// When it was last used: now, while a download runs.
    pub(crate) fn last_used_at(&self, now: Timestamp) -> Timestamp {
        if self.n_downloads > 0 {
            self.last_used.max(now)
        } else {
            self.last_used
        }
    }

    /// When the mount will be closed, if nothing more happens.
    pub(crate) fn expires_at(&self, now: Timestamp) -> Timestamp {
        self.last_used_at(now)
            .checked_add(IDLE_TIMEOUT)
            .unwrap_or(Timestamp::MAX)
    }

    /// The mount may be closed.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at(now) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-24T{text}Z").parse().unwrap()
    }

    #[test]
    fn a_mount_expires_one_hour_after_it_was_last_used() {
        let mut lease = Lease::last_used(at("10:00:00"));
        assert_eq!(lease.expires_at(at("10:30:00")), at("11:00:00"));
        assert!(!lease.is_expired(at("10:59:59")));
        assert!(lease.is_expired(at("11:00:00")));
        lease.renew(at("10:45:00"));
        assert!(!lease.is_expired(at("11:44:59")));
        assert!(lease.is_expired(at("11:45:00")));
    }

    #[test]
    fn an_open_download_holds_the_mount_and_its_end_starts_the_hour() {
        let mut lease = Lease::last_used(at("10:00:00"));
        lease.hold(at("10:10:00"));
        lease.hold(at("10:20:00"));
        lease.release(at("10:30:00"));
        assert!(!lease.is_expired(at("23:00:00")), "one is still open");
        assert_eq!(lease.expires_at(at("22:00:00")), at("23:00:00"));
        lease.release(at("23:00:00"));
        assert!(!lease.is_expired(at("23:59:59")));
        assert_eq!(
            lease.expires_at(at("23:30:00")),
            "2026-11-25T00:00:00Z".parse().unwrap()
        );
    }

    #[test]
    fn a_clock_set_back_takes_nothing_away() {
        let mut lease = Lease::last_used(at("10:00:00"));
        lease.renew(at("09:00:00"));
        assert_eq!(lease.expires_at(at("09:00:00")), at("11:00:00"));
    }
}
