//! What a supporter needs to know of an installation: a page to copy, and a bundle of files to send. A pass over
//! everything takes out secrets (`redaction`).

mod bundle;
mod logs;
mod redaction;

use std::path::PathBuf;

use sendense_types::Session;

pub use self::bundle::Bundle;
use self::redaction::Redaction;

/// What is known of the program that makes them, and where the rest is.
pub struct Diagnostics {
    /// The version of that program.
    pub version: String,
    /// What is known beside files: a name and a value, a line for each.
    pub facts: Vec<(&'static str, String)>,
    /// Where the hub of this computer keeps its data, and window and terminal their records.
    pub data_folder: PathBuf,
    /// Log files of the window.
    pub log_folder: PathBuf,
}

/// What is known of the saved hubs: how many there are, and where their secrets are.
pub fn facts_of_hubs(session: &Session) -> Vec<(&'static str, String)> {
    let saved = session.hubs.iter().filter(|hub| !hub.is_this_computer());
    vec![
        ("Saved hubs", saved.count().to_string()),
        ("Keychain", format!("{:?}", session.keychain)),
    ]
}

impl Diagnostics {
    /// The page: what a supporter asks for first. Reads the log folder, so not for a task of the async runtime.
    pub fn page(&self) -> String {
        self.page_without(&Redaction::of(&[]))
    }

    fn page_without(&self, secrets: &Redaction) -> String {
        let errors = match logs::last_errors(&self.log_folder) {
            Ok(errors) if errors.is_empty() => "none".to_owned(),
            Ok(errors) => errors.join("\n"),
            Err(error) => format!("the log folder cannot be read: {error}"),
        };
        let facts = self.facts.iter();
        let facts: String = facts
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        secrets.text(&format!(
            "Sendense {version} on {os} ({arch})\n{facts}Data: {data}\nLogs: {logs}\n\
             Last errors and warnings:\n{errors}\n",
            version = self.version,
            os = std::env::consts::OS,
            arch = std::env::consts::ARCH,
            data = self.data_folder.display(),
            logs = self.log_folder.display(),
        ))
    }
}
