//! Each question to a hub against each way in which hubs fail to answer it: a typed failure in words, nothing that
//! changes something asked twice, and an end.

mod dialects;

use std::pin::Pin;
use std::time::Duration;

use sendense_types::{
    AppError, BackupId, BackupType, ErrorKind, MountId, RepositoryId, RepositoryPlace,
    RetentionPolicy, Vm, VmId, VmSource,
};
use sendense_words as words;
use tokio::time::{Instant, advance};
use tokio_util::task::AbortOnDropHandle;

use super::{HubClient, Token};
use crate::Result;
use crate::testing::{FakeHub, StoppedClock, json, settle};

/// What a hub does instead of answering.
struct Fault {
    name: &'static str,
    answer: String,
    /// So long the connection stays open after what was sent.
    held: Duration,
    /// Whether it can be taken for an answer by who expects little, such as an empty list.
    may_pass: bool,
    /// Whether it may have done what it was asked for.
    loses_answers: bool,
}

type Asked = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// A question, and how often it may ask for a change.
struct Question {
    name: &'static str,
    most_changes: usize,
    ask: fn(HubClient) -> Asked,
}

/// Longer than anybody waits, in simulated time.
const ENDLESS: Duration = Duration::from_secs(24 * 3600);
/// Every question is over by then: a few silences, and what is tried again.
const PATIENCE: Duration = Duration::from_secs(3600);
const SECRET: &str = "s3cret-token";

