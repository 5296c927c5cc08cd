//! The window's way into the shell, without a window: the real commands, the real capability file and a
//! real hub, under Tauri's mock runtime.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use sendense_core::{Events, HubSession, MemorySecrets, SavedHubs, SettingsFile, UserFolders};
use sendense_desktop::{Surroundings, build, log_to, start};
use sendense_types::commands::{
    AddHub, AddRemoteRepository, AddRepository, AddVms, COMMANDS, CancelVerification, Command,
    ConnectHub, Credentials, DeleteRepository, GetDiagnostics, GetRetention, GetSession,
    GetSettings, ListFiles, ListRecentBackups, ListRepositories, ListVmProtection,
    PreviewRetention, SaveSettings, SetRetention, StartBackup, TestNewRepository, TestRepository,
    VerifyBackup,
};
use sendense_types::{
    AppError, AppEvent, Backup, BackupStatus, BackupType, ErrorKind, HubId, MountId,
    RepositoryPlace, RetentionAction, RetentionPolicy, Secret, SessionState, Settings, Theme,
    Trust, VerificationStatus, Vm, VmSource, VmState,
};
use serde_json::{Value, json};
use tauri::ipc::{CallbackFn, InvokeBody};
use tauri::test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder};
use tauri::webview::InvokeRequest;
use tauri::{App, Manager, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tauri_plugin_log::TargetKind;
use tempfile::TempDir;

/// The app without a desktop around it.
struct Shell {
    window: WebviewWindow<MockRuntime>,
    app: App<MockRuntime>,
    home: TempDir,
}

impl Shell {
    fn start() -> Self {
        Self::start_with(false)
    }

    fn start_with(with_log: bool) -> Self {
        let home = TempDir::new().unwrap();
        let mut builder = build(mock_builder());
        if with_log {
            // The log belongs to the process, so only one test may ask for it.
            builder = builder.plugin(log_to(TargetKind::Folder {
                path: home.path().join("logs"),
                file_name: None,
            }));
        }
        let app = builder.build(tauri::generate_context!()).unwrap();
        let surroundings = Surroundings {
            secrets: Arc::new(MemorySecrets::default()),
            data_folder: home.path().join("hub"),
            settings_file: home.path().join("settings.json"),
            log_folder: home.path().join("logs"),
        };
        start(&app, surroundings);
        let window = WebviewWindowBuilder::new(&app, "main", WebviewUrl::default())
            .build()
            .unwrap();
        Self { window, app, home }
    }

    /// Asks as the window does.
    fn ask<C: Command>(&self, request: &C) -> Result<C::Reply, AppError> {
        let request = json!({ "request": request });
        match invoke(&self.window, C::NAME, request) {
            Ok(reply) => Ok(serde_json::from_value(reply).unwrap()),
            Err(error) => Err(serde_json::from_value(error).unwrap()),
        }
    }

    /// Waits for the hub of this computer.
    fn connected(self) -> Self {
        until(|| {
            let session = self.ask(&GetSession {}).unwrap();
            (session.state == SessionState::Connected).then_some(())
        });
        self
    }

    /// Where the hub of this computer is.
    fn hub_url(&self) -> String {
        let file = self.home.path().join("hub/hub.json");
        let hub: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        hub["url"].as_str().unwrap().to_owned()
    }

    /// A machine of one small disk.
    fn add_vm(&self) -> Vm {
        let folder = self.home.path().join("vms");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("web01.raw"), vec![7; 1 << 20]).unwrap();
        let request = AddVms {
            source: VmSource::Folder {
                folder: folder.to_string_lossy().into_owned(),
            },
            names: vec!["web01".to_owned()],
        };
        let added = self.ask(&request).unwrap();
        assert!(added.failed.is_empty(), "{:?}", added.failed);
        added.vms.into_iter().next().unwrap()
    }

    /// Takes a full backup of it.
    fn back_up(&self, vm: &Vm) -> Backup {
        let repositories = self.ask(&ListRepositories {}).unwrap();
        let request = StartBackup {
            vm: vm.clone(),
            backup_type: BackupType::Full,
            repository_id: repositories[0].id.clone(),
            verify: true,
        };
        let started = self.ask(&request).unwrap();
        until(|| {
            let recent = self.ask(&ListRecentBackups {}).unwrap();
            recent.backups.into_iter().find(|backup| {
                backup.backup_id == started.backup_id && backup.status == BackupStatus::Completed
            })
        })
    }
}

/// Waits until something is there.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn invoke(window: &WebviewWindow<MockRuntime>, command: &str, body: Value) -> Result<Value, Value> {
    let request = InvokeRequest {
        cmd: command.to_owned(),
        callback: CallbackFn(0),
        error: CallbackFn(1),
        url: "tauri://localhost".parse().unwrap(),
        body: InvokeBody::Json(body),
        headers: tauri::http::HeaderMap::new(),
        invoke_key: INVOKE_KEY.to_owned(),
    };
    get_ipc_response(window, request).map(|reply| reply.deserialize().unwrap())
}

