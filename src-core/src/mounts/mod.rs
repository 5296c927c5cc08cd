//! Open mounts: who uses them, how long they last, and when they are closed.
//!
//! One task looks after all of them. It sleeps until the next deadline of [`plan`], which holds the
//! rules and knows neither hub nor clock: keep-alive while somebody browses or downloads, warnings
//! before the end, a look when the end has come, unmounting when the browser is left.

mod plan;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sendense_types::{
    AppError, AppEvent, Backup, BackupId, ErrorKind, Expiry, Mount, MountId, MountStatus,
    OpenMount, Retry, Settings,
};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::plan::{Deed, Upkeep};
use crate::{Events, HubClient, HubSession, Result};

/// How long leaving waits for what still goes on, at the end of the app.
const LAST_UNMOUNTS: Duration = Duration::from_secs(2);
/// Clocks are compared to a second; a mount got more time when its end moved by more than that.
const MOVED: SignedDuration = SignedDuration::from_secs(5);

/// Tells the time of this computer; passed in so that tests can fix it.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The open mounts of the current hub. Cheap to clone.
#[derive(Clone)]
pub struct Mounts {
    inner: Arc<Inner>,
    _task: Arc<Upkeeper>,
}

struct Inner {
    session: HubSession,
    events: Events,
    settings: watch::Receiver<Settings>,
    clock: WallClock,
    table: Mutex<Table>,
    /// The table has changed, and with it maybe the next deadline.
    changed: Notify,
}

#[derive(Default)]
struct Table {
    /// The hub these mounts are on: a count of the session's.
    generation: u64,
    known: BTreeMap<MountId, Known>,
    /// Where a mount that is gone goes on.
    successors: HashMap<MountId, MountId>,
}

/// What is known of one mount.
#[derive(Clone, Debug)]
struct Known {
    mount: OpenMount,
    upkeep: Upkeep,
}

/// The task that looks after mounts; ends with its owner.
struct Upkeeper(JoinHandle<()>);

impl Drop for Upkeeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Keeps a mount open as long as it lives: a download reads from it.
pub struct Hold {
    inner: Arc<Inner>,
    mount_id: MountId,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.inner.upkeep(&self.mount_id, |upkeep| {
            upkeep.holds = upkeep.holds.saturating_sub(1);
            // Reading was use, so that the time starts anew on hubs that count from the last use.
            upkeep.last_use = Instant::now();
        });
    }
}

impl Mounts {
    /// Looks after mounts of the session's hub. Needs a tokio runtime.
    pub fn new(
        session: HubSession,
        events: Events,
        settings: watch::Receiver<Settings>,
        clock: WallClock,
    ) -> Self {
        let inner = Arc::new(Inner {
            session,
            events,
            settings,
            clock,
            table: Mutex::default(),
            changed: Notify::new(),
        });
        let task = tokio::spawn(look_after(Arc::downgrade(&inner)));
        Self {
            inner,
            _task: Arc::new(Upkeeper(task)),
        }
    }

