//! Repositories and copies, as hubs send them (contract 3.5, 3.7).
//!
//! The settings of a share hold its password (contract H34): of those, only what is named here is read.

use std::collections::BTreeSet;

use sendense_types::{
    BackupCopy, BackupId, CopyStatus, Repository, RepositoryId, RepositoryProblem, RepositoryTest,
    Rescan, Tried,
};
use serde_json::Value;

use super::Fields;
use crate::Result;
use crate::hub::redaction::without_passwords;

/// `GET /repositories`, by name: some hubs give them in another order each time (contract H24).
pub(in crate::hub) fn repositories(answer: &Value) -> Result<Vec<Repository>> {
    let mut repositories = rows(answer, repository)?;
    repositories.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(repositories)
}

/// The folders of the hub's computer in which repositories lie or are mounted.
pub(in crate::hub) fn folders_of_repositories(answer: &Value) -> Result<BTreeSet<String>> {
    let folders = rows(answer, |fields| {
        let config = fields.object(&["config"]);
        let folder = config.and_then(|config| config.text(&["mount_point", "path"]));
        Ok(folder.map(|folder| folder.trim_end_matches('/').to_owned()))
    })?;
    Ok(folders.into_iter().flatten().collect())
}

/// Lists of repositories are in an object or bare (contract 8.6).
fn rows<T>(answer: &Value, decode: impl Fn(Fields<'_>) -> Result<T>) -> Result<Vec<T>> {
    match answer {
        Value::Array(rows) => rows.iter().map(|row| decode(Fields::of(row)?)).collect(),
        answer => Fields::of(answer)?.list(&["repositories"], decode),
    }
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
        tried: Tried::Writing,
        message: match is_usable {
            true => None,
            false => fields
                .text(&["error_details", "error", "message"])
                .map(without_passwords),
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
    // A filesystem without a size is one that could not be read (contract 3.5).
    let total_bytes = bytes("total_bytes").filter(|total| *total > 0);
    let of_total = |name| bytes(name).filter(|_| total_bytes.is_some());
    let config = fields.object(&["config"]);
    Ok(Repository {
        id: RepositoryId::new(fields.required("id")?),
        name: fields.text_or_empty("name"),
        repository_type: fields.text_or_empty("type"),
        enabled: fields.flag("enabled"),
        path: config.and_then(|config| config.text(&["path"])),
        share: config.and_then(share),
        total_bytes,
        used_bytes: of_total("used_bytes"),
        available_bytes: of_total("available_bytes"),
        backup_count: bytes("backup_count"),
        is_connected: fields.optional_flag("is_connected"),
        status_message: fields.text(&["status_message"]),
        problems: problems(fields)?,
    })
}

/// Server and share, as people write them.
fn share(config: Fields<'_>) -> Option<String> {
    let server = config.text(&["server"])?;
    let export = config.text(&["export_path"]);
    let export = export.map(|export| format!("{server}:{export}"));
    export.or_else(|| {
        let share = config.text(&["share_name"])?;
        Some(format!("//{server}/{share}"))
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
              "storage_info": { "total_bytes": 10, "used_bytes": 6, "available_bytes": 4, "backup_count": 3 } },
        ]});
        let repositories = repositories(&answer).unwrap();
        assert_eq!(repositories[0].path.as_deref(), Some("/backup"));
        assert_eq!(repositories[0].available_bytes, Some(4));
        assert_eq!(repositories[0].used_bytes, Some(6));
        assert_eq!(repositories[1].id.as_str(), "2");
        assert_eq!(repositories[1].total_bytes, None);
    }

    /// Contract D59.
    #[test]
    fn the_room_of_a_repository_has_two_names() {
        for name in ["storage_info", "storage"] {
            let answer = json!({ "repositories": [{ "id": "r", "name": "a", "type": "local",
                "enabled": true, name: { "total_bytes": 10, "available_bytes": 4 } }] });
            let repository = repositories(&answer).unwrap().remove(0);
            assert_eq!(repository.available_bytes, Some(4));
        }
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

    /// Contract H34.
    #[test]
    fn a_share_is_named_and_its_password_is_not_read() {
        let answer = json!({ "success": true, "repositories": [
            { "id": "repo-cifs-1", "name": "b", "type": "cifs", "enabled": true,
              "config": { "server": "nas", "share_name": "backups", "mount_point": "/mnt/b/", "username": "ada",
                "password_secret": "horse", "domain": "", "mount_options": "password=horse" } },
            { "id": "repo-nfs-1", "name": "a", "type": "nfs", "enabled": true,
              "config": { "server": "nas", "export_path": "/exports", "mount_point": "/mnt/a" },
              "storage_info": { "total_bytes": 0, "used_bytes": 0, "available_bytes": 0, "backup_count": 2 } },
            { "id": "repo-local-1", "name": "c", "type": "local", "enabled": true, "config": { "path": "/backup" } },
        ]});
        let all = repositories(&answer).unwrap();
        assert!(!serde_json::to_string(&all).unwrap().contains("horse"));
        assert!(!format!("{all:?}").contains("horse"));
        let shares: Vec<_> = all.iter().map(|known| known.share.as_deref()).collect();
        assert_eq!(shares, [Some("nas:/exports"), Some("//nas/backups"), None]);
        // A filesystem without a size could not be read.
        assert_eq!((all[0].total_bytes, all[0].available_bytes), (None, None));
        assert_eq!(all[0].backup_count, Some(2));
        let folders = folders_of_repositories(&answer).unwrap();
        assert_eq!(
            folders.into_iter().collect::<Vec<_>>(),
            ["/backup", "/mnt/a", "/mnt/b"]
        );
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
