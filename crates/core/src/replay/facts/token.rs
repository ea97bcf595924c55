//! Why there is no token to use.

use crate::api::Reason;
use crate::konnect::TokenError;

/// Why there is no token to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenProblem {
    /// No such Secret.
    SecretNotFound,
    /// The apiserver does not let us read the Secret.
    SecretUnreadable(String),
    /// The apiserver failed, or did not answer: the same question may be answered a moment later.
    SecretUnanswered(String),
    /// No such key in it.
    KeyMissing,
    /// A value that cannot be a token.
    Invalid(TokenError),
}

impl TokenProblem {
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::SecretNotFound | Self::SecretUnreadable(_) => Reason::SecretNotFound,
            Self::SecretUnanswered(_) => Reason::SecretUnanswered,
            Self::KeyMissing => Reason::SecretKeyMissing,
            Self::Invalid(_) => Reason::InvalidToken,
        }
    }
}
