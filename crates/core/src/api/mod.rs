//! The Kubernetes API of the operator: what a user writes (`spec`), what the operator answers (`status`), and the
//! vocabulary of conditions and reasons that others build alerts on.
//!
//! It does no I/O and decides nothing; [`crate::replay`] decides.

mod condition;
mod crd;
mod reason;
pub mod reference;
pub mod rules;
mod spec;
mod status;
mod time;
pub mod words;

pub use condition::{Condition, ConditionStatus, ConditionType, MAX_CONDITIONS, MAX_MESSAGE_CHARS};
pub use crd::{CRD, CrdError, crd, crd_yaml};
pub use reason::Reason;
pub use rules::{Violation, violations};
pub use spec::{
    AuditLogReplayJob, AuditLogReplayJobSpec, DuplicatePolicy, ExpiryPolicy, KonnectApiVersion, Scope, SecretKeyRef,
    Target, WebhookPolicy, WindowSpec,
};
pub use status::{
    ApiVersion, AuditLogReplayJobStatus, BLOCKED_BY_OTHER, BLOCKED_EXTERNALLY, KonnectJob, PlannedWindow, Retries,
    Submission, SubmissionState, TimeRange, UNOBSERVED_GENERATION, WebhookEvidence,
};
pub use time::{from_kube_time, to_micro_time};

/// The API group. One constant, because it is also part of the annotation and field-manager names.
pub const GROUP: &str = "konnect-replay.dev";
/// The annotation by which a user asks to try now: any new value does.
pub const REQUESTED_AT: &str = "konnect-replay.dev/requested-at";
/// The only served and stored version.
pub const VERSION: &str = "v1alpha1";
