//! All that comes before a request to Konnect, as a row of gates. Each either lets the job pass or says what is the case.

use std::time::Duration;

use crate::api::{
    ConditionStatus, ConditionType, DuplicatePolicy, Reason, Submission, SubmissionState, TimeRange, WebhookPolicy,
};
use crate::konnect::{CallError, Reading, RemoteJob, RemoteStatus};
use crate::replay::decide::ask::{nothing_asked, token};
use crate::replay::decide::ending::Ending;
use crate::replay::decide::over;
use crate::replay::decide::situation::{Decision, Situation};
use crate::replay::decide::{deadline, duplicate, failed_call, held_back, wait};
use crate::replay::facts::clock::Clock;
use crate::replay::facts::job::ValidatedJob;
use crate::replay::facts::konnects_clock::{remote_now, was_read};
use crate::replay::facts::observed::Observed;
use crate::replay::facts::policy::{LIMIT_MARGIN, LONGEST_WAIT, WEBHOOK_PATIENCE};
use crate::replay::facts::window::{self, delta};
use crate::replay::facts::{record, retention, said};
use crate::replay::report;
use crate::replay::scheduler::Turn;
use crate::replay::step::{Step, WaitCause};

/// What to do for a job of which nothing is under way.
pub(crate) fn decide(o: &Observed, job: &ValidatedJob) -> Decision {
    if o.job.metadata.deletion_timestamp.is_some() {
        // What was under way is over, and nothing new is begun.
        return Decision::Do(Step::AwaitChange);
    }
    over::back_in_view(o)
        .or_else(|| held_back::decide(o, job))
        .or_else(|| over::spacing(o))
        .or_else(|| turn(o, job))
        .or_else(|| duplicate::siblings(o, job))
        .or_else(|| token(o))
        .or_else(|| still_blocked(o, job))
        .or_else(|| webhook(o, job))
        .or_else(|| remote(o, job))
        .unwrap_or_else(|| send(o, job))
}

/// After a request that Konnect certainly did not take: the pass that sent it says so and waits; a later one goes through the gates
/// again.
pub(crate) fn after_refusal(o: &Observed, job: &ValidatedJob, at: Clock, error: &CallError) -> Decision {
    let waited = o.clock.mono.saturating_sub(at.mono);
    let wait = wait::refusal_spacing(o, error).saturating_sub(waited);
    let was_sent_in_this_pass = o.learned.remote.as_ref().is_some_and(|seen| seen.at.mono <= at.mono);
    if !was_sent_in_this_pass {
        let is_asked = o.memory.was_requested_since(o.requested().as_deref());
        let is_late = deadline::passed(o, job).is_some();
        let may_be_sent = wait.is_zero() || is_asked || is_late || job.suspend || !nothing_asked(o);
        let spaced = Step::Wait { wait, cause: WaitCause::Retry };
        return if may_be_sent { decide(o, job) } else { Decision::Do(spaced) };
    }
    if error.is_permanent() && is_far_from_the_limits(o) {
        return refused_for_good(error);
    }
    match error.status() {
        Some(409) => Decision::Be(Situation::Blocked { by: None }, Step::Wait { wait, cause: WaitCause::Conflict }),
        _ => of_a_put(failed_call::decide(o, error), wait),
    }
}

/// Whether a 400 cannot be due to clocks that differ. Only the pass that sent the request knows what time it was at Konnect;
/// without that there is no verdict, and another request brings the same answer.
fn is_far_from_the_limits(o: &Observed) -> bool {
    let now = remote_now(o);
    let near = o.submission().is_some_and(|s| window::is_near_a_limit(s.window, now, LIMIT_MARGIN, o.policy));
    was_read(o) && !near
}

fn refused_for_good(error: &CallError) -> Decision {
    let message = format!(
        "{error}. Konnect will not take this request however often it is sent: create another AuditLogReplayJob that mends what \
         Konnect names."
    );
    Decision::Be(Situation::failed((Reason::InvalidRequest, message)), Step::AwaitChange)
}

/// The same for a refused PUT: a GET says nothing about whether that is over.
fn of_a_put(decision: Decision, wait: Duration) -> Decision {
    match decision {
        Decision::Be(situation, Step::Wait { .. }) => {
            Decision::Be(situation, Step::Wait { wait, cause: WaitCause::PutRefused })
        }
        other => other,
    }
}

