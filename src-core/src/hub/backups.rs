//! Backups: starting them and what is known of them (contract 3.6).

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use sendense_types::{
    AppError, Backup, BackupId, BackupStatus, BackupType, Chain, ChainLink, ErrorKind,
    IncrementalBase, IncrementalBases, RepositoryId, Retry, StartedBackup, Verification,
    VerificationStatus, Vm, VmHistory, VmId,
};
use sendense_words as words;
use serde_json::json;

use super::{
    HubClient, error,
    pauses::Pauses,
    request::{Effect, unseen},
    session::is_missing,
    wire,
};
use super::{wire::BackupList, zone::Zone};
use crate::Result;
use crate::backup_record::{RecordedBackup, is_unlisted};

/// So long after the last news of its disks a backup that is called completed counts as still being written; deployed
/// hubs give running ones up after that time, too (contract 6.5).
const STILL_COPYING: SignedDuration = SignedDuration::from_mins(5);
/// So long after its start a backup that was never heard of did not begin (contract H8).
const NEVER_BEGAN: SignedDuration = SignedDuration::from_mins(15);
/// Seconds that a hub may take from the question to start a backup to its row: its handlers end after 20 (section 12).
const LONGEST_START: i64 = 20;
/// So many VMs a hub is asked for at the same time, where it lists backups only VM by VM.
const VMS_AT_ONCE: usize = 8;

