//! A server before the emulated Konnect. It passes requests on, and answers what it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::konnect_client::raw_server::{Connection, RawServer};
use crate::konnect_client::recorded::Recorded;
use crate::support::World;

/// What becomes of one answer, after the request has had its effect.
#[derive(Clone, Debug)]
pub(super) enum Mangling {
    /// Nothing is answered, and the connection stays.
    Silence,
    /// The first half of the answer, then the end, whatever its head promised.
    HalfThenCut,
    /// This head, then `piece` again and again, so often.
    Flood { head: String, piece: Arc<[u8]>, times: usize },
}

/// Which requests are mangled: the first of this method on this portal.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) method: &'static str,
    pub(super) portal: String,
    pub(super) mangling: Mangling,
}

/// The front.
pub(super) struct Front {
    server: RawServer,
    rules: Arc<Mutex<Vec<Rule>>>,
    tls: Arc<Mutex<Option<TlsAcceptor>>>,
}

impl Front {
    /// Stands before the Konnect of `world`.
    pub(super) async fn before(world: &World) -> Self {
        let url = world.emulator.base_url("eu");
        let authority = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap();
        let konnect: SocketAddr = authority.parse().unwrap();
        let rules = Arc::new(Mutex::new(Vec::new()));
        let tls = Arc::new(Mutex::new(None));
        let server = RawServer::start({
            let (rules, tls) = (Arc::clone(&rules), Arc::clone(&tls));
            move |connection| serve(connection, konnect, Arc::clone(&rules), tls.lock().unwrap().clone())
        })
        .await;
        Self { server, rules, tls }
    }

    /// The operator's flag that leads it here.
    pub(super) fn flag(&self) -> String {
        let scheme = if self.tls.lock().unwrap().is_some() { "https" } else { "http" };
        format!("--konnect-url={scheme}://{}/{{region}}", self.server.authority())
    }

    pub(super) fn mangle(&self, rule: Rule) {
        self.rules.lock().unwrap().push(rule);
    }

    /// Rules that have not been met yet.
    pub(super) fn left(&self) -> Vec<Rule> {
        self.rules.lock().unwrap().clone()
    }

    /// Speaks TLS as this acceptor does, from the next connection on.
    pub(super) fn present(&self, acceptor: TlsAcceptor) {
        *self.tls.lock().unwrap() = Some(acceptor);
    }

    /// Requests that arrived in full.
    pub(super) fn requests(&self) -> usize {
        self.server.requests().len()
    }
}

async fn serve(
    mut connection: Connection,
    konnect: SocketAddr,
    rules: Arc<Mutex<Vec<Rule>>>,
    tls: Option<TlsAcceptor>,
) {
    if let Some(tls) = tls {
        let Connection { io, log } = connection;
        let Ok(secured) = tls.accept(io).await else { return };
        connection = Connection { io: Box::new(secured), log };
    }
    let Some(request) = connection.request().await else { return };
    let mangling = take(&rules, &request);
    let answer = forward(konnect, &request).await;
    match mangling {
        None => {
            connection.send(answer).await;
            connection.close().await;
        }
        Some(Mangling::Silence) => connection.until_closed_by_client().await,
        Some(Mangling::HalfThenCut) => {
            connection.send(&answer[..answer.len() - 20]).await;
        }
        Some(Mangling::Flood { head, piece, times }) => {
            if connection.send(head).await {
                connection.flood(&piece, piece.len() * times).await;
            }
        }
    }
}

fn take(rules: &Mutex<Vec<Rule>>, request: &Recorded) -> Option<Mangling> {
    let mut rules = rules.lock().unwrap();
    let is_meant = |rule: &Rule| {
        let path = request.line.strip_prefix(rule.method).unwrap_or_default();
        path.contains(&rule.portal) && path.contains("audit-log-replay-job")
    };
    let at = rules.iter().position(is_meant)?;
    Some(rules.remove(at).mangling)
}

/// Konnect's whole answer, as bytes.
async fn forward(konnect: SocketAddr, request: &Recorded) -> Vec<u8> {
    let mut upstream = TcpStream::connect(konnect).await.unwrap();
    let headers = request.headers.join("\r\n");
    let text = format!("{}\r\n{headers}\r\nconnection: close\r\n\r\n{}", request.line, request.body);
    upstream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).await.unwrap();
    answer
}