/// Whether the job may start: see [`crate::replay::scheduler`].
fn turn(o: &Observed, job: &ValidatedJob) -> Option<Decision> {
    // A job in the queue is woken when its turn comes. A timer of each one's own would be work that grows with the queue; this one is
    // for the clock, for the end of its window, and for a user who asks for a try.
    let asked = o.memory.asked_to_try_in(o.job, o.clock, o.policy.poll_interval).filter(|left| !left.is_zero());
    let expires = window::expires_at(retention::planned(o, job.window), o.policy) + delta(LIMIT_MARGIN);
    let left = (expires - o.clock.wall).to_std().unwrap_or_default().max(wait::SHORTEST);
    let woken = Step::Wait { wait: asked.unwrap_or(LONGEST_WAIT).min(left), cause: WaitCause::Turn };
    let (situation, then) = match &o.learned.turn {
        None => return Some(Decision::Do(Step::TakeTurn)),
        Some(Turn::Ours) => return None,
        Some(Turn::NotYet { wait }) => (Situation::TakingOver, Step::Wait { wait: *wait, cause: WaitCause::Turn }),
        Some(Turn::Behind { blocked_by }) => (Situation::Queued { blocked_by: Some(blocked_by.clone()) }, woken),
        Some(Turn::Later) => (Situation::Queued { blocked_by: None }, woken),
        Some(Turn::HeldBack { blocked_by: None, cause: WaitCause::Secret }) if said::lacks_token(&o.status()) => {
            return Some(lacks_its_token(o));
        }
        Some(Turn::HeldBack { blocked_by, cause }) if says_so(o, blocked_by.is_none(), *cause) => {
            return Some(Decision::Do(woken));
        }
        Some(Turn::HeldBack { blocked_by, cause }) => {
            (Situation::HeldBack { blocked_by: blocked_by.clone(), cause: *cause }, woken)
        }
    };
    let looks_at_its_token = match &situation {
        // That message names the Secret.
        Situation::TakingOver | Situation::HeldBack { cause: WaitCause::Secret, .. } => false,
        _ => names_its_token_first(o),
    };
    if looks_at_its_token && let Some(decision) = token(o) {
        return Some(decision);
    }
    let spaced = o.memory.goes_on_saying_queued(o.clock, o.policy.poll_interval);
    match spaced.filter(|_| says_one_of(o, &[Reason::Queued]) && !matches!(situation, Situation::TakingOver)) {
        Some(wait) if would_change(o, &situation) => Some(Decision::Do(Step::Wait { wait, cause: WaitCause::Turn })),
        Some(_) | None => Some(Decision::Be(situation, then)),
    }
}

/// Whether the object would say something else than it says.
fn would_change(o: &Observed, situation: &Situation) -> bool {
    report::is_news(&o.status(), &report::status(o, situation))
}

/// A job whose Secret is missing looks at it at the usual spacing while others go first, so that its status stays true. Reading a Secret
/// asks nothing of Konnect.
fn lacks_its_token(o: &Observed) -> Decision {
    let rest = o.memory.resting(o.generation(), o.requested().as_deref(), o.clock, o.policy.poll_interval);
    if let Some(wait) = rest.filter(|_| o.learned.token.is_none()) {
        return Decision::Do(Step::Wait { wait, cause: WaitCause::Turn });
    }
    // Where the Secret holds a token now, something else may hold the job back.
    token(o).unwrap_or(Decision::Do(Step::TakeTurn))
}

/// Whether the object says already what holds it back: it found that itself, or the same.
fn says_so(o: &Observed, is_its_own: bool, cause: WaitCause) -> bool {
    let is_of_this_spec = o.status().observed_generation == o.generation();
    is_of_this_spec && (is_its_own || says_one_of(o, cause.reasons()))
}

/// A Secret that is not there is named before the queue is: on the first visit of a spec, and as long as that is what the object says.
/// Reading a Secret asks nothing of Konnect.
fn names_its_token_first(o: &Observed) -> bool {
    let status = o.status();
    if said::ready_reason(&status) == Some(Reason::WaitingForCredentials.as_str()) {
        return said::lacks_token(&status);
    }
    let looked_before = [
        Reason::Queued,
        Reason::KonnectUnavailable,
        Reason::RateLimited,
        Reason::BlockedByRemoteJob,
        Reason::WaitingForWebhook,
        Reason::PortalNotFound,
    ];
    !says_one_of(o, &looked_before)
}

