//! A hub started as a user starts it: `sendense hub serve`, a process of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Tool, sendense, tool};

/// A running hub; dropping it kills the process.
pub struct Hub {
    child: Child,
    address: SocketAddr,
    data: PathBuf,
}

/// A hub's REST API, asked by `curl`: whatever our own client gets wrong, curl does not.
#[derive(Clone, Debug)]
pub struct Api {
    url: String,
    headers: Vec<String>,
}

/// One HTTP answer, as `curl` received it.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Type of the body; empty without one.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
    /// What was asked, for messages.
    pub question: String,
}

impl Hub {
    /// Starts a hub without sign-in on a free port and waits until it answers.
    #[track_caller]
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &["--no-auth"], "", &[])
    }

    /// Starts a hub with these further arguments, this on its standard input, and these environment variables.
    ///
    /// # Panics
    /// When it does not answer within half a minute.
    #[track_caller]
    pub fn start_with(
        data: &Path,
        args: &[&str],
        stdin: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut program = sendense();
        for (name, value) in environment {
            program = program.env(name, value);
        }
        Self::start_as(program, data, args, stdin)
    }

    /// Starts a hub without room for more open files than this, whose system has a shell.
    #[track_caller]
    pub fn start_with_open_files(data: &Path, args: &[&str], stdin: &str, most: u32) -> Self {
        let limited = format!(r#"ulimit -n {most} && exec "$0" "$@""#);
        let program = tool("sh").args(["-c", &limited]).arg(sendense().program());
        Self::start_as(program, data, args, stdin)
    }

    #[track_caller]
    fn start_as(program: Tool, data: &Path, args: &[&str], stdin: &str) -> Self {
        // Bind once and let go: the port stays free long enough, and the hub's own choice would have
        // to be read from its output, which is for people.
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        drop(listener);

        let command = program.args(["hub", "serve", "--data"]).arg(data);
        let command = command.arg("--listen").arg(address.to_string()).args(args);
        let mut child = command.spawn();
        let mut input = child.stdin.take().expect("standard input is piped");
        input
            .write_all(stdin.as_bytes())
            .expect("the hub reads its input");
        drop(input);
        let mut stderr = child.stderr.take().expect("standard error is piped");
        let mut stdout = child.stdout.take().expect("standard output is piped");
        // Nobody reads what the hub says while it runs, but a full pipe would stop it.
        let said = thread::spawn(move || {
            let mut text = String::new();
            drop(stderr.read_to_string(&mut text));
            text
        });
        thread::spawn(move || drop(stdout.read_to_end(&mut Vec::new())));

        let started = Instant::now();
        while !answers(address) {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                let said = said.join().unwrap_or_default();
                panic!("the hub ended with {status} before it answered:\n{said}");
            }
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "the hub does not answer on {address}"
            );
            thread::sleep(Duration::from_millis(20));
        }
        Self {
            child,
            address,
            data: data.to_path_buf(),
        }
    }

    /// Address to give to `sendense --hub`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The data directory it was started on.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Highest resident memory of the hub so far.
    ///
    /// # Panics
    /// When the hub has ended.
    #[track_caller]
    pub fn peak_memory_bytes(&self) -> u64 {
        crate::peak_memory_bytes(self.pid()).expect("the hub is running")
    }

    /// Ends the hub the hard way, as a power cut would.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Asks the hub to end and waits until it has.
    ///
    /// # Panics
    /// When it is still there after half a minute.
    #[track_caller]
    pub fn stop(mut self) {
        tool("kill").arg("-TERM").arg(self.pid().to_string()).run();
        let started = Instant::now();
        while self
            .child
            .try_wait()
            .expect("a child can be waited for")
            .is_none()
        {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "the hub did not end when asked to"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// `sendense` talking to this hub, which remembers what it mounted in the hub's folder.
    pub fn sendense(&self) -> Tool {
        let command = sendense().arg("--hub").arg(self.url());
        command.env("SENDENSE_DATA", &self.data)
    }

    /// The REST API of this hub, asked as the handover does.
    pub fn api(&self) -> Api {
        Api::new(self.url())
    }
}

impl Api {
    /// The API of the hub at this address, without `/api/v1`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
        }
    }

    /// Sends this header with each request.
    #[must_use]
    pub fn with_header(mut self, header: impl Into<String>) -> Self {
        self.headers.push(header.into());
        self
    }

    /// `GET /api/v1…`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None)
    }

    /// `POST /api/v1…` with a JSON body.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(body))
    }

    /// `DELETE /api/v1…`.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, None)
    }

    /// Any request, path behind `/api/v1`.
    ///
    /// # Panics
    /// When no HTTP answer arrives.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask_at(method, &format!("/api/v1{path}"), body)
    }

    /// Any request.
    ///
    /// # Panics
    /// When no HTTP answer arrives.
    #[track_caller]
    pub fn ask_at(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        // --globoff and --path-as-is: brackets and dots in a path are the hub's business, not curl's.
        let mut curl = tool("curl")
            .args([
                "--silent",
                "--show-error",
                "--globoff",
                "--path-as-is",
                "--max-time",
                "120",
            ])
            .args([
                "--request",
                method,
                "--write-out",
                "\n%{http_code} %{content_type}",
            ]);
        for header in &self.headers {
            curl = curl.arg("--header").arg(header);
        }
        if let Some(body) = body {
            curl = curl.args([
                "--header",
                "Content-Type: application/json",
                "--data-binary",
                "@-",
            ]);
            curl = curl.stdin(body.to_string());
        }
        let mut outcome = curl.arg(format!("{}{path}", self.url)).run();
        let newline = outcome
            .stdout
            .iter()
            .rposition(|byte| *byte == b'\n')
            .expect("curl writes the status");
        let said = String::from_utf8_lossy(&outcome.stdout[newline + 1..]).into_owned();
        let (status, content_type) = said.split_once(' ').expect("curl writes both");
        outcome.stdout.truncate(newline);
        Answer {
            status: status.parse().expect("a status is a number"),
            content_type: content_type.to_owned(),
            body: outcome.stdout,
            question: format!("{method} {path}"),
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Answer {
    /// The body as JSON, whatever the status.
    ///
    /// # Panics
    /// When it is not JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON: {error}: {self:?}"))
    }

    /// The body as JSON of an answer that must be a success.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{} answered {}: {}",
            self.question,
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        self.json()
    }
}

/// Whether something at this address answers the health question over HTTP.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET /api/v1/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        Ok(start.ends_with(b"200"))
    };
    ask().unwrap_or(false)
}
