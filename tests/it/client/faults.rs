//! What deployed hubs do to their clients, by a server that does nothing else: connections dropped without an answer,
//! truncated bodies, empty answers, plain texts.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sendense_core::download::save_file;
use sendense_core::{HubClient, Token};
use sendense_tests::temp_dir;
use sendense_types::{BackupId, BackupType, ErrorKind, MountId, RepositoryId};
use tokio_util::sync::CancellationToken;

use super::destination;

/// What is answered to one request.
enum Answer {
    /// This status and JSON.
    Json(u16, &'static str),
    /// These bytes, then the end of the connection.
    Raw(&'static str),
    /// Nothing.
    Drop,
}

/// A server that answers requests in this order, and what it was asked.
struct Script {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn play(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        thread::spawn(move || {
            while let Some(answer) = answers.pop_front() {
                let (mut stream, _) = listener.accept().unwrap();
                let Some(line) = read_request(&mut stream) else {
                    return;
                };
                heard.lock().unwrap().push(line);
                let bytes = match answer {
                    Answer::Json(status, body) => format!(
                        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n\
                         content-length: {}\r\nconnection: close\r\n\r\n{body}",
                        body.len()
                    ),
                    Answer::Raw(bytes) => bytes.to_owned(),
                    Answer::Drop => String::new(),
                };
                // The client may have hung up; what it makes of that is the test's business.
                drop(stream.write_all(bytes.as_bytes()));
            }
        });
        Self { address, asked }
    }

    fn hub(&self) -> HubClient {
        HubClient::new(&self.address.to_string(), None).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Reads a request to its end and gives its first line without the version.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok())
        .unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).ok()?;
    let first = String::from_utf8_lossy(&bytes);
    let line = first.lines().next()?;
    Some(line.trim_end_matches(" HTTP/1.1").to_owned())
}

const VM: &str = r#"{"vm_contexts":[{"context_id":"ctx-a","vm_name":"a"}]}"#;

async fn vm(hub: &HubClient) -> sendense_types::Vm {
    hub.find_vm("a").await.unwrap()
}

#[tokio::test]
async fn a_question_is_asked_once_more_when_the_connection_breaks() {
    let script = Script::play([Answer::Drop, Answer::Json(200, VM)]);
    assert_eq!(script.hub().vms().await.unwrap().len(), 1);
    let script = Script::play([Answer::Drop, Answer::Drop, Answer::Json(200, VM)]);
    let error = script.hub().vms().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Offline);
    assert_eq!(script.asked().len(), 2);
}

/// Contract H1.
#[tokio::test]
async fn a_start_without_an_answer_is_looked_for_and_never_repeated() {
    let script = Script::play([
        Answer::Json(200, VM),
        Answer::Json(
            200,
            r#"{"backups":[{"backup_id":"old","vm_name":"a","status":"completed"}]}"#,
        ),
        Answer::Drop,
        Answer::Json(
            200,
            r#"{"backups":[{"backup_id":"new","vm_name":"a","status":"running"},{"backup_id":"old","vm_name":"a","status":"completed"}]}"#,
        ),
    ]);
    let hub = script.hub();
    let vm = vm(&hub).await;
    let started = hub
        .start_backup(&vm, &RepositoryId::from("1"), BackupType::Full, false)
        .await
        .unwrap();
    assert_eq!(started.backup_id.as_str(), "new");
    let posts = script
        .asked()
        .iter()
        .filter(|line| line.starts_with("POST"))
        .count();
    assert_eq!(posts, 1, "{:?}", script.asked());
}

/// Contract H1.
#[tokio::test]
async fn a_start_that_nobody_knows_of_is_said_to_be_unknown() {
    let none = r#"{"backups":null,"total":0}"#;
    let script = Script::play([
        Answer::Json(200, VM),
        Answer::Json(200, none),
        // Whether another VM has that name (contract H32).
        Answer::Json(200, VM),
        Answer::Drop,
        Answer::Json(200, none),
    ]);
    let hub = script.hub();
    let vm = vm(&hub).await;
    let error = hub
        .start_backup(&vm, &RepositoryId::from("1"), BackupType::Full, false)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
}

/// Contract H7.
#[tokio::test]
async fn a_second_backup_is_not_started_beside_a_running_one() {
    let script = Script::play([
        Answer::Json(200, VM),
        Answer::Json(
            200,
            r#"{"backups":[{"backup_id":"b","vm_name":"a","status":"running"}]}"#,
        ),
    ]);
    let hub = script.hub();
    let vm = vm(&hub).await;
    let error = hub
        .start_backup(&vm, &RepositoryId::from("1"), BackupType::Full, false)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict, "contract H7");
    assert_eq!(script.asked().len(), 2, "nothing was started");
}

