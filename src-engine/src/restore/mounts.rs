//! The life of a mount: one per disk, eight per hub, an hour after the last use.
//!
//! The row is the truth. What is in memory beside it (the open image, the running lease) can be recreated from the row,
//! which is how mounts survive a restart of the hub: the image is opened on the next use. A mount ends one hour after
//! its last use, when it is unmounted, or when its backup is deleted, which removes the row. Downloads running at that
//! moment are not cut off: they have the image open, and nothing they read can change.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use jiff::Timestamp;
use sendense_disk::AllowedRoots;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Error, Result,
    lease::Lease,
    path::RootLayout,
    session::Session,
    tree::{Need, OpenDisk},
};
use crate::{
    clock::Clock,
    nbd::Export,
    store::{
        Store,
        mounts::{self as table, MountRow},
        repositories,
    },
};

/// As many as deployed hubs have devices for.
pub const MAX_MOUNTS: usize = 8;

/// Threads that stream at the same time, each with about a megabyte of buffers.
const MAX_DOWNLOADS: usize = 16;

/// How long a download waits for one of those threads before it is turned away.
const DOWNLOAD_PATIENCE: Duration = Duration::from_secs(30);

/// How often unused mounts are looked for. An expired mount is refused at once: this only decides
/// when its image is closed, and when the last use of the others is written down.
pub const REAP_INTERVAL: Duration = Duration::from_secs(30);

/// All mounts of a hub; cheap to clone. Whatever is asked of it may wait for a disk or for the database, so it is
/// called on threads that may block; only what a mount in use reads goes to a thread of its own.
#[derive(Clone)]
pub struct Mounts {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Clock,
    layout: RootLayout,
    /// What is open in memory, by mount id. Not every row has to be here.
    open: Mutex<BTreeMap<String, Arc<OpenMount>>>,
    /// Two requests for one disk, or for the last slot, come one after the other.
    mounting: Mutex<()>,
    download_slots: Arc<Semaphore>,
}

/// The part of a mount that lives in memory.
struct OpenMount {
    row: MountRow,
    /// Also of those who read the export, which the mount owns.
    lease: Arc<Mutex<Lease>>,
    /// Empty until somebody looks inside, and again when the thread has died.
    session: Mutex<Option<Arc<Session>>>,
    /// Where the disk is served, if it is.
    export: Mutex<Option<Export>>,
}

/// Where a mounted disk is served to programs of this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedDisk {
    /// Of an NBD server.
    pub address: SocketAddr,
    /// What clients have to ask it for; nobody else knows it.
    pub export_name: String,
    /// How large the disk is.
    pub size_bytes: u64,
}

/// Keeps a mount from expiring while a client reads its export.
struct ReadHold {
    lease: Arc<Mutex<Lease>>,
    inner: Weak<Inner>,
}

/// A disk whose image is in the repository.
struct FinishedDisk {
    backup_disk_id: i64,
    image_path: PathBuf,
    /// Nothing outside is opened, whatever an image names as its backing file.
    repository_path: PathBuf,
}

/// A mount that a request is using.
pub struct MountInUse {
    mounts: Mounts,
    mount: Arc<OpenMount>,
    session: Arc<Session>,
}

/// Keeps a mount from expiring, and a download slot taken, until it is dropped.
pub(crate) struct DownloadGuard {
    mounts: Mounts,
    mount: Arc<OpenMount>,
    _slot: OwnedSemaphorePermit,
}

/// What the hub has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// `/dev/nbd0` and so on.
    pub devices: Vec<String>,
    /// Mounts whose time is over, but which are not closed yet.
    pub n_expired: usize,
    /// Threads that stream at this moment.
    pub n_downloads: usize,
}

