//! Any state at all: whatever stands in the object, was learned or is remembered, the answer is safe and settles.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::fixtures::*;
use super::konnect::{deliveries, webhook};
use crate::api::{
    ApiVersion, AuditLogReplayJob, AuditLogReplayJobStatus, Condition, ConditionStatus, ConditionType, DuplicatePolicy,
    ExpiryPolicy, KonnectApiVersion, KonnectJob, MAX_MESSAGE_CHARS, Retries, Submission, SubmissionState, TimeRange,
    WindowSpec,
};
use crate::konnect::{CallError, Reading, RemoteJob, TokenError};
use crate::replay::next;
use crate::replay::{
    Clock, Draw, Learned, Memory, Observed, PutAnswer, Seen, Spec, Step, TokenProblem, Turn, VersionChoice,
    WebhookReading,
};

fn clock() -> Clock {
    Clock { wall: at(NOW), mono: secs(100_000) }
}

fn ago(seconds: i64) -> Clock {
    let now = clock();
    let mono = now.mono.as_secs().saturating_add_signed(-seconds);
    Clock { wall: now.wall - TimeDelta::seconds(seconds), mono: secs(mono) }
}

fn window() -> impl Strategy<Value = TimeRange> {
    prop_oneof![
        3 => Just(our_window()),
        1 => Just(TimeRange { end_at: our_window().end_at + TimeDelta::seconds(1), ..our_window() }),
        1 => Just(their_window()),
    ]
}

fn remote_job() -> impl Strategy<Value = RemoteJob> {
    let word =
        prop::sample::select(vec!["unconfigured", "accepted", "pending", "running", "completed", "failed", "odd", ""]);
    (word, window(), any::<bool>(), any::<bool>()).prop_map(|(word, window, start, updated)| RemoteJob {
        status: word.to_owned().into(),
        start_at: start.then_some(window.start_at),
        end_at: start.then_some(window.end_at),
        updated_at: updated.then(|| at("2026-11-21T11:30:00Z")),
    })
}

fn konnect_job() -> impl Strategy<Value = KonnectJob> {
    remote_job().prop_map(|job| KonnectJob {
        status: job.status,
        start_at: job.start_at,
        end_at: job.end_at,
        updated_at: job.updated_at,
        observed_time: at("2026-11-21T11:30:00Z"),
    })
}

fn error() -> impl Strategy<Value = CallError> {
    let status = prop::sample::select(vec![301, 400, 401, 403, 404, 409, 413, 429, 500]).prop_map(api);
    prop_oneof![4 => status, 1 => Just(no_connection()), 1 => Just(no_answer()), 1 => Just(html())]
}

fn submission() -> impl Strategy<Value = Submission> {
    let state = prop::sample::select(vec![
        "Intended",
        "Intended",
        "Accepted",
        "Accepted",
        "Adopted",
        "NotTaken",
        "NotShown",
        "Failed",
        "Superseded",
        "EndedUnseen",
        "Odd",
    ]);
    let read = prop::option::of(prop::sample::select(vec!["accepted", "running", "odd"]));
    let kept = || prop::option::of(konnect_job());
    (state, window(), kept(), kept(), read).prop_map(|(state, window, accepted, previous, read)| Submission {
        id: "standing".to_owned(),
        attempt: 1,
        state: SubmissionState::from(state.to_owned()),
        window,
        intent_time: at("2026-11-21T11:30:00Z"),
        accepted_time: accepted.as_ref().map(|_| at("2026-11-21T11:30:00Z")),
        accepted,
        last_read: read.map(|word| word.to_owned().into()),
        end_time: None,
        webhook: None,
        previous,
    })
}

fn retries() -> impl Strategy<Value = Retries> {
    (0..8u32, 0..12u32, 0..3u32, prop::option::of(-100..5000i64), any::<bool>()).prop_map(
        |(failed, superseded, ended_unseen, next, requested)| Retries {
            failed,
            superseded,
            ended_unseen,
            not_taken: failed,
            not_shown: ended_unseen,
            next_time: next.map(|seconds| at("2026-11-21T12:00:00Z") + TimeDelta::seconds(seconds)),
            requested_at: requested.then(|| "now".to_owned()),
        },
    )
}

fn version() -> impl Strategy<Value = (KonnectApiVersion, Option<ApiVersion>)> {
    use KonnectApiVersion::{Auto, V2, V3};
    (
        prop::sample::select(vec![Auto, V2, V3]),
        prop::option::of(prop::sample::select(vec![ApiVersion::V2, ApiVersion::V3])),
    )
}

fn deadline() -> impl Strategy<Value = Option<u32>> {
    prop::option::of(prop::sample::select(vec![1, 600, 100_000, 31_536_000]))
}

