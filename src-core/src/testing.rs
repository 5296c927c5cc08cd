//! For tests of what has time in it: a hub of a few lines, and a clock that stands still.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// A clock that moves only by [`tokio::time::advance`], so that what travels over loopback takes no time.
///
/// Paused time alone would jump to the next deadline whenever an answer is waited for.
pub(crate) struct StoppedClock {
    /// Lets go of the thread that keeps the runtime busy, and with it time from jumping.
    _busy: mpsc::Sender<()>,
}

impl StoppedClock {
    /// Stops the clock of this runtime, which has to be of one thread.
    pub(crate) fn new() -> Self {
        tokio::time::pause();
        let (busy, over) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || over.recv());
        Self { _busy: busy }
    }
}

/// A server that answers each request by a function of its first line.
pub(crate) struct FakeHub {
    /// Where it is.
    pub(crate) address: String,
    asked: watch::Receiver<Vec<Asked>>,
    _task: AbortOnDropHandle<()>,
}

impl FakeHub {
    /// Listens and answers from now on. What the function gives is the whole answer; nothing: the
    /// connection ends without one.
    pub(crate) async fn start(mut answer: impl FnMut(&str) -> String + Send + 'static) -> Self {
        Self::holding(move |line| (answer(line), Duration::ZERO)).await
    }

    /// As [`start`](Self::start); each connection ends so long after what was sent.
    pub(crate) async fn holding(
        answer: impl FnMut(&str) -> (String, Duration) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = watch::channel(Vec::new());
        let tell = Arc::new(tell);
        let answer = Arc::new(Mutex::new(answer));
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (tell, answer) = (Arc::clone(&tell), Arc::clone(&answer));
                tokio::spawn(async move {
                    // Some connect, think better of it and go.
                    let Some(question) = read(&mut stream).await else {
                        return;
                    };
                    let (answer, held) = (answer.lock().unwrap())(&question.line);
                    tell.send_modify(|asked| asked.push(question));
                    // A client that has gone hears nothing.
                    drop(stream.write_all(answer.as_bytes()).await);
                    tokio::time::sleep(held).await;
                });
            }
        });
        Self {
            address,
            asked,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// What it was asked so far: method and path with query.
    pub(crate) fn asked(&self) -> Vec<String> {
        lines(&self.asked.borrow())
    }

    /// The bodies that came with these questions; empty for those without.
    pub(crate) fn sent(&self) -> Vec<String> {
        let asked = self.asked.borrow();
        asked.iter().map(|question| question.body.clone()).collect()
    }

    /// Waits until it has been asked so many times.
    pub(crate) async fn asked_times(&self, times: usize) -> Vec<String> {
        let mut asked = self.asked.clone();
        let asked = asked.wait_for(|asked| asked.len() >= times).await.unwrap();
        lines(&asked)
    }
}

/// What a hub was asked.
struct Asked {
    /// Method and path with query.
    line: String,
    body: String,
}

fn lines(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(|question| question.line.clone()).collect()
}

/// Reads a request to its end.
async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let line = head.lines().next()?;
    Some(Asked {
        line: line.trim_end_matches(" HTTP/1.1").to_owned(),
        body: String::from_utf8(body).unwrap(),
    })
}

/// An answer in JSON with this status and these further headers, each with its line end.
pub(crate) fn json(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// What is in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Lets everything happen that needs no further time: what is on its way over loopback arrives.
pub(crate) async fn settle() {
    for _ in 0..300 {
        // Each looks at the sockets once.
        tokio::task::yield_now().await;
    }
    // What threads of their own do needs time that cannot be stopped.
    let moment = || std::thread::sleep(Duration::from_millis(2));
    tokio::task::spawn_blocking(moment).await.unwrap();
}