impl Mounts {
    /// The mounts on record; none of them is opened before it is used.
    pub(crate) fn new(store: Store, clock: Clock, layout: RootLayout) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                clock,
                layout,
                open: Mutex::default(),
                mounting: Mutex::default(),
                download_slots: Arc::new(Semaphore::new(MAX_DOWNLOADS)),
            }),
        }
    }

    /// Opens a disk of a finished backup, or renews the mount that it already has.
    pub fn mount(&self, backup_id: &str, disk_index: u32) -> Result<MountRow> {
        self.mount_for(Need::Files, backup_id, disk_index)
    }

    /// As [`mount`](Self::mount), for the bytes of the disk: there need be no files on it that could be read.
    pub fn mount_bytes(&self, backup_id: &str, disk_index: u32) -> Result<MountRow> {
        self.mount_for(Need::Bytes, backup_id, disk_index)
    }

    fn mount_for(&self, need: Need, backup_id: &str, disk_index: u32) -> Result<MountRow> {
        let _one_at_a_time = lock(&self.inner.mounting);
        let now = self.inner.now();
        self.close_expired(now)?;
        let disk = self.finished_disk(backup_id, disk_index)?;
        let rows = self.inner.store.with(table::mounts)?;
        if let Some(row) = rows
            .iter()
            .find(|row| row.backup_disk_id == disk.backup_disk_id)
        {
            if need == Need::Files && need_of(row) == Need::Bytes {
                // Says why there are none.
                self.open_disk(&disk, Need::Files)?;
            }
            let mount = self.in_memory(row);
            lock(&mount.lease).renew(now);
            return Ok(mount.current_row(now));
        }
        let free_device = (0..MAX_MOUNTS)
            .map(|slot| format!("/dev/nbd{slot}"))
            .find(|device| rows.iter().all(|row| row.nbd_device != *device));
        let Some(nbd_device) = free_device else {
            return Err(Error::TooManyMounts { limit: MAX_MOUNTS });
        };

        // The image is opened before the row is written: a mount that fails leaves nothing behind.
        let backup_disk_id = disk.backup_disk_id;
        let session = Session::start(self.open_disk(&disk, need)?, now)?;
        let mount_id = uuid::Uuid::new_v4().to_string();
        let row = MountRow {
            mount_path: format!("/mnt/sendense/restore/{mount_id}"),
            mount_id,
            backup_id: backup_id.to_owned(),
            backup_disk_id,
            disk_index,
            nbd_device,
            filesystem_type: session.disk().filesystem_type().to_owned(),
            created_at: now,
            last_accessed_at: now,
            expires_at: Lease::last_used(now).expires_at(now),
        };
        let is_there = self
            .inner
            .store
            .with(|connection| table::insert(connection, &row))?;
        if !is_there {
            // Somebody deleted the backup while its image was being opened.
            return Err(Error::DiskNotFound {
                backup_id: backup_id.to_owned(),
                disk_index,
                because: None,
            });
        }
        let mount = self.in_memory(&row);
        *lock(&mount.session) = Some(Arc::new(session));
        tracing::info!(
            mount_id = row.mount_id,
            backup_id,
            disk_index,
            "mounted a disk"
        );
        Ok(row)
    }

    /// The mounts that can be used, newest first.
    pub fn list(&self) -> Result<Vec<MountRow>> {
        let now = self.inner.now();
        let rows = self.inner.store.with(table::mounts)?;
        Ok(rows
            .iter()
            .map(|row| self.in_memory(row))
            .filter(|mount| !lock(&mount.lease).is_expired(now))
            .map(|mount| mount.current_row(now))
            .collect())
    }

    /// Closes a mount for everybody.
    pub fn unmount(&self, mount_id: &str) -> Result<()> {
        let closed = lock(&self.inner.open).remove(mount_id);
        // Whoever uses the mount at this moment has it still.
        drop(closed.and_then(|mount| lock(&mount.export).take()));
        let was_there = self
            .inner
            .store
            .with(|connection| table::delete(connection, mount_id))?;
        if !was_there {
            return Err(not_found(mount_id));
        }
        tracing::info!(mount_id, "unmounted");
        Ok(())
    }

    /// Closes all mounts of these backups, or none.
    ///
    /// # Errors
    /// While something of theirs is being downloaded, or a disk of theirs is served.
    pub(crate) fn close_backups(&self, backup_ids: &[String]) -> Result<()> {
        let mut rows = self.inner.store.with(table::mounts)?;
        rows.retain(|row| backup_ids.contains(&row.backup_id));
        for row in &rows {
            let mount = self.in_memory(row);
            if lock(&mount.export).is_some() {
                return Err(Error::DiskServed {
                    backup_id: row.backup_id.clone(),
                });
            }
            if lock(&mount.lease).is_held() {
                return Err(Error::DownloadRunning {
                    backup_id: row.backup_id.clone(),
                });
            }
        }
        rows.iter()
            .try_for_each(|row| match self.unmount(&row.mount_id) {
                // Somebody else was faster.
                Err(Error::MountNotFound { .. }) => Ok(()),
                outcome => outcome,
            })
    }

    /// Uses a mount: renews it, and opens its image where it is not open.
    pub fn enter(&self, mount_id: &str) -> Result<MountInUse> {
        let now = self.inner.now();
        let row = self
            .inner
            .store
            .with(|connection| table::mount(connection, mount_id))?;
        let Some(row) = row else {
            lock(&self.inner.open).remove(mount_id);
            return Err(not_found(mount_id));
        };
        let mount = self.in_memory(&row);
        {
            let mut lease = lock(&mount.lease);
            if lease.is_expired(now) {
                return Err(not_found(mount_id));
            }
            lease.renew(now);
        }
        let session = self.session(&mount)?;
        Ok(MountInUse {
            mounts: self.clone(),
            mount,
            session,
        })
    }

    /// Serves the disk of a mount no longer; whoever reads it is cut off. Says whether it was served.
    pub fn stop_serving(&self, mount_id: &str) -> Result<bool> {
        let row = self
            .inner
            .store
            .with(|connection| table::mount(connection, mount_id))?
            .ok_or_else(|| not_found(mount_id))?;
        let ended = lock(&self.in_memory(&row).export).take();
        if ended.is_some() {
            tracing::info!(mount_id, "serving a disk ended");
        }
        Ok(ended.is_some())
    }

    /// Serves no disk any more.
    pub(crate) fn stop_serving_all(&self) {
        let open: Vec<_> = lock(&self.inner.open).values().cloned().collect();
        for mount in open {
            drop(lock(&mount.export).take());
        }
    }

    /// Closes what nobody has used for an hour, and writes down the last use of the rest. Returns
    /// how many were closed.
    pub(crate) fn close_expired(&self, now: Timestamp) -> Result<usize> {
        let mut n_closed = 0;
        for row in self.inner.store.with(table::mounts)? {
            let mount = self.in_memory(&row);
            let lease = *lock(&mount.lease);
            if lease.is_expired(now) {
                self.unmount(&row.mount_id)?;
                n_closed += 1;
            } else if lease.expires_at(now) > row.expires_at {
                let used_at = lease.last_used_at(now);
                self.inner.store.with(|connection| {
                    table::renew(connection, &row.mount_id, used_at, lease.expires_at(now))
                })?;
            }
        }
        // Mounts whose backup was deleted have no row any more.
        let rows = self.inner.store.with(table::mounts)?;
        lock(&self.inner.open)
            .retain(|mount_id, _| rows.iter().any(|row| row.mount_id == *mount_id));
        Ok(n_closed)
    }

    /// What the hub has open.
    pub fn usage(&self) -> Result<Usage> {
        let now = self.inner.now();
        let (expired, live): (Vec<_>, Vec<_>) = self
            .inner
            .store
            .with(table::mounts)?
            .iter()
            .map(|row| self.in_memory(row))
            .partition(|mount| lock(&mount.lease).is_expired(now));
        let mut devices: Vec<_> = live
            .iter()
            .map(|mount| mount.row.nbd_device.clone())
            .collect();
        devices.sort();
        Ok(Usage {
            devices,
            n_expired: expired.len(),
            n_downloads: MAX_DOWNLOADS - self.inner.download_slots.available_permits(),
        })
    }

    /// Looks for unused mounts until the hub drops it.
    pub async fn reap_forever(self) {
        let mut ticks = tokio::time::interval(REAP_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let mounts = self.clone();
            let looking =
                tokio::task::spawn_blocking(move || mounts.close_expired(mounts.inner.now()));
            match looking.await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "could not look for unused mounts"),
                Err(died) => tracing::error!(%died, "looking for unused mounts ended early"),
            }
        }
    }

    /// The part of a mount in memory, made from its row where there is none.
    fn in_memory(&self, row: &MountRow) -> Arc<OpenMount> {
        let mut open = lock(&self.inner.open);
        let mount = open.entry(row.mount_id.clone()).or_insert_with(|| {
            Arc::new(OpenMount {
                row: row.clone(),
                lease: Arc::new(Mutex::new(Lease::last_used(row.last_accessed_at))),
                session: Mutex::default(),
                export: Mutex::default(),
            })
        });
        Arc::clone(mount)
    }

    fn session(&self, mount: &OpenMount) -> Result<Arc<Session>> {
        let mut slot = lock(&mount.session);
        if let Some(session) = slot.as_ref().filter(|session| !session.is_stopped()) {
            return Ok(Arc::clone(session));
        }
        let disk = self.finished_disk(&mount.row.backup_id, mount.row.disk_index)?;
        let disk = self.open_disk(&disk, need_of(&mount.row))?;
        let session = Arc::new(Session::start(disk, mount.row.created_at)?);
        *slot = Some(Arc::clone(&session));
        Ok(session)
    }

    fn open_disk(&self, disk: &FinishedDisk, need: Need) -> Result<OpenDisk> {
        let allowed = AllowedRoots::new([disk.repository_path.clone()]);
        OpenDisk::open(&disk.image_path, &allowed, self.inner.layout, need)
    }

    /// A disk that has something to restore, or why it has not.
    fn finished_disk(&self, backup_id: &str, disk_index: u32) -> Result<FinishedDisk> {
        let row = self
            .inner
            .store
            .with(|connection| table::disk(connection, backup_id, disk_index))?;
        let not_found = |because| Error::DiskNotFound {
            backup_id: backup_id.to_owned(),
            disk_index,
            because,
        };
        let row = row.ok_or(not_found(None))?;
        if row.backup_status == "failed" {
            return Err(not_found(Some("the backup failed")));
        }
        match (row.disk_status.as_str(), row.qcow2_path) {
            ("completed", Some(image_path)) => {
                let repository = self
                    .inner
                    .store
                    .with(|connection| repositories::find(connection, &row.repository_id))?
                    .ok_or(not_found(Some("its repository is not on record")))?;
                if let Err(why) = repository.connected() {
                    return Err(Error::RepositoryNotConnected {
                        name: repository.name,
                        why,
                    });
                }
                Ok(FinishedDisk {
                    backup_disk_id: row.backup_disk_id,
                    image_path,
                    repository_path: repository.config.path,
                })
            }
            _ => Err(not_found(Some("the backup of this disk is not finished"))),
        }
    }
}

