//! What the object and the clock alone say, before anybody is asked: not this window, not now, or not any more.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::api::{ExpiryPolicy, Reason, Submission, TimeRange};
use crate::replay::decide::ask::{resting, token};
use crate::replay::decide::ending::Ending;
use crate::replay::decide::situation::{Decision, Situation};
use crate::replay::decide::{deadline, failed_call, wait};
use crate::replay::facts::job::{Refusal, ValidatedJob};
use crate::replay::facts::konnects_clock::{is_believed, remote_now, was_read};
use crate::replay::facts::observed::Observed;
use crate::replay::facts::policy::{LIMIT_MARGIN, LONGEST_WAIT, MAX_LEAD, Policy};
use crate::replay::facts::retention;
use crate::replay::facts::window::{self, delta};
use crate::replay::step::{Step, WaitCause};

/// What the object and the clock alone say.
pub(crate) fn decide(o: &Observed, job: &ValidatedJob) -> Option<Decision> {
    let now = remote_now(o);
    if let Some(refusal) = &job.retired {
        return Some(Decision::Be(Situation::Unacceptable(refusal.clone()), Step::AwaitChange));
    }
    if window::is_too_far_ahead(job.window, now) {
        return Some(too_far_ahead(job, now));
    }
    // Konnect's clock decides, once it is known; ours alone only where no two clocks can differ that much.
    let agreed = is_expired_here_too(o, job);
    match sendable(o, job) {
        None => return Some(verdict(o, agreed, expired(o, job))),
        Some(part) if part != retention::planned(o, job.window) && was_read(o) && !is_believed(o, agreed) => {
            return Some(in_doubt(o.policy));
        }
        Some(_) => {}
    }
    if let Some(refusal) = hopeless(o, job) {
        return Some(Decision::Be(Situation::Unacceptable(refusal), Step::AwaitChange));
    }
    if job.suspend {
        return Some(Decision::Be(Situation::Suspended, Step::AwaitChange));
    }
    if let Some(late) = deadline::passed(o, job) {
        return Some(verdict(o, true, late));
    }
    let ready = window::ready_at(job.window, o.policy);
    (now < ready).then(|| Decision::Be(Situation::WindowOpen { until: ready }, until(ready, now)))
}

/// The job ends after a GET of Konnect's job in the same pass, which shows Konnect's time too. Once there is a record of a request,
/// not without it: what it records may have been taken, and may have completed, unless Konnect certainly did not take it. `agreed`: both clocks say so, if Konnect's is known.
fn verdict(o: &Observed, agreed: bool, why: (Reason, String)) -> Decision {
    let may_have_run = |s: &Submission| Ending::of(&s.state).map_or(!o.was_refused(), Ending::may_come_back);
    let can_wait = o.submission().is_some_and(may_have_run);
    let give_up = || {
        if is_believed(o, agreed) {
            Decision::Be(Situation::failed(why), Step::AwaitChange)
        } else {
            in_doubt(o.policy)
        }
    };
    if was_read(o) {
        return give_up();
    }
    if let Some(decision) = resting(o) {
        return decision;
    }
    match (&o.learned.token, o.learned.remote.as_ref().map(|seen| &seen.what)) {
        (Some(Err(_)), _) | (_, Some(Err(_))) if !can_wait => give_up(),
        (Some(Ok(())), Some(Err(error))) => failed_call::decide(o, error),
        _ => token(o).unwrap_or(Decision::Do(Step::ReadRemoteJob)),
    }
}

/// Said until a second reading decides.
fn in_doubt(policy: &Policy) -> Decision {
    Decision::Be(Situation::ClockInDoubt, Step::Wait { wait: policy.poll_interval, cause: WaitCause::WindowEnd })
}

/// Whether the clock of this machine says as well, as far as two clocks may differ, that not all of the window is left.
fn is_expired_here_too(o: &Observed, job: &ValidatedJob) -> bool {
    let planned = retention::planned(o, job.window);
    o.clock.wall + delta(LIMIT_MARGIN) >= window::expires_at(planned, o.policy)
}

/// A window that begins to expire before it may be sent can never be sent as a whole: that is certain at first sight.
fn hopeless(o: &Observed, job: &ValidatedJob) -> Option<Refusal> {
    let (ready, expires) = (window::ready_at(job.window, o.policy), window::expires_at(job.window, o.policy));
    if job.expiry_policy == ExpiryPolicy::Clamp || o.submission().is_some() || expires > ready {
        return None;
    }
    let longest = o.policy.retention.saturating_sub(o.policy.ingest_delay).as_secs().saturating_sub(1);
    let message = format!(
        "Konnect begins to delete the events of this window before it can be sent: the window lasts {} s, and no window longer than \
         {longest} s can be sent as a whole. Delete this object and create it with a shorter window, or with expiryPolicy Clamp.",
        (job.window.end_at - job.window.start_at).num_seconds(),
    );
    Some(Refusal { reason: Reason::InvalidWindow, message })
}

/// What can be sent, as far as is known in this pass.
pub(crate) fn sendable(o: &Observed, job: &ValidatedJob) -> Option<TimeRange> {
    let slack = if was_read(o) { Duration::ZERO } else { LIMIT_MARGIN };
    retention::sendable(o, job, remote_now(o), slack)
}

/// A point in time is looked at again within the hour: the clock that tells it can be set, and a machine can sleep.
fn until(at: DateTime<Utc>, now: DateTime<Utc>) -> Step {
    let left = (at - now).to_std().unwrap_or_default();
    Step::Wait { wait: left.min(LONGEST_WAIT).max(wait::SHORTEST), cause: WaitCause::WindowEnd }
}

fn too_far_ahead(job: &ValidatedJob, now: DateTime<Utc>) -> Decision {
    let refusal = Refusal {
        reason: Reason::InvalidWindow,
        message: "window.endAt lies more than 8 days ahead. A window cannot be changed: delete this object and create it with the \
                  times that are meant, or leave it until the end is nearer."
            .to_owned(),
    };
    let nearer = job.window.end_at - delta(MAX_LEAD);
    Decision::Be(Situation::Unacceptable(refusal), until(nearer, now))
}

fn expired(o: &Observed, job: &ValidatedJob) -> (Reason, String) {
    let hours = o.policy.retention.as_secs() / 3600;
    let since = crate::konnect::time::format(window::expires_at(retention::planned(o, job.window), o.policy));
    let sent = if o.status().start_time.is_some() { "nothing more is sent" } else { "nothing was sent" };
    let all_gone = remote_now(o) >= job.window.end_at + delta(o.policy.retention);
    let expires = window::expires_at(retention::planned(o, job.window), o.policy);
    let created = o.job.metadata.creation_timestamp.as_ref().map(crate::api::from_kube_time);
    let before = created.is_some_and(|created| expires <= created && o.submission().is_none());
    let too_late = if before {
        " That was so before this object was made, so nothing was lost by waiting: an old manifest was applied again, or a backup restored."
    } else {
        ""
    };
    let message = match job.expiry_policy {
        ExpiryPolicy::Fail if !all_gone => format!(
            "Konnect keeps audit logs for {hours} h, so it began to delete the events of this window at {since}: the whole window can \
             no longer be replayed, and {sent}. To recover what is left, create another AuditLogReplayJob whose window starts later, or \
             with expiryPolicy Clamp."
        ),
        ExpiryPolicy::Fail | ExpiryPolicy::Clamp => format!(
            "Konnect keeps audit logs for {hours} h, and has deleted all events of this window: there is nothing left that could be \
             replayed, and {sent}."
        ),
    };
    let message = message + too_late;
    (Reason::WindowExpired, message)
}
