//! A hub from start to stop: [`serve`] as a program of its own, [`LocalHub`] inside another.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use sendense_engine::{self as engine, Engine, restore::RootLayout};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Semaphore, oneshot},
    task::{JoinHandle, JoinSet},
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::either::Either;

use crate::{
    Config, Hub, Profile, ServeError, Tls, api,
    config::Auth,
    connections::Connections,
    data_dir::{DataDir, Published},
    secret::Secret,
};

/// More connections than that are not open at once.
const MAX_CONNECTIONS: usize = 256;
/// So many more wait to be let in.
const WAITING_CONNECTIONS: u32 = 1024;
/// Request line and headers together; folder paths in queries are the longest part.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// A client that opens a connection and says nothing gives its place back.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A client that takes none of its answer for so long gets no more of it: what is read for it holds a disk open.
const STALLED: Duration = Duration::from_secs(60);
/// Answers that are under way when the hub stops may take this long to end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// When the system refuses connections (too many open files), trying again at once helps nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Takes an address for a hub, with room for a crowd of clients that have not been let in yet.
///
/// # Errors
/// [`ServeError::Listen`] when it is taken, or not one of this computer.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Connections of the last run may still be closing. Elsewhere this would mean to share the address.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(WAITING_CONNECTIONS)
    };
    listen().map_err(|source| ServeError::Listen { address, source })
}

/// Runs a hub until `shutdown` is done: backups that are running are then stopped and marked failed,
/// answers under way get a few seconds.
///
/// # Errors
/// When the data directory is in use, when a hub without sign-in would be reachable from other
/// computers, or when directory or database cannot be used.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    Server::open(listener, config).await?.run(shutdown).await;
    Ok(())
}

/// A hub inside this program, on a loopback port of the system's choice.
///
/// Dropping it stops it too, but nobody then waits for running backups to end.
#[derive(Debug)]
pub struct LocalHub {
    url: String,
    key: Secret,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl LocalHub {
    /// Starts a hub; when this returns, it answers.
    ///
    /// # Errors
    /// As [`serve`], or when there is no free port.
    pub async fn start(config: Config) -> Result<Self, ServeError> {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let listener = listen(address)?;
        let server = Server::open(listener, config).await?;
        let (stop, stopped) = oneshot::channel();
        Ok(Self {
            url: server.url.clone(),
            key: server.key.clone(),
            stop,
            running: tokio::spawn(server.run(async {
                // An error means that the handle is gone, which is a reason to stop as well.
                drop(stopped.await);
            })),
        })
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bearer token that is always good.
    pub fn key(&self) -> &str {
        self.key.as_str()
    }

    /// Stops the hub and waits until it has.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the hub did not stop cleanly");
        }
    }
}

/// Where clients come in.
struct Doors {
    listener: TcpListener,
    /// Programs of this computer that find the hub by its data directory have a door of their own, on loopback, where
    /// others must prove who the hub is: its certificate names another computer than "this one".
    encrypted: Option<Encrypted>,
}

struct Encrypted {
    tls: Tls,
    own: TcpListener,
}

impl Doors {
    /// The next connection, and what has to be agreed on first.
    async fn accept(&self) -> io::Result<(TcpStream, Option<TlsAcceptor>)> {
        let (accepted, tls) = match &self.encrypted {
            None => (self.listener.accept().await, None),
            Some(Encrypted { tls, own }) => tokio::select! {
                accepted = self.listener.accept() => (accepted, Some(tls.acceptor())),
                accepted = own.accept() => (accepted, None),
            },
        };
        accepted.map(|(stream, _)| (stream, tls))
    }

    /// Where programs of this computer come in.
    fn of_this_computer(&self) -> Result<SocketAddr, ServeError> {
        match &self.encrypted {
            None => address_of(&self.listener),
            Some(Encrypted { own, .. }) => address_of(own),
        }
    }
}

/// A hub that is ready to answer.
struct Server {
    doors: Doors,
    hub: Hub,
    url: String,
    key: Secret,
    /// In this order: the address goes before the lock does.
    published: Published,
    data_dir: DataDir,
}

