//! How recovery points hang together, and which of them can be trusted.

use std::collections::BTreeMap;

use sendense_types::{Backup, BackupId, BackupStatus, ChainLink, VerificationStatus};
use sendense_words as words;

use crate::format;

/// The lines of a row of a history to those that it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hang {
    /// A line begins here and goes up.
    pub(crate) goes_up: bool,
    /// A line begins here and goes down.
    pub(crate) goes_down: bool,
    /// The line between two others passes by it.
    pub(crate) is_passed: bool,
}

/// How backups of one VM in one repository hang together, in the order in which they are listed: a line from each to
/// what it builds on.
pub(crate) fn hang(backups: &[Backup]) -> Vec<Hang> {
    let rows: BTreeMap<&BackupId, usize> = backups
        .iter()
        .map(|backup| &backup.backup_id)
        .zip(0..)
        .collect();
    let mut hung = vec![Hang::default(); backups.len()];
    for (row, backup) in backups.iter().enumerate() {
        let Some(parent) = backup.parent_backup_id.as_ref().and_then(|id| rows.get(id)) else {
            continue;
        };
        // A clock that was put back lists a child below its parent.
        let (upper, lower) = (row.min(*parent), row.max(*parent));
        hung[upper].goes_down = true;
        hung[lower].goes_up = true;
        for passed in hung.iter_mut().take(lower).skip(upper + 1) {
            passed.is_passed = true;
        }
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
        let note = words::history::verifying_note().to_owned();
        return Standing {
            trust: Trust::Verifying(percent),
            note,
        };
    }
    if backup.status == BackupStatus::Unconfirmed {
        return Standing {
            trust: Trust::Unknown,
            note: words::backups::unconfirmed_note().to_owned(),
        };
    }
    if let Some(link) = link.filter(|link| link.is_restorable == Some(false)) {
        return Standing {
            trust: Trust::Broken,
            note: link.problem.clone().unwrap_or_default(),
        };
    }
    let (trust, note): (_, fn() -> &'static str) = match backup.verification {
        Some(VerificationStatus::Sound) => (Trust::Verified, words::history::verified),
        Some(VerificationStatus::Flawed) => (Trust::Flawed, words::history::flawed_note),
        Some(VerificationStatus::Unproven) => (Trust::Unproven, words::history::unproven_note),
        Some(VerificationStatus::Damaged) => (Trust::Broken, words::history::damage_found),
        Some(VerificationStatus::Running | VerificationStatus::Cancelled) | None => {
            (Trust::Unknown, || "")
        }
    };
    let note = match (trust, backup.verified_at.map(format::when)) {
        (Trust::Verified, Some(when)) => words::history::verified_when(when),
        (Trust::Flawed, Some(when)) => words::history::flawed_when(when),
        (Trust::Unproven, Some(when)) => words::history::unproven_when(when),
        (Trust::Broken, Some(when)) => words::history::damage_found_when(when),
        _ => note().to_owned(),
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

    fn on(parent: &str, mut backup: Backup) -> Backup {
        backup.parent_backup_id = Some(parent.into());
        backup
    }

    #[test]
    fn a_child_is_drawn_to_its_parent_also_where_a_clock_was_put_back() {
        let backups = [
            backup("a", "full", "completed"),
            on("a", backup("b", "incremental", "completed")),
        ];
        let lines = hang(&backups);
        assert!(lines[0].goes_down && lines[1].goes_up);
    }

    #[test]
    fn incrementals_hang_on_what_they_build_on_and_pass_by_what_lies_between() {
        let backups = [
            backup("e", "full", "completed"),
            on("b", backup("d", "incremental", "completed")),
            backup("c", "incremental", "failed"),
            on("a", backup("b", "incremental", "completed")),
            backup("a", "full", "completed"),
            backup("0", "full", "failed"),
        ];
        let drawn: Vec<_> = hang(&backups)
            .into_iter()
            .map(|hang| (hang.goes_up, hang.goes_down, hang.is_passed))
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
