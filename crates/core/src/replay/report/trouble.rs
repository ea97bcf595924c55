//! The messages about what holds a request up until it is corrected.

use crate::api::{KonnectApiVersion, Scope, SubmissionState};
use crate::konnect::{CallError, TokenError};
use crate::replay::VersionChoice;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::token::TokenProblem;

pub(super) fn no_token(o: &Observed, problem: &TokenProblem) -> String {
    let reference = &o.job.spec.token_secret_ref;
    let (name, key) = (&reference.name, &reference.key);
    match problem {
        TokenProblem::SecretNotFound => format!(
            "Secret {name:?} does not exist in this namespace. Create it with the Konnect token under the key {key:?}, or correct \
             spec.tokenSecretRef."
        ),
        TokenProblem::SecretUnanswered(why) => format!(
            "Secret {name:?} could not be read: the API server did not answer, or failed ({why}). It is read again soon."
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
        TokenProblem::Invalid(error @ (TokenError::Empty | TokenError::IllegalCharacters | TokenError::TooLong)) => {
            format!(
                "The value of key {key:?} in Secret {name:?} cannot be a Konnect token: {error}. Put the token, and nothing else, under that key."
            )
        }
    }
}

pub(super) fn denied(error: &CallError) -> String {
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

pub(super) fn no_webhook(o: &Observed) -> String {
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

pub(super) fn unknown_portal(o: &Observed, under_other_version: Option<bool>) -> String {
    let target = &o.job.spec.target;
    let region = &target.region;
    let what = target.portal_id.as_deref().map_or_else(|| "the organisation".to_owned(), |id| format!("portal {id}"));
    let (choice, see) = (VersionChoice::of(o.job), what_to_see(o));
    let asked = choice.asked_first().as_str();
    let other = choice.asked_first().other().as_str();
    match (choice, under_other_version) {
        (VersionChoice::Settled(_), Some(true)) => {
            let why = match target.konnect_api_version {
                KonnectApiVersion::Auto => "The version that was found is kept for the life of an object",
                KonnectApiVersion::V2 | KonnectApiVersion::V3 => "A target cannot be changed",
            };
            format!(
                "Konnect does not know {what} in region {region} under {asked} of its API (404), but does under target.konnectAPIVersion \
                 {other}. {why}: create another AuditLogReplayJob with Auto, which finds the version, or with {other}."
            )
        }
        (VersionChoice::Settled(_), Some(false)) => format!(
            "Konnect does not know {what} in region {region} for this token (404). {see} target.konnectAPIVersion {other} does not find \
             it either."
        ),
        (VersionChoice::Open, Some(false)) => format!(
            "Konnect does not know {what} in region {region} for this token: v2 and v3 of its API were asked, and both answered 404. {see} \
             Both are asked again."
        ),
        (VersionChoice::Open, Some(true)) => format!(
            "Konnect does not know {what} in region {region} under {asked} of its API (404), and does not show the replay that was sent \
             under {other}. {see}"
        ),
        (VersionChoice::Settled(_) | VersionChoice::Open, None) => {
            format!(
                "Konnect does not know {what} in region {region} for this token under {asked} of its API (404). {see}"
            )
        }
    }
}

fn what_to_see(o: &Observed) -> &'static str {
    match o.job.spec.target.scope {
        Scope::Portal => "See that id, region and organisation fit together.",
        Scope::Organization => "See that region and organisation fit together.",
    }
}

pub(super) fn unavailable(o: &Observed, error: &CallError) -> String {
    let next = match o.submission().map(|s| &s.state) {
        Some(SubmissionState::Accepted | SubmissionState::Adopted) => {
            "The run at Konnect continues; the operator reads it again soon."
        }
        Some(_) | None => "It is tried again soon.",
    };
    let hint = match error.status() {
        Some(300..400) => " Redirects are not followed: see that --konnect-url is Konnect's own address.",
        Some(400) if o.was_refused() => {
            " An end of the window lies so near to a limit of Konnect's that two clocks may disagree about it."
        }
        Some(413) => {
            " Something between here and Konnect refuses the request for its size, which is below 1 KiB: see the proxy."
        }
        _ => "",
    };
    format!("{error}.{hint} {next}")
}