impl Server {
    async fn open(listener: TcpListener, config: Config) -> Result<Self, ServeError> {
        let address = address_of(&listener)?;
        if matches!(config.auth, Auth::Off) && !address.ip().is_loopback() {
            return Err(ServeError::NoAuthNeedsLoopback(address));
        }
        let encrypted = match config.tls.clone() {
            None => None,
            Some(tls) => {
                let own = listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))?;
                Some(Encrypted { tls, own })
            }
        };
        let doors = Doors {
            listener,
            encrypted,
        };
        let opening = tokio::task::spawn_blocking(move || Self::open_blocking(config));
        let (data_dir, hub, key) = match opening.await {
            Ok(opened) => opened?,
            Err(died) => std::panic::resume_unwind(died.into_panic()),
        };
        let url = format!("http://{}", reachable(doors.of_this_computer()?));
        let published = data_dir.publish(&url, &key)?;
        tracing::info!(%url, "the hub is ready");
        Ok(Self {
            doors,
            hub,
            url,
            key,
            published,
            data_dir,
        })
    }

    /// Takes the directory, then the database: whoever has no lock touches nothing.
    fn open_blocking(config: Config) -> Result<(DataDir, Hub, Secret), ServeError> {
        let data_dir = DataDir::lock(&config.data_dir)?;
        let key = Secret::random();
        let engine = Engine::open(engine::Config {
            database: data_dir.database(),
            repository: data_dir.repository(),
            clock: config.clock.clone(),
            layout: match config.profile {
                Profile::Default => RootLayout::Volumes,
                Profile::Documented => RootLayout::OneVolume,
            },
        })?;
        let hub = Hub::new(engine, config, &key)?;
        Ok((data_dir, hub, key))
    }

    async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self {
            doors,
            hub,
            published,
            data_dir,
            ..
        } = self;
        let mut background = JoinSet::new();
        background.spawn(hub.engine().mounts().clone().reap_forever());
        if let Some(Encrypted { tls, .. }) = &doors.encrypted {
            background.spawn(tls.clone().follow_files());
        }

        let serving = answer(doors, &hub, shutdown).await;
        tracing::info!("the hub is stopping");
        // Clients that look for a hub now shall not find this one.
        drop(published);
        let jobs = hub.engine().stop();
        let (_, answered) = tokio::join!(
            jobs,
            tokio::time::timeout(LAST_ANSWERS, serving.open.shutdown())
        );
        if answered.is_err() {
            tracing::warn!("some answers were cut off");
        }
        // Whatever is still open holds the engine, and with it the database: it ends before the lock goes.
        let mut tasks = serving.tasks;
        tasks.shutdown().await;
        background.shutdown().await;
        drop(data_dir);
    }
}

/// The connections of a hub while it answers.
struct Serving {
    /// Asks each of them to end after the answer that it is giving.
    open: GracefulShutdown,
    /// What serves them, and ends with this.
    tasks: JoinSet<()>,
}

/// Answers requests until `shutdown` is done; returns the connections that are still open.
async fn answer(doors: Doors, hub: &Hub, shutdown: impl Future<Output = ()>) -> Serving {
    let router = Arc::new(TowerToHyperService::new(api::router(hub.clone())));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES);
    let mut serving = Serving {
        open: GracefulShutdown::new(),
        tasks: JoinSet::new(),
    };
    let connections = Connections::default();
    let places = Arc::new(Semaphore::new(most_connections()));
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => return serving,
            // Those that have ended go.
            Some(_) = serving.tasks.join_next() => continue,
            accepted = doors.accept() => accepted,
        };
        let (stream, tls) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                connections.make_room().await;
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let place = async {
            if places.available_permits() == 0 {
                connections.make_room().await;
            }
            Arc::clone(&places).acquire_owned().await
        };
        let place = tokio::select! {
            () = &mut shutdown => return serving,
            place = place => place,
        };
        let on_list = connections.add();
        let client = on_list.client();
        let (router, asking) = (Arc::clone(&router), client.clone());
        let service = service_fn(move |request| {
            let (router, asking) = (Arc::clone(&router), asking.clone());
            async move { Ok::<_, Infallible>(asking.answer(request, &router).await) }
        });
        let (http, open) = (http.clone(), serving.open.watcher());
        let task = serving.tasks.spawn(async move {
            // Clients hang up whenever they like: that is no error of the hub.
            match agreed(stream_of(stream), tls).await {
                Ok(stream) => {
                    let connection = http.serve_connection(TokioIo::new(stream), service);
                    if let Err(error) = open.watch(connection).await {
                        tracing::debug!(%error, "a connection ended early");
                    }
                }
                Err(error) => tracing::debug!(%error, "no encrypted connection came about"),
            }
            drop((on_list, place));
        });
        client.served_by(task);
    }
}

/// So many that files and databases find room beside them, where the system allows few open files.
fn most_connections() -> usize {
    #[cfg(unix)]
    {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let half = limit.and_then(|limit| usize::try_from(limit / 2).ok());
        half.map_or(MAX_CONNECTIONS, |half| half.clamp(1, MAX_CONNECTIONS))
    }
    #[cfg(not(unix))]
    MAX_CONNECTIONS
}

/// A connection that ends when its client takes nothing of what is sent.
type Stream = Pin<Box<TimeoutStream<TcpStream>>>;

fn stream_of(stream: TcpStream) -> Stream {
    // Answers are written whole, so waiting for more to send only makes them late.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set a socket option");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALLED));
    Box::pin(stream)
}

/// The connection once both sides have agreed on how it is encrypted, where it is.
async fn agreed(
    stream: Stream,
    tls: Option<TlsAcceptor>,
) -> io::Result<Either<Stream, TlsStream<Stream>>> {
    match tls {
        None => Ok(Either::Left(stream)),
        Some(tls) => {
            let agreeing = tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream));
            Ok(Either::Right(agreeing.await??))
        }
    }
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, ServeError> {
    listener.local_addr().map_err(|source| ServeError::Listen {
        address: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        source,
    })
}

/// An address that this computer can connect to: "every address" is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
