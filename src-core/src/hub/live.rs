//! Machines that boot from a recovery point at once; only our own hub makes them.

use std::path::Path;

use reqwest::Method;
use sendense_types::{AppError, BackupId, ErrorKind, Launcher, LiveMachine, LiveMachineId, Retry};
use sendense_words as words;
use serde_json::json;

use super::{HubClient, request::Effect, session::is_missing, wire};
use crate::Result;

impl HubClient {
    /// Has the hub make a machine of a recovery point, with what boots it, in a folder of this computer that is empty or
    /// not there. Nothing is copied: what the machine writes goes to that folder.
    ///
    /// # Errors
    /// `Unsupported` where the hub is another computer, and on hubs that cannot; `NotFound` without such a recovery
    /// point; `Invalid` when the folder cannot be used.
    pub async fn start_machine(
        &self,
        backup_id: &BackupId,
        folder: &Path,
        definition: Launcher,
    ) -> Result<LiveMachine> {
        self.require_machines_here()?;
        let body = json!({ "backup_id": backup_id, "folder": folder, "definition": definition });
        let url = self.v1(&["restore", "live-machines"])?;
        let started = self.post(url, &body, Effect::Once).await;
        wire::live_machine(&started.map_err(unless_missing)?)
    }

    /// The machines that run from a recovery point, newest first.
    ///
    /// # Errors
    /// `Unsupported` on hubs that make none.
    pub async fn live_machines(&self) -> Result<Vec<LiveMachine>> {
        let answer = self.get(self.v1(&["restore", "live-machines"])?).await;
        wire::live_machines(&answer.map_err(makes_no_machines)?)
    }

    /// Lets go of the recovery point of a machine. What it wrote stays where it is, unless it is discarded.
    ///
    /// # Errors
    /// `NotFound` without such a machine, `Conflict` while it runs, `Unsupported` on hubs that make none.
    pub async fn stop_machine(&self, id: &LiveMachineId, is_discarded: bool) -> Result<()> {
        let mut url = self.v1(&["restore", "live-machines", id.as_str()])?;
        if is_discarded {
            url.query_pairs_mut().append_pair("discard", "true");
        }
        let request = self.request(Method::DELETE, url);
        self.have_done(request).await.map_err(unless_missing)
    }

    fn require_machines_here(&self) -> Result<()> {
        if self.is_on_this_computer() {
            return Ok(());
        }
        Err(AppError::new(
            ErrorKind::Unsupported,
            words::failures::machines_elsewhere(self.address()),
            Retry::Never,
        )
        .with_hint(words::failures::serve_there()))
    }
}

/// As [`makes_no_machines`], where a hub that makes them may say that something else is not there.
fn unless_missing(error: AppError) -> AppError {
    let is_told = [
        words::failures::no_such_machine(),
        words::failures::backup_not_found(),
    ];
    match is_told.contains(&error.message.as_str()) {
        true => error,
        false => makes_no_machines(error),
    }
}

/// What it means that a hub has no such address.
fn makes_no_machines(error: AppError) -> AppError {
    if !is_missing(&error) {
        return error;
    }
    AppError {
        kind: ErrorKind::Unsupported,
        message: words::failures::makes_no_machines().to_owned(),
        hint: Some(words::failures::serves_no_disks_hint().to_owned()),
        retry: Retry::Never,
        ..error
    }
}
