//! `/healthz`, `/readyz` and `/metrics`. Konnect being down makes nobody unready: restarting this pod would not help.

use std::convert::Infallible;
use std::future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use crate::metrics::{self, Metrics};

/// How long a request may take to arrive, and a connection may be idle.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// How long answers under way may take when the process is to end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// After a connection that could not be taken.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What `/readyz` waits for. A replica that stands by is ready when the CRD is served, so that it can take over; the one that
/// works is ready when its watches have seen all objects there are.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<State>);

#[derive(Debug, Default)]
struct State {
    crd_is_served: AtomicBool,
    leading: AtomicBool,
    watches_to_come: AtomicUsize,
}

impl Readiness {
    /// The apiserver has answered for the CRD.
    pub fn crd_is_served(&self) {
        self.0.crd_is_served.store(true, Ordering::Release);
    }

    /// This replica works from now on, with so many watches.
    pub fn leading(&self, watches: usize) {
        self.0.watches_to_come.store(watches, Ordering::Release);
        self.0.leading.store(true, Ordering::Release);
    }

    /// One more watch has seen all objects. To be called once for each.
    pub fn watch_is_complete(&self) {
        // Never below zero: one call too many must not turn into "wait for 2^64 more".
        let _ = self.0.watches_to_come.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
    }

    /// Whether nothing is waited for.
    pub fn is_ready(&self) -> bool {
        if self.0.leading.load(Ordering::Acquire) {
            self.0.watches_to_come.load(Ordering::Acquire) == 0
        } else {
            self.0.crd_is_served.load(Ordering::Acquire)
        }
    }
}

/// What is served, and what it is told from.
#[derive(Clone, Debug)]
pub struct Pages {
    /// Told by `/readyz`.
    pub readiness: Readiness,
    /// Told by `/metrics`.
    pub metrics: Metrics,
}

impl Pages {
    fn answer(&self, method: &Method, path: &str) -> Response<String> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match path {
            "/healthz" | "/readyz" | "/metrics" if !reads => {
                said(StatusCode::METHOD_NOT_ALLOWED, "GET is served here\n")
            }
            "/healthz" => said(StatusCode::OK, "ok\n"),
            "/readyz" if self.readiness.is_ready() => said(StatusCode::OK, "ok\n"),
            "/readyz" => {
                said(StatusCode::SERVICE_UNAVAILABLE, "waiting for the AuditLogReplayJobs: is the CRD installed?\n")
            }
            "/metrics" => self.scrape(),
            _ => said(StatusCode::NOT_FOUND, "served are /healthz, /readyz and /metrics\n"),
        }
    }

    fn scrape(&self) -> Response<String> {
        match self.metrics.encode() {
            Ok(text) => response(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(_) => said(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n"),
        }
    }
}

fn said(status: StatusCode, text: &str) -> Response<String> {
    response(status, "text/plain; charset=utf-8", text.to_owned())
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Serves probes and metrics until `stop` resolves, and lets answers under way end.
pub async fn serve(listener: TcpListener, pages: Pages, stop: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((connection, _)) => {
                let connection = connections.watch(speak(connection, pages.clone()));
                // Whoever asked and went away is nobody's concern.
                tokio::spawn(async move { drop(connection.await) });
            }
            Err(error) => {
                debug!(%error, "a connection to the probes could not be taken");
                // One that was cut is over; too many open files are not, and must not make this a busy loop.
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    // Who does not read its answer is not waited for.
    let _ = tokio::time::timeout(LAST_ANSWERS, connections.shutdown()).await;
}

/// HTTP/1.1 alone: whoever asks here knows what it asks.
fn speak(connection: TcpStream, pages: Pages) -> impl GracefulConnection<Output = hyper::Result<()>> + Send {
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = pages.answer(request.method(), request.uri().path());
        future::ready(Ok::<_, Infallible>(answer))
    });
    let mut http1 = http1::Builder::new();
    http1.timer(TokioTimer::new()).header_read_timeout(REQUEST_LIMIT);
    http1.serve_connection(TokioIo::new(connection), answer)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::config::Config;

    #[test]
    fn a_standby_is_ready_with_the_crd_and_a_leader_with_its_watches() {
        let readiness = Readiness::default();
        assert!(!readiness.is_ready());
        readiness.crd_is_served();
        assert!(readiness.is_ready());
        readiness.leading(2);
        assert!(!readiness.is_ready());
        readiness.watch_is_complete();
        assert!(!readiness.is_ready());
        readiness.watch_is_complete();
        readiness.watch_is_complete();
        assert!(readiness.is_ready());
    }

    fn pages() -> Pages {
        Pages { readiness: Readiness::default(), metrics: Metrics::new(&Config::of_flags(&[]).unwrap()) }
    }

    #[tokio::test]
    async fn what_is_served_is_told_and_a_stop_waits_for_nobody_who_does_not_ask() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, told) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(serve(listener, pages(), async { drop(told.await) }));
        let client = reqwest::Client::new();
        let ask = async |method, path| {
            let answer = client.request(method, format!("http://{address}{path}")).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(ask(Method::GET, "/healthz").await, (200, "ok\n".to_owned()));
        assert_eq!(ask(Method::HEAD, "/healthz?verbose").await, (200, String::new()));
        assert_eq!(ask(Method::GET, "/readyz").await.0, 503);
        assert!(ask(Method::GET, "/metrics").await.1.ends_with("# EOF\n"));
        assert_eq!((ask(Method::POST, "/metrics").await.0, ask(Method::GET, "/").await.0), (405, 404));
        // One connection of the client is idle by now; this one has not asked for anything, and that one for half of it.
        let _silent = TcpStream::connect(address).await.unwrap();
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET /metr").await.unwrap();
        drop(stop);
        let limit = LAST_ANSWERS + Duration::from_secs(5);
        tokio::time::timeout(limit, serving).await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