    /// All open mounts of the hub, those of others included.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn list(&self) -> Result<Vec<OpenMount>> {
        self.inner.read_again().await
    }

    /// Opens a disk of a backup, or answers our mount of it that is open already.
    ///
    /// # Errors
    /// As [`HubClient::mount`].
    pub async fn open(&self, backup_id: &BackupId, disk_index: u32) -> Result<OpenMount> {
        let ours = self.inner.table().known.values().find_map(|known| {
            let mount = &known.mount;
            let is_it = mount.is_ours
                && mount.is_open
                && mount.backup_id.as_ref() == Some(backup_id)
                && mount.disk_index == Some(disk_index);
            is_it.then(|| mount.mount_id.clone())
        });
        if let Some(mount_id) = ours {
            // The hub may have ended it meanwhile.
            let open = self.inner.read_again().await?;
            if let Some(mount) = open.into_iter().find(|mount| mount.mount_id == mount_id) {
                self.inner
                    .upkeep(&mount_id, |upkeep| upkeep.close_at = None);
                return Ok(mount);
            }
        }
        self.inner.mount(backup_id, disk_index, "/").await
    }

    /// Uses a mount, so that a hub that counts from the last use gives it more time.
    ///
    /// # Errors
    /// `Unsupported` on hubs that end mounts at a fixed time, `Expired` when it is gone.
    pub async fn keep_open(&self, mount_id: &MountId) -> Result<OpenMount> {
        let mount = self.inner.ping(mount_id).await?;
        if mount.expiry == Expiry::Fixed {
            return Err(AppError::new(
                ErrorKind::Unsupported,
                "This hub gives a mount no more time than it had at first.",
                Retry::Never,
            )
            .with_hint("Remount it: you come back to the same folder with the full time."));
        }
        Ok(mount)
    }

    /// Mounts the same disk of the same backup again and goes on in the same folder.
    ///
    /// # Errors
    /// When it is not known what was mounted, or it cannot be mounted.
    pub async fn remount(&self, mount_id: &MountId) -> Result<OpenMount> {
        let old = self.inner.table().known.get(mount_id).cloned();
        let unknown = || {
            AppError::new(
                ErrorKind::NotFound,
                "It is not known which backup this mount was of.",
                Retry::Never,
            )
            .with_hint("Open the backup again from the history of its VM.")
        };
        let old = old.ok_or_else(unknown)?;
        let (Some(backup_id), Some(disk_index)) = (&old.mount.backup_id, old.mount.disk_index)
        else {
            return Err(unknown());
        };
        if old.upkeep.holds > 0 && old.mount.is_open {
            return Err(in_use());
        }
        if old.mount.is_open && old.mount.is_ours {
            // A hub shares a mount that is there; only a new one has the full time.
            self.inner
                .session
                .ask(async |hub| hub.unmount(mount_id).await)
                .await?;
        }
        let new = self
            .inner
            .mount(backup_id, disk_index, &old.mount.folder)
            .await?;
        if new.mount_id != *mount_id {
            let mut table = self.inner.table();
            table.known.remove(mount_id);
            table
                .successors
                .insert(mount_id.clone(), new.mount_id.clone());
        }
        self.inner.publish();
        Ok(new)
    }

    /// Unmounts. One that is gone already counts as unmounted.
    ///
    /// # Errors
    /// `Conflict` while a download reads from it.
    pub async fn close(&self, mount_id: &MountId) -> Result<()> {
        self.inner.close(mount_id).await
    }

    /// A person looks at this folder, or with `None` has left the browser.
    pub fn browse(&self, mount_id: &MountId, folder: Option<String>) {
        let unmounts = self.inner.settings.borrow().unmount_on_close;
        let mut table = self.inner.table();
        let Some(known) = table.known.get_mut(mount_id) else {
            return;
        };
        let now = Instant::now();
        let has_moved = folder
            .as_ref()
            .is_some_and(|folder| *folder != known.mount.folder);
        match folder {
            Some(folder) => {
                known.mount.folder = folder;
                known.upkeep.browsed_at = Some(now);
                known.upkeep.last_use = now;
                known.upkeep.close_at = None;
            }
            None => {
                known.upkeep.browsed_at = None;
                if unmounts && known.mount.is_ours {
                    known.upkeep.close_at = Some(now + plan::GRACE);
                }
            }
        }
        drop(table);
        if has_moved {
            // Whoever comes back to the mount begins in this folder.
            self.inner.publish();
        } else {
            self.inner.changed.notify_one();
        }
    }

    /// Keeps a mount open until the answer is dropped.
    pub fn hold(&self, mount_id: &MountId) -> Hold {
        self.inner.upkeep(mount_id, |upkeep| upkeep.holds += 1);
        Hold {
            inner: Arc::clone(&self.inner),
            mount_id: mount_id.clone(),
        }
    }

    /// What is known of a mount, without asking the hub.
    pub fn known(&self, mount_id: &MountId) -> Option<OpenMount> {
        let table = self.inner.table();
        table.known.get(mount_id).map(|known| known.mount.clone())
    }

    /// The mount that goes on where this one ended; itself if it did not end.
    pub fn current_id(&self, mount_id: &MountId) -> MountId {
        let table = self.inner.table();
        let mut current = mount_id;
        // Each remount adds one step, and none leads back.
        while let Some(successor) = table.successors.get(current) {
            current = successor;
        }
        current.clone()
    }

    /// Unmounts what this app has mounted, as far as that goes quickly.
    pub async fn close_all_ours(&self) {
        let ours: Vec<MountId> = {
            let table = self.inner.table();
            let ours = table
                .known
                .values()
                .filter(|known| known.mount.is_ours && known.mount.is_open);
            ours.map(|known| known.mount.mount_id.clone()).collect()
        };
        let closing = async {
            for mount_id in ours {
                if let Err(error) = self.inner.close(&mount_id).await {
                    tracing::warn!(%mount_id, %error, "a mount stays open until it expires");
                }
            }
        };
        if tokio::time::timeout(LAST_UNMOUNTS, closing).await.is_err() {
            tracing::warn!("some mounts stay open until they expire");
        }
    }
}

