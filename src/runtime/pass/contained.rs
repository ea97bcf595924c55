//! Runs a pass so that nothing but the pass itself can fail.

use std::time::Duration;

use futures::FutureExt;
use kube::runtime::controller::Action;

use super::error::PassError;
use crate::metrics::{Metrics, PassResult};
use crate::runtime::objects::KubeError;

/// When an object that could not be read is looked for again. If it is gone, the watch says so.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// Runs a pass so that a panic ends it, and nothing else, and measures it.
pub(crate) async fn contained(
    metrics: &Metrics,
    pass: impl Future<Output = Result<Action, PassError>>,
) -> Result<Action, PassError> {
    let measured = metrics.pass();
    let result = std::panic::AssertUnwindSafe(pass).catch_unwind().await.unwrap_or(Err(PassError::Panicked));
    measured.end(measure(&result));
    result
}

/// A pass over an object that is gone counts as a success.
fn measure(result: &Result<Action, PassError>) -> PassResult {
    match result {
        Ok(action) if *action == Action::await_change() => PassResult::Success,
        Ok(_) => PassResult::RequeueAfter,
        Err(PassError::Kube(KubeError::Gone)) => PassResult::Success,
        Err(PassError::Kube(_) | PassError::Circles(_)) => PassResult::Error,
        Err(PassError::Panicked) => PassResult::Panic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn a_panic_ends_one_pass_and_nothing_else() {
        let metrics = Metrics::new(&Config::of_flags(&[]).unwrap());
        let result = contained(&metrics, async { panic!("a bug") }).await;
        assert!(matches!(result, Err(PassError::Panicked)));
    }
}
