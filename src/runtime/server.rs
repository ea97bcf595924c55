//! `/healthz`, `/readyz` and `/metrics`. An outage of Konnect does not make the operator unready: restarting this pod would not help.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::AbortHandle;
use tracing::{debug, warn};

use crate::metrics::{Exposition, Metrics};

/// How long a connection may last: one request and its answer. A reader that does not read is dropped after this.
const CONNECTION_LIMIT: Duration = Duration::from_secs(30);
/// How many connections may be open at once. One more closes the oldest, so that the kubelet's probes always get through.
const MAX_CONNECTIONS: usize = 64;
/// How many connections may wait to be taken.
const BACKLOG: u32 = 256;
/// How long a page of metrics is served before it is worked out again. Working it out visits every object.
const METRICS_KEPT: Duration = Duration::from_secs(1);
/// How long answers under way may take when the process is to end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// After a connection that could not be taken.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What `/readyz` waits for. A replica that stands by is ready when the CRD is served, so that it can take over; the one that
/// works is ready when its watches have seen all objects there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<State>);

#[derive(Debug, Default)]
struct State {
    crd_is_served: AtomicBool,
    leading: AtomicBool,
    watches_to_come: AtomicUsize,
}

impl Readiness {
    /// The apiserver has answered for the CRD.
    pub(crate) fn crd_is_served(&self) {
        self.0.crd_is_served.store(true, Ordering::Release);
    }

    /// This replica works from now on, with so many watches.
    pub(crate) fn leading(&self, watches: usize) {
        self.0.watches_to_come.store(watches, Ordering::Release);
        self.0.leading.store(true, Ordering::Release);
    }

    /// One more watch has seen all objects. To be called once for each.
    pub(crate) fn watch_is_complete(&self) {
        // Never below zero: one call too many must not turn into "wait for 2^64 more".
        let _ = self.0.watches_to_come.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
    }

    /// Whether nothing is waited for.
    pub(crate) fn is_ready(&self) -> bool {
        if self.0.leading.load(Ordering::Acquire) {
            self.0.watches_to_come.load(Ordering::Acquire) == 0
        } else {
            self.0.crd_is_served.load(Ordering::Acquire)
        }
    }
}

/// What is served, and from what. Clones share the page of metrics that was computed last.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    readiness: Readiness,
    /// What `/readyz` says while it waits.
    waiting: Bytes,
    metrics: Metrics,
    last_scrape: Arc<Mutex<Option<Scrape>>>,
}

/// The metrics as they were at one moment, in both formats.
#[derive(Clone, Debug)]
struct Scrape {
    at: Instant,
    open_metrics: Bytes,
    text: Bytes,
}

impl Pages {
    /// `/readyz` tells `readiness`, which waits for the objects that `kinds` names; `/metrics` tells `metrics`.
    pub(crate) fn new(readiness: Readiness, kinds: &[&str], metrics: Metrics) -> Self {
        let waiting = format!("waiting for the {}: is the CRD installed?\n", kinds.join(" and ")).into();
        Self { readiness, waiting, metrics, last_scrape: Arc::default() }
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/healthz" | "/readyz" | "/metrics" if !reads => {
                said(StatusCode::METHOD_NOT_ALLOWED, "GET is served here\n")
            }
            "/healthz" => said(StatusCode::OK, "ok\n"),
            "/readyz" if self.readiness.is_ready() => said(StatusCode::OK, "ok\n"),
            "/readyz" => said(StatusCode::SERVICE_UNAVAILABLE, self.waiting.clone()),
            "/metrics" => self.scrape(request.headers()),
            _ => said(StatusCode::NOT_FOUND, "served are /healthz, /readyz and /metrics\n"),
        }
    }

    fn scrape(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let Ok(scrape) = self.last_scrape() else {
            return said(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n");
        };
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let format = Exposition::accepted(accepted);
        let body = match format {
            Exposition::OpenMetrics => scrape.open_metrics,
            Exposition::Text => scrape.text,
        };
        let mut response = response(StatusCode::OK, format.content_type(), body);
        response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
        response
    }

    /// The page of this second. However many ask, it is worked out once: the work is done on the only thread, which also renews the
    /// lease.
    fn last_scrape(&self) -> Result<Scrape, std::fmt::Error> {
        let mut last = self.last_scrape.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scrape) = last.as_ref().filter(|scrape| scrape.at.elapsed() < METRICS_KEPT) {
            return Ok(scrape.clone());
        }
        let text = self.metrics.encode()?;
        let plain = Exposition::Text.of(&text);
        Ok(last.insert(Scrape { at: Instant::now(), open_metrics: text.into(), text: plain.into() }).clone())
    }
}

fn said(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", text.into())
}

fn response(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Opens the port. The default address is `[::]`, which takes IPv4 connections too. Where the kernel has no IPv6, it is every
/// IPv4 address instead.
pub(crate) fn listen(at: SocketAddr) -> std::io::Result<TcpListener> {
    match bound(at) {
        Err(error) if at.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) => {
            warn!(%error, "this machine has no IPv6: serving on IPv4 only");
            bound((Ipv4Addr::UNSPECIFIED, at.port()).into())
        }
        bound => bound,
    }
}

