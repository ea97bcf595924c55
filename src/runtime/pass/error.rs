//! Why a pass could not be ended.

use crate::runtime::objects::KubeError;

/// Steps in one pass. The longest legitimate pass takes about twelve; more would be a decision that goes in circles.
pub(crate) const MAX_STEPS: usize = 32;

/// A pass that could not be ended as decided.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassError {
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
