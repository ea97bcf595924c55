//! The words: one reason and one message per situation. A message says what happened, what comes next and what to do, and
//! holds nothing that changes from one look to the next: no trace id, no "in 12 seconds".

use super::{phase, trouble};
use crate::api::{Reason, Submission, SubmissionState, TimeRange};
use crate::konnect::{RemoteJob, RemoteStatus, time};
use crate::replay::decide::ending::Ending;
use crate::replay::decide::situation::{Ended, Situation};
use crate::replay::facts::delivery;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::window;
use crate::replay::step::WaitCause;

/// The state in one word.
pub(super) fn reason(o: &Observed, situation: &Situation) -> Reason {
    match situation {
        Situation::Pending | Situation::TakingOver => Reason::Pending,
        Situation::Queued { .. } | Situation::HeldBack { .. } => Reason::Queued,
        Situation::Unacceptable(refusal) => refusal.reason,
        Situation::Suspended => Reason::Suspended,
        Situation::WindowOpen { .. } => Reason::WaitingForWindowEnd,
        Situation::NoToken(_) | Situation::Denied(_) => Reason::WaitingForCredentials,
        Situation::NoWebhook => Reason::WaitingForWebhook,
        Situation::UnknownPortal { .. } => Reason::PortalNotFound,
        Situation::RateLimited => Reason::RateLimited,
        Situation::Unavailable(_) => Reason::KonnectUnavailable,
        Situation::Blocked { .. } => Reason::BlockedByRemoteJob,
        Situation::ClockInDoubt => Reason::ClockInDoubt,
        Situation::DefinitionOutdated => Reason::DefinitionOutdated,
        Situation::Intended(_) | Situation::InDoubt { .. } => Reason::Submitting,
        Situation::Underway { submission, job } => phase(submission, job.as_ref()),
        Situation::Unrecognisable { .. } => Reason::RemoteStateUnknown,
        Situation::Over(ended) => Ending::of(&ended.submission.state).map_or(Reason::Pending, Ending::reason),
        Situation::AlreadyReplayed { .. } => Reason::AlreadyReplayed,
        Situation::Completed { .. } if is_adopted(o) => Reason::Adopted,
        Situation::Completed { .. } => Reason::Completed,
        Situation::Failed { reason, .. } => *reason,
    }
}

/// Why there are no usable credentials.
pub(super) fn credentials_reason(situation: &Situation) -> Reason {
    match situation {
        Situation::NoToken(problem) => problem.reason(),
        Situation::Denied(error) if error.status() == Some(403) => Reason::Forbidden,
        _ => Reason::Unauthorized,
    }
}

/// The state in a sentence or two.
pub(super) fn message(o: &Observed, situation: &Situation) -> String {
    match situation {
        Situation::Pending => "Looking at the token, the webhook and the replay job at Konnect.".to_owned(),
        Situation::TakingOver => {
            "This operator took over from one that did not end in order. Nothing is sent until nothing of the other \
             can still be on its way to Konnect."
                .to_owned()
        }
        Situation::Queued { blocked_by } => queued(blocked_by.as_deref()),
        Situation::HeldBack { blocked_by, cause } => held_back(o, blocked_by.as_deref(), *cause),
        Situation::Unacceptable(refusal) => refusal.message.clone(),
        Situation::Suspended => suspended(o),
        Situation::WindowOpen { until } => format!(
            "The window ends in the future, or its last events may still be on their way to Konnect. It is sent after {}.",
            time::format(*until)
        ),
        Situation::NoToken(problem) => trouble::no_token(o, problem),
        Situation::Denied(error) => trouble::denied(error),
        Situation::NoWebhook => trouble::no_webhook(o),
        Situation::UnknownPortal { under_other_version } => trouble::unknown_portal(o, *under_other_version),
        Situation::RateLimited => {
            "Konnect asked us to slow down (429). The next call is made when it said, or after 15 s.".to_owned()
        }
        Situation::Unavailable(error) => trouble::unavailable(o, error),
        Situation::Blocked { by } => format!("{}{}", blocked(by.as_ref()), unknown_word(o, situation).unwrap_or_default()),
        Situation::ClockInDoubt => {
            "One clock alone, that of this machine or Konnect's, says that the window has expired or that a deadline has passed. The job \
             is given up, or its window shortened, only if both say so, or the same clock says so again after a poll interval."
                .to_owned()
        }
        Situation::DefinitionOutdated => {
            "The API server dropped a part of this object's status that limits how often the window is sent: the definition \
             (CustomResourceDefinition) in this cluster is older than the operator. Nothing is sent meanwhile. Install the definition of \
             this version; the job continues by itself."
                .to_owned()
        }
        Situation::Intended(submission) => {
            format!("Asking Konnect to replay {}.{}", window::span(submission.window), shortened(o, submission.window))
        }
        Situation::InDoubt { why } => in_doubt(why.as_deref()),
        Situation::Underway { submission, job } => under_way(o, submission, job.as_ref()),
        Situation::Unrecognisable { now } => unrecognisable(now),
        Situation::Over(ended) => over(ended),
        Situation::AlreadyReplayed { by, code } => already_replayed(by.as_deref(), *code),
        Situation::Completed { job } => completed(o, job),
        Situation::Failed { message, .. } => message.clone(),
    }
}

