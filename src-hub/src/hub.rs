//! A hub's state, shared by all its requests and jobs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    Clock, Config, Profile, ServeError,
    auth::Gate,
    config::Auth,
    db::Db,
    engine::Jobs,
    repository,
    restore::{Mounts, RootLayout},
    secret::Secret,
};

/// A hub's state; cheap to clone.
#[derive(Clone)]
pub(crate) struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    data_dir: PathBuf,
    db: Db,
    clock: Clock,
    profile: Profile,
    gate: Gate,
    mounts: Mounts,
    jobs: Jobs,
}

impl Hub {
    /// Makes the first repository, ends the jobs that a killed hub left behind, and lets in
    /// whoever the configuration says.
    ///
    /// Blocks: hashing passwords and looking through the repository take their time.
    pub(crate) fn open(
        db: Db,
        config: Config,
        repository_folder: &Path,
        key: &Secret,
    ) -> Result<Self, ServeError> {
        let Config {
            data_dir,
            auth,
            profile,
            clock,
        } = config;
        repository::ensure_local(&db, &clock, repository_folder)?;
        let gate = match auth {
            Auth::Off => Gate::open(db.clone(), clock.clone()),
            Auth::Users(users) => Gate::guarded(db.clone(), clock.clone(), key.hash(), users)?,
        };
        let layout = match profile {
            Profile::Default => RootLayout::Volumes,
            Profile::Documented => RootLayout::OneVolume,
        };
        let mounts = Mounts::new(db.clone(), clock.clone(), layout);
        let jobs = Jobs::recover(db.clone(), clock.clone(), mounts.clone())?;
        Ok(Self {
            inner: Arc::new(Inner {
                data_dir,
                db,
                clock,
                profile,
                gate,
                mounts,
                jobs,
            }),
        })
    }

    /// The hub's own folder, in which no VMs are looked for.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    /// Everything on record.
    pub(crate) fn db(&self) -> &Db {
        &self.inner.db
    }

    /// The time.
    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The dialect it speaks.
    pub(crate) fn profile(&self) -> Profile {
        self.inner.profile
    }

    /// Who may come in.
    pub(crate) fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    /// Disks of backups that are open for browsing.
    pub(crate) fn mounts(&self) -> &Mounts {
        &self.inner.mounts
    }

    /// Backups that are running.
    pub(crate) fn jobs(&self) -> &Jobs {
        &self.inner.jobs
    }

    /// Runs work that blocks (disks, the database, passwords) beside the threads that answer.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(Self) -> crate::error::Result<T> + Send + 'static,
    ) -> crate::error::Result<T> {
        let hub = self.clone();
        tokio::task::spawn_blocking(move || work(hub)).await?
    }
}
