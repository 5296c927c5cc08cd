//! Running backups, watched until they end, whatever page the window shows and whatever hub is the current one.

mod asked_for;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sendense_types::{
    AppEvent, Backup, BackupId, BackupProgress, BackupStatus, BackupType, HubId, RecentBackups,
    RepositoryId, StartedBackup, Verification, VerificationStatus, Vm, VmId, VmProtection, VmState,
    VmSummary,
};
use tokio_util::task::AbortOnDropHandle;

use self::asked_for::{AskedFor, Work};
use crate::session::Generation;
use crate::{HubClient, HubSession, Result, watch_backup};

/// For so long what a hub said of a VM's backups counts, unless something happens to them: another program may have
/// started one.
const FRESH_FOR: Duration = Duration::from_secs(60);

/// The backups that are watched. Cheap to clone.
#[derive(Clone)]
pub struct Backups {
    inner: Arc<Inner>,
}

struct Inner {
    session: HubSession,
    watched: Mutex<BTreeMap<(HubId, BackupId), Watch>>,
    asked_for: AskedFor,
    histories: Mutex<Histories>,
}

/// What is known of the backups of VMs, on hubs that list them only VM by VM.
#[derive(Default)]
struct Histories {
    /// The hub that said it.
    generation: Option<Generation>,
    by_vm: HashMap<VmId, (Instant, Vec<Backup>)>,
}

/// What a hub knows of all its VMs.
struct All {
    vms: Vec<Vm>,
    /// Newest first.
    backups: Vec<Backup>,
    /// VMs whose backups it could not list.
    unread: HashSet<VmId>,
}

impl Histories {
    fn keep_only(&mut self, generation: Generation) {
        if self.generation != Some(generation) {
            *self = Self {
                generation: Some(generation),
                ..Self::default()
            };
        }
    }

    fn is_fresh(&self, vm: &VmId) -> bool {
        let known = self.by_vm.get(vm);
        known.is_some_and(|(asked_at, backups)| {
            // One that runs is about to change.
            asked_at.elapsed() < FRESH_FOR && !backups.iter().any(is_running)
        })
    }

    /// Something happened to a backup of this VM, or of one that is not known.
    fn forget(&mut self, vm: Option<&VmId>) {
        match vm {
            Some(vm) => drop(self.by_vm.remove(vm)),
            None => self.by_vm.clear(),
        }
    }
}

/// One watched backup; the watching ends with its owner.
struct Watch {
    /// How its hub was connected to: whoever connects again watches anew, with what is kept for the hub by now.
    generation: Generation,
    progress: Option<BackupProgress>,
    task: AbortOnDropHandle<()>,
}

impl Backups {
    /// Watches nothing yet.
    pub fn new(session: HubSession) -> Self {
        Self {
            inner: Arc::new(Inner {
                session,
                watched: Mutex::default(),
                asked_for: AskedFor::default(),
                histories: Mutex::default(),
            }),
        }
    }

    /// Starts a backup of all disks of a VM and watches it.
    ///
    /// # Errors
    /// When the hub refuses; `NeedsFull` when an incremental one has nothing to build on.
    pub async fn start(
        &self,
        vm: &Vm,
        backup_type: BackupType,
        repository_id: &RepositoryId,
        verify: bool,
    ) -> Result<StartedBackup> {
        let (hub, started) = self
            .ask_here(async |hub| {
                hub.start_backup(vm, repository_id, backup_type, verify)
                    .await
            })
            .await?;
        self.histories().forget(Some(&vm.context_id));
        self.watch(&hub, started.backup_id.clone());
        Ok(started)
    }

