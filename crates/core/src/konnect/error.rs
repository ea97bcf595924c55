//! What can go wrong in a call to Konnect, in terms of what to do about it.

use std::time::Duration;

/// A call that brought no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No connection was made: name resolution, TCP or TLS. The request never left.
    #[error("no connection to Konnect: {0}")]
    NotConnected(String),
    /// The connection was lost, or nothing came in time. The request may have been taken.
    #[error("no answer from Konnect: {0}")]
    NoAnswer(String),
    /// An answer with a success status whose body is not what Konnect documents, such as a proxy's page.
    #[error("Konnect answered {status}, but not as documented: {why}")]
    Unreadable {
        /// HTTP status.
        status: u16,
        /// What was wrong with it.
        why: String,
    },
    /// An answer with another status.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// Konnect's, or its gateway's, "no".
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("Konnect answered {status}{}", self.explanation())]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// `detail`, else `title`, else the gateway's `message`: cleaned and cut.
    pub message: Option<String>,
    /// `invalid_parameters` of a 400, as `field: reason`, cleaned and cut.
    pub invalid_parameters: Vec<String>,
    /// Konnect's trace id. New in every answer: for logs and events, never for a condition.
    pub trace_id: Option<String>,
    /// How long Konnect asked us to wait.
    pub retry_after: Option<Duration>,
}

/// Whether Konnect took a PUT that ended so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// It certainly did not.
    NotTaken,
    /// It may have.
    Unknown,
}

impl CallError {
    /// Whether a PUT that ended so can have started a run (docs/konnect-api.md 5). A 5xx can come from a gateway after Konnect
    /// took the request, so only answers that are given before any effect are certain.
    pub fn certainty(&self) -> Certainty {
        match self {
            Self::NotConnected(_) => Certainty::NotTaken,
            Self::NoAnswer(_) | Self::Unreadable { .. } => Certainty::Unknown,
            Self::Api(error) => match error.status {
                400 | 401 | 403 | 404 | 409 | 413 | 429 => Certainty::NotTaken,
                _ => Certainty::Unknown,
            },
        }
    }

    /// Whether the same request can never succeed.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Api(error) if error.status == 400)
    }

    /// One word for metrics: the HTTP status, or what failed before there was one.
    pub fn category(&self) -> &'static str {
        match self {
            Self::NotConnected(_) => "not_connected",
            Self::NoAnswer(_) => "no_answer",
            Self::Unreadable { .. } => "unreadable",
            Self::Api(_) => "refused",
        }
    }

    /// The HTTP status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::NotConnected(_) | Self::NoAnswer(_) => None,
            Self::Unreadable { status, .. } => Some(*status),
            Self::Api(error) => Some(error.status),
        }
    }

    /// Konnect's trace id, for logs and events only.
    pub fn trace_id(&self) -> Option<&str> {
        match self {
            Self::NotConnected(_) | Self::NoAnswer(_) | Self::Unreadable { .. } => None,
            Self::Api(error) => error.trace_id.as_deref(),
        }
    }
}

impl ApiError {
    /// What Konnect said about it, as the end of a sentence: `: …`, or nothing.
    pub fn explanation(&self) -> String {
        let parts: Vec<&str> =
            self.message.iter().chain(&self.invalid_parameters).map(String::as_str).filter(|p| !p.is_empty()).collect();
        if parts.is_empty() { String::new() } else { format!(": {}", parts.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_given_before_any_effect_are_certain() {
        let api = |status| CallError::Api(ApiError { status, ..ApiError::default() });
        for status in [400, 401, 403, 404, 409, 413, 429] {
            assert_eq!(api(status).certainty(), Certainty::NotTaken, "{status}");
        }
        for status in [301, 302, 307, 308, 405, 408, 418, 500, 502, 503, 504] {
            assert_eq!(api(status).certainty(), Certainty::Unknown, "{status}");
        }
        assert_eq!(CallError::NotConnected(String::new()).certainty(), Certainty::NotTaken);
        assert_eq!(CallError::NoAnswer(String::new()).certainty(), Certainty::Unknown);
        assert_eq!(CallError::Unreadable { status: 202, why: String::new() }.certainty(), Certainty::Unknown);
    }
}
