//! How many recovery points of a VM are kept; only our own hub knows that.

use sendense_types::{
    AppError, ErrorKind, Retention, RetentionPoint, RetentionPolicy, RetentionStatus, Retry, Vm,
};
use sendense_words as words;
use serde_json::json;

use super::{HubClient, pauses::Pauses, request::Effect, wire};
use crate::Result;

impl HubClient {
    /// How many recovery points of a VM are kept, and how the newest run of that went.
    ///
    /// # Errors
    /// `Unsupported` or `NotFound` on hubs without retention.
    pub async fn retention(&self, vm: &Vm) -> Result<Retention> {
        wire::retention(&self.get(self.retention_url(vm, &[])?).await?)
    }

    /// Decides how many recovery points of a VM are kept from the next run on; `None` for all.
    ///
    /// # Errors
    /// `Invalid` when the policy keeps nothing.
    pub async fn set_retention(
        &self,
        vm: &Vm,
        policy: Option<RetentionPolicy>,
    ) -> Result<Retention> {
        let url = self.retention_url(vm, &[])?;
        wire::retention(&self.put(url, &json!({ "policy": policy })).await?)
    }

    /// What retention would do with each recovery point of a VM under this policy. Changes nothing.
    ///
    /// # Errors
    /// `Invalid` when the policy keeps nothing.
    pub async fn preview_retention(
        &self,
        vm: &Vm,
        policy: RetentionPolicy,
    ) -> Result<Vec<RetentionPoint>> {
        let url = self.retention_url(vm, &["run"])?;
        let body = json!({ "dry_run": true, "policy": policy });
        wire::retention_points(&self.post(url, &body, Effect::Repeatable).await?)
    }

    /// What retention does with each recovery point of a VM. Unless it is a dry run, waits until it is done.
    ///
    /// # Errors
    /// `NotFound` when the VM has no retention, `Conflict` while its backups are being used, and the reason
    /// when it ended early; every point that is kept can be restored all the same.
    pub async fn run_retention(&self, vm: &Vm, dry_run: bool) -> Result<Vec<RetentionPoint>> {
        let url = self.retention_url(vm, &["run"])?;
        let body = json!({ "dry_run": dry_run });
        let points = wire::retention_points(&self.post(url, &body, Effect::Once).await?)?;
        if !dry_run {
            self.await_retention(vm).await?;
        }
        Ok(points)
    }

    /// Waits until what expired with a backup is gone, on hubs with retention. A hub that ends with the
    /// backup would never get to it.
    ///
    /// # Errors
    /// As [`run_retention`](Self::run_retention).
    pub async fn settle_retention(&self, vm: &Vm) -> Result<()> {
        if self.retention(vm).await?.policy.is_none() {
            return Ok(());
        }
        let pauses = Pauses::begin();
        // The hub begins by itself; this comes before or after that, and finds nothing left to do then.
        while let Err(error) = self.run_retention(vm, false).await {
            if error.retry != Retry::Manual
                || self.retention(vm).await?.status == RetentionStatus::Failed
            {
                return Err(error);
            }
            pauses.wait().await;
        }
        Ok(())
    }

    async fn await_retention(&self, vm: &Vm) -> Result<()> {
        let pauses = Pauses::begin();
        loop {
            let now = self.retention(vm).await?;
            match now.status {
                RetentionStatus::Running => pauses.wait().await,
                RetentionStatus::Failed => {
                    let why = now.error_message.unwrap_or_default();
                    return Err(AppError::new(
                        ErrorKind::Conflict,
                        words::failures::retention_failed(why),
                        Retry::Manual,
                    )
                    .with_hint(words::failures::retention_kept()));
                }
                RetentionStatus::Idle | RetentionStatus::Done | RetentionStatus::Unknown => {
                    return Ok(());
                }
            }
        }
    }

    fn retention_url(&self, vm: &Vm, rest: &[&str]) -> Result<reqwest::Url> {
        let mut segments = vec!["vm-contexts", vm.context_id.as_str(), "retention"];
        segments.extend(rest);
        self.v1(&segments)
    }
}
