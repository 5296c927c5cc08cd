//! Downloads that continue whatever page the window shows: a queue with a limit, and a record of what is not done.

mod items;
mod keeping;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sendense_types::{
    AppError, AppEvent, BackupId, ByteSize, Download, DownloadId, DownloadKind, DownloadProgress,
    DownloadState, ErrorKind, FolderFormat, FolderSize, HubId, MountId, Retry,
};
use sendense_words as words;
use tokio::runtime::Handle;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

pub use self::items::name_for;
use self::items::occupant;
use super::arrival::remove_left;
use super::measure::measure_folders;
use super::record::DownloadRecord;
use super::{Destination, FailedFile, SavedFolder, save_file, save_folder};
use crate::mounts::Hold;
use crate::{Events, HubSession, Mounts, Result};

/// So many at the same time; deployed hubs open each disk once, and more would only share its speed.
const CONCURRENT_DOWNLOADS: usize = 2;
/// So old the record may be when the app is killed.
const RECORD_EVERY: Duration = Duration::from_secs(1);

/// All downloads since the start, with those that still wait or were not done at the last one. Cheap to clone.
#[derive(Clone)]
pub struct Downloads {
    inner: Arc<Inner>,
    /// Ends with the last of them.
    _recording: Arc<AbortOnDropHandle<()>>,
}

struct Inner {
    session: HubSession,
    mounts: Mounts,
    events: Events,
    queue: Mutex<Queue>,
    tasks: TaskTracker,
    record: DownloadRecord,
    /// Something is to be recorded.
    changed: Notify,
    /// The hubs whose downloads are on record as they are here; whoever holds them reads and writes.
    recorded: AsyncMutex<BTreeSet<HubId>>,
    /// Where downloads run; whoever adds one may be on a thread without a runtime.
    runtime: Handle,
}

#[derive(Default)]
struct Queue {
    last_id: u32,
    jobs: BTreeMap<DownloadId, Job>,
    /// Stops those that run.
    running: HashMap<DownloadId, CancellationToken>,
    /// Those of them that are stopped only to be gone on with.
    pausing: BTreeSet<DownloadId>,
}

struct Job {
    download: Download,
    destination: Destination,
    /// Where it comes from, should its mount be gone when it is started again.
    source: Source,
    /// Keeps the mount from the moment on that somebody asked for the file.
    hold: Option<Hold>,
    /// Files of a folder that could not be had.
    failed: Vec<FailedFile>,
}

/// What a mount was of.
#[derive(Clone)]
struct Source {
    hub: HubId,
    backup_id: Option<BackupId>,
    disk_index: Option<u32>,
    vm_name: Option<String>,
}

/// What is to be saved, and where.
#[derive(Clone, Debug)]
pub struct NewDownload {
    /// The mount it comes from.
    pub mount_id: MountId,
    /// Its path on that mount, as the hub gives it.
    pub path: String,
    /// A file, or a folder and what becomes of it.
    pub kind: DownloadKind,
    /// Where it goes.
    pub destination: Destination,
    /// Of a file, its size in bytes, as its folder says.
    pub size_bytes: Option<u64>,
    /// When it was changed last, as its folder says.
    pub modified_time: Option<Timestamp>,
}

impl Downloads {
    /// A queue with what is on record, which is read by and by and waits to be gone on with. Needs a tokio runtime, on
    /// which all its downloads will run.
    pub fn new(
        session: HubSession,
        mounts: Mounts,
        events: Events,
        record: DownloadRecord,
    ) -> Self {
        let inner = Arc::new(Inner {
            session,
            mounts,
            events,
            queue: Mutex::default(),
            tasks: TaskTracker::new(),
            record,
            changed: Notify::new(),
            recorded: AsyncMutex::default(),
            runtime: Handle::current(),
        });
        let recording = Arc::clone(&inner);
        let recording = tokio::spawn(async move {
            recording.read_record().await;
            loop {
                recording.changed.notified().await;
                // Of many small files that are done one after another, not each is worth a write.
                tokio::time::sleep(RECORD_EVERY).await;
                recording.write_record().await;
            }
        });
        Self {
            inner,
            _recording: Arc::new(AbortOnDropHandle::new(recording)),
        }
    }

