//! Clients that mean no good, on a hub with few files to open: they get nothing, and users notice nothing of them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use sendense_tests::{Api, Hub, Random, sample_vm, temp_dir, until};
use serde_json::json;

/// Files that the hub may have open, its connections among them.
const OPEN_FILES: u32 = 200;
/// Far more connections than such a hub can have.
const CROWD: usize = 600;
/// A hub that is not held up answers in less.
const AT_ONCE: Duration = Duration::from_millis(100);
const PASSWORD: &str = "correct horse";

/// A hub with a user, and that user's token.
struct Target {
    hub: Hub,
    token: String,
    folder: tempfile::TempDir,
}

impl Target {
    fn start() -> Self {
        let folder = temp_dir();
        let args = ["--user", "admin", "--password-stdin"];
        let said = format!("{PASSWORD}\n");
        let data = folder.path().join("data");
        let hub = Hub::start_with_open_files(&data, &args, &said, OPEN_FILES);
        let login = json!({ "username": "admin", "password": PASSWORD });
        let token = hub.api().post("/auth/login", &login).ok()["token"].clone();
        let token = token.as_str().unwrap().to_owned();
        Self { hub, token, folder }
    }

    fn api(&self) -> Api {
        let header = format!("Authorization: Bearer {}", self.token);
        self.hub.api().with_header(header)
    }

    fn address(&self) -> String {
        self.hub.url().replace("http://", "")
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Sends bytes as they are, and gives what comes back before the connection ends.
    fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // A hub that refuses while it is still being sent to hangs up.
        drop(stream.write_all(bytes));
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("no end of the answer: {error}"),
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// How long a user waits for the list of VMs, over a connection of its own. In a crowd that may be ended before it
    /// could ask, so it asks once more, as clients do.
    fn status_read(&self) -> Duration {
        let asked = Instant::now();
        let request = format!(
            "GET /api/v1/vm-contexts HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Connection: close\r\n\r\n",
            self.address(),
            self.token
        );
        let mut answer = self.send(request.as_bytes());
        if answer.is_empty() {
            answer = self.send(request.as_bytes());
        }
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        asked.elapsed()
    }

    /// Reads the list of VMs over and over while something else goes on.
    fn read_during<T: Send>(&self, attack: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let attack = scope.spawn(attack);
            let mut waits = vec![self.status_read()];
            while !attack.is_finished() {
                waits.push(self.status_read());
                thread::sleep(Duration::from_millis(5));
            }
            let outcome = attack.join().unwrap_or_else(|panic| resume_unwind(panic));
            waits.sort();
            let median = waits[waits.len() / 2];
            assert!(median < AT_ONCE, "half of all users wait {median:?}");
            outcome
        })
    }
}

/// The head of a request with this request line and these further lines.
fn head(line: &str, further: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\n{further}\r\n").into_bytes()
}

