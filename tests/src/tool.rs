//! Programs run by tests: the system's tools as judges, and `sendense` itself.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// One command line being put together.
#[must_use = "a tool does nothing until `run` or `outcome`"]
pub struct Tool {
    command: Command,
    shown: Vec<OsString>,
    stdin: Vec<u8>,
    limit: Duration,
}

/// What a finished program left: how it ended and what it said.
#[derive(Debug)]
pub struct Outcome {
    /// The command line, for messages.
    pub command: String,
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Everything on standard output.
    pub stdout: Vec<u8>,
    /// Everything on standard error.
    pub stderr: Vec<u8>,
    /// Highest resident memory seen while it ran.
    pub peak_memory_bytes: u64,
}

/// A program from the PATH (or from the folders of administrators' tools, which ordinary users' PATH lacks).
pub fn tool(name: impl AsRef<OsStr>) -> Tool {
    let name = name.as_ref();
    let mut command = Command::new(name);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    // Judges are read by tests: their words must not depend on the developer's language.
    command.env("LC_ALL", "C.UTF-8");
    Tool {
        command,
        shown: vec![name.to_owned()],
        stdin: Vec::new(),
        limit: Duration::from_secs(300),
    }
}

/// An empty QCOW2 image of this size, such as `8M`, with its folder where that is missing.
///
/// # Panics
/// When there cannot be one.
pub fn empty_disk(path: &Path, size: &str) {
    let folder = path.parent().expect("a disk lies in a folder");
    std::fs::create_dir_all(folder).expect("a folder can be made");
    tool("qemu-img")
        .args(["create", "-q", "-f", "qcow2"])
        .arg(path)
        .arg(size)
        .run();
}

/// The `sendense` command of this checkout, with no settings and no keychain of the developer in its environment.
pub fn sendense() -> Tool {
    let nobody = crate::target_dir().join("tmp").join("nobody");
    ["HUB", "DATA", "FINGERPRINT", "CA"]
        .iter()
        .fold(tool(binary()), |tool, name| {
            tool.env_remove(&format!("SENDENSE_{name}"))
        })
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env("XDG_RUNTIME_DIR", &nobody)
        .env("XDG_CONFIG_HOME", &nobody)
}

/// Path of the `sendense` binary: `SENDENSE_BIN`, else built once for this test run.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("SENDENSE_BIN") {
            return PathBuf::from(path);
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        tool(cargo)
            // With the libraries that a build of everything has made: see xtask's `workspace::build`.
            .args(["build", "--quiet", "--workspace", "--bin", "sendense"])
            .args(["--example", "read_disk"])
            .current_dir(&crate::repository_root())
            .limit(Duration::from_secs(1200))
            .run();
        crate::target_dir()
            .join("debug")
            .join(format!("sendense{}", std::env::consts::EXE_SUFFIX))
    })
}

impl Tool {
    /// The program itself, for scripts that run it.
    pub fn program(&self) -> OsString {
        self.command.get_program().to_owned()
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.shown.push(arg.as_ref().to_owned());
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        for arg in args {
            self = self.arg(arg);
        }
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Runs in this folder.
    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Gives this on standard input.
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.stdin = input.into();
        self
    }

    /// Ends the program, and the test, when it runs longer than this.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs to the end, which must be a success.
    ///
    /// # Panics
    /// When the program cannot be started, takes too long or reports failure.
    #[track_caller]
    pub fn run(self) -> Outcome {
        let outcome = self.outcome();
        assert!(outcome.code == Some(0), "{outcome}");
        outcome
    }

    /// Runs to the end, whatever that is.
    ///
    /// # Panics
    /// When the program cannot be started or takes too long.
    #[track_caller]
    pub fn outcome(mut self) -> Outcome {
        let shown = self.shown();
        let input = std::mem::take(&mut self.stdin);
        let limit = self.limit;
        let mut child = self.spawn();
        let pid = child.id();
        let mut stdin = child.stdin.take().expect("standard input is piped");
        let stdout = drain(child.stdout.take().expect("standard output is piped"));
        let stderr = drain(child.stderr.take().expect("standard error is piped"));
        // A program that does not read its input closes the pipe: that is its right, not a failure.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));

        let started = Instant::now();
        let mut peak_memory_bytes = 0;
        let status = loop {
            // The peak only ever grows, so the last look before the end is close to the true one.
            peak_memory_bytes = peak_memory_bytes.max(crate::peak_memory_bytes(pid).unwrap_or(0));
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if started.elapsed() > limit {
                drop(child.kill());
                drop(child.wait());
                panic!("`{shown}` was still running after {limit:?}");
            }
            thread::sleep(Duration::from_millis(2));
        };
        drop(writer.join());
        Outcome {
            command: shown,
            code: status.code(),
            stdout: stdout.join().expect("reading a pipe does not panic"),
            stderr: stderr.join().expect("reading a pipe does not panic"),
            peak_memory_bytes,
        }
    }

    /// Starts the program with all three streams piped, for tests that end it themselves.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[track_caller]
    pub fn spawn(mut self) -> Child {
        let shown = self.shown();
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{shown}`: {error}"))
    }

    fn shown(&self) -> String {
        let words: Vec<_> = self
            .shown
            .iter()
            .map(|word| word.to_string_lossy())
            .collect();
        words.join(" ")
    }
}

impl Outcome {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Standard output as one JSON document.
    ///
    /// # Panics
    /// When it is anything else.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON document: {error}\n{self}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "`{}` ended with exit code {code}", self.command)?,
            None => writeln!(f, "`{}` was ended by a signal", self.command)?,
        }
        for (name, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !bytes.is_empty() {
                // A judge may have printed a whole file; its beginning is enough to see what it is.
                let shown = &bytes[..bytes.len().min(4000)];
                writeln!(f, "--- {name}\n{}", String::from_utf8_lossy(shown))?;
            }
        }
        Ok(())
    }
}

/// Reads a pipe to its end beside the caller, so that neither side waits for the other.
fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is still worth showing.
        drop(pipe.read_to_end(&mut bytes));
        bytes
    })
}
