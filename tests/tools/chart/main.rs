//! What the chart and deploy/kustomize render, as people use them: with both Helms, read by a strict YAML reader, and tried on a real
//! API server.
//!
//! Needs `helm3` and `helm4` (tests/chart/build-helm) and `kubectl` in the path, and Go: run by `.ci/run templates`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unreachable_pub)] // a test binary has no API

mod cluster;
mod helm;
mod installs;
mod kustomize;
mod labels;
mod matrix;
mod monitors;
mod names;
mod network;
mod objects;
mod overriding;
mod pods;
mod umbrella;
