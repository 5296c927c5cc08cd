//! A filesystem with little room: a tmpfs in a user namespace, which needs no root.

use std::io::Read;
use std::path::Path;
use std::process::Child;

use crate::{Tool, temp_dir, tool};

const FILLER: &str = "filler";

/// A small filesystem, gone with the value. Only programs started through it see what is on it.
pub struct SmallDisk {
    /// Keeps the namespace until its input ends.
    holder: Child,
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// A filesystem of that size, such as `100m`; `None` where the system allows none.
    pub fn new(size: &str) -> Option<Self> {
        let folder = temp_dir();
        let script =
            format!("mount -t tmpfs -o size={size} none \"$1\" && echo mounted && exec cat");
        let mut holder = tool("unshare")
            .args(["-rm", "sh", "-c", &script, "sh"])
            .arg(folder.path())
            .spawn();
        let mut said = [0; 7];
        let stdout = holder.stdout.as_mut().expect("standard output is piped");
        if stdout.read_exact(&mut said).is_err() {
            drop(holder.wait());
            return None;
        }
        Some(Self { holder, folder })
    }

    /// Where it is, for programs started through it.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A program that sees the filesystem; it starts in it.
    pub fn tool(&self, name: impl AsRef<std::ffi::OsStr>) -> Tool {
        tool("nsenter")
            .args(["-t", &self.holder.id().to_string(), "-U", "-m"])
            .args(["--preserve-credentials", "--"])
            // A folder given to nsenter would be the one that lies beneath.
            .args(["sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh"])
            .arg(self.path())
            .arg(name)
    }

    /// Leaves so many bytes free.
    pub fn fill(&self, bytes_to_leave: u64) {
        let df = self
            .tool("df")
            .args(["-B1", "--output=avail"])
            .arg(self.path())
            .run();
        let text = df.text();
        let free = text.lines().nth(1).map(|line| line.trim().parse::<u64>());
        let free = free.expect("df writes a line").expect("df counts bytes");
        self.tool("fallocate")
            .args(["-l", &free.saturating_sub(bytes_to_leave).to_string()])
            .arg(FILLER)
            .run();
    }

    /// Takes away what [`fill`](Self::fill) put there.
    pub fn empty(&self) {
        self.tool("rm").arg(FILLER).run();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}