fn condition() -> impl Strategy<Value = Condition> {
    let type_ = prop::sample::select(ConditionType::ORDER[3..].to_vec());
    let status = prop::sample::select(vec![ConditionStatus::True, ConditionStatus::False, ConditionStatus::Unknown]);
    let reason = prop::sample::select(vec!["BlockedByRemoteJob", "Suspended", "KonnectUnavailable", "Running", "Odd"]);
    (type_, status, reason, 0..1200i64).prop_map(|(type_, status, reason, age)| Condition {
        type_,
        status,
        observed_generation: Some(1),
        last_transition_time: at("2026-11-21T12:00:00Z") - TimeDelta::seconds(age),
        reason: reason.to_owned(),
        message: "As it was.".to_owned(),
    })
}

prop_compose! {
    fn object()(
        suspend in any::<bool>(),
        start in prop::sample::select(vec!["2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z", "2026-11-14T12:00:00Z", "2026-12-20T08:00:00Z", "odd"]),
        ignoring in any::<bool>(),
        observed in -1..3i64,
        conditions in prop::collection::vec(condition(), 0..6),
        submission in prop::option::of(submission()),
        konnect in prop::option::of(konnect_job()),
        retries in prop::option::of(retries()),
        policies in (any::<bool>(), any::<bool>(), 0..3u32),
        deadlines in (deadline(), deadline(), any::<bool>()),
        (asked, found) in version(),
    ) -> AuditLogReplayJob {
        let mut job = if ignoring { job().ignoring_the_webhook().build() } else { job().build() };
        job.spec.duplicate_policy = if policies.0 { DuplicatePolicy::Skip } else { DuplicatePolicy::Replay };
        job.spec.expiry_policy = if policies.1 { ExpiryPolicy::Clamp } else { ExpiryPolicy::Fail };
        job.spec.backoff_limit = policies.2;
        job.spec.target.konnect_api_version = asked;
        (job.spec.starting_deadline_seconds, job.spec.active_deadline_seconds) = (deadlines.0, deadlines.1);
        let start_time = deadlines.2.then(|| at("2026-11-21T11:45:00Z"));
        let window = our_window();
        job.spec.window = match start {
            "2026-11-20T08:00:00Z" => WindowSpec::new(window.start_at, window.end_at),
            other => WindowSpec { start_at: other.to_owned(), end_at: other.to_owned() },
        };
        job.spec.suspend = suspend;
        let mut unique: Vec<Condition> = Vec::new();
        for condition in conditions {
            if unique.iter().all(|c| c.type_ != condition.type_) {
                unique.push(condition);
            }
        }
        let attempts = u32::from(submission.is_some());
        let status = AuditLogReplayJobStatus {
            observed_generation: observed, conditions: unique, submission: submission.map(Box::new), konnect, attempts, retries, start_time,
            konnect_api_version: found,
            ..AuditLogReplayJobStatus::default()
        };
        job.status = Some(status);
        job
    }
}

prop_compose! {
    fn learned()(
        turn in prop::option::of(prop::bool::weighted(0.8)),
        token in prop::option::of(prop::bool::weighted(0.8)),
        config in prop::option::of(prop_oneof![any::<bool>().prop_map(|on| Ok(webhook(on))), error().prop_map(Err)]),
        remote in prop::option::of(prop_oneof![3 => remote_job().prop_map(Ok), 1 => error().prop_map(Err)]),
        ages in (-2..30i64, -2..30i64),
        skew in prop::option::of(-2000..2000i64),
        siblings in any::<bool>(),
        other in prop::option::of(result()),
    ) -> Learned {
        let date = skew.map(|s| clock().wall + TimeDelta::seconds(s));
        Learned {
            turn: turn.map(|ours| if ours { Turn::Ours } else { Turn::Behind { blocked_by: "other".to_owned() } }),
            token: token.map(|ok| if ok { Ok(()) } else { Err(TokenProblem::Invalid(TokenError::Empty)) }),
            webhook: config.map(|config| Seen {
                at: ago(ages.0),
                what: WebhookReading { config, status: Some(deliveries("active", 200)) },
            }),
            remote: remote.map(|job| Seen { at: ago(ages.1), what: job.map(|value| Reading { value, date }) }),
            other_version: other.map(|job| job.map(|value| Reading { value, date })),
            siblings: siblings.then(Vec::new),
            unstored: false,
        }
    }
}

/// What a process did with the standing submission, and read.
#[derive(Clone, Debug)]
enum Past {
    Seen(i64),
    Recorded(i64),
    Sending,
    Answered(Result<RemoteJob, CallError>),
    Read(Result<RemoteJob, CallError>),
    ReadOtherVersion(Result<RemoteJob, CallError>),
    Rested(u64),
}

fn result() -> impl Strategy<Value = Result<RemoteJob, CallError>> {
    prop_oneof![remote_job().prop_map(Ok), error().prop_map(Err)]
}

fn past() -> impl Strategy<Value = Past> {
    prop_oneof![
        (0..200i64).prop_map(Past::Seen),
        (0..20i64).prop_map(Past::Recorded),
        Just(Past::Sending),
        result().prop_map(Past::Answered),
        result().prop_map(Past::Read),
        result().prop_map(Past::ReadOtherVersion),
        (0..100u64).prop_map(Past::Rested),
    ]
}