/// Contract H29.
#[test]
fn a_question_travels_from_the_window_to_the_hub_and_back() {
    let shell = Shell::start().connected();
    let repositories = shell.ask(&ListRepositories {}).unwrap();
    assert_eq!(repositories.len(), 1, "{repositories:?}");
    assert!(repositories[0].enabled, "a first start makes a repository");
}

#[test]
fn a_failure_reaches_the_window_in_words() {
    let shell = Shell::start().connected();
    let error = shell
        .ask(&ListFiles {
            mount_id: MountId::new("00000000-0000-4000-8000-000000000000"),
            path: "/".to_owned(),
        })
        .unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::NotFound | ErrorKind::Expired),
        "{error:?}"
    );
    assert!(error.message.ends_with('.'), "{error:?}");
}

#[test]
fn settings_are_kept_but_the_window_names_no_folder_to_write_to() {
    let shell = Shell::start();
    let settings = Settings {
        theme: Theme::Dark,
        download_folder: Some("/etc".to_owned()),
        ..Settings::default()
    };
    let kept = shell.ask(&SaveSettings { settings }).unwrap();
    assert_eq!(kept.theme, Theme::Dark);
    assert_eq!(
        kept.download_folder, None,
        "a folder to write to comes from the system's dialog only"
    );
    assert_eq!(shell.ask(&GetSettings {}).unwrap(), kept);
}

#[test]
fn settings_that_cannot_be_kept_hold_until_the_app_ends() {
    let shell = Shell::start();
    // Nothing can be written where a folder stands.
    std::fs::create_dir(shell.home.path().join("settings.json")).unwrap();
    let settings = Settings {
        close_to_tray: false,
        ..Settings::default()
    };
    let request = SaveSettings {
        settings: settings.clone(),
    };
    let error = shell.ask(&request).unwrap_err();
    let hint = error.hint.as_deref();
    assert_eq!(
        hint,
        Some("They apply until you quit the app."),
        "{error:?}"
    );
    assert_eq!(shell.ask(&GetSettings {}).unwrap(), settings);
}

#[test]
fn the_terminal_finds_the_folders_that_the_systems_give_the_app() {
    let shell = Shell::start();
    let folders = UserFolders::of_this_user().unwrap();
    let settings = shell.app.path().app_config_dir().unwrap();
    assert_eq!(folders.settings_file, settings.join("settings.json"));
    let logs = shell.app.path().app_log_dir().unwrap();
    assert_eq!(folders.log_folder, logs);
}

#[test]
fn what_the_terminal_saves_and_removes_comes_and_goes_in_the_window() {
    let shell = Shell::start().connected();
    let remote = Shell::start().connected();
    let address = remote.hub_url();
    let file = shell.home.path().join("settings.json");
    let saved = SavedHubs::new(SettingsFile::new(&file));
    // Another program of the same user.
    let secrets = Arc::new(MemorySecrets::default());
    let here = HubId::this_computer();
    let terminal = HubSession::new(saved.list(), here.clone(), secrets, Events::new());
    let terminal = terminal.keeping(saved);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let added = terminal.add_signed_out("Cellar", &address, Trust::System);
    let hub_id = runtime.block_on(added).unwrap().id;
    let session = || shell.ask(&GetSession {}).unwrap();
    until(|| (session().hubs.len() == 2).then_some(()));
    let connect = ConnectHub {
        hub_id: hub_id.clone(),
    };
    assert_eq!(shell.ask(&connect).unwrap().current, hub_id);
    runtime.block_on(terminal.remove(&hub_id)).unwrap();
    until(|| (session().hubs.len() == 1 && session().current == here).then_some(()));
}

#[test]
fn how_well_all_machines_are_protected_is_asked_for_at_once() {
    let shell = Shell::start().connected();
    let vm = shell.add_vm();
    let state = || shell.ask(&ListVmProtection {}).unwrap()[0].state;
    assert_eq!(state(), VmState::NeverBackedUp);
    shell.back_up(&vm);
    assert_eq!(state(), VmState::Protected);
}

#[test]
fn verifying_tells_its_result_to_whoever_listens() {
    let shell = Shell::start().connected();
    let vm = shell.add_vm();
    let backup = shell.back_up(&vm);
    let mut news = shell.app.state::<Events>().subscribe();
    let request = VerifyBackup {
        backup_id: backup.backup_id.clone(),
    };
    shell.ask(&request).unwrap();
    let found = until(|| match news.try_recv().ok()? {
        AppEvent::BackupVerified { verification } => {
            (verification.status != VerificationStatus::Running).then_some(verification)
        }
        _ => None,
    });
    assert_eq!(found.backup_id, backup.backup_id);
    assert_eq!(found.status, VerificationStatus::Sound);
    let cancel = CancelVerification {
        backup_id: backup.backup_id,
    };
    let error = shell.ask(&cancel).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict, "it is over: {error:?}");
}

