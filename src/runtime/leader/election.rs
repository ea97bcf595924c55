//! The calls by which replicas agree on one of them: client-go's protocol. A lease is taken when it has no holder, or was not seen to
//! change for as long as it holds. Every write is one on exactly the version that was read or written before, so that of two only one
//! succeeds.

use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout, timeout_at};
use tracing::{error, info, warn};

use super::lease::{self, Observed};
use super::{Departure, Succession};

/// How long the leader tries to renew before it gives up: less than the lease holds.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often the lease is renewed, and looked at.
const RETRY_PERIOD: Duration = Duration::from_secs(2);
/// How long the last message of a leaving leader may take.
const LAST_WORD: Duration = Duration::from_secs(3);
/// Tries to write it, as a renewal that is still on its way may land in between.
const LAST_WRITES: usize = 3;

/// A candidate for a lease.
pub(super) struct Election {
    leases: Api<Lease>,
    name: String,
    identity: String,
}

/// A lease that is ours.
#[derive(Debug)]
pub(super) struct Held {
    /// As it was last written.
    pub(super) lease: Lease,
    /// Before that was sent: others count from when they see it, which may be before we hear that it was written.
    since: Instant,
}

/// What a look at the lease came to.
enum Look {
    Won(Box<Held>),
    /// Another holds it, until then if it is not renewed.
    Taken {
        until: Instant,
    },
}

/// The lease as it was read.
struct Seen {
    lease: Option<Lease>,
    at: Instant,
}

impl Election {
    /// A candidate for the lease `name`; nothing is called yet.
    pub(super) fn new(leases: Api<Lease>, name: &str, identity: &str) -> Self {
        Self { leases, name: name.to_owned(), identity: identity.to_owned() }
    }

    /// Waits until the lease is ours; `None` if `stop` comes first. A write that is on its way then is waited for, and what it won
    /// is given back: else the lease would be that of a process which is gone.
    pub(super) async fn win(&self, stop: impl Future<Output = ()>) -> Option<Held> {
        let (mut observed, mut stands_by, mut stop) = (Observed::default(), false, pin!(stop));
        loop {
            let soon = Instant::now() + RETRY_PERIOD;
            let seen = tokio::select! {
                seen = self.see() => seen,
                () = &mut stop => return None,
            };
            let look = match seen {
                Ok(seen) => self.take(seen, &mut observed).await,
                Err(error) => Err(error),
            };
            let again = match look {
                Ok(Look::Won(held)) => return self.unless_stopped(*held, stop).await,
                Ok(Look::Taken { until }) => {
                    if !std::mem::replace(&mut stands_by, true) {
                        info!(lease = self.name, identity = self.identity, "another replica leads; standing by");
                    }
                    soon.min(until)
                }
                Err(error) => {
                    self.complain(&error);
                    soon
                }
            };
            tokio::select! {
                () = sleep_until(again) => {}
                () = &mut stop => return None,
            }
        }
    }

    async fn unless_stopped(&self, held: Held, stop: impl Future<Output = ()>) -> Option<Held> {
        if stop.now_or_never().is_some() {
            // No work was begun. What the leader before left may still be on its way, and this process cannot know that it ended.
            let before = match lease::succession(&held.lease) {
                Succession::InOrder => Departure::Settled,
                Succession::Unknown | Succession::Unclean => Departure::Unsettled,
            };
            self.give_back(held, before).await;
            return None;
        }
        info!(lease = self.name, identity = self.identity, "leading");
        Some(held)
    }

    async fn see(&self) -> kube::Result<Seen> {
        let lease = self.leases.get_opt(&self.name).await?;
        Ok(Seen { lease, at: Instant::now() })
    }

