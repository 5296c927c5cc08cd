//! Repositories of a deployed hub: added, tried, removed, and why not (contract 3.5, H33, H34).

use sendense_core::{Events, HubClient};
use sendense_tests::{Api, Hazards, Tool, sendense};
use sendense_types::{
    AppError, BackupType, ErrorKind, Mounting, Repository, RepositoryPlace, Secret, Tried, Trust,
};

use super::{Site, empty_session, session_with};

const PASSWORD: &str = "correct \"horse\"";

fn nfs() -> RepositoryPlace {
    RepositoryPlace::Nfs {
        server: "nas.example".to_owned(),
        export_path: "/exports/backups".to_owned(),
        mounting: Mounting {
            point: String::new(),
            options: "vers=4.1,soft".to_owned(),
        },
    }
}

fn cifs() -> RepositoryPlace {
    RepositoryPlace::Cifs {
        server: "nas.example".to_owned(),
        share_name: "backups".to_owned(),
        username: "ada".to_owned(),
        password: Secret::new(PASSWORD),
        domain: "CORP".to_owned(),
        mounting: Mounting::default(),
    }
}

impl Site {
    /// A folder of the hub's computer.
    fn place(&self, name: &str) -> RepositoryPlace {
        RepositoryPlace::folder(self.folder.path().join(name).to_str().unwrap())
    }

    async fn add(&self, name: &str, place: &RepositoryPlace) -> Result<Repository, AppError> {
        self.hub.create_repository(name, place).await
    }

    async fn known(&self, name: &str) -> Option<Repository> {
        let all = self.hub.repositories().await.unwrap();
        all.into_iter().find(|known| known.name == name)
    }
}

/// None of it is in what anybody sees or writes down.
fn says_no_password(shown: &impl std::fmt::Debug) {
    let text = format!("{shown:?}");
    assert!(!text.contains("horse"), "{text}");
}

#[tokio::test]
async fn each_kind_of_repository_is_added_listed_and_takes_backups() {
    let site = Site::open(Hazards::default()).await;
    let folder = site.place("second");
    for (name, place, shown) in [
        ("folder", &folder, None),
        ("nfs", &nfs(), Some("nas.example:/exports/backups")),
        ("cifs", &cifs(), Some("//nas.example/backups")),
    ] {
        let added = site.add(name, place).await.unwrap();
        says_no_password(&added);
        // Not enabled, it would not be listed (H33).
        let known = site.known(name).await.unwrap();
        says_no_password(&known);
        assert_eq!(known.id, added.id);
        assert_eq!(known.share.as_deref(), shown);
        assert_eq!(known.path.is_none(), shown.is_some());
        let total = known.total_bytes.unwrap();
        let (used, free) = (known.used_bytes.unwrap(), known.available_bytes.unwrap());
        // As the hub has it: the room of the filesystem, and what is not free of it.
        assert_eq!(total - free, used);
        site.back_up(BackupType::Full, &known.id).await;
    }
    let taken = site.add("nfs", &nfs()).await.unwrap_err();
    assert_eq!(taken.kind, ErrorKind::Conflict, "{taken:?}");
    assert!(taken.message.contains("name"), "{taken}");
}

#[tokio::test]
async fn two_shares_never_have_one_mount_point() {
    let site = Site::open(Hazards::default()).await;
    let at = |point: &str| RepositoryPlace::Nfs {
        server: "nas.example".to_owned(),
        export_path: "/exports/other".to_owned(),
        mounting: Mounting {
            point: point.to_owned(),
            options: String::new(),
        },
    };
    site.add("NAS 1", &at("")).await.unwrap();
    // Both would be called so.
    site.add("nas-1", &at("")).await.unwrap();
    site.add("other", &at("/mnt/other")).await.unwrap();
    let refused = site.add("third", &at("/mnt/other/")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused:?}");
    assert!(site.known("third").await.is_none());
}

