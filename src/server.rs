//! `/healthz` and `/readyz`. Konnect being down makes nobody unready: restarting this pod would not help.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

/// What `/readyz` waits for: one mark for each watch that has seen all objects there are.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<AtomicUsize>);

impl Readiness {
    /// Not ready until `marks` marks are made.
    pub fn waiting_for(marks: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(marks)))
    }

    /// Makes one mark.
    pub fn mark(&self) {
        // Never below zero: a mark too many must not turn into "wait for 2^64 more".
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
    }

    /// Whether every mark was made.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }
}

/// Serves the probes until `stop` resolves.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
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
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}