    async fn take(&self, Seen { lease: seen, at: since }: Seen, observed: &mut Observed) -> kube::Result<Look> {
        let now = MicroTime(Timestamp::now());
        let written = match &seen {
            None => self.leases.create(&PostParams::default(), &lease::first(&self.name, &self.identity, now)).await,
            Some(lease) => {
                if lease::holder(lease).is_some_and(|holder| holder != self.identity) {
                    let until = observed.holds_until(lease, since);
                    if since < until {
                        return Ok(Look::Taken { until });
                    }
                }
                self.replace(&lease::held(lease, &self.identity, now)).await
            }
        };
        match written {
            Ok(lease) => Ok(Look::Won(Box::new(Held { lease, since }))),
            // Another candidate was quicker.
            Err(error) if is_conflict(&error) => Ok(Look::Taken { until: since + lease::LEASE_DURATION }),
            Err(error) => Err(error),
        }
    }

    /// Renews the lease for as long as that works. Returns when another has it, or may have it soon.
    pub(super) async fn keep(&self, held: &mut Held) {
        let mut ticks = interval_at(held.since + RETRY_PERIOD, RETRY_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let deadline = held.since + RENEW_DEADLINE;
            let renewed = timeout_at(deadline, async {
                ticks.tick().await;
                self.renew(held).await
            });
            match renewed.await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => {
                    warn!(lease = self.name, identity = self.identity, "the lease was taken by another, or is gone");
                    return;
                }
                Ok(Err(error)) => self.complain(&error),
                Err(_) => {
                    warn!(lease = self.name, "the lease could not be renewed for {} s", RENEW_DEADLINE.as_secs());
                    return;
                }
            }
        }
    }

    /// Writes without a look first, as no other process should have written. Answers whether the lease is still ours.
    async fn renew(&self, held: &mut Held) -> kube::Result<bool> {
        let since = Instant::now();
        let lease = match self.write(&held.lease).await {
            Err(error) if is_conflict(&error) => {
                // An earlier renewal landed without an answer, or another client put a label on it, or took it.
                match self.leases.get_opt(&self.name).await? {
                    Some(lease) if lease::holder(&lease) == Some(&self.identity) => self.write(&lease).await?,
                    _ => return Ok(false),
                }
            }
            written => written?,
        };
        *held = Held { lease, since };
        Ok(true)
    }

    async fn write(&self, lease: &Lease) -> kube::Result<Lease> {
        self.replace(&lease::held(lease, &self.identity, MicroTime(Timestamp::now()))).await
    }

    async fn replace(&self, lease: &Lease) -> kube::Result<Lease> {
        self.leases.replace(&self.name, &PostParams::default(), lease).await
    }

    /// Gives the lease back, so that the next one need not wait, and leaves a message on how the term ended.
    pub(super) async fn give_back(&self, held: Held, departure: Departure) {
        match timeout(LAST_WORD, self.write_last_word(held.lease, departure)).await {
            Ok(Ok(true)) => info!(lease = self.name, "gave the lease back"),
            Ok(Ok(false)) => warn!(lease = self.name, "the lease was another's already"),
            Ok(Err(error)) => {
                warn!(%error, "could not give the lease back; the next leader waits for its end, and rests");
            }
            Err(_) => warn!("could not give the lease back in time; the next leader waits for its end, and rests"),
        }
    }

    async fn write_last_word(&self, mut lease: Lease, departure: Departure) -> kube::Result<bool> {
        for _ in 0..LAST_WRITES {
            match self.replace(&lease::given_back(&lease, departure)).await {
                Err(error) if is_conflict(&error) => {}
                written => return written.map(|_| true),
            }
            match self.leases.get_opt(&self.name).await? {
                Some(now) if lease::holder(&now) == Some(&self.identity) => lease = now,
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    fn complain(&self, error: &kube::Error) {
        match error {
            kube::Error::Api(status) if [401, 403].contains(&status.code) => error!(
                lease = self.name,
                "may not read or write the lease: {}; the service account needs get, create and update of leases",
                status.message
            ),
            _ => warn!(lease = self.name, %error, "could not read or write the lease; tried again"),
        }
    }
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}
