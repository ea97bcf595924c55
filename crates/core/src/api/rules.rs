//! The rules that the schema can tell of a spec, in words and in code: the CRD has them as CEL, and who checks before sending
//! anything to a cluster has them here, with the very same words. A test compares the two at a real API server.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};

use super::spec::{AuditLogReplayJobSpec, Scope, SecretKeyRef, Target, WindowSpec};
use super::words::{
    LENGTH, ORDER, PORTAL_ID, PORTAL_ID_FORBIDDEN, PORTAL_ID_REQUIRED, REGION, SECRET_KEY, SECRET_NAME, TIME,
    TIME_TO_LIVE, YEARS,
};
/// The shortest time to live.
const SHORTEST_LIFE: u32 = 60;

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

/// A time as `spec` has it; the same times that the rules of the CRD take.
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
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
pub fn is_canonical_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok_and(|id| id.hyphenated().to_string() == text)
}