#[tokio::test]
async fn a_test_says_what_the_hub_tried_and_no_more() {
    let site = Site::open(Hazards::default()).await;
    let usable = site.hub.test_repository(&site.place("new")).await.unwrap();
    assert!(
        usable.is_usable && usable.tried == Tried::Writing,
        "{usable:?}"
    );
    std::fs::write(site.folder.path().join("file"), "").unwrap();
    let file = site.place("file");
    let refused = site.hub.test_repository(&file).await.unwrap();
    assert!(!refused.is_usable, "{refused:?}");
    assert_eq!(refused.message.as_deref(), Some("path is not a directory"));
    // Whatever could be a share is fine with deployed hubs.
    for place in [nfs(), cifs()] {
        let unknown = site.hub.test_repository(&place).await.unwrap();
        assert_eq!((unknown.is_usable, unknown.tried), (true, Tried::Nothing));
    }

    site.deployed
        .change(|hazards| hazards.lacks_repository_test = true);
    let error = site.hub.test_repository(&file).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error:?}");
    assert!(error.message.contains("cannot test"), "{error}");

    // Our own hub keeps backups in folders only, and says so.
    let error = site.behind.test_repository(&nfs()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error:?}");
    let error = site
        .behind
        .create_repository("nfs", &nfs())
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error:?}");
}

#[tokio::test]
async fn why_a_folder_is_no_repository_is_not_told_as_news_of_files() {
    let site = Site::open(Hazards::default()).await;
    std::fs::write(site.folder.path().join("file"), "").unwrap();
    let error = site.add("x", &site.place("file")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error:?}");
    let below = site.add("x", &site.place("file/below")).await.unwrap_err();
    assert_eq!(below.kind, ErrorKind::Forbidden, "{below:?}");
    assert!(below.message.contains("could not create"), "{below}");
}

/// No `storage_info` where it cannot be read. Contract 3.5.
#[tokio::test]
async fn a_share_that_the_hub_does_not_reach_has_unknown_room_and_a_reason() {
    let site = Site::open(Hazards {
        loses_shares: true,
        ..Hazards::default()
    })
    .await;
    let added = site.add("nas", &cifs()).await.unwrap();
    assert_eq!(added.total_bytes, None);
    let known = site.known("nas").await.unwrap();
    let room = (known.total_bytes, known.used_bytes, known.available_bytes);
    assert_eq!(room, (None, None, None));
    let test = site.hub.test_known_repository(&added.id).await.unwrap();
    assert!(!test.is_usable, "{test:?}");
    let why = test.message.unwrap();
    assert!(why.contains("CIFS mount failed"), "{why}");
    assert!(!why.contains("storage info"), "{why}");

    site.deployed.change(|hazards| hazards.loses_shares = false);
    let test = site.hub.test_known_repository(&added.id).await.unwrap();
    assert_eq!((test.is_usable, test.tried), (true, Tried::Reaching));
    let folder = site.known("local").await.unwrap();
    let test = site.hub.test_known_repository(&folder.id).await.unwrap();
    assert_eq!((test.is_usable, test.tried), (true, Tried::Writing));
}

/// The hub repeats the settings of a share wherever it can. Contract H34.
#[tokio::test]
async fn the_password_of_a_share_is_in_no_failure_and_no_verdict() {
    let site = Site::open(Hazards {
        loses_shares: true,
        quotes_passwords: true,
        ..Hazards::default()
    })
    .await;
    let added = site.add("nas", &cifs()).await.unwrap();
    let taken = site
        .add(
            "nas",
            &RepositoryPlace::Cifs {
                server: "nas.example".to_owned(),
                share_name: "other".to_owned(),
                username: "ada".to_owned(),
                password: Secret::new(PASSWORD),
                domain: String::new(),
                mounting: Mounting::default(),
            },
        )
        .await
        .unwrap_err();
    assert!(taken.details.as_deref().unwrap().contains("…"), "{taken:?}");
    says_no_password(&taken);
    // Here it is not known to whoever asks.
    let test = site.hub.test_known_repository(&added.id).await.unwrap();
    assert!(test.message.as_deref().unwrap().contains("…"), "{test:?}");
    says_no_password(&test);
}

/// Rows of disks outlive a backup and keep its repository. Contract 3.5.
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_goes_when_it_never_held_a_backup_and_stays_with_a_reason_otherwise() {
    let site = Site::open(Hazards::default()).await;
    let empty = site.add("empty", &nfs()).await.unwrap();
    site.hub.delete_repository(&empty.id).await.unwrap();
    assert!(site.known("empty").await.is_none());
    let gone = site.hub.delete_repository(&empty.id).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound, "{gone:?}");

    let used = site.add("used", &site.place("used")).await.unwrap();
    let backup = site.back_up(BackupType::Full, &used.id).await;
    let refused = site.hub.delete_repository(&used.id).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused:?}");
    assert!(refused.message.contains("There are backups"), "{refused}");
    let api = Api::new(site.deployed.url());
    api.delete(&format!("/backups/{}", backup.backup_id)).ok();
    let refused = site.hub.delete_repository(&used.id).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused:?}");
    // "Delete them first" would send its user round in circles.
    let hint = refused.hint.unwrap();
    assert!(hint.contains("or ever did"), "{hint}");
    assert!(site.known("used").await.is_some());
}

