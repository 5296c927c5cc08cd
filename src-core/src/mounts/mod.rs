//! Open mounts: who uses them, how long they last, and when they are closed.
//!
//! Those of each hub are apart, so that they stay what they are when another hub becomes the current one. One task looks
//! after all of a hub. It sleeps until the first deadline of the [`table`], which keeps them
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

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use sendense_types::{
    AppError, AppEvent, BackupId, ErrorKind, Expiry, HubId, MountId, OpenMount, Opener, Retry,
    Settings,
};
use sendense_words as words;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use self::plan::{Deed, Upkeep};
pub use self::record::{KnownMount, Listed, MountRecord, Recorded};
use self::table::{Known, Table};
use crate::{HubClient, HubSession, Result};

/// How long quitting the app waits for mounts that are still being closed.
const LAST_UNMOUNTS: Duration = Duration::from_secs(2);

/// Tells the time of this computer; passed in so that tests can fix it.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The open mounts of the current hub, and those that were left on others. Cheap to clone.
#[derive(Clone)]
pub struct Mounts {
    around: Arc<Around>,
    hubs: Arc<Mutex<BTreeMap<HubId, HubMounts>>>,
}

/// What the mounts of all hubs need.
struct Around {
    session: HubSession,
    settings: watch::Receiver<Settings>,
    clock: WallClock,
    record: MountRecord,
    /// Where they are looked after; whoever asks first may be on a thread without a runtime.
    runtime: Handle,
}

/// The mounts of one hub, looked after as long as it lives.
#[derive(Clone)]
struct HubMounts {
    inner: Arc<Inner>,
    _tasks: Arc<[AbortOnDropHandle<()>; 2]>,
}

struct Inner {
    around: Arc<Around>,
    /// Where they are.
    hub: HubId,
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

impl Hold {
    fn new(inner: Arc<Inner>, mount_id: &MountId) -> Self {
        inner.upkeep(mount_id, |upkeep| upkeep.holds += 1);
        Self {
            inner,
            mount_id: mount_id.clone(),
        }
    }
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
    /// Looks after mounts of the session's hubs, and those of the last time that are in the record. Needs a tokio
    /// runtime.
    pub fn new(
        session: HubSession,
        settings: watch::Receiver<Settings>,
        clock: WallClock,
        record: MountRecord,
    ) -> Self {
        let runtime = Handle::current();
        Self {
            around: Arc::new(Around {
                session,
                settings,
                clock,
                record,
                runtime,
            }),
            hubs: Arc::default(),
        }
    }

    /// All open mounts of the current hub, those of others included.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn list(&self) -> Result<Vec<OpenMount>> {
        let mounts = self.here();
        let listed = mounts.read_again().await?;
        mounts.refuse_left().map(|()| listed)
    }

    /// Opens a disk of a backup of the current hub, or answers our mount of it that is open already.
    ///
    /// # Errors
    /// As [`HubClient::mount`](crate::HubClient::mount).
    pub async fn open(&self, backup_id: &BackupId, disk_index: u32) -> Result<OpenMount> {
        let mounts = self.here();
        let mount = mounts.open(backup_id, disk_index).await?;
        if let Err(error) = mounts.refuse_left() {
            // Nobody will browse it.
            mounts.browse(&mount.mount_id, None);
            return Err(error);
        }
        Ok(mount)
    }