fn other_job(blocked_by: &str) -> String {
    if blocked_by == crate::api::BLOCKED_BY_OTHER {
        "an object of another namespace".to_owned()
    } else {
        format!("AuditLogReplayJob {blocked_by}")
    }
}

fn held_back(o: &Observed, blocked_by: Option<&str>, cause: WaitCause) -> String {
    let secret = &o.job.spec.token_secret_ref.name;
    let found = match cause {
        WaitCause::Secret | WaitCause::Kubernetes => {
            format!("Secret {secret:?} could not be read, or has no usable token")
        }
        WaitCause::Credentials => format!("Konnect does not accept the token in Secret {secret:?}"),
        WaitCause::RateLimit => format!("Konnect limits the calls of the token in Secret {secret:?} (429)"),
        WaitCause::Permission => format!("the token in Secret {secret:?} may not do this at this target (403)"),
        WaitCause::Portal => format!("Konnect does not know this target for the token in Secret {secret:?} (404)"),
        WaitCause::Webhook => "Konnect has no enabled webhook for this target".to_owned(),
        WaitCause::RemoteJob => "Konnect has another replay under way for this target".to_owned(),
        WaitCause::Conflict => "Konnect takes no other replay of this organisation in this region now (409)".to_owned(),
        WaitCause::PutRefused | WaitCause::NotTaken => {
            "Konnect took no request for this target the last time".to_owned()
        }
        WaitCause::Rejected => "Konnect does not answer questions about this target".to_owned(),
        WaitCause::Konnect
        | WaitCause::Poll
        | WaitCause::Definition
        | WaitCause::Settle
        | WaitCause::WindowEnd
        | WaitCause::Turn
        | WaitCause::Retry
        | WaitCause::Resting
        | WaitCause::TimeToLive => "Konnect cannot be reached, or does not work, in this region".to_owned(),
    };
    let by = blocked_by.map(|blocked_by| format!("; {} retries first", other_job(blocked_by)));
    format!("Waiting: {found}{}. The operator tries again by itself.", by.unwrap_or_default())
}

fn queued(blocked_by: Option<&str>) -> String {
    let who = blocked_by.map_or_else(|| "others of the same region and token".to_owned(), other_job);
    format!(
        "Waiting for {who}. At most one replay of a region and token, and of a target, is under way at a time; this one is sent when its turn comes."
    )
}

fn suspended(o: &Observed) -> String {
    let so_far = match o.submission().map(|s| &s.state) {
        None => "Nothing has been sent.",
        Some(state) if Ending::of(state).is_some_and(Ending::may_have_run) => {
            "Nothing is under way, and no other try is made."
        }
        Some(_) => "The last request was not taken by Konnect.",
    };
    format!(
        "spec.suspend is true. {so_far} Set it to false to go on; Konnect deletes events that are older than its retention meanwhile."
    )
}

