//! Backups: starting them and what is known of them (contract 3.6).

use std::collections::BTreeSet;

use sendense_types::{
    AppError, Backup, BackupId, BackupStatus, BackupType, Chain, ErrorKind, RepositoryId,
    Retention, RetentionPoint, RetentionPolicy, RetentionStatus, Retry, StartedBackup,
    Verification, VerificationStatus, Vm,
};
use sendense_words as words;
use serde_json::json;

use super::{HubClient, error, pauses::Pauses, request::Effect, session::is_missing, wire};
use crate::Result;

impl HubClient {
    /// Starts a backup of all disks of a VM; `verify` has it read back before it counts as completed, on
    /// hubs that can.
    ///
    /// Deployed hubs let two backups of one VM destroy each other (contract H7), so a running one is
    /// refused here. When the connection breaks before the answer, the hub's list says whether the
    /// backup was started; it is never asked for twice (contract H1).
    ///
    /// # Errors
    /// `Conflict` while one is running, `NeedsFull` when an incremental one has nothing to build on.
    pub async fn start_backup(
        &self,
        vm: &Vm,
        repository_id: &RepositoryId,
        backup_type: BackupType,
        verify: bool,
    ) -> Result<StartedBackup> {
        let before = self.backups(vm).await?;
        if let Some(running) = before
            .iter()
            .find(|backup| backup.status == BackupStatus::Active)
        {
            return Err(AppError::new(
                ErrorKind::Conflict,
                words::failures::backup_of_running(&vm.vm_name),
                Retry::Manual,
            )
            .with_hint(words::failures::running_id(&running.backup_id)));
        }
        let mut body = json!({
            "vm_name": vm.vm_name,
            "repository_id": repository_id,
            "backup_type": backup_type.as_str(),
        });
        if verify {
            body["verify"] = true.into();
        }
        let answer = self.post(self.v1(&["backups"])?, &body, Effect::Once).await;
        match answer {
            Err(error) if error.kind == ErrorKind::OutcomeUnknown => {
                let known: BTreeSet<&BackupId> =
                    before.iter().map(|backup| &backup.backup_id).collect();
                let begun = self
                    .backups(vm)
                    .await?
                    .into_iter()
                    .find(|backup| !known.contains(&backup.backup_id));
                begun.map(as_started).ok_or(error)
            }
            answer => wire::started(&answer?),
        }
    }

    /// The backups of a VM, newest first.
    pub async fn backups(&self, vm: &Vm) -> Result<Vec<Backup>> {
        let mut url = self.v1(&["backups"])?;
        // Deployed hubs go by the id, documented ones by the name (contract 8.4).
        url.query_pairs_mut()
            .append_pair("vm_context_id", vm.context_id.as_str())
            .append_pair("vm_name", &vm.vm_name);
        let mut backups = wire::backups(&self.get(url).await?)?;
        backups.retain(|backup| match &backup.vm_context_id {
            Some(id) => *id == vm.context_id,
            None => backup.vm_name.to_lowercase() == vm.vm_name.to_lowercase(),
        });
        Ok(backups)
    }

    /// The backups of all VMs, newest first.
    pub async fn all_backups(&self) -> Result<Vec<Backup>> {
        wire::backups(&self.get(self.v1(&["backups"])?).await?)
    }

    /// One backup, as it is now.
    ///
    /// # Errors
    /// `NotFound` when the hub does not have it.
    pub async fn backup(&self, id: &BackupId) -> Result<Backup> {
        let answer = self.get(self.v1(&["backups", id.as_str()])?).await?;
        wire::backup(&answer)
    }

    /// Verifies a finished backup, reporting how far it is on the way; says what was found.
    ///
    /// # Errors
    /// `Unsupported` on hubs that cannot, `Conflict` when the backup is not complete.
    pub async fn verify_backup(
        &self,
        id: &BackupId,
        report: &mut (dyn FnMut(&Verification) + Send),
    ) -> Result<Verification> {
        let url = self.v1(&["backups", id.as_str(), "verify"])?;
        // One that goes on is not begun again.
        let begun = self
            .post(url.clone(), &json!({}), Effect::Repeatable)
            .await?;
        let mut verification = wire::verification(&begun)?;
        let pauses = Pauses::begin();
        while verification.status == VerificationStatus::Running {
            report(&verification);
            pauses.wait().await;
            verification = wire::verification(&self.get(url.clone()).await?)?;
        }
        Ok(verification)
    }

    /// Ends the verification of a backup; whoever waits for it is told.
    ///
    /// # Errors
    /// `NotFound` when it never began, `Conflict` when it is over.
    pub async fn cancel_verification(&self, id: &BackupId) -> Result<()> {
        let url = self.v1(&["backups", id.as_str(), "verify", "cancel"])?;
        self.post(url, &json!({}), Effect::Repeatable)
            .await
            .map(drop)
    }

    /// Ends a running backup; nothing of it stays. Watch it to see when that has happened.
    ///
    /// # Errors
    /// `Conflict` when it is over, `Unsupported` on hubs that cannot (contract D36).
    pub async fn cancel_backup(&self, id: &BackupId) -> Result<()> {
        let url = self.v1(&["backups", id.as_str(), "cancel"])?;
        // Asked twice it is the same.
        self.post(url, &json!({}), Effect::Repeatable)
            .await
            .map(drop)
    }

