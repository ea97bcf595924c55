//! A real Kubernetes API on loopback for tests and for the demo: one `etcd` and one
//! `kube-apiserver`, with RBAC and an audit log, started in a few seconds, in a folder of their own
//! that vanishes with them.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use control_plane::{ControlPlane, Options};
//!
//! let plane = ControlPlane::start(Options::default()).await?;
//! plane.create_namespace("audit").await?;
//! plane.apply_in("audit", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}").await?;
//! assert_eq!(plane.audit().verb("patch").resource("configmaps").name("a").count()?, 1);
//! plane.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! What it is not: a cluster. No controller-manager, scheduler or kubelet runs, so that
//! - a new namespace gets no `default` `ServiceAccount`, and a deleted one stays `Terminating`;
//! - owner references are not collected, Deployments make no Pods, Pods stay `Pending`;
//! - `CustomResourceDefinition`s, RBAC, CEL validation, admission policies, server-side apply and
//!   `TokenRequest` are the real thing, since the API server does them itself.
//!
//! The user's own kubeconfig is neither read nor written. Unix only: supervision needs `sh`, the
//! store a Unix socket.

mod access;
mod audit;
mod binaries;
mod error;
mod go_build;
mod go_mod;
mod objects;
mod options;
mod pki;
mod plane;
mod process;
pub mod proxy;
mod readiness;
mod servers;

pub use audit::{AuditEvent, AuditMark, AuditQuery};
pub use error::Error;
pub use options::Options;
pub use pki::CertifiedKey;
pub use plane::ControlPlane;
