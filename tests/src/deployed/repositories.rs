//! Repositories of a deployed hub (contract 3.5): folders are its own; what is said to be in a share lies in a folder
//! beside them, so that backups can go there.

use std::fs;
use std::path::Path;

use axum::body::{Body, Bytes};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{Answer, Shared, answer_of, no_route, ok, parsed, plain, shapes};

/// What a repository was added with.
#[derive(Clone, Debug)]
pub(super) struct Added {
    kind: String,
    config: Value,
    /// One that is not enabled is not listed (H24, H33).
    is_enabled: bool,
}

impl Added {
    fn is_share(&self) -> bool {
        self.kind != "local"
    }
}

impl Shared {
    pub(super) async fn repositories(&self) -> Answer {
        let mut rows = self.known_repositories().await;
        rows.retain(|row| {
            let id = row["id"].as_str().unwrap_or_default();
            let state = self.state();
            let added = state.repositories.get(id);
            added.is_none_or(|added| added.is_enabled)
        });
        // In another order each time; this one is wrong for whoever does not sort (H24).
        let rows: Vec<Value> = rows.iter().rev().map(|row| self.shown(row)).collect();
        Ok(ok(&json!({ "success": true, "repositories": rows })))
    }

    /// The repositories of the hub behind, in its shape.
    async fn known_repositories(&self) -> Vec<Value> {
        let behind = self.ask("repositories").await.unwrap_or_default();
        let rows = behind["repositories"].as_array().cloned();
        rows.unwrap_or_default()
    }

    fn shown(&self, ours: &Value) -> Value {
        let id = ours["id"].as_str().unwrap_or_default();
        let hazards = self.hazards();
        let added = self.state().repositories.get(id).cloned();
        let added = added.unwrap_or_else(|| Added {
            kind: "local".to_owned(),
            config: folder_config(&ours["config"]["path"]),
            is_enabled: true,
        });
        let has_room = !(added.is_share() && hazards.loses_shares);
        let offset = hazards.offset_seconds;
        shapes::repository(ours, &added.kind, &added.config, has_room, offset)
    }

