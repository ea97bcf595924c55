//! Why a call to the API server brought nothing.

use std::time::Duration;

use tokio::time::timeout;

/// A call to the API server that brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KubeError {
    /// Another client wrote first, or the object is gone or another one now.
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
    /// What `error` means for the object that the call was about.
    pub(crate) fn new(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.code == 409 => Self::Conflict,
            kube::Error::Api(status) if status.code == 404 => Self::Gone,
            _ => Self::Other(Box::new(error)),
        }
    }

    /// Whether the same call may work a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Conflict | Self::Gone => false,
            Self::Timeout(_) => true,
            Self::Other(source) => may_pass(source),
        }
    }
}

/// Whether a call that ended in `error` may work a moment later.
pub(crate) fn may_pass(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 429 || status.code >= 500,
        _ => true,
    }
}

/// A call that takes no longer than `limit`.
pub(crate) async fn bounded<T>(limit: Duration, call: impl Future<Output = kube::Result<T>>) -> Result<T, KubeError> {
    timeout(limit, call).await.map_err(|_| KubeError::Timeout(limit))?.map_err(KubeError::new)
}

/// A failure to list. It is only logged, never decided by.
pub(crate) type ListError = Box<dyn std::error::Error + Send + Sync>;

/// Whether the API server refused the call: it knows the operator, and does not let it read there.
pub(crate) fn is_refusal(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(kube::Error::Api(status)) if status.code == 403)
}

/// What the API server said, without the object it said it in.
pub(crate) fn brief(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => format!("{} {}: {}", status.code, status.reason, status.message),
        _ => error.to_string(),
    }
}