#[test]
fn a_look_at_what_retention_would_do_sets_nothing() {
    let shell = Shell::start().connected();
    let vm = shell.add_vm();
    shell.back_up(&vm);
    shell.back_up(&vm);
    let policy = RetentionPolicy {
        keep_last: 1,
        ..RetentionPolicy::default()
    };
    let preview = PreviewRetention {
        vm: vm.clone(),
        policy,
    };
    let points = shell.ask(&preview).unwrap();
    let going = points
        .iter()
        .filter(|point| point.action != RetentionAction::Keep)
        .count();
    assert_eq!((points.len(), going), (2, 1), "{points:?}");
    let rules = || shell.ask(&GetRetention { vm: vm.clone() }).unwrap().policy;
    assert_eq!(rules(), None);
    let request = SetRetention {
        vm: vm.clone(),
        policy: Some(policy),
    };
    shell.ask(&request).unwrap();
    assert_eq!(rules(), Some(policy));
}

#[test]
fn a_repository_is_made_only_in_a_folder_that_was_chosen_in_the_dialog() {
    let shell = Shell::start().connected();
    let name = "Archive".to_owned();
    let refusal = shell.ask(&AddRepository { name }).unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::Invalid, "{refusal:?}");
    // Whatever else the window sends along counts for nothing.
    let request = json!({ "request": { "name": "Archive", "path": "/tmp", "folder": "/tmp" } });
    invoke(&shell.window, AddRepository::NAME, request).unwrap_err();
    // Nor is this computer's hub to be had by the way to hubs elsewhere.
    let folder = shell.home.path().join("named");
    let place = RepositoryPlace::folder(folder.to_string_lossy());
    let name = "Archive".to_owned();
    let test = TestNewRepository {
        place: place.clone(),
    };
    let refusal = shell.ask(&test).unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::Invalid, "{refusal:?}");
    let add = AddRemoteRepository { name, place };
    let refusal = shell.ask(&add).unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::Invalid, "{refusal:?}");
    assert!(!folder.exists());
    assert_eq!(shell.ask(&ListRepositories {}).unwrap().len(), 1);
}

#[test]
fn the_first_repository_works_and_stays() {
    let shell = Shell::start().connected();
    let repository_id = shell.ask(&ListRepositories {}).unwrap()[0].id.clone();
    let test = TestRepository {
        repository_id: repository_id.clone(),
    };
    assert!(shell.ask(&test).unwrap().is_usable);
    let refusal = shell.ask(&DeleteRepository { repository_id }).unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::Conflict, "{refusal:?}");
}

/// Contract H34.
#[test]
fn the_diagnostics_hold_the_last_errors_and_no_password() {
    let shell = Shell::start_with(true).connected();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap().to_string();
    drop(listener);
    let request = AddHub {
        name: "Cellar".to_owned(),
        address: nobody.clone(),
        trust: Trust::System,
        credentials: Credentials::Password {
            username: "ada".to_owned(),
            password: Secret::new("correct-horse"),
        },
    };
    shell.ask(&request).unwrap_err();
    tauri_plugin_log::log::logger().flush();
    let text = shell.ask(&GetDiagnostics {}).unwrap();
    let of_it = |line: &&str| line.contains("[ERROR]") && line.contains(&nobody);
    assert_eq!(text.lines().filter(of_it).count(), 1, "{text}");
    assert!(text.contains("GET /health"), "{text}");
    assert!(!text.contains("horse"), "{text}");
}

#[test]
fn every_command_of_the_table_is_named_in_the_capability_file() {
    let file = include_str!("../capabilities/main.json");
    let capability: Value = serde_json::from_str(file).unwrap();
    let permissions = capability["permissions"].as_array().unwrap();
    let missing: Vec<_> = COMMANDS
        .iter()
        .filter(|command| {
            let permission = format!("allow-{}", command.replace('_', "-"));
            !permissions.iter().any(|named| *named == *permission)
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?} would be denied");
    // Beside the commands, a window only listens.
    let others: Vec<_> = permissions
        .iter()
        .filter_map(Value::as_str)
        .filter(|named| !named.starts_with("allow-"))
        .collect();
    assert_eq!(
        others,
        ["core:event:allow-listen", "core:event:allow-unlisten"]
    );
    assert_eq!(capability["windows"], json!(["main"]));
}

#[test]
fn what_the_capability_file_does_not_name_is_denied() {
    let shell = Shell::start();
    let stranger = WebviewWindowBuilder::new(&shell.app, "stranger", WebviewUrl::default())
        .build()
        .unwrap();
    for command in COMMANDS {
        let refusal = invoke(&stranger, command, json!({ "request": {} })).unwrap_err();
        let refusal = refusal.to_string();
        assert!(refusal.contains("not allowed"), "{command}: {refusal}");
    }
    // Nor may our own window use what plugins offer.
    for command in ["plugin:dialog|open", "plugin:opener|open_path"] {
        let refusal = invoke(&shell.window, command, json!({})).unwrap_err();
        let refusal = refusal.to_string();
        assert!(refusal.contains("not allowed"), "{command}: {refusal}");
    }
}
