//! How recovery points hang together, and which of them can be trusted.

use sendense_types::{Backup, BackupStatus, BackupType, ChainLink, VerificationStatus};

use crate::format;

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

/// How far a recovery point can be relied on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trust {
    /// It was never verified, or the hub does not tell.
    Unknown,
    /// It is being read; percent.
    Verifying(f64),
    /// It was what had been backed up.
    Verified,
    /// So it was, but its files have damage beside that.
    Flawed,
    /// There is nothing to compare it with.
    Unproven,
    /// It cannot be restored as it was.
    Broken,
}

/// How far a recovery point can be relied on, and why or since when in words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    pub(crate) trust: Trust,
    pub(crate) note: String,
}

/// What is known of a recovery point: by its link in the chain where it is connected, by its last verification,
/// and by the percent of one that runs.
pub(crate) fn standing(
    backup: &Backup,
    link: Option<&ChainLink>,
    verifying: Option<f64>,
) -> Standing {
    if let Some(percent) = verifying {
        let note = "It is read through and compared with what was backed up".to_owned();
        return Standing {
            trust: Trust::Verifying(percent),
            note,
        };
    }
    if let Some(link) = link.filter(|link| link.is_restorable == Some(false)) {
        return Standing {
            trust: Trust::Broken,
            note: link.problem.clone().unwrap_or_default(),
        };
    }
    let (trust, what) = match backup.verification {
        Some(VerificationStatus::Sound) => (Trust::Verified, "Verified"),
        Some(VerificationStatus::Flawed) => (
            Trust::Flawed,
            "It can be restored. Damage was found in its files",
        ),
        Some(VerificationStatus::Unproven) => (
            Trust::Unproven,
            "There was nothing to compare it with when it was verified",
        ),
        Some(VerificationStatus::Damaged) => (Trust::Broken, "Damage was found"),
        Some(VerificationStatus::Running | VerificationStatus::Cancelled) | None => {
            (Trust::Unknown, "")
        }
    };
    let note = match backup.verified_at {
        Some(time) if !what.is_empty() => format!("{what} {}", format::when(time)),
        _ => what.to_owned(),
    };
    Standing { trust, note }
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
    fn what_the_chain_lacks_counts_more_than_what_was_found_before() {
        let mut verified = backup("a", "full", "completed");
        assert_eq!(standing(&verified, None, None).trust, Trust::Unknown);
        verified.verification = Some(VerificationStatus::Sound);
        verified.verified_at = "2026-11-01T00:00:00Z".parse().ok();
        let found = standing(&verified, None, None);
        assert_eq!(found.trust, Trust::Verified);
        assert!(found.note.starts_with("Verified "), "{}", found.note);
        let running = standing(&verified, None, Some(40.0)).trust;
        assert_eq!(running, Trust::Verifying(40.0));
        let mut link: ChainLink = serde_json::from_value(serde_json::json!({
            "backup_id": "a", "backup_type": "full", "sequence_number": 1, "created_at": null, "size_gb": null,
            "parent_backup_id": null, "is_restorable": true, "problem": null,
        }))
        .unwrap();
        assert_eq!(standing(&verified, Some(&link), None), found);
        link.is_restorable = Some(false);
        link.problem = Some("an image of it is missing".to_owned());
        let lost = standing(&verified, Some(&link), None);
        assert_eq!(lost.trust, Trust::Broken);
        assert_eq!(lost.note, "an image of it is missing");
        verified.verification = Some(VerificationStatus::Damaged);
        assert_eq!(standing(&verified, None, None).trust, Trust::Broken);
    }
}