    /// Puts a download at the end of the queue.
    pub fn add(&self, new: NewDownload) -> Download {
        let mount = self.inner.mounts.known(&new.mount_id);
        let source = Source {
            hub: self.inner.mounts.hub_of(&new.mount_id),
            backup_id: mount.as_ref().and_then(|mount| mount.backup_id.clone()),
            disk_index: mount.as_ref().and_then(|mount| mount.disk_index),
            vm_name: mount.and_then(|mount| mount.vm_name),
        };
        self.add_from(new, source)
    }

    fn add_from(&self, new: NewDownload, source: Source) -> Download {
        let NewDownload {
            mount_id,
            path,
            kind,
            destination,
            size_bytes,
            modified_time,
        } = new;
        let (name, folder) = shown(&destination.path);
        let mount_id = self.inner.mounts.current_id(&mount_id);
        let there = occupant(&destination, kind);
        // Somebody may take days to decide.
        let hold = there.is_none().then(|| self.inner.mounts.hold(&mount_id));
        let mut queue = self.queue();
        queue.last_id += 1;
        let download = Download {
            download_id: DownloadId(queue.last_id),
            name,
            folder,
            mount_id,
            path,
            vm_name: source.vm_name.clone(),
            kind,
            size_bytes,
            modified_time,
            state: match there {
                Some(there) => DownloadState::Taken { there },
                None => DownloadState::Queued,
            },
            progress: None,
        };
        let job = Job {
            download: download.clone(),
            destination,
            source,
            hold,
            failed: Vec::new(),
        };
        queue.jobs.insert(download.download_id, job);
        drop(queue);
        self.publish(&download);
        self.start_next();
        download
    }

    /// How much is in folders and everything below, and what of it will not arrive as it is.
    ///
    /// # Errors
    /// When the hub cannot list them.
    pub async fn measure_folders(
        &self,
        mount_id: &MountId,
        paths: &[String],
        format: FolderFormat,
    ) -> Result<FolderSize> {
        let lasts = self.inner.mounts.lasts(mount_id);
        let hub = self.inner.mounts.hub_of(mount_id);
        let measured = self.inner.session.ask_at(&hub, async |hub| {
            let hub = hub.for_as_long_as(lasts);
            measure_folders(&hub, mount_id, paths, format).await
        });
        measured.await
    }

    /// All downloads, newest first.
    pub fn list(&self) -> Vec<Download> {
        let queue = self.queue();
        let jobs = queue.jobs.values().rev();
        jobs.map(|job| job.download.clone()).collect()
    }

    /// Stops a download; nothing of it stays.
    ///
    /// # Errors
    /// When there is no such download, or it is over.
    pub fn cancel(&self, id: DownloadId) -> Result<()> {
        self.stop(id, false)
    }

    /// Stops a download to be gone on with. What has arrived of a file stays, where its hub can send the rest.
    ///
    /// # Errors
    /// When there is no such download, or it is over.
    pub fn pause(&self, id: DownloadId) -> Result<()> {
        self.stop(id, true)
    }

    fn stop(&self, id: DownloadId, is_pause: bool) -> Result<()> {
        let mut queue = self.queue();
        if let Some(running) = queue.running.get(&id) {
            running.cancel();
            match is_pause {
                true => queue.pausing.insert(id),
                false => queue.pausing.remove(&id),
            };
            return Ok(());
        }
        let job = queue.job(id)?;
        if job.download.state.is_over() {
            return Err(AppError::new(
                ErrorKind::Conflict,
                words::failures::download_over(),
                Retry::Never,
            ));
        }
        job.download.state = match is_pause {
            true => DownloadState::Paused,
            false => DownloadState::Cancelled,
        };
        let hold = job.hold.take();
        let download = job.download.clone();
        drop(queue);
        drop(hold);
        self.publish(&download);
        Ok(())
    }

