//! Backups and chains.

use std::collections::HashMap;

use sendense_types::{
    Backup, BackupDisk, BackupId, BackupStatus, BackupType, Chain, ChainLink, RepositoryId,
    Retention, RetentionAction, RetentionPoint, RetentionPolicy, RetentionStatus, StartedBackup,
    StartedDisk, Verification, VerificationStatus, VmId,
};
use serde_json::Value;

use super::Fields;
use crate::Result;

/// `POST /backups`.
pub(in crate::hub) fn started(answer: &Value) -> Result<StartedBackup> {
    let fields = Fields::of(answer)?;
    Ok(StartedBackup {
        backup_id: BackupId::new(fields.required("backup_id")?),
        vm_context_id: fields.text(&["vm_context_id"]).map(VmId::new),
        vm_name: fields.text_or_empty("vm_name"),
        backup_type: backup_type(fields),
        full_reason: fields.text(&["full_reason"]),
        disk_results: fields.list(&["disk_results"], |disk| {
            Ok(StartedDisk {
                disk_index: disk_index(disk),
                qcow2_path: disk.text(&["qcow2_path"]),
            })
        })?,
        created_at: fields.time("created_at"),
    })
}

/// `GET /backups/{backup_id}`; and whether a deployed hub says it.
pub(in crate::hub) fn backup(answer: &Value) -> Result<(Backup, bool)> {
    let fields = Fields::of(answer)?;
    Ok((decode(fields)?, is_deployed(fields)))
}

/// A list of backups, and who says it.
#[derive(Debug)]
pub(in crate::hub) struct BackupList {
    /// Newest first; rows of one second are told apart by id (contract H37). Where no row says what it builds on, as on
    /// deployed hubs, that is derived.
    pub(in crate::hub) backups: Vec<Backup>,
    /// A deployed hub: its times are wall times (contract D8), a list without filter is empty (D27), and chains of
    /// several repositories share their change ids (H41).
    pub(in crate::hub) is_deployed: bool,
}

/// `GET /backups`.
pub(in crate::hub) fn backups(answer: &Value) -> Result<BackupList> {
    let mut says_parents = false;
    let fields = Fields::of(answer)?;
    let mut backups = fields.list(&["backups"], |row| {
        says_parents |= row.has("parent_backup_id");
        decode(row)
    })?;
    Backup::newest_first(&mut backups);
    if !says_parents {
        derive_parents(&mut backups);
    }
    Ok(BackupList {
        backups,
        // The documented name of the number of rows (contract D24).
        is_deployed: fields.has("total") && !fields.has("total_count"),
    })
}

/// Whether a row is of a deployed hub: it alone counts disks under that name only (contract D26), and lists none (D19).
fn is_deployed(row: Fields<'_>) -> bool {
    row.has("disks_count") && !row.has("disk_count") && !row.has("disks")
}

/// Where a backup stands. A deployed hub calls it completed when the first of its disks is; while others are being
/// copied, phase and percent say so (contract H10, section 12).
fn status(row: Fields<'_>, word: &str) -> BackupStatus {
    let status = BackupStatus::from_hub(word);
    if status != BackupStatus::Completed || !is_deployed(row) {
        return status;
    }
    let is_copying = row
        .text(&["current_phase"])
        .is_some_and(|phase| phase != "completed" && phase != "pending");
    let percent = row.real(&["progress_percent"]).unwrap_or_default();
    match is_copying || (percent > 0.0 && percent < 100.0) {
        true => BackupStatus::Unconfirmed,
        false => status,
    }
}

