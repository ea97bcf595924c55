//! What the operator does, seen from outside: over real sockets, and against a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unreachable_pub)] // a test binary has no API

mod admission;
mod behaviours;
mod chart;
mod cli;
mod clocks;
mod cluster_policies;
mod crash;
mod credentials;
mod deletion;
mod echo;
mod errors;
mod events;
mod evidence;
mod finished;
mod gitops;
mod konnect_client;
mod kstatus;
mod kubernetes;
mod least_privilege;
mod lifecycle;
mod logs;
mod metrics;
mod namespaces;
mod operations;
mod plugin;
mod policies;
mod probes;
mod protocol;
mod reference;
mod replicas;
mod samples;
mod sharing;
mod shutdown;
mod skew;
mod support;
mod suspend;
mod time_to_live;
mod token;
mod version;
mod waiting;
mod webhook;
mod who_goes_next;
mod windows;
mod wire;