    /// Watches a backup of this hub until it is over, publishing what happens. One that is watched stays so.
    pub fn watch(&self, hub: &HubId, id: BackupId) {
        let Ok((client, generation)) = self.inner.session.reach(Some(hub)) else {
            // Whoever connects again asks for the state again, and that leads here.
            return;
        };
        let mut watched = self.watched();
        watched.retain(|(at, _), watch| at != hub || watch.generation == generation);
        let key = (hub.clone(), id);
        if watched.contains_key(&key) {
            return;
        }
        let inner = Arc::downgrade(&self.inner);
        let (hub, backup_id) = key.clone();
        let task = tokio::spawn(async move {
            let outcome = watch_backup(&client, &backup_id, &mut |event| {
                let Some(inner) = inner.upgrade() else {
                    return;
                };
                let backups = Self { inner };
                match &event {
                    AppEvent::BackupProgressed(progress) => {
                        backups.keep(&hub, &backup_id, progress);
                    }
                    AppEvent::BackupFinished { backup } => {
                        backups.end(&hub, &backup_id);
                        backups.histories().forget(backup.vm_context_id.as_ref());
                    }
                    _ => {}
                }
                backups.inner.session.tell(&hub, event);
            })
            .await;
            if let Err(error) = outcome {
                tracing::info!(%backup_id, %error, "a watched backup did not end well");
            }
            // Given up without having seen the end: nobody should think that it still runs.
            if let Some(inner) = inner.upgrade() {
                Self { inner }.end(&hub, &backup_id);
            }
        });
        watched.insert(
            key,
            Watch {
                generation,
                progress: None,
                task: AbortOnDropHandle::new(task),
            },
        );
    }

    /// Watches again what ran on the current hub when the app was closed, or when the hub went away. How a backup ended
    /// meanwhile is news as well.
    pub async fn resume(&self) {
        let hub = self.inner.session.state().current;
        let Ok((client, generation)) = self.inner.session.reach(Some(&hub)) else {
            return;
        };
        for id in client.unfinished_backups().await {
            let again = self.inner.session.reach(Some(&hub));
            if again.is_ok_and(|(_, now)| now == generation) {
                self.watch(&hub, id);
            }
        }
    }

    /// The backups that run on the current hub, as far as the core has seen them, as last seen.
    pub fn running(&self) -> Vec<BackupProgress> {
        self.running_at(&self.inner.session.state().current)
    }

    /// The same of this hub.
    pub fn running_at(&self, hub: &HubId) -> Vec<BackupProgress> {
        let connection = self.inner.session.reach(Some(hub));
        let generation = connection.map(|(_, generation)| generation).ok();
        self.watched()
            .iter()
            .filter(|((at, _), watch)| at == hub && Some(watch.generation) == generation)
            .filter_map(|(_, watch)| watch.progress.clone())
            .collect()
    }

    /// Stops a backup; the watch tells when it has happened.
    ///
    /// # Errors
    /// `Conflict` when it is over, `Unsupported` on hubs that cannot.
    pub async fn cancel(&self, id: &BackupId) -> Result<()> {
        self.inner
            .session
            .ask(async |hub| hub.cancel_backup(id).await)
            .await
    }

