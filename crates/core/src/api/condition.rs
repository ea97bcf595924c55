//! Conditions in the form of Kubernetes' `metav1.Condition`, with the bounds of our schema.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::open_enum::open_enum;

/// Most conditions of an object that the schema admits.
pub const MAX_CONDITIONS: usize = 16;
/// Longest message of a condition, in characters. Konnect's words are cut to fit.
pub const MAX_MESSAGE_CHARS: usize = 1024;

open_enum! {
    /// The condition types, in the order in which they stand in `status.conditions`.
    pub enum ConditionType {
        /// Konnect replayed the window. Terminal, as in batch/v1.
        Complete => "Complete",
        /// The window was not replayed and will not be. Terminal, as in batch/v1.
        Failed => "Failed",
        /// Complete or Failed, so that one `kubectl wait` covers both.
        Finished => "Finished",
        /// `spec.suspend` holds the job back.
        Suspended => "Suspended",
        /// True once Complete; its reason is the state in one word.
        Ready => "Ready",
        /// Work is under way or waited for (kstatus, abnormal-true).
        Reconciling => "Reconciling",
        /// Somebody has to mend something (kstatus, abnormal-true).
        Stalled => "Stalled",
        /// Konnect has taken our request.
        Submitted => "Submitted",
        /// The token was found and accepted at the last call.
        CredentialsValid => "CredentialsValid",
        /// Konnect has an enabled webhook to replay to.
        WebhookReady => "WebhookReady",
    }
}

impl ConditionType {
    /// Every type, in the order of `status.conditions`.
    pub const ORDER: [Self; 10] = [
        Self::Complete,
        Self::Failed,
        Self::Finished,
        Self::Suspended,
        Self::Ready,
        Self::Reconciling,
        Self::Stalled,
        Self::Submitted,
        Self::CredentialsValid,
        Self::WebhookReady,
    ];
}

/// `True`, `False` or `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum ConditionStatus {
    /// The condition holds.
    True,
    /// The condition does not hold.
    False,
    /// Nobody knows.
    Unknown,
}

/// One observation about the object, with the reason for it and when it last changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Condition {
    /// What is observed, in CamelCase.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The generation of the object that this was observed of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed; a new reason or message alone does not move it.
    pub last_transition_time: DateTime<Utc>,
    /// Why, in one word: a stable API.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// Why, for people: what happened, what comes next, what to do.
    #[schemars(length(max = 1024))]
    pub message: String,
}