impl Inner {
    /// The time to the second, as it is stored: what a client reads does not depend on whether the
    /// mount is in memory.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}

impl OpenMount {
    /// The row as it would be if it were written now.
    fn current_row(&self, now: Timestamp) -> MountRow {
        let lease = *lock(&self.lease);
        MountRow {
            last_accessed_at: lease.last_used_at(now),
            expires_at: lease.expires_at(now),
            ..self.row.clone()
        }
    }
}

impl MountInUse {
    /// The mount's row, as it is now.
    pub fn row(&self) -> MountRow {
        self.mount.current_row(self.now())
    }

    /// The open disk.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// The hub's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.mounts.inner.now()
    }

    /// Serves the disk to programs of this computer, or says where it is served already. Blocks.
    ///
    /// # Errors
    /// When the system has no port or no thread for it.
    pub fn serve(&self) -> Result<ServedDisk> {
        let mut slot = lock(&self.mount.export);
        if slot.is_none() {
            let (lease, inner) = (&self.mount.lease, &self.mounts.inner);
            let (lease, inner) = (Arc::clone(lease), Arc::downgrade(inner));
            let hold = move || ReadHold::new(Arc::clone(&lease), Weak::clone(&inner));
            let image = self.session.disk().image().clone();
            *slot = Some(Export::start(image, hold).map_err(Error::NotServed)?);
            tracing::info!(mount_id = self.mount.row.mount_id, "serving a disk");
        }
        let served = slot.as_ref().map(|export| ServedDisk {
            address: export.address(),
            export_name: export.name().to_owned(),
            size_bytes: export.size_bytes(),
        });
        served.ok_or(Error::ReaderStopped)
    }

