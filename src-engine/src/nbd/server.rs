//! Sockets and threads of an export: one thread that lets clients in, and one for each of them.
//!
//! A client is answered one request after another: those that it sends ahead wait in the socket. So it keeps one thread
//! and one buffer busy, however much it asks for. Before it has named the export it is a stranger: strangers have to
//! be quick, and when there are many of them, the first goes.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use sendense_disk::{ExtentKind, Image};

use super::protocol::{
    self, Asked, CLIENT_FLAGS, Chunk, Command, Contexts, Errno, GREETING, MAX_READ_BYTES,
    NO_ZEROES, NotNbd, OPTION_BYTES, OptionReply, REQUEST_BYTES, Request,
};

/// So many clients are served at the same time, and so many strangers heard.
const MAX_CLIENTS: usize = 16;
/// The handshake is a few lines, which a program of this computer has ready.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Who needs more options than that does not want to begin.
const MAX_OPTIONS: usize = 64;
/// A request that was begun is short; one that changes the disk may bring its data along.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// A client that takes nothing of its answer for so long gets no more of it.
const STALLED: Duration = Duration::from_secs(60);
/// What is read and sent at once; the memory that a client costs.
const PIECE_BYTES: usize = 1 << 20;
/// An answer about extents is as long as that at most; the client asks for the rest.
const MAX_RUNS: usize = 4096;
/// When the system refuses connections (too many open files), trying again at once helps nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How long ending an export waits for the system to connect to it, which wakes it.
const WAKE_TIMEOUT: Duration = Duration::from_secs(1);

/// A disk that is served. Dropped, it is no longer, and whoever reads it is cut off.
#[derive(Debug)]
pub(crate) struct Export {
    address: SocketAddr,
    name: String,
    size_bytes: u64,
    clients: Arc<Clients>,
    /// Lets clients in; it has the port.
    listening: Option<JoinHandle<()>>,
}

/// What is connected.
#[derive(Debug, Default)]
struct Clients(Mutex<Connected>);

#[derive(Debug, Default)]
struct Connected {
    is_over: bool,
    n_accepted: u64,
    sockets: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    socket: TcpStream,
    /// It knows the name of the export.
    is_served: bool,
}

/// What every client is served from.
struct Served<H> {
    image: Image,
    name: blake3::Hash,
    /// Gives what is kept as long as a client is served.
    hold: H,
}

/// A client on the list, until it is dropped.
struct OnList {
    clients: Arc<Clients>,
    number: u64,
}

impl Export {
    /// Begins to serve a disk on a port of the system's choice. What `hold` gives is kept for each client, from when it
    /// has named the export until it has left.
    ///
    /// # Errors
    /// When there is no port or no thread for it.
    pub(crate) fn start<G: 'static>(
        image: Image,
        hold: impl Fn() -> G + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let name = uuid::Uuid::new_v4().simple().to_string();
        let mut export = Self {
            address: listener.local_addr()?,
            size_bytes: image.size_bytes(),
            clients: Arc::default(),
            listening: None,
            name,
        };
        let served = Arc::new(Served {
            image,
            name: blake3::hash(export.name.as_bytes()),
            hold,
        });
        let clients = Arc::clone(&export.clients);
        let listening = spawn("nbd", move || let_in(&listener, &clients, &served))?;
        export.listening = Some(listening);
        Ok(export)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients have to ask for.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Size of the disk.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        self.clients.end();
        // The thread that lets clients in looks up when one comes; then the port is free.
        let woken = TcpStream::connect_timeout(&self.address, WAKE_TIMEOUT);
        match (woken, self.listening.take()) {
            (Ok(_), Some(listening)) => {
                if listening.join().is_err() {
                    tracing::error!("the thread of an export panicked");
                }
            }
            (Err(error), _) => tracing::debug!(%error, "an export ends with the next client"),
            (Ok(_), None) => {}
        }
    }
}