    /// What the list of VMs says about one of them; a running backup that is found is watched.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn summary(&self, vm: &Vm) -> Result<VmSummary> {
        let (hub, (disks, backups)) = self
            .ask_here(async |hub| {
                let (disks, backups) = tokio::join!(hub.vm_disks(vm), hub.history(vm));
                // Hubs may not know the disks of a VM that is gone; its backups still count.
                Ok((disks.unwrap_or_default(), backups?.backups))
            })
            .await?;
        for backup in backups.iter().filter(|backup| is_running(backup)) {
            self.watch(&hub, backup.backup_id.clone());
        }
        Ok(VmSummary {
            disks,
            state: state_of(&backups),
            latest_good: newest(&backups, is_good),
            latest: newest(&backups, |_| true),
        })
    }

    /// How well all VMs are protected. Running backups are watched.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn protection(&self) -> Result<Vec<VmProtection>> {
        let hub = self.inner.session.state().current;
        let all = self.all().await?;
        if self.inner.session.state().current == hub {
            for backup in all.backups.iter().filter(|backup| is_running(backup)) {
                self.watch(&hub, backup.backup_id.clone());
            }
        }
        Ok(protection_of(all))
    }

    /// So many of the newest backups of all VMs.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn recent(&self, count: usize) -> Result<RecentBackups> {
        let All {
            vms,
            mut backups,
            unread,
        } = self.all().await?;
        backups.truncate(count);
        let names = vms.into_iter().filter(|vm| unread.contains(&vm.context_id));
        Ok(RecentBackups {
            backups,
            unread: names.map(|vm| vm.vm_name).collect(),
        })
    }

    /// All VMs and all backups. A hub that lists backups only VM by VM (contract D27) is asked for a few VMs at a time,
    /// and for each only when what is known of it is old, or something has happened since.
    async fn all(&self) -> Result<All> {
        loop {
            let session = &self.inner.session;
            let listed = session.ask_which(None, async |hub| {
                let (vms, backups) = tokio::join!(hub.vms(), hub.all_backups());
                Ok((vms?, backups?))
            });
            let (generation, (vms, listed)) = listed.await?;
            if let Some(backups) = listed {
                return Ok(All {
                    vms,
                    backups,
                    unread: HashSet::new(),
                });
            }
            let missing: Vec<Vm> = {
                let mut histories = self.histories();
                histories.keep_only(generation);
                let is_missing = |vm: &&Vm| !histories.is_fresh(&vm.context_id);
                vms.iter().filter(is_missing).cloned().collect()
            };
            let asked = session.ask_which(None, async |hub| hub.backups_of_each(missing).await);
            let (answered, asked) = asked.await?;
            if answered != generation {
                // Another hub was chosen in between; its backups are not those of these VMs.
                continue;
            }
            let mut histories = self.histories();
            histories.keep_only(generation);
            let mut unread = HashSet::new();
            for (vm, known) in asked {
                match known {
                    Some(known) => drop(histories.by_vm.insert(vm, known)),
                    None => {
                        histories.forget(Some(&vm));
                        unread.insert(vm);
                    }
                }
            }
            let known = vms
                .iter()
                .filter_map(|vm| histories.by_vm.get(&vm.context_id));
            let mut backups: Vec<Backup> =
                known.flat_map(|(_, backups)| backups).cloned().collect();
            Backup::newest_first(&mut backups);
            return Ok(All {
                vms,
                backups,
                unread,
            });
        }
    }

    /// Checks that a backup still holds what was backed up, and publishes how far that is and what is found.
    ///
    /// # Errors
    /// `Unsupported` on hubs that cannot, `Conflict` when the backup is not complete; published as well.
    pub async fn verify(&self, id: &BackupId) -> Result<()> {
        let session = &self.inner.session;
        let hub = session.state().current;
        let _counted = self.inner.asked_for.count(&hub, Work::Verifying);
        let publish = |verification: Verification| {
            let verification = Box::new(verification);
            session.tell(&hub, AppEvent::BackupVerified { verification });
        };
        let outcome = session
            .ask_at(&hub, async |hub| {
                hub.verify_backup(id, &mut |state| publish(state.clone()))
                    .await
            })
            .await;
        match outcome {
            Ok(found) => {
                publish(found);
                Ok(())
            }
            Err(error) => {
                let event = AppEvent::VerificationFailed {
                    backup_id: id.clone(),
                    error: error.clone(),
                };
                session.tell(&hub, event);
                Err(error)
            }
        }
    }

    /// How many verifications and how many copies were asked for here on this hub and go on.
    pub fn verifying_and_copying(&self, hub: &HubId) -> (usize, usize) {
        let asked_for = &self.inner.asked_for;
        (
            asked_for.of(hub, Work::Verifying),
            asked_for.of(hub, Work::Copying),
        )
    }

    /// Copies a recovery point with all it builds on to another repository, and publishes how far that is.
    ///
    /// # Errors
    /// As [`HubClient::copy_backup`](crate::HubClient::copy_backup); published as well.
    pub async fn copy(&self, id: &BackupId, to: &RepositoryId) -> Result<()> {
        let session = &self.inner.session;
        let hub = session.state().current;
        let _counted = self.inner.asked_for.count(&hub, Work::Copying);
        let outcome = session
            .ask_at(&hub, async |client| {
                client
                    .copy_backup(id, to, &mut |copy| {
                        let copy = Box::new(copy.clone());
                        session.tell(&hub, AppEvent::BackupCopied { copy });
                    })
                    .await
            })
            .await;
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => {
                let event = AppEvent::CopyFailed {
                    backup_id: id.clone(),
                    error: error.clone(),
                };
                session.tell(&hub, event);
                Err(error)
            }
        }
    }

    /// Ends the copy of a recovery point to a repository; the one who asked for it hears of it.
    ///
    /// # Errors
    /// `Conflict` when it is over.
    pub async fn cancel_copy(&self, id: &BackupId, to: &RepositoryId) -> Result<()> {
        self.inner
            .session
            .ask(async |hub| hub.cancel_copy(id, to).await)
            .await
    }

    /// Asks the current hub, and says which one that was.
    async fn ask_here<T>(
        &self,
        question: impl AsyncFnOnce(HubClient) -> Result<T>,
    ) -> Result<(HubId, T)> {
        let hub = self.inner.session.state().current;
        let answer = self.inner.session.ask_at(&hub, question).await?;
        Ok((hub, answer))
    }

    fn keep(&self, hub: &HubId, id: &BackupId, progress: &BackupProgress) {
        if let Some(watch) = self.watched().get_mut(&(hub.clone(), id.clone())) {
            watch.progress = Some(progress.clone());
        }
    }

    /// Takes a backup off the list without ending the task that says so.
    fn end(&self, hub: &HubId, id: &BackupId) {
        let ended = self.watched().remove(&(hub.clone(), id.clone()));
        // The task ends by itself; aborting it here would cut off its last words.
        drop(ended.map(|watch| watch.task.detach()));
    }

    fn histories(&self) -> MutexGuard<'_, Histories> {
        // As below.
        self.inner
            .histories
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> MutexGuard<'_, BTreeMap<(HubId, BackupId), Watch>> {
        // Nothing panics under this lock.
        self.inner
            .watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_running(backup: &Backup) -> bool {
    backup.status == BackupStatus::Active
}

