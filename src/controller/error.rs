//! Why a call to Kubernetes brought nothing, and why a pass could not be ended.

use std::time::Duration;

/// Steps in one pass. The longest legitimate pass takes about twelve; more would be a decision that goes in circles.
pub(super) const MAX_STEPS: usize = 32;

/// A call to Kubernetes that brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum KubeError {
    /// Somebody else wrote first, or the object is gone or another one now.
    #[error("the object has changed since it was read")]
    Conflict,
    /// No such object.
    #[error("the object is gone")]
    Gone,
    /// The apiserver did not answer in time.
    #[error("the apiserver did not answer within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
    /// Anything else.
    #[error("the apiserver refused or failed: {0}")]
    Other(#[source] Box<kube::Error>),
}

impl KubeError {
    pub(super) fn new(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.code == 409 => Self::Conflict,
            kube::Error::Api(status) if status.code == 404 => Self::Gone,
            _ => Self::Other(Box::new(error)),
        }
    }

    /// Whether the same call may work a moment later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Conflict | Self::Gone => false,
            Self::Timeout(_) => true,
            Self::Other(source) => match source.as_ref() {
                kube::Error::Api(status) => status.code == 429 || status.code >= 500,
                _ => true,
            },
        }
    }
}

/// A pass that could not be ended as decided.
#[derive(Debug, thiserror::Error)]
pub(super) enum PassError {
    /// The object could not be read or written.
    #[error(transparent)]
    Kube(#[from] KubeError),
    /// A decision that goes in circles.
    #[error("no end after {MAX_STEPS} steps; the last was {0}")]
    Circles(&'static str),
    /// A bug, contained to this pass.
    #[error("the pass panicked")]
    Panicked,
}