impl Inner {
    async fn mount(
        &self,
        backup_id: &BackupId,
        disk_index: u32,
        folder: &str,
    ) -> Result<OpenMount> {
        let generation = self.session.generation();
        let (mount, backup, hub) = self
            .session
            .ask(async |hub| {
                let mount = hub.mount(backup_id, disk_index).await?;
                // Only for the eye: a mount is worth having without.
                let backup = hub.backup(backup_id).await.ok();
                Ok((mount, backup, hub))
            })
            .await?;
        let mut open = self.describe(&hub, &mount, None);
        open.is_ours = true;
        folder.clone_into(&mut open.folder);
        if let Some(backup) = &backup {
            name(&mut open, backup);
        }
        let mut table = self.table_of(generation);
        let known = Known {
            upkeep: Upkeep::new(self.lasts(&open), Instant::now()),
            mount: open.clone(),
        };
        table.known.insert(open.mount_id.clone(), known);
        drop(table);
        self.publish();
        Ok(open)
    }

    /// Reads the hub's list and brings ours into line with it.
    async fn read_again(&self) -> Result<Vec<OpenMount>> {
        let generation = self.session.generation();
        let (listed, hub) = self
            .session
            .ask(async |hub| Ok((hub.mounts().await?, hub)))
            .await?;
        let mut lost = Vec::new();
        let (before, after) = {
            let mut table = self.table_of(generation);
            let before = table.shown();
            for mount in &listed {
                let old = table.known.get(&mount.mount_id);
                let open = self.describe(&hub, mount, old.map(|known| &known.mount));
                let lasts = self.lasts(&open);
                match table.known.get_mut(&mount.mount_id) {
                    Some(known) => {
                        known.upkeep.ends_at(lasts);
                        known.mount = open;
                    }
                    None => {
                        let upkeep = Upkeep::new(lasts, Instant::now());
                        let known = Known {
                            mount: open,
                            upkeep,
                        };
                        table.known.insert(mount.mount_id.clone(), known);
                    }
                }
            }
            let is_listed = |id: &MountId| listed.iter().any(|mount| mount.mount_id == *id);
            table
                .known
                .retain(|id, known| known.mount.is_ours || is_listed(id));
            for (id, known) in &mut table.known {
                if known.mount.is_open && !is_listed(id) {
                    known.mount.is_open = false;
                    lost.push(id.clone());
                }
            }
            (before, table.shown())
        };
        for mount_id in lost {
            self.events.publish(AppEvent::MountLost { mount_id });
        }
        if before != after {
            self.publish();
        }
        self.changed.notify_one();
        Ok(after)
    }

    /// What the hub says of a mount, with what we knew of it before.
    fn describe(&self, hub: &HubClient, mount: &Mount, old: Option<&OpenMount>) -> OpenMount {
        let now = (self.clock)();
        let expires_at = mount.expires_at.map(|end| match hub.time() {
            // The hub's clock may differ from ours, and only its own counts.
            Some(hub_now) => now + end.duration_since(hub_now),
            None => end,
        });
        let mut open = old.cloned().unwrap_or_else(|| OpenMount {
            mount_id: mount.mount_id.clone(),
            backup_id: None,
            disk_index: None,
            vm_id: None,
            vm_name: None,
            backup_time: None,
            backup_type: None,
            filesystem_type: None,
            expires_at: None,
            expiry: Expiry::Unknown,
            is_open: false,
            is_ours: false,
            folder: "/".to_owned(),
        });
        open.backup_id = mount.backup_id.clone().or(open.backup_id);
        open.disk_index = mount.disk_index.or(open.disk_index);
        open.filesystem_type = mount.filesystem_type.clone().or(open.filesystem_type);
        open.is_open = mount.status != MountStatus::Mounting;
        // Two readings of the same end differ by the time between them; that is no news.
        let moved = match (open.expires_at, expires_at) {
            (Some(before), Some(after)) => after.duration_since(before).abs() > MOVED,
            _ => true,
        };
        if moved {
            open.expires_at = expires_at;
        }
        open
    }

    /// How long a mount still lasts.
    fn lasts(&self, mount: &OpenMount) -> Option<Duration> {
        let end = mount.expires_at?;
        let left = end.duration_since((self.clock)());
        Some(Duration::try_from(left).unwrap_or(Duration::ZERO))
    }

