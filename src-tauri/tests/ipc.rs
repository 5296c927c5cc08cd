//! The window's way into the shell, without a window: the real commands, the real capability file and a
//! real hub, under Tauri's mock runtime.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use sendense_core::MemorySecrets;
use sendense_desktop::{Surroundings, build, start};
use sendense_types::commands::{
    COMMANDS, Command, GetSession, GetSettings, ListFiles, ListRepositories, SaveSettings,
};
use sendense_types::{AppError, ErrorKind, MountId, SessionState, Settings, Theme};
use serde_json::{Value, json};
use tauri::ipc::{CallbackFn, InvokeBody};
use tauri::test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder};
use tauri::webview::InvokeRequest;
use tauri::{App, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tempfile::TempDir;

/// The app without a desktop around it.
struct Shell {
    window: WebviewWindow<MockRuntime>,
    app: App<MockRuntime>,
    _home: TempDir,
}

impl Shell {
    fn start() -> Self {
        let home = TempDir::new().unwrap();
        let app = build(mock_builder())
            .build(tauri::generate_context!())
            .unwrap();
        let surroundings = Surroundings {
            secrets: Arc::new(MemorySecrets::default()),
            data_folder: home.path().join("hub"),
            settings_file: home.path().join("settings.json"),
        };
        start(&app, surroundings).unwrap();
        let window = WebviewWindowBuilder::new(&app, "main", WebviewUrl::default())
            .build()
            .unwrap();
        Self {
            window,
            app,
            _home: home,
        }
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
        let began = Instant::now();
        loop {
            let session = self.ask(&GetSession {}).unwrap();
            if session.state == SessionState::Connected {
                return self;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{session:?}");
            std::thread::yield_now();
        }
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
    for command in [
        "plugin:dialog|open",
        "plugin:opener|open_path",
        "plugin:store|load",
    ] {
        let refusal = invoke(&shell.window, command, json!({})).unwrap_err();
        let refusal = refusal.to_string();
        assert!(refusal.contains("not allowed"), "{command}: {refusal}");
    }
}
