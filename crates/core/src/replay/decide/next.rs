//! The decision.

use std::time::Duration;

use crate::api::{AuditLogReplayJob, Submission, SubmissionState, UNOBSERVED_GENERATION};
use crate::replay::decide::settle::Doubt;
use crate::replay::decide::situation::{Decision, Situation};
use crate::replay::decide::{deadline, follow, over, prepare, settle, time_to_live};
use crate::replay::facts::clock::Clock;
use crate::replay::facts::memory::{Memory, Progress, PutAnswer};
use crate::replay::facts::observed::Observed;
use crate::replay::facts::policy::Policy;
use crate::replay::facts::said;
use crate::replay::report;
use crate::replay::step::{Step, WaitCause};

/// The one thing to do next, from everything that is known. No I/O, no clock, no randomness.
///
/// What the object says comes first: before anything else is done, the status is brought to say what is the case.
pub fn next(observed: &Observed) -> Step {
    match introduced(observed, decide(observed)) {
        Decision::Do(step) => step,
        Decision::Be(situation, then) => {
            let status = report::status(observed, &situation);
            if report::is_news(&observed.status(), &status) { Step::WriteStatus(Box::new(status)) } else { then }
        }
        Decision::Intend(submission) => {
            let status = report::status(observed, &Situation::Intended(submission));
            Step::WriteIntent(Box::new(status))
        }
    }
}

/// Where the job stands decides who speaks.
fn decide(o: &Observed) -> Decision {
    let is_being_deleted = o.job.metadata.deletion_timestamp.is_some();
    if is_being_deleted && !is_under_way_to(o.job, o.memory) {
        // Nothing new is begun.
        return Decision::Do(Step::AwaitChange);
    }
    if is_finished(o.job) {
        return after_the_end(o);
    }
    let job = match o.spec.accepted(o.job) {
        Ok(job) => job,
        Err(refusal) => return Decision::Be(Situation::Unacceptable(refusal.clone()), Step::AwaitChange),
    };
    let decision = match Standing::of(o.submission(), o.memory) {
        Standing::Clear | Standing::Unsent | Standing::Over if o.learned.unstored => unstored(o.policy),
        Standing::Clear | Standing::Unsent | Standing::Over => {
            over::uncounted(o, job).unwrap_or_else(|| prepare::decide(o, job))
        }
        Standing::Refused { at, error } => prepare::after_refusal(o, job, at, error),
        Standing::InDoubt { submission, doubt } => {
            over::unread(o, submission, settle::decide(o, job, submission, doubt))
        }
        Standing::Taken { submission, job: answer } => settle::taken(o, submission, answer),
        Standing::Underway(submission) => over::unread(o, submission, follow::decide(o, job, submission)),
    };
    decision.map_step(|step| deadline::capped(o, job, step))
}

/// Nothing is sent on the strength of a status that was not stored.
fn unstored(policy: &Policy) -> Decision {
    let wait = Step::Wait { wait: policy.retry_interval, cause: WaitCause::Definition };
    Decision::Be(Situation::DefinitionOutdated, wait)
}

/// The first visit says at once that somebody is looking, before any question is asked that may take long to answer.
fn introduced(o: &Observed, decision: Decision) -> Decision {
    match decision {
        Decision::Do(then) if o.status().observed_generation == UNOBSERVED_GENERATION && then != Step::AwaitChange => {
            Decision::Be(Situation::Pending, then)
        }
        other => other,
    }
}

/// After the end nothing changes, except that `observedGeneration` follows an edit, until the object has lived long enough. It follows in
/// the conditions too: `kubectl wait` compares theirs.
fn after_the_end(o: &Observed) -> Decision {
    let mut status = o.status().into_owned();
    if status.observed_generation == o.generation() {
        return Decision::Do(time_to_live::next(o));
    }
    status.observed_generation = o.generation();
    status.conditions.iter_mut().for_each(|condition| condition.observed_generation = Some(o.generation()));
    Decision::Do(Step::WriteStatus(Box::new(status)))
}

/// Whether a job is over: nothing is ever done for it again.
pub fn is_finished(job: &AuditLogReplayJob) -> bool {
    job.status.as_ref().is_some_and(said::is_finished)
}

