//! A hub from start to stop: [`serve`] as a program of its own, [`LocalHub`] inside another.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use sendense_engine::{self as engine, Engine, restore::RootLayout};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot},
    task::{JoinHandle, JoinSet},
};

use crate::{
    Config, Hub, Profile, ServeError, api,
    config::Auth,
    data_dir::{DataDir, Published},
    secret::Secret,
};

/// More clients than that wait until another one leaves.
const MAX_CONNECTIONS: usize = 256;
/// Request line and headers together; folder paths in queries are the longest part.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// A client that opens a connection and says nothing gives its place back.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Answers that are under way when the hub stops may take this long to end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// When the system refuses connections (too many open files), trying again at once helps nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

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
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| ServeError::Listen { address, source })?;
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

/// A hub that is ready to answer.
struct Server {
    listener: TcpListener,
    hub: Hub,
    url: String,
    key: Secret,
    /// In this order: the address goes before the lock does.
    published: Published,
    data_dir: DataDir,
}

impl Server {
    async fn open(listener: TcpListener, config: Config) -> Result<Self, ServeError> {
        let address = listener.local_addr().map_err(|source| ServeError::Listen {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            source,
        })?;
        if matches!(config.auth, Auth::Off) && !address.ip().is_loopback() {
            return Err(ServeError::NoAuthNeedsLoopback(address));
        }
        let opening = tokio::task::spawn_blocking(move || Self::open_blocking(config));
        let (data_dir, hub, key) = match opening.await {
            Ok(opened) => opened?,
            Err(died) => std::panic::resume_unwind(died.into_panic()),
        };
        let url = format!("http://{}", reachable(address));
        let published = data_dir.publish(&url, &key)?;
        tracing::info!(%url, "the hub is ready");
        Ok(Self {
            listener,
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
            listener,
            hub,
            published,
            data_dir,
            ..
        } = self;
        let mut background = JoinSet::new();
        background.spawn(hub.engine().mounts().clone().reap_forever());

        let connections = answer(listener, &hub, shutdown).await;
        tracing::info!("the hub is stopping");
        // Clients that look for a hub now shall not find this one.
        drop(published);
        let jobs = hub.engine().stop();
        let (_, answered) = tokio::join!(
            jobs,
            tokio::time::timeout(LAST_ANSWERS, connections.open.shutdown())
        );
        if answered.is_err() {
            tracing::warn!("some answers were cut off");
        }
        // Whatever is still open holds the engine, and with it the database: it ends before the lock goes.
        let mut tasks = connections.tasks;
        tasks.shutdown().await;
        background.shutdown().await;
        drop(data_dir);
    }
}

/// The connections of a hub.
struct Connections {
    /// Asks each of them to end after the answer that it is giving.
    open: GracefulShutdown,
    /// What serves them, and ends with this.
    tasks: JoinSet<()>,
}

/// Answers requests until `shutdown` is done; returns the connections that are still open.
async fn answer(
    listener: TcpListener,
    hub: &Hub,
    shutdown: impl Future<Output = ()>,
) -> Connections {
    let service = TowerToHyperService::new(api::router(hub.clone()));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES);
    let mut connections = Connections {
        open: GracefulShutdown::new(),
        tasks: JoinSet::new(),
    };
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::pin!(shutdown);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut shutdown => return connections,
            // Those that have ended go.
            Some(_) = connections.tasks.join_next() => continue,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                no_delay(&stream);
                let connection = http.serve_connection(TokioIo::new(stream), service.clone());
                let connection = connections.open.watch(connection);
                connections.tasks.spawn(async move {
                    // Clients hang up whenever they like: that is no error of the hub.
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers are written whole, so waiting for more to send only makes them late.
fn no_delay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set a socket option");
    }
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
