//! A disk that does not answer: what needs it waits, and a hub with a single thread goes on answering the rest.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use sendense_hub::{Auth, Config, LocalHub, NewUser, Password};
use sendense_tests::{Answer, Api, sample_vm, temp_dir, tool, until};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// So long the others are left waiting before anybody looks whether they still do.
const WHILE: Duration = Duration::from_millis(300);
/// A hub that is not held up answers in less.
const AT_ONCE: Duration = Duration::from_millis(50);

/// A hub of which a single thread answers all requests.
struct OneThread {
    url: String,
    /// Good without a look into the database.
    key: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl OneThread {
    fn start(config: Config) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (started, begun) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async {
                let hub = LocalHub::start(config).await.unwrap();
                let begun = (hub.url().to_owned(), hub.key().to_owned());
                started.send(begun).unwrap();
                drop(stopped.await);
                hub.stop().await;
            });
        });
        let (url, key) = begun.recv().unwrap();
        Self {
            url,
            key,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for OneThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// How long the hub takes to say how it is, and what it says.
fn health(url: &str) -> (Duration, String) {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let limit = Some(Duration::from_secs(30));
    stream.set_read_timeout(limit).unwrap();
    let asked = Instant::now();
    let question = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (asked.elapsed(), answer)
}

/// Asks in the background.
fn asked(api: &Api, method: &'static str, path: &str, body: Option<Value>) -> JoinHandle<Answer> {
    let (api, path) = (api.clone(), path.to_owned());
    thread::spawn(move || api.ask(method, &path, body.as_ref()))
}

#[test]
fn a_hub_with_one_thread_answers_while_its_disk_does_not() {
    let folder = temp_dir();
    let data = folder.path().join("data");
    let mut config = Config::new(data.clone());
    config.auth = Auth::Users(vec![NewUser {
        username: "admin".to_owned(),
        password: Password::new("password"),
    }]);
    let hub = OneThread::start(config);
    let sign_in = json!({ "username": "admin", "password": "password" });
    let stranger = Api::new(&hub.url);
    let signed_in = stranger.post("/auth/login", &sign_in).ok();
    let token = signed_in["token"].as_str().unwrap();
    let bearer =
        |token: &str| Api::new(&hub.url).with_header(format!("Authorization: Bearer {token}"));
    let (api, by_token) = (bearer(&hub.key), bearer(token));

    let sample = sample_vm(folder.path());
    let vms = sample.folder.parent().unwrap();
    let found = json!({ "vm_names": ["pgtest1"], "source": { "folder": vms } });
    api.post("/discovery/add-vms", &found).ok();
    let repositories = api.get("/repositories").ok();
    let repository = &repositories["repositories"][0]["id"];
    let order = json!({ "vm_name": "pgtest1", "repository_id": repository, "backup_type": "full" });
    let begun = api.post("/backups", &order).ok();
    let backup_id = begun["backup_id"].as_str().unwrap();
    let backup = until("the backup is complete", Duration::from_secs(120), || {
        let backup = api.get(&format!("/backups/{backup_id}")).ok();
        assert_ne!(backup["status"], "failed", "{backup}");
        (backup["status"] == "completed").then_some(backup)
    });
    let mount = json!({ "backup_id": backup_id, "disk_index": 0 });
    let mount = api.post("/restore/mount", &mount).ok();
    let mount_id = mount["mount_id"].as_str().unwrap();

    // A pin is written down beside the images before its row is. Under the name it has until it is complete lies a
    // pipe, which takes nothing as long as nobody reads it.
    let image = backup["disks"][0]["qcow2_path"].as_str().unwrap();
    let context = std::path::Path::new(image).ancestors().nth(2).unwrap();
    let manifest = context.join(format!("{backup_id}.json"));
    assert!(manifest.is_file(), "{}", manifest.display());
    let pipe = context.join(format!("{backup_id}.json.partial"));
    tool("mkfifo").arg(&pipe).run();
    let pin = format!("/backups/{backup_id}/pin");
    let pinned = asked(&api, "PUT", &pin, None);
    thread::sleep(WHILE);
    let others = ["/backups", "/restore/mounts"].map(|path| asked(&by_token, "GET", path, None));
    thread::sleep(10 * WHILE);
    let were_answered = others.iter().all(JoinHandle::is_finished);
    assert!(!pinned.is_finished(), "its manifest is not written yet");
    let mut reader = File::open(&pipe).unwrap();
    drop(reader.read_to_end(&mut Vec::new()));
    assert!(were_answered, "while a manifest is written, others read");
    for other in others {
        other.join().unwrap().ok();
    }
    // A pipe cannot be synced: that pin has failed, and nothing of it stays.
    let refused = pinned.join().unwrap();
    assert_eq!(refused.status, 500, "{refused:?}");
    assert!(!fs::exists(&pipe).unwrap());
    assert_eq!(api.get("/backups").ok()["backups"][0]["is_pinned"], false);
    api.ask("PUT", &pin, None).ok();
    assert_eq!(api.get("/backups").ok()["backups"][0]["is_pinned"], true);

    // A row that cannot be written holds the database, and with it everybody who needs it.
    let elsewhere = Connection::open(data.join("hub.db")).unwrap();
    elsewhere.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = vec![asked(&api, "DELETE", &format!("/restore/{mount_id}"), None)];
    thread::sleep(WHILE);
    let files = format!("/restore/{mount_id}/files?path=/");
    let another = json!({ "backup_id": backup_id, "disk_index": 1 });
    waiting.push(asked(&api, "GET", "/restore/mounts", None));
    waiting.push(asked(&api, "GET", "/restore/resources", None));
    waiting.push(asked(&api, "GET", &files, None));
    waiting.push(asked(&api, "POST", "/restore/mount", Some(another)));
    waiting.push(asked(&by_token, "GET", "/vm-contexts", None));
    waiting.push(asked(&stranger, "POST", "/auth/login", Some(sign_in)));
    thread::sleep(WHILE);
    let mut answers: Vec<_> = (0..9).map(|_| health(&hub.url)).collect();
    answers.sort();
    for (_, said) in &answers {
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }
    // The middle one: a busy computer may be late once.
    let (median, said) = &answers[answers.len() / 2];
    assert!(*median < AT_ONCE, "{median:?}: {said}");
    for asked in &waiting {
        assert!(!asked.is_finished(), "the database gave no answer yet");
    }

    elsewhere.execute_batch("ROLLBACK").unwrap();
    for asked in waiting {
        let answer = asked.join().unwrap();
        // Whoever asked for the mount that was closed meanwhile hears that it is gone.
        assert!(matches!(answer.status, 200 | 404), "{answer:?}");
    }
    assert!(health(&hub.url).1.contains("healthy"));
}
