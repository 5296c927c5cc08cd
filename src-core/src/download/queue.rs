//! Downloads that go on whatever page the window shows: a queue with a limit.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sendense_types::{
    AppError, AppEvent, ByteSize, Download, DownloadId, DownloadKind, DownloadProgress,
    DownloadState, ErrorKind, MountId, Retry,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Destination, SavedArchive, save_file, save_zip};
use crate::{Events, HubSession, Mounts, Result};

/// So many at the same time; deployed hubs open each disk once, and more would only share its speed.
const CONCURRENT_DOWNLOADS: usize = 2;

/// All downloads since the start, with those that still wait. Cheap to clone.
#[derive(Clone)]
pub struct Downloads {
    inner: Arc<Inner>,
}

struct Inner {
    session: HubSession,
    mounts: Mounts,
    events: Events,
    queue: Mutex<Queue>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Queue {
    last_id: u32,
    jobs: BTreeMap<DownloadId, Job>,
    /// Stops those that run.
    running: HashMap<DownloadId, CancellationToken>,
}

struct Job {
    download: Download,
    destination: Destination,
}

/// What is to be saved, and where.
#[derive(Clone, Debug)]
pub struct NewDownload {
    /// The mount it comes from.
    pub mount_id: MountId,
    /// Where it lies on that mount, as the hub says it.
    pub path: String,
    /// A file, or a folder as an archive.
    pub kind: DownloadKind,
    /// Where it goes.
    pub destination: Destination,
}

impl Downloads {
    /// An empty queue.
    pub fn new(session: HubSession, mounts: Mounts, events: Events) -> Self {
        Self {
            inner: Arc::new(Inner {
                session,
                mounts,
                events,
                queue: Mutex::default(),
                tasks: TaskTracker::new(),
            }),
        }
    }

