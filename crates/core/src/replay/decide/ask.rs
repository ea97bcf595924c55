//! What is asked before anything of Konnect: whether it is time, and for the token.

use crate::replay::decide::situation::{Decision, Situation};
use crate::replay::decide::wait;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::token::TokenProblem;
use crate::replay::step::{Step, WaitCause};

/// An earlier pass has said when to call again, and nothing has changed since. For a run under way; a job that waits for its turn
/// waits for the scheduler alone.
pub(crate) fn resting(o: &Observed) -> Option<Decision> {
    let floor = o.policy.poll_interval;
    let left =
        o.memory.resting(o.generation(), o.requested().as_deref(), o.clock, floor).filter(|_| nothing_asked(o))?;
    Some(Decision::Do(Step::Wait { wait: left, cause: WaitCause::Resting }))
}

/// The token, as it is at this moment.
pub(crate) fn token(o: &Observed) -> Option<Decision> {
    match &o.learned.token {
        None => Some(Decision::Do(Step::ReadToken)),
        Some(Ok(())) => None,
        // One question that an apiserver under load leaves open says nothing of the token.
        Some(Err(TokenProblem::SecretUnanswered(_))) if o.memory.is_token_late() => Some(Decision::Do(wait::soon(o))),
        Some(Err(problem)) => {
            let wait = wait::slow(o, WaitCause::Secret);
            Some(Decision::Be(Situation::NoToken(problem.clone()), wait))
        }
    }
}

/// Whether this pass has asked nothing yet.
pub(crate) fn nothing_asked(o: &Observed) -> bool {
    o.learned.turn.is_none() && o.learned.token.is_none()
}