/// What the `WebhookReady` condition says.
pub(super) fn webhook(reason: Reason) -> &'static str {
    match reason {
        Reason::WebhookEnabled => "The webhook is enabled.",
        Reason::WebhookInactive => {
            "The webhook is enabled, but its last delivery failed. The replay is sent all the same; see that the receiver answers 2xx."
        }
        Reason::WebhookDisabled => "Konnect has no enabled audit-log webhook for this target.",
        _ => "The webhook cannot be looked at.",
    }
}

fn blocked(by: Option<&RemoteJob>) -> String {
    let next = "This window is sent when that is over; the operator overwrites no replay.";
    match by {
        None => format!("Konnect refused the request because another replay is under way in this region (409). {next}"),
        Some(job) if !job.status.is_busy() => format!(
            "Another replay job of this target has just ended ({}). Its owner gets a moment to see that, then this window is sent.",
            described(job)
        ),
        Some(job) => format!("Konnect has another replay job for this target ({}). {next}", described(job)),
    }
}

/// What to say about a run that has had the same unknown status at Konnect for long: `None` for all others.
pub(super) fn unknown_word(o: &Observed, situation: &Situation) -> Option<String> {
    let job = match situation {
        Situation::Underway { job, .. } | Situation::Blocked { by: job } => job.as_ref()?,
        _ => return None,
    };
    let RemoteStatus::Unknown(word) = &job.status else { return None };
    let told = o.memory.is_stuck_in_an_unknown_word(o.clock.mono) && !word.is_empty();
    told.then(|| stuck(o).to_owned())
}

fn stuck(o: &Observed) -> &'static str {
    if o.memory.is_stuck_in_an_unknown_word(o.clock.mono) {
        " Nothing of it has changed for hours: if it is the end of the run, upgrade the operator to a version that knows the word, or \
         delete this object."
    } else {
        ""
    }
}

fn in_doubt(why: Option<&str>) -> String {
    let why = why.map_or_else(|| "the operator was interrupted".to_owned(), str::to_owned);
    format!(
        "A request was recorded, and whether Konnect took it is not known ({why}). Konnect is asked after the time within which it must \
         show; nothing is sent before."
    )
}

fn under_way(o: &Observed, submission: &Submission, job: Option<&RemoteJob>) -> String {
    let suspended = if o.job.spec.suspend { " spec.suspend does not stop it: Konnect cannot stop a run." } else { "" };
    format!("{}{suspended}", run(o, submission, job))
}

fn run(o: &Observed, submission: &Submission, job: Option<&RemoteJob>) -> String {
    let state = match job.map(|j| &j.status) {
        Some(RemoteStatus::Pending) => "has scheduled".to_owned(),
        Some(RemoteStatus::Running) => "is sending".to_owned(),
        Some(RemoteStatus::Unknown(word)) => {
            return format!(
                "Konnect says {word:?} of the replay of {}, a word this version does not know. It counts as under way.{}",
                window::span(submission.window),
                stuck(o)
            );
        }
        _ => "has accepted".to_owned(),
    };
    if submission.state == SubmissionState::Adopted && matches!(job.map(|j| &j.status), Some(RemoteStatus::Accepted)) {
        return format!(
            "Konnect was replaying {} already when this object came. That run is followed; nothing is sent.",
            window::span(submission.window)
        );
    }
    let shortened = shortened(o, submission.window);
    format!("Konnect {state} the replay of {}.{shortened}", window::span(submission.window))
}

fn unrecognisable(now: &RemoteJob) -> String {
    format!(
        "What Konnect answers about the replay job shows no window ({}), so this run cannot be told from another. Nothing is sent \
         again; the operator reads it again soon.",
        described(now)
    )
}