impl Clients {
    /// Puts a client on the list; `None` when nobody is let in any more, or nothing can be kept of it.
    fn add(self: &Arc<Self>, socket: &TcpStream) -> Option<OnList> {
        let socket = socket.try_clone().ok()?;
        let mut connected = self.connected();
        if connected.is_over {
            return None;
        }
        let strangers = connected.sockets.iter().filter(|(_, one)| !one.is_served);
        let strangers: Vec<u64> = strangers.map(|(number, _)| *number).collect();
        // Numbers grow, so the first is the oldest. It goes from the list at once: its thread ends when it can.
        if let Some(oldest) = strangers.first().filter(|_| strangers.len() >= MAX_CLIENTS)
            && let Some(oldest) = connected.sockets.remove(oldest)
        {
            shut(&oldest.socket);
        }
        connected.n_accepted += 1;
        let number = connected.n_accepted;
        let connection = Connection {
            socket,
            is_served: false,
        };
        connected.sockets.insert(number, connection);
        Some(OnList {
            clients: Arc::clone(self),
            number,
        })
    }

    /// Ends all connections, and lets nobody in any more.
    fn end(&self) {
        let mut connected = self.connected();
        connected.is_over = true;
        connected.sockets.values().for_each(|one| shut(&one.socket));
    }

    fn is_over(&self) -> bool {
        self.connected().is_over
    }

    fn connected(&self) -> MutexGuard<'_, Connected> {
        // Nothing panics under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OnList {
    /// Takes one of the places of those who are served; `false` when there is none.
    fn serve(&self) -> bool {
        let mut connected = self.clients.connected();
        let n_served = connected
            .sockets
            .values()
            .filter(|one| one.is_served)
            .count();
        if n_served >= MAX_CLIENTS || connected.is_over {
            return false;
        }
        let own = connected.sockets.get_mut(&self.number);
        own.is_some_and(|own| {
            own.is_served = true;
            true
        })
    }
}

impl Drop for OnList {
    fn drop(&mut self) {
        self.clients.connected().sockets.remove(&self.number);
    }
}

/// Lets clients in until the export is over.
fn let_in<G: 'static, H>(listener: &TcpListener, clients: &Arc<Clients>, served: &Arc<Served<H>>)
where
    H: Fn() -> G + Send + Sync + 'static,
{
    loop {
        let accepted = listener.accept();
        if clients.is_over() {
            return;
        }
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(%error, "could not accept a client of an export");
                thread::sleep(ACCEPT_PAUSE);
                continue;
            }
        };
        let Some(on_list) = clients.add(&socket) else {
            continue;
        };
        let served = Arc::clone(served);
        let begun = spawn("nbd-client", move || {
            // Clients hang up whenever they like: that is no error of the hub.
            if let Err(error) = converse(socket, &on_list, &served) {
                tracing::debug!(%error, "a client of an export left early");
            }
        });
        if let Err(error) = begun {
            tracing::warn!(%error, "could not serve a client of an export");
        }
    }
}

/// Talks with one client to its end.
fn converse<G: 'static, H: Fn() -> G>(
    socket: TcpStream,
    on_list: &OnList,
    served: &Served<H>,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_write_timeout(Some(STALLED))?;
    let mut line = Line { socket };
    let Some(agreed) = shake_hands(&mut line, on_list, served)? else {
        return Ok(());
    };
    let _held = (served.hold)();
    let mut client = Client {
        line,
        image: &served.image,
        agreed,
        buffer: Vec::new(),
    };
    client.answer()
}

/// What came of a handshake.
#[derive(Clone, Copy, Debug, Default)]
struct Agreed {
    /// Replies come in chunks.
    is_structured: bool,
    /// The client may ask which parts are zeros.
    has_status: bool,
}

