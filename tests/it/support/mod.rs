//! A world for one test: the shared API server, a namespace, an emulated Konnect and the real operator binary.

mod clock;
mod cluster;
mod history;
mod job;
mod konnect;
mod lines;
mod operator;
mod oracle;
mod outlets;
mod readers;
mod tunnel;
mod world;

pub use clock::Clock;
pub use cluster::SERVICE_ACCOUNT;
pub use history::History;
pub use job::{JobBuilder, condition, is_true, ready_reason};
pub use konnect::window_of;
pub(crate) use lines::Lines;
pub use operator::{Operator, Unread};
pub use outlets::{CANARY, outlets, shows_a_token};
pub use readers::{Reader, ask};
pub use tunnel::{Tunnel, edited, moved};
pub use world::{PORTAL, TOKEN, World, assert_as_documented};

/// How long anything that a test waits for may take. Generous: the machine may be busy with other tests.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_mins(3);