    /// Restarts a download that failed, was paused or was cancelled. When its mount is gone, its backup is opened
    /// again for it.
    ///
    /// # Errors
    /// When there is no such download, or it is done or on its way.
    pub fn retry(&self, id: DownloadId) -> Result<Download> {
        let mut queue = self.queue();
        let job = queue.job(id)?;
        match job.download.state {
            DownloadState::Failed { .. } | DownloadState::Paused | DownloadState::Cancelled => {}
            _ => {
                return Err(AppError::new(
                    ErrorKind::Conflict,
                    words::failures::nothing_to_retry(),
                    Retry::Never,
                ));
            }
        }
        job.download.mount_id = self.inner.mounts.current_id(&job.download.mount_id);
        job.hold = Some(self.inner.mounts.hold(&job.download.mount_id));
        job.download.state = DownloadState::Queued;
        let download = job.download.clone();
        drop(queue);
        self.publish(&download);
        self.start_next();
        Ok(download)
    }

    /// Takes a download that is over off the list; the file stays, and of one that is not done nothing.
    ///
    /// # Errors
    /// When there is no such download, or it is not over.
    pub fn forget(&self, id: DownloadId) -> Result<()> {
        let mut queue = self.queue();
        if !queue.job(id)?.download.state.is_over() {
            return Err(AppError::new(
                ErrorKind::Conflict,
                words::failures::download_running(),
                Retry::Never,
            )
            .with_hint(words::failures::cancel_first()));
        }
        let job = queue.jobs.remove(&id);
        drop(queue);
        if let Some(job) = job
            && !matches!(job.download.state, DownloadState::Done { .. })
        {
            remove_left(&job.destination);
        }
        self.inner.changed.notify_one();
        self.inner
            .events
            .publish(AppEvent::DownloadForgotten { download_id: id });
        Ok(())
    }

    /// The file that a download has saved.
    ///
    /// # Errors
    /// When there is none, or it is no longer there.
    pub fn target(&self, id: DownloadId) -> Result<PathBuf> {
        let mut queue = self.queue();
        let job = queue.job(id)?;
        let path = job.destination.path.clone();
        if matches!(job.download.state, DownloadState::Done { .. }) && path.exists() {
            return Ok(path);
        }
        Err(AppError::new(
            ErrorKind::NotFound,
            words::failures::file_gone(),
            Retry::Never,
        )
        .with_hint(words::failures::file_gone_why()))
    }

    /// Downloads that run or wait.
    pub fn running(&self) -> usize {
        let queue = self.queue();
        let jobs = queue.jobs.values();
        jobs.filter(|job| !job.download.state.is_over()).count()
    }

    /// Pauses all downloads and waits until that is done and on record.
    pub async fn pause_all(&self) {
        let ids: Vec<DownloadId> = self.queue().jobs.keys().copied().collect();
        for id in ids {
            // Those that are over stay as they are.
            drop(self.pause(id));
        }
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.tasks.reopen();
        self.inner.write_record().await;
    }