/// It is finished, and nothing is known that speaks against restoring it.
fn is_good(backup: &Backup) -> bool {
    backup.status == BackupStatus::Completed
        && backup.verification != Some(VerificationStatus::Damaged)
}

/// How well a VM is protected, from its backups in any order. One that was cancelled says nothing.
fn state_of(backups: &[Backup]) -> VmState {
    if backups.iter().any(is_running) {
        return VmState::Running;
    }
    let last = newest(backups, |backup| {
        matches!(
            backup.status,
            BackupStatus::Completed | BackupStatus::Unconfirmed | BackupStatus::Failed
        )
    });
    match last {
        Some(backup) if backup.status == BackupStatus::Failed => VmState::LastBackupFailed,
        Some(backup) if backup.status == BackupStatus::Unconfirmed => {
            VmState::LastBackupUnconfirmed
        }
        Some(backup) if !is_good(&backup) => VmState::LastBackupDamaged,
        Some(_) => VmState::Protected,
        None => VmState::NeverBackedUp,
    }
}

/// The backups of all VMs, told apart by id where the hub gives it, else by name as hubs compare them.
fn protection_of(all: All) -> Vec<VmProtection> {
    let All {
        vms,
        backups,
        unread,
    } = all;
    let by_name: BTreeMap<String, &VmId> = vms
        .iter()
        .map(|vm| (vm.vm_name.to_lowercase(), &vm.context_id))
        .collect();
    let mut by_vm: BTreeMap<VmId, Vec<Backup>> = BTreeMap::new();
    for backup in backups {
        let id = match &backup.vm_context_id {
            Some(id) => Some(id),
            None => by_name.get(&backup.vm_name.to_lowercase()).copied(),
        };
        if let Some(id) = id.cloned() {
            by_vm.entry(id).or_default().push(backup);
        }
    }
    vms.iter()
        .map(|vm| {
            let backups = by_vm.get(&vm.context_id).map_or(&[][..], Vec::as_slice);
            let good = newest(backups, is_good);
            VmProtection {
                vm_id: vm.context_id.clone(),
                state: match unread.contains(&vm.context_id) {
                    true => VmState::Unknown,
                    false => state_of(backups),
                },
                latest_good: good.and_then(|backup| backup.created_at),
            }
        })
        .collect()
}

