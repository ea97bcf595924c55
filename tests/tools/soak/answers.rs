//! Trouble on the way to Konnect: a rule for one of the next calls.

use std::time::Duration;

use fastrand::Rng;
use konnect_emulator::{Action, Fault, PathKind, Reply, Scope, TargetKey};

/// Statuses that an answer may have. A 400 to a PUT is final by design, so it is rare.
const STATUSES: [u16; 16] = [401, 403, 404, 408, 409, 409, 413, 429, 429, 500, 500, 502, 502, 503, 504, 302];

/// A random rule: for one call or a few, on one portal, of one kind.
pub(crate) fn any(rng: &mut Rng, target: &TargetKey) -> (Fault, &'static str) {
    let (action, what) = action(rng);
    let mut fault = Fault::new(action).times(rng.u32(1..4));
    if let Scope::Portal(id) = &target.scope {
        fault = fault.portal(id);
    }
    fault = match rng.u8(..10) {
        0..4 => fault.method("PUT").path(PathKind::ReplayJob).times(1),
        4..8 => fault.method("GET").path(PathKind::ReplayJob),
        8 => fault.method("GET").path(PathKind::Webhook),
        _ => fault.method("GET"),
    };
    (fault, what)
}

fn action(rng: &mut Rng) -> (Action, &'static str) {
    let effect = rng.bool();
    match rng.u8(..12) {
        0..3 => (refusal(rng, false), "answers: a status"),
        3 => (refusal(rng, true), "answers: a status, after the effect"),
        4 => (rate_limit(rng), "answers: 429 with Retry-After"),
        5 => (Action::CutBefore, "answers: cut before the effect"),
        6 => (Action::CutAfter, "answers: cut after the effect"),
        7 => (Action::Hang, "answers: hang"),
        8 => (Action::Delay { time: Duration::from_millis(rng.u64(100..4500)) }, "answers: late"),
        9 => (odd(effect, "<html>sign in</html>", "text/html"), "answers: a page with 200"),
        10 => (odd(effect, r#"{"status":"runn"#, "application/json"), "answers: half a body"),
        _ => (slow_or_large(rng), "answers: slow or large body"),
    }
}

fn refusal(rng: &mut Rng, applied: bool) -> Action {
    // What was taken answers no refusal that says it was not: a proxy loses an answer, it does not lie.
    let status = if applied { 500 + rng.u16(2..5) } else { any_status(rng) };
    Action::Answer(Reply { status, applied, ..Reply::default() })
}

fn any_status(rng: &mut Rng) -> u16 {
    if rng.u8(..40) == 0 {
        return 400;
    }
    rng.choice(STATUSES).unwrap_or(500)
}

fn rate_limit(rng: &mut Rng) -> Action {
    Action::rate_limit(rng.choice([Some("0"), Some("1"), Some("3"), Some("soon"), None]).flatten())
}

fn odd(applied: bool, body: &str, content_type: &str) -> Action {
    let (body, content_type) = (Some(body.to_owned()), Some(content_type.to_owned()));
    Action::Answer(Reply { status: 200, body, content_type, headers: Vec::new(), applied })
}

fn slow_or_large(rng: &mut Rng) -> Action {
    if rng.bool() {
        Action::SlowBody { each: Duration::from_millis(rng.u64(1..200)) }
    } else {
        Action::LargeBody { bytes: rng.usize(60_000..200_000) }
    }
}
