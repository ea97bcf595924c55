//! A server of one script a connection: it records the bytes that arrive and sends the bytes it is told to. It knows no HTTP
//! beyond where a request ends, so that it can answer what no HTTP library would.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::recorded::Recorded;

/// Either a socket or TLS over one.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// What arrived, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    connections: usize,
    requests: Vec<Recorded>,
}

impl Log {
    /// Records a request that a script has read by itself.
    pub(crate) fn record(&self, request: Recorded) {
        self.0.lock().unwrap().requests.push(request);
    }
}

/// One accepted connection, in the hands of a script. Dropping it closes the connection.
pub(crate) struct Connection {
    pub(crate) io: Box<dyn Io>,
    pub(crate) log: Log,
}

impl Connection {
    /// Reads one request to its end and records it; `None` when the client closed first.
    pub(crate) async fn request(&mut self) -> Option<Recorded> {
        let mut bytes = Vec::new();
        loop {
            if let Some(request) = Recorded::parse(&bytes) {
                self.log.record(request.clone());
                return Some(request);
            }
            if self.io.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Sends bytes; false when the client has gone.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.io.write_all(bytes.as_ref()).await.is_ok() && self.io.flush().await.is_ok()
    }

    /// Sends `piece` until the client has gone or `limit` bytes were sent; returns how many the sockets took.
    pub(crate) async fn flood(&mut self, piece: &[u8], limit: usize) -> usize {
        let mut sent = 0;
        while sent < limit && self.send(piece).await {
            sent += piece.len();
        }
        sent
    }

    /// Ends this side in an orderly way (FIN, with TLS `close_notify`) and waits for the client to do the same, so that no
    /// byte on the way is lost to a reset.
    pub(crate) async fn close(mut self) {
        drop(self.io.shutdown().await);
        self.until_closed_by_client().await;
    }

    /// Waits for the client to close.
    pub(crate) async fn until_closed_by_client(&mut self) {
        let mut rest = Vec::new();
        drop(self.io.read_to_end(&mut rest).await);
    }
}

/// The server; it ends when dropped, and its connections with it.
pub(crate) struct RawServer {
    address: SocketAddr,
    scheme: &'static str,
    log: Log,
    task: JoinHandle<()>,
}

impl RawServer {
    /// Serves plain TCP.
    pub(crate) async fn start<F, Fut>(script: F) -> Self
    where
        F: Fn(Connection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::serve(None, script).await
    }

    /// Serves TLS; a client that fails the handshake never reaches the script.
    pub(crate) async fn start_tls<F, Fut>(acceptor: TlsAcceptor, script: F) -> Self
    where
        F: Fn(Connection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::serve(Some(acceptor), script).await
    }

    /// Answers each connection's first request with `bytes`, then closes.
    pub(crate) async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        Self::start(move |connection| answer_once(connection, Arc::clone(&bytes))).await
    }

    /// As [`Self::answering`], over TLS.
    pub(crate) async fn answering_tls(acceptor: TlsAcceptor, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        Self::start_tls(acceptor, move |connection| answer_once(connection, Arc::clone(&bytes))).await
    }

    async fn serve<F, Fut>(tls: Option<TlsAcceptor>, script: F) -> Self
    where
        F: Fn(Connection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let log = Log::default();
        let task = tokio::spawn(accept(listener, tls, log.clone(), Arc::new(script)));
        Self { address, scheme, log, task }
    }

    /// `scheme://127.0.0.1:port` and `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Where it listens, as a `Host` header has it.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.log.0.lock().unwrap().requests.clone()
    }

    /// How many TCP connections were accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.log.0.lock().unwrap().connections
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer_once(mut connection: Connection, bytes: Arc<[u8]>) {
    if connection.request().await.is_some() {
        connection.send(bytes).await;
        connection.close().await;
    }
}

async fn accept<F, Fut>(listener: TcpListener, tls: Option<TlsAcceptor>, log: Log, script: Arc<F>)
where
    F: Fn(Connection) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut scripts = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        log.0.lock().unwrap().connections += 1;
        let (tls, log, script) = (tls.clone(), log.clone(), Arc::clone(&script));
        scripts.spawn(async move {
            if let Some(io) = secure(socket, tls).await {
                script(Connection { io, log }).await;
            }
        });
    }
}

async fn secure(socket: TcpStream, tls: Option<TlsAcceptor>) -> Option<Box<dyn Io>> {
    Some(match tls {
        None => Box::new(socket),
        Some(tls) => Box::new(tls.accept(socket).await.ok()?),
    })
}
