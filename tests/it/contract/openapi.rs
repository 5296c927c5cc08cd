//! The OpenAPI document, `docs/openapi.json`, against the answers of a running hub: statuses, types of content, and
//! every field. That the document is that of the code is tested in the hub.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use sendense_hub::Profile;
use sendense_tests::{Answer, Api, repository_root, until};
use serde_json::{Value, json};

use super::Started;

/// Operations that refuse nobody: they fail only with the hub itself.
const NEVER_REFUSED: [&str; 2] = ["GET /api/v1/health", "GET /health"];

/// On a busy machine everything takes long.
const PATIENCE: Duration = Duration::from_secs(120);

/// The document, and which of its operations have been seen to succeed and to refuse.
struct Document {
    document: Value,
    succeeded: RefCell<BTreeSet<String>>,
    refused: RefCell<BTreeSet<String>>,
}

/// One operation of the document.
struct Operation<'d> {
    method: String,
    path: &'d str,
    said: &'d Value,
}

impl Operation<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Its path with that for whatever varies in it.
    fn path_with(&self, id: &str) -> String {
        let parts = self.path.split('/');
        let parts: Vec<&str> = parts
            .map(|part| if part.starts_with('{') { id } else { part })
            .collect();
        parts.join("/")
    }
}

impl Document {
    fn read() -> Self {
        let path = repository_root().join("docs/openapi.json");
        let text = std::fs::read_to_string(path).unwrap();
        let mut document: Value = serde_json::from_str(&text).unwrap();
        // Later versions may answer more, but what this one answers the document knows.
        close(&mut document["components"]["schemas"]);
        Self {
            document,
            succeeded: RefCell::default(),
            refused: RefCell::default(),
        }
    }

    fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        for (path, of_path) in self.document["paths"].as_object().unwrap() {
            for (method, said) in of_path.as_object().unwrap() {
                let method = method.to_uppercase();
                operations.push(Operation { method, path, said });
            }
        }
        operations
    }

    /// The operation that is asked for: `/backups/chain` is no `/backups/{backup_id}`.
    fn operation(&self, method: &str, path: &str) -> Operation<'_> {
        let parts: Vec<&str> = path.split('?').next().unwrap().split('/').collect();
        let fits = |template: &str| {
            let template: Vec<&str> = template.split('/').collect();
            parts.len() == template.len()
                && std::iter::zip(&parts, template)
                    .all(|(part, wanted)| *part == wanted || wanted.starts_with('{'))
        };
        self.operations()
            .into_iter()
            .filter(|operation| operation.method == method && fits(operation.path))
            .min_by_key(|operation| operation.path.matches('{').count())
            .unwrap_or_else(|| panic!("{method} {path} is not in the document"))
    }

    /// The document knows this answer, with all that is in it.
    #[track_caller]
    fn check(&self, method: &str, path: &str, answer: &Answer) {
        let operation = self.operation(method, path);
        let found = self.differences(&operation, answer);
        assert!(
            found.is_empty(),
            "{}, {}:\n{}\nin {}",
            operation.name(),
            answer.status,
            found.join("\n"),
            String::from_utf8_lossy(&answer.body)
        );
        let seen = match answer.status {
            200..300 => &self.succeeded,
            _ => &self.refused,
        };
        seen.borrow_mut().insert(operation.name());
    }

    fn differences(&self, operation: &Operation<'_>, answer: &Answer) -> Vec<String> {
        let said = &operation.said["responses"][answer.status.to_string()];
        let said = match said["$ref"].as_str() {
            Some(reference) => self.document.pointer(&reference[1..]).unwrap(),
            None => said,
        };
        let contents = match (said.is_null(), said["content"].as_object()) {
            (true, _) => return vec!["the status is not in the document".to_owned()],
            (false, None) if answer.body.is_empty() => return Vec::new(),
            (false, None) => return vec!["there should be no body".to_owned()],
            (false, Some(contents)) => contents,
        };
        let Some(content) = contents.get(&answer.content_type).or(contents.get("*/*")) else {
            return vec![format!("{} is not in the document", answer.content_type)];
        };
        if answer.content_type != "application/json" {
            return Vec::new();
        }
        let schema = json!({
            "allOf": [content["schema"]],
            "components": self.document["components"],
        });
        let options = jsonschema::options().should_validate_formats(true);
        let validator = options.build(&schema).unwrap();
        validator
            .iter_errors(&answer.json())
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    /// Every operation was seen to succeed, and to refuse.
    fn hold(&self) {
        let missing = |seen: &RefCell<BTreeSet<String>>| -> Vec<String> {
            let names: BTreeSet<String> = self.operations().iter().map(Operation::name).collect();
            names.difference(&seen.borrow()).cloned().collect()
        };
        assert_eq!(missing(&self.succeeded), [""; 0], "not seen to succeed");
        assert_eq!(missing(&self.refused), NEVER_REFUSED, "not seen to refuse");
    }
}

