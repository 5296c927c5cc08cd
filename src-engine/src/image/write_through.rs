//! Flushing an image to the disk while it is still growing.
//!
//! Left alone, the system keeps written data in memory, and a backup would wait at 100 percent until gigabytes reach
//! the disk. So the disk is kept busy from the start.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

/// So much is written before it is written through. Small images never come that far.
const AT_ONCE_BYTES: u64 = 32 * 1024 * 1024;

/// What is to be done each time that a file was written through up to a mark.
type Then<M> = Box<dyn FnMut(M) -> io::Result<()> + Send>;

/// Has a file written through by a thread of its own; that thread begins when there is enough.
pub(crate) struct WriteThrough<M = ()> {
    path: PathBuf,
    at_once_bytes: u64,
    pending_bytes: u64,
    /// Goes to the thread when that begins.
    then: Option<Then<M>>,
    thread: Option<(SyncSender<M>, JoinHandle<io::Result<()>>)>,
}

impl WriteThrough {
    /// For a file that exists.
    pub(crate) fn of(path: &Path) -> Self {
        Self::and_then(path, AT_ONCE_BYTES, |()| Ok(()))
    }
}

impl<M: Send + 'static> WriteThrough<M> {
    /// For a file that exists. It is written through whenever so many bytes were written, and then this is done, with the
    /// mark up to which all of it is on the disk.
    pub(crate) fn and_then(
        path: &Path,
        at_once_bytes: u64,
        then: impl FnMut(M) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self {
            path: path.to_path_buf(),
            at_once_bytes,
            pending_bytes: 0,
            then: Some(Box::new(then)),
            thread: None,
        }
    }

    /// So much more was written, and all of it up to this mark. Does not wait.
    pub(crate) fn written(&mut self, len_bytes: u64, mark: M) -> io::Result<()> {
        self.pending_bytes += len_bytes;
        if self.pending_bytes < self.at_once_bytes {
            return Ok(());
        }
        self.pending_bytes = 0;
        if self.thread.is_none() {
            // Some systems let only those write a file through who may write to it.
            let file = File::options().write(true).open(&self.path)?;
            if let Some(mut then) = self.then.take() {
                let (wake, woken) = sync_channel::<M>(1);
                let thread = thread::spawn(move || {
                    woken.iter().try_for_each(|mark| {
                        // What was written before the mark was set is on the disk before anything is said of it.
                        file.sync_data()?;
                        then(mark)
                    })
                });
                self.thread = Some((wake, thread));
            }
        }
        if let Some((wake, _)) = &self.thread {
            // One that is still busy will be told of a later mark. One that failed tells at the end.
            drop(wake.try_send(mark));
        }
        Ok(())
    }
}

impl<M> WriteThrough<M> {
    /// Waits until nothing is being written through any more. What was written last may not be.
    ///
    /// # Errors
    /// What the disk said on the way: no later call need say it again.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        let Some((wake, thread)) = self.thread.take() else {
            return Ok(());
        };
        drop(wake);
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("writing through stopped unexpectedly")))
    }
}

impl<M> Drop for WriteThrough<M> {
    fn drop(&mut self) {
        // Only an image that is given up is dropped before its end.
        drop(self.end());
    }
}
