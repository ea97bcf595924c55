//! The audit-log side of Kong Konnect on your own machine, with faults on demand.
//!
//! [`Emulator`] answers the endpoints of Konnect's audit-log API for any number of organizations, regions and Dev
//! Portals; it keeps audit events, delivers them to webhooks, and on a replay really sends them again. [`Receiver`]
//! stands in for the SIEM at the other end. Both run in the calling process or, as the binary `konnect-emulator`, in
//! one of their own.
//!
//! The parts, from what is decided to what is done: `model`, `settings`, `behaviour`, `record`, `job`, `fault`,
//! `hold`, `limit`, `route`, `event`, `webhook`, `contract` and `world` are pure; `shared` holds the lock and the clock; `api`, `endpoints`, `control`, `delivery`,
//! `runner`, `serve` and `receiver` do the I/O.
//!
//! It is not a copy of Konnect: identity, and everything that is not about audit logs, is missing. Where Konnect's behaviour is not documented, a setting says which way it goes ([`Q1`], [`Q2`],
//! [`Behaviour`]).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod api;
mod behaviour;
pub mod cli;
mod contract;
mod control;
mod delivery;
mod emulator;
mod endpoints;
mod error;
mod event;
mod fault;
mod hold;
mod job;
mod limit;
mod model;
mod receiver;
mod record;
mod route;
mod runner;
mod serve;
mod settings;
mod shared;
mod signing;
mod tls;
mod wait;
mod webhook;
mod wire;
mod world;

pub use behaviour::{
    Behaviour, ContentEncoding, DeliveryBehaviour, Granularity, JsonTypes, KongInitiated, Lag, NewestEnd, PutAnswer,
    PutStatus, PutWhileOff, Q3, Q4, Q5, Q6, Q7, Q8, Q9, Q10, Q11, Q12, Rounding, TimeFormat, Unauthorized, Unit,
    UnsetTime, UpdatedAt,
};
pub use contract::{OPENAPI, Part, Violation};
pub use emulator::Emulator;
pub use error::Error;
pub use event::{AuditEvent, LogFormat};
pub use fault::{Action, Fault, FaultRule, Reply};
pub use hold::{Hold, HoldId, HoldPoint, HoldRule};
pub use job::JobView;
pub use limit::{Per, RateLimit};
pub use model::{ApiVersion, InvalidTarget, MISPRINTED_ZERO_TIME, Role, Scope, Status, TargetKey, Window, ZERO_TIME};
pub use receiver::{Outage, ReceivedEvent, Receiver, ReceiverOptions, SignatureCheck};
pub use record::{Call, Delivery, Run};
pub use route::PathKind;
pub use settings::{Options, Q1, Q2, RETENTION, Timings, Tls};
pub use webhook::{LastAttempt, Webhook};
pub use world::Emit;
