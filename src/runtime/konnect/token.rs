//! Reading a token from its Secret.

use super::secret;
use crate::runtime::objects::{KubeError, bounded};
use crate::runtime::shared::Shared;
use konnect_replay_core::konnect::{Token, limits};
use konnect_replay_core::replay::{SecretRef, TokenProblem};

/// Reads the token from the Secret that `at` names.
pub(crate) async fn read_token(shared: &Shared, at: &SecretRef) -> Result<Token, TokenProblem> {
    let limit = shared.config.policy.request_timeout;
    let found = bounded(limit, secret::read(&shared.client, at)).await.map_err(|error| match error {
        KubeError::Gone => TokenProblem::SecretNotFound,
        other if other.may_pass() => TokenProblem::SecretUnanswered(limits::clean(&unreadable_because(&other))),
        other => TokenProblem::SecretUnreadable(limits::clean(&unreadable_because(&other))),
    })?;
    let value = found.data.as_ref().and_then(|data| data.get(&at.key)).ok_or(TokenProblem::KeyMissing)?;
    Token::parse(&value.0, &shared.config.token_prefixes).map_err(TokenProblem::Invalid)
}

/// Only what does not change from one try to the next: this enters a condition.
fn unreadable_because(error: &KubeError) -> String {
    match error {
        KubeError::Other(source) => match source.as_ref() {
            kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
            _ => "the apiserver cannot be reached".to_owned(),
        },
        other => other.to_string(),
    }
}
