//! Who may use a hub: signing in, and what is refused without it.

use std::path::Path;

use sendense_hub::{Auth, Clock, Config, LocalHub, NewUser, Password};
use sendense_tests::{Api, Hub, sendense, temp_dir, tool};
use serde_json::json;

use super::{refused, text};

const PASSWORD: &str = "correct horse battery staple";

fn hub(data: &Path) -> Hub {
    Hub::start_with(data, &["--user", "operator"], &format!("{PASSWORD}\n"), &[])
}

#[test]
fn no_token_and_wrong_tokens_are_turned_away_everywhere() {
    let folder = temp_dir();
    let hub = hub(folder.path());
    assert_eq!(
        hub.api().get("/health").status,
        200,
        "health needs no token"
    );
    let strangers = [
        hub.api(),
        hub.api().with_header("Authorization: Bearer wrong"),
        hub.api().with_header("Authorization: Bearer "),
        hub.api().with_header("Authorization: Basic YW5uYTp4"),
    ];
    for stranger in &strangers {
        for path in [
            "/vm-contexts",
            "/backups?vm_name=x",
            "/backups/x",
            "/repositories",
            "/restore/mounts",
            "/restore/x/files?path=/",
            "/restore/x/download?path=/",
        ] {
            let answer = stranger.get(path);
            assert_eq!(answer.status, 401, "{path}: {answer:?}");
            assert!(answer.json()["error"].is_string(), "{answer:?}");
        }
        let mount = json!({ "backup_id": "x", "disk_index": 0 });
        assert_eq!(stranger.post("/restore/mount", &mount).status, 401);
        assert_eq!(stranger.delete("/restore/x").status, 401);
    }
}

#[test]
fn a_hub_without_sign_in_answers_no_web_pages() {
    let folder = temp_dir();
    let hub = Hub::start(folder.path());
    for header in [
        "Origin: http://example.com",
        "Origin: null",
        "Host: example.com",
        "Host: 127.0.0.1.example.com:8082",
    ] {
        let answer = hub.api().with_header(header).get("/vm-contexts");
        assert_eq!(answer.status, 403, "{header}: {answer:?}");
        let post = hub.api().with_header(header).post("/backups", &json!({}));
        assert_eq!(post.status, 403, "{header}: {post:?}");
    }
    for header in [
        "Host: localhost:8082",
        "Host: [::1]:8082",
        "Host: 127.0.0.1",
    ] {
        let answer = hub.api().with_header(header).get("/vm-contexts");
        assert_eq!(answer.status, 200, "{header}: {answer:?}");
    }
}

#[test]
fn shells_and_man_learn_every_command() {
    let folder = temp_dir();
    let script = folder.path().join("sendense.bash");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let completions = sendense().args(["completions", shell]).run().text();
        for word in ["repository", "cancel-verify", "appliance-token-stdin"] {
            assert!(completions.contains(word), "{shell}: {word}");
        }
        if shell == "bash" {
            std::fs::write(&script, completions).unwrap();
            tool("bash").arg("-n").arg(&script).run();
        }
    }
    sendense().arg("manual").arg(folder.path()).run();
    for (page, text) in [
        ("sendense.1", "Back up VMs"),
        ("sendense-backup.1", "Watch a backup"),
        ("sendense-backup-start.1", "wait"),
    ] {
        let page = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(page.contains(".TH") && page.contains(text), "{page}");
    }
}

#[test]
fn the_command_says_that_one_must_sign_in() {
    let folder = temp_dir();
    let hub = hub(&folder.path().join("data"));
    let words = refused(
        sendense()
            .arg("--hub")
            .arg(hub.url())
            .args(["vm", "list"])
            .env("HOME", folder.path()),
    );
    assert!(
        words.to_lowercase().contains("sign in") || words.contains("login"),
        "{words}"
    );
    let wrong = sendense()
        .arg("--hub")
        .arg(hub.url())
        .args(["--token-stdin", "vm", "list"])
        .stdin("wrong\n")
        .env("HOME", folder.path());
    refused(wrong);
}