fn newest(backups: &[Backup], wanted: impl Fn(&Backup) -> bool) -> Option<Backup> {
    backups
        .iter()
        .filter(|backup| wanted(backup))
        .max_by_key(|backup| backup.created_at)
        .cloned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use sendense_types::commands::Credentials;
    use sendense_types::{ErrorKind, HubId, SessionState, Trust};
    use tokio::sync::broadcast::Receiver;

    use super::*;
    use crate::testing::{FakeHub, json};
    use crate::{BackupRecord, Events, MemorySecrets};

    fn backup(day: u32, status: &str) -> Backup {
        serde_json::from_value(serde_json::json!({
            "backup_id": format!("b{day}"),
            "vm_context_id": "vm", "vm_name": "pgtest1", "repository_id": "local",
            "backup_type": "full", "status": status, "hub_status": status, "disks": [],
            "disk_count": 1, "progress_percent": null, "bytes_transferred": null,
            "total_bytes": null, "total_size_gb": null, "current_phase": null,
            "transfer_speed_bps": null, "error_message": null,
            "created_at": format!("2026-11-{day:02}T00:00:00Z"),
            "started_at": null, "completed_at": null,
        }))
        .unwrap()
    }

    #[test]
    fn a_vm_is_as_well_protected_as_its_newest_backup_says() {
        let never: &[Backup] = &[];
        assert_eq!(state_of(never), VmState::NeverBackedUp);
        assert_eq!(state_of(&[backup(1, "cancelled")]), VmState::NeverBackedUp);
        let failed_after_good = [backup(2, "failed"), backup(1, "completed")];
        assert_eq!(state_of(&failed_after_good), VmState::LastBackupFailed);
        let good_after_failed = [backup(1, "failed"), backup(2, "completed")];
        assert_eq!(state_of(&good_after_failed), VmState::Protected);
        let cancelled_after_good = [backup(3, "cancelled"), backup(2, "completed")];
        assert_eq!(state_of(&cancelled_after_good), VmState::Protected);
        let mut damaged = backup(2, "completed");
        damaged.verification = Some(VerificationStatus::Damaged);
        let damaged_after_good = [damaged, backup(1, "completed")];
        assert_eq!(state_of(&damaged_after_good), VmState::LastBackupDamaged);
        let good = newest(&damaged_after_good, is_good).unwrap();
        assert_eq!(good.backup_id.as_str(), "b1");
        let running = [backup(3, "active"), backup(2, "failed")];
        assert_eq!(state_of(&running), VmState::Running);
    }

    /// A hub that answers questions for a backup like this, and everything else with nothing.
    async fn hub_with(backup: &'static str, status: u16) -> FakeHub {
        FakeHub::start(move |line| match line.contains("/backups/") {
            true => json(status, "", backup),
            false => json(200, "", r#"{"vm_contexts":[],"backups":[]}"#),
        })
        .await
    }

    /// The app, started on this folder, with this hub as the current one.
    async fn start_app(folder: &Path, hub: &FakeHub) -> (Backups, Receiver<AppEvent>) {
        let events = Events::new();
        let secrets = Arc::new(MemorySecrets::default());
        let here = HubId::this_computer();
        let session = HubSession::new(Vec::new(), here, secrets, events.clone())
            .remembering(BackupRecord::in_folder(Some(folder)));
        let none = Credentials::None;
        let added = session.add("", &hub.address, Trust::System, &none).await;
        assert_eq!(added.unwrap().state, SessionState::Connected);
        let news = events.subscribe();
        (Backups::new(session), news)
    }

    async fn next_news(news: &mut Receiver<AppEvent>) -> AppEvent {
        loop {
            match news.recv().await.unwrap() {
                AppEvent::SessionChanged { .. } => {}
                event => return event,
            }
        }
    }

    const RUNNING: &str = r#"{"backup_id":"b1","vm_context_id":"vm","vm_name":"web","backup_type":"full",
        "status":"in_progress","bytes_transferred":5}"#;
    const FAILED: &str = r#"{"backup_id":"b1","vm_context_id":"vm","vm_name":"web","backup_type":"full",
        "status":"failed","error_message":"disk full"}"#;

    #[tokio::test]
    async fn what_ran_when_the_app_was_closed_is_watched_again_and_its_end_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let running = hub_with(RUNNING, 200).await;
        let (backups, mut news) = start_app(folder.path(), &running).await;
        let hub = backups.inner.session.state().current;
        backups.watch(&hub, BackupId::from("b1"));
        assert!(matches!(
            next_news(&mut news).await,
            AppEvent::BackupProgressed(_)
        ));
        drop((backups, news));

        // The same hub, some time later.
        let over = hub_with(FAILED, 200).await;
        let moved = std::fs::read_to_string(folder.path().join("backups.json")).unwrap();
        assert!(moved.contains(&hub.0), "{moved}");
        let moved = moved.replace(&running.address, &over.address);
        std::fs::write(folder.path().join("backups.json"), moved).unwrap();
        let (backups, mut news) = start_app(folder.path(), &over).await;
        backups.resume().await;
        let AppEvent::BackupFinished { backup } = next_news(&mut news).await else {
            panic!("its end is news");
        };
        assert_eq!(backup.status, BackupStatus::Failed);
        drop((backups, news));

        let (backups, _news) = start_app(folder.path(), &over).await;
        let asked = over.asked().len();
        backups.resume().await;
        crate::testing::settle().await;
        assert_eq!(over.asked().len(), asked, "it is known to be over");
    }

    #[tokio::test]
    async fn a_backup_is_watched_to_its_end_whatever_hub_is_the_current_one() {
        let folder = tempfile::tempdir().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let first = FakeHub::start(move |line| match line.contains("/backups/") {
            true if over.load(Ordering::Relaxed) => json(200, "", FAILED),
            true => json(200, "", RUNNING),
            false => json(200, "", r#"{"vm_contexts":[],"backups":[]}"#),
        })
        .await;
        let (backups, mut news) = start_app(folder.path(), &first).await;
        let session = &backups.inner.session;
        let at_first = session.state().current;
        backups.watch(&at_first, BackupId::from("b1"));
        let AppEvent::BackupProgressed(_) = next_news(&mut news).await else {
            panic!("it runs");
        };
        assert_eq!(backups.running().len(), 1);

        // Another hub has a backup of the same name.
        let other = hub_with(RUNNING, 200).await;
        let none = Credentials::None;
        let added = session.add("other", &other.address, Trust::System, &none);
        let at_other = added.await.unwrap().current;
        assert_eq!(backups.running(), []);
        assert_eq!(backups.running_at(&at_first).len(), 1);
        backups.watch(&at_other, BackupId::from("b1"));
        is_over.store(true, Ordering::Relaxed);
        let mut seen_here = false;
        let told = loop {
            match next_news(&mut news).await {
                AppEvent::BackupProgressed(_) => seen_here = true,
                AppEvent::Elsewhere { hub_name, event } => match *event {
                    AppEvent::BackupProgressed(_) => {}
                    event => break (hub_name, event),
                },
                event => panic!("{event:?} is no news of the current hub"),
            }
        };
        let (hub_name, AppEvent::BackupFinished { backup }) = told else {
            panic!("{told:?}");
        };
        assert_eq!(first.address, format!("http://{hub_name}"));
        assert_eq!(backup.status, BackupStatus::Failed);
        assert!(seen_here);
        assert_eq!(backups.running().len(), 1, "the other one runs");
        assert_eq!(backups.running_at(&at_first), []);
    }

    #[tokio::test]
    async fn a_backup_that_its_hub_has_forgotten_is_said_to_be_lost_and_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let hub = hub_with(r#"{"error":"backup not found"}"#, 404).await;
        let (backups, mut news) = start_app(folder.path(), &hub).await;
        let (client, _) = backups.inner.session.current().unwrap();
        client.remember(&backup(1, "active")).await;
        backups.resume().await;
        let AppEvent::BackupLost { vm_name, error, .. } = next_news(&mut news).await else {
            panic!("that it is gone is news");
        };
        assert_eq!(vm_name.as_deref(), Some("pgtest1"));
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(client.unfinished_backups().await, []);
    }

    #[test]
    fn all_vms_are_judged_by_their_own_backups_by_id_or_name() {
        let vm = |id: &str, name: &str| -> Vm {
            serde_json::from_value(serde_json::json!({
                "context_id": id, "vm_name": name, "vm_path": "", "vcenter_host": "", "datacenter": "",
                "current_status": "ready", "cpu_count": null, "memory_mb": null, "os_type": null,
                "power_state": null, "created_at": null,
            }))
            .unwrap()
        };
        let vms = vec![vm("vm", "pgtest1"), vm("other", "Web"), vm("third", "new")];
        let mut named = backup(2, "failed");
        (named.vm_context_id, named.vm_name) = (None, "web".to_owned());
        let found = protection_of(All {
            vms,
            backups: vec![backup(1, "completed"), named],
            unread: HashSet::new(),
        });
        let states: Vec<_> = found
            .iter()
            .map(|vm| (vm.vm_id.as_str(), vm.state))
            .collect();
        assert_eq!(
            states,
            [
                ("vm", VmState::Protected),
                ("other", VmState::LastBackupFailed),
                ("third", VmState::NeverBackedUp),
            ]
        );
        assert_eq!(found[0].latest_good, backup(1, "completed").created_at);
        assert_eq!(found[1].latest_good, None);
    }

    #[test]
    fn the_newest_good_backup_is_found_whatever_the_order() {
        let backups = [
            backup(3, "failed"),
            backup(1, "completed"),
            backup(2, "completed"),
        ];
        let good = newest(&backups, |backup| backup.status == BackupStatus::Completed);
        assert_eq!(good.unwrap().backup_id.as_str(), "b2");
    }
}
