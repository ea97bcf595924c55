//! How long to wait for what. Jitter shortens a poll, so that an interval is a promise; it lengthens the spacing of refused
//! requests, so that "at most one a minute" is one too, and two installations do not march in step.

use std::time::Duration;

use crate::konnect::CallError;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::policy::{Policy, RATE_LIMIT_WAIT};
use crate::replay::step::{Step, WaitCause};

/// Share of a wait that jitter may take or add.
const JITTER: f64 = 0.2;
/// Shortest spacing of polls, just after a request was accepted; also of calls where a 429 asks for none.
pub(crate) const QUICKEST_POLL: Duration = Duration::from_secs(1);
/// Shortest wait for a point in time, so that rounding makes no loop.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);
/// Spacing of tries after runs that failed, in units of the base; the last goes on.
const BACKOFF: [u32; 4] = [1, 5, 25, 60];

/// The next look at our own run: quick while it is young, then every poll interval.
pub(crate) fn poll(o: &Observed) -> Step {
    let accepted = o.submission().and_then(|s| s.accepted_time).unwrap_or(o.clock.wall);
    let age = (o.clock.wall - accepted).to_std().unwrap_or_default();
    let interval = (age / 4).max(QUICKEST_POLL).min(o.policy.poll_interval);
    Step::Wait { wait: shortened(interval, o), cause: WaitCause::Poll }
}

/// The next look at somebody else's run.
pub(crate) fn remote_job(o: &Observed) -> Step {
    Step::Wait { wait: shortened(o.policy.poll_interval, o), cause: WaitCause::RemoteJob }
}

/// The next question to an apiserver that left one open.
pub(crate) fn soon(o: &Observed) -> Step {
    Step::Wait { wait: shortened(o.policy.poll_interval, o), cause: WaitCause::Kubernetes }
}

/// A slow retry of something that somebody has to mend.
pub(crate) fn slow(o: &Observed, cause: WaitCause) -> Step {
    Step::Wait { wait: shortened(o.policy.retry_interval, o), cause }
}

/// How far apart requests to a refusing Konnect are: each costs a write.
pub(crate) fn refusal_spacing(o: &Observed, error: &CallError) -> Duration {
    let spread = o.policy.retry_interval.mul_f64(1.0 + JITTER * o.draw.jitter.clamp(0.0, 1.0));
    spread.max(rate_limit(error).unwrap_or_default())
}

/// How long after its end a submission is made again, when it was the `count`th that ended so.
pub(crate) fn backoff_spacing(o: &Observed, count: u32) -> Duration {
    let place = usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
    let units = BACKOFF.get(place).or(BACKOFF.last()).copied().unwrap_or(1);
    let spread = JITTER.mul_add(2.0 * o.draw.jitter.clamp(0.0, 1.0) - 1.0, 1.0);
    o.policy.backoff_base.saturating_mul(units).mul_f64(spread)
}

/// The longest that this can be.
pub(crate) fn longest_backoff(policy: &Policy) -> Duration {
    policy.backoff_base.saturating_mul(60).mul_f64(1.0 + JITTER)
}

/// Doubling from the poll interval to the retry interval.
pub(crate) fn backoff(o: &Observed, cause: WaitCause) -> Step {
    let doublings = o.memory.failures().saturating_sub(1).min(16);
    let longest = o.policy.retry_interval.max(o.policy.poll_interval);
    let wait = o.policy.poll_interval.saturating_mul(1 << doublings).min(longest);
    Step::Wait { wait: shortened(wait, o), cause }
}

/// What a 429 asked for, else our default; `None` for any other answer.
pub(crate) fn rate_limit(error: &CallError) -> Option<Duration> {
    match error {
        CallError::Api(api) if api.status == 429 => Some(api.retry_after.unwrap_or(RATE_LIMIT_WAIT)),
        CallError::Api(_) | CallError::NotConnected(_) | CallError::NoAnswer(_) | CallError::Unreadable { .. } => None,
    }
}

fn shortened(wait: Duration, o: &Observed) -> Duration {
    wait.mul_f64(1.0 - JITTER * o.draw.jitter.clamp(0.0, 1.0))
}