fn bound(at: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if at.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    if at.ip() == Ipv6Addr::UNSPECIFIED {
        // Regardless of the machine's default (net.ipv6.bindv6only).
        rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(BACKLOG)
}

/// Whether a socket of the family cannot be made, or has no address to be bound to.
fn is_without_ipv6(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

/// The connections that are open, the oldest first.
#[derive(Debug, Default)]
struct Open(VecDeque<AbortHandle>);

impl Open {
    /// Takes note of one more, and closes the oldest if there are too many.
    fn add(&mut self, connection: AbortHandle) {
        self.0.retain(|open| !open.is_finished());
        while self.0.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.abort();
        }
        self.0.push_back(connection);
    }
}

/// Serves probes and metrics until `stop` resolves, and lets answers under way end.
pub(crate) async fn serve(listener: TcpListener, pages: Pages, stop: impl Future<Output = ()>) {
    let (connections, mut open) = (GracefulShutdown::new(), Open::default());
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((connection, _)) => {
                let connection = connections.watch(speak(connection, pages.clone()));
                // A client that went away, or took too long, needs no answer.
                let limited = async move { drop(tokio::time::timeout(CONNECTION_LIMIT, connection).await) };
                open.add(tokio::spawn(limited).abort_handle());
            }
            Err(error) => {
                debug!(%error, "a connection to the probes could not be taken");
                // One that was cut is over; too many open files are not, and must not make this a busy loop.
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    // A client that does not read its answer is not waited for.
    let _ = tokio::time::timeout(LAST_ANSWERS, connections.shutdown()).await;
}

/// HTTP/1.1, one request a connection: probes and scrapes are seconds apart, and what is idle holds no socket.
fn speak(connection: TcpStream, pages: Pages) -> impl GracefulConnection<Output = hyper::Result<()>> + Send {
    let answer =
        service_fn(move |request: Request<Incoming>| future::ready(Ok::<_, Infallible>(pages.answer(&request))));
    let mut http1 = http1::Builder::new();
    http1.timer(TokioTimer::new()).header_read_timeout(CONNECTION_LIMIT).keep_alive(false);
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
        Pages::new(Readiness::default(), &["ConfigMaps"], Metrics::new(&Config::of_flags(&[]).unwrap()))
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
        let waiting = "waiting for the ConfigMaps: is the CRD installed?\n";
        assert_eq!(ask(Method::GET, "/readyz").await, (503, waiting.to_owned()));
        assert!(ask(Method::GET, "/metrics").await.1.contains("auditlogreplay_leader 0\n"));
        assert_eq!((ask(Method::POST, "/metrics").await.0, ask(Method::GET, "/").await.0), (405, 404));
        // This one has not asked for anything, and that one for half of it.
        let _silent = TcpStream::connect(address).await.unwrap();
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET /metr").await.unwrap();
        drop(stop);
        let limit = LAST_ANSWERS + Duration::from_secs(5);
        tokio::time::timeout(limit, serving).await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }

    /// Starts a server for one test.
    async fn served(pages: Pages) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, pages, future::pending()));
        address
    }

    #[tokio::test]
    async fn the_metrics_are_worked_out_once_a_second_however_many_ask() {
        let pages = pages();
        let worked_out = Arc::new(AtomicUsize::new(0));
        pages.metrics.leading(Box::new({
            let worked_out = Arc::clone(&worked_out);
            move |_| {
                worked_out.fetch_add(1, Ordering::Relaxed);
                true
            }
        }));
        let (address, began) = (served(pages).await, Instant::now());
        for _ in 0..10 {
            let ask = |_| async { reqwest::get(format!("http://{address}/metrics")).await.unwrap().status() };
            let answers = futures::future::join_all((0..MAX_CONNECTIONS / 2).map(ask)).await;
            assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
        }
        let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
        let times = worked_out.load(Ordering::Relaxed);
        assert!((1..=seconds + 1).contains(&times), "{times} times in {seconds} s");
    }

    #[tokio::test]
    async fn connections_that_say_nothing_do_not_keep_a_probe_out() {
        let address = served(pages()).await;
        let mut silent = Vec::new();
        for _ in 0..3 * MAX_CONNECTIONS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let answer = reqwest::get(format!("http://{address}/healthz")).await.unwrap();
        assert_eq!(answer.status(), 200);
        // The oldest was closed for the newer ones.
        let mut oldest = silent.swap_remove(0);
        let read = tokio::io::AsyncReadExt::read(&mut oldest, &mut [0; 1]).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }

    #[tokio::test]
    async fn the_format_is_the_one_that_was_asked_for() {
        let address = served(pages()).await;
        let ask = async |accept: Option<&'static str>| {
            let request = reqwest::Client::new().get(format!("http://{address}/metrics"));
            let request = if let Some(accept) = accept { request.header(ACCEPT, accept) } else { request };
            let answer = request.send().await.unwrap();
            (answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned(), answer.text().await.unwrap())
        };
        let (type_, text) = ask(Some("application/openmetrics-text; version=1.0.0")).await;
        assert!(type_.starts_with("application/openmetrics-text") && text.ends_with("# EOF\n"), "{type_}");
        for accept in [None, Some("*/*"), Some("text/plain;version=0.0.4")] {
            let (type_, text) = ask(accept).await;
            assert!(type_.starts_with("text/plain; version=0.0.4") && !text.contains("# EOF"), "{accept:?}: {type_}");
        }
    }

    #[test]
    fn only_a_machine_without_ipv6_is_served_on_ipv4_alone() {
        let of = |errno: rustix::io::Errno| is_without_ipv6(&std::io::Error::from_raw_os_error(errno.raw_os_error()));
        assert!(of(rustix::io::Errno::AFNOSUPPORT) && of(rustix::io::Errno::ADDRNOTAVAIL));
        assert!(!of(rustix::io::Errno::ADDRINUSE) && !of(rustix::io::Errno::ACCESS));
    }
}
