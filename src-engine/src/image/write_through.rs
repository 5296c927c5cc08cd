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

/// Has a file written through by a thread of its own; that thread begins when there is enough.
pub(crate) struct WriteThrough {
    path: PathBuf,
    pending_bytes: u64,
    thread: Option<(SyncSender<()>, JoinHandle<io::Result<()>>)>,
}

impl WriteThrough {
    /// For a file that exists.
    pub(crate) fn of(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            pending_bytes: 0,
            thread: None,
        }
    }

    /// So much more was written. Does not wait.
    pub(crate) fn written(&mut self, len_bytes: u64) -> io::Result<()> {
        self.pending_bytes += len_bytes;
        if self.pending_bytes < AT_ONCE_BYTES {
            return Ok(());
        }
        self.pending_bytes = 0;
        if self.thread.is_none() {
            // Some systems let only those write a file through who may write to it.
            let file = File::options().write(true).open(&self.path)?;
            let (wake, woken) = sync_channel::<()>(1);
            let thread = thread::spawn(move || woken.iter().try_for_each(|()| file.sync_data()));
            self.thread = Some((wake, thread));
        }
        if let Some((wake, _)) = &self.thread {
            // One that is still busy will be woken at once when it is done. One that failed tells at the end.
            let _ = wake.try_send(());
        }
        Ok(())
    }

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

impl Drop for WriteThrough {
    fn drop(&mut self) {
        // Only an image that is given up is dropped before its end.
        drop(self.end());
    }
}
