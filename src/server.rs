//! `/healthz`, `/readyz` and `/metrics`. Konnect being down makes nobody unready: restarting this pod would not help.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::{self, Metrics};

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

/// Serves probes and metrics until `stop` resolves.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: Metrics,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let ready = move || async move {
        if readiness.is_ready() {
            (StatusCode::OK, "ok\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "waiting for the AuditLogReplayJobs: is the CRD installed?\n")
        }
    };
    let router = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready));
    let router = router.route("/metrics", get(move || async move { scrape(&metrics) }));
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

fn scrape(metrics: &Metrics) -> Response {
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