    /// Takes a download slot, and keeps the mount from expiring until the guard is dropped.
    pub(crate) async fn hold(&self) -> Result<DownloadGuard> {
        let inner = &self.mounts.inner;
        let slot = Arc::clone(&inner.download_slots).acquire_owned();
        let slot = tokio::time::timeout(DOWNLOAD_PATIENCE, slot)
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(Error::TooManyDownloads)?;
        lock(&self.mount.lease).hold(inner.now());
        Ok(DownloadGuard {
            mounts: self.mounts.clone(),
            mount: Arc::clone(&self.mount),
            _slot: slot,
        })
    }
}

impl Drop for DownloadGuard {
    fn drop(&mut self) {
        lock(&self.mount.lease).release(self.mounts.inner.now());
    }
}

impl ReadHold {
    fn new(lease: Arc<Mutex<Lease>>, inner: Weak<Inner>) -> Self {
        if let Some(inner) = inner.upgrade() {
            lock(&lease).hold(inner.now());
        }
        Self { lease, inner }
    }
}

impl Drop for ReadHold {
    fn drop(&mut self) {
        // Without a hub there is nothing that could expire.
        if let Some(inner) = self.inner.upgrade() {
            lock(&self.lease).release(inner.now());
        }
    }
}

/// What a mount was opened for: one without files has no filesystem.
fn need_of(row: &MountRow) -> Need {
    match row.filesystem_type.is_empty() {
        true => Need::Bytes,
        false => Need::Files,
    }
}

fn not_found(mount_id: &str) -> Error {
    Error::MountNotFound {
        mount_id: mount_id.to_owned(),
    }
}

/// What these locks hold is right at any moment, so a panic under one of them spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
