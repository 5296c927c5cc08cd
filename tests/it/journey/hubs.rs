//! Saved hubs from the terminal: added, named, tested, signed in to and out of, and removed.

use std::path::PathBuf;
use std::sync::Barrier;

use sendense_hub::{Config, LocalHub};
use sendense_tests::{
    DeployedHub, Hazards, Hub, Identity, LOCALHOST, Outcome, SESSION_TOKEN, TlsFront, Tool, User,
    Validity, temp_dir, tool,
};
use serde_json::{Value, json};

use super::{refused, text};

const PASSWORD: &str = "correct horse battery staple";

fn with_sign_in(user: &User) -> Hub {
    let data = user.home().join("hub");
    Hub::start_with(
        &data,
        &["--user", "operator"],
        &format!("{PASSWORD}\n"),
        &[],
    )
}

fn settings(user: &User) -> PathBuf {
    user.home()
        .join(".config/com.sendense.desktop/settings.json")
}

/// The names of the saved hubs.
fn names(user: &User) -> Vec<String> {
    let listed = user.sendense(&["hub", "list", "--json"]).run().json();
    let hubs = listed["hubs"].as_array().unwrap();
    hubs.iter().map(|hub| text(&hub["name"])).collect()
}

#[track_caller]
fn ends_with(tool: Tool, code: i32) -> Outcome {
    let outcome = tool.outcome();
    assert_eq!(outcome.code, Some(code), "{outcome}");
    outcome
}

/// Nothing that this user keeps in a file has this in it.
#[track_caller]
fn no_file_holds(user: &User, secret: &str) {
    for folder in [".config", ".local"] {
        let folder = user.home().join(folder);
        if folder.exists() {
            let found = tool("grep").args(["-rlF", secret]).arg(folder).outcome();
            assert_eq!(found.text(), "", "a secret is in a file");
        }
    }
}

