//! A proxy between this computer and hubs, as companies have them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// What a proxy does with those who come.
#[derive(Clone)]
pub enum ProxyRule {
    /// Passes everything on to what listens there, whatever host is asked for.
    PassTo(SocketAddr),
    /// Answers so itself.
    Answer(&'static str),
}

/// A proxy; ends with this value.
pub struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    _listener: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Listens from now on.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start(rule: ProxyRule) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&heads);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (rule, heard) = (rule.clone(), Arc::clone(&heard));
                tokio::spawn(async move {
                    // Both sides may hang up whenever they like.
                    drop(serve(client, &rule, &heard).await);
                });
            }
        });
        Self {
            address,
            heads,
            _listener: AbortOnDropHandle::new(task),
        }
    }

    /// `127.0.0.1:port`.
    pub fn name(&self) -> String {
        self.address.to_string()
    }

    /// The head of the first request of each connection.
    pub fn heads(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.clone()
    }
}

async fn serve(
    mut client: TcpStream,
    rule: &ProxyRule,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let is_tunnel = text.starts_with("CONNECT ");
    heard
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(text);
    match rule {
        ProxyRule::Answer(answer) => client.write_all(answer.as_bytes()).await,
        ProxyRule::PassTo(address) => {
            let mut hub = TcpStream::connect(address).await?;
            if is_tunnel {
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            } else {
                hub.write_all(&head).await?;
            }
            copy_bidirectional(&mut client, &mut hub).await.map(drop)
        }
    }
}
