//! The rules that the schema can tell of a spec, in words and in code: the CRD has them as CEL, and who checks before sending
//! anything to a cluster has them here, with the very same words. A test compares the two at a real API server.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};

use super::spec::{AuditLogReplayJobSpec, Scope, SecretKeyRef, Target, WindowSpec};

pub(super) const REGION: &str = "region is the two lower-case letters of a Konnect region, such as eu; global serves no replay, so name the region itself";
pub(super) const PORTAL_ID: &str =
    "portalID is a UUID in lower case with dashes, such as 6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10";
pub(super) const PORTAL_ID_REQUIRED: &str =
    "portalID is required with scope Portal: give the id of the Dev Portal, or set scope to Organization";
pub(super) const PORTAL_ID_FORBIDDEN: &str =
    "portalID is not allowed with scope Organization: remove it, or set scope to Portal";
pub(super) const ORDER: &str = "endAt is before startAt: exchange them or correct one";
pub(super) const LENGTH: &str = "the window is longer than 7 days (168h), which is all that Konnect keeps: make it shorter, or create several objects";
pub(super) const YEARS: &str = "the years of a window lie between 2020 and 2099: correct startAt or endAt";
pub(super) const SECRET_NAME: &str = "the name of a Secret has lower-case letters, digits, dashes and dots only: give the name of a Secret in this namespace";
pub(super) const SECRET_KEY: &str = "a key of a Secret has letters, digits, dashes, dots and underscores only";
pub(super) const TIME_TO_LIVE: &str = "ttlSecondsAfterFinished is at least 60, so that a client that waits for the end can see it: give 60 or more, or leave it out to keep the object";
/// The shortest time to live.
const SHORTEST_LIFE: u32 = 60;
/// What a time of `spec` must look like, in the words of the API server and of the plugin.
pub(crate) const TIME: &str =
    "a time is RFC 3339 with a T, seconds and its zone: write it as 2026-11-20T08:00:00Z or 2026-11-20T09:00:00+01:00";
/// A time of `spec`: RFC 3339 with upper-case letters and at most nine digits of a fraction. Only 29 February needs more than this.
const TIME_PATTERN: &str = "^[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

/// A rule that a spec breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, as the API server names it.
    pub field: &'static str,
    /// What is wrong and what to do, as the API server says it.
    pub message: &'static str,
}

/// The rules of the schema that `spec` breaks; those on changes need an older version and are left to the API server.
pub fn violations(spec: &AuditLogReplayJobSpec) -> Vec<Violation> {
    let broken = target(&spec.target).into_iter().chain(window(&spec.window)).chain(secret(&spec.token_secret_ref));
    let broken = broken.chain([time_to_live(spec.ttl_seconds_after_finished)]);
    broken.filter(|(broken, _, _)| *broken).map(|(_, field, message)| Violation { field, message }).collect()
}

/// The CEL rule of a time of `spec`. The schema gives it no `format`: the API server would answer with that alone, and without an example.
pub(super) fn is_time() -> String {
    format!("self.matches('{TIME_PATTERN}') && timestamp(self).getFullYear() >= 0")
}

/// A CEL rule of a window. It says nothing of times that [`is_time`] refuses.
pub(super) fn of_times(rule: &str) -> String {
    format!("![self.startAt, self.endAt].all(time, time.matches('{TIME_PATTERN}')) || ({rule})")
}

/// A time as `spec` has it; the same times that [`is_time`] takes.
pub(crate) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b"-+:.TZ".contains(&b));
    let fraction = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    let time = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    let is_leap_second = time.nanosecond() >= 1_000_000_000;
    (is_plain && text.as_bytes().get(10) == Some(&b'T') && fraction <= 9 && !is_leap_second).then_some(time)
}

type Rule = (bool, &'static str, &'static str);

fn target(target: &Target) -> Vec<Rule> {
    let id = target.portal_id.as_deref();
    let is_region = target.region.len() == 2 && target.region.bytes().all(|b| b.is_ascii_lowercase());
    vec![
        (!is_region, "spec.target.region", REGION),
        (id.is_some_and(|id| !is_canonical_uuid(id)), "spec.target.portalID", PORTAL_ID),
        (target.scope == Scope::Portal && id.is_none(), "spec.target.portalID", PORTAL_ID_REQUIRED),
        (target.scope == Scope::Organization && id.is_some(), "spec.target.portalID", PORTAL_ID_FORBIDDEN),
    ]
}

fn window(window: &WindowSpec) -> Vec<Rule> {
    let (start, end) = (instant(&window.start_at), instant(&window.end_at));
    let mut rules = vec![(start.is_none(), "spec.window.startAt", TIME), (end.is_none(), "spec.window.endAt", TIME)];
    if let Some((start, end)) = start.zip(end) {
        rules.push((end < start, "spec.window.endAt", ORDER));
        rules.push((end - start > TimeDelta::hours(168), "spec.window", LENGTH));
        rules.push((start.year() < 2020 || end.year() > 2099, "spec.window", YEARS));
    }
    rules
}

fn secret(secret: &SecretKeyRef) -> Vec<Rule> {
    let is_label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_key = |key: &str| {
        !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    };
    vec![
        (!secret.name.split('.').all(is_label), "spec.tokenSecretRef.name", SECRET_NAME),
        (!is_key(&secret.key), "spec.tokenSecretRef.key", SECRET_KEY),
    ]
}

fn time_to_live(seconds: Option<u32>) -> Rule {
    (seconds.is_some_and(|seconds| seconds < SHORTEST_LIFE), "spec.ttlSecondsAfterFinished", TIME_TO_LIVE)
}

/// One spelling only: the id enters a URL path, and another spelling would be another target to the lock.
pub(crate) fn is_canonical_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok_and(|id| id.hyphenated().to_string() == text)
}