/// A VM, and its backups with the moment at which they were asked for; none where the hub cannot list them.
pub(crate) type History = (VmId, Option<(Instant, Vec<Backup>)>);

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
        let before = self.list_of(vm).await?;
        if let Some(running) = before.backups.iter().find(|backup| self.may_run(backup)) {
            return Err(AppError::new(
                ErrorKind::Conflict,
                words::failures::backup_of_running(&vm.vm_name),
                Retry::Manual,
            )
            .with_hint(words::failures::running_id(&running.backup_id)));
        }
        if before.is_deployed {
            self.refuse_unclear_name(vm).await?;
        }
        let base = self.base_of(vm, Some(repository_id), &before);
        if let (BackupType::Incremental, Some(why_not)) = (backup_type, base.why_not) {
            return Err(AppError::new(ErrorKind::NeedsFull, why_not, Retry::Manual)
                .with_hint(words::failures::run_full()));
        }
        let mut body = json!({
            "vm_name": vm.vm_name,
            "repository_id": repository_id,
            "backup_type": backup_type.as_str(),
        });
        if verify {
            body["verify"] = true.into();
        }
        let asked_at = self.time();
        let answer = self.post(self.v1(&["backups"])?, &body, Effect::Once).await;
        // An answer that makes no sense is none: the backup may have begun.
        let started =
            answer.and_then(|answer| wire::started(&answer).map_err(|error| unseen(&error)));
        let started = match started {
            Err(error) if error.kind == ErrorKind::OutcomeUnknown => {
                match self.begun(vm, &before, asked_at).await {
                    Ok(Some(begun)) => as_started(begun),
                    _ => return Err(error),
                }
            }
            Err(error)
                if error.kind == ErrorKind::NeedsFull
                    && before.is_deployed
                    && base.parent.is_some() =>
            {
                // There is a full one, and the hub has lost the chain that it begins (contract H9): another full one
                // would not help.
                self.unchained().insert(vm.context_id.clone());
                let error = AppError {
                    message: words::backups::incremental_lost().to_owned(),
                    ..error
                };
                return Err(error.with_hint(words::failures::full_backups_only()));
            }
            started => started?,
        };
        let row = RecordedBackup {
            backup_id: started.backup_id.clone(),
            vm_id: Some(vm.context_id.clone()),
            vm_name: vm.vm_name.clone(),
            started_at: started.created_at,
            over_at: None,
        };
        self.backup_record.note(&self.id, row, self.time()).await;
        Ok(started)
    }

    /// The backup that a start without an answer has begun, as far as the hub shows one that was not there `before`.
    async fn begun(
        &self,
        vm: &Vm,
        before: &BackupList,
        asked_at: Option<Timestamp>,
    ) -> Result<Option<Backup>> {
        let is_new = |backup: &Backup| {
            let mut known = before.backups.iter();
            !known.any(|known| known.backup_id == backup.backup_id)
        };
        let listed = self.backups(vm).await?.into_iter().find(is_new);
        let times = asked_at.zip(self.time());
        let (None, Some((from, to)), true) = (&listed, times, is_unlisted(&vm.vm_name)) else {
            return Ok(listed);
        };
        // No list will ever hold it. Deployed hubs name a backup by its VM and the second in which it began (contract
        // 3.6), and know it by that name.
        let seconds = from.as_second() - 1..=to.as_second().min(from.as_second() + LONGEST_START);
        for second in seconds {
            let id = BackupId::new(format!("backup-{}-{second}", vm.vm_name));
            match self.backup(&id).await {
                Ok(backup) if is_new(&backup) => return Ok(Some(backup)),
                Ok(_) => {}
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Remembers a backup that is watched, from one start of the app to the next.
    pub(crate) async fn remember(&self, backup: &Backup) {
        let row = RecordedBackup::of(backup);
        self.backup_record.note(&self.id, row, self.time()).await;
    }

    /// Remembers that a backup is over.
    pub(crate) async fn remember_end(&self, id: &BackupId) {
        let now = self.time();
        self.backup_record.end(&self.id, id, now).await;
    }

    /// Forgets a backup that this hub does not know any more; says the name of its VM, where it was known.
    pub(crate) async fn forget_backup(&self, id: &BackupId) -> Option<String> {
        let forgotten = self.backup_record.forget(&self.id, id).await?;
        Some(forgotten.vm_name)
    }

    /// The backups that were started here or seen running, and are not known to be over.
    pub(crate) async fn unfinished_backups(&self) -> Vec<BackupId> {
        self.backup_record.unfinished(&self.id).await
    }

    /// What incremental backups of a VM would build on, or why there can be none, in each repository with recovery
    /// points of it.
    ///
    /// Deployed hubs take what changed since the newest backup of a VM wherever that lies, and put it on top of the
    /// newest one in the repository (contract H41): there, only the repository of the newest one will do.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn incremental_bases(&self, vm: &Vm) -> Result<IncrementalBases> {
        let mut list = self.list_of(vm).await?;
        self.confirm_newest(&mut list).await;
        let mut repositories: Vec<_> = list
            .backups
            .iter()
            .map(|backup| backup.repository_id.as_ref())
            .collect();
        repositories.sort_unstable();
        repositories.dedup();
        let bases = repositories
            .into_iter()
            .map(|repository_id| self.base_of(vm, repository_id, &list));
        Ok(IncrementalBases {
            bases: bases.collect(),
            is_partial: is_partial(&list, vm),
        })
    }

    fn base_of(
        &self,
        vm: &Vm,
        repository_id: Option<&RepositoryId>,
        list: &BackupList,
    ) -> IncrementalBase {
        let none = IncrementalBase {
            repository_id: repository_id.cloned(),
            ..IncrementalBase::default()
        };
        let is_here = |backup: &&Backup| {
            // One whose repository the hub does not say may be anywhere.
            let repository = backup.repository_id.as_ref();
            repository.is_none() || repository == repository_id
        };
        let is_done = |backup: &&Backup| backup.status == BackupStatus::Completed;
        let mut done = list.backups.iter().filter(is_done);
        let Some(parent) = done.find(is_here) else {
            return none;
        };
        let newest = list.backups.iter().find(|backup| {
            matches!(
                backup.status,
                BackupStatus::Completed | BackupStatus::Unconfirmed
            )
        });
        let why_not = match newest.filter(|_| list.is_deployed) {
            _ if self.unchained().contains(&vm.context_id) => words::backups::incremental_lost(),
            Some(newest) if !is_here(&newest) => words::backups::incremental_elsewhere(),
            Some(newest) if newest.status == BackupStatus::Unconfirmed => {
                words::backups::incremental_unconfirmed()
            }
            _ => {
                return IncrementalBase {
                    parent: Some(parent.clone()),
                    ..none
                };
            }
        };
        IncrementalBase {
            why_not: Some(why_not.to_owned()),
            ..none
        }
    }

    /// Whether another backup beside this one would destroy both (contract H7). One that the hub already calls
    /// completed counts while its disks are still heard of; one that was never heard of does not count for ever, because
    /// a start that fails on a deployed hub leaves such a row behind (H8).
    fn may_run(&self, backup: &Backup) -> bool {
        let is_within = |moment: Option<Timestamp>, limit: SignedDuration| {
            let age = moment.zip(self.time());
            age.is_none_or(|(moment, now)| now.duration_since(moment) < limit)
        };
        match backup.status {
            // What is not known may be running (D18).
            BackupStatus::Active | BackupStatus::Unknown => {
                backup.last_telemetry_at.is_some() || is_within(backup.created_at, NEVER_BEGAN)
            }
            BackupStatus::Unconfirmed => is_within(backup.last_telemetry_at, STILL_COPYING),
            BackupStatus::Completed | BackupStatus::Failed | BackupStatus::Cancelled => false,
        }
    }

    /// Deployed hubs start a backup of whichever VM of that name they find first (contract H32), and end the connection
    /// where they find none, as if they were too slow (H2).
    async fn refuse_unclear_name(&self, vm: &Vm) -> Result<()> {
        let vms = self.vms().await?;
        let same = |other: &&Vm| other.vm_name.to_lowercase() == vm.vm_name.to_lowercase();
        match vms.iter().filter(same).count() {
            0 => Err(AppError::new(
                ErrorKind::NotFound,
                words::failures::vm_not_found(),
                Retry::Never,
            )
            .with_hint(words::failures::discover_first())),
            1 => Ok(()),
            _ => Err(AppError::new(
                ErrorKind::Conflict,
                words::failures::several_vms(&vm.vm_name),
                Retry::Never,
            )
            .with_hint(words::failures::shared_name_hint())),
        }
    }

    /// The backups of a VM, newest first.
    pub async fn backups(&self, vm: &Vm) -> Result<Vec<Backup>> {
        Ok(self.list_of(vm).await?.backups)
    }

    /// The backups of a VM; of the newest one that the hub calls completed, whether it confirms that.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn history(&self, vm: &Vm) -> Result<VmHistory> {
        let mut list = self.list_of(vm).await?;
        self.confirm_newest(&mut list).await;
        Ok(VmHistory {
            is_partial: is_partial(&list, vm),
            backups: list.backups,
        })
    }

    /// Whether the hub lists what is backed up of a VM, as all but deployed ones do (contract H5).
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn lists_backups_of(&self, vm: &Vm) -> Result<bool> {
        Ok(!is_unlisted(&vm.vm_name) || !is_partial(&self.list_of(vm).await?, vm))
    }

    async fn list_of(&self, vm: &Vm) -> Result<BackupList> {
        let mut url = self.v1(&["backups"])?;
        // Deployed hubs go by the id, documented ones by the name (contract 8.4).
        url.query_pairs_mut()
            .append_pair("vm_context_id", vm.context_id.as_str())
            .append_pair("vm_name", &vm.vm_name);
        let mut list = wire::backups(&self.get(url).await?)?;
        list.backups.retain(|backup| match &backup.vm_context_id {
            Some(id) => *id == vm.context_id,
            None => backup.vm_name.to_lowercase() == vm.vm_name.to_lowercase(),
        });
        if list.is_deployed {
            match list.backups.is_empty() && is_unlisted(&vm.vm_name) {
                true => list.backups = self.unlisted(vm).await?,
                false => self.in_true_time(&mut list.backups).await,
            }
        }
        Ok(list)
    }

    /// The backups of these VMs, a few at a time, with the moment at which they were asked for. A hub that fails for one
    /// VM may list those of the others (contract H2, D7): that one has none then.
    ///
    /// # Errors
    /// What concerns the hub as a whole.
    pub(crate) async fn backups_of_each(&self, vms: Vec<Vm>) -> Result<Vec<History>> {
        let asked = stream::iter(vms).map(|vm| async move {
            let began = Instant::now();
            let error = match self.backups(&vm).await {
                Ok(backups) => return Ok((vm.context_id, Some((began, backups)))),
                Err(error) => error,
            };
            match error.kind {
                ErrorKind::Unauthorized | ErrorKind::Untrusted => return Err(error),
                // It may have hung up because of this one VM.
                ErrorKind::Offline if self.health().await.is_err() => return Err(error),
                _ => {}
            }
            tracing::warn!(vm = %vm.context_id, %error, "the backups of a VM cannot be listed");
            Ok((vm.context_id, None))
        });
        asked.buffer_unordered(VMS_AT_ONCE).try_collect().await
    }

    /// The backups of a VM that a deployed hub never lists, because it takes them for those of disks (contract H5), as
    /// far as they are known: those started here, and the newest one that is done. Newest first.
    async fn unlisted(&self, vm: &Vm) -> Result<Vec<Backup>> {
        let mut ids = self.backup_record.of_vm(&self.id, &vm.context_id).await;
        match self.newest_done(&vm.vm_name, 0).await {
            Ok(newest) => ids.extend(newest.filter(|newest| !ids.contains(newest))),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(error),
        }
        let asked = stream::iter(ids).map(|id| async move {
            match self.backup(&id).await {
                // Whoever watches it will say so.
                Err(error) if is_missing(&error) => Ok(None),
                answer => answer.map(Some),
            }
        });
        let asked = asked.buffer_unordered(VMS_AT_ONCE);
        let found: Vec<Option<Backup>> = asked.try_collect().await?;
        let mut backups: Vec<Backup> = found.into_iter().flatten().collect();
        Backup::newest_first(&mut backups);
        Ok(backups)
    }

    /// The backups of all VMs, newest first; `None` on hubs that list them only VM by VM (contract D27).
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn all_backups(&self) -> Result<Option<Vec<Backup>>> {
        let mut list = wire::backups(&self.get(self.v1(&["backups"])?).await?)?;
        if list.is_deployed && list.backups.is_empty() {
            return Ok(None);
        }
        if list.is_deployed {
            self.in_true_time(&mut list.backups).await;
        }
        Ok(Some(list.backups))
    }

    /// One backup, as it is now.
    ///
    /// # Errors
    /// `NotFound` when the hub does not have it.
    pub async fn backup(&self, id: &BackupId) -> Result<Backup> {
        Ok(self.read(id).await?.0)
    }

    /// One backup as it is now, and whether its hub confirms that it is completed, where it can tell.
    ///
    /// # Errors
    /// As [`backup`](Self::backup).
    pub async fn confirmed_backup(&self, id: &BackupId) -> Result<Backup> {
        let (mut backup, is_deployed) = self.read(id).await?;
        if is_deployed && backup.status == BackupStatus::Completed && self.is_newest(&backup).await
        {
            self.confirm(&mut backup).await;
        }
        Ok(backup)
    }

    /// One backup, and whether a deployed hub says it.
    async fn read(&self, id: &BackupId) -> Result<(Backup, bool)> {
        let answer = self.get(self.v1(&["backups", id.as_str()])?).await?;
        let (mut backup, is_deployed) = wire::backup(&answer)?;
        if is_deployed {
            self.in_true_time(std::slice::from_mut(&mut backup)).await;
        }
        Ok((backup, is_deployed))
    }

    /// Whether no later backup of the VM is completed, as far as the hub says.
    async fn is_newest(&self, backup: &Backup) -> bool {
        let Some(vm_id) = &backup.vm_context_id else {
            return false;
        };
        let list = async {
            let mut url = self.v1(&["backups"])?;
            url.query_pairs_mut()
                .append_pair("vm_context_id", vm_id.as_str());
            wire::backups(&self.get(url).await?)
        };
        let Ok(list) = list.await else {
            return false;
        };
        let mut done = list.backups.iter();
        let newest = done.find(|backup| backup.status == BackupStatus::Completed);
        newest.is_some_and(|newest| newest.backup_id == backup.backup_id)
    }

    /// Corrects the wall times of a deployed hub (contract H4). Without its offset they are unknown, and no time is
    /// better than a false one.
    async fn in_true_time(&self, backups: &mut [Backup]) {
        if !backups.is_empty() && !self.zone().is_known() {
            // Of the answers that carry the true offset, each hub has this one. Failing, it teaches nothing.
            drop(self.vms().await);
        }
        let zone = self.zone();
        for backup in backups {
            for time in [
                &mut backup.created_at,
                &mut backup.started_at,
                &mut backup.completed_at,
                &mut backup.last_telemetry_at,
            ] {
                *time = time.and_then(|wall| zone.moment(wall));
            }
        }
    }

    /// Asks a deployed hub to confirm the newest completed backup. Of older ones it cannot tell.
    async fn confirm_newest(&self, list: &mut BackupList) {
        let is_done = |backup: &&mut Backup| backup.status == BackupStatus::Completed;
        let newest = list.backups.iter_mut().find(is_done);
        if let Some(newest) = newest.filter(|_| list.is_deployed) {
            self.confirm(newest).await;
        }
    }

    /// Takes back that a backup is completed, where the hub does not confirm all its disks.
    async fn confirm(&self, backup: &mut Backup) {
        if self.proof_of(backup).await == Proof::NotYet {
            backup.status = BackupStatus::Unconfirmed;
        }
    }

    /// What the hub says about the disks of a backup that it calls completed, and lists none of.
    pub(crate) async fn proof_of(&self, backup: &Backup) -> Proof {
        for disk_index in 0..backup.disk_count.unwrap_or(1) {
            match self.is_disk_confirmed(backup, disk_index).await {
                Ok(true) => {}
                Ok(false) => return Proof::NotYet,
                Err(error) if is_missing(&error) => return Proof::NotOffered,
                Err(error) => {
                    tracing::debug!(%error, "could not ask whether a disk is done");
                    return Proof::Unknown;
                }
            }
        }
        Proof::Confirmed
    }

    pub(super) fn hear_zone<'t>(&self, times: impl Iterator<Item = &'t str>) {
        let mut zone = self.zone();
        times.for_each(|time| zone.hear(time));
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        // Nothing panics under this lock.
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unchained(&self) -> MutexGuard<'_, BTreeSet<VmId>> {
        // As above.
        self.unchained
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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

    /// The recovery points of a VM in a repository, oldest first, as far as the hub tells (contract D30).
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn chain(&self, vm: &Vm, repository_id: &RepositoryId) -> Result<Chain> {
        let mut url = self.v1(&["backups", "chain"])?;
        url.query_pairs_mut()
            .append_pair("vm_context_id", vm.context_id.as_str())
            .append_pair("vm_name", &vm.vm_name)
            .append_pair("repository_id", repository_id.as_str());
        match self.get(url).await {
            // The chain of a deployed hub has one element, of whatever repository (contract D34): its list says more.
            Err(error) if is_missing(&error) => {
                let history = self.history(vm).await?;
                Ok(chain_of(vm, repository_id, history.backups))
            }
            answer => wire::chain(&answer?, &vm.vm_name),
        }
    }

    /// Whether the hub confirms that this disk of this backup is finished, where it can tell.
    ///
    /// On deployed hubs a completed backup may still be writing (contract H10); the change id names
    /// the newest backup whose disk really is done.
    ///
    /// # Errors
    /// `Unsupported` or `NotFound` on hubs without change ids.
    async fn is_disk_confirmed(&self, backup: &Backup, disk_index: u32) -> Result<bool> {
        let newest = self.newest_done(&backup.vm_name, disk_index).await?;
        Ok(newest.as_ref() == Some(&backup.backup_id))
    }

    /// The newest backup of a VM whose disk is done, in whatever repository.
    async fn newest_done(&self, vm_name: &str, disk_index: u32) -> Result<Option<BackupId>> {
        let mut url = self.v1(&["backups", "changeid"])?;
        url.query_pairs_mut()
            .append_pair("vm_name", vm_name)
            .append_pair("disk_id", &disk_index.to_string());
        let answer = self.get(url).await?;
        let fields = wire::Fields::of(&answer)?;
        Ok(fields.text(&["backup_job_id"]).map(BackupId::new))
    }
}

