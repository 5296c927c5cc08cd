//! Repositories and copies, as hubs send them (contract 3.5, 3.7).

use sendense_types::{
    BackupCopy, BackupId, CopyStatus, Repository, RepositoryId, RepositoryProblem, RepositoryTest,
    Rescan,
};
use serde_json::Value;

use super::Fields;
use crate::Result;

/// `GET /repositories`, by name: some hubs give them in another order each time (contract H24).
pub(in crate::hub) fn repositories(answer: &Value) -> Result<Vec<Repository>> {
    let decode = repository;
    let mut repositories = match answer {
        Value::Array(rows) => rows
            .iter()
            .map(|row| decode(Fields::of(row)?))
            .collect::<Result<Vec<_>>>()?,
        answer => Fields::of(answer)?.list(&["repositories"], decode)?,
    };
    repositories.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(repositories)
}

/// The repository that was made (contract 3.5).
pub(in crate::hub) fn created_repository(answer: &Value) -> Result<Repository> {
    let fields = Fields::of(answer)?;
    repository(fields.object(&["repository"]).unwrap_or(fields))
}

/// A test answers with success either way (contract 3.5).
pub(in crate::hub) fn repository_test(answer: &Value) -> Result<RepositoryTest> {
    let fields = Fields::of(answer)?;
    let is_usable = fields.flag("success");
    Ok(RepositoryTest {
        is_usable,
        message: match is_usable {
            true => None,
            false => fields.text(&["error_details", "error", "message"]),
        },
    })
}

/// What was found in a folder.
pub(in crate::hub) fn rescan(answer: &Value) -> Result<Rescan> {
    let fields = Fields::of(answer)?;
    Ok(Rescan {
        repository: created_repository(answer)?,
        adopted_backups: fields
            .texts("adopted_backups")
            .into_iter()
            .map(BackupId::new)
            .collect(),
        known_backups: fields.count(&["known_backups"]).unwrap_or(0),
        problems: problems(fields)?,
    })
}

/// The copies of a backup.
pub(in crate::hub) fn copies(answer: &Value) -> Result<Vec<BackupCopy>> {
    let rows = answer.as_array().map_or(&[][..], Vec::as_slice);
    rows.iter().map(|row| copy(Fields::of(row)?)).collect()
}

fn copy(fields: Fields<'_>) -> Result<BackupCopy> {
    let status = match fields.text_or_empty("status").as_str() {
        "pending" => CopyStatus::Pending,
        "verifying" => CopyStatus::Verifying,
        "completed" => CopyStatus::Completed,
        "failed" => CopyStatus::Failed,
        _ => CopyStatus::Copying,
    };
    Ok(BackupCopy {
        id: fields.count(&["id"]).unwrap_or(0),
        source_backup_id: BackupId::new(fields.required("source_backup_id")?),
        repository_id: RepositoryId::new(fields.required("repository_id")?),
        backup_id: fields.text(&["backup_id"]).map(BackupId::new),
        status,
        progress_percent: fields
            .real(&["progress_percent"])
            .unwrap_or(0.0)
            .clamp(0.0, 100.0),
        size_bytes: fields.count(&["size_bytes"]).unwrap_or(0),
        error_message: fields.text(&["error_message"]),
        error_code: fields.failure_code(),
    })
}

fn repository(fields: Fields<'_>) -> Result<Repository> {
    let storage = fields.object(&["storage_info", "storage"]);
    let bytes = |name| storage.and_then(|storage| storage.count(&[name]));
    Ok(Repository {
        id: RepositoryId::new(fields.required("id")?),
        name: fields.text_or_empty("name"),
        repository_type: fields.text_or_empty("type"),
        enabled: fields.flag("enabled"),
        path: fields
            .object(&["config"])
            .and_then(|config| config.text(&["path"])),
        total_bytes: bytes("total_bytes"),
        available_bytes: bytes("available_bytes"),
        backup_count: bytes("backup_count"),
        is_connected: fields.optional_flag("is_connected"),
        status_message: fields.text(&["status_message"]),
        problems: problems(fields)?,
    })
}

fn problems(fields: Fields<'_>) -> Result<Vec<RepositoryProblem>> {
    fields.list(&["problems"], |problem| {
        Ok(RepositoryProblem {
            path: problem.text_or_empty("path"),
            problem: problem.text_or_empty("problem"),
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Contract D57, D59, H24.
    #[test]
    fn repositories_are_sorted_and_their_ids_may_be_numbers() {
        let answer = json!({ "success": true, "repositories": [
            { "id": 2, "name": "b", "type": "nfs", "enabled": true },
            { "id": "repo-local-1", "name": "a", "type": "local", "enabled": true, "config": { "path": "/backup" },
              "storage_info": { "total_bytes": 10, "available_bytes": 4, "backup_count": 3 } },
        ]});
        let repositories = repositories(&answer).unwrap();
        assert_eq!(repositories[0].path.as_deref(), Some("/backup"));
        assert_eq!(repositories[0].available_bytes, Some(4));
        assert_eq!(repositories[1].id.as_str(), "2");
        assert_eq!(repositories[1].total_bytes, None);
    }

    #[test]
    fn a_repository_that_is_not_connected_says_why() {
        let answer = json!({ "success": true, "repository": {
            "id": "repo-local-1", "name": "usb", "type": "local", "enabled": true, "is_connected": false,
            "status_message": "/mnt/usb does not exist", "problems": [{ "path": "/a", "problem": "b" }],
        }});
        let repository = created_repository(&answer).unwrap();
        assert_eq!(repository.is_connected, Some(false));
        assert_eq!(
            repository.status_message.as_deref(),
            Some("/mnt/usb does not exist")
        );
        assert_eq!(repository.problems[0].path, "/a");
    }

    #[test]
    fn a_failed_test_is_an_answer() {
        let failed = json!({ "success": false, "message": "Repository test failed", "error_details": "read-only" });
        let test = repository_test(&failed).unwrap();
        assert!(!test.is_usable);
        assert_eq!(test.message.as_deref(), Some("read-only"));
        let passed = json!({ "success": true, "message": "Repository test successful" });
        assert_eq!(repository_test(&passed).unwrap().message, None);
    }

    #[test]
    fn copies_come_without_the_fields_that_only_our_hub_has() {
        let answer = json!([{ "id": 3, "source_backup_id": "backup-vm-1", "repository_id": 2, "status": "pending",
            "file_path": "", "size_bytes": 0, "verification_status": "pending", "created_at": "2025-10-10T10:00:00Z" }]);
        let copies = copies(&answer).unwrap();
        assert_eq!(copies[0].status, CopyStatus::Pending);
        assert_eq!(copies[0].backup_id, None);
    }
}