    /// Starts those that wait, in their order, as far as the limit allows.
    fn start_next(&self) {
        loop {
            let mut queue = self.queue();
            if queue.running.len() >= CONCURRENT_DOWNLOADS {
                return;
            }
            let waiting = queue
                .jobs
                .values_mut()
                .find(|job| job.download.state == DownloadState::Queued);
            let Some(job) = waiting else { return };
            job.download.state = DownloadState::Running;
            let mut download = job.download.clone();
            let (destination, source) = (job.destination.clone(), job.source.clone());
            let cancel = CancellationToken::new();
            queue.running.insert(download.download_id, cancel.clone());
            drop(queue);
            self.publish(&download);
            let downloads = self.clone();
            let run = async move {
                let id = download.download_id;
                let mut outcome = downloads
                    .once(&mut download, &source, &destination, &cancel)
                    .await;
                if let Err(error) = &outcome
                    && error.kind == ErrorKind::Expired
                {
                    // The disk is read again from a mount of its own: once, because one that ends at once would end
                    // again. That the hub does not answer is known by then.
                    drop(downloads.inner.mounts.read_again(&source.hub).await);
                    outcome = downloads
                        .once(&mut download, &source, &destination, &cancel)
                        .await;
                }
                let state = match outcome {
                    Ok(state) => state,
                    Err(error) if error.kind == ErrorKind::Cancelled => {
                        downloads.stopped(id, destination).await
                    }
                    Err(error) => match occupant(&destination, download.kind) {
                        Some(there) if error.kind == ErrorKind::Conflict => {
                            DownloadState::Taken { there }
                        }
                        _ => DownloadState::Failed { error },
                    },
                };
                downloads.end(id, state);
                downloads.start_next();
            };
            self.inner.tasks.spawn_on(run, &self.inner.runtime);
        }
    }