/// Says of backups, newest first, what they build on: an incremental one on the newest recovery point of its VM and
/// repository before it, as hubs choose it.
fn derive_parents(backups: &mut [Backup]) {
    let family = |backup: &Backup| {
        let vm = match &backup.vm_context_id {
            Some(id) => id.to_string(),
            None => backup.vm_name.to_lowercase(),
        };
        (vm, backup.repository_id.clone())
    };
    let mut newest: HashMap<_, BackupId> = HashMap::new();
    for backup in backups.iter_mut().rev() {
        if backup.status != BackupStatus::Completed {
            continue;
        }
        let before = newest.insert(family(backup), backup.backup_id.clone());
        if backup.backup_type == BackupType::Incremental {
            backup.parent_backup_id = before;
        }
    }
}

fn decode(fields: Fields<'_>) -> Result<Backup> {
    let hub_status = fields.text_or_empty("status");
    let disks = fields.list(&["disks"], disk)?;
    let bytes_transferred = fields.count(&["bytes_transferred"]);
    let total_bytes = fields.count(&["total_bytes"]);
    let status = status(fields, &hub_status);
    let disk_count = fields
        .small_count(&["disks_count", "disk_count"])
        .filter(|count| *count > 0)
        .or_else(|| u32::try_from(disks.len()).ok().filter(|count| *count > 0));
    // A deployed hub's bytes are those of the last disk (contract 6.5): good for progress, not for a size.
    let is_of_one_disk = is_deployed(fields) && disk_count.is_some_and(|count| count > 1);
    let says_bytes = !(is_of_one_disk && status.is_over());
    Ok(Backup {
        backup_id: BackupId::new(fields.required("backup_id")?),
        vm_context_id: fields.text(&["vm_context_id"]).map(VmId::new),
        vm_name: fields.text_or_empty("vm_name"),
        repository_id: fields.text(&["repository_id"]).map(RepositoryId::new),
        backup_type: backup_type(fields),
        status,
        hub_status,
        disk_count,
        disks,
        progress_percent: fields
            .real(&["progress_percent"])
            .or_else(|| share(bytes_transferred?, total_bytes?))
            .map(|percent| percent.clamp(0.0, 100.0)),
        bytes_transferred: bytes_transferred.filter(|_| says_bytes),
        total_bytes: total_bytes.filter(|_| says_bytes),
        stored_bytes: fields.count(&["stored_bytes"]),
        total_size_gb: fields.real(&["total_size_gb", "size_gb"]),
        current_phase: fields.text(&["current_phase"]),
        transfer_speed_bps: fields.count(&["transfer_speed_bps"]),
        parent_backup_id: fields.text(&["parent_backup_id"]).map(BackupId::new),
        copied_from: fields.text(&["copied_from"]).map(BackupId::new),
        is_pinned: fields.optional_flag("is_pinned"),
        verification: fields
            .text(&["verification_status"])
            .map(|word| VerificationStatus::from_hub(&word)),
        verified_at: fields.time("verified_at"),
        dependents: fields
            .texts("dependents")
            .into_iter()
            .map(BackupId::new)
            .collect(),
        error_message: fields.text(&["error_message"]),
        error_code: fields.failure_code(),
        last_telemetry_at: fields.time("last_telemetry_at"),
        created_at: fields.time("created_at"),
        started_at: fields.time("started_at"),
        completed_at: fields.time("completed_at"),
    })
}

fn disk(fields: Fields<'_>) -> Result<BackupDisk> {
    Ok(BackupDisk {
        disk_index: disk_index(fields),
        status: BackupStatus::from_hub(&fields.text_or_empty("status")),
        size_gb: fields.real(&["size_gb"]),
        qcow2_path: fields.text(&["qcow2_path"]),
        bytes_transferred: fields.count(&["bytes_transferred"]),
        total_bytes: fields.count(&["total_bytes"]),
        progress_percent: fields
            .real(&["progress_percent"])
            .map(|percent| percent.clamp(0.0, 100.0)),
    })
}

/// `disk_id` is a number in answers to a start, and a key such as `disk-2000` elsewhere.
fn disk_index(fields: Fields<'_>) -> u32 {
    fields
        .small_count(&["disk_index", "disk_id"])
        .unwrap_or_default()
}