    /// Puts a download at the end of the queue. Needs a tokio runtime.
    pub fn add(&self, new: NewDownload) -> Download {
        let NewDownload {
            mount_id,
            path,
            kind,
            destination,
        } = new;
        let part = |part: Option<&std::ffi::OsStr>| {
            part.map(|part| part.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let name = part(destination.path.file_name());
        let folder = part(destination.path.parent().map(std::path::Path::as_os_str));
        let vm_name = self
            .inner
            .mounts
            .known(&mount_id)
            .and_then(|mount| mount.vm_name);
        let mut queue = self.queue();
        queue.last_id += 1;
        let download = Download {
            download_id: DownloadId(queue.last_id),
            name,
            folder,
            mount_id,
            path,
            vm_name,
            kind,
            state: DownloadState::Queued,
            progress: None,
        };
        let job = Job {
            download: download.clone(),
            destination,
        };
        queue.jobs.insert(download.download_id, job);
        drop(queue);
        self.publish(&download);
        self.start_next();
        download
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
        let mut queue = self.queue();
        if let Some(running) = queue.running.get(&id) {
            running.cancel();
            return Ok(());
        }
        let job = queue.job(id)?;
        if job.download.state.is_over() {
            return Err(AppError::new(
                ErrorKind::Conflict,
                "This download is over already.",
                Retry::Never,
            ));
        }
        job.download.state = DownloadState::Cancelled;
        let download = job.download.clone();
        drop(queue);
        self.publish(&download);
        Ok(())
    }

    /// Starts a download that failed or was stopped again. From a mount that is gone it goes on from the
    /// one that was mounted instead.
    ///
    /// # Errors
    /// When there is no such download, or it is done or on its way.
    pub fn retry(&self, id: DownloadId) -> Result<Download> {
        let mut queue = self.queue();
        let job = queue.job(id)?;
        match job.download.state {
            DownloadState::Failed { .. } | DownloadState::Cancelled => {}
            _ => {
                return Err(AppError::new(
                    ErrorKind::Conflict,
                    "There is nothing to repeat: this download did not fail.",
                    Retry::Never,
                ));
            }
        }
        job.download.mount_id = self.inner.mounts.current_id(&job.download.mount_id);
        job.download.state = DownloadState::Queued;
        job.download.progress = None;
        let download = job.download.clone();
        drop(queue);
        self.publish(&download);
        self.start_next();
        Ok(download)
    }

    /// Takes a download that is over off the list; the file stays.
    ///
    /// # Errors
    /// When there is no such download, or it is not over.
    pub fn forget(&self, id: DownloadId) -> Result<()> {
        let mut queue = self.queue();
        if !queue.job(id)?.download.state.is_over() {
            return Err(AppError::new(
                ErrorKind::Conflict,
                "This download is still on its way.",
                Retry::Never,
            )
            .with_hint("Cancel it first."));
        }
        queue.jobs.remove(&id);
        drop(queue);
        self.inner
            .events
            .publish(AppEvent::DownloadForgotten { download_id: id });
        Ok(())
    }

    /// The file that a download has saved.
    ///
    /// # Errors
    /// When there is none, or not any more.
    pub fn target(&self, id: DownloadId) -> Result<PathBuf> {
        let mut queue = self.queue();
        let job = queue.job(id)?;
        let path = job.destination.path.clone();
        if matches!(job.download.state, DownloadState::Done { .. }) && path.exists() {
            return Ok(path);
        }
        Err(
            AppError::new(ErrorKind::NotFound, "The file is not there.", Retry::Never)
                .with_hint("It was moved or deleted after it had been saved, or was never saved."),
        )
    }

    /// Downloads that run or wait.
    pub fn running(&self) -> usize {
        let queue = self.queue();
        let jobs = queue.jobs.values();
        jobs.filter(|job| !job.download.state.is_over()).count()
    }

    /// Stops all downloads and waits until nothing of them is left.
    pub async fn cancel_all(&self) {
        let ids: Vec<DownloadId> = self.queue().jobs.keys().copied().collect();
        for id in ids {
            // Those that are over stay as they are.
            drop(self.cancel(id));
        }
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.tasks.reopen();
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
            let download = job.download.clone();
            let destination = job.destination.clone();
            let cancel = CancellationToken::new();
            queue.running.insert(download.download_id, cancel.clone());
            drop(queue);
            self.publish(&download);
            let downloads = self.clone();
            self.inner.tasks.spawn(async move {
                let state = match downloads.run(&download, &destination, &cancel).await {
                    Ok(state) => state,
                    Err(error) if error.kind == ErrorKind::Cancelled => DownloadState::Cancelled,
                    Err(error) => DownloadState::Failed { error },
                };
                downloads.end(download.download_id, state);
                downloads.start_next();
            });
        }
    }

    async fn run(
        &self,
        download: &Download,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<DownloadState> {
        let _hold = self.inner.mounts.hold(&download.mount_id);
        let id = download.download_id;
        let mut report = |progress: DownloadProgress| self.moved_on(id, progress);
        self.inner
            .session
            .ask(async |hub| {
                let (mount_id, path) = (&download.mount_id, download.path.as_str());
                match download.kind {
                    DownloadKind::File => {
                        save_file(&hub, mount_id, path, destination, &mut report, cancel)
                            .await
                            .map(|saved| DownloadState::Done {
                                size_bytes: saved.size_bytes,
                                n_files: None,
                                notes: Vec::new(),
                            })
                    }
                    DownloadKind::Zip => {
                        save_zip(&hub, mount_id, path, destination, &mut report, cancel)
                            .await
                            .map(done)
                    }
                }
            })
            .await
    }

    fn moved_on(&self, id: DownloadId, progress: DownloadProgress) {
        let mut queue = self.queue();
        let Ok(job) = queue.job(id) else { return };
        job.download.progress = Some(progress);
        let download = job.download.clone();
        drop(queue);
        self.publish(&download);
    }

    fn end(&self, id: DownloadId, state: DownloadState) {
        let mut queue = self.queue();
        queue.running.remove(&id);
        let Ok(job) = queue.job(id) else { return };
        job.download.state = state;
        let download = job.download.clone();
        drop(queue);
        self.publish(&download);
    }

    fn publish(&self, download: &Download) {
        let download = Box::new(download.clone());
        self.inner
            .events
            .publish(AppEvent::DownloadChanged { download });
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics under this lock.
        self.inner
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn job(&mut self, id: DownloadId) -> Result<&mut Job> {
        self.jobs.get_mut(&id).ok_or_else(|| {
            AppError::new(
                ErrorKind::NotFound,
                "This download is not on the list any more.",
                Retry::Never,
            )
        })
    }
}

/// What is said of an archive that was saved.
fn done(archive: SavedArchive) -> DownloadState {
    let SavedArchive {
        saved,
        n_files,
        not_restored,
        unchecked,
    } = archive;
    let mut notes = Vec::new();
    notes.extend(not_restored);
    if let Some(error) = unchecked {
        notes.push(format!(
            "The archive was read through ({}), but it could not be compared with the folder: {}",
            ByteSize(saved.size_bytes),
            error.message
        ));
    }
    DownloadState::Done {
        size_bytes: saved.size_bytes,
        n_files: Some(n_files),
        notes,
    }
}
