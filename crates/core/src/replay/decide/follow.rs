//! A run under way at Konnect, until its end was read.

use crate::api::{Reason, Submission, SubmissionState};
use crate::konnect::{CallError, RemoteJob, RemoteStatus};
use crate::replay::decide::ending::Ending;
use crate::replay::decide::finding::Finding;
use crate::replay::decide::situation::{Decision, Situation};
use crate::replay::decide::{ask, deadline, failed_call, finding, over, settle, wait};
use crate::replay::facts::clock::Clock;
use crate::replay::facts::job::ValidatedJob;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::record;
use crate::replay::step::Step;

/// What to do about a run under way.
pub(crate) fn decide(o: &Observed, job: &ValidatedJob, submission: &Submission) -> Decision {
    if let Some(decision) = ask::resting(o).or_else(|| ask::token(o)) {
        return decision;
    }
    let Some(seen) = &o.learned.remote else { return Decision::Do(Step::ReadRemoteJob) };
    let remote = match &seen.what {
        Err(error) => return unread(o, error),
        Ok(reading) => &reading.value,
    };
    match finding::find(submission, remote) {
        Finding::Ours if is_from_before(o, submission, remote, seen.at) => Decision::Do(wait::poll(o)),
        Finding::Ours => ours(o, job, submission, remote),
        // A GET may lag behind a PUT: what it shows of the time before says nothing.
        Finding::Nothing | Finding::AnotherWindow if o.submission_age_at(seen.at) < o.policy.settle_time() => {
            Decision::Do(wait::poll(o))
        }
        Finding::Nothing | Finding::AnotherWindow => late_or(
            deadline::passed_for_sure(o, job).filter(|_| record::shows_no_window(remote)),
            settle::elsewhere(o, job, submission, remote),
        ),
    }
}

/// A deadline ends what would have gone on otherwise.
fn late_or(late: Option<(Reason, String)>, otherwise: Decision) -> Decision {
    late.map_or(otherwise, |late| Decision::Be(Situation::failed(late), Step::AwaitChange))
}

/// A single failed look changes nothing; the run goes on without us.
fn unread(o: &Observed, error: &CallError) -> Decision {
    let gone_for = o.memory.missing_since().map(|since| o.clock.mono.saturating_sub(since));
    if gone_for.is_some_and(|d| d >= o.policy.portal_patience()) && failed_call::is_unknown_for_certain(o) {
        let message = "Konnect accepted the replay, and then no longer knew the portal: it was deleted, or the token belongs to \
                       another organisation now. What was sent before that cannot be told from here; look at the receiver."
            .to_owned();
        return Decision::Be(Situation::failed((Reason::PortalNotFound, message)), Step::AwaitChange);
    }
    match failed_call::decide(o, error) {
        Decision::Be(Situation::Unavailable(_) | Situation::RateLimited, then) if o.memory.failures() < 2 => {
            Decision::Do(then)
        }
        decision => decision,
    }
}

fn ours(o: &Observed, job: &ValidatedJob, submission: &Submission, remote: &RemoteJob) -> Decision {
    match &remote.status {
        RemoteStatus::Completed | RemoteStatus::Failed if !is_its_end(submission, remote) => {
            Decision::Do(wait::poll(o))
        }
        RemoteStatus::Completed | RemoteStatus::Failed if o.learned.webhook.is_none() => {
            Decision::Do(Step::ReadWebhook { brief: true })
        }
        RemoteStatus::Completed => Decision::Be(Situation::Completed { job: remote.clone() }, Step::AwaitChange),
        RemoteStatus::Failed => over::end(o, job, submission, Ending::Failed),
        RemoteStatus::Unconfigured
        | RemoteStatus::Accepted
        | RemoteStatus::Pending
        | RemoteStatus::Running
        | RemoteStatus::Unknown(_) => {
            let submission = Submission { last_read: last_read(submission, remote), ..submission.clone() };
            let situation = Situation::Underway { submission, job: Some(remote.clone()) };
            let late = deadline::passed_for_sure(o, job).filter(|_| is_shown_to_all(o));
            late_or(late, Decision::Be(situation, wait::poll(o)))
        }
    }
}

/// Whether every GET shows this run by now. A job that is given up reserves nothing, so the next one of its target starts on what it
/// reads: with `activeDeadlineSeconds: 10` it would read the job from before ours for as long as a GET may lag, and send over our run.
fn is_shown_to_all(o: &Observed) -> bool {
    o.submission_age() >= o.policy.settle_time()
}

/// The word that Konnect's answer to the request had already is no news: it is not worth a write of its own.
fn last_read(submission: &Submission, remote: &RemoteJob) -> Option<RemoteStatus> {
    let answered = submission.accepted.as_ref().map(|answer| &answer.status);
    let echo = submission.last_read.is_none() && answered == Some(&remote.status);
    (!echo).then(|| remote.status.clone())
}

/// Whether a GET that lags may show a run that ended before this one began: an earlier one of ours, or somebody else's. Konnect's own
/// times tell. A failure that shows no window (Q6) has nothing to be told by: job `a` fails, job `b` reads what was there before `a`, is
/// sent and accepted, and then reads the failure of `a`. Neither holds a job up for longer than a GET may lag, whatever Konnect's clocks
/// say.
fn is_from_before(o: &Observed, submission: &Submission, remote: &RemoteJob, at: Clock) -> bool {
    let adopted = submission.previous.as_ref().filter(|_| submission.state == SubmissionState::Adopted);
    let begun = submission.accepted.as_ref().or(adopted).and_then(|job| job.updated_at);
    let is_older = begun.zip(remote.updated_at).is_some_and(|(begun, shown)| shown < begun);
    (is_older || record::shows_no_window(remote)) && o.submission_age_at(at) < o.policy.settle_time()
}

/// Whether a terminal word is the end of this run, and not of the one before it: the job is another than before our request,
/// or was read in between as under way.
fn is_its_end(submission: &Submission, remote: &RemoteJob) -> bool {
    let changed = submission.previous.as_ref().map(record::remote_job).as_ref() != Some(remote);
    changed || submission.last_read.as_ref().is_some_and(RemoteStatus::is_busy)
}
