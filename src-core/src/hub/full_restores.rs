//! Full restores: disks of recovery points written as images into folders of the hub's computer. Only our own hub has
//! them.

use sendense_types::{
    AppError, ErrorKind, FullRestore, FullRestoreId, FullRestoreOrder, FullRestorePlan,
    FullRestoreStatus, Retry,
};
use sendense_words as words;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{HubClient, error, pauses::Pauses, request::Effect, session::is_missing, wire};
use crate::Result;

impl HubClient {
    /// The full restores that the hub has on record, newest first; `None` where it does not offer them, as deployed hubs.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn offered_full_restores(&self) -> Result<Option<Vec<FullRestore>>> {
        match self.full_restores().await {
            Ok(restores) => Ok(Some(restores)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a full restore would write, and how much room there is.
    ///
    /// # Errors
    /// As [`start_full_restore`](Self::start_full_restore).
    pub async fn plan_full_restore(&self, order: &FullRestoreOrder) -> Result<FullRestorePlan> {
        let url = self.v1(&["restore", "full", "plan"])?;
        let answer = self.post(url, &body(order), Effect::Repeatable).await;
        wire::full_restore_plan(&answer.map_err(not_offered)?)
    }

    /// Begins to write disks of a recovery point as images into a folder of the hub's computer.
    ///
    /// # Errors
    /// `Unsupported` on hubs that do not offer it, `Invalid` when the folder cannot be used or no machine of that kind
    /// runs from the format, `Conflict` when the files are there, or while the VM's backups are being changed.
    pub async fn start_full_restore(&self, order: &FullRestoreOrder) -> Result<FullRestore> {
        let url = self.v1(&["restore", "full"])?;
        let answer = self.post(url, &body(order), Effect::Once).await;
        wire::full_restore(&answer.map_err(not_offered)?)
    }

    /// A full restore as it is now.
    ///
    /// # Errors
    /// `NotFound` when the hub has none of that id.
    pub async fn full_restore(&self, id: &FullRestoreId) -> Result<FullRestore> {
        let url = self.v1(&["restore", "full", id.as_str()])?;
        wire::full_restore(&self.get(url).await?)
    }

    /// The full restores that the hub has on record, newest first.
    ///
    /// # Errors
    /// `NotFound` or `Unsupported` on hubs that do not offer it.
    pub async fn full_restores(&self) -> Result<Vec<FullRestore>> {
        let url = self.v1(&["restore", "full"])?;
        wire::full_restores(&self.get(url).await?)
    }

    /// Ends a full restore; the hub removes what it has written.
    ///
    /// # Errors
    /// `NotFound` when the hub has none of that id, `Conflict` when it is over.
    pub async fn cancel_full_restore(&self, id: &FullRestoreId) -> Result<()> {
        let url = self.v1(&["restore", "full", id.as_str(), "cancel"])?;
        self.post(url, &json!({}), Effect::Repeatable)
            .await
            .map(drop)
    }

    /// Begins a full restore and waits until it is over; reports how far it is. Cancelled, it ends the hub's work too.
    ///
    /// # Errors
    /// As [`start_full_restore`](Self::start_full_restore), and the hub's reason when it ended early.
    pub async fn restore_fully(
        &self,
        order: &FullRestoreOrder,
        report: &mut (dyn FnMut(&FullRestore) + Send),
        cancel: &CancellationToken,
    ) -> Result<FullRestore> {
        let id = self.start_full_restore(order).await?.restore_id;
        let pauses = Pauses::begin();
        let mut is_cancelled = false;
        loop {
            let restore = self.full_restore(&id).await?;
            report(&restore);
            if restore.status.is_over() {
                return over(restore);
            }
            if is_cancelled {
                pauses.wait().await;
                continue;
            }
            tokio::select! {
                () = pauses.wait() => {}
                () = cancel.cancelled() => {
                    is_cancelled = true;
                    match self.cancel_full_restore(&id).await {
                        // It was over a moment ago.
                        Ok(()) => {}
                        Err(error) if error.kind == ErrorKind::Conflict => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }
}

/// One that is over: what it came to, or why it did not.
fn over(restore: FullRestore) -> Result<FullRestore> {
    match restore.status {
        FullRestoreStatus::Completed => Ok(restore),
        FullRestoreStatus::Cancelled => Err(AppError::new(
            ErrorKind::Cancelled,
            words::failures::full_restore_cancelled(),
            Retry::Manual,
        )),
        _ => {
            let why = restore.error_message.unwrap_or_default();
            let known = error::of_failure(restore.error_code, &why);
            Err(known.unwrap_or_else(|| {
                AppError::new(
                    ErrorKind::Conflict,
                    words::failures::full_restore_failed(&why),
                    Retry::Manual,
                )
                .with_hint(words::failures::full_restore_resumes())
            }))
        }
    }
}

fn body(order: &FullRestoreOrder) -> Value {
    json!({
        "backup_id": order.backup_id,
        "disk_indexes": order.disk_indexes,
        "folder": order.folder,
        "format": order.format,
        "definition": order.definition,
    })
}

/// An address that a hub does not have is no recovery point that it lost.
fn not_offered(error: AppError) -> AppError {
    let is_unknown_address =
        error.kind == ErrorKind::Unsupported || error.message == words::failures::not_found();
    match is_unknown_address {
        true => AppError::new(
            ErrorKind::Unsupported,
            words::failures::no_full_restores(),
            Retry::Never,
        ),
        false => error,
    }
}