/// Whether the object says one of these of its present spec.
fn says_one_of(o: &Observed, reasons: &[Reason]) -> bool {
    let status = o.status();
    said::says_one_of(&status, reasons) && status.observed_generation == o.generation()
}

/// While somebody else's run is in the way, one look at it is enough; the webhook is asked when it has gone.
fn still_blocked(o: &Observed, job: &ValidatedJob) -> Option<Decision> {
    let was_blocked = said::ready_reason(&o.status()) == Some(Reason::BlockedByRemoteJob.as_str());
    if !was_blocked || o.learned.webhook.is_some() {
        return None;
    }
    match o.learned.remote.as_ref().map(|seen| &seen.what) {
        None => Some(Decision::Do(Step::ReadRemoteJob)),
        Some(Ok(reading)) => busy(o, job, reading),
        Some(Err(error)) => Some(failed_call::decide(o, error)),
    }
}

/// A replay without an enabled webhook is spent for nothing.
fn webhook(o: &Observed, job: &ValidatedJob) -> Option<Decision> {
    if job.webhook_policy == WebhookPolicy::Ignore {
        return None;
    }
    let Some(seen) = &o.learned.webhook else { return Some(Decision::Do(Step::ReadWebhook { brief: false })) };
    let none_yet = || Some(Decision::Be(Situation::NoWebhook, wait::slow(o, WaitCause::Webhook)));
    match &seen.what.config {
        Ok(_) if seen.what.is_on() => None,
        Ok(_) => none_yet(),
        Err(error) => match error.status() {
            Some(401 | 429) => Some(failed_call::decide(o, error)),
            Some(404) => of_the_target(o, seen.at).or_else(none_yet),
            // Only the webhook is out of reach, or everything: the job's own answer tells.
            Some(403) => of_the_target(o, seen.at).or_else(|| if unreadable_for_long(o) { None } else { none_yet() }),
            _ if unreadable_for_long(o) => None,
            Some(400..500) => none_yet(),
            _ => Some(failed_call::decide(o, error)),
        },
    }
}

/// A 404 means "no webhook" only where the target itself is known, and a 403 means "not the webhook" only where the target may
/// be read. Reading the job tells.
fn of_the_target(o: &Observed, webhook_at: Clock) -> Option<Decision> {
    match o.learned.remote.as_ref().filter(|seen| seen.at.mono >= webhook_at.mono).map(|seen| &seen.what) {
        None => Some(Decision::Do(Step::ReadRemoteJob)),
        Some(Err(error)) => Some(failed_call::decide(o, error)),
        Some(Ok(_)) => None,
    }
}

/// A webhook that cannot be looked at must not keep events from being recovered before they are deleted.
fn unreadable_for_long(o: &Observed) -> bool {
    let status = o.status();
    let condition = status.conditions.iter().find(|c| c.type_ == ConditionType::WebhookReady);
    condition.is_some_and(|c| {
        c.status == ConditionStatus::Unknown && o.clock.wall - c.last_transition_time >= delta(WEBHOOK_PATIENCE)
    })
}

/// Konnect's job, read after everything else, so that as little time as possible lies between this and the request.
fn remote(o: &Observed, job: &ValidatedJob) -> Option<Decision> {
    let Some(seen) = &o.learned.remote else { return Some(Decision::Do(Step::ReadRemoteJob)) };
    let reading = match &seen.what {
        Ok(reading) => reading,
        Err(error) => return Some(failed_call::decide(o, error)),
    };
    if let Some(decision) = duplicate::skip(o, job, &reading.value).or_else(|| busy(o, job, reading)) {
        return Some(decision);
    }
    let before_webhook = o.learned.webhook.as_ref().is_some_and(|w| seen.at.mono < w.at.mono);
    if before_webhook {
        return Some(Decision::Do(Step::ReadRemoteJob));
    }
    if o.fresh_remote().is_none() {
        return Some(out_of_date(o));
    }
    let ended = o.memory.foreign_ended()?;
    // Its owner must be able to see its end before another job takes its place.
    let left = (ended + o.policy.poll_interval * 2).saturating_sub(o.clock.mono);
    (!left.is_zero()).then(|| {
        let wait = Step::Wait { wait: left, cause: WaitCause::RemoteJob };
        Decision::Be(Situation::Blocked { by: Some(reading.value.clone()) }, wait)
    })
}