    /// The same on this hub, for a download: nobody browses it, and it goes when nothing reads from it any longer.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) async fn open_to_read(
        &self,
        hub: &HubId,
        backup_id: &BackupId,
        disk_index: u32,
    ) -> Result<(MountId, Hold)> {
        let mounts = self.at(hub);
        let mount_id = mounts.open(backup_id, disk_index).await?.mount_id;
        mounts.browse(&mount_id, None);
        let hold = Hold::new(mounts, &mount_id);
        Ok((mount_id, hold))
    }

    /// Reads from this hub again what is mounted there.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub(crate) async fn read_again(&self, hub: &HubId) -> Result<()> {
        self.at(hub).read_again().await.map(drop)
    }

    /// Uses a mount, so that a hub that counts from the last use gives it more time.
    ///
    /// # Errors
    /// `Unsupported` on hubs that end mounts at a fixed time, `Expired` when it is gone, `Forbidden` for those of
    /// others.
    pub async fn keep_open(&self, mount_id: &MountId) -> Result<OpenMount> {
        self.of(mount_id).keep_open(mount_id).await
    }

    /// Mounts the same disk of the same backup again and continues in the same folder.
    ///
    /// # Errors
    /// When it is not known what was mounted, or it cannot be mounted.
    pub async fn remount(&self, mount_id: &MountId) -> Result<OpenMount> {
        self.of(mount_id).remount(mount_id).await
    }

    /// Unmounts. A mount that is already gone counts as unmounted.
    ///
    /// # Errors
    /// `Conflict` while a download reads from it, `Forbidden` for those of others.
    pub async fn close(&self, mount_id: &MountId) -> Result<()> {
        let mounts = self.of(mount_id);
        mounts.refuse_others(mount_id)?;
        mounts.close(mount_id).await
    }

    /// A person looks at this folder, or with `None` has left the browser.
    pub fn browse(&self, mount_id: &MountId, folder: Option<String>) {
        self.of(mount_id).browse(mount_id, folder);
    }

    /// Keeps a mount open until the answer is dropped.
    pub fn hold(&self, mount_id: &MountId) -> Hold {
        Hold::new(self.of(mount_id), mount_id)
    }

    /// What is known of a mount, without asking its hub.
    pub fn known(&self, mount_id: &MountId) -> Option<OpenMount> {
        self.of(mount_id).known(mount_id)
    }

    /// The hub that a mount is on; the current one where it is not known.
    pub(crate) fn hub_of(&self, mount_id: &MountId) -> HubId {
        self.of(mount_id).hub.clone()
    }

    /// How long a mount still lasts, whatever is done with it; `None` where use gives it more time, or nothing is known
    /// of that.
    pub(crate) fn lasts(&self, mount_id: &MountId) -> Option<Duration> {
        let mounts = self.of(mount_id);
        let mount = mounts.known(mount_id)?;
        let is_final = mount.is_open && mount.expiry == Expiry::Fixed;
        told::lasts(&mount, (mounts.around.clock)()).filter(|_| is_final)
    }

    /// The mount that replaced this one when it ended; itself if it did not end.
    pub fn current_id(&self, mount_id: &MountId) -> MountId {
        self.of(mount_id).table().current_id(mount_id)
    }

    /// Unmounts what this app has mounted, on whatever hub, as far as that goes quickly.
    pub async fn close_all_ours(&self) {
        let hubs: Vec<HubMounts> = self.hubs().values().cloned().collect();
        let closing = async {
            for hub in hubs {
                let ours = hub.inner.table().ours();
                for mount_id in ours {
                    if hub.inner.close(&mount_id).await.is_err() {
                        tracing::warn!(%mount_id, "a mount stays open until it expires");
                    }
                }
            }
        };
        if tokio::time::timeout(LAST_UNMOUNTS, closing).await.is_err() {
            tracing::warn!("some mounts stay open until they expire");
        }
    }

    /// Those of the current hub.
    fn here(&self) -> Arc<Inner> {
        self.at(&self.around.session.state().current)
    }

    /// Those of this hub.
    fn at(&self, hub: &HubId) -> Arc<Inner> {
        let mut hubs = self.hubs();
        if let Some(known) = hubs.get(hub) {
            return Arc::clone(&known.inner);
        }
        // Of a hub that was removed nobody can be asked any more.
        let saved = self.around.session.state().hubs;
        hubs.retain(|id, _| saved.iter().any(|hub| hub.id == *id));
        let begun = HubMounts::begin(Arc::clone(&self.around), hub.clone());
        let inner = Arc::clone(&begun.inner);
        hubs.insert(hub.clone(), begun);
        inner
    }

    /// Those of the hub where this mount is: the current one, unless only another knows it.
    fn of(&self, mount_id: &MountId) -> Arc<Inner> {
        let here = self.here();
        if here.table().knows(mount_id) {
            return here;
        }
        let hubs = self.hubs();
        let mut others = hubs.values().map(|hub| &hub.inner);
        others
            .find(|inner| inner.table().knows(mount_id))
            .map_or(here, Arc::clone)
    }

    fn hubs(&self) -> MutexGuard<'_, BTreeMap<HubId, HubMounts>> {
        // Nothing panics under this lock.
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HubMounts {
    fn begin(around: Arc<Around>, hub: HubId) -> Self {
        let (rules, runtime) = (around.settings.clone(), around.runtime.clone());
        let inner = Arc::new(Inner {
            around,
            hub,
            table: Mutex::default(),
            changed: Notify::new(),
            moved: Notify::new(),
        });
        let tasks = [
            runtime.spawn(look_after(Arc::downgrade(&inner), rules)),
            // Apart, because a slow disk must not keep mounts waiting.
            runtime.spawn(keep_folders(Arc::downgrade(&inner))),
        ];
        Self {
            inner,
            _tasks: Arc::new(tasks.map(AbortOnDropHandle::new)),
        }
    }
}

impl Inner {
    async fn open(&self, backup_id: &BackupId, disk_index: u32) -> Result<OpenMount> {
        let ours = self.table().iter().find_map(|known| {
            let mount = &known.mount;
            let is_it = mount.opened_by == Opener::Window
                && mount.is_open
                && mount.backup_id.as_ref() == Some(backup_id)
                && mount.disk_index == Some(disk_index);
            is_it.then(|| mount.mount_id.clone())
        });
        if let Some(mount_id) = ours {
            // The hub may have ended it meanwhile, or be about to.
            let open = self.read_again().await?;
            let lasts = |mount: &OpenMount| {
                let left = told::lasts(mount, (self.around.clock)());
                left != Some(Duration::ZERO) || self.is_read(&mount.mount_id)
            };
            let same = open.into_iter().find(|mount| mount.mount_id == mount_id);
            if let Some(mount) = same.filter(lasts) {
                self.upkeep(&mount_id, |upkeep| upkeep.close_at = None);
                return Ok(mount);
            }
        }
        self.mount(backup_id, disk_index, None).await
    }