/// Answers to a start give an empty `type` beside the real one (contract D16).
fn backup_type(fields: Fields<'_>) -> BackupType {
    match fields.text(&["backup_type", "type"]).as_deref() {
        Some("full") => BackupType::Full,
        Some("incremental") => BackupType::Incremental,
        _ => BackupType::Unknown,
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

/// `/backups/{backup_id}/verify`; only the local hub has it.
pub(in crate::hub) fn verification(answer: &Value) -> Result<Verification> {
    let fields = Fields::of(answer)?;
    let ids = |name| fields.texts(name).into_iter().map(BackupId::new).collect();
    Ok(Verification {
        backup_id: BackupId::new(fields.required("backup_id")?),
        status: VerificationStatus::from_hub(&fields.required("status")?),
        progress_percent: fields.real(&["progress_percent"]).unwrap_or(0.0),
        problems: fields
            .list(&["disks"], |disk| {
                Ok((disk_index(disk), disk.text(&["error_message"])))
            })?
            .into_iter()
            .filter_map(|(disk, problem)| Some((disk, problem?)))
            .collect(),
        broken_backups: ids("broken_backups"),
        intact_backups: ids("intact_backups"),
    })
}

/// `DELETE /backups/{backup_id}`: what is gone, on hubs that say.
pub(in crate::hub) fn deleted(answer: &Value) -> Result<Vec<BackupId>> {
    let ids = Fields::of(answer)?.texts("deleted_backups");
    Ok(ids.into_iter().map(BackupId::new).collect())
}

/// `/vm-contexts/{vm}/retention`; only the local hub has it.
pub(in crate::hub) fn retention(answer: &Value) -> Result<Retention> {
    let fields = Fields::of(answer)?;
    Ok(Retention {
        policy: fields.object(&["policy"]).map(|policy| RetentionPolicy {
            keep_last: policy.small_count(&["keep_last"]).unwrap_or(0),
            keep_daily: policy.small_count(&["keep_daily"]).unwrap_or(0),
            keep_weekly: policy.small_count(&["keep_weekly"]).unwrap_or(0),
            keep_monthly: policy.small_count(&["keep_monthly"]).unwrap_or(0),
        }),
        status: RetentionStatus::from_hub(&fields.required("status")?),
        error_message: fields.text(&["error_message"]),
    })
}

/// `POST /vm-contexts/{vm}/retention/run`.
pub(in crate::hub) fn retention_points(answer: &Value) -> Result<Vec<RetentionPoint>> {
    Fields::of(answer)?.list(&["points"], |point| {
        Ok(RetentionPoint {
            backup_id: BackupId::new(point.required("backup_id")?),
            action: RetentionAction::from_hub(&point.required("action")?),
            reason: point.text_or_empty("reason"),
        })
    })
}

/// The chain, documented or deployed (contract D32); `vm_name` for hubs that leave it empty.
pub(in crate::hub) fn chain(answer: &Value, vm_name: &str) -> Result<Chain> {
    let fields = Fields::of(answer)?;
    Ok(Chain {
        vm_name: fields
            .text(&["vm_name"])
            .unwrap_or_else(|| vm_name.to_owned()),
        repository_id: fields.text(&["repository_id"]).map(RepositoryId::new),
        chain: fields.list(&["chain", "backups"], |link| {
            Ok(ChainLink {
                backup_id: BackupId::new(link.required("backup_id")?),
                backup_type: backup_type(link),
                sequence_number: link.small_count(&["sequence_number"]),
                created_at: link.time("created_at"),
                size_gb: link.real(&["size_gb", "total_size_gb"]),
                parent_backup_id: link.text(&["parent_backup_id"]).map(BackupId::new),
                is_restorable: link
                    .text(&["sequence_number"])
                    .map(|_| link.flag("is_restorable")),
                problem: link.text(&["problem"]),
            })
        })?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Contract D17, D21, D23.
    #[test]
    fn a_documented_detail_lists_its_disks() {
        let sample = include_str!("samples/documented/backup.json");
        let (backup, is_deployed) = backup(&serde_json::from_str(sample).unwrap()).unwrap();
        assert!(!is_deployed);
        assert_eq!(backup.status, BackupStatus::Active);
        assert_eq!(backup.hub_status, "in_progress");
        assert_eq!(backup.disk_count, Some(2));
        assert_eq!(backup.disks[0].status, BackupStatus::Completed);
        assert!(backup.disks[1].qcow2_path.is_none());
        assert_eq!(backup.progress_percent, Some(50.0));
        assert!(backup.completed_at.is_none());
    }

    /// Contract D19, D22, D24, D26, H3, section 12.4.
    #[test]
    fn a_deployed_list_has_nulls_and_other_names() {
        let sample = include_str!("samples/deployed/backups.json");
        let list = backups(&serde_json::from_str(sample).unwrap()).unwrap();
        assert!(list.is_deployed);
        let backups = list.backups;
        assert_eq!(backups.len(), 1);
        assert_eq!(backups[0].disk_count, Some(2));
        assert_eq!(
            backups[0].bytes_transferred, None,
            "that of the last of two disks is no size"
        );
        assert!(backups[0].disks.is_empty(), "null is an empty list");
        assert_eq!(backups[0].backup_type, BackupType::Incremental);
    }

    /// Contract D25, D26.
    #[test]
    fn the_number_of_disks_and_a_size_in_gb_have_several_names() {
        for (count, size) in [("disk_count", "total_size_gb"), ("disks_count", "size_gb")] {
            let row = json!({ "backup_id": "b", "vm_name": "web", "status": "completed",
                "backup_type": "full", count: 2, size: 40.5 });
            let list = backups(&json!({ "backups": [row] })).unwrap();
            assert_eq!(list.backups[0].disk_count, Some(2));
            assert_eq!(list.backups[0].total_size_gb, Some(40.5));
        }
    }

    #[test]
    fn parents_are_taken_from_the_hub_and_derived_where_it_never_says_them() {
        let row = |id: &str, kind: &str, repository: &str, status: &str| {
            json!({ "backup_id": id, "vm_name": "web", "repository_id": repository, "backup_type": kind,
                "status": status, "created_at": format!("2026-11-0{}T00:00:00Z", &id[1..]) })
        };
        let rows = [
            row("b1", "incremental", "r", "completed"),
            row("b2", "full", "r", "completed"),
            row("b3", "incremental", "s", "completed"),
            row("b4", "incremental", "r", "completed"),
            row("b5", "incremental", "r", "failed"),
            row("b6", "incremental", "r", "completed"),
        ];
        let parents = |rows: &[Value]| -> Vec<Option<String>> {
            let backups = backups(&json!({ "backups": rows })).unwrap().backups;
            let parents = backups
                .into_iter()
                .rev()
                .map(|backup| backup.parent_backup_id);
            parents
                .map(|parent| parent.map(|id| id.to_string()))
                .collect()
        };
        let [b2, b4] = ["b2", "b4"].map(|id| Some(id.to_owned()));
        assert_eq!(parents(&rows), [None, None, None, b2.clone(), None, b4]);

        // One that says so once says so always, also after the clock was put back.
        let mut rows = rows.to_vec();
        rows[0]["parent_backup_id"] = json!("b2");
        rows[1]["parent_backup_id"] = Value::Null;
        assert_eq!(parents(&rows), [b2, None, None, None, None, None]);
    }

    /// Contract D15, D16.
    #[test]
    fn a_start_answers_in_both_dialects() {
        for sample in [
            include_str!("samples/documented/start.json"),
            include_str!("samples/deployed/start.json"),
        ] {
            let started = started(&serde_json::from_str(sample).unwrap()).unwrap();
            assert_eq!(started.backup_type, BackupType::Full);
            let last = started.disk_results.last().unwrap();
            assert_eq!(last.disk_index as usize, started.disk_results.len() - 1);
        }
    }

    /// Contract D15.
    #[test]
    fn disks_of_a_start_have_their_number_under_either_name() {
        for name in ["disk_index", "disk_id"] {
            let disks = [json!({ name: 1 }), json!({ name: 0 })];
            let answer = json!({ "backup_id": "b", "backup_type": "full", "disk_results": disks });
            let started = started(&answer).unwrap();
            let numbers = started.disk_results.iter().map(|disk| disk.disk_index);
            assert_eq!(numbers.collect::<Vec<_>>(), [1, 0], "{name}");
        }
    }

    /// Contract D20, D21, H26.
    #[test]
    fn odd_progress_stays_within_a_bar() {
        for (answer, percent) in [
            (
                json!({ "backup_id": "b", "progress_percent": 140.5 }),
                Some(100.0),
            ),
            (
                json!({ "backup_id": "b", "progress_percent": -3 }),
                Some(0.0),
            ),
            (
                json!({ "backup_id": "b", "bytes_transferred": 5, "total_bytes": 10 }),
                Some(50.0),
            ),
            (
                json!({ "backup_id": "b", "bytes_transferred": 5, "total_bytes": 0 }),
                None,
            ),
            (json!({ "backup_id": "b" }), None),
        ] {
            assert_eq!(
                backup(&answer).unwrap().0.progress_percent,
                percent,
                "{answer}"
            );
        }
    }

    /// Contract H10, section 12.3.
    #[test]
    fn a_deployed_hub_that_still_copies_is_not_believed_to_be_done() {
        let status = |phase: &str, percent: f64| {
            let row = json!({ "backup_id": "b", "status": "completed", "disk_results": null,
                "disks_count": 2, "current_phase": phase, "progress_percent": percent });
            backup(&row).unwrap().0.status
        };
        assert_eq!(status("transferring", 80.0), BackupStatus::Unconfirmed);
        assert_eq!(status("completed", 80.0), BackupStatus::Unconfirmed);
        assert_eq!(status("transferring", 100.0), BackupStatus::Unconfirmed);
        assert_eq!(status("completed", 100.0), BackupStatus::Completed);
        // An incremental one of which nothing had changed is never heard of (contract 6.5).
        assert_eq!(status("", 0.0), BackupStatus::Completed);
        assert_eq!(status("pending", 0.0), BackupStatus::Completed);
    }

    /// Contract H37.
    #[test]
    fn lists_have_the_newest_first_whatever_the_hub_does() {
        let row = |id: &str, at: &str| json!({ "backup_id": id, "created_at": at });
        let rows = [
            row("a", "2025-10-08T10:00:00Z"),
            row("b", "2025-10-08T11:00:00Z"),
            row("c", "2025-10-08T11:00:00Z"),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
            let answer = json!({ "backups": order.map(|at| rows[at].clone()) });
            let backups = backups(&answer).unwrap().backups;
            let ids = backups.iter().map(|backup| backup.backup_id.as_str());
            assert_eq!(ids.collect::<Vec<_>>(), ["c", "b", "a"], "{order:?}");
        }
    }

    /// Contract D32.
    #[test]
    fn chains_come_in_both_dialects() {
        let documented = include_str!("samples/documented/chain.json");
        let chain_of =
            |sample: &str| chain(&serde_json::from_str(sample).unwrap(), "pgtest1").unwrap();
        let documented = chain_of(documented);
        assert_eq!(documented.chain[0].is_restorable, Some(true));
        assert_eq!(documented.chain[1].sequence_number, Some(2));
        let deployed = chain_of(
            r#"{"chain_id":"","vm_name":"","backups":[{"backup_id":"b","type":"full"}],"backup_count":1}"#,
        );
        assert_eq!(deployed.vm_name, "pgtest1");
        assert_eq!(deployed.chain[0].is_restorable, None);
    }
}