/// The reading is too old to send on: Konnect was slow, or this process was, or was stopped. The next pass begins from the
/// start, with a record of its own, which only the rightful leader can write.
fn out_of_date(o: &Observed) -> Decision {
    let wait = wait::backoff(o, WaitCause::Konnect);
    if o.submission().is_some_and(|s| is_unsent(o, s)) {
        return Decision::Do(wait);
    }
    let error = CallError::NoAnswer("what it answered was more than 10 s old when it could be used".to_owned());
    Decision::Be(Situation::Unavailable(error), wait)
}

/// A run is under way: ours to follow if it has our window, else not ours to touch.
fn busy(o: &Observed, job: &ValidatedJob, reading: &Reading<RemoteJob>) -> Option<Decision> {
    let remote = &reading.value;
    if !remote.status.is_busy() {
        return None;
    }
    let planned = retention::planned(o, job.window);
    let to_be_adopted = job.duplicate_policy == DuplicatePolicy::Skip
        && window::of_remote(remote).is_some_and(|shown| shown == planned || shown == job.window)
        && !matches!(remote.status, RemoteStatus::Unknown(_));
    let Some(window) = window::of_remote(remote).filter(|_| to_be_adopted) else {
        return Some(Decision::Be(Situation::Blocked { by: Some(remote.clone()) }, wait::remote_job(o)));
    };
    let submission = Submission {
        state: SubmissionState::Adopted,
        accepted_time: Some(o.clock.stamp()),
        last_read: Some(remote.status.clone()),
        ..submission(o, window, remote)
    };
    Some(Decision::Be(Situation::Underway { submission, job: Some(remote.clone()) }, wait::poll(o)))
}

/// Every gate is passed: record the intent, or, if that is done and nothing has changed since, send it.
fn send(o: &Observed, job: &ValidatedJob) -> Decision {
    let (Some(reading), Some(sendable)) = (o.fresh_remote(), held_back::sendable(o, job)) else {
        return Decision::Do(Step::ReadRemoteJob);
    };
    let taken = windows_to_avoid(o, &reading.value);
    let may_go = |s: &&Submission| is_unsent(o, s) && is_of_this_reading(o, s) && !taken.contains(&s.window);
    if let Some(standing) = o.submission().filter(may_go) {
        return Decision::Do(Step::Submit { id: standing.id.clone(), window: standing.window });
    }
    let clamped = retention::is_clamped(sendable, job.window);
    let window = window::distinct_from(sendable, &taken, clamped, remote_now(o), o.policy);
    Decision::Intend(submission(o, window, &reading.value))
}

/// The windows by which something else is known: the job at Konnect, and, where a run of ours is over, that run and the one before.
fn windows_to_avoid(o: &Observed, remote: &RemoteJob) -> Vec<TimeRange> {
    let over = o.submission().filter(|s| Ending::of(&s.state).is_some_and(Ending::may_have_run));
    let kept = over.into_iter().flat_map(|s| s.previous.iter().chain(&s.accepted)).map(record::remote_job);
    let shown = [remote.clone()].into_iter().chain(kept).filter_map(|job| window::of_remote(&job));
    shown.chain(over.map(|s| s.window)).collect()
}

fn is_unsent(o: &Observed, standing: &Submission) -> bool {
    standing.state == SubmissionState::Intended
        && *o.memory.progress(&standing.id) == crate::replay::facts::memory::Progress::Unsent
}

/// Whether the record was made from the reading at hand. One made from an earlier reading is replaced and not sent: writing
/// anew is what stops a process that was overtaken, and the settle time of a request counts from its record.
fn is_of_this_reading(o: &Observed, standing: &Submission) -> bool {
    let recorded = o.memory.first_seen(&standing.id);
    recorded.zip(o.learned.remote.as_ref()).is_some_and(|(recorded, seen)| recorded >= seen.at.mono)
}

fn submission(o: &Observed, window: TimeRange, previous: &RemoteJob) -> Submission {
    Submission {
        id: o.draw.submission_id.clone(),
        attempt: o.status().attempts.saturating_add(1),
        state: SubmissionState::Intended,
        window,
        intent_time: o.clock.stamp(),
        accepted_time: None,
        accepted: None,
        last_read: None,
        end_time: None,
        webhook: None,
        previous: Some(record::konnect_job(previous, o.clock)),
    }
}