/// Answers options until the client begins; `None` when it leaves.
fn shake_hands<H>(
    line: &mut Line,
    on_list: &OnList,
    served: &Served<H>,
) -> io::Result<Option<Agreed>> {
    let until = Instant::now() + HANDSHAKE_TIMEOUT;
    line.send(&GREETING)?;
    let flags = u32::from_be_bytes(line.receive(until)?);
    if flags & !CLIENT_FLAGS != 0 {
        return Err(broken(NotNbd("its flags have no meaning")));
    }
    let is_it = |name: &[u8]| blake3::hash(name) == served.name;
    let size_bytes = served.image.size_bytes();
    let mut agreed = Agreed::default();
    let mut data = Vec::new();
    for _ in 0..MAX_OPTIONS {
        let header = line.receive::<OPTION_BYTES>(until)?;
        let (number, len) = protocol::option_header(&header).map_err(broken)?;
        data.resize(len as usize, 0);
        line.fill(&mut data, until)?;
        let asked = protocol::option(number, &data);
        let answer = match &asked {
            Asked::Abort => {
                line.reply(number, OptionReply::Ack, &[])?;
                return Ok(None);
            }
            Asked::ExportName(name) => {
                // There is no way to say no but to leave.
                if !is_it(name) || !on_list.serve() {
                    return Ok(None);
                }
                line.send(&protocol::export_data(size_bytes))?;
                if flags & NO_ZEROES == 0 {
                    line.send(&[0; 124])?;
                }
                return Ok(Some(agreed));
            }
            Asked::Go(name) | Asked::Info(name) if !is_it(name) => OptionReply::UnknownExport,
            Asked::Go(_) if !on_list.serve() => OptionReply::Policy,
            Asked::Go(_) | Asked::Info(_) => {
                for info in protocol::export_infos(size_bytes) {
                    line.reply(number, OptionReply::Info, &info)?;
                }
                if matches!(asked, Asked::Go(_)) {
                    line.reply(number, OptionReply::Ack, &[])?;
                    return Ok(Some(agreed));
                }
                OptionReply::Ack
            }
            Asked::StructuredReply => {
                agreed.is_structured = true;
                OptionReply::Ack
            }
            Asked::ListContexts(Contexts { export, .. })
            | Asked::SetContexts(Contexts { export, .. })
                if !is_it(export) =>
            {
                OptionReply::UnknownExport
            }
            // Extents are told in chunks only.
            Asked::SetContexts(_) if !agreed.is_structured => OptionReply::Invalid,
            Asked::ListContexts(contexts) | Asked::SetContexts(contexts) => {
                if matches!(asked, Asked::SetContexts(_)) {
                    agreed.has_status = contexts.has_allocation;
                }
                if contexts.has_allocation {
                    line.reply(number, OptionReply::MetaContext, &protocol::context())?;
                }
                OptionReply::Ack
            }
            // Who does not know the name learns nothing.
            Asked::List => OptionReply::Policy,
            Asked::Malformed => OptionReply::Invalid,
            Asked::Unknown => OptionReply::Unsupported,
        };
        line.reply(number, answer, &[])?;
    }
    Err(broken(NotNbd("it does not come to an end")))
}

/// A client that knows the export.
struct Client<'e> {
    line: Line,
    image: &'e Image,
    agreed: Agreed,
    /// What was read of the disk and is not sent yet.
    buffer: Vec<u8>,
}

