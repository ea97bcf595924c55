//! The words: one reason and one message per situation. A message says what happened, what comes next and what to do, and
//! holds nothing that changes from one look to the next: no trace id, no "in 12 seconds".

use super::{phase, shows_no_window};
use crate::api::{Reason, Submission, SubmissionState, TimeRange};
use crate::konnect::{CallError, RemoteJob, RemoteStatus, TokenError, time};
use crate::replay::lanes::TroubleWith;
use crate::replay::observed::{Observed, TokenProblem};
use crate::replay::situation::Situation;

/// A window in words.
pub(in crate::replay) fn span(window: TimeRange) -> String {
    format!("{} to {}", time::format(window.start_at), time::format(window.end_at))
}

/// The state in one word.
pub(super) fn reason(o: &Observed, situation: &Situation) -> Reason {
    match situation {
        Situation::Pending | Situation::TakingOver => Reason::Pending,
        Situation::Queued { .. } | Situation::PassedOver { .. } => Reason::Queued,
        Situation::Unacceptable(refusal) => refusal.reason,
        Situation::Suspended => Reason::Suspended,
        Situation::WindowOpen { .. } => Reason::WaitingForWindowEnd,
        Situation::NoToken(_) | Situation::Denied(_) => Reason::WaitingForCredentials,
        Situation::NoWebhook => Reason::WaitingForWebhook,
        Situation::UnknownPortal => Reason::PortalNotFound,
        Situation::RateLimited => Reason::RateLimited,
        Situation::Unavailable(_) => Reason::KonnectUnavailable,
        Situation::Blocked { .. } => Reason::BlockedByRemoteJob,
        Situation::Intended(_) | Situation::InDoubt { .. } => Reason::Submitting,
        Situation::Underway { submission, job } => phase(submission, job.as_ref()),
        Situation::Astray { now, .. } if shows_no_window(now) => Reason::RemoteStateUnknown,
        Situation::Astray { ended_unseen: true, .. } => Reason::RemoteStateUnknown,
        Situation::Astray { ended_unseen: false, .. } => Reason::Superseded,
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
        Situation::PassedOver { blocked_by, with } => passed_over(blocked_by, with),
        Situation::Unacceptable(refusal) => refusal.message.clone(),
        Situation::Suspended => suspended(o),
        Situation::WindowOpen { until } => format!(
            "The window ends in the future, or its last events may still be on their way to Konnect. It is sent after {}.",
            time::format(*until)
        ),
        Situation::NoToken(problem) => no_token(o, problem),
        Situation::Denied(error) => denied(error),
        Situation::NoWebhook => no_webhook(o),
        Situation::UnknownPortal => unknown_portal(o),
        Situation::RateLimited => {
            "Konnect asked us to slow down (429). The next call is made when it said, or after 15 s.".to_owned()
        }
        Situation::Unavailable(error) => unavailable(o, error),
        Situation::Blocked { by } => blocked(by.as_ref()),
        Situation::Intended(submission) => format!("Asking Konnect to replay {}.", span(submission.window)),
        Situation::InDoubt { why } => in_doubt(why.as_deref()),
        Situation::Underway { submission, job } => under_way(o, submission, job.as_ref()),
        Situation::Astray { now, ended_unseen } => astray(now, *ended_unseen),
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

fn passed_over(blocked_by: &str, with: &TroubleWith) -> String {
    let trouble = match with {
        TroubleWith::Secret(secret) => format!("the token in Secret {:?} cannot be used", secret.name),
        TroubleWith::Target(_) => "its target is not known at Konnect, or has no enabled webhook".to_owned(),
        TroubleWith::Region(_) => "Konnect cannot be used in this region".to_owned(),
    };
    format!(
        "Nothing is asked for this object meanwhile: {trouble}, which {} waits for; its message says more. This one goes on when that \
         is mended.",
        other_job(blocked_by)
    )
}

fn queued(blocked_by: Option<&str>) -> String {
    let who = blocked_by.map_or_else(|| "others of the same region and token".to_owned(), other_job);
    format!("Waiting for {who}: Konnect runs one replay at a time. This one is sent when its turn comes.")
}

fn suspended(o: &Observed) -> String {
    let sent = o.submission().is_some();
    let so_far = if sent { "The last request was not taken by Konnect." } else { "Nothing has been sent." };
    format!(
        "spec.suspend is true. {so_far} Set it to false to go on; Konnect deletes events that are older than its retention meanwhile."
    )
}

fn no_token(o: &Observed, problem: &TokenProblem) -> String {
    let reference = &o.job.spec.token_secret_ref;
    let (name, key) = (&reference.name, &reference.key);
    match problem {
        TokenProblem::SecretNotFound => format!(
            "Secret {name:?} does not exist in this namespace. Create it with the Konnect token under the key {key:?}, or correct \
             spec.tokenSecretRef."
        ),
        TokenProblem::SecretUnreadable(why) => {
            format!(
                "Secret {name:?} cannot be read ({why}). The operator needs the verb get on Secrets in this namespace."
            )
        }
        TokenProblem::KeyMissing => {
            format!(
                "Secret {name:?} has no key {key:?}. Add the Konnect token under that key, or correct spec.tokenSecretRef.key."
            )
        }
        TokenProblem::Invalid(error @ TokenError::WrongPrefix) => format!(
            "The value of key {key:?} in Secret {name:?} is not used: {error} (kpat_ or spat_, see --token-prefixes). It was not sent \
             anywhere."
        ),
        TokenProblem::Invalid(error @ (TokenError::Empty | TokenError::IllegalCharacters)) => {
            format!(
                "The value of key {key:?} in Secret {name:?} cannot be a Konnect token: {error}. Put the token, and nothing else, under that key."
            )
        }
    }
}

fn denied(error: &CallError) -> String {
    if error.status() == Some(403) && error.to_string().to_lowercase().contains("quota") {
        format!(
            "{error}. That is no matter of roles: see the quota of the account at Konnect. It is tried again by itself."
        )
    } else if error.status() == Some(403) {
        format!(
            "{error}. Give the token's account the role Audit Log Admin, or use another token; a new role can take a while to work."
        )
    } else {
        format!(
            "{error}. The token has expired, was revoked, or belongs elsewhere: put a new one into the Secret. It is read anew at each try."
        )
    }
}

fn no_webhook(o: &Observed) -> String {
    let unreadable = o.learned.webhook.as_ref().and_then(|seen| seen.what.config.as_ref().err());
    match unreadable {
        Some(error) if error.status() != Some(404) => format!(
            "The webhook cannot be looked at ({error}). If this lasts for 10 minutes, the replay is sent nevertheless; with \
             webhookPolicy Ignore it does not wait."
        ),
        _ => "Konnect has no enabled audit-log webhook for this target, so a replay would go nowhere. Enable it in Konnect; the job goes \
              on by itself. With webhookPolicy Ignore it does not wait."
            .to_owned(),
    }
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

fn unknown_portal(o: &Observed) -> String {
    let target = &o.job.spec.target;
    match &target.portal_id {
        Some(id) => format!(
            "Konnect does not know portal {id} in region {} for this token (404). See that id, region and organisation fit together; \
             some portals are found under target.konnectAPIVersion v3 only.",
            target.region
        ),
        None => format!("Konnect does not know the organisation's replay job in region {} (404).", target.region),
    }
}

fn unavailable(o: &Observed, error: &CallError) -> String {
    let next = match o.submission().map(|s| &s.state) {
        Some(SubmissionState::Accepted | SubmissionState::Adopted) => {
            "The run at Konnect goes on; it is looked at again soon."
        }
        Some(SubmissionState::Intended | SubmissionState::Unknown(_)) | None => "It is tried again soon.",
    };
    let hint = match error.status() {
        Some(300..400) => " Redirects are not followed: see that --konnect-url is Konnect's own address.",
        Some(400) => {
            " An end of the window lies so near to a limit of Konnect's that two clocks may disagree about it."
        }
        Some(413) => {
            " Something between here and Konnect refuses the request for its size, which is below 1 KiB: see the proxy."
        }
        _ => "",
    };
    format!("{error}.{hint} {next}")
}

fn blocked(by: Option<&RemoteJob>) -> String {
    let next = "This window is sent when that is over; nobody else's job is overwritten.";
    match by {
        None => format!("Konnect refused the request because another replay is under way in this region (409). {next}"),
        Some(job) if !job.status.is_busy() => format!(
            "Another replay job of this target has just ended ({}). Its owner gets a moment to see that, then this window is sent.",
            described(job)
        ),
        Some(job) => format!("Konnect has another replay job for this target ({}). {next}", described(job)),
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
    let state = match job.map(|j| &j.status) {
        Some(RemoteStatus::Pending) => "has scheduled".to_owned(),
        Some(RemoteStatus::Running) => "is sending".to_owned(),
        Some(RemoteStatus::Unknown(word)) => {
            return format!(
                "Konnect says {word:?} of the replay of {}, a word this version does not know. It counts as under way.",
                span(submission.window)
            );
        }
        _ => "has accepted".to_owned(),
    };
    if submission.state == SubmissionState::Adopted && matches!(job.map(|j| &j.status), Some(RemoteStatus::Accepted)) {
        return format!(
            "Konnect was replaying {} already when this object came. That run is followed; nothing is sent.",
            span(submission.window)
        );
    }
    let suspended = if o.job.spec.suspend { " spec.suspend does not stop it: Konnect cannot stop a run." } else { "" };
    format!("Konnect {state} the replay of {}.{suspended}", span(submission.window))
}

fn astray(now: &RemoteJob, ended_unseen: bool) -> String {
    if shows_no_window(now) {
        return format!(
            "What Konnect answers about the replay job shows no window ({}), so this run cannot be told from another. Nothing is sent \
             again; it is looked at again soon.",
            described(now)
        );
    }
    let ours = if ended_unseen {
        "This one was running when it was last seen, so it has ended, but whether it completed was not seen"
    } else {
        "It took the place of this one before that was seen to run, or this one was never taken"
    };
    format!(
        "Konnect has another replay job for this target now ({}). {ours}. Nothing is sent again by itself: see at the receiver what \
         arrived, then create another AuditLogReplayJob for what is missing.",
        described(now)
    )
}

fn completed(o: &Observed, job: &RemoteJob) -> String {
    let window = match (job.start_at, job.end_at) {
        (Some(start_at), Some(end_at)) => span(TimeRange { start_at, end_at }),
        _ => "the window".to_owned(),
    };
    let adopted = if is_adopted(o) {
        " The run was already under way when this object came; nothing was sent twice."
    } else {
        ""
    };
    let code = o.learned.webhook.as_ref().and_then(|seen| seen.what.status.as_ref()).and_then(|s| s.last_response_code);
    let warning = match code {
        Some(code) if !(200..300).contains(&code) => {
            format!(" The webhook's last answer was {code}, however: see at the receiver whether the events arrived.")
        }
        _ => String::new(),
    };
    format!("Konnect reported completed for {window}.{adopted}{warning}")
}

fn is_adopted(o: &Observed) -> bool {
    o.submission().is_some_and(|s| s.state == SubmissionState::Adopted)
}

fn described(job: &RemoteJob) -> String {
    match (job.start_at, job.end_at) {
        (Some(start_at), Some(end_at)) => format!("{}, {}", span(TimeRange { start_at, end_at }), job.status),
        _ if job.status.as_str().is_empty() => "no window and no status".to_owned(),
        _ => format!("status {}", job.status),
    }
}