fn over(ended: &Ended) -> String {
    let window = window::span(ended.submission.window);
    let what = match Ending::of(&ended.submission.state) {
        Some(Ending::Failed) => format!(
            "Konnect reported failed for {window}, and gives no reason: see that the webhook's receiver answers 2xx."
        ),
        Some(Ending::EndedUnseen) => format!(
            "The replay of {window} was running when it was last seen, and has ended since, but its end was not seen because another \
             job followed. It is repeated once."
        ),
        Some(Ending::NotTaken) => format!(
            "The answer to the request for {window} was lost, and Konnect shows that it did not take the request."
        ),
        Some(Ending::NotShown) => {
            format!("Konnect answered the request for {window} with success (2xx), and shows no replay job of it.")
        }
        Some(Ending::Superseded) | None => format!(
            "Konnect shows another job, or none, in the place of the replay of {window}, whose end was not seen."
        ),
    };
    let next = ended.retries.next_time.map(|next| format!(" The window is sent again after {}.", time::format(next)));
    format!("{what}{}", next.unwrap_or_default())
}

fn already_replayed(by: Option<&str>, code: i32) -> String {
    let what = match by {
        Some(name) => format!(
            "AuditLogReplayJob {name} has replayed all of this window to this destination already, and the webhook's last answer then \
             was {code}: nothing was sent."
        ),
        None => format!(
            "Konnect's last job of this target covered all of this window and completed, and the webhook's last answer is {code}: \
             nothing was sent. No object here has a record of that run, so where it delivered to, and what the receiver answered then, is not known."
        ),
    };
    format!("{what} To have it sent all the same, create another AuditLogReplayJob with duplicatePolicy Replay.")
}

/// What is missing of the window that was asked for.
fn shortened(o: &Observed, sent: TimeRange) -> String {
    match o.spec.window {
        Some(asked) if crate::replay::facts::retention::is_clamped(sent, asked) => format!(
            " What came before, from {}, is deleted at Konnect (expiryPolicy Clamp).",
            time::format(asked.start_at)
        ),
        Some(_) | None => String::new(),
    }
}

fn completed(o: &Observed, job: &RemoteJob) -> String {
    let window = match (job.start_at, job.end_at) {
        (Some(start_at), Some(end_at)) => window::span(TimeRange { start_at, end_at }),
        _ => "the window".to_owned(),
    };
    let adopted = if is_adopted(o) {
        " The run was already under way when this object came; nothing was sent twice."
    } else {
        ""
    };
    let warning = refused_by_the_receiver(o).map(|code| {
        format!(" The webhook's last answer was {code}, however: see at the receiver whether the events arrived.")
    });
    let warning = warning.unwrap_or_default();
    let shortened = o.submission().map(|s| shortened(o, s.window)).unwrap_or_default();
    let missing = left_out(o, job);
    format!("Konnect reported completed for {window}.{missing}{adopted}{shortened}{warning}")
}

/// The webhook's last answer, if it was no success and can be an answer to this run.
fn refused_by_the_receiver(o: &Observed) -> Option<i32> {
    let status = o.learned.webhook.as_ref()?.what.status.as_ref()?;
    let code = status.last_response_code.filter(|code| !delivery::is_success(*code))?;
    let began = o.status().start_time.unwrap_or(o.clock.wall);
    delivery::is_since(status.last_attempt_at, began).then_some(code)
}

/// What to say where Konnect rounded the window so that part of what was sent is not in it.
fn left_out(o: &Observed, job: &RemoteJob) -> String {
    let Some((sent, shown)) = o.submission().map(|s| s.window).zip(window::of_remote(job)) else {
        return String::new();
    };
    if window::contains(shown, sent) {
        return String::new();
    }
    format!(" That is not all of {}, which was sent: Konnect changed the window.", window::span(sent))
}

fn is_adopted(o: &Observed) -> bool {
    o.submission().is_some_and(|s| s.state == SubmissionState::Adopted)
}

fn described(job: &RemoteJob) -> String {
    match (job.start_at, job.end_at) {
        (Some(start_at), Some(end_at)) => format!("{}, {}", window::span(TimeRange { start_at, end_at }), job.status),
        _ if job.status.as_str().is_empty() => "no window and no status".to_owned(),
        _ => format!("status {}", job.status),
    }
}
