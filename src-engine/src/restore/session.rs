//! One open disk: a thread that owns the readers for browsing, and a separate thread for each download.
//!
//! Listings go to the session's thread one after another; each is short, because it reads one folder. Downloads do not:
//! they last as long as the client takes, so each opens its own readers of the shared image (about a millisecond) on
//! its own thread. A slow download delays neither a listing nor another download, and dropping its body cancels it.

use std::{io, sync::Arc, thread, time::Duration};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::{
    Error, Result,
    stream::{ChunkSink, Chunks, chunks},
    tree::{OpenDisk, Readers},
};

/// Requests that wait for the thread; more of them wait at their sender.
const N_WAITING_JOBS: usize = 32;

/// A folder is listed in milliseconds. Who waits that long is better told than kept.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

type Job = Box<dyn FnOnce(&mut Readers) + Send>;

/// An open disk. Dropped, it ends its thread after the job at hand.
#[derive(Debug)]
pub(crate) struct Session {
    disk: Arc<OpenDisk>,
    mounted_at: Timestamp,
    jobs: mpsc::Sender<Job>,
}

impl Session {
    /// Starts the thread that owns the readers.
    pub(crate) fn start(disk: OpenDisk, mounted_at: Timestamp) -> Result<Self> {
        let disk = Arc::new(disk);
        let (jobs, mut waiting) = mpsc::channel::<Job>(N_WAITING_JOBS);
        let shared = Arc::clone(&disk);
        spawn("mount", move || {
            let mut readers = Readers::new(shared, mounted_at);
            while let Some(job) = waiting.blocking_recv() {
                job(&mut readers);
            }
        })?;
        Ok(Self {
            disk,
            mounted_at,
            jobs,
        })
    }

    /// The thread is gone: it panicked, and the disk has to be opened again.
    pub(crate) fn is_stopped(&self) -> bool {
        self.jobs.is_closed()
    }

    /// The disk that is open.
    pub(crate) fn disk(&self) -> &OpenDisk {
        &self.disk
    }

    /// Has the thread answer a question about the disk.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Readers) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |readers| {
            // Nobody waits any more, so nobody needs the answer.
            if !answer.is_closed() {
                let _asker_gone = answer.send(question(readers));
            }
        });
        let answered = async {
            self.jobs
                .send(job)
                .await
                .map_err(|_| Error::ReaderStopped)?;
            answered.await.map_err(|_| Error::ReaderStopped)?
        };
        tokio::time::timeout(ANSWER_TIMEOUT, answered)
            .await
            .map_err(|_| Error::ReaderBusy)?
    }

    /// Streams something from a thread with readers of its own.
    ///
    /// `open` decides whether there is an answer at all, and with it the status; `write` then
    /// produces the body. `guard` is dropped when the thread ends, however it ends.
    pub(crate) async fn stream<T: 'static>(
        &self,
        guard: impl Send + 'static,
        open: impl FnOnce(&mut Readers) -> Result<T> + Send + 'static,
        write: impl FnOnce(&mut Readers, T, &mut ChunkSink) -> io::Result<()> + Send + 'static,
    ) -> Result<Chunks> {
        let (sink, chunks) = chunks();
        let (opened, has_opened) = oneshot::channel();
        let disk = Arc::clone(&self.disk);
        let mounted_at = self.mounted_at;
        spawn("download", move || {
            let _guard = guard;
            let mut readers = Readers::new(disk, mounted_at);
            match open(&mut readers) {
                Err(error) => {
                    let _asker_gone = opened.send(Err(error));
                }
                Ok(source) => {
                    if opened.send(Ok(())).is_ok() {
                        finish(sink, |sink| write(&mut readers, source, sink));
                    }
                }
            }
        })?;
        has_opened.await.map_err(|_| Error::ReaderStopped)??;
        Ok(chunks)
    }
}

/// Ends a body according to what came of it.
fn finish(mut sink: ChunkSink, write: impl FnOnce(&mut ChunkSink) -> io::Result<()>) {
    match write(&mut sink) {
        Ok(()) => sink.end(),
        Err(error) if sink.is_unwanted() => {
            tracing::debug!(%error, "a client broke off a download");
        }
        Err(error) => {
            tracing::warn!(%error, "a download broke off");
            sink.fail(error);
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
        .map_err(Error::Thread)
}
