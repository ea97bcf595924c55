//! What the library's handle and the control API have in common.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::Error;
use crate::model::{Role, Status, TargetKey, Window};
use crate::shared::Shared;
use crate::webhook::Webhook;
use crate::world::{Effect, Emit, Refusal, Target, World};

/// What [`Emulator`] and the control API have in common.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) addresses: Addresses,
}

/// Where an emulator can be reached.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(super) listen: SocketAddr,
    pub(super) control: Option<SocketAddr>,
    pub(super) tls: bool,
    pub(crate) ca_pem: Option<String>,
}

impl Addresses {
    pub(super) fn root(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", reachable(self.listen))
    }

    pub(crate) fn url_template(&self) -> String {
        format!("{}/{{region}}", self.root())
    }
}

/// An address that clients on this machine can use: the wildcard address is none.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
    }
    address
}

/// Operations that take more than one step, shared with the control API.
impl Handle {
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        self.shared.update(|world, _| change(world))
    }

    pub(crate) fn add_organization(&self, name: &str, token: &str) -> Result<String, Error> {
        self.update(|world| {
            world.add_organization(name);
            world.add_token(name, token, Role::AuditLogAdmin)
        })
    }

    pub(crate) fn set_webhook(&self, key: &TargetKey, webhook: Option<Webhook>) -> Result<(), Error> {
        self.shared.update(|world, now| world.set_webhook(key, webhook, now))
    }

    pub(crate) fn emit(&self, key: &TargetKey, emit: Emit) -> Result<Vec<String>, Error> {
        let events = self.shared.update(|world, now| world.emit(key, emit, now))?;
        let ids = events.iter().map(|event| event.trace_id.clone()).collect();
        let enabled = self.shared.read(|world| world.target(key).is_ok_and(|target| target.webhook.ready().is_ok()));
        if enabled && !emit.lost && !events.is_empty() {
            self.shared.perform([Effect::Live(key.clone(), events)]);
        }
        Ok(ids)
    }

    /// Looks at a target, its job up to date. Makes no change that would wake a waiting looker for nothing.
    pub(crate) fn look<T>(&self, key: &TargetKey, look: impl FnOnce(&Target) -> T) -> Result<T, Error> {
        self.shared.tick();
        if self.shared.read(|world| world.target(key).is_err()) {
            self.update(|world| world.target_mut(key).map(drop))?;
        }
        self.shared.read(|world| world.target(key).map(look))
    }

    pub(crate) fn advance(&self, key: &TargetKey, status: Status) -> Result<(), Error> {
        let effect = self.shared.update(|world, now| world.advance(key, status, now))?;
        self.shared.perform(effect);
        Ok(())
    }

    pub(crate) fn foreign_run(&self, key: &TargetKey, window: Window) -> Result<u64, Error> {
        let by = format!("{}/somebody-else", key.org);
        self.shared.update(|world, now| {
            world.put(key, window, &by, now)?.map_err(|refusal| Error::Refused(reason(&refusal)))?;
            Ok(world.target(key)?.job.runs().last().map_or(0, |run| run.number))
        })
    }
}

fn reason(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Off => "the webhook is off".to_owned(),
        Refusal::Busy => "a replay job is already in progress".to_owned(),
        Refusal::Invalid(invalid) => {
            let reasons = invalid.iter().map(|parameter| format!("{} {}", parameter.field, parameter.reason));
            reasons.collect::<Vec<_>>().join("; ")
        }
    }
}
