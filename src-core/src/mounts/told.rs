//! From what a hub says about a mount to what is shown. No hub, no clock: answers and moments are passed in.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sendense_types::{Backup, Expiry, Mount, MountId, MountStatus, OpenMount};

/// Clocks are compared to a second; a mount got more time when its end moved by more than that.
const MOVED: SignedDuration = SignedDuration::from_secs(5);

/// What the hub says of a mount, with what we knew of it before. `hub_now` is the time by the hub's clock.
pub(super) fn described(
    mount: &Mount,
    before: Option<&OpenMount>,
    now: Timestamp,
    hub_now: Option<Timestamp>,
) -> OpenMount {
    let expires_at = mount.expires_at.map(|end| match hub_now {
        // The hub's clock may differ from ours, and only its own counts.
        Some(hub_now) => now + end.duration_since(hub_now),
        None => end,
    });
    let mut open = before.cloned().unwrap_or_else(|| met(&mount.mount_id));
    open.backup_id = mount.backup_id.clone().or(open.backup_id);
    open.disk_index = mount.disk_index.or(open.disk_index);
    open.filesystem_type = mount.filesystem_type.clone().or(open.filesystem_type);
    open.is_open = mount.status != MountStatus::Mounting;
    // Two readings of the same end differ by the time between them; that is no news.
    let moved = match (open.expires_at, expires_at) {
        (Some(before), Some(after)) => after.duration_since(before).abs() > MOVED,
        _ => true,
    };
    if moved {
        open.expires_at = expires_at;
    }
    open
}

/// A mount of which nothing is known but that it is there.
pub(super) fn met(mount_id: &MountId) -> OpenMount {
    OpenMount {
        mount_id: mount_id.clone(),
        backup_id: None,
        disk_index: None,
        vm_id: None,
        vm_name: None,
        backup_time: None,
        backup_type: None,
        filesystem_type: None,
        expires_at: None,
        expiry: Expiry::Unknown,
        is_open: false,
        is_ours: false,
        folder: "/".to_owned(),
    }
}

/// How long a mount still lasts.
pub(super) fn lasts(mount: &OpenMount, now: Timestamp) -> Option<Duration> {
    let left = mount.expires_at?.duration_since(now);
    Some(Duration::try_from(left).unwrap_or(Duration::ZERO))
}

/// What using a mount has shown: whether that gave it more time than it had `before`.
pub(super) fn expiry_after_use(mount: &OpenMount, before: Option<Timestamp>) -> Expiry {
    let (Some(before), Some(after)) = (before, mount.expires_at) else {
        return mount.expiry;
    };
    match after.duration_since(before) > MOVED {
        true => Expiry::Idle,
        // A hub that once gave more time may not see a second that soon as more.
        false if mount.expiry == Expiry::Idle => Expiry::Idle,
        false => Expiry::Fixed,
    }
}

/// Says on a mount what backup it shows.
pub(super) fn name(mount: &mut OpenMount, backup: &Backup) {
    mount.vm_id = backup.vm_context_id.clone();
    mount.vm_name = Some(backup.vm_name.clone()).filter(|name| !name.is_empty());
    mount.backup_time = backup.created_at;
    mount.backup_type = Some(backup.backup_type);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn mount(expires_at: i64) -> Mount {
        Mount {
            mount_id: MountId::new("m1"),
            backup_id: None,
            disk_index: None,
            backup_disk_id: None,
            filesystem_type: None,
            status: MountStatus::Mounted,
            created_at: None,
            expires_at: Some(at(expires_at)),
        }
    }

    /// Contract H36.
    #[test]
    fn the_end_is_told_by_our_clock_whatever_the_hubs_says() {
        // The hub's clock is an hour ahead.
        let open = described(&mount(4200), None, at(0), Some(at(3600)));
        assert_eq!(open.expires_at, Some(at(600)));
        assert_eq!(lasts(&open, at(0)), Some(Duration::from_secs(600)));
        assert_eq!(lasts(&open, at(700)), Some(Duration::ZERO));
    }

    #[test]
    fn a_later_reading_of_the_same_end_is_no_news_and_keeps_what_was_known() {
        let mut first = described(&mount(600), None, at(0), None);
        first.backup_id = Some("b1".into());
        first.folder = "/etc".to_owned();
        let again = described(&mount(603), Some(&first), at(1), None);
        assert_eq!(again, first);
        let moved = described(&mount(606), Some(&first), at(1), None);
        assert_eq!(moved.expires_at, Some(at(606)));
    }

    /// Contract D43, D63.
    #[test]
    fn one_use_tells_hubs_apart_that_give_more_time_from_those_that_do_not() {
        let mut open = described(&mount(600), None, at(0), None);
        assert_eq!(expiry_after_use(&open, None), Expiry::Unknown);
        assert_eq!(expiry_after_use(&open, Some(at(600))), Expiry::Fixed);
        assert_eq!(expiry_after_use(&open, Some(at(500))), Expiry::Idle);
        open.expiry = Expiry::Idle;
        assert_eq!(expiry_after_use(&open, Some(at(599))), Expiry::Idle);
    }
}
