//! What is written down for reading back: calls, deliveries, runs.
//!
//! Records are facts for assertions; nothing decides by them. They hold names of tokens, never their values.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{Status, TargetKey, Window};

/// Records kept per log; the oldest go first, so that an emulator may run for weeks.
const LOG_LIMIT: usize = 100_000;

/// One request to the Konnect API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Counts from 1 over the emulator's life; clearing the log does not restart it.
    pub number: u64,
    /// When the request had been read.
    pub at: DateTime<Utc>,
    /// Organization of the token, where it is known.
    pub org: Option<String>,
    /// Name of the token, such as `acme/token-1`; never its value. None for an unknown or missing token.
    pub token: Option<String>,
    /// HTTP method.
    pub method: String,
    /// Path with its query, region first.
    pub path: String,
    /// Request body; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// Status answered. None while the call is in progress, and for good when the connection was cut or left hanging.
    pub status: Option<u16>,
    /// Whether the request changed something: a run was accepted or queued, a webhook configured.
    pub effect: bool,
    /// Number of the fault rule that applied.
    pub fault: Option<u64>,
}

/// One attempt to POST a batch of events to a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// When the attempt began.
    pub at: DateTime<Utc>,
    /// Whose events.
    pub target: TargetKey,
    /// Where they were sent.
    pub url: String,
    /// Number of the replay run; none for live delivery.
    pub run: Option<u64>,
    /// 1 for the first attempt, and one more for each wait.
    pub attempt: u32,
    /// Events in the batch.
    pub events: usize,
    /// Their trace ids, in the order sent.
    pub event_ids: Vec<String>,
    /// Status of the receiver's answer.
    pub response_code: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl Delivery {
    /// Whether the receiver took the batch.
    pub fn is_delivered(&self) -> bool {
        self.response_code.is_some_and(|code| (200..300).contains(&code))
    }
}

/// One accepted PUT of a target, from acceptance to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Counts from 1 per target.
    pub number: u64,
    /// What it sends.
    pub window: Window,
    /// Name of the token that asked.
    pub by: String,
    /// When the PUT was accepted.
    pub accepted_at: DateTime<Utc>,
    /// When it entered `running`, if it did.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended or was replaced.
    pub ended_at: Option<DateTime<Utc>>,
    /// Its state now, or its last one.
    pub status: Status,
    /// Number of the run that took its place before it ran.
    pub replaced_by: Option<u64>,
    /// Events delivered.
    pub events: usize,
    /// Why it failed.
    pub failure: Option<String>,
}

/// A bounded list of records.
#[derive(Debug)]
pub(crate) struct Log<T>(VecDeque<T>);

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Clone> Log<T> {
    pub(crate) fn push(&mut self, record: T) {
        if self.0.len() >= LOG_LIMIT {
            self.0.pop_front();
        }
        self.0.push_back(record);
    }

    pub(crate) fn to_vec(&self) -> Vec<T> {
        self.0.iter().cloned().collect()
    }

    /// The newest record that fits, for filling in what was not known at first.
    pub(crate) fn find_mut(&mut self, fits: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.0.iter_mut().rev().find(|record| fits(record))
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