#[test]
fn a_saved_hub_goes_by_its_name_until_it_is_removed() {
    let user = User::without_keychain();
    let hub = Hub::start(&user.home().join("hub"));
    let url = hub.url();
    user.sendense(&["hub", "add", &url, "--name", "Cellar"])
        .run();
    for named in ["Cellar", "cellar", &url, url.trim_start_matches("http://")] {
        user.sendense(&["--hub", named, "vm", "list"]).run();
    }
    // What is there already stays as it is.
    let again = user.sendense(&["hub", "add", &url, "--name", "Attic"]);
    assert!(ends_with(again, 6).error_text().contains("as Cellar"));
    let taken = user.sendense(&["hub", "add", "http://127.0.0.1:1", "--name", "CELLAR"]);
    assert!(ends_with(taken, 6).error_text().contains("Cellar"));
    assert_eq!(names(&user), ["Cellar"]);

    let tested = user
        .sendense(&["hub", "test", "Cellar", "--json"])
        .run()
        .json();
    assert_eq!(tested["service"], "Sendense local hub", "{tested}");
    assert_eq!(tested["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(tested["sign_in_needed"], false);
    assert_eq!(
        tested["offers"]["repositories"],
        json!({ "offered": true, "count": 1 })
    );
    let shown = user.sendense(&["hub", "test", &url]).run().text();
    for part in ["Cellar", "Sendense local hub", "not needed", "Repositories"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    user.sendense(&["hub", "remove", "Cellar"]).run();
    assert_eq!(names(&user), [""; 0]);
    for command in [
        &["hub", "remove", "Cellar"][..],
        &["logout", "--hub", "Cellar"],
    ] {
        let said = ends_with(user.sendense(command), 3).error_text();
        assert!(
            said.contains("“Cellar”") && said.contains("hub list"),
            "{said}"
        );
    }
    drop(hub);
    assert!(refused(user.sendense(&["hub", "test", &url])).contains("cannot be reached"));
    ends_with(user.sendense(&["hub", "test", &url]), 5);
}

#[test]
fn a_sign_in_is_kept_in_the_keychain_until_somebody_signs_out() {
    let user = User::with_keychain();
    let hub = with_sign_in(&user);
    let url = hub.url();
    let list = || user.sendense(&["--hub", "Cellar", "vm", "list"]);
    let by_password = ["--user", "operator", "--password-stdin"];
    let add = ["hub", "add", &url, "--name", "Cellar"];
    let wrong = user.sendense(&add).args(by_password).stdin("wrong\n");
    ends_with(wrong, 4);
    assert_eq!(names(&user), [""; 0], "nothing is saved of what failed");
    let added = user.sendense(&add).args(by_password);
    added.stdin(format!("{PASSWORD}\n")).run();
    list().run();
    let tested = user
        .sendense(&["hub", "test", "Cellar", "--json"])
        .run()
        .json();
    assert_eq!(
        [
            &tested["sign_in_needed"],
            &tested["signed_in"],
            &tested["user"]
        ],
        [&json!(true), &json!(true), &json!("operator")],
        "{tested}"
    );

    // For scripts, and not kept: another session.
    let print = ["--hub", "Cellar", "login", "--print-token"];
    let printed = user.sendense(&print).args(by_password);
    let printed = printed.stdin(format!("{PASSWORD}\n")).run().text();
    let printed = printed.trim();
    let api = hub
        .api()
        .with_header(format!("Authorization: Bearer {printed}"));
    user.sendense(&["--hub", "Cellar", "logout"]).run();
    api.get("/vm-contexts").ok();
    let said = ends_with(list(), 4).error_text();
    assert!(said.to_lowercase().contains("sign in"), "{said}");
    let tested = ends_with(user.sendense(&["hub", "test", "Cellar"]), 4);
    assert!(tested.text().contains("Sendense local hub"), "{tested}");
    assert!(tested.error_text().contains("login"), "{tested}");

    // As the last time, so nobody has to say who.
    let login = user.sendense(&["--hub", "Cellar", "login"]);
    let said = login.stdin(format!("{PASSWORD}\n")).run().text();
    assert!(
        said.contains("operator") && !said.contains(printed),
        "{said}"
    );
    list().run();
    for secret in [PASSWORD, printed] {
        no_file_holds(&user, secret);
    }

    // A hub that is saved again finds its sign-in, unless that was removed with it.
    user.sendense(&["hub", "remove", "Cellar"]).run();
    user.sendense(&add).run();
    ends_with(list(), 4);
}

#[test]
fn signing_out_ends_the_session_on_the_hub() {
    let user = User::with_keychain();
    let hub = with_sign_in(&user);
    let login = json!({ "username": "operator", "password": PASSWORD });
    let token = text(&hub.api().post("/auth/login", &login).ok()["token"]);
    let api = hub
        .api()
        .with_header(format!("Authorization: Bearer {token}"));
    let url = hub.url();
    let add = user.sendense(&["hub", "add", &url, "--name", "Cellar", "--token-stdin"]);
    add.stdin(format!("{token}\n")).run();
    user.sendense(&["--hub", "Cellar", "vm", "list"]).run();
    no_file_holds(&user, &token);
    user.sendense(&["--hub", "Cellar", "logout"]).run();
    assert_eq!(api.get("/vm-contexts").status, 401);
}

#[test]
fn without_a_keychain_nothing_is_signed_in_to_in_vain() {
    let user = User::without_keychain();
    let hub = with_sign_in(&user);
    let url = hub.url();
    let by_password = ["--user", "operator", "--password-stdin"];
    let with_password = |args: &[&str]| {
        let command = user.sendense(args).args(by_password);
        command.stdin(format!("{PASSWORD}\n"))
    };
    let add = ["hub", "add", &url, "--name", "Cellar"];
    let said = refused(with_password(&add));
    assert!(said.contains("No system keychain"), "{said}");
    assert_eq!(names(&user), [""; 0]);
    let added = user.sendense(&add).run();
    assert!(added.error_text().contains("--hub Cellar login"), "{added}");
    let said = refused(with_password(&["--hub", "Cellar", "login"]));
    assert!(
        said.contains("No system keychain") && said.contains("--password-stdin"),
        "{said}"
    );
    with_password(&["--hub", "Cellar", "vm", "list"]).run();
    let token = with_password(&["--hub", "Cellar", "login", "--print-token"]).run();
    let list = user.sendense(&["--hub", "Cellar", "--token-stdin", "vm", "list"]);
    list.stdin(token.stdout).run();
    let removed = user.sendense(&["hub", "remove", "Cellar"]).run();
    assert!(removed.error_text().contains("still there"), "{removed}");
}

/// `sendense` at a terminal, at which somebody types this.
fn at_a_terminal(user: &User, args: &[&str], typed: &str) -> Outcome {
    let program = sendense_tests::sendense().program();
    let words = args.iter().map(|word| format!("'{word}'"));
    let line: Vec<String> = [format!("'{}'", program.to_string_lossy())]
        .into_iter()
        .chain(words)
        .collect();
    let script = user.own(sendense_tests::tool("script"));
    let script = script.args(["-qec", &line.join(" "), "/dev/null"]);
    script.stdin(format!("{typed}\n")).outcome()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_saved_only_by_somebody_who_compared_it() {
    let user = User::without_keychain();
    let [first, second] = [(); 2].map(|()| Identity::self_signed(LOCALHOST, Validity::Now));
    let mut config = Config::new(user.home().join("hub"));
    config.auth = sendense_hub::Auth::Off;
    let hub = LocalHub::start(config).await.unwrap();
    let front = TlsFront::before(hub.url(), &first).await;
    let url = front.url();
    let add = ["hub", "add", &url, "--name", "Cellar"];

    // Nobody is asked where nobody sits.
    let said = ends_with(user.sendense(&add).stdin("yes\n"), 4).error_text();
    assert!(said.contains(&first.fingerprint()), "{said}");
    let asked = at_a_terminal(&user, &add, "no");
    assert_eq!(asked.code, Some(4), "{asked}");
    assert!(asked.text().contains(&first.fingerprint()), "{asked}");
    assert_eq!(names(&user), [""; 0]);
    assert_eq!(front.bytes_read(), 0, "something was sent");

    let asked = at_a_terminal(&user, &add, "yes");
    assert_eq!(asked.code, Some(0), "{asked}");
    let list = || user.sendense(&["--hub", "Cellar", "vm", "list"]);
    list().run();

    // Another one is not trusted in passing, and by nobody but its user.
    front.show(&second);
    let said = ends_with(list(), 4).error_text();
    assert!(said.contains("has changed"), "{said}");
    ends_with(user.sendense(&["hub", "trust", "Cellar"]).stdin("yes\n"), 4);
    let pin = |identity: &Identity| identity.fingerprint();
    let trust = ["hub", "trust", "Cellar", "--fingerprint"];
    ends_with(user.sendense(&trust).arg(pin(&first)), 4);
    ends_with(list(), 4);
    user.sendense(&trust).arg(pin(&second)).run();
    list().run();
    let kept: Value = serde_json::from_slice(&std::fs::read(settings(&user)).unwrap()).unwrap();
    assert_eq!(kept["hubs"][0]["trust"]["pinned"], pin(&second), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hubs_that_are_added_at_the_same_moment_are_all_kept() {
    let user = User::without_keychain();
    std::fs::create_dir_all(settings(&user).parent().unwrap()).unwrap();
    // As a window leaves it, with what this version does not know.
    let window = json!({ "current_hub": "this-computer", "later": 1, "hubs": [{
        "id": "http://window:1", "name": "Window", "address": "http://window:1", "username": "ada",
    }] });
    std::fs::write(settings(&user), window.to_string()).unwrap();
    let mut hubs = Vec::new();
    for number in 0..6 {
        let mut config = Config::new(user.home().join(format!("hub{number}")));
        config.auth = sendense_hub::Auth::Off;
        hubs.push(LocalHub::start(config).await.unwrap());
    }
    let together = Barrier::new(hubs.len());
    std::thread::scope(|threads| {
        for (number, hub) in hubs.iter().enumerate() {
            let (user, together) = (&user, &together);
            threads.spawn(move || {
                let name = format!("Hub {number}");
                let add = user.sendense(&["hub", "add", hub.url(), "--name", &name]);
                together.wait();
                add.run();
            });
        }
    });
    let mut names = names(&user);
    names.sort();
    assert_eq!(
        names,
        [
            "Hub 0", "Hub 1", "Hub 2", "Hub 3", "Hub 4", "Hub 5", "Window"
        ]
    );
    let kept: Value = serde_json::from_slice(&std::fs::read(settings(&user)).unwrap()).unwrap();
    assert_eq!(kept["later"], 1, "{kept}");
}

/// Contract D2, section 12.
#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_an_appliance_signs_in_again_after_the_hub_restarts() {
    const TOKEN: &str = "token-of-the-appliance";
    let user = User::with_keychain();
    let folder = temp_dir();
    let hazards = Hazards {
        appliance_token: Some(TOKEN.to_owned()),
        ..Hazards::default()
    };
    let deployed = DeployedHub::start(folder.path(), hazards).await;
    let add = [
        "hub",
        "add",
        deployed.url(),
        "--name",
        "SHA",
        "--appliance-token-stdin",
    ];
    user.sendense(&add).stdin(format!("{TOKEN}\n")).run();
    deployed.forget_sessions();
    user.sendense(&["--hub", "SHA", "vm", "list"]).run();
    let tested = user
        .sendense(&["hub", "test", "SHA", "--json"])
        .run()
        .json();
    assert_eq!(tested["service"], "SHA API", "{tested}");
    assert_eq!(tested["signed_in"], true, "{tested}");
    assert_eq!(
        tested["offers"]["vcenter_sign_ins"]["offered"], true,
        "{tested}"
    );
    for secret in [TOKEN, SESSION_TOKEN] {
        no_file_holds(&user, secret);
    }
    user.sendense(&["--hub", "SHA", "logout"]).run();
    ends_with(user.sendense(&["--hub", "SHA", "vm", "list"]), 4);
}
