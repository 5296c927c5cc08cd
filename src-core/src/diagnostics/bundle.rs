//! The bundle of files that is sent to a supporter.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sendense_types::{HubId, SavedHub, Settings};
use serde_json::{Map, Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::redaction::{Redaction, proxies};
use super::{Diagnostics, logs};
use crate::download::{Destination, Existing, save_made};
use crate::{Result, SavedHubs, SettingsFile, Token};

/// So much of the newest log lines is in a bundle.
const LOG_BYTES: u64 = 5 << 20;
/// A record has some hundred rows; what is larger is another file.
const RECORD_BYTES: u64 = 4 << 20;
/// What window and terminal remember beside the settings, in the data folder.
const RECORDS: [&str; 2] = ["mounts.json", "backups.json"];
/// Where Linux says what system it is.
const OS_RELEASE: &str = "/etc/os-release";

/// Of what a bundle is made.
pub struct Bundle {
    /// The page in it, and where files are.
    pub diagnostics: Diagnostics,
    /// Settings and saved hubs.
    pub settings_file: PathBuf,
    /// What the hub of this computer says of itself, or why it says nothing.
    pub local_hub: Value,
    /// Secrets that are known. Whatever looks like a secret is taken out in any case.
    pub secrets: Vec<Token>,
}

impl Bundle {
    /// Writes the bundle, a ZIP file, under a name that is free, and says which: the file that is wanted, or one in the
    /// folder that is wanted. The file is there when it is whole. Reads and writes files, so not for a task of the async
    /// runtime.
    ///
    /// # Errors
    /// `Conflict` when the name is taken; when the file cannot be written. Nothing is left then.
    pub fn write(&self, wanted: &Path, made_at: Timestamp) -> Result<PathBuf> {
        let path = match wanted.is_dir() {
            true => wanted.join(default_name(made_at)),
            false => wanted.to_path_buf(),
        };
        let files = self.files(made_at);
        let destination = Destination {
            path: path.clone(),
            existing: Existing::Keep,
        };
        save_made(&destination, |file| pack(file, &files))?;
        Ok(path)
    }

    /// The files of the bundle by name, without secrets.
    fn files(&self, made_at: Timestamp) -> Vec<(String, String)> {
        let redaction = Redaction::of(&self.secrets);
        let Diagnostics {
            data_folder,
            log_folder,
            ..
        } = &self.diagnostics;
        let mut documents = vec![
            ("about.json", self.about(made_at)),
            ("settings.json", self.settings()),
            ("hubs.json", self.hubs()),
            ("local-hub.json", self.local_hub.clone()),
        ];
        for name in RECORDS {
            documents.push((name, record(&data_folder.join(name))));
        }
        let mut files = vec![(
            "summary.txt".to_owned(),
            self.diagnostics.page_without(&redaction),
        )];
        for (name, mut document) in documents {
            redaction.value(&mut document);
            files.push((name.to_owned(), format!("{document:#}\n")));
        }
        match logs::newest(log_folder, LOG_BYTES) {
            Ok(found) => {
                let found = found.into_iter();
                files.extend(found.map(|(name, text)| {
                    (
                        format!("logs/{}", redaction.text(&name)),
                        redaction.text(&text),
                    )
                }));
            }
            // The page says why.
            Err(error) => tracing::debug!(%error, "the log folder cannot be read"),
        }
        files
    }

    fn about(&self, made_at: Timestamp) -> Value {
        let proxies = proxies().map(|(name, value)| (name.to_owned(), Value::from(value)));
        json!({
            "made_at": made_at,
            "version": self.diagnostics.version,
            "os": std::env::consts::OS,
            "system": system_name(),
            "arch": std::env::consts::ARCH,
            "proxies": proxies.collect::<Map<_, _>>(),
        })
    }

    /// The settings that mean something to this version, without folders of the user.
    fn settings(&self) -> Value {
        let file = SettingsFile::new(&self.settings_file);
        let settings = file
            .get::<Settings>(SettingsFile::SETTINGS)
            .unwrap_or_default();
        let settings = Settings {
            download_folder: settings.download_folder.map(|_| "…".to_owned()),
            ..settings
        };
        let current: Option<HubId> = file.get(SettingsFile::CURRENT_HUB);
        json!({ "settings": settings, "current_hub": current })
    }

    /// The saved hubs, without who signs in to them.
    fn hubs(&self) -> Value {
        let saved = SavedHubs::new(SettingsFile::new(&self.settings_file));
        let hubs = saved.list().into_iter().map(|hub| {
            let SavedHub {
                name,
                address,
                sign_in,
                trust,
                ..
            } = hub;
            json!({ "name": name, "address": address, "sign_in": sign_in, "trust": trust })
        });
        hubs.collect()
    }
}

/// The name of a bundle that nobody has named.
fn default_name(made_at: Timestamp) -> String {
    let time = TimeZone::UTC.to_datetime(made_at);
    time.strftime("sendense-diagnostics-%Y%m%d-%H%M%S.zip")
        .to_string()
}

/// What a Linux calls itself.
fn system_name() -> Option<String> {
    let text = String::from_utf8(read_at_most(Path::new(OS_RELEASE), 1 << 16)?).ok()?;
    let mut lines = text.lines();
    let name = lines.find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}

/// A record without the folders that were looked at: they are the user's, and say nothing about a fault.
fn record(file: &Path) -> Value {
    if !file.exists() {
        return Value::Null;
    }
    let content = read_at_most(file, RECORD_BYTES);
    let content = content.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut content = content.unwrap_or_else(|| json!({ "unreadable": true }));
    if let Some(hubs) = content.get_mut("hubs").and_then(Value::as_object_mut) {
        let rows = hubs.values_mut().filter_map(Value::as_array_mut).flatten();
        for row in rows.filter_map(Value::as_object_mut) {
            row.remove("folder");
        }
    }
    content
}

/// A file that is no larger than this.
fn read_at_most(file: &Path, most_bytes: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(file).ok()?;
    file.take(most_bytes + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= most_bytes).then_some(bytes)
}

fn pack(file: &File, files: &[(String, String)]) -> io::Result<()> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut zip = ZipWriter::new(BufWriter::new(file));
    for (name, text) in files {
        zip.start_file(name.as_str(), options)?;
        zip.write_all(text.as_bytes())?;
    }
    zip.finish()?.flush()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use zip::ZipArchive;

    use super::*;

    /// A token in the keychain, one of an appliance, a password that was typed, those of a proxy and of a share.
    const SECRETS: [&str; 5] = [
        "kept-token-1f5b",
        "appliance-token-77aa",
        "typed-pass word",
        "proxy-password-42",
        "share-password-9c",
    ];

    fn installation(folder: &Path) -> Bundle {
        let logs = folder.join("logs");
        fs::create_dir(&logs).unwrap();
        let [kept, appliance, typed, proxy, share] = SECRETS;
        let log = format!(
            "[2026-11-27][10:00:00][sendense_core::session][ERROR] POST /api/v1/auth/login \
             details=\"{{\\\"token\\\":\\\"{appliance}\\\"}}\" for Bearer {kept}\n\
             [2026-11-27][10:00:01][x][WARN] {kept} alone; {{\"password\":\"{typed}\"}}\n\
             [2026-11-27][10:00:02][x][WARN] http://ada:{proxy}@proxy:3128 refused\n\
             [2026-11-27][10:00:03][x][WARN] mount -o username=ada,password={share},vers=3\n\
             [2026-11-27][10:00:04][x][WARN] {{Server:nas PasswordSecret:{share} Domain:}}\n"
        );
        fs::write(logs.join("Sendense.log"), &log).unwrap();
        fs::write(logs.join(format!("{kept}.log")), "").unwrap();
        let settings = json!({
            "settings": { "download_folder": format!("/srv/{kept}"), "theme": "dark" },
            "current_hub": format!("http://ada:{proxy}@hub:1"),
            "hubs": [{
                "id": "x", "name": format!("Cellar {kept}"), "username": "grace",
                "address": format!("http://ada:{proxy}@hub:1"), "sign_in": "appliance",
            }],
            "stray": { "token": appliance },
        });
        fs::write(folder.join("settings.json"), settings.to_string()).unwrap();
        let record = json!({ "version": 1, "hubs": { format!("http://ada:{proxy}@hub:1"): [
            { "mount_id": "m1", "folder": "/Users/grace", "vm_name": "web", "token": appliance },
        ] } });
        fs::write(folder.join("mounts.json"), record.to_string()).unwrap();
        fs::write(folder.join("backups.json"), format!("{{ {kept}")).unwrap();
        Bundle {
            diagnostics: Diagnostics {
                version: "1.2.3".to_owned(),
                facts: vec![("Hub", format!("offline: Bearer {kept}"))],
                data_folder: folder.to_owned(),
                log_folder: logs,
            },
            settings_file: folder.join("settings.json"),
            local_hub: json!({ "running": true, "error": format!("no {kept}"), "key": kept }),
            secrets: vec![Token::new(kept), Token::new(typed)],
        }
    }

    fn now() -> Timestamp {
        "2026-11-28T09:30:00Z".parse().unwrap()
    }

    fn unpacked(path: &Path) -> BTreeMap<String, String> {
        let mut zip = ZipArchive::new(File::open(path).unwrap()).unwrap();
        let mut files = BTreeMap::new();
        for index in 0..zip.len() {
            let mut file = zip.by_index(index).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            let name = file.name().unwrap().into_owned();
            files.insert(name, text);
        }
        files
    }

    #[test]
    fn no_file_of_a_bundle_holds_a_secret_or_whose_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let written = installation(folder.path())
            .write(folder.path(), now())
            .unwrap();
        assert_eq!(
            written,
            folder
                .path()
                .join("sendense-diagnostics-20261128-093000.zip")
        );
        let files = unpacked(&written);
        let all = format!("{files:?}");
        for secret in SECRETS {
            assert!(!all.contains(secret), "{secret}: {all}");
        }
        for private in ["grace", "ada:", "ada@", "/Users"] {
            assert!(!all.contains(private), "{private}: {all}");
        }
        for (file, part) in [
            ("summary.txt", "Sendense 1.2.3"),
            ("summary.txt", "POST /api/v1/auth/login"),
            ("about.json", "\"made_at\": \"2026-11-28T09:30:00Z\""),
            ("settings.json", "\"theme\": \"dark\""),
            ("hubs.json", "\"sign_in\": \"appliance\""),
            ("hubs.json", "http://…@hub:1"),
            ("mounts.json", "\"vm_name\": \"web\""),
            ("backups.json", "unreadable"),
            ("local-hub.json", "\"running\": true"),
            ("logs/Sendense.log", "proxy:3128 refused"),
        ] {
            assert!(
                files[file].contains(part),
                "{file}, {part}: {}",
                files[file]
            );
        }
    }

    #[test]
    fn a_bundle_overwrites_nothing_and_is_there_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = installation(folder.path());
        let wanted = folder.path().join("support.zip");
        assert_eq!(bundle.write(&wanted, now()).unwrap(), wanted);
        let before = fs::read(&wanted).unwrap();
        let error = bundle.write(&wanted, now()).unwrap_err();
        assert_eq!(error.kind, sendense_types::ErrorKind::Conflict, "{error}");
        assert_eq!(fs::read(&wanted).unwrap(), before);
        bundle
            .write(&folder.path().join("nowhere/x.zip"), now())
            .unwrap_err();
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let expected = [
            "backups.json",
            "logs",
            "mounts.json",
            "settings.json",
            "support.zip",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_bundle_is_bounded_and_made_of_whatever_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = installation(folder.path());
        let line = format!("{}\n", "x y ".repeat(64));
        let many = line.repeat(4 * LOG_BYTES as usize / line.len());
        fs::write(folder.path().join("logs/Sendense.log"), many).unwrap();
        fs::write(
            folder.path().join("mounts.json"),
            " ".repeat(RECORD_BYTES as usize + 1),
        )
        .unwrap();
        fs::remove_file(folder.path().join("settings.json")).unwrap();
        let files = unpacked(&bundle.write(folder.path(), now()).unwrap());
        let size = files["logs/Sendense.log"].len() as u64;
        assert!(size <= LOG_BYTES && size > LOG_BYTES - 1000, "{size}");
        assert!(files["mounts.json"].contains("unreadable"));
        assert!(files.contains_key("settings.json"));

        let nowhere = folder.path().join("nowhere");
        let empty = Bundle {
            diagnostics: Diagnostics {
                version: String::new(),
                facts: Vec::new(),
                data_folder: nowhere.clone(),
                log_folder: nowhere.clone(),
            },
            settings_file: nowhere,
            local_hub: Value::Null,
            secrets: Vec::new(),
        };
        let files = unpacked(
            &empty
                .write(&folder.path().join("empty.zip"), now())
                .unwrap(),
        );
        assert!(files["summary.txt"].contains("cannot be read"), "{files:?}");
    }
}
