//! Listens, and hands each request on in a task of its own, which goes on if its client leaves.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Shared, forward};
use crate::{CertifiedKey, Error};

/// Largest request that the API server takes.
const LARGEST_REQUEST: usize = 3 << 20;

/// The proxy closes the connection instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
pub(super) struct Cut;

/// Serves TLS with this certificate; HTTP/1.1 and HTTP/2, as the client likes.
pub(super) fn acceptor(key: &CertifiedKey) -> Result<TlsAcceptor, Error> {
    let wrong = |why: String| Error::Io { doing: "serving TLS".to_owned(), source: std::io::Error::other(why) };
    let certificate = CertificateDer::from_pem_slice(key.certificate.as_bytes()).map_err(|e| wrong(e.to_string()))?;
    let private = PrivateKeyDer::from_pem_slice(key.key.as_bytes()).map_err(|e| wrong(e.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], private))
        .map_err(|e| wrong(e.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Accepts until aborted; all connections close with it.
pub(super) async fn serve(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(stream, tls.clone(), Arc::clone(&shared)))),
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    shared.thawed().await;
    let stream = match tls.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%error, "TLS handshake failed"),
    };
    let service = service_fn(move |request| request_of_its_own(Arc::clone(&shared), request));
    if let Err(error) = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(error, "connection ended early");
    }
}

/// A client that leaves must not take with it what it has sent.
async fn request_of_its_own(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
    tokio::spawn(async move { forward::answer(&shared, read(request).await?).await }).await.unwrap_or(Err(Cut))
}

async fn read(request: Request<Incoming>) -> Result<Request<Bytes>, Cut> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(Body::new(body), LARGEST_REQUEST).await.map_err(|_| Cut)?;
    Ok(Request::from_parts(parts, body))
}