fn faults() -> Vec<Fault> {
    let html = "<!doctype html><html><body>Welcome to nginx!</body></html>";
    let mistyped = r#"{"vm_contexts":5,"backups":"none","repositories":{"a":[]},"mounts":true,"files":[1,"x",null],
        "backup_id":{},"mount_id":[],"status":17,"disks":[[]],"chain":"x","credentials":3,"discovered_vms":[null],
        "copies":0,"points":false,"policy":[],"name":9,"type":[],"size":"many","total_count":-1}"#;
    let mut faults = vec![
        lost("hangs up", String::new()),
        lost("hangs up in its head", "HTTP/1.1 200 O".to_owned()),
        fault("speaks something else", "SSH-2.0-OpenSSH_9.6\r\n".to_owned()),
        lost(
            "hangs up in its body",
            "HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"backups\":[".to_owned(),
        ),
        lost(
            "hangs up in a chunk",
            "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nfff\r\n{\"backups\":[".to_owned(),
        ),
        fault(
            "ends in the middle",
            "HTTP/1.1 200 X\r\nconnection: close\r\n\r\n{\"backups\":[{\"backup_id\":\"b".to_owned(),
        ),
        fault("says nothing in a good answer", json(200, "", "")),
        fault("says something for people", json(200, "", html)),
        fault("leads elsewhere", json(302, "location: http://192.0.2.1/login\r\n", html)),
        fault("nests without end", json(200, "", &"[".repeat(100_000))),
        fault("says success false", json(200, "", r#"{"success":false,"error":"disk on fire"}"#)),
        fault("wants a sign-in", json(401, "", r#"{"error":"Invalid or expired token"}"#)),
        fault("forbids it", json(403, "", r#"{"error":"not yours"}"#)),
        fault("has no such route", json(404, "", "404 page not found\n")),
        fault("does not know it", json(404, "", r#"{"error":"backup not found"}"#)),
        fault("has another method", json(405, "", "")),
        fault("has a conflict", json(409, "", r#"{"error":"in use"}"#)),
        fault("is busy", json(429, "retry-after: 1\r\n", r#"{"error":"busy"}"#)),
        fault("is busy for a day", json(503, "retry-after: 86400\r\n", r#"{"error":"busy"}"#)),
        fault("is a proxy without a hub", json(502, "", html)),
        // The five shapes of failures (contract 5).
        fault("fails with a reason", json(500, "", r#"{"error":"disk on fire"}"#)),
        fault("fails with details", json(500, "", r#"{"error":"failed","details":"disk on fire","timestamp":""}"#)),
        fault("fails with success false", json(500, "", r#"{"success":false,"error_message":"disk on fire"}"#)),
        fault("fails with a message", json(500, "", r#"{"message":"disk on fire"}"#)),
        fault("fails in plain text", json(500, "", "disk on fire\n")),
        fault("fails without a word", json(500, "", "")),
        fault("repeats the token", json(500, "", &format!(r#"{{"error":"bad header Bearer {SECRET}"}}"#))),
        Fault {
            held: ENDLESS,
            ..lost("is silent", String::new())
        },
        Fault {
            held: ENDLESS,
            ..lost("falls silent", "HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n{\"backups\":[".to_owned())
        },
        Fault {
            held: ENDLESS,
            ..lost("falls silent in a failure", "HTTP/1.1 500 X\r\ncontent-length: 1000\r\n\r\n{\"error\":".to_owned())
        },
    ];
    for (name, body) in [
        ("answers null", "null"),
        ("answers with a list", "[]"),
        ("answers with a number", "42"),
        ("answers with a text", "\"ok\""),
        ("answers with nothing in it", "{}"),
        ("mixes up its types", mistyped),
    ] {
        faults.push(Fault {
            may_pass: true,
            ..fault(name, json(200, "", body))
        });
    }
    faults
}

fn fault(name: &'static str, answer: String) -> Fault {
    Fault {
        name,
        answer,
        held: Duration::ZERO,
        may_pass: false,
        loses_answers: false,
    }
}

/// One after which nobody knows whether the hub has done what it was asked for.
fn lost(name: &'static str, answer: String) -> Fault {
    Fault {
        loses_answers: true,
        ..fault(name, answer)
    }
}

fn vm() -> Vm {
    Vm {
        context_id: VmId::from("ctx-a"),
        vm_name: "a".to_owned(),
        vm_path: String::new(),
        vcenter_host: String::new(),
        datacenter: String::new(),
        current_status: String::new(),
        cpu_count: None,
        memory_mb: None,
        os_type: None,
        power_state: None,
        created_at: None,
        left_out: Vec::new(),
    }
}

/// A question that only reads.
fn reads(name: &'static str, ask: fn(HubClient) -> Asked) -> Question {
    Question {
        name,
        most_changes: 0,
        ask,
    }
}

/// A question for a change that must not be made twice.
fn changes(name: &'static str, ask: fn(HubClient) -> Asked) -> Question {
    Question {
        name,
        most_changes: 1,
        ask,
    }
}

/// One for a change that is the same when it is made twice, so it is asked for again when the connection breaks, and
/// when the hub says that it is busy (three times).
fn changes_once_or_more(name: &'static str, ask: fn(HubClient) -> Asked) -> Question {
    Question {
        name,
        most_changes: 4,
        ask,
    }
}

fn questions() -> Vec<Question> {
    fn backup() -> BackupId {
        BackupId::from("b")
    }
    fn repository() -> RepositoryId {
        RepositoryId::from("r")
    }
    fn mount() -> MountId {
        MountId::from("m")
    }
    fn policy() -> RetentionPolicy {
        RetentionPolicy {
            keep_last: 3,
            ..RetentionPolicy::default()
        }
    }
    fn source() -> VmSource {
        VmSource::Folder {
            folder: "/vms".to_owned(),
        }
    }
    macro_rules! ask {
        ($hub:ident => $question:expr) => {
            |$hub| Box::pin(async move { $question.await.map(drop) })
        };
    }
    vec![
        reads("check_sign_in", ask!(hub => hub.check_sign_in())),
        reads("check_token", ask!(hub => hub.check_token())),
        reads("vms", ask!(hub => hub.vms())),
        reads("find_vm", ask!(hub => hub.find_vm("a"))),
        reads("vm_disks", ask!(hub => hub.vm_disks(&vm()))),
        reads("repositories", ask!(hub => hub.repositories())),
        reads("copies", ask!(hub => hub.copies(&backup()))),
        reads("backups", ask!(hub => hub.backups(&vm()))),
        reads("history", ask!(hub => hub.history(&vm()))),
        reads("all_backups", ask!(hub => hub.all_backups())),
        reads("backup", ask!(hub => hub.backup(&backup()))),
        reads(
            "confirmed_backup",
            ask!(hub => hub.confirmed_backup(&backup())),
        ),
        reads("chain", ask!(hub => hub.chain(&vm(), &repository()))),
        reads(
            "incremental_bases",
            ask!(hub => hub.incremental_bases(&vm())),
        ),
        reads("mounts", ask!(hub => hub.mounts())),
        reads(
            "list_files",
            ask!(hub => hub.list_files(&mount(), "/partition-1")),
        ),
        reads(
            "list_tree",
            ask!(hub => hub.list_tree(&mount(), "/partition-1")),
        ),
        reads("file", ask!(hub => hub.file(&mount(), "/partition-1/f"))),
        reads("retention", ask!(hub => hub.retention(&vm()))),
        reads(
            "vcenter_credentials",
            ask!(hub => hub.vcenter_credentials()),
        ),
        changes("sign_in", ask!(hub => hub.sign_in("ada", "horse"))),
        changes(
            "start_backup",
            ask!(hub => hub.start_backup(&vm(), &repository(), BackupType::Full, false)),
        ),
        changes(
            "create_repository",
            ask!(hub => hub.create_repository("x", &RepositoryPlace::folder("/x"))),
        ),
        changes(
            "start_copy",
            ask!(hub => hub.start_copy(&backup(), &repository())),
        ),
        changes(
            "delete_backup",
            ask!(hub => hub.delete_backup(&backup(), false)),
        ),
        changes_once_or_more("sign_out", ask!(hub => hub.sign_out())),
        changes_once_or_more("mount", ask!(hub => hub.mount(&backup(), 0))),
        changes_once_or_more("unmount", ask!(hub => hub.unmount(&mount()))),
        changes_once_or_more("start_nbd", ask!(hub => hub.start_nbd(&mount()))),
        changes_once_or_more("stop_nbd", ask!(hub => hub.stop_nbd(&mount()))),
        changes_once_or_more("cancel_backup", ask!(hub => hub.cancel_backup(&backup()))),
        changes_once_or_more(
            "cancel_verification",
            ask!(hub => hub.cancel_verification(&backup())),
        ),
        changes_once_or_more(
            "cancel_copy",
            ask!(hub => hub.cancel_copy(&backup(), &repository())),
        ),
        changes_once_or_more("pin_backup", ask!(hub => hub.pin_backup(&backup(), true))),
        changes_once_or_more(
            "delete_repository",
            ask!(hub => hub.delete_repository(&repository())),
        ),
        changes_once_or_more(
            "rescan_repository",
            ask!(hub => hub.rescan_repository("/x")),
        ),
        changes_once_or_more(
            "test_repository",
            ask!(hub => hub.test_repository(&RepositoryPlace::folder("/x"))),
        ),
        changes_once_or_more(
            "test_known_repository",
            ask!(hub => hub.test_known_repository(&repository())),
        ),
        changes_once_or_more(
            "set_retention",
            ask!(hub => hub.set_retention(&vm(), Some(policy()))),
        ),
        changes_once_or_more(
            "preview_retention",
            ask!(hub => hub.preview_retention(&vm(), policy())),
        ),
        changes_once_or_more("run_retention", ask!(hub => hub.run_retention(&vm(), true))),
        changes_once_or_more("discover_vms", ask!(hub => hub.discover_vms(&source()))),
        changes_once_or_more(
            "add_vms",
            ask!(hub => hub.add_vms(&source(), &["a".to_owned()])),
        ),
    ]
}

/// Contract H1, H18, H28, H34.
#[tokio::test]
async fn every_question_survives_every_way_not_to_answer_it() {
    let _clock = StoppedClock::new();
    let mut wrong = Vec::new();
    for fault in faults() {
        for question in questions() {
            let hub = FakeHub::holding({
                let (answer, held) = (fault.answer.clone(), fault.held);
                move |_| (answer.clone(), held)
            })
            .await;
            wrong.extend(faults_of(&fault, &question, &hub).await);
        }
    }
    assert_none(&wrong);
}

/// Contract H1, H18.
#[tokio::test]
async fn a_hub_that_fails_from_the_first_change_on_is_not_said_to_have_changed_nothing() {
    let _clock = StoppedClock::new();
    let mut wrong = Vec::new();
    let changes = || questions().into_iter().filter(|one| one.most_changes > 0);
    for fault in faults() {
        for question in changes() {
            let (answer, held) = (fault.answer.clone(), fault.held);
            let mut is_well = true;
            let hub = FakeHub::holding(move |line| {
                is_well &= line.starts_with("GET ");
                match is_well {
                    true => (well(line), Duration::ZERO),
                    false => (answer.clone(), held),
                }
            })
            .await;
            wrong.extend(faults_of(&fault, &question, &hub).await);
        }
    }
    assert_none(&wrong);
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    let n_wrong = wrong.len();
    assert_eq!(n_wrong, 0, "wrong:\n{}", wrong.join("\n"));
}

/// What a hub on a good day answers to who reads.
fn well(line: &str) -> String {
    let body = match line {
        _ if line.contains("/vm-contexts") => {
            r#"{"vm_contexts":[{"context_id":"ctx-a","vm_name":"a"}]}"#
        }
        _ if line.contains("/backups?") => {
            r#"{"backups":[{"backup_id":"old","vm_name":"a","status":"completed","backup_type":"full"}]}"#
        }
        _ => r#"{"backup_id":"b","vm_name":"a","status":"completed","backup_type":"full"}"#,
    };
    json(200, "", body)
}

/// What a question makes of a fault that it should not.
async fn faults_of(fault: &Fault, question: &Question, hub: &FakeHub) -> Vec<String> {
    let client = HubClient::new(&hub.address, Some(Token::new(SECRET))).unwrap();
    let asking = AbortOnDropHandle::new(tokio::spawn((question.ask)(client)));
    let began = Instant::now();
    while !asking.is_finished() && began.elapsed() < PATIENCE {
        settle().await;
        advance(Duration::from_secs(5)).await;
    }
    let mut wrong = Vec::new();
    let asked = hub.asked();
    let n_changes = asked
        .iter()
        .filter(|line| !line.starts_with("GET "))
        .count();
    if n_changes > question.most_changes {
        wrong.push(format!("asked for a change too often: {asked:?}"));
    }
    if !asking.is_finished() {
        wrong.push("no end".to_owned());
    } else {
        match asking.await {
            Err(_) => wrong.push("a panic".to_owned()),
            Ok(Ok(())) if fault.may_pass => {}
            // What a test found is an answer, also when it is bad news.
            Ok(Ok(()))
                if question.name.starts_with("test_") && fault.name == "says success false" => {}
            Ok(Ok(())) => wrong.push("taken for an answer".to_owned()),
            Ok(Err(error)) => {
                let unclear = unclear(&error, n_changes > 0 && fault.loses_answers);
                wrong.extend(unclear.map(|what| format!("{what}: {error:?}")));
            }
        }
    }
    let on = format!("{} on a hub that {}", question.name, fault.name);
    wrong.iter().map(|what| format!("{on}: {what}")).collect()
}

/// What is wrong with a failure that a user is to read.
fn unclear(error: &AppError, may_be_done: bool) -> Option<&'static str> {
    if may_be_done && error.hint.as_deref() == Some(words::failures::nothing_changed()) {
        return Some("nobody knows that nothing was changed");
    }
    if !error.message.ends_with('.') {
        return Some("no sentence");
    }
    if format!("{error:?}").contains(SECRET) {
        return Some("the token is in it");
    }
    let raw = ["fire", "nginx", "{", "HTTP", "reqwest"];
    if raw.iter().any(|raw| error.message.contains(raw)) {
        return Some("raw words in the message");
    }
    if error.kind == ErrorKind::Internal && error.details.is_none() && error.hint.is_none() {
        return Some("neither details nor a hint");
    }
    None
}
