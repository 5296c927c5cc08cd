//! How recovery points hang together, and which of them can be trusted.

use std::collections::BTreeMap;

use sendense_types::{
    Backup, BackupId, BackupStatus, BackupType, Verification, VerificationStatus,
};

/// How a row of a history hangs into its chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hang {
    /// A newer one builds on it.
    pub(crate) has_child: bool,
    /// It builds on an older one.
    pub(crate) has_parent: bool,
    /// The line between two others passes by it.
    pub(crate) is_passed: bool,
}

/// How backups of one machine in one repository hang together; newest first, as they are given.
///
/// Incremental ones build on the newest finished one before them; what failed or was cancelled is passed by.
pub(crate) fn hang(backups: &[Backup]) -> Vec<Hang> {
    let is_finished = |backup: &Backup| backup.status == BackupStatus::Completed;
    let oldest = backups.iter().rposition(is_finished);
    let mut is_wanted = false;
    let mut hung = Vec::with_capacity(backups.len());
    for (row, backup) in backups.iter().enumerate() {
        if !is_finished(backup) {
            hung.push(Hang {
                is_passed: is_wanted,
                ..Hang::default()
            });
            continue;
        }
        let has_parent = backup.backup_type == BackupType::Incremental && Some(row) != oldest;
        hung.push(Hang {
            has_child: is_wanted,
            has_parent,
            is_passed: false,
        });
        is_wanted = has_parent;
    }
    hung
}

/// Which of these backups cannot be restored when images of those ids are not there; newest first.
pub(crate) fn broken(backups: &[Backup], missing: &[BackupId]) -> Vec<bool> {
    let mut is_broken = false;
    let mut found: Vec<bool> = backups
        .iter()
        .rev()
        .map(|backup| {
            if backup.status != BackupStatus::Completed {
                return false;
            }
            // A full one does not care what was before it.
            is_broken &= backup.backup_type != BackupType::Full;
            is_broken |= missing.contains(&backup.backup_id);
            is_broken
        })
        .collect();
    found.reverse();
    found
}

/// What verifying says about a recovery point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trust {
    /// It was not verified since the window opened.
    Unknown,
    /// It is being read; percent.
    Verifying(f64),
    /// It is what it was.
    Verified,
    /// There is nothing to compare it with.
    Unproven,
    /// It is damaged, or builds on one that is.
    Broken,
}

/// What is known of a recovery point. What was found for itself counts more than what was found for another.
pub(crate) fn trust(id: &BackupId, checks: &BTreeMap<BackupId, Verification>) -> Trust {
    match checks
        .get(id)
        .map(|check| (check.status, check.progress_percent))
    {
        Some((VerificationStatus::Running, percent)) => return Trust::Verifying(percent),
        Some((VerificationStatus::Sound, _)) => return Trust::Verified,
        _ => {}
    }
    let is_broken = checks
        .values()
        .any(|check| check.broken_backups.contains(id));
    match (is_broken, checks.contains_key(id)) {
        (true, _) => Trust::Broken,
        (false, true) => Trust::Unproven,
        (false, false) => Trust::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(id: &str, backup_type: &str, status: &str) -> Backup {
        serde_json::from_value(serde_json::json!({
            "backup_id": id, "vm_context_id": "vm", "vm_name": "pgtest1", "repository_id": "local",
            "backup_type": backup_type, "status": status, "hub_status": status, "disks": [],
            "disk_count": 1, "progress_percent": null, "bytes_transferred": null, "total_bytes": null,
            "total_size_gb": null, "current_phase": null, "transfer_speed_bps": null,
            "error_message": null, "created_at": null, "started_at": null, "completed_at": null,
        }))
        .unwrap()
    }

    #[test]
    fn incrementals_hang_on_what_was_finished_before_and_pass_by_what_failed() {
        let backups = [
            backup("e", "full", "completed"),
            backup("d", "incremental", "completed"),
            backup("c", "incremental", "failed"),
            backup("b", "incremental", "completed"),
            backup("a", "full", "completed"),
            backup("0", "full", "failed"),
        ];
        let drawn: Vec<_> = hang(&backups)
            .into_iter()
            .map(|hang| (hang.has_child, hang.has_parent, hang.is_passed))
            .collect();
        assert_eq!(
            drawn,
            [
                (false, false, false),
                (false, true, false),
                (false, false, true),
                (true, true, false),
                (true, false, false),
                (false, false, false),
            ]
        );
    }

    #[test]
    fn a_missing_image_breaks_what_builds_on_it_up_to_the_next_full_one() {
        let backups = [
            backup("e", "full", "completed"),
            backup("d", "incremental", "completed"),
            backup("c", "incremental", "failed"),
            backup("b", "incremental", "completed"),
            backup("a", "full", "completed"),
        ];
        let missing = [BackupId::new("b")];
        assert_eq!(
            broken(&backups, &missing),
            [false, true, false, true, false]
        );
        assert_eq!(broken(&backups, &[]), [false; 5]);
    }

    #[test]
    fn damage_breaks_what_builds_on_it_until_that_is_proven_itself() {
        let check = |id: &str, status, broken: &[&str]| Verification {
            backup_id: BackupId::new(id),
            status,
            progress_percent: 40.0,
            problems: Vec::new(),
            broken_backups: broken.iter().map(|id| BackupId::new(*id)).collect(),
            intact_backups: Vec::new(),
        };
        let mut checks = BTreeMap::new();
        let damaged = check("a", VerificationStatus::Damaged, &["a", "b"]);
        checks.insert(damaged.backup_id.clone(), damaged);
        let of = |id: &str, checks: &BTreeMap<_, _>| trust(&BackupId::new(id), checks);
        assert_eq!(of("a", &checks), Trust::Broken);
        assert_eq!(of("b", &checks), Trust::Broken);
        assert_eq!(of("c", &checks), Trust::Unknown);
        let running = check("b", VerificationStatus::Running, &[]);
        checks.insert(running.backup_id.clone(), running);
        assert_eq!(of("b", &checks), Trust::Verifying(40.0));
        let sound = check("b", VerificationStatus::Sound, &[]);
        checks.insert(sound.backup_id.clone(), sound);
        assert_eq!(of("b", &checks), Trust::Verified);
    }
}
