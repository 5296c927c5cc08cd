//! Open mounts: who uses them, how long they last, and when they are closed.
//!
//! One task looks after all of them. It sleeps until the first deadline of the [`table`], which keeps them
//! in order. [`plan`] decides when each mount is due: keep-alive while somebody browses or downloads, warnings
//! before the end, a check when the end has come, unmounting when the browser is left. [`told`] reads what the
//! hub says. Those three know neither hub nor clock; what waits and asks is here. [`record`] remembers from one start to
//! the next what was mounted, for the terminal as well.

mod plan;
mod record;
mod table;
#[cfg(test)]
mod tests;
mod told;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use sendense_types::{
    AppError, AppEvent, BackupId, ErrorKind, Expiry, MountId, OpenMount, Opener, Retry, Settings,
};
use sendense_words as words;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use self::plan::{Deed, Upkeep};
pub use self::record::{KnownMount, Listed, MountRecord, Recorded};
use self::table::{Known, Table};
use crate::session::Generation;
use crate::{Events, HubSession, Result};

/// How long quitting the app waits for mounts that are still being closed.
const LAST_UNMOUNTS: Duration = Duration::from_secs(2);

/// Tells the time of this computer; passed in so that tests can fix it.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The open mounts of the current hub. Cheap to clone.
#[derive(Clone)]
pub struct Mounts {
    inner: Arc<Inner>,
    _tasks: Arc<[AbortOnDropHandle<()>; 2]>,
}

