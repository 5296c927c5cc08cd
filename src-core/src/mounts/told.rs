//! From what a hub says about a mount to what is shown. No hub, no clock: answers and moments are passed in.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sendense_types::{Expiry, MountId, MountStatus, OpenMount, Opener};

use super::record::{KnownMount, Recorded};

/// Clocks are compared to a second; a mount got more time when its end moved by more than that.
const MOVED: SignedDuration = SignedDuration::from_secs(5);

/// What the hub and the record say of a mount, with what we knew of it before. `hub_now` is the time by the hub's
/// clock.
pub(super) fn described(
    told: &KnownMount,
    before: Option<&OpenMount>,
    now: Timestamp,
    hub_now: Option<Timestamp>,
) -> OpenMount {
    let mount = &told.mount;
    let expires_at = mount.expires_at.map(|end| match hub_now {
        // The hub's clock may differ from ours, and only its own counts.
        Some(hub_now) => now + end.duration_since(hub_now),
        None => end,
    });
    let mut open = before.cloned().unwrap_or_else(|| met(&mount.mount_id));
    open.backup_id = mount.backup_id.clone().or(open.backup_id);
    open.disk_index = mount.disk_index.or(open.disk_index);
    open.backup_disk_id = mount.backup_disk_id.or(open.backup_disk_id);
    if let Some(known) = &told.known {
        recall(&mut open, known);
    }
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
        backup_disk_id: None,
        vm_id: None,
        vm_name: None,
        backup_time: None,
        backup_type: None,
        filesystem_type: None,
        expires_at: None,
        expiry: Expiry::Unknown,
        is_open: false,
        opened_by: Opener::SomebodyElse,
        folder: "/".to_owned(),
    }
}

/// A mount that ended while nobody looked after it, as it was left.
pub(super) fn ended(known: &Recorded) -> OpenMount {
    let mut mount = met(&known.mount_id);
    mount.backup_id = Some(known.backup_id.clone());
    mount.disk_index = Some(known.disk_index);
    mount.backup_disk_id = known.backup_disk_id;
    recall(&mut mount, known);
    mount
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

/// Says on a mount what is known of it. Whose it is and where it was left is known better here once it is ours.
fn recall(mount: &mut OpenMount, known: &Recorded) {
    mount.vm_id.clone_from(&known.vm_id);
    mount.vm_name.clone_from(&known.vm_name);
    mount.backup_time = known.backup_time;
    mount.backup_type = known.backup_type;
    if mount.is_somebody_elses() && known.opened_by != Opener::SomebodyElse {
        mount.opened_by = known.opened_by;
        mount.folder.clone_from(&known.folder);
    }
}

#[cfg(test)]
mod tests {
    use sendense_types::{BackupId, Mount};

    use super::*;
    use crate::mounts::record::tests::row;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn mount(expires_at: i64) -> KnownMount {
        let mount = Mount {
            mount_id: MountId::new("m1"),
            backup_id: None,
            disk_index: None,
            backup_disk_id: None,
            filesystem_type: None,
            status: MountStatus::Mounted,
            created_at: None,
            expires_at: Some(at(expires_at)),
        };
        KnownMount { mount, known: None }
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
        first.backup_id = Some(BackupId::new("b1"));
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

    #[test]
    fn the_record_says_what_a_mount_is_of_and_whose_and_where_it_was_left_only_once() {
        let recorded = |opened_by| KnownMount {
            known: Some(Recorded {
                opened_by,
                ..row("m1", 7)
            }),
            ..mount(600)
        };
        let theirs = described(&recorded(Opener::SomebodyElse), None, at(0), None);
        assert_eq!(theirs.vm_name.as_deref(), Some("web"));
        assert!(theirs.is_somebody_elses());
        assert_eq!(theirs.folder, "/");
        let mut ours = described(&recorded(Opener::Window), Some(&theirs), at(0), None);
        assert_eq!(
            (ours.opened_by, ours.folder.as_str()),
            (Opener::Window, "/etc")
        );
        // What happens here is not in the record yet.
        ours.folder = "/home".to_owned();
        let again = described(&recorded(Opener::Window), Some(&ours), at(0), None);
        assert_eq!(again, ours);
    }
}