fn memory(job: &AuditLogReplayJob, pasts: Vec<Past>) -> Memory {
    let mut memory = Memory::default();
    for past in pasts {
        match past {
            Past::Seen(age) => memory.see(job, ago(age)),
            Past::Recorded(age) => memory.intending("standing", ago(age)),
            Past::Sending => memory.sending("standing"),
            Past::Answered(result) => {
                let sent = job.status.as_ref().and_then(|status| status.submission.as_deref());
                if let Some(sent) = sent {
                    memory.answered("standing", ago(5), PutAnswer::new(sent, result));
                }
            }
            Past::Read(result) => memory.read_remote(result.as_ref(), (job, &Spec::of(job, &policy())), ago(20)),
            Past::ReadOtherVersion(result) => memory.read_other_version(result.as_ref()),
            Past::Rested(wait) => memory.rest(1, ago(50), secs(wait)),
        }
    }
    memory.see(job, clock());
    memory
}

fn ask(job: &AuditLogReplayJob, learned: &Learned, memory: &Memory) -> Step {
    let draw = Draw { jitter: 0.5, submission_id: "fresh".to_owned() };
    let (policy, clock) = (policy(), clock());
    let spec = Spec::of(job, &policy);
    next(&Observed { clock, policy: &policy, job, spec: &spec, learned, memory, draw: &draw })
}

fn assert_may_be_sent(job: &AuditLogReplayJob, learned: &Learned, id: &str, sent: TimeRange) {
    let submission = job.status.as_ref().unwrap().submission.as_ref().unwrap();
    assert_eq!((submission.id.as_str(), submission.window, &submission.state), (id, sent, &SubmissionState::Intended));
    assert!(!job.spec.suspend && learned.turn == Some(Turn::Ours) && learned.token == Some(Ok(())));
    let seen = learned.remote.as_ref().unwrap();
    let reading = seen.what.as_ref().unwrap();
    assert!(!reading.value.status.is_busy() && ago(10).mono <= seen.at.mono && ago(10).wall <= seen.at.wall);
    assert!(seen.at.wall <= clock().wall, "a reading from the future");
    assert_ne!(
        (reading.value.start_at, reading.value.end_at),
        (Some(sent.start_at), Some(sent.end_at)),
        "not distinct"
    );
}

fn assert_well_said(status: &AuditLogReplayJobStatus) {
    let on = |t: &ConditionType| super::invariants::is_true(status, t);
    assert!(!(on(&ConditionType::Complete) && on(&ConditionType::Failed)));
    assert!(!(on(&ConditionType::Reconciling) && on(&ConditionType::Stalled)));
    assert!(status.conditions.iter().all(|c| c.message.chars().count() <= MAX_MESSAGE_CHARS));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_safe_and_every_write_settles(
        mut job in object(),
        mut learned in learned(),
        pasts in prop::collection::vec(past(), 0..8),
    ) {
        let mut memory = memory(&job, pasts);
        let mut step = ask(&job, &learned, &memory);
        // One more than the object needs: an end that was not counted is counted first.
        for _ in 0..5 {
            let _ = crate::replay::reserves(&job, &memory, clock().mono);
            let (status, intent) = match &step {
                Step::Submit { id, window } => {
                    assert_may_be_sent(&job, &learned, id, *window);
                    return Ok(());
                }
                Step::WriteStatus(status) => (status.clone(), false),
                Step::WriteIntent(status) => (status.clone(), true),
                _ => return Ok(()),
            };
            if intent {
                memory.intending("fresh", clock());
            } else {
                assert_well_said(&status);
            }
            let before = VersionChoice::of(&job).asked_first();
            job.status = Some(*status.clone());
            if VersionChoice::of(&job).asked_first() != before {
                learned.forget_konnect();
            }
            memory.conflicts_recorded();
            step = ask(&job, &learned, &memory);
            let writes = matches!(step, Step::WriteStatus(_) | Step::WriteIntent(_));
            prop_assert!(!writes || (!intent && may_follow(&status)), "{status:?}\nand then\n{step:?}");
            prop_assert_eq!(intent, matches!(step, Step::Submit { .. }));
        }
        prop_assert!(false, "never settles: {step:?}");
    }
}

/// What is known may already be enough for the next state: after a first visit, or when a run was just found to be ours.
fn may_follow(status: &AuditLogReplayJobStatus) -> bool {
    let reason = super::invariants::condition(status, &ConditionType::Ready).map(|c| c.reason.clone());
    matches!(
        reason.as_deref(),
        Some(
            "Pending"
                | "Accepted"
                | "RemotePending"
                | "Running"
                | "RemoteStateUnknown"
                | "Adopted"
                | "RemoteFailed"
                | "Superseded"
                | "NotTaken"
        )
    )
}
