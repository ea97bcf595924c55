//! What every kind of object shares, and nothing that knows a kind. `run` sets up and takes down; a kind plugs in as a
//! [`controller::KindController`], its objects as [`objects::Kind`], and what it does while they are watched as [`watch::Hooks`].

pub(crate) mod clock;
pub(crate) mod controller;
mod crds;
pub(crate) mod events;
pub(crate) mod konnect;
pub(crate) mod leader;
pub(crate) mod objects;
pub(crate) mod pass;
mod run;
mod scopes;
mod server;
pub(crate) mod shared;
mod stop;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod testing;
pub(crate) mod watch;

pub(crate) use run::{RunError, run};