struct Inner {
    session: HubSession,
    events: Events,
    settings: watch::Receiver<Settings>,
    clock: WallClock,
    record: MountRecord,
    table: Mutex<Table>,
    /// The table has changed, and with it maybe the next deadline.
    changed: Notify,
    /// Somebody has gone to another folder.
    moved: Notify,
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
    /// Looks after mounts of the session's hub, and those of the last time that are in the record. Needs a tokio
    /// runtime.
    pub fn new(
        session: HubSession,
        events: Events,
        settings: watch::Receiver<Settings>,
        clock: WallClock,
        record: MountRecord,
    ) -> Self {
        let inner = Arc::new(Inner {
            session,
            events,
            settings,
            clock,
            record,
            table: Mutex::default(),
            changed: Notify::new(),
            moved: Notify::new(),
        });
        let rules = inner.settings.clone();
        let tasks = [
            tokio::spawn(look_after(Arc::downgrade(&inner), rules)),
            // Apart, because a slow disk must not keep mounts waiting.
            tokio::spawn(keep_folders(Arc::downgrade(&inner))),
        ];
        Self {
            inner,
            _tasks: Arc::new(tasks.map(AbortOnDropHandle::new)),
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
    /// As [`HubClient::mount`](crate::HubClient::mount).
    pub async fn open(&self, backup_id: &BackupId, disk_index: u32) -> Result<OpenMount> {
        let ours = self.inner.table().iter().find_map(|known| {
            let mount = &known.mount;
            let is_it = mount.opened_by == Opener::Window
                && mount.is_open
                && mount.backup_id.as_ref() == Some(backup_id)
                && mount.disk_index == Some(disk_index);
            is_it.then(|| mount.mount_id.clone())
        });
        if let Some(mount_id) = ours {
            // The hub may have ended it meanwhile, or be about to.
            let open = self.inner.read_again().await?;
            let lasts = |mount: &OpenMount| {
                let left = told::lasts(mount, (self.inner.clock)());
                left != Some(Duration::ZERO) || self.inner.is_read(&mount.mount_id)
            };
            let same = open.into_iter().find(|mount| mount.mount_id == mount_id);
            if let Some(mount) = same.filter(lasts) {
                self.inner
                    .upkeep(&mount_id, |upkeep| upkeep.close_at = None);
                return Ok(mount);
            }
        }
        self.inner.mount(backup_id, disk_index, None).await
    }

    /// Uses a mount, so that a hub that counts from the last use gives it more time.
    ///
    /// # Errors
    /// `Unsupported` on hubs that end mounts at a fixed time, `Expired` when it is gone, `Forbidden` for those of
    /// others.
    pub async fn keep_open(&self, mount_id: &MountId) -> Result<OpenMount> {
        self.inner.refuse_others(mount_id)?;
        let mount = self.inner.ping(mount_id).await?;
        if mount.expiry == Expiry::Fixed {
            return Err(AppError::new(
                ErrorKind::Unsupported,
                words::failures::not_extended(),
                Retry::Never,
            )
            .with_hint(words::failures::remount_instead()));
        }
        Ok(mount)
    }

    /// Mounts the same disk of the same backup again and continues in the same folder.
    ///
    /// # Errors
    /// When it is not known what was mounted, or it cannot be mounted.
    pub async fn remount(&self, mount_id: &MountId) -> Result<OpenMount> {
        let old = self.inner.table().get(mount_id).cloned();
        let unknown = || {
            AppError::new(
                ErrorKind::NotFound,
                words::failures::mount_unknown(),
                Retry::Never,
            )
            .with_hint(words::failures::open_again())
        };
        let old = old.ok_or_else(unknown)?;
        let (Some(backup_id), Some(disk_index)) = (&old.mount.backup_id, old.mount.disk_index)
        else {
            return Err(unknown());
        };
        if old.upkeep.holds > 0 && old.mount.is_open {
            return Err(in_use());
        }
        if old.mount.is_open && old.mount.opened_by == Opener::Window {
            // A hub shares a mount that is there; only a new one has the full time.
            let record = &self.inner.record;
            self.inner
                .session
                .ask(async |hub| record.close(&hub, mount_id).await)
                .await?;
        }
        let new = self
            .inner
            .mount(backup_id, disk_index, Some(&old.mount.folder))
            .await?;
        if new.mount_id != *mount_id {
            let new_id = new.mount_id.clone();
            self.inner.table().succeed(mount_id, new_id);
        }
        self.inner.publish();
        Ok(new)
    }

    /// Unmounts. A mount that is already gone counts as unmounted.
    ///
    /// # Errors
    /// `Conflict` while a download reads from it, `Forbidden` for those of others.
    pub async fn close(&self, mount_id: &MountId) -> Result<()> {
        self.inner.refuse_others(mount_id)?;
        self.inner.close(mount_id).await
    }

    /// A person looks at this folder, or with `None` has left the browser.
    pub fn browse(&self, mount_id: &MountId, folder: Option<String>) {
        let unmounts = self.inner.settings.borrow().unmount_on_close;
        let now = Instant::now();
        let mut table = self.inner.table();
        let has_moved = table.change(mount_id, now, |known| match folder {
            Some(folder) => {
                known.upkeep.browsed_at = Some(now);
                known.upkeep.last_use = now;
                known.upkeep.close_at = None;
                let before = std::mem::replace(&mut known.mount.folder, folder);
                before != known.mount.folder
            }
            None => {
                known.upkeep.browsed_at = None;
                if unmounts && known.mount.opened_by == Opener::Window {
                    known.upkeep.close_at = Some(now + plan::GRACE);
                }
                false
            }
        });
        if has_moved == Some(true) {
            table.note_move(mount_id);
            self.inner.moved.notify_one();
        }
        drop(table);
        match has_moved {
            // Whoever comes back to the mount begins in this folder.
            Some(true) => self.inner.publish(),
            Some(false) => self.inner.changed.notify_one(),
            None => {}
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
        table.get(mount_id).map(|known| known.mount.clone())
    }

    /// How long a mount still lasts, whatever is done with it; `None` where use gives it more time, or nothing is known
    /// of that.
    pub(crate) fn lasts(&self, mount_id: &MountId) -> Option<Duration> {
        let mount = self.known(mount_id)?;
        let is_final = mount.is_open && mount.expiry == Expiry::Fixed;
        told::lasts(&mount, (self.inner.clock)()).filter(|_| is_final)
    }

    /// The mount that replaced this one when it ended; itself if it did not end.
    pub fn current_id(&self, mount_id: &MountId) -> MountId {
        self.inner.table().current_id(mount_id)
    }

    /// Unmounts what this app has mounted, as far as that goes quickly.
    pub async fn close_all_ours(&self) {
        let ours: Vec<MountId> = {
            let table = self.inner.table();
            let ours = table
                .iter()
                .filter(|known| known.mount.opened_by == Opener::Window && known.mount.is_open);
            ours.map(|known| known.mount.mount_id.clone()).collect()
        };
        let closing = async {
            for mount_id in ours {
                if self.inner.close(&mount_id).await.is_err() {
                    tracing::warn!(%mount_id, "a mount stays open until it expires");
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
        folder: Option<&str>,
    ) -> Result<OpenMount> {
        let record = &self.record;
        let (generation, (told, hub_now)) = self
            .session
            .ask_which(async |hub| {
                let opened = record.open(&hub, backup_id, disk_index, Opener::Window);
                Ok((opened.await?, hub.time()))
            })
            .await?;
        let now = (self.clock)();
        let mut open = told::described(&told, None, now, hub_now);
        if let Some(folder) = folder {
            folder.clone_into(&mut open.folder);
        }
        let upkeep = Upkeep::new(told::lasts(&open, now), Instant::now());
        {
            let mut table = self.table_of(generation)?;
            table.put(Known::new(open.clone(), upkeep), Instant::now());
            table.note_move(&open.mount_id);
        }
        self.moved.notify_one();
        self.publish();
        Ok(open)
    }

    /// Reads the hub's list and brings ours into line with it.
    async fn read_again(&self) -> Result<Vec<OpenMount>> {
        let record = &self.record;
        let (generation, (listed, hub_now)) = self
            .session
            .ask_which(async |hub| Ok((record.list(&hub, Opener::Window).await?, hub.time())))
            .await?;
        let (wall, now) = ((self.clock)(), Instant::now());
        let mut lost = Vec::new();
        let (before, after) = {
            let mut table = self.table_of(generation)?;
            let before = table.shown();
            for told in &listed.open {
                let id = &told.mount.mount_id;
                let old = table.get(id).map(|known| &known.mount);
                let open = told::described(told, old, wall, hub_now);
                let lasts = told::lasts(&open, wall);
                let is_known = table.change(id, now, |known| {
                    known.upkeep.ends_at(lasts);
                    known.mount = open.clone();
                });
                if is_known.is_none() {
                    table.put(Known::new(open, Upkeep::new(lasts, now)), now);
                }
            }
            for mount in &before {
                let id = &mount.mount_id;
                if listed.open.iter().any(|told| told.mount.mount_id == *id) {
                    continue;
                }
                if mount.opened_by != Opener::Window {
                    table.remove(id);
                } else if mount.is_open {
                    table.change(id, now, |known| known.mount.is_open = false);
                    lost.push(id.clone());
                }
            }
            let ours = listed.ended.iter();
            let ours = ours.filter(|row| row.opened_by == Opener::Window);
            table.recall_ended(ours.map(told::ended), now);
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

    /// Uses a mount and sees whether that gave it more time.
    async fn ping(&self, mount_id: &MountId) -> Result<OpenMount> {
        let known = self.table().get(mount_id).cloned();
        let folder = known.as_ref().map_or("/", |known| &known.mount.folder);
        let before = known.as_ref().and_then(|known| known.mount.expires_at);
        // A folder that cannot be read is still an answer; a mount that is gone shows in the list.
        drop(
            self.session
                .ask(async |hub| hub.list_files(mount_id, folder).await)
                .await,
        );
        self.upkeep(mount_id, |upkeep| upkeep.last_use = Instant::now());
        self.read_again().await?;
        let mut table = self.table();
        let used = table.change(mount_id, Instant::now(), |known| {
            if known.mount.is_open {
                known.mount.expiry = told::expiry_after_use(&known.mount, before);
            }
            known.mount.clone()
        });
        drop(table);
        let Some(mount) = used.filter(|mount| mount.is_open) else {
            return Err(AppError::new(
                ErrorKind::Expired,
                words::mounts::expired_error(),
                Retry::Never,
            ));
        };
        self.publish();
        Ok(mount)
    }

    /// Whether a download reads from it.
    fn is_read(&self, mount_id: &MountId) -> bool {
        let table = self.table();
        table
            .get(mount_id)
            .is_some_and(|known| known.upkeep.holds > 0)
    }

    async fn close(&self, mount_id: &MountId) -> Result<()> {
        if self.is_read(mount_id) {
            return Err(in_use());
        }
        let record = &self.record;
        self.session
            .ask(async |hub| record.close(&hub, mount_id).await)
            .await?;
        self.table().remove(mount_id);
        self.publish();
        Ok(())
    }

    /// What others opened is theirs to keep and to close.
    fn refuse_others(&self, mount_id: &MountId) -> Result<()> {
        let table = self.table();
        let known = table.get(mount_id);
        match known.is_some_and(|known| known.mount.is_somebody_elses()) {
            false => Ok(()),
            true => Err(AppError::new(
                ErrorKind::Forbidden,
                words::failures::mount_of_others(),
                Retry::Never,
            )
            .with_hint(words::failures::left_to_others())),
        }
    }

    /// Records where people have gone since the last time.
    async fn keep_folders(&self) {
        let Ok((hub, generation)) = self.session.current() else {
            return;
        };
        let moved = match self.table_of(generation) {
            Ok(mut table) => table.take_moved(),
            Err(_) => return,
        };
        if !moved.is_empty() {
            self.record.note_folders(&hub, moved).await;
        }
    }

    /// The deadlines that have come, and when the next one comes.
    fn due(&self) -> (Vec<(MountId, Deed)>, Option<Instant>) {
        let keeps_open = self.settings.borrow().keep_mounts_open;
        // That yet another hub is the current one by now shows at the next look.
        let Ok(mut table) = self.table_of(self.session.generation()) else {
            return (Vec::new(), Some(Instant::now()));
        };
        let deeds = table.due(Instant::now(), keeps_open);
        (deeds, table.next())
    }

    /// Does what is due. Why a question to the hub failed is in the log already.
    async fn do_it(&self, mount_id: &MountId, deed: Deed) {
        let outcome = match deed {
            Deed::Warn { minutes } => {
                let mount = self
                    .table()
                    .get(mount_id)
                    .map(|known| Box::new(known.mount.clone()));
                if let Some(mount) = mount {
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
            tracing::debug!(%mount_id, ?deed, %error, "a mount could not be looked after");
        }
    }

    fn upkeep(&self, mount_id: &MountId, change: impl FnOnce(&mut Upkeep)) {
        let now = Instant::now();
        self.table()
            .change(mount_id, now, |known| change(&mut known.upkeep));
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
    ///
    /// # Errors
    /// When yet another hub has become the current one since: what this one says counts no more.
    fn table_of(&self, generation: Generation) -> Result<MutexGuard<'_, Table>> {
        let mut table = self.table();
        if table.generation > generation {
            return Err(AppError::new(
                ErrorKind::Cancelled,
                words::failures::another_hub_chosen(),
                Retry::Never,
            ));
        }
        if table.generation < generation {
            *table = Table::of(generation);
        }
        Ok(table)
    }
}

/// Records where people go until nobody uses the mounts any more.
async fn keep_folders(inner: Weak<Inner>) {
    while let Some(strong) = inner.upgrade() {
        strong.moved.notified().await;
        strong.keep_folders().await;
    }
}

/// Looks after mounts until nobody uses them any more.
async fn look_after(inner: Weak<Inner>, mut rules: watch::Receiver<Settings>) {
    while let Some(strong) = inner.upgrade() {
        let (deeds, next) = strong.due();
        if deeds.is_empty() {
            let sleep = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            let new_rules = async {
                if rules.changed().await.is_err() {
                    // Nobody is left to change them.
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = sleep => {}
                () = strong.changed.notified() => {}
                () = new_rules => strong.table().plan_anew(Instant::now()),
            }
        }
        for (mount_id, deed) in deeds {
            strong.do_it(&mount_id, deed).await;
        }
    }
}

fn in_use() -> AppError {
    AppError::new(
        ErrorKind::Conflict,
        words::failures::mount_downloading(),
        Retry::Manual,
    )
    .with_hint(words::failures::wait_or_cancel())
}