impl Client<'_> {
    /// Answers requests until the client leaves.
    fn answer(&mut self) -> io::Result<()> {
        while let Some(first) = self.line.next_byte()? {
            let until = Instant::now() + REQUEST_TIMEOUT;
            let mut header = [first; REQUEST_BYTES];
            if let Some(rest) = header.get_mut(1..) {
                self.line.fill(rest, until)?;
            }
            let request = protocol::request(&header).map_err(broken)?;
            match request.command {
                Command::Disconnect => return Ok(()),
                Command::Read => self.read(&request)?,
                Command::BlockStatus => self.block_status(&request)?,
                // Nothing is ever on its way to the disk.
                Command::Flush => self
                    .line
                    .send(&protocol::simple_reply(request.cookie, None))?,
                Command::Write => {
                    self.pass_over(request.len_bytes, until)?;
                    self.refuse(&request, Errno::NotPermitted)?;
                }
                Command::Change => self.refuse(&request, Errno::NotPermitted)?,
                Command::Unknown => self.refuse(&request, Errno::Invalid)?,
            }
        }
        Ok(())
    }

    fn read(&mut self, request: &Request) -> io::Result<()> {
        if request.len_bytes > MAX_READ_BYTES || !self.is_inside(request) {
            return self.refuse(request, Errno::Invalid);
        }
        match self.agreed.is_structured {
            true => self.read_in_chunks(request),
            false => self.read_whole(request),
        }
    }

    /// A simple reply says first whether all of it will come. So what is more than a piece is read once to know that,
    /// and once more to be sent: from memory, where the system kept it.
    fn read_whole(&mut self, request: &Request) -> io::Result<()> {
        let pieces = Pieces::of(request);
        let is_one = request.len_bytes as usize <= PIECE_BYTES;
        for (offset, len) in pieces.clone() {
            if let Err(error) = self.load(offset, len) {
                tracing::warn!(offset, %error, "a place of a served disk cannot be read");
                return self.refuse(request, Errno::Io);
            }
        }
        self.line
            .send(&protocol::simple_reply(request.cookie, None))?;
        for (offset, len) in pieces {
            if !is_one {
                self.load(offset, len).map_err(io::Error::other)?;
            }
            self.line.send(&self.buffer)?;
        }
        Ok(())
    }

    /// Zeros that are known to be zeros are named instead of sent. What cannot be read ends the reply, with its place.
    fn read_in_chunks(&mut self, request: &Request) -> io::Result<()> {
        let end = request.offset + u64::from(request.len_bytes);
        let mut offset = request.offset;
        loop {
            let extent = self.image.extent_at(offset);
            let is_zero = extent
                .as_ref()
                .is_ok_and(|extent| extent.kind == ExtentKind::Zero);
            // What is not known to be a hole is read: then it shows.
            let len = extent.map_or(end - offset, |extent| {
                extent.len_bytes.clamp(1, end - offset)
            });
            let len = match is_zero {
                true => len,
                false => len.min(PIECE_BYTES as u64),
            };
            let is_last = offset + len == end;
            let len_bytes = u32::try_from(len).map_err(io::Error::other)?;
            if is_zero {
                let hole = Chunk::Hole { offset, len_bytes };
                self.line
                    .send(&protocol::chunk(request.cookie, is_last, hole))?;
            } else {
                if let Err(error) = self.load(offset, len_bytes as usize) {
                    tracing::warn!(offset, %error, "a place of a served disk cannot be read");
                    let failed = Chunk::FailedAt(Errno::Io, offset);
                    return self
                        .line
                        .send(&protocol::chunk(request.cookie, true, failed));
                }
                let data = Chunk::Data { offset, len_bytes };
                self.line
                    .send(&protocol::chunk(request.cookie, is_last, data))?;
                self.line.send(&self.buffer)?;
            }
            if is_last {
                return Ok(());
            }
            offset += len;
        }
    }

    fn block_status(&mut self, request: &Request) -> io::Result<()> {
        if !self.agreed.has_status || !self.is_inside(request) {
            return self.refuse(request, Errno::Invalid);
        }
        let most = if request.wants_one { 1 } else { MAX_RUNS };
        let end = request.offset + u64::from(request.len_bytes);
        let mut runs: Vec<(u32, bool)> = Vec::new();
        let mut offset = request.offset;
        while offset < end {
            let (len, is_zero) = match self.image.extent_at(offset) {
                Ok(extent) => (
                    extent.len_bytes.clamp(1, end - offset),
                    extent.kind == ExtentKind::Zero,
                ),
                // Whoever reads there learns it.
                Err(_) => (end - offset, false),
            };
            offset += len;
            let len = u32::try_from(len).map_err(io::Error::other)?;
            let is_full = runs.len() == most;
            match runs.last_mut().filter(|(_, kind)| *kind == is_zero) {
                Some((known, _)) => *known += len,
                None if is_full => break,
                None => runs.push((len, is_zero)),
            }
        }
        let status = Chunk::Status(&runs);
        self.line
            .send(&protocol::chunk(request.cookie, true, status))
    }

    /// Whether a request is about a part of the disk.
    fn is_inside(&self, request: &Request) -> bool {
        let end = request.offset.checked_add(request.len_bytes.into());
        request.len_bytes > 0 && end.is_some_and(|end| end <= self.image.size_bytes())
    }

    /// Reads a piece of the disk into the buffer.
    fn load(&mut self, offset: u64, len: usize) -> sendense_disk::Result<()> {
        self.buffer.resize(len, 0);
        self.image.read_at(offset, &mut self.buffer)
    }

    /// Says that something is not done.
    fn refuse(&mut self, request: &Request, error: Errno) -> io::Result<()> {
        let is_in_chunks = self.agreed.is_structured
            && matches!(request.command, Command::Read | Command::BlockStatus);
        let answer = match is_in_chunks {
            true => protocol::chunk(request.cookie, true, Chunk::Failed(error)),
            false => protocol::simple_reply(request.cookie, Some(error)),
        };
        self.line.send(&answer)
    }

    /// Takes what a client would write, and forgets it.
    fn pass_over(&mut self, len_bytes: u32, until: Instant) -> io::Result<()> {
        if len_bytes > MAX_READ_BYTES {
            return Err(broken(NotNbd("it would write more than it may at once")));
        }
        for (_, len) in Pieces::new(0, len_bytes) {
            self.buffer.resize(len, 0);
            self.line.fill(&mut self.buffer, until)?;
        }
        Ok(())
    }
}

