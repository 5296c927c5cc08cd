//! Full restores, as our hub sends them.

use sendense_types::{
    BackupId, FullRestore, FullRestoreId, FullRestorePlan, FullRestoreStatus, ImageFormat,
    MachineDefinition,
};
use serde_json::Value;

use super::Fields;
use crate::Result;

/// `GET /restore/full`.
pub(in crate::hub) fn full_restores(answer: &Value) -> Result<Vec<FullRestore>> {
    Fields::of(answer)?.list(&["restores"], decode)
}

/// `POST /restore/full` and `GET /restore/full/{restore_id}`.
pub(in crate::hub) fn full_restore(answer: &Value) -> Result<FullRestore> {
    decode(Fields::of(answer)?)
}

/// `POST /restore/full/plan`.
pub(in crate::hub) fn full_restore_plan(answer: &Value) -> Result<FullRestorePlan> {
    let fields = Fields::of(answer)?;
    let bytes = |name| fields.count(&[name]).unwrap_or(0);
    Ok(FullRestorePlan {
        files: fields.texts("files"),
        needed_bytes: bytes("needed_bytes"),
        available_bytes: bytes("available_bytes"),
        resumable_bytes: bytes("resumable_bytes"),
    })
}

fn decode(fields: Fields<'_>) -> Result<FullRestore> {
    let word = |name: &str| fields.text_or_empty(name);
    let bytes = |name| fields.count(&[name]).unwrap_or(0);
    let status = serde_json::from_value(Value::String(word("status")));
    Ok(FullRestore {
        restore_id: FullRestoreId::new(fields.required("restore_id")?),
        backup_id: BackupId::new(fields.required("backup_id")?),
        vm_name: word("vm_name"),
        disk_indexes: fields.numbers("disk_indexes"),
        folder: word("folder"),
        format: ImageFormat::from_word(&word("format")).unwrap_or_default(),
        definition: MachineDefinition::from_word(&word("definition")).unwrap_or_default(),
        status: status.unwrap_or(FullRestoreStatus::Unknown),
        done_bytes: bytes("done_bytes"),
        total_bytes: bytes("total_bytes"),
        bytes_per_second: fields.count(&["bytes_per_second"]),
        resumed_bytes: bytes("resumed_bytes"),
        files: fields.texts("files"),
        remarks: fields.texts("remarks"),
        error_message: fields.text(&["error_message"]),
        error_code: fields.failure_code(),
        created_at: fields.time("created_at"),
        completed_at: fields.time("completed_at"),
    })
}

#[cfg(test)]
mod tests {
    use sendense_types::FailureCode;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_full_restore_is_decoded_and_words_of_newer_hubs_do_no_harm() {
        let answer = json!({ "restores": [{
            "restore_id": "full-restore-vm-1", "backup_id": "backup-vm-1", "vm_name": "vm", "disk_indexes": [0, 2],
            "folder": "/srv", "format": "vdi", "definition": "virtualbox", "status": "failed", "done_bytes": 5,
            "total_bytes": 9, "resumed_bytes": 2, "files": ["/srv/vm.vdi"], "remarks": ["r"],
            "error_message": "full", "error_code": "target_full", "created_at": "2026-11-28T10:00:00Z",
        }, { "restore_id": "x", "backup_id": "y", "status": "dreaming" }]});
        let restores = full_restores(&answer).unwrap();
        let first = &restores[0];
        assert_eq!(first.disk_indexes, [0, 2]);
        assert_eq!(first.format, ImageFormat::Vdi);
        assert_eq!(first.definition, MachineDefinition::Virtualbox);
        assert_eq!(first.status, FullRestoreStatus::Failed);
        assert_eq!((first.done_bytes, first.total_bytes), (5, 9));
        assert_eq!(first.error_code, Some(FailureCode::TargetFull));
        assert!(first.created_at.is_some() && first.completed_at.is_none());
        assert_eq!(restores[1].status, FullRestoreStatus::Unknown);
    }
}