    pub(super) async fn add_repository(&self, request: &Request<Bytes>) -> Answer {
        let body = parsed(request.body());
        let name = body["name"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() {
            return Ok(refused("Repository name is required"));
        }
        let added = match self.settings(&body) {
            Ok(added) => added,
            Err(refusal) => return Ok(*refusal),
        };
        let id = format!("repo-{}-1700000000", added.kind);
        let why = match self.why_unusable(&added) {
            Some(why) => Some(format!("test_connection: {why}")),
            None if added.is_share() && added.config["mount_point"] == "" => {
                Some("validate_config: mount point cannot be empty".to_owned())
            }
            None => None,
        };
        if let Some(why) = why {
            return Ok(self.failed("register", &id, &why, Some(&added)));
        }
        let folder = match added.is_share() {
            false => added.config["path"].clone(),
            true => {
                let n_shares = self.state().repositories.len();
                json!(self.shares.join(n_shares.to_string()))
            }
        };
        let body =
            json!({ "name": name, "type": "local", "enabled": true, "config": { "path": folder } });
        let url = format!("{}/api/v1/repositories", self.behind);
        let made = self.http.post(url).json(&body).send().await;
        let made = made.map_err(|_| super::Dropped)?;
        let is_made = made.status().is_success();
        let made: Value = made.json().await.map_err(|_| super::Dropped)?;
        if !is_made {
            let why = made["error"].as_str().unwrap_or_default();
            let why = match made["code"] == "name_taken" {
                true => format!(
                    "insert_database: Error 1062 (23000): Duplicate entry '{name}' for key 'name'"
                ),
                false => format!("insert_database: {why}"),
            };
            return Ok(self.failed("register", &id, &why, Some(&added)));
        }
        let ours = &made["repository"];
        let id = ours["id"].as_str().unwrap_or_default().to_owned();
        self.state().repositories.insert(id, added);
        let shown = json!({ "success": true, "repository": self.shown(ours) });
        Ok(answer_of(StatusCode::CREATED, &shown))
    }

    /// Success or not is an answer with a good status; shares are not tried at all.
    pub(super) fn test_repository(&self, request: &Request<Bytes>) -> Response<Body> {
        if self.hazards().lacks_repository_test {
            return no_route();
        }
        let added = match self.settings(&parsed(request.body())) {
            Ok(added) => added,
            Err(refusal) => return *refusal,
        };
        ok(&match self.why_unusable(&added) {
            Some(why) => json!({
                "success": false, "message": "Repository test failed",
                "error_details": self.quoting(&why, Some(&added)),
            }),
            None => json!({
                "success": true, "message": "Repository configuration is valid and connection test passed",
            }),
        })
    }

    /// The room in one; its share is mounted for that.
    pub(super) async fn storage(&self, id: &str) -> Answer {
        let known = self.known_repositories().await;
        let Some(ours) = known.iter().find(|ours| ours["id"] == *id) else {
            return Ok(plain(
                StatusCode::NOT_FOUND,
                "Repository not found: repository not found",
            ));
        };
        let hazards = self.hazards();
        let added = self.state().repositories.get(id).cloned();
        let share = added.as_ref().filter(|added| added.is_share());
        if let Some(share) = share.filter(|_| hazards.loses_shares) {
            let kind = share.kind.to_uppercase();
            let why = format!(
                "Failed to get storage info: repository {id}: mount_{}: failed to mount {kind} share: {kind} mount failed: \
                 exit status 32",
                share.kind
            );
            let why = self.quoting(&why, Some(share));
            return Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, &why));
        }
        let storage = &ours["storage_info"];
        Ok(ok(&shapes::storage(storage, hazards.offset_seconds)))
    }

    /// Refused with backups in it, and with rows that deleted ones have left (3.5).
    pub(super) async fn delete_repository(&self, id: &str) -> Answer {
        let mut n_rows = self.state().left_rows.get(id).copied().unwrap_or_default();
        for backup in self.listed("").await {
            if backup["repository_id"] == *id {
                n_rows += rows_of(&backup);
            }
        }
        if n_rows > 0 {
            let why = format!("delete: cannot delete repository with {n_rows} existing backups");
            return Ok(self.failed("delete", id, &why, None));
        }
        let url = format!("{}/api/v1/repositories/{id}", self.behind);
        let gone = self.http.delete(url).send().await;
        let gone = gone.map_err(|_| super::Dropped)?;
        if !gone.status().is_success() {
            let why = "delete_database: failed to delete from database: repository not found";
            return Ok(self.failed("delete", id, why, None));
        }
        self.state().repositories.remove(id);
        Ok(ok(
            &json!({ "success": true, "message": "Repository deleted successfully", "id": id }),
        ))
    }

    /// The rows of its disks outlive a backup (3.5, 3.6).
    pub(super) async fn note_left_rows(&self, backup: &str) {
        let Some(detail) = self.ask(&format!("backups/{backup}")).await else {
            return;
        };
        let repository = detail["repository_id"].as_str().unwrap_or_default();
        let n_disks = rows_of(&detail) - 1;
        *self
            .state()
            .left_rows
            .entry(repository.to_owned())
            .or_default() += n_disks;
    }

    /// The type and the settings of a request, as far as they can be read.
    fn settings(&self, body: &Value) -> Result<Added, Box<Response<Body>>> {
        let kind = body["type"].as_str().unwrap_or_default();
        if kind.is_empty() {
            return Err(Box::new(refused("Repository type is required")));
        }
        let (called, texts): (_, &[&str]) = match kind {
            "local" => ("local", &["path", "mount_options"]),
            "nfs" => (
                "NFS",
                &[
                    "server",
                    "export_path",
                    "mount_point",
                    "nfs_version",
                    "mount_options",
                ],
            ),
            "cifs" | "smb" => (
                "CIFS",
                &[
                    "server",
                    "share_name",
                    "mount_point",
                    "username",
                    "password_secret",
                    "domain",
                    "mount_options",
                ],
            ),
            other => {
                let text = format!("Unsupported repository type: {other}");
                return Err(Box::new(plain(StatusCode::BAD_REQUEST, &text)));
            }
        };
        // What is left out is empty, what is unknown is ignored, and what has another type is refused.
        let mut config = json!({});
        for name in texts {
            config[*name] = match &body["config"][*name] {
                Value::Null => json!(""),
                Value::String(text) => json!(text),
                other => {
                    let text = format!(
                        "Invalid {called} repository config: json: cannot unmarshal {other} into Go struct field .{name} of type string"
                    );
                    return Err(Box::new(plain(StatusCode::BAD_REQUEST, &text)));
                }
            };
        }
        if kind == "local" {
            config = folder_config(&config["path"]);
        }
        Ok(Added {
            kind: kind.to_owned(),
            config,
            is_enabled: body["enabled"] == true,
        })
    }

    fn why_unusable(&self, added: &Added) -> Option<String> {
        let lacks = |names: [&str; 2]| names.iter().any(|name| added.config[*name] == "");
        match added.kind.as_str() {
            "local" => {
                let path = added.config["path"].as_str().unwrap_or_default();
                why_no_folder(Path::new(path))
            }
            "nfs" if lacks(["server", "export_path"]) => {
                Some("NFS server and export path are required".to_owned())
            }
            "cifs" | "smb" if lacks(["server", "share_name"]) => {
                Some("CIFS server and share name are required".to_owned())
            }
            _ => None,
        }
    }

    /// The shape of failures around repositories (E4).
    fn failed(&self, what: &str, id: &str, why: &str, of: Option<&Added>) -> Response<Body> {
        let text = format!("Failed to {what} repository: repository {id}: {why}");
        let text = self.quoting(&text, of);
        answer_of(
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!({ "success": false, "error": text }),
        )
    }

    fn quoting(&self, text: &str, of: Option<&Added>) -> String {
        match of.filter(|_| self.hazards().quotes_passwords) {
            Some(added) => format!("{text} (config {})", added.config),
            None => text.to_owned(),
        }
    }
}

fn folder_config(path: &Value) -> Value {
    json!({ "path": path, "auto_mount": false, "mount_options": "" })
}

/// A backup has a row of its own and one for each disk.
fn rows_of(backup: &Value) -> usize {
    let listed = backup["disk_count"].as_u64();
    let disks = listed.or_else(|| Some(backup["disks"].as_array()?.len() as u64));
    1 + disks.unwrap_or_default() as usize
}

/// Makes a folder where there is none, and tries to write to one that is there.
fn why_no_folder(path: &Path) -> Option<String> {
    if path.as_os_str().is_empty() {
        return Some("local repository path is required".to_owned());
    }
    let Ok(known) = fs::metadata(path) else {
        let made = fs::create_dir_all(path);
        return made
            .err()
            .map(|error| format!("path does not exist and cannot be created: {error}"));
    };
    if !known.is_dir() {
        return Some("path is not a directory".to_owned());
    }
    let probe = path.join(".sendense_test");
    let tried = fs::write(&probe, "").and_then(|()| fs::remove_file(&probe));
    tried
        .err()
        .map(|error| format!("path is not writable: {error}"))
}

fn refused(text: &str) -> Response<Body> {
    answer_of(
        StatusCode::BAD_REQUEST,
        &json!({ "success": false, "error": text }),
    )
}