/// The window names no folder of this computer, whatever hub it says it means.
#[tokio::test]
async fn only_a_hub_elsewhere_is_told_where_a_repository_is() {
    let site = Site::open(Hazards::default()).await;
    let place = site.place("elsewhere");
    let local = session_with(&site, &Events::new()).await;
    let refused = local
        .ask_elsewhere(async |hub| hub.create_repository("x", &place).await)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid, "{refused:?}");
    let (session, _) = empty_session();
    let nobody = sendense_types::commands::Credentials::None;
    session
        .add("", site.deployed.url(), Trust::System, &nobody)
        .await
        .unwrap();
    session
        .ask_elsewhere(async |hub| hub.create_repository("x", &place).await)
        .await
        .unwrap();
    assert!(
        !session.state().is_readable_on_the_way,
        "it is this computer"
    );
    let far = HubClient::new("http://hub.example:8082", None).unwrap();
    assert!(far.is_readable_on_the_way());
}

/// The terminal at that hub.
fn terminal(site: &Site, arguments: &[&str]) -> Tool {
    sendense()
        .args(["--hub", site.deployed.url(), "repository"])
        .args(arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_adds_tests_and_removes_repositories_of_a_deployed_hub() {
    let site = Site::open(Hazards {
        loses_shares: true,
        quotes_passwords: true,
        ..Hazards::default()
    })
    .await;
    let run = |arguments: &[&str]| terminal(&site, arguments).run().text();
    let folder = site.folder.path().join("second");
    let folder = folder.to_str().unwrap();
    assert!(run(&["test", folder]).contains("can be kept"));
    run(&["add", "second", folder]);

    let share = ["--nfs", "nas.example:/exports/backups"];
    let said = run(&["test", share[0], share[1]]);
    assert!(said.contains("only after it is added"), "{said}");
    let added = terminal(&site, &["add", "nas", share[0], share[1]]).run();
    assert!(
        added.error_text().contains("has not reached the share"),
        "{}",
        added.error_text()
    );

    let share = ["--cifs", "//nas.example/backups", "--share-user", "ada"];
    let arguments = ["add", "office", share[0], share[1], share[2], share[3]];
    let added = terminal(&site, &arguments)
        .args(["--share-password-stdin", "--json"])
        .stdin(format!("{PASSWORD}\n"))
        .run();
    assert_eq!(added.json()["share"], "//nas.example/backups");
    says_no_password(&added.text());
    // The same again: the name is taken, and the hub quotes what it was sent.
    let again = terminal(&site, &arguments)
        .stdin(format!("{PASSWORD}\n"))
        .outcome();
    assert!(
        again.error_text().contains("already in use"),
        "{}",
        again.error_text()
    );
    says_no_password(&again.error_text());
    let failed = terminal(&site, &["test", "--repository", "office"]).outcome();
    assert!(
        failed.error_text().contains("CIFS mount failed"),
        "{}",
        failed.error_text()
    );
    says_no_password(&failed.error_text());

    let list = run(&["list"]);
    assert!(list.contains("nas.example:/exports/backups"), "{list}");
    says_no_password(&list);
    let said = run(&["delete", "office"]);
    assert!(said.contains("What is in it was not changed"), "{said}");
    let wrong = terminal(&site, &["add", "x", "--nfs", "nas.example"]).outcome();
    assert!(
        wrong.error_text().contains("SERVER:/EXPORT"),
        "{}",
        wrong.error_text()
    );
}

/// The share's password is not the one that its user signs in with.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_and_the_password_of_a_share_come_one_behind_the_other() {
    let site = Site::open(Hazards {
        appliance_token: Some("of-the-appliance".to_owned()),
        ..Hazards::default()
    })
    .await;
    let arguments = [
        "add",
        "office",
        "--cifs",
        "//nas.example/backups",
        "--share-user",
        "ada",
    ];
    terminal(&site, &arguments)
        .args(["--appliance-token-stdin", "--share-password-stdin"])
        .stdin(format!("of-the-appliance\n{PASSWORD}\n"))
        .run();
    let added = site.behind.repositories().await.unwrap();
    assert!(added.iter().any(|known| known.name == "office"));
}
