//! What all passes share.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use futures::channel::mpsc::UnboundedSender;
use kube::Client;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::events::Publisher;
use super::listed::Listed;
use super::memory::Keeper;
use super::replayed::Replayed;
use super::slim::Guarded;
use super::stores::Stores;
use crate::config::Config;
use crate::konnect_http::HttpClient;
use crate::metrics::Metrics;
use konnect_replay_core::replay::{CallLimit, Clock, Draw, ObjectId, Scheduler, Woken};

/// What all passes share.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) konnect: HttpClient,
    pub(super) config: Config,
    pub(super) keeper: Keeper,
    pub(super) stores: Stores,
    pub(super) replayed: Replayed,
    pub(super) listed: Listed,
    pub(super) stop: Stop,
    pub(super) metrics: Metrics,
    pub(super) events: Publisher,
    scheduler: Mutex<Scheduler>,
    calls: Mutex<CallLimit>,
    /// As many passes run at once as the process has workers, whichever namespaces they are of.
    workers: Semaphore,
    /// By watched namespace; `None` watches all.
    wakers: HashMap<Option<String>, UnboundedSender<ObjectRef<Guarded>>>,
    started: Instant,
}

impl Context {
    pub(super) fn new(
        client: Client,
        konnect: HttpClient,
        config: Config,
        wakers: HashMap<Option<String>, UnboundedSender<ObjectRef<Guarded>>>,
        stop: Stop,
        events: Publisher,
        metrics: Metrics,
    ) -> Self {
        let scheduler = Mutex::new(Scheduler::new(&config.policy));
        let calls = Mutex::new(CallLimit::new(config.concurrency));
        let workers = Semaphore::new(config.concurrency.into());
        Self {
            client,
            konnect,
            config,
            keeper: Keeper::default(),
            stores: Stores::default(),
            replayed: Replayed::default(),
            listed: Listed::default(),
            stop,
            metrics,
            events,
            scheduler,
            calls,
            workers,
            wakers,
            started: Instant::now(),
        }
    }

    /// Now, by both clocks.
    pub(super) fn clock(&self) -> Clock {
        Clock { wall: Utc::now(), mono: self.started.elapsed() }
    }

    /// Fresh randomness.
    pub(super) fn draw() -> Draw {
        let id = uuid::Uuid::new_v4();
        // The first field of a v4 is all random.
        let (bits, ..) = id.as_fields();
        Draw { jitter: f64::from(bits) / f64::from(u32::MAX), submission_id: id.to_string() }
    }

    pub(super) fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        // Nothing is done under this lock that could panic half-way.
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, CallLimit> {
        // The same.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker for one pass, in the order of asking, once all objects have been listed. Never `None`: the semaphore is never closed.
    pub(super) async fn worker(&self) -> Option<SemaphorePermit<'_>> {
        self.listed.is_complete().await;
        self.workers.acquire().await.ok()
    }

    /// Requeues the jobs whose turn may have come.
    pub(super) fn wake_all(&self, woken: Woken) {
        for id in woken {
            self.wake(&id);
        }
    }

    fn wake(&self, id: &ObjectId) {
        let waker = self.wakers.get(&Some(id.namespace.clone())).or_else(|| self.wakers.get(&None));
        if let Some(waker) = waker {
            let object = ObjectRef::new(&id.name).within(&id.namespace);
            // A closed channel means that we are stopping; nobody is to be woken then.
            let _ = waker.unbounded_send(object);
        }
    }
}

/// Tells everybody that the process is to end.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The sender of the word, and those who hear it.
    pub(super) fn channel() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether it was said.
    pub(super) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when it is said.
    pub(super) async fn requested(&self) {
        // An error means that the sender is gone, which it only is at the end.
        let _ = self.0.clone().wait_for(|stop| *stop).await;
    }

    /// Resolves `grace` after it was said.
    pub(super) async fn requested_for(&self, grace: Duration) {
        self.requested().await;
        tokio::time::sleep(grace).await;
    }
}