/// Contract D39, D40, H1.
#[tokio::test]
async fn a_mount_without_an_answer_is_asked_for_again() {
    let script = Script::play([
        Answer::Drop,
        Answer::Json(200, r#"{"mount_id":"m","status":"mounting"}"#),
        Answer::Json(
            200,
            r#"{"mount_id":"m","backup_id":"b","disk_index":0,"status":"mounted"}"#,
        ),
    ]);
    let mount = script.hub().mount(&BackupId::from("b"), 0).await.unwrap();
    assert_eq!(mount.mount_id.as_str(), "m");
    assert_eq!(script.asked().len(), 3);
}

/// Contract D6, H18, H28.
#[tokio::test]
async fn an_empty_answer_and_a_plain_text_are_errors_in_words() {
    let script = Script::play([
        Answer::Json(200, ""),
        Answer::Raw("HTTP/1.1 500 X\r\nconnection: close\r\n\r\nsomething broke\n"),
        Answer::Json(
            200,
            r#"{"success":false,"error":"Failed: path is not writable"}"#,
        ),
        Answer::Raw("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html>Welcome</html>"),
    ]);
    let hub = script.hub();
    let empty = hub.vms().await.unwrap_err();
    assert!(empty.message.contains("empty"), "contract H18: {empty}");
    let plain = hub.vms().await.unwrap_err();
    assert_eq!(plain.details.as_deref(), Some("something broke"));
    assert_eq!(
        hub.repositories().await.unwrap_err().kind,
        ErrorKind::Forbidden
    );
    assert!(hub.vms().await.unwrap_err().message.contains("like a hub"));
}

/// Contract H1.
#[tokio::test]
async fn a_short_body_is_a_cut_and_leaves_no_file() {
    const INFO: &str = r#"{"name":"f","path":"/f","type":"file","size":100}"#;
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\nhalf";
    // The clean end of a body without a length that is shorter than the listed size.
    let clean = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf";
    for body in [cut, clean] {
        let folder = temp_dir();
        let script = Script::play([Answer::Json(200, INFO), Answer::Raw(body)]);
        let error = save_file(
            &script.hub(),
            &MountId::from("m"),
            "/f",
            &destination(&folder.path().join("f")),
            &mut |_| {},
            &CancellationToken::new(),
        )
        .await
        .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Cut, "{error:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// Contract D50, H16.
#[tokio::test]
async fn a_folder_and_a_link_are_not_downloaded_as_files() {
    for info in [
        r#"{"name":"d","path":"/d","type":"directory","size":4096}"#,
        r#"{"name":"l","path":"/l","type":"file","size":5,"is_symlink":true,"symlink_target":"/etc/passwd"}"#,
    ] {
        let folder = temp_dir();
        // A hub would send something.
        let content = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nbytes";
        let script = Script::play([Answer::Json(200, info), Answer::Raw(content)]);
        let outcome = save_file(
            &script.hub(),
            &MountId::from("m"),
            "/x",
            &destination(&folder.path().join("x")),
            &mut |_| {},
            &CancellationToken::new(),
        )
        .await;
        assert!(outcome.is_err(), "contract D50 and H16");
        assert_eq!(
            script.asked().len(),
            1,
            "only looked at: {:?}",
            script.asked()
        );
    }
}

#[tokio::test]
async fn a_redirect_is_said_and_does_not_carry_the_token_elsewhere() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let origin = format!("http://{}", elsewhere.local_addr().unwrap());
    for (location, target) in [
        (format!("{origin}/a/secret?path=b"), origin.clone()),
        (
            "https://HUB.example/login".to_owned(),
            "https://hub.example".to_owned(),
        ),
        ("/login".to_owned(), "http://127.0.0.1".to_owned()),
        ("mailto:ada".to_owned(), "elsewhere".to_owned()),
    ] {
        for status in [301, 302, 303, 307, 308] {
            let answer = format!(
                "HTTP/1.1 {status} X\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let script = Script::play([Answer::Raw(answer.leak())]);
            let hub = script.hub().with_token(Token::new("s3cret"));
            let error = hub.health().await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid, "{error:?}");
            assert!(error.message.contains(&target), "{target}: {error}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }
    assert!(elsewhere.accept().is_err(), "somebody went there");
}