    /// Deletes a backup, and when asked to those that build on it; returns all that were deleted, as far as
    /// the hub says.
    ///
    /// Deployed hubs delete rows without checking what builds on them, and leave the files (contract D64):
    /// there the answer is that they cannot.
    ///
    /// # Errors
    /// `Conflict` when others build on it, when it is pinned, or while it is being used; `Unsupported` on
    /// hubs that would lose track of what builds on it.
    pub async fn delete_backup(
        &self,
        id: &BackupId,
        with_dependents: bool,
    ) -> Result<Vec<BackupId>> {
        if self.backup(id).await?.is_pinned.is_none() {
            return Err(AppError::new(
                ErrorKind::Unsupported,
                words::failures::unsafe_delete(),
                Retry::Never,
            )
            .with_hint(words::failures::unsafe_delete_why()));
        }
        let mut url = self.v1(&["backups", id.as_str()])?;
        if with_dependents {
            url.query_pairs_mut().append_pair("with_dependents", "true");
        }
        let answer = self.delete_for_answer(url).await?;
        wire::deleted(&answer)
    }

    /// Keeps a recovery point from being deleted, or no longer.
    ///
    /// # Errors
    /// `Unsupported` on hubs that cannot pin, `Conflict` when the backup is not complete.
    pub async fn pin_backup(&self, id: &BackupId, is_pinned: bool) -> Result<()> {
        let url = self.v1(&["backups", id.as_str(), "pin"])?;
        match is_pinned {
            true => self.put(url, &json!({})).await.map(drop),
            false => self.delete(url).await,
        }
    }

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

    /// The recovery points of a VM in a repository, oldest first, as far as the hub tells (contract D30).
    pub async fn chain(&self, vm: &Vm, repository_id: &RepositoryId) -> Result<Chain> {
        let with_query = |mut url: reqwest::Url| {
            url.query_pairs_mut()
                .append_pair("vm_context_id", vm.context_id.as_str())
                .append_pair("vm_name", &vm.vm_name)
                .append_pair("repository_id", repository_id.as_str());
            url
        };
        let documented = with_query(self.v1(&["backups", "chain"])?);
        let answer = match self.get(documented).await {
            // Deployed hubs take "chain" for an id; they want one before it, and ignore it.
            Err(error) if is_missing(&error) => {
                let deployed = self.v1(&["backups", vm.context_id.as_str(), "chain"])?;
                self.get(with_query(deployed)).await?
            }
            answer => answer?,
        };
        wire::chain(&answer, &vm.vm_name)
    }

    /// Whether the hub confirms that this disk of this backup is finished, where it can tell.
    ///
    /// On deployed hubs a completed backup may still be writing (contract H10); the change id names
    /// the newest backup whose disk really is done.
    ///
    /// # Errors
    /// `Unsupported` or `NotFound` on hubs without change ids.
    pub(crate) async fn is_disk_confirmed(&self, backup: &Backup, disk_index: u32) -> Result<bool> {
        let mut url = self.v1(&["backups", "changeid"])?;
        url.query_pairs_mut()
            .append_pair("vm_name", &backup.vm_name)
            .append_pair("disk_id", &disk_index.to_string());
        let answer = self.get(url).await?;
        let fields = wire::Fields::of(&answer)?;
        Ok(fields.text(&["backup_job_id"]).as_deref() == Some(backup.backup_id.as_str()))
    }
}

/// Why a backup failed, in words; `None` for one that did not.
pub(crate) fn failure_of(backup: &Backup) -> Option<AppError> {
    match backup.status {
        BackupStatus::Active | BackupStatus::Completed | BackupStatus::Unknown => None,
        BackupStatus::Cancelled => Some(AppError::new(
            ErrorKind::Cancelled,
            words::failures::backup_cancelled(&backup.vm_name),
            Retry::Manual,
        )),
        BackupStatus::Failed => {
            let reason = backup.error_message.as_deref().unwrap_or_default();
            let known = error::of_failure(backup.error_code, reason);
            let mut failure = AppError::new(
                known
                    .as_ref()
                    .map_or(ErrorKind::Internal, |known| known.kind),
                if reason.is_empty() {
                    words::failures::backup_failed(&backup.vm_name)
                } else {
                    words::failures::backup_failed_because(&backup.vm_name, reason)
                },
                Retry::Manual,
            )
            .with_hint(words::failures::earlier_unchanged());
            if let Some(hint) = known.and_then(|known| known.hint) {
                failure = failure.with_hint(hint);
            }
            Some(failure)
        }
    }
}

fn as_started(backup: Backup) -> StartedBackup {
    StartedBackup {
        backup_id: backup.backup_id,
        vm_context_id: backup.vm_context_id,
        vm_name: backup.vm_name,
        backup_type: backup.backup_type,
        full_reason: None,
        disk_results: Vec::new(),
        created_at: backup.created_at,
    }
}
