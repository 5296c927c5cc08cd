//! The hub under measurement: `sendense hub serve`, and the commands sent to it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::measure::{Run, peak_bytes, timed_with_output};
use crate::process::{program, quietly};

/// A running hub; dropping it ends the process.
pub(crate) struct Hub {
    child: Child,
    sendense: PathBuf,
    folder: PathBuf,
    url: String,
}

impl Hub {
    /// Starts a hub that keeps its data below that folder, wants no sign-in, and waits until it answers.
    pub(crate) fn start(sendense: &Path, folder: &Path) -> Result<Self> {
        Self::start_with(sendense, folder, &["--no-auth"])
    }

    /// The same with these arguments.
    pub(crate) fn start_with(sendense: &Path, folder: &Path, args: &[&str]) -> Result<Self> {
        let mut serve = program(sendense);
        serve
            .args(["--data", "data", "--json", "hub", "serve"])
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .current_dir(folder)
            .stdout(Stdio::piped());
        let child = serve.spawn().context("cannot start the hub")?;
        let mut hub = Self {
            child,
            sendense: sendense.to_path_buf(),
            folder: folder.to_path_buf(),
            url: String::new(),
        };
        let stdout = hub.child.stdout.take().context("its output is piped")?;
        // It says where it is as soon as it can be asked.
        let mut reader = BufReader::new(stdout);
        let mut text = String::new();
        let said: Value = loop {
            let read = reader.read_line(&mut text)?;
            ensure!(read > 0, "the hub ended before it answered");
            if let Ok(said) = serde_json::from_str(&text) {
                break said;
            }
        };
        hub.url = said["url"].as_str().unwrap_or_default().to_owned();
        ensure!(!hub.url.is_empty(), "the hub does not say where it is");
        Ok(hub)
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A `sendense` command that asks this hub.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = program(&self.sendense);
        command
            .current_dir(&self.folder)
            .args(["--data", "data", "--json"])
            .args(args);
        command
    }

    /// Runs a command that is not measured.
    pub(crate) fn json(&self, args: &[&str]) -> Result<Value> {
        let said = quietly(&mut self.command(args))?;
        serde_json::from_slice(&said).context("the answer is no JSON")
    }

    /// Its highest resident memory so far.
    pub(super) fn peak_bytes(&self) -> Result<u64> {
        peak_bytes(self.child.id()).context("the hub has ended")
    }

    /// Runs a command from its start to its end; the memory is that of the hub, which does the work.
    pub(super) fn timed(&self, command: Command) -> Result<(Run, Value)> {
        // 5: forget the highest memory so far (proc_pid_clear_refs(5)).
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")
            .context("cannot have the hub's memory counted anew")?;
        let (mut run, said) = timed_with_output(command, || Ok(()))?;
        run.peak_bytes = self.peak_bytes()?;
        let said = serde_json::from_slice(&said).context("the answer is no JSON")?;
        Ok((run, said))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
