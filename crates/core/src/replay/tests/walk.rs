//! Random lives: whatever happens in whatever order, the invariants that the driver checks hold, no run is doubled, and the
//! object comes to an end, or says what is wrong, once the world works again.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::fixtures::*;
use super::konnect::{Konnect, Put, webhook};
use super::story::{Death, Story, story};
use crate::api::ConditionType;
use crate::konnect::{CallError, TokenError};
use crate::replay::{Step, TokenProblem, Turn};

/// Something that happens to an object, its operator or its Konnect.
#[derive(Clone, Debug)]
enum Event {
    Sleep(u64),
    Wait,
    Token(Option<TokenProblem>),
    Webhook(Result<bool, CallError>),
    Get(Option<CallError>),
    Put(Put),
    Turn(bool),
    Suspend(bool),
    Restart,
    Die(Death),
    Pause(u64, i64),
    Lag(i64),
    PutTakes(u64),
    WritesTake(u64),
    /// Konnect's job goes on to this word, if it is under way.
    Konnect(&'static str),
    /// Somebody else asks for a replay, of our window or of another.
    Outsider(bool),
    /// The user asks for a try now.
    Request(u32),
    /// The user sets both deadlines, or takes them away.
    Deadline(Option<u32>),
}

fn error() -> impl Strategy<Value = CallError> {
    prop_oneof![
        prop::sample::select(vec![301, 401, 403, 404, 408, 409, 413, 500, 502, 504]).prop_map(api),
        Just(slow_down(None)),
        Just(slow_down(Some(0))),
        Just(no_connection()),
        Just(no_answer()),
        Just(html()),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let problem = prop::sample::select(vec![TokenProblem::SecretNotFound, TokenProblem::Invalid(TokenError::Empty)]);
    prop_oneof![
        6 => Just(Event::Wait),
        3 => (1..1200u64).prop_map(Event::Sleep),
        1 => prop::option::of(problem).prop_map(Event::Token),
        1 => prop_oneof![any::<bool>().prop_map(Ok), error().prop_map(Err)].prop_map(Event::Webhook),
        2 => prop::option::of(error()).prop_map(Event::Get),
        3 => prop_oneof![error().prop_map(Put::Refused), error().prop_map(Put::TakenBut), Just(Put::Taken)].prop_map(Event::Put),
        1 => any::<bool>().prop_map(Event::Turn),
        1 => any::<bool>().prop_map(Event::Suspend),
        1 => Just(Event::Restart),
        1 => prop_oneof![Just(Death::BeforePut), Just(Death::AfterPut)].prop_map(Event::Die),
        1 => (0..300u64, -300..300i64).prop_map(|(mono, wall)| Event::Pause(mono, wall)),
        1 => (0..30i64).prop_map(Event::Lag),
        1 => (0..30u64).prop_map(Event::PutTakes),
        1 => (0..12u64).prop_map(Event::WritesTake),
        2 => prop::sample::select(vec!["pending", "running", "paused", "completed", "failed"]).prop_map(Event::Konnect),
        2 => any::<bool>().prop_map(Event::Outsider),
        1 => (0..3u32).prop_map(Event::Request),
        1 => prop::option::of(60..40_000u32).prop_map(Event::Deadline),
    ]
}

/// An answer that no PUT is given if it was taken.
fn certainly_refused(error: &CallError) -> bool {
    error.certainty() == crate::konnect::Certainty::NotTaken
}

fn apply(s: &mut Story, event: Event) {
    match event {
        Event::Sleep(time) => s.sleep(secs(time)).single_pass(),
        Event::Wait => {
            let time = s.next_pass_in().unwrap_or(secs(1));
            s.sleep(time).single_pass();
        }
        Event::Token(problem) => s.token = problem.map_or(Ok(()), Err),
        Event::Webhook(state) => s.konnect.webhook = state.map(webhook),
        Event::Get(fails) => s.konnect.get_fails = fails,
        Event::Put(Put::TakenBut(error)) if certainly_refused(&error) => s.konnect.every_put = Put::Refused(error),
        Event::Put(answer) => s.konnect.every_put = answer,
        Event::Turn(ours) => {
            s.turn = (!ours).then(|| Turn::Behind { blocked_by: "other".to_owned() });
        }
        Event::Suspend(on) => s.suspend(on),
        Event::Restart => s.restart().single_pass(),
        Event::Die(death) => {
            s.dies = Some(death);
            s.single_pass();
            s.restart();
        }
        Event::Pause(mono, wall) => s.pause_after_intent = Some((secs(mono), TimeDelta::seconds(wall))),
        Event::Lag(seconds) => s.konnect.lag = TimeDelta::seconds(seconds),
        Event::PutTakes(seconds) => s.konnect.put_takes = secs(seconds),
        Event::WritesTake(seconds) => s.write_takes = secs(seconds),
        Event::Konnect(word) => go_on(&mut s.konnect, word, s.clock.wall),
        Event::Outsider(same) => outsider(s, same),
        Event::Request(value) => {
            s.annotate(&value.to_string());
            s.single_pass();
        }
        Event::Deadline(seconds) => s.set_deadlines(seconds),
    }
}

fn go_on(konnect: &mut Konnect, word: &str, now: chrono::DateTime<chrono::Utc>) {
    if konnect.job.status.is_busy() {
        konnect.job.status = word.to_owned().into();
        konnect.job.updated_at = Some(now);
    }
}

/// Whatever is not running can be replaced, ours too (Q1); a run that runs refuses it.
fn outsider(s: &mut Story, same: bool) {
    if s.konnect.job.status.as_str() != "running" {
        s.konnect.job = if same { ours("accepted") } else { strangers("accepted") };
        s.konnect.job.updated_at = Some(s.clock.wall);
        s.konnect.mine = false;
    }
}

fn world_is_mended(s: &mut Story) {
    s.restart();
    let Konnect { job, mine, doubled, begun, .. } = std::mem::replace(&mut s.konnect, Konnect::idle());
    s.konnect = Konnect { job, mine, doubled, begun, ..Konnect::idle() };
    (s.token, s.turn, s.write_takes, s.pause_after_intent) = (Ok(()), None, secs(0), None);
    s.suspend(false);
    s.single_pass();
}

fn comes_to_an_end(s: &mut Story) {
    for _ in 0..300 {
        if s.is(&ConditionType::Finished) {
            return;
        }
        go_on(&mut s.konnect, "completed", s.clock.wall);
        let Step::Wait { wait, .. } = s.last else { panic!("{:?} and {:?}", s.last, s.ready()) };
        s.sleep(wait).single_pass();
    }
    panic!("no end: {:?}", s.ready());
}

/// Invariant I1: within the assumptions, a run of ours is repeated only if it failed or another took its place, and only so often.
fn nothing_is_doubled(s: &Story) {
    assert_eq!(s.konnect.doubled, 0, "begun again: {:?}", s.puts);
    let retries = s.status().retries.unwrap_or_default();
    assert!(retries.failed <= 7 && retries.superseded <= 11 && retries.ended_unseen <= 2, "{retries:?}");
    assert!(s.konnect.begun <= 1 + 6 + 10 + 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_doubled_and_every_life_comes_to_an_end(
        ignoring in any::<bool>(),
        replaying in any::<bool>(),
        seen in any::<bool>(),
        jitter in 0.0..1.0f64,
        events in prop::collection::vec(event(), 1..80),
    ) {
        let builder = if ignoring { job().ignoring_the_webhook() } else { job() };
        let mut s = story(if replaying { builder.replaying() } else { builder });
        s.jitter = jitter;
        s.konnect.job = if seen { ours("completed") } else { theirs("completed") };
        for event in events {
            apply(&mut s, event);
            nothing_is_doubled(&s);
        }
        world_is_mended(&mut s);
        comes_to_an_end(&mut s);
        nothing_is_doubled(&s);
    }
}