/// Where a submission stands, by its record and by what this process knows of it.
#[derive(Debug)]
enum Standing<'a> {
    /// There is none.
    Clear,
    /// There is one, and nothing more can become of it.
    Over,
    /// Recorded by this process, and certainly not sent.
    Unsent,
    /// Sent, and certainly not taken.
    Refused { at: Clock, error: &'a crate::konnect::CallError },
    /// Nobody knows whether Konnect took it.
    InDoubt { submission: &'a Submission, doubt: Doubt<'a> },
    /// Konnect took it; the record does not say so yet.
    Taken { submission: &'a Submission, job: &'a crate::konnect::RemoteJob },
    /// Konnect took it, and the record says so.
    Underway(&'a Submission),
}

impl<'a> Standing<'a> {
    fn of(submission: Option<&'a Submission>, memory: &'a Memory) -> Self {
        let Some(submission) = submission else { return Self::Clear };
        match &submission.state {
            SubmissionState::Accepted | SubmissionState::Adopted => Self::Underway(submission),
            SubmissionState::NotTaken
            | SubmissionState::NotShown
            | SubmissionState::Failed
            | SubmissionState::Superseded
            | SubmissionState::EndedUnseen => Self::Over,
            // A state that a newer version wrote: whatever it means, nothing is sent on the strength of not knowing.
            SubmissionState::Unknown(_) => Self::InDoubt { submission, doubt: Doubt::Interrupted },
            SubmissionState::Intended => match memory.progress(&submission.id) {
                Progress::Unsent => Self::Unsent,
                Progress::Found | Progress::Sent => Self::InDoubt { submission, doubt: Doubt::Interrupted },
                Progress::Answered(_, PutAnswer::InDoubt(why)) => Self::InDoubt { submission, doubt: Doubt::Lost(why) },
                Progress::Answered(_, PutAnswer::NotShown(why)) => {
                    Self::InDoubt { submission, doubt: Doubt::NotShown(why) }
                }
                Progress::Answered(at, PutAnswer::Refused(error)) => Self::Refused { at: *at, error },
                Progress::Answered(_, PutAnswer::Taken(job)) => Self::Taken { submission, job },
            },
        }
    }

    /// Whether Konnect may be running it.
    fn may_be_under_way(&self) -> bool {
        match self {
            Self::Clear | Self::Over | Self::Unsent | Self::Refused { .. } => false,
            Self::InDoubt { .. } | Self::Taken { .. } | Self::Underway(_) => true,
        }
    }
}

/// Whether Konnect may be running something for `job`, by its record alone.
pub fn is_under_way(job: &AuditLogReplayJob) -> bool {
    is_under_way_to(job, &Memory::default())
}

/// Whether Konnect may be running something for `job`, by its record and by what this process knows of it.
pub(crate) fn is_under_way_to(job: &AuditLogReplayJob, memory: &Memory) -> bool {
    let submission = job.status.as_ref().and_then(|s| s.submission.as_deref());
    !is_finished(job) && Standing::of(submission, memory).may_be_under_way()
}

/// Whether `job` reserves its lane and its target at `now`, by the clock of this process: a submission of its may be under way, and
/// something was heard of it within the last hour. After that another job's own GET decides.
pub fn reserves(job: &AuditLogReplayJob, memory: &Memory, now: Duration) -> bool {
    is_under_way_to(job, memory) && !memory.is_quiet(now)
}

/// What a job is to the scheduler before anybody has asked what is to be done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstSight {
    /// Nothing: it is over, or held back by its user.
    Nothing,
    /// It waits for its turn.
    Waits,
    /// It reserves its lane and its target: a submission of its may be under way.
    Reserves,
}

impl FirstSight {
    /// By the record of `job` alone.
    pub fn of(job: &AuditLogReplayJob) -> Self {
        if is_under_way(job) {
            Self::Reserves
        } else if job.metadata.deletion_timestamp.is_none() && !job.spec.suspend && !is_finished(job) {
            Self::Waits
        } else {
            Self::Nothing
        }
    }
}