    async fn keep_open(&self, mount_id: &MountId) -> Result<OpenMount> {
        self.refuse_others(mount_id)?;
        let mount = self.ping(mount_id).await?;
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

    async fn remount(&self, mount_id: &MountId) -> Result<OpenMount> {
        let old = self.table().get(mount_id).cloned();
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
            let record = &self.around.record;
            self.ask(async |hub| record.close(&hub, mount_id).await)
                .await?;
        }
        let new = self
            .mount(backup_id, disk_index, Some(&old.mount.folder))
            .await?;
        if new.mount_id != *mount_id {
            let new_id = new.mount_id.clone();
            self.table().succeed(mount_id, new_id);
        }
        self.publish();
        Ok(new)
    }

    fn browse(&self, mount_id: &MountId, folder: Option<String>) {
        let unmounts = self.around.settings.borrow().unmount_on_close;
        let now = Instant::now();
        let mut table = self.table();
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
            self.moved.notify_one();
        }
        drop(table);
        match has_moved {
            // Whoever comes back to the mount begins in this folder.
            Some(true) => self.publish(),
            Some(false) => self.changed.notify_one(),
            None => {}
        }
    }

    fn known(&self, mount_id: &MountId) -> Option<OpenMount> {
        let table = self.table();
        table.get(mount_id).map(|known| known.mount.clone())
    }

    async fn mount(
        &self,
        backup_id: &BackupId,
        disk_index: u32,
        folder: Option<&str>,
    ) -> Result<OpenMount> {
        let record = &self.around.record;
        let (told, hub_now) = self
            .ask(async |hub| {
                let opened = record.open(&hub, backup_id, disk_index, Opener::Window);
                Ok((opened.await?, hub.time()))
            })
            .await?;
        let now = (self.around.clock)();
        let mut open = told::described(&told, None, now, hub_now);
        if let Some(folder) = folder {
            folder.clone_into(&mut open.folder);
        }
        let upkeep = Upkeep::new(told::lasts(&open, now), Instant::now());
        {
            let mut table = self.table();
            table.put(Known::new(open.clone(), upkeep), Instant::now());
            table.note_move(&open.mount_id);
        }
        self.moved.notify_one();
        self.publish();
        Ok(open)
    }

    /// Reads the hub's list and brings ours into line with it.
    async fn read_again(&self) -> Result<Vec<OpenMount>> {
        let record = &self.around.record;
        let list = async |hub: HubClient| {
            let listed = record.list(&hub, Opener::Window).await?;
            Ok((listed, hub.time()))
        };
        let session = &self.around.session;
        let (generation, (listed, hub_now)) = session.ask_which(Some(&self.hub), list).await?;
        let (wall, now) = ((self.around.clock)(), Instant::now());
        let mut lost = Vec::new();
        let (before, after, is_news) = {
            let mut table = self.table();
            // Whoever has come back from another hub knows of none of them.
            let is_news = std::mem::replace(&mut table.generation, generation) != generation;
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
            (before, table.shown(), is_news)
        };
        for mount_id in lost {
            self.tell(AppEvent::MountLost { mount_id });
        }
        if is_news || before != after {
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
        let listing = self.ask(async |hub| hub.list_files(mount_id, folder).await);
        drop(listing.await);
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
        let record = &self.around.record;
        self.ask(async |hub| record.close(&hub, mount_id).await)
            .await?;
        self.table().remove(mount_id);
        self.publish();
        Ok(())
    }

    /// What is asked for the window and answered after its user has turned to another hub is nothing to show.
    fn refuse_left(&self) -> Result<()> {
        match self.around.session.state().current == self.hub {
            true => Ok(()),
            false => Err(AppError::new(
                ErrorKind::Cancelled,
                words::failures::another_hub_chosen(),
                Retry::Never,
            )),
        }
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
        let Ok((hub, _)) = self.around.session.reach(Some(&self.hub)) else {
            return;
        };
        let moved = self.table().take_moved();
        if !moved.is_empty() {
            self.around.record.note_folders(&hub, moved).await;
        }
    }

    /// The deadlines that have come, and when the next one comes.
    fn due(&self) -> (Vec<(MountId, Deed)>, Option<Instant>) {
        let keeps_open = self.around.settings.borrow().keep_mounts_open;
        let mut table = self.table();
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
                    self.tell(AppEvent::MountExpiring { mount, minutes });
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
        self.tell(AppEvent::MountsChanged { mounts });
        self.changed.notify_one();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics under this lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask<T>(&self, question: impl AsyncFnOnce(HubClient) -> Result<T>) -> Result<T> {
        self.around.session.ask_at(&self.hub, question).await
    }

    fn tell(&self, event: AppEvent) {
        self.around.session.tell(&self.hub, event);
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
