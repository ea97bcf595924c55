//! The calls to Kubernetes that an undisturbed life makes, in order.

use std::fmt;

use control_plane::proxy::{Calls, Verb};
use serde_json::Value;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The first status write: somebody looks.
    FirstVisit,
    /// The token is read, before anything is sent.
    Token,
    /// The record of what will be sent.
    Intent,
    /// The record of Konnect's acceptance.
    Acceptance,
    /// The token is read again, for following the run.
    TokenAgain,
    /// What Konnect says of the run.
    Mirror,
    /// The end.
    End,
}

impl Step {
    pub const ALL: [Self; 7] =
        [Self::FirstVisit, Self::Token, Self::Intent, Self::Acceptance, Self::TokenAgain, Self::Mirror, Self::End];

    /// The writes among them.
    pub const WRITES: [Self; 5] = [Self::FirstVisit, Self::Intent, Self::Acceptance, Self::Mirror, Self::End];

    /// Whether it comes after Konnect's acceptance has been recorded.
    pub fn is_following(self) -> bool {
        matches!(self, Self::TokenAgain | Self::Mirror | Self::End)
    }

    /// The next call of this kind; the object is named by the test.
    pub fn calls(self) -> Calls {
        match self {
            Self::Token | Self::TokenAgain => Calls::any().verb(Verb::Get).resource("secrets"),
            Self::FirstVisit => writes(|status| {
                !status["observedGeneration"].is_null() && status["submission"].is_null() && !is_end(status)
            }),
            Self::Intent => writes(|status| status["submission"]["state"] == "Intended"),
            Self::Acceptance => {
                writes(|status| ["Accepted", "Adopted"].iter().any(|state| status["submission"]["state"] == *state))
            }
            Self::Mirror => writes(|status| {
                let words = ["pending", "running"];
                words.iter().any(|word| status["konnect"]["status"] == *word) && status["submission"]["state"].is_null()
            }),
            Self::End => writes(is_end),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstVisit => "first status write",
            Self::Token => "reading the token before sending",
            Self::Intent => "intent write",
            Self::Acceptance => "acceptance write",
            Self::TokenAgain => "reading the token while following",
            Self::Mirror => "mirror of Konnect's status",
            Self::End => "terminal write",
        })
    }
}

fn is_end(status: &Value) -> bool {
    !status["completionTime"].is_null() || !status["failedTime"].is_null()
}

/// Status writes of jobs whose patch of the status fits.
pub fn writes(fits: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Calls {
    let calls = Calls::any().verb(Verb::Patch).resource("auditlogreplayjobs").subresource("status");
    calls.body_where(move |body| fits(&body["status"]))
}