/// Forbids fields that are not listed.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(close),
        _ => {}
    }
}

/// A hub that is asked by somebody who compares all its answers with the document.
struct Asked<'a> {
    document: &'a Document,
    api: Api,
}

impl Asked<'_> {
    /// The answer, which must be a success.
    #[track_caller]
    fn ok(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.ask(method, path, body);
        assert!((200..300).contains(&answer.status), "{answer:?}");
        match answer.content_type.as_str() {
            "application/json" => answer.json(),
            _ => Value::Null,
        }
    }

    #[track_caller]
    fn refused(&self, status: u16, method: &str, path: &str, body: Option<Value>) {
        let answer = self.ask(method, path, body);
        assert_eq!(answer.status, status, "{answer:?}");
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let path = format!("/api/v1{path}");
        let answer = self.api.ask_at(method, &path, body.as_ref());
        self.document.check(method, &path, &answer);
        answer
    }

    /// The answer once it says that it is over.
    #[track_caller]
    fn over(&self, path: &str, place: &str) -> Value {
        until(path, PATIENCE, || {
            let answer = self.ok("GET", path, None);
            let status = answer.pointer(place).unwrap().as_str().unwrap();
            let goes_on = [
                "started",
                "in_progress",
                "pending",
                "copying",
                "verifying",
                "running",
            ];
            (!goes_on.contains(&status)).then_some(answer)
        })
    }

    /// Cancels what `start` starts, which gives the path to do so. What was over by then is undone, and started again.
    #[track_caller]
    fn cancels(&self, start: impl Fn() -> String, undo: impl Fn()) {
        until("something to be cancelled", PATIENCE, || {
            let answer = self.ask("POST", &start(), None);
            if answer.status == 200 {
                return Some(());
            }
            assert_eq!(answer.status, 409, "{answer:?}");
            undo();
            None
        });
    }

    fn backed_up(&self, repository: &str, backup_type: &str) -> String {
        let order = json!({
            "vm_name": "pgtest1",
            "repository_id": repository,
            "backup_type": backup_type,
        });
        let started = self.ok("POST", "/backups", Some(order));
        let backup = text(&started["backup_id"]);
        let done = self.over(&format!("/backups/{backup}"), "/status");
        assert_eq!(done["status"], "completed", "{done}");
        backup
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn the_document_knows_every_answer_of_every_operation() {
    let started = Started::new(Profile::Default);
    let document = Document::read();
    let stranger = Asked {
        document: &document,
        api: Api::new(started.hub.url()),
    };
    let asked = Asked {
        document: &document,
        api: started.sign_in(),
    };
    let health = stranger.api.ask_at("GET", "/health", None);
    document.check("GET", "/health", &health);
    stranger.ok("GET", "/health", None);
    let login = |password: &str| Some(json!({ "username": "admin", "password": password }));
    stranger.ok("POST", "/auth/login", login("password"));
    stranger.refused(401, "POST", "/auth/login", login("wrong"));

    let sample = started.add_sample(&asked.api);
    let source = json!({ "folder": sample.folder.parent().unwrap() });
    asked.ok(
        "POST",
        "/discovery/discover-vms",
        Some(json!({ "source": source })),
    );
    let unknown = json!({ "vm_names": ["pgtest1", "nobody"], "source": source });
    asked.ok("POST", "/discovery/add-vms", Some(unknown));
    asked.ok("GET", "/vm-contexts", None);
    asked.ok("GET", "/vm-contexts/pgtest1/disks", None);

    let first = text(&asked.ok("GET", "/repositories", None)["repositories"][0]["id"]);
    let second = repositories(&started, &asked);
    let full = asked.backed_up(&first, "full");
    let incremental = asked.backed_up(&first, "incremental");
    recovery_points(&asked, &first, &second, &full, &incremental);
    retention(&asked);
    mounts(&asked, &incremental);
    asked.ok(
        "DELETE",
        &format!("/backups/{full}?with_dependents=true"),
        None,
    );

    refusals(&document, &stranger, &asked);
    asked.ok("POST", "/auth/logout", None);
    document.hold();
}

/// Returns the id of a second one.
fn repositories(started: &Started, asked: &Asked<'_>) -> String {
    let folder = |name: &str| started.folder.path().join(name);
    let config =
        |name: &str, folder| json!({ "name": name, "type": "local", "config": { "path": folder } });
    for name in ["second", "third"] {
        asked.ok(
            "POST",
            "/repositories/test",
            Some(config(name, folder(name))),
        );
        asked.ok("POST", "/repositories", Some(config(name, folder(name))));
    }
    let relative = config("fourth", "relative".into());
    asked.refused(400, "POST", "/repositories", Some(relative.clone()));
    let tried = asked.ok("POST", "/repositories/test", Some(relative));
    assert_eq!(tried["success"], false, "{tried}");
    let list = asked.ok("GET", "/repositories", None);
    let id_of = |name: &str| {
        let all = list["repositories"].as_array().unwrap();
        let row = all.iter().find(|row| row["name"] == name).unwrap();
        text(&row["id"])
    };
    asked.ok(
        "GET",
        &format!("/repositories/{}/storage", id_of("second")),
        None,
    );
    asked.ok("POST", "/repositories/refresh-storage", None);
    // What is not there is said of it, and does not make the list fail.
    std::fs::rename(folder("third"), folder("away")).unwrap();
    asked.ok("GET", "/repositories", None);
    let away = format!("/repositories/{}/storage", id_of("third"));
    asked.refused(409, "GET", &away, None);
    asked.ok("DELETE", &format!("/repositories/{}", id_of("third")), None);
    let rescan = json!({ "path": folder("away") });
    asked.ok("POST", "/repositories/rescan", Some(rescan));
    id_of("second")
}

fn recovery_points(asked: &Asked<'_>, first: &str, second: &str, full: &str, incremental: &str) {
    asked.ok("GET", "/backups", None);
    asked.ok(
        "GET",
        "/backups?vm_name=pgtest1&status=completed&backup_type=full",
        None,
    );
    asked.refused(400, "GET", "/backups?status=lost", None);
    asked.refused(404, "GET", "/backups?vm_name=nobody", None);
    let chain = format!("/backups/chain?vm_name=pgtest1&repository_id={first}");
    assert_eq!(asked.ok("GET", &chain, None)["total_backups"], 2);
    asked.ok("GET", "/backups/changeid?vm_name=pgtest1&disk_id=0", None);
    asked.ok("GET", "/backups/changeid?vm_name=pgtest1&disk_id=7", None);
    asked.refused(409, "POST", &format!("/backups/{full}/cancel"), None);
    asked.refused(409, "DELETE", &format!("/backups/{full}"), None);
    asked.ok("PUT", &format!("/backups/{full}/pin"), None);
    asked.ok("DELETE", &format!("/backups/{full}/pin"), None);

    let verify = format!("/backups/{full}/verify");
    asked.refused(404, "GET", &verify, None);
    asked.cancels(
        || {
            asked.ok("POST", &verify, None);
            format!("{verify}/cancel")
        },
        || (),
    );
    asked.over(&verify, "/status");
    asked.ok("POST", &verify, None);
    assert_eq!(asked.over(&verify, "/status")["status"], "sound");
    asked.refused(409, "POST", &format!("{verify}/cancel"), None);
    asked.ok("GET", &format!("/backups/{full}"), None);

    copies(asked, incremental, second);
    let order = json!({ "vm_name": "pgtest1", "repository_id": second, "backup_type": "full" });
    asked.cancels(
        || {
            let started = asked.ok("POST", "/backups", Some(order.clone()));
            format!("/backups/{}/cancel", text(&started["backup_id"]))
        },
        || (),
    );
    until("the backup to be cancelled", PATIENCE, || {
        let backups = asked.ok("GET", "/backups?status=cancelled", None);
        (backups["total_count"] == 1).then_some(())
    });
}

fn copies(asked: &Asked<'_>, backup: &str, second: &str) {
    let list = format!("/backups/{backup}/copies");
    let copy = format!("/backups/{backup}/copy");
    let order = Some(json!({ "repository_id": second }));
    let of_status = |status: &str| {
        let copies = asked.ok("GET", &list, None);
        let mut copies = copies.as_array().unwrap().iter();
        copies.find(|copy| copy["status"] == status).cloned()
    };
    asked.cancels(
        || {
            let started = asked.ok("POST", &copy, order.clone());
            format!("{list}/{}/cancel", started["copy_id"])
        },
        || {
            let done = until("the copy to end", PATIENCE, || of_status("completed"));
            let became = format!("/backups/{}", text(&done["backup_id"]));
            let base = text(&asked.ok("GET", &became, None)["parent_backup_id"]);
            let deleted = format!("/backups/{base}?with_dependents=true");
            asked.ok("DELETE", &deleted, None);
        },
    );
    let ended = until("the copy to end", PATIENCE, || of_status("failed"));
    assert_eq!(ended["error_code"], "cancelled", "{ended}");
    asked.refused(409, "POST", &format!("{list}/{}/cancel", ended["id"]), None);
    asked.ok("POST", &copy, order);
    until("the copy to be there", PATIENCE, || of_status("completed"));
}

fn retention(asked: &Asked<'_>) {
    let path = "/vm-contexts/pgtest1/retention";
    let run = format!("{path}/run");
    asked.ok("GET", path, None);
    asked.refused(404, "POST", &run, Some(json!({})));
    asked.refused(400, "PUT", path, Some(json!({})));
    asked.refused(
        400,
        "PUT",
        path,
        Some(json!({ "policy": { "keep_last": 0 } })),
    );
    asked.ok("PUT", path, Some(json!({ "policy": { "keep_last": 9 } })));
    asked.ok("GET", path, None);
    let dry = json!({ "dry_run": true, "policy": { "keep_last": 1 } });
    let planned = asked.ok("POST", &run, Some(dry));
    assert_ne!(planned["points"], json!([]), "{planned}");
    asked.ok("POST", &run, Some(json!({})));
    asked.over(path, "/status");
    asked.ok("PUT", path, Some(json!({ "policy": null })));
}

fn mounts(asked: &Asked<'_>, backup: &str) {
    let mount = |disk: u32| {
        let order = json!({ "backup_id": backup, "disk_index": disk });
        text(&asked.ok("POST", "/restore/mount", Some(order))["mount_id"])
    };
    let (windows, linux) = (mount(0), mount(1));
    asked.ok("GET", "/restore/mounts", None);
    asked.ok("GET", "/restore/resources", None);
    asked.ok("GET", "/restore/cleanup-status", None);
    let nbd = format!("/restore/{linux}/nbd");
    asked.ok("POST", &nbd, None);
    asked.ok("DELETE", &nbd, None);
    let folder = sendense_tests::temp_dir();
    let order = json!({ "backup_id": backup, "folder": folder.path().join("machine") });
    let machine = asked.ok("POST", "/restore/live-machines", Some(order.clone()));
    asked.refused(400, "POST", "/restore/live-machines", Some(order));
    asked.ok("GET", "/restore/live-machines", None);
    let machine = format!("/restore/live-machines/{}", text(&machine["id"]));
    asked.refused(400, "DELETE", &format!("{machine}?discard=perhaps"), None);
    asked.ok("DELETE", &format!("{machine}?discard=true"), None);
    let folder = sendense_tests::temp_dir();
    let order = json!({ "backup_id": backup, "folder": folder.path(), "format": "raw" });
    asked.ok("POST", "/restore/full/plan", Some(order.clone()));
    let restore = asked.ok("POST", "/restore/full", Some(order));
    let restore = format!("/restore/full/{}", text(&restore["restore_id"]));
    // At once, while it still runs.
    asked.ok("POST", &format!("{restore}/cancel"), None);
    asked.ok("GET", &restore, None);
    asked.ok("GET", "/restore/full", None);
    asked.refused(404, "GET", "/restore/full/nothing", None);
    for (id, path) in [
        (&windows, "/"),
        (&windows, "/Users/Public/Documents"),
        (&linux, "/"),
        (&windows, "/&recursive=true"),
        (&linux, "/&recursive=true"),
    ] {
        let listed = asked.ok("GET", &format!("/restore/{id}/files?path={path}"), None);
        assert_ne!(listed["files"], json!([]), "{listed}");
    }
    let unclear = format!("/restore/{linux}/files?path=/&recursive=yes");
    asked.refused(400, "GET", &unclear, None);
    let file = "path=/Recovery/WindowsRE/ReAgent.xml";
    asked.ok("GET", &format!("/restore/{windows}/file-info?{file}"), None);
    asked.ok("GET", &format!("/restore/{windows}/download?{file}"), None);
    asked.ok(
        "GET",
        &format!("/restore/{windows}/download?path=/Recovery"),
        None,
    );
    let part = |range: &str| Asked {
        document: asked.document,
        api: asked
            .api
            .clone()
            .with_header(format!("Range: bytes={range}")),
    };
    let download = format!("/restore/{windows}/download?{file}");
    assert_eq!(part("0-9").ask("GET", &download, None).status, 206);
    assert_eq!(part("99999-").ask("GET", &download, None).status, 416);
    for format in ["zip", "tar.gz"] {
        let folder = format!("download-directory?path=/Recovery&format={format}");
        asked.ok("GET", &format!("/restore/{windows}/{folder}"), None);
    }
    for path in ["file-info", "download", "download-directory"] {
        let path = format!("/restore/{windows}/{path}");
        asked.refused(400, "GET", &path, None);
        asked.refused(400, "GET", &format!("{path}?path=/.."), None);
        asked.refused(400, "GET", &format!("{path}?path=%FF"), None);
        asked.refused(404, "GET", &format!("{path}?path=/nothing"), None);
    }
    asked.ok("DELETE", &format!("/restore/{linux}"), None);
    asked.refused(404, "GET", &format!("/restore/{linux}/files"), None);
}

/// What every operation refuses in one way: strangers, ids of nothing, and paths that are none.
fn refusals(document: &Document, stranger: &Asked<'_>, asked: &Asked<'_>) {
    for operation in document.operations() {
        let Some(path) = operation.path.strip_prefix("/api/v1") else {
            continue;
        };
        let method = operation.method.as_str();
        if operation.said["security"].is_array() {
            stranger.refused(
                401,
                method,
                &operation.path_with("1")["/api/v1".len()..],
                None,
            );
        }
        if path.contains('{') {
            for id in ["0", "%FF", "no%00thing", "..%2F..", "%F0%9F%92%BE"] {
                let path = &operation.path_with(id)["/api/v1".len()..];
                let body = operation.said["requestBody"].is_object().then(|| json!({}));
                let answer = asked.ask(method, path, body);
                // Of an unknown backup there is no copy: that is an answer, as on deployed hubs.
                let is_refusal = (400..500).contains(&answer.status);
                assert!(is_refusal || answer.body == b"[]", "{answer:?}");
            }
        }
    }
}

#[test]
fn what_is_not_in_the_document_is_not_served() {
    let started = Started::new(Profile::Default);
    let document = Document::read();
    let api = started.sign_in();
    let operations = document.operations();
    let paths: BTreeSet<&str> = operations.iter().map(|operation| operation.path).collect();
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let known = |one: &Operation<'_>| one.path == path && one.method == method;
            if !operations.iter().any(known) {
                let answer = api.ask_at(method, &path.replace(['{', '}'], ""), None);
                assert_eq!(answer.status, 405, "{answer:?}");
                assert!(answer.json()["error"].is_string(), "{answer:?}");
            }
        }
    }
}

#[test]
fn a_field_that_the_document_does_not_have_is_noticed() {
    let started = Started::new(Profile::Default);
    let mut document = Document::read();
    let api = started.sign_in();
    let answer = api.get("/restore/cleanup-status");
    let operation = |document: &Document| {
        let operation = document.operation("GET", "/api/v1/restore/cleanup-status");
        document.differences(&operation, &answer)
    };
    assert_eq!(operation(&document), [""; 0]);
    let known = &mut document.document["components"]["schemas"]["CleanupStatus"];
    known["properties"]
        .as_object_mut()
        .unwrap()
        .remove("running");
    assert!(
        operation(&document)[0].contains("running"),
        "{:?}",
        operation(&document)
    );
}