#[test]
fn a_password_opens_the_hub_and_a_wrong_one_does_not() {
    let folder = temp_dir();
    let hub = hub(&folder.path().join("data"));
    let login = |password: &str| {
        hub.api().post(
            "/auth/login",
            &json!({ "username": "operator", "password": password }),
        )
    };
    assert_eq!(login("wrong").status, 401);
    let token = text(&login(PASSWORD).ok()["token"]);
    let signed_in = hub
        .api()
        .with_header(format!("Authorization: Bearer {token}"));
    assert_eq!(signed_in.get("/vm-contexts").ok()["count"], 0);
    let listed = sendense()
        .arg("--hub")
        .arg(hub.url())
        .args(["--token-stdin", "vm", "list", "--json"])
        .stdin(format!("{token}\n"))
        .env("HOME", folder.path())
        .run();
    assert_eq!(
        listed.json()["vm_contexts"].as_array().map(Vec::len),
        Some(0)
    );
}

/// Contract H34.
#[test]
fn no_secret_is_logged_however_much_is() {
    let folder = temp_dir();
    let hub = hub(&folder.path().join("data"));
    let logged = |args: &[&str], stdin: &str| {
        let outcome = sendense()
            .args(args)
            .stdin(stdin)
            .env("HOME", folder.path())
            .env("SENDENSE_LOG", "trace")
            .run();
        let log = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert!(log.contains("TRACE"), "{log}");
        (outcome, log)
    };
    let url = hub.url();
    let by_password = ["--hub", &url, "--user", "operator", "--password-stdin"];
    let login = [&by_password[..], &["login", "--json"]].concat();
    let (login, first) = logged(&login, &format!("{PASSWORD}\n"));
    let token = text(&login.json()["token"]);
    let list = ["--hub", &url, "--token-stdin", "vm", "list"];
    let (_, second) = logged(&list, &format!("{token}\n"));
    // A hub of its own, whose key is written down as long as it runs.
    let data = folder.path().join("own");
    let data = data.to_str().unwrap();
    let (_, third) = logged(&["--data", data, "vm", "list"], "");
    for log in [&first, &second, &third] {
        assert!(!log.contains(PASSWORD), "{log}");
        let is_key = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let mut words = log.split(|c: char| !c.is_ascii_alphanumeric());
        assert!(!words.any(|word| word == token || is_key(word)), "{log}");
    }
}

#[test]
fn a_token_is_worthless_after_signing_out() {
    let folder = temp_dir();
    let hub = hub(&folder.path().join("data"));
    let login = json!({ "username": "operator", "password": PASSWORD });
    let [first, second] = [(); 2].map(|()| {
        let token = text(&hub.api().post("/auth/login", &login).ok()["token"]);
        hub.api()
            .with_header(format!("Authorization: Bearer {token}"))
    });
    let left = first.post("/auth/logout", &json!({}));
    assert_eq!(left.status, 204, "{left:?}");
    for refused in [
        first.get("/vm-contexts"),
        first.post("/auth/logout", &json!({})),
        hub.api().post("/auth/logout", &json!({})),
    ] {
        assert_eq!(refused.status, 401, "{refused:?}");
    }
    second.get("/vm-contexts").ok();
}

#[test]
fn a_token_is_good_until_it_expires() {
    let folder = temp_dir();
    let clock = Clock::fixed("2026-11-24T12:00:00Z".parse().unwrap());
    let mut config = Config::new(folder.path());
    config.clock = clock.clone();
    config.auth = Auth::Users(vec![NewUser {
        username: "operator".to_owned(),
        password: Password::new(PASSWORD),
    }]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hub = runtime.block_on(LocalHub::start(config)).unwrap();

    let login = json!({ "username": "operator", "password": PASSWORD });
    let answer = Api::new(hub.url()).post("/auth/login", &login).ok();
    let expires: jiff::Timestamp = text(&answer["expires_at"]).parse().unwrap();
    let api = Api::new(hub.url())
        .with_header(format!("Authorization: Bearer {}", text(&answer["token"])));
    let left = expires.duration_since(clock.now());
    clock.advance(left - jiff::SignedDuration::from_secs(1));
    assert_eq!(
        api.get("/vm-contexts").status,
        200,
        "one second before it expires it is good"
    );
    clock.advance(jiff::SignedDuration::from_secs(1));
    let late = api.get("/vm-contexts");
    assert_eq!(late.status, 401, "{late:?}");
    assert_eq!(late.json()["error"], "Invalid or expired token");
}
