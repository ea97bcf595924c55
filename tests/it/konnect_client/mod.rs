//! The contract of the Konnect client, fault by fault, against raw sockets: what it sends, what it makes of each answer, and
//! that it sends it once, in bounded time and memory, without showing the token.

mod answers;
pub mod authority;
mod bounds;
mod call;
mod connection;
mod discretion;
mod frames;
mod http2;
pub mod raw_server;
pub mod recorded;
mod redirects;
mod request;
mod retry_after;
mod time_limits;
mod tls;