/// What a hub says about the disks of a backup that it calls completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Every disk is done.
    Confirmed,
    /// At least one is not.
    NotYet,
    /// It did not answer the question.
    Unknown,
    /// This hub cannot tell.
    NotOffered,
}

/// Why a backup failed, in words; `None` for one that did not.
pub(crate) fn failure_of(backup: &Backup) -> Option<AppError> {
    match backup.status {
        BackupStatus::Active | BackupStatus::Completed | BackupStatus::Unknown => None,
        BackupStatus::Unconfirmed => Some(
            AppError::new(
                ErrorKind::OutcomeUnknown,
                words::failures::backup_unconfirmed(&backup.vm_name),
                Retry::Manual,
            )
            .with_hint(words::failures::backup_unconfirmed_hint()),
        ),
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
            .with_hint(match backup.is_pinned {
                Some(_) => words::failures::earlier_unchanged(),
                // Deployed hubs leave what was written of it (contract 3.6).
                None => words::failures::earlier_unchanged_there(),
            });
            if let Some(hint) = known.and_then(|known| known.hint) {
                failure = failure.with_hint(hint);
            }
            Some(failure)
        }
    }
}

/// The recovery points of one repository, from a list with the newest first.
fn chain_of(vm: &Vm, repository_id: &RepositoryId, backups: Vec<Backup>) -> Chain {
    let is_in = |backup: &Backup| {
        backup.status == BackupStatus::Completed
            && backup.repository_id.as_ref() == Some(repository_id)
    };
    let points = backups.into_iter().rev().filter(is_in);
    let links = (1..).zip(points).map(|(number, backup)| ChainLink {
        backup_id: backup.backup_id,
        backup_type: backup.backup_type,
        sequence_number: Some(number),
        created_at: backup.created_at,
        size_gb: backup.total_size_gb,
        parent_backup_id: backup.parent_backup_id,
        is_restorable: None,
        problem: None,
    });
    Chain {
        vm_name: vm.vm_name.clone(),
        repository_id: Some(repository_id.clone()),
        chain: links.collect(),
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

/// Whether a hub lists no backups of a VM, so that only those are known that it was seen to have (contract H5).
fn is_partial(list: &BackupList, vm: &Vm) -> bool {
    list.is_deployed && is_unlisted(&vm.vm_name)
}