    async fn once(
        &self,
        download: &mut Download,
        source: &Source,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<DownloadState> {
        self.reach(download, source).await?;
        self.run(&source.hub, download, destination, cancel).await
    }

    /// Sees to it that the mount of a download is open, on the hub that it comes from.
    async fn reach(&self, download: &mut Download, source: &Source) -> Result<()> {
        let mounts = &self.inner.mounts;
        let is_open = mounts
            .known(&download.mount_id)
            .is_some_and(|mount| mount.is_open);
        let (Some(backup_id), Some(disk_index), false) =
            (&source.backup_id, source.disk_index, is_open)
        else {
            return Ok(());
        };
        let opened = mounts.open_to_read(&source.hub, backup_id, disk_index);
        let (mount_id, hold) = opened.await?;
        download.mount_id = mount_id;
        let mut queue = self.queue();
        let job = queue.job(download.download_id)?;
        job.download.mount_id = download.mount_id.clone();
        let last = job.hold.replace(hold);
        drop(queue);
        drop(last);
        Ok(())
    }

    async fn run(
        &self,
        hub: &HubId,
        download: &Download,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<DownloadState> {
        let id = download.download_id;
        let mut report = |progress: DownloadProgress| self.moved_on(id, progress);
        self.inner
            .session
            .ask_at(hub, async |hub| {
                let hub = hub.for_as_long_as(self.inner.mounts.lasts(&download.mount_id));
                let (mount_id, path) = (&download.mount_id, download.path.as_str());
                match download.kind {
                    DownloadKind::File => {
                        save_file(&hub, mount_id, path, destination, &mut report, cancel)
                            .await
                            .map(|saved| DownloadState::Done {
                                size_bytes: saved.size_bytes,
                                n_files: None,
                                notes: Vec::new(),
                                n_failed: 0,
                            })
                    }
                    DownloadKind::Folder(format) => {
                        let report = &mut report;
                        save_folder(&hub, mount_id, path, format, destination, report, cancel)
                            .await
                            .map(|folder| self.done(id, folder))
                    }
                }
            })
            .await
    }

    /// What is said of a folder that was saved.
    fn done(&self, id: DownloadId, folder: SavedFolder) -> DownloadState {
        let SavedFolder {
            size_bytes,
            n_files,
            problems,
            failed,
            unchecked,
            ..
        } = folder;
        let mut notes = Vec::new();
        notes.extend(problems);
        if let Some(error) = unchecked {
            let size = ByteSize(size_bytes);
            notes.push(words::failures::archive_unchecked(size, error.message));
        }
        let n_failed = failed.len();
        if let Ok(job) = self.queue().job(id) {
            job.failed = failed;
        }
        DownloadState::Done {
            size_bytes,
            n_files: Some(n_files),
            notes,
            n_failed,
        }
    }

    fn moved_on(&self, id: DownloadId, progress: DownloadProgress) {
        let mut queue = self.queue();
        let Ok(job) = queue.job(id) else { return };
        job.download.progress = Some(progress);
        let download = job.download.clone();
        drop(queue);
        self.inner.publish(&download);
    }

    /// What becomes of a download that somebody stopped.
    async fn stopped(&self, id: DownloadId, destination: Destination) -> DownloadState {
        if self.queue().pausing.contains(&id) {
            return DownloadState::Paused;
        }
        let removing = tokio::task::spawn_blocking(move || remove_left(&destination));
        drop(removing.await.inspect_err(|died| {
            tracing::error!(%died, "what a download has left stays");
        }));
        DownloadState::Cancelled
    }

    fn end(&self, id: DownloadId, state: DownloadState) {
        let mut queue = self.queue();
        queue.running.remove(&id);
        queue.pausing.remove(&id);
        let Ok(job) = queue.job(id) else { return };
        if let Some(progress) = &mut job.download.progress {
            // Nothing moves any more.
            (progress.speed_bps, progress.eta_seconds) = (None, None);
        }
        job.download.state = state;
        let hold = job.hold.take();
        let download = job.download.clone();
        drop(queue);
        drop(hold);
        self.publish(&download);
    }

    /// Tells of a download that stands elsewhere than before.
    fn publish(&self, download: &Download) {
        self.inner.changed.notify_one();
        self.inner.publish(download);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.inner.queue()
    }
}

impl Inner {
    fn publish(&self, download: &Download) {
        let download = Box::new(download.clone());
        self.events.publish(AppEvent::DownloadChanged { download });
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics under this lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name and the folder of a place, to be shown.
fn shown(place: &Path) -> (String, String) {
    let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    (
        text(place.file_name()),
        text(place.parent().map(Path::as_os_str)),
    )
}

impl Queue {
    fn job(&mut self, id: DownloadId) -> Result<&mut Job> {
        self.jobs.get_mut(&id).ok_or_else(|| {
            AppError::new(
                ErrorKind::NotFound,
                words::failures::download_unknown(),
                Retry::Never,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use sendense_types::Settings;
    use tokio::sync::watch;

    use sendense_types::commands::Credentials;
    use sendense_types::{SignInKind, Trust};

    use super::*;
    use crate::download::Existing;
    use crate::testing::{FakeHub, json};
    use crate::{MemorySecrets, MountRecord};

    pub(super) fn no_downloads(runtime: &tokio::runtime::Runtime) -> Downloads {
        let (events, (_, settings)) = (Events::new(), watch::channel(Settings::default()));
        let secrets = Arc::new(MemorySecrets::default());
        let hub = HubId::this_computer();
        let session = HubSession::new(Vec::new(), hub.clone(), secrets, events.clone());
        let no_hub = AppError::new(ErrorKind::Offline, "It cannot start.", Retry::Manual);
        session.set_local_hub(Err(no_hub));
        runtime.block_on(session.connect(&hub)).unwrap();
        let clock = Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
        let _entered = runtime.enter();
        let record = MountRecord::in_folder(None);
        let mounts = Mounts::new(session.clone(), settings, clock, record);
        Downloads::new(session, mounts, events, DownloadRecord::in_folder(None))
    }

    /// Whoever runs the window may call from its own thread, on which tokio is not.
    #[test]
    fn downloads_may_be_asked_for_from_a_thread_without_a_runtime() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let downloads = no_downloads(&runtime);
        let added = downloads.add(NewDownload {
            mount_id: MountId::new("m1"),
            path: "/a".to_owned(),
            kind: DownloadKind::File,
            destination: Destination {
                path: PathBuf::from("a"),
                existing: Existing::Keep,
            },
            size_bytes: None,
            modified_time: None,
        });
        let ends_failed = || {
            let began = Instant::now();
            while !matches!(downloads.list()[0].state, DownloadState::Failed { .. }) {
                assert!(began.elapsed() < Duration::from_secs(20));
                std::thread::yield_now();
            }
        };
        // There is no hub.
        ends_failed();
        downloads.retry(added.download_id).unwrap();
        ends_failed();
    }

    /// A hub that mounts the disk as m1 first, which is gone when a file is wanted from it, and as m2 afterwards.
    async fn forgetful_hub() -> FakeHub {
        let n_mounts = AtomicUsize::new(0);
        let mount = |id: usize| format!(r#"{{"mount_id":"m{id}","status":"mounted"}}"#);
        FakeHub::start(move |line| {
            let current = n_mounts.load(Ordering::Relaxed);
            if line.starts_with("POST") {
                n_mounts.store(current + 1, Ordering::Relaxed);
                return json(200, "", &mount(current + 1));
            }
            if line.contains("/mounts") {
                let rows = (2..=current).map(mount).collect::<Vec<_>>().join(",");
                return json(200, "", &format!(r#"{{"mounts":[{rows}]}}"#));
            }
            match line.contains("/restore/m2/") {
                true if line.contains("/file-info") => json(
                    200,
                    "",
                    r#"{"name":"a","path":"/a","type":"file","size":5}"#,
                ),
                true => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"
                    .to_owned(),
                false if line.contains("/restore/") => {
                    json(500, "", r#"{"error":"mount not found: record not found"}"#)
                }
                false => json(200, "", r#"{"vm_contexts":[],"count":0}"#),
            }
        })
        .await
    }

    /// Contract D44.
    #[tokio::test]
    async fn a_download_goes_on_from_a_new_mount_of_its_hub_whatever_hub_is_the_current_one() {
        let (hub, other) = (forgetful_hub().await, forgetful_hub().await);
        let (events, (_settings, rules)) = (Events::new(), watch::channel(Settings::default()));
        let secrets = Arc::new(MemorySecrets::default());
        let here = HubId::this_computer();
        let session = HubSession::new(Vec::new(), here, secrets, events.clone());
        let add = async |hub: &FakeHub| {
            let none = Credentials::None;
            let added = session.add("", &hub.address, Trust::System, &none).await;
            assert_eq!(
                added.unwrap().current_hub().unwrap().sign_in,
                SignInKind::None
            );
        };
        add(&hub).await;
        let clock = Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
        let record = MountRecord::in_folder(None);
        let mounts = Mounts::new(session.clone(), rules, clock, record);
        let downloads = Downloads::new(
            session.clone(),
            mounts.clone(),
            events.clone(),
            DownloadRecord::in_folder(None),
        );
        let mount = mounts.open(&BackupId::from("b1"), 0).await.unwrap();
        assert_eq!(mount.mount_id, MountId::new("m1"));
        let folder = tempfile::tempdir().unwrap();
        let new = NewDownload {
            mount_id: mount.mount_id,
            path: "/a".to_owned(),
            kind: DownloadKind::File,
            destination: Destination {
                path: folder.path().join("a"),
                existing: Existing::Keep,
            },
            size_bytes: None,
            modified_time: None,
        };
        let mut news = events.subscribe();
        let asked_before = hub.asked().len();
        downloads.add(new);
        add(&other).await;
        let n_asked_other = other.asked().len();
        let state = loop {
            if let AppEvent::DownloadChanged { download } = news.recv().await.unwrap()
                && download.state.is_over()
            {
                break download.state;
            }
        };
        assert!(
            matches!(state, DownloadState::Done { size_bytes: 5, .. }),
            "{state:?} after {:?}",
            &hub.asked()[asked_before..]
        );
        assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), b"hello");
        assert_eq!(other.asked().len(), n_asked_other);
    }
}
