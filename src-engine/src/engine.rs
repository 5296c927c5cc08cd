//! An engine, from opening it to its end.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    Clock,
    backup::Backups,
    copy::{CUT_OFF, Copies},
    error::{OpenError, Result},
    failure::HUB_STOPPED,
    full_restore::{self, FullRestores},
    live::LiveMachines,
    removal::remove_files,
    repository::{Repositories, ensure_local, remove_partial_images},
    restore::{Mounts, RootLayout},
    retention::Retention,
    shared::Shared,
    store::{
        Reason, Store,
        backups::{self, Status},
        copies, full_restores, jobs, repositories,
    },
    users::Users,
    verify::Verifications,
    vms::Vms,
};

/// What an engine is opened with. Nobody else may use the same at the same time.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database; made when it is not there.
    pub database: PathBuf,
    /// The folder of the first repository; made likewise.
    pub repository: PathBuf,
    /// Where the engine takes the time from.
    pub clock: Clock,
    /// What the root of a mounted disk shows.
    pub layout: RootLayout,
}

/// Everything that can be done with backups; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    vms: Vms,
    backups: Backups,
    verifications: Verifications,
    copies: Copies,
    full_restores: FullRestores,
    live_machines: LiveMachines,
    retention: Retention,
    repositories: Repositories,
    users: Users,
}

impl Engine {
    /// Opens the database, makes the first repository, and ends what an engine that was killed left behind. Blocks.
    ///
    /// # Errors
    /// When the database or the first repository cannot be used.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let store = Store::open(&config.database)?;
        Self::over(store, config.clock, config.layout, &config.repository)
    }

    pub(crate) fn over(
        store: Store,
        clock: Clock,
        layout: RootLayout,
        repository: &Path,
    ) -> Result<Self, OpenError> {
        ensure_local(&store, &clock, repository)?;
        recover(&store, &clock)?;
        let mounts = Mounts::new(store.clone(), clock.clone(), layout);
        let shared = Arc::new(Shared::new(store.clone(), clock.clone(), mounts));
        let retention = Retention::new(Arc::clone(&shared));
        Ok(Self {
            vms: Vms::new(Arc::clone(&shared)),
            backups: Backups::new(Arc::clone(&shared), retention.clone()),
            verifications: Verifications::new(Arc::clone(&shared)),
            copies: Copies::new(Arc::clone(&shared)),
            full_restores: FullRestores::new(Arc::clone(&shared)),
            live_machines: LiveMachines::new(Arc::clone(&shared)),
            retention,
            repositories: Repositories::open(Arc::clone(&shared))?,
            users: Users::new(store, clock),
            shared,
        })
    }

    /// VMs: what there is to back up.
    pub fn vms(&self) -> &Vms {
        &self.vms
    }

    /// Backups.
    pub fn backups(&self) -> &Backups {
        &self.backups
    }

    /// Verifications of backups.
    pub fn verifications(&self) -> &Verifications {
        &self.verifications
    }

    /// Copies of recovery points in other repositories.
    pub fn copies(&self) -> &Copies {
        &self.copies
    }

    /// Disks of recovery points written into folders.
    pub fn full_restores(&self) -> &FullRestores {
        &self.full_restores
    }

    /// Machines that run from a recovery point.
    pub fn live_machines(&self) -> &LiveMachines {
        &self.live_machines
    }

    /// How long recovery points are kept.
    pub fn retention(&self) -> &Retention {
        &self.retention
    }

    /// Where backups are kept.
    pub fn repositories(&self) -> &Repositories {
        &self.repositories
    }

    /// Disks of backups that are open for browsing.
    pub fn mounts(&self) -> &Mounts {
        &self.shared.mounts
    }

    /// Who may use the hub.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Whether what is on record can be read; `false` while somebody who asked before still waits for the answer.
    /// Blocks as long as the disk takes.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(&self) -> Result<bool> {
        Ok(self.shared.store.check()?)
    }

    /// Ends all backups, verifications, copies, full restores and retention, and waits until they have ended; starts no
    /// more. Serves no disk any more.
    pub async fn stop(&self) {
        self.shared.stopping.cancel();
        self.shared.mounts.stop_serving_all();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Waits until nothing is running.
    #[cfg(test)]
    pub(crate) async fn idle(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.shared.tasks.reopen();
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    #[cfg(test)]
    pub(crate) fn slots(&self) -> Arc<tokio::sync::Semaphore> {
        Arc::clone(&self.shared.slots)
    }
}

/// Ends what an engine that was killed left behind: its jobs failed, and their files go.
fn recover(store: &Store, clock: &Clock) -> rusqlite::Result<()> {
    for backup_id in store.with(backups::abandoned)? {
        let (now, reason) = (clock.now(), Reason::of_text(HUB_STOPPED));
        store.transaction(|transaction| {
            jobs::fail(transaction, &backup_id, Status::Failed, &reason, now)
        })?;
        tracing::warn!(backup_id, "a backup was cut off when the hub was killed");
    }
    for repository in store.with(repositories::list)? {
        if repository.connected().is_ok() {
            remove_partial_images(&repository.config.path);
        }
    }
    remove_files(store)?;
    let now = clock.now();
    store.with(|connection| full_restores::abandon(connection, full_restore::CUT_OFF, now))?;
    store.with(|connection| copies::abandon(connection, CUT_OFF))
}
