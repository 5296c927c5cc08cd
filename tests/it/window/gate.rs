//! A gate between the app and a hub: open, closed, slow or narrow. It knows nothing of HTTP.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Bytes that pass at once.
const PIECE: usize = 16 << 10;
/// How often what waits looks whether it still has to.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How answers pass.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Passage {
    /// At once.
    Open,
    /// Not at all; connections end.
    Closed,
    /// Each piece after so long.
    After(Duration),
}

/// Listens on loopback and passes connections on to a hub.
pub(super) struct Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    hub: Mutex<SocketAddr>,
    passage: Mutex<Passage>,
    /// Answers that wait now.
    n_waiting: AtomicUsize,
}

impl Gate {
    /// An open gate before a hub.
    pub(super) fn before(hub_url: &str) -> Self {
        let hub = hub_url.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            hub: Mutex::new(hub),
            passage: Mutex::new(Passage::Open),
            n_waiting: AtomicUsize::new(0),
        });
        let of_listener = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let shared = Arc::clone(&of_listener);
                thread::spawn(move || shared.pass(client));
            }
        });
        Self { address, shared }
    }

    /// Where the gate is.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on answers pass so.
    pub(super) fn set(&self, passage: Passage) {
        *self.shared.passage.lock().unwrap() = passage;
    }

    /// Whether an answer waits now.
    pub(super) fn holds_something(&self) -> bool {
        self.shared.n_waiting.load(Ordering::SeqCst) > 0
    }
}

impl Shared {
    fn passage(&self) -> Passage {
        *self.passage.lock().unwrap()
    }

    /// Passes one connection on, to its end.
    fn pass(&self, client: TcpStream) {
        if self.passage() == Passage::Closed {
            return;
        }
        let hub = *self.hub.lock().unwrap();
        let Ok(hub) = TcpStream::connect(hub) else {
            return;
        };
        let (mut from_client, mut to_hub) = (client.try_clone().unwrap(), hub.try_clone().unwrap());
        let questions = thread::spawn(move || {
            drop(std::io::copy(&mut from_client, &mut to_hub));
            drop(to_hub.shutdown(Shutdown::Write));
        });
        self.answer(&hub, &client);
        // Either side may be gone already.
        drop(client.shutdown(Shutdown::Both));
        drop(hub.shutdown(Shutdown::Both));
        drop(questions.join());
    }

    fn answer(&self, mut hub: &TcpStream, mut client: &TcpStream) {
        let mut piece = vec![0; PIECE];
        while let Ok(length) = hub.read(&mut piece) {
            if length == 0 || !self.may_pass() || client.write_all(&piece[..length]).is_err() {
                return;
            }
        }
    }

    /// Waits as long as a piece has to; false when it must not pass.
    fn may_pass(&self) -> bool {
        let mut waited = Duration::ZERO;
        self.n_waiting.fetch_add(1, Ordering::SeqCst);
        let may = loop {
            match self.passage() {
                Passage::Open => break true,
                Passage::Closed => break false,
                Passage::After(pause) if waited >= pause => break true,
                Passage::After(_) => {}
            }
            thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        };
        self.n_waiting.fetch_sub(1, Ordering::SeqCst);
        may
    }
}