    /// Uses a mount and sees whether that gave it more time.
    async fn ping(&self, mount_id: &MountId) -> Result<OpenMount> {
        let known = self.table().known.get(mount_id).cloned();
        let folder = known.as_ref().map_or("/", |known| &known.mount.folder);
        let before = known.as_ref().and_then(|known| known.mount.expires_at);
        let outcome = self
            .session
            .ask(async |hub| hub.list_files(mount_id, folder).await)
            .await;
        self.upkeep(mount_id, |upkeep| upkeep.last_use = Instant::now());
        if let Err(error) = outcome {
            // A folder that cannot be read is still an answer; a mount that is gone shows in the list.
            if error.kind != ErrorKind::Expired {
                tracing::debug!(%error, "a ping of a mount was refused");
            }
        }
        self.read_again().await?;
        let mut table = self.table();
        let open = table
            .known
            .get_mut(mount_id)
            .filter(|known| known.mount.is_open);
        let Some(known) = open else {
            return Err(AppError::new(
                ErrorKind::Expired,
                "Mount expired, please remount.",
                Retry::Never,
            ));
        };
        if let (Some(before), Some(after)) = (before, known.mount.expires_at) {
            known.mount.expiry = match after.duration_since(before) > MOVED {
                true => Expiry::Idle,
                // A hub that once gave more time may not see a second that soon as more.
                false if known.mount.expiry == Expiry::Idle => Expiry::Idle,
                false => Expiry::Fixed,
            };
        }
        let mount = known.mount.clone();
        drop(table);
        self.publish();
        Ok(mount)
    }

    async fn close(&self, mount_id: &MountId) -> Result<()> {
        if self
            .table()
            .known
            .get(mount_id)
            .is_some_and(|known| known.upkeep.holds > 0)
        {
            return Err(in_use());
        }
        self.session
            .ask(async |hub| hub.unmount(mount_id).await)
            .await?;
        self.table().known.remove(mount_id);
        self.publish();
        Ok(())
    }

    /// The deadlines that have come, and when the next one comes.
    fn due(&self) -> (Vec<(MountId, Deed)>, Option<Instant>) {
        let keeps_open = self.settings.borrow().keep_mounts_open;
        let now = Instant::now();
        let mut deeds = Vec::new();
        let mut next: Option<Instant> = None;
        let mut table = self.table_of(self.session.generation());
        for (id, known) in table
            .known
            .iter_mut()
            .filter(|(_, known)| known.mount.is_open)
        {
            let (due, later) = known.upkeep.due(now, keeps_open, known.mount.is_ours);
            deeds.extend(due.into_iter().map(|deed| (id.clone(), deed)));
            next = [next, later].into_iter().flatten().min();
        }
        (deeds, next)
    }

    async fn do_it(&self, mount_id: &MountId, deed: Deed) {
        let outcome = match deed {
            Deed::Warn { minutes } => {
                let mount = self
                    .table()
                    .known
                    .get(mount_id)
                    .map(|known| known.mount.clone());
                if let Some(mount) = mount {
                    let mount = Box::new(mount);
                    self.events
                        .publish(AppEvent::MountExpiring { mount, minutes });
                }
                Ok(())
            }
            Deed::Ping => self.ping(mount_id).await.map(drop),
            Deed::Look => self.read_again().await.map(drop),
            Deed::Close => self.close(mount_id).await,
        };
        if let Err(error) = outcome {
            tracing::info!(%mount_id, ?deed, %error, "a mount could not be looked after");
        }
    }

    fn upkeep(&self, mount_id: &MountId, change: impl FnOnce(&mut Upkeep)) {
        if let Some(known) = self.table().known.get_mut(mount_id) {
            change(&mut known.upkeep);
        }
        self.changed.notify_one();
    }

    fn publish(&self) {
        let mounts = self.table().shown();
        self.events.publish(AppEvent::MountsChanged { mounts });
        self.changed.notify_one();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics under this lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table of a hub; empty when the last one was of another.
    fn table_of(&self, generation: u64) -> MutexGuard<'_, Table> {
        let mut table = self.table();
        if table.generation != generation {
            *table = Table {
                generation,
                ..Table::default()
            };
        }
        table
    }
}

impl Table {
    fn shown(&self) -> Vec<OpenMount> {
        self.known
            .values()
            .map(|known| known.mount.clone())
            .collect()
    }
}

/// Looks after mounts until nobody has them any more.
async fn look_after(inner: std::sync::Weak<Inner>) {
    while let Some(strong) = inner.upgrade() {
        let (deeds, next) = strong.due();
        if deeds.is_empty() {
            let sleep = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                () = strong.changed.notified() => {}
            }
        }
        for (mount_id, deed) in deeds {
            strong.do_it(&mount_id, deed).await;
        }
    }
}

/// Says on a mount what backup it shows.
fn name(mount: &mut OpenMount, backup: &Backup) {
    mount.vm_id = backup.vm_context_id.clone();
    mount.vm_name = Some(backup.vm_name.clone()).filter(|name| !name.is_empty());
    mount.backup_time = backup.created_at;
    mount.backup_type = Some(backup.backup_type);
}

fn in_use() -> AppError {
    AppError::new(
        ErrorKind::Conflict,
        "A download is reading from this mount.",
        Retry::Manual,
    )
    .with_hint("Wait until it is done, or cancel it first.")
}