#[test]
fn idle_and_slow_connections_keep_nobody_out() {
    let target = Target::start();
    let half_a_head = b"GET /health HTTP/1.1\r\nHost: 127.0.".to_vec();
    let mut half_a_body = head("POST /api/v1/auth/login", "Content-Length: 1000\r\n");
    half_a_body.extend(br#"{"username":"#);
    for beginning in [Vec::new(), half_a_head, half_a_body] {
        let crowd = target.read_during(|| {
            let crowd: Vec<TcpStream> = (0..CROWD)
                .map(|_| {
                    let mut stream = target.connect();
                    drop(stream.write_all(&beginning));
                    stream
                })
                .collect();
            thread::sleep(Duration::from_millis(500));
            crowd
        });
        until("most to make room", Duration::from_secs(30), || {
            let n_ended = crowd.iter().filter(|stream| has_ended(stream)).count();
            (n_ended > CROWD - OPEN_FILES as usize).then_some(())
        });
    }
}

/// Whether the other side has hung up.
fn has_ended(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut stream = stream;
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

#[test]
fn floods_are_refused() {
    let target = Target::start();
    target.read_during(|| {
        let long = format!("X-Flood: {}\r\n", "x".repeat(1 << 20));
        let many: String = (0..5_000).map(|i| format!("X-{i}: x\r\n")).collect();
        for headers in [long, many] {
            let answer = target.send(&head("GET /api/v1/vm-contexts", &headers));
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
                "{answer}"
            );
        }
        let long_path = format!("GET /api/v1/{}", "a/".repeat(1 << 20));
        let answer = target.send(&head(&long_path, ""));
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
        for (line, token) in [
            ("POST /api/v1/auth/login", None),
            ("POST /api/v1/backups", Some(&target.token)),
        ] {
            let authorization = token.map_or(String::new(), |token| {
                format!("Authorization: Bearer {token}\r\n")
            });
            let size = 8 << 20;
            let headers = format!("Connection: close\r\n{authorization}Content-Length: {size}\r\n");
            let mut request = head(line, &headers);
            request.extend(br#"{"username":""#);
            request.resize(request.len() + size, b'a');
            let answer = target.send(&request);
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
                "{line}: {answer}"
            );
        }
        // Endless brackets are not an endless recursion.
        let deep = "[".repeat(500_000);
        let headers = format!("Connection: close\r\nContent-Length: {}\r\n", deep.len());
        let mut request = head("POST /api/v1/auth/login", &headers);
        request.extend(deep.as_bytes());
        let answer = target.send(&request);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    });
}

#[test]
fn wrong_tokens_open_nothing() {
    let target = Target::start();
    let mut random = Random::new(14);
    let mut hex = || char::from_digit(random.below(16) as u32, 16).unwrap();
    let mut wrong: Vec<String> = (0..60)
        .map(|_| (0..target.token.len()).map(|_| hex()).collect())
        .collect();
    wrong.extend([
        String::new(),
        target.token.to_uppercase(),
        target.token[1..].to_owned(),
        format!("{}0", target.token),
        format!("{} {}", target.token, target.token),
        "null".to_owned(),
        "' OR 1=1 --".to_owned(),
    ]);
    target.read_during(|| {
        for token in wrong {
            for path in ["vm-contexts", "backups", "restore/mounts", "no/such/path"] {
                let headers = format!("Authorization: Bearer {token}\r\nConnection: close\r\n");
                let answer = target.send(&head(&format!("GET /api/v1/{path}"), &headers));
                let expected = match path {
                    "no/such/path" => "HTTP/1.1 404",
                    _ => "HTTP/1.1 401",
                };
                assert!(answer.starts_with(expected), "{token:?} {path}: {answer}");
            }
        }
    });
}

#[test]
fn no_spelling_of_a_path_leads_out_of_the_disk_or_breaks_the_hub() {
    const PIECES: &[&str] = &[
        "..",
        "%2e%2e",
        ".%2e",
        "..%2f",
        "%2f",
        "/",
        "//",
        "\\",
        "%5c",
        ".",
        "%00",
        "%0d%0a",
        "%25",
        "%c0%ae%c0%ae",
        "%ff",
        "%ef%bc%8e%ef%bc%8e",
        "~",
        "file:",
        "partition-1",
        "partition-99",
        "Windows",
        "etc/passwd",
        "hub.json",
        "hub.db",
        "C:",
        "*",
        "$Extend",
        "%e2%80%ae",
        ";",
        "+",
    ];
    let target = Target::start();
    let api = target.api();
    let sample = sample_vm(target.folder.path());
    let found = json!({ "vm_names": ["pgtest1"], "source": { "folder": sample.folder.parent() } });
    api.post("/discovery/add-vms", &found).ok();
    let repository = api.get("/repositories").ok()["repositories"][0]["id"].clone();
    let order = json!({ "vm_name": "pgtest1", "repository_id": repository, "backup_type": "full" });
    let backup = api.post("/backups", &order).ok()["backup_id"].clone();
    let backup = backup.as_str().unwrap();
    until("the backup to finish", Duration::from_secs(120), || {
        let detail = api.get(&format!("/backups/{backup}")).ok();
        assert_ne!(detail["status"], "failed", "{detail}");
        (detail["status"] == "completed").then_some(())
    });
    let mount = api.post(
        "/restore/mount",
        &json!({ "backup_id": backup, "disk_index": 0 }),
    );
    let mount = mount.ok()["mount_id"].as_str().unwrap().to_owned();

    let mut random = Random::new(500);
    let mut variants = || -> String {
        let n_pieces = 1 + random.below(9);
        (0..n_pieces)
            .map(|_| PIECES[random.below(PIECES.len() as u64) as usize])
            .collect()
    };
    let headers = format!(
        "Authorization: Bearer {}\r\nConnection: close\r\n",
        target.token
    );
    for _ in 0..500 {
        let path = variants();
        for line in [
            format!("GET /api/v1/restore/{mount}/files?path={path}"),
            format!("GET /api/v1/restore/{mount}/download?path=/partition-1/{path}"),
            format!("GET /api/v1/restore/{path}/files?path=/"),
            format!("DELETE /api/v1/restore/{path}"),
            format!("GET /{path}"),
        ] {
            let answer = target.send(&head(&line, &headers));
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert!(
                status.starts_with('4') || status == "200",
                "{line}: {answer}"
            );
            for secret in ["root:x:", "SQLite format 3", &target.token] {
                assert!(!answer.contains(secret), "{line}: {answer}");
            }
        }
    }
    // It is the same hub as before, with the same mount.
    let mounts = api.get("/restore/mounts").ok();
    assert_eq!(mounts["mounts"][0]["mount_id"], mount.as_str(), "{mounts}");
}
