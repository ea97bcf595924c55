//! Submissions that are over without having completed: what is counted, when the window may be sent again, and when it is given
//! up (design: 4, step 8).

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::{AuditLogReplayJobStatus, Reason, Retries, Submission, SubmissionState};
use crate::replay::decide::ending::{Ending, was_adopted};
use crate::replay::decide::situation::{Decision, Ended, Situation};
use crate::replay::decide::{ask, wait};
use crate::replay::facts::job::ValidatedJob;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::policy::{LIMIT_MARGIN, LONGEST_WAIT};
use crate::replay::facts::window::delta;
use crate::replay::facts::{konnects_clock, retention, said, window};
use crate::replay::step::{Step, WaitCause};

/// A submission was found to be over: it is counted, and made again later, or given up.
pub(crate) fn end(o: &Observed, job: &ValidatedJob, submission: &Submission, ending: Ending) -> Decision {
    let now = o.clock.stamp();
    let mut retries = o.status().retries.clone().unwrap_or_default();
    // The failure of an adopted run does not use up this object's own tries.
    let count = if ending.is_somebody_elses(submission) { 1 } else { ending.counted(&mut retries) };
    let submission = Submission { state: ending.state(), end_time: Some(now), ..submission.clone() };
    if count > ending.limit(job) && !ending.is_somebody_elses(&submission) {
        let (reason, message) = ending.given_up(&submission, count);
        retries.next_time = None;
        let ended = Some(Box::new(Ended { submission, retries }));
        return Decision::Be(Situation::Failed { reason, message, ended }, Step::AwaitChange);
    }
    let next = now + delta(ending.spacing(o, count)).min(longest_spacing(o, job));
    retries.next_time = Some(next);
    retries.requested_at = o.requested();
    Decision::Be(Situation::Over(Ended { submission, retries }), until(o, next))
}

/// The longest wait for the next try: half of what is left of the window at Konnect, and a retry interval. A longer one would lose it.
fn longest_spacing(o: &Observed, job: &ValidatedJob) -> TimeDelta {
    let expires = window::expires_at(retention::planned(o, job.window), o.policy);
    ((expires - o.clock.wall) / 2).max(delta(o.policy.retry_interval))
}

/// A run that cannot be read, because its token is gone for example, is given up when Konnect cannot replay anything of its window any
/// more and nothing was heard of it for an hour. Until then `decision` stands: the token may come back.
pub(crate) fn unread(o: &Observed, submission: &Submission, decision: Decision) -> Decision {
    let is_expired = o.clock.wall >= submission.window.end_at + delta(o.policy.retention) + delta(LIMIT_MARGIN);
    match &decision {
        Decision::Be(situation, _) if situation.is_unread() && is_expired && o.memory.is_quiet(o.clock.mono) => {
            // One moment of a wrong clock gives up no run.
            if !konnects_clock::is_believed(o, true) {
                return decision;
            }
            let message = format!(
                "The replay of {} could not be read at Konnect until its window had expired there, so whether it completed is not \
                 known. It is not sent again. The status says when it was last read; see at the receiver what arrived.",
                window::span(submission.window)
            );
            Decision::Be(Situation::failed((Reason::RemoteStateUnknown, message)), Step::AwaitChange)
        }
        Decision::Be(..) | Decision::Do(_) | Decision::Intend(_) => decision,
    }
}

/// Whether `stored` limits how often the window is sent as `meant` does. An older definition of the object drops what it does not know.
/// How often a request was not taken is left out: nothing was sent by it.
pub(crate) fn limits_as_much(stored: &AuditLogReplayJobStatus, meant: &AuditLogReplayJobStatus) -> bool {
    let limits = |status: &AuditLogReplayJobStatus| {
        let submission = status.submission.as_ref().map(|s| (s.id.clone(), s.state.clone(), s.window));
        let retries = status.retries.clone().unwrap_or_default();
        (submission, status.attempts, Retries { not_taken: 0, ..retries })
    };
    limits(stored) == limits(meant)
}

/// A submission that is over and was not counted, because the definition of the object dropped the count: it is counted before anything
/// is sent on the strength of it.
pub(crate) fn uncounted(o: &Observed, job: &ValidatedJob) -> Option<Decision> {
    let submission = o.submission()?;
    let ending = Ending::of(&submission.state)?;
    // It was tried a moment ago.
    if said::says_one_of(&o.status(), &[Reason::DefinitionOutdated])
        && let Some(decision) = ask::resting(o)
    {
        return Some(decision);
    }
    let mut retries = o.status().retries.clone().unwrap_or_default();
    let counted = !ending.is_counted(submission) || ending.counted(&mut retries) > 1;
    (!counted).then(|| end(o, job, submission, ending))
}

/// After a submission that is over: the spacing, unless somebody has asked for a try since.
pub(crate) fn spacing(o: &Observed) -> Option<Decision> {
    let submission = o.submission().filter(|s| Ending::of(&s.state).is_some())?;
    let retries = o.status().retries.clone()?;
    let next = retries.next_time.filter(|next| *next > o.clock.wall)?;
    // A wall clock that was set back does not make a wait longer than any could have been meant.
    let misplaced = next - o.clock.wall > delta(wait::longest_backoff(o.policy)) + TimeDelta::seconds(1);
    if misplaced {
        return None;
    }
    // Who asks for a try now gets one, but not more often than a run is looked at.
    let asked = o.requested() != retries.requested_at;
    let hurry = o.clock.wall + delta(o.memory.hurry_in(o.clock, o.policy.poll_interval));
    let due = if asked { hurry.min(next) } else { next };
    if due <= o.clock.wall {
        return None;
    }
    let ended = Ended { submission: submission.clone(), retries };
    Some(Decision::Be(Situation::Over(ended), until(o, due)))
}

fn until(o: &Observed, next: DateTime<Utc>) -> Step {
    let left = (next - o.clock.wall).to_std().unwrap_or_default();
    Step::Wait { wait: left.min(LONGEST_WAIT).max(wait::SHORTEST), cause: WaitCause::Retry }
}

/// A run that was taken for lost and is shown again is followed on: to send it once more would double it.
pub(crate) fn back_in_view(o: &Observed) -> Option<Decision> {
    let submission = o.submission().filter(|s| Ending::of(&s.state).is_some_and(Ending::may_come_back))?;
    let seen = o.learned.remote.as_ref()?.what.as_ref().ok()?;
    if crate::replay::decide::finding::find(submission, &seen.value) != crate::replay::decide::finding::Finding::Ours {
        return None;
    }
    let submission = Submission {
        state: if was_adopted(submission) { SubmissionState::Adopted } else { SubmissionState::Accepted },
        accepted_time: submission.accepted_time.or(Some(o.clock.stamp())),
        last_read: Some(seen.value.status.clone()),
        end_time: None,
        ..submission.clone()
    };
    let situation = Situation::Underway { submission, job: Some(seen.value.clone()) };
    Some(Decision::Be(situation, wait::poll(o)))
}