/// Places and lengths of the pieces that a stretch is taken in.
#[derive(Clone)]
struct Pieces {
    offset: u64,
    left: usize,
}

impl Pieces {
    fn new(offset: u64, len_bytes: u32) -> Self {
        Self {
            offset,
            left: len_bytes as usize,
        }
    }

    fn of(request: &Request) -> Self {
        Self::new(request.offset, request.len_bytes)
    }
}

impl Iterator for Pieces {
    type Item = (u64, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let len = self.left.min(PIECE_BYTES);
        let offset = self.offset;
        self.left -= len;
        self.offset += len as u64;
        (len > 0).then_some((offset, len))
    }
}

/// A connection, and how long it may keep us waiting.
struct Line {
    socket: TcpStream,
}

impl Line {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    fn reply(&mut self, option: u32, reply: OptionReply, data: &[u8]) -> io::Result<()> {
        self.send(&protocol::option_reply(option, reply, data))
    }

    fn receive<const N: usize>(&mut self, until: Instant) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, until)?;
        Ok(bytes)
    }

    /// Fills a buffer in time, however small the pieces are in which its bytes come.
    fn fill(&mut self, mut buffer: &mut [u8], until: Instant) -> io::Result<()> {
        while !buffer.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.socket.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => buffer = buffer.get_mut(n..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for the next request, as long as it takes: a disk that is attached may not be used for days. `None` when
    /// the client has gone.
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        self.socket.set_read_timeout(None)?;
        let mut byte = [0];
        loop {
            match self.socket.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(byte.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn broken(error: NotNbd) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Ends a connection under whoever reads or writes it.
fn shut(socket: &TcpStream) {
    if let Err(error) = socket.shutdown(Shutdown::Both) {
        tracing::debug!(%error, "a client of an export had gone already");
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}
