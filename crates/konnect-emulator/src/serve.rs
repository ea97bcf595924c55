//! Listens, and serves each connection in a task that the handler can cut.
//!
//! HTTP/1.1 and HTTP/2, plain or TLS. What is answered is the router's business.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Closes the connection a request came in on. Every request finds one among its extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cut {
    now: Arc<Notify>,
    soon: Arc<Notify>,
    announced: Arc<Notify>,
}

impl Cut {
    /// Closes the connection, and with it the handler that awaits this: there is no answer.
    pub(crate) async fn connection(&self) -> ! {
        self.now.notify_one();
        std::future::pending().await
    }

    /// Announces the end of the connection, before this returns; requests under way are answered.
    pub(crate) async fn announce(&self) {
        self.soon.notify_one();
        // A connection that has ended meanwhile announces nothing any more.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.announced.notified()).await;
    }
}

/// Accepts until aborted; all connections close with it.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    let router = router.clone().layer(Extension(ConnectInfo(client)));
                    connections.spawn(connection(stream, tls.clone(), router));
                }
                // Out of file descriptors, or a client that left at once: neither ends the server.
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => requests(stream, router).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => requests(stream, router).await,
            Err(error) => tracing::debug!(%error, "TLS handshake failed"),
        },
    }
}

async fn requests(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let cut = Cut::default();
    let service = TowerToHyperService::new(router.layer(Extension(cut.clone())));
    let server = auto::Builder::new(TokioExecutor::new());
    let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
    loop {
        tokio::select! {
            () = cut.soon.notified() => {
                connection.as_mut().graceful_shutdown();
                cut.announced.notify_one();
            }
            () = cut.now.notified() => return,
            ended = connection.as_mut() => {
                return ended.unwrap_or_else(|error| tracing::debug!(error, "connection ended early"));
            }
        }
    }
}
