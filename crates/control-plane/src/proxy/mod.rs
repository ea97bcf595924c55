//! A proxy that stands before the API server and makes faults on demand: refusals, delays, lost answers, a frozen server,
//! reads from the past, and watches that break, lie or fall silent.
//!
//! Without a rule it passes everything on, unchanged but for the connection: requests over HTTP/1.1 or HTTP/2, answers as they
//! come, watches event by event. Who asks is told by the bearer token, which passes; a client certificate cannot.
//!
//! ```no_run
//! # async fn example(plane: &control_plane::ControlPlane) -> Result<(), Box<dyn std::error::Error>> {
//! use control_plane::proxy::{Calls, Fault, FaultProxy, Point, Verb};
//!
//! let proxy = FaultProxy::start(plane).await?;
//! let kubeconfig = plane.service_account_kubeconfig("audit", "controller").await?;
//! let through = plane.kubeconfig_via(&kubeconfig, proxy.url())?;
//! // The next status write happens, and its answer is lost.
//! let writes = Calls::any().verb(Verb::Patch).resource("things").subresource("status");
//! let lost = proxy.fault(writes.times(1), Fault::Cut(Point::After));
//! # let _ = (through, lost);
//! # Ok(())
//! # }
//! ```

mod answer;
mod call;
mod events;
mod forward;
mod rules;
mod serve;
mod snapshot;
mod stream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use call::{Call, Calls, Verb};
pub use events::{Event, EventFault, Events};
pub use rules::{Fault, FaultId, Point};
pub use snapshot::Snapshot;

use crate::{ControlPlane, Error};
use rules::State;
use stream::Command;

/// A running proxy. Ends when dropped, and all connections through it with it.
pub struct FaultProxy {
    url: String,
    shared: Arc<Shared>,
    reader: Client,
    task: JoinHandle<()>,
}

/// What all connections share.
pub(crate) struct Shared {
    /// Speaks to the API server, with whatever credentials a request brings.
    upstream: Client,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state, and tells everybody who waits for something.
    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// Looks at once and after every change, until `look` finds something.
    async fn until<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(found) = self.read(&mut look) {
                return found;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn thawed(&self) {
        self.until(|state| (!state.frozen).then_some(())).await;
    }
}

impl FaultProxy {
    /// Starts one before `plane`, on a loopback port of its own. Any number may stand before one server.
    pub async fn start(plane: &ControlPlane) -> Result<Self, Error> {
        let doing = || "starting the fault proxy".to_owned();
        let tls = serve::acceptor(&plane.serving_certificate()?)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::io(doing()))?;
        let port = listener.local_addr().map_err(Error::io(doing()))?.port();
        let upstream = Client::try_from(without_identity(&plane.admin)).map_err(Error::kube(doing()))?;
        let shared = Arc::new(Shared { upstream, state: Mutex::default(), changes: watch::Sender::new(0) });
        let task = tokio::spawn(serve::serve(listener, tls, Arc::clone(&shared)));
        Ok(Self { url: format!("https://127.0.0.1:{port}"), shared, reader: plane.admin_client()?, task })
    }

    /// `https://127.0.0.1:<port>`; clients trust it as they trust the control plane.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on, does this to these calls. The first rule that fits a call decides.
    pub fn fault(&self, calls: Calls, fault: Fault) -> FaultId {
        self.shared.update(|state| state.add_fault(calls, fault))
    }

    /// From now on, does this to these events of watches, those that are open included. The first rule that fits decides.
    pub fn events(&self, events: Events, fault: EventFault) -> FaultId {
        self.shared.update(|state| state.add_events(events, fault))
    }

    /// Ends a rule. Calls that it held go on, events that it held or put aside are delivered.
    pub fn release(&self, id: FaultId) {
        self.shared.update(|state| state.end(id, rules::Verdict::GoOn));
    }

    /// Ends a rule. The connections of calls that it held are closed; what was held before its effect never has one.
    pub fn cut_held(&self, id: FaultId) {
        self.shared.update(|state| state.end(id, rules::Verdict::Cut));
    }

    /// How many calls or events a rule has hit.
    pub fn hits(&self, id: FaultId) -> usize {
        self.shared.read(|state| state.hits(id))
    }

    /// Waits until a rule has hit `n` calls or events.
    pub async fn wait_hits(&self, id: FaultId, n: usize, limit: Duration) -> Result<(), Error> {
        let hit = self.shared.until(|state| (state.hits(id) >= n).then_some(()));
        tokio::time::timeout(limit, hit).await.map_err(|_| Error::Timeout {
            what: format!("{n} calls or events at a rule of the fault proxy"),
            seconds: limit.as_secs(),
            last: format!("{} came", self.hits(id)),
            tail: String::new(),
        })
    }

    /// The calls that came by so far, in order, whatever was done to them.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.read(|state| state.calls.clone())
    }

    /// How many watches of these calls are open.
    pub fn open_watches(&self, calls: &Calls) -> usize {
        self.shared.read(|state| state.streams_of(calls))
    }

    /// Breaks the watches of these calls that are open, in the middle of their answer. Tells how many.
    pub fn cut_watches(&self, calls: &Calls) -> usize {
        self.shared.update(|state| state.command(calls, Command::Cut))
    }

    /// Tells the watches of these calls that are open that they are too old: an ERROR event with 410, and the end. Tells how many.
    pub fn expire_watches(&self, calls: &Calls) -> usize {
        self.shared.update(|state| state.command(calls, Command::Expire))
    }

    /// The watches of these calls that are open stay open, and nothing ever arrives on them any more: a connection whose other end
    /// is gone. Tells how many.
    pub fn silence_watches(&self, calls: &Calls) -> usize {
        self.shared.update(|state| state.command(calls, Command::Silence))
    }

    /// Accepts connections and requests from now on, and says nothing; open watches stand still.
    pub fn freeze(&self) {
        self.shared.update(|state| state.frozen = true);
    }

    /// Goes on where it was frozen: requests that still wait are passed on, also those whose clients have left.
    pub fn thaw(&self) {
        self.shared.update(|state| state.frozen = false);
    }

    /// What a list of `path` (such as `/apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL`) answers now, for [`Fault::Stale`].
    pub async fn remember(&self, path: &str) -> Result<Snapshot, Error> {
        Snapshot::take(&self.reader, path).await.map_err(Error::kube(format!("listing {path}")))
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultProxy").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The way to the server, and nobody's name.
fn without_identity(admin: &Config) -> Config {
    let mut config = Config::new(admin.cluster_url.clone());
    config.root_cert.clone_from(&admin.root_cert);
    config.default_retry = false;
    config
}
