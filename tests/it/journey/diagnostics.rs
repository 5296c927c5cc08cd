//! The bundle for support: what is in it, and what is not.

use sendense_tests::{Hub, User, tool};
use serde_json::{Value, json};

use super::text;

const PASSWORD: &str = "correct horse battery staple";
const PROXY_PASSWORD: &str = "proxy-horse-31";
const SHARE_PASSWORD: &str = "share-horse-77";
const APPLIANCE_TOKEN: &str = "appliance-horse-12";

#[test]
fn the_bundle_for_support_holds_no_secret_of_this_computer() {
    let user = User::with_keychain();
    let elsewhere = user.home().join("elsewhere");
    let remote = ["--user", "operator"];
    let remote = Hub::start_with(&elsewhere, &remote, &format!("{PASSWORD}\n"), &[]);
    let login = json!({ "username": "operator", "password": PASSWORD });
    let token = text(&remote.api().post("/auth/login", &login).ok()["token"]);
    let url = remote.url();
    let add = user.sendense(&["hub", "add", &url, "--name", "Cellar", "--token-stdin"]);
    add.stdin(format!("{token}\n")).run();
    // The hub of this computer, whose key is written down as long as it runs.
    let own = Hub::start(&user.home().join("own"));
    let running = std::fs::read(own.data().join("hub.json")).unwrap();
    let key = text(&serde_json::from_slice::<Value>(&running).unwrap()["key"]);

    // Whatever a log says, and wherever it says it.
    let logs = user.home().join(".local/share/com.sendense.desktop/logs");
    std::fs::create_dir_all(&logs).unwrap();
    let log = format!(
        "[2026-11-28][09:00:00][sendense_core::session][ERROR] for Bearer {token}, and {token} alone\n\
         [2026-11-28][09:00:01][x][WARN] the key {key} of http://ada:{PROXY_PASSWORD}@proxy:3128\n\
         [2026-11-28][09:00:02][x][WARN] {{\"username\":\"operator\",\"password\":\"{PASSWORD}\"}}\n\
         [2026-11-28][09:00:03][x][WARN] {{Server:nas PasswordSecret:{SHARE_PASSWORD} Domain:}}\n\
         [2026-11-28][09:00:04][x][WARN] password={SHARE_PASSWORD},vers=3.0; {PROXY_PASSWORD}\n\
         [2026-11-28][09:00:05][x][WARN] \"{{\\\"token\\\":\\\"{APPLIANCE_TOKEN}\\\"}}\" refused\n"
    );
    std::fs::write(logs.join("Sendense.log"), log).unwrap();

    let file = user.home().join("support.zip");
    let diagnostics = || {
        let command = user.sendense(&["diagnostics", "--data"]).arg(own.data());
        let proxy = format!("http://ada:{PROXY_PASSWORD}@proxy:3128");
        command.env("https_proxy", proxy)
    };
    let written = diagnostics().arg(&file).run();
    assert!(written.text().contains("support.zip"), "{written}");
    let unpacked = user.home().join("unpacked");
    tool("unzip")
        .arg("-q")
        .arg(&file)
        .arg("-d")
        .arg(&unpacked)
        .run();
    for secret in [
        PASSWORD,
        PROXY_PASSWORD,
        SHARE_PASSWORD,
        APPLIANCE_TOKEN,
        &token,
        &key,
        "ada:",
    ] {
        let found = tool("grep").args(["-raF", secret]).arg(&unpacked).outcome();
        assert_eq!(found.text(), "", "{secret} is in the bundle");
    }
    let read = |name: &str| std::fs::read_to_string(unpacked.join(name)).unwrap();
    for (name, part) in [
        ("summary.txt", "Saved hubs: 1"),
        ("about.json", "proxy:3128"),
        ("hubs.json", "Cellar"),
        ("local-hub.json", "Sendense local hub"),
        ("local-hub.json", "healthy"),
        ("logs/Sendense.log", "[09:00:05]"),
    ] {
        assert!(read(name).contains(part), "{name}, {part}: {}", read(name));
    }

    let again = diagnostics().arg(&file).outcome();
    assert_eq!(again.code, Some(6), "{again}");
    let folder = user.home().join("for support");
    std::fs::create_dir(&folder).unwrap();
    let named = diagnostics()
        .arg("--json")
        .current_dir(&folder)
        .run()
        .json();
    let name = text(&named["file"]);
    assert!(name.contains("sendense-diagnostics-20"), "{name}");
    assert!(folder.join(name).is_file());
}
