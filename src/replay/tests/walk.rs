//! Random lives: whatever happens in whatever order, the invariants that the driver checks hold, one run is begun at most, and
//! the object comes to an end, or says what is wrong, once the world works again.

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
        2 => prop::sample::select(vec!["pending", "running", "paused", "completed"]).prop_map(Event::Konnect),
        1 => any::<bool>().prop_map(Event::Outsider),
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
            let time = if let Step::Wait { wait, .. } = s.last { wait } else { secs(1) };
            s.sleep(time).single_pass();
        }
        Event::Token(problem) => s.token = problem.map_or(Ok(()), Err),
        Event::Webhook(state) => s.konnect.webhook = state.map(webhook),
        Event::Get(fails) => s.konnect.get_fails = fails,
        Event::Put(Put::TakenBut(error)) if certainly_refused(&error) => s.konnect.every_put = Put::Refused(error),
        Event::Put(answer) => s.konnect.every_put = answer,
        Event::Turn(ours) => {
            s.turn = if ours { Turn::Ours } else { Turn::Behind { blocked_by: "other".to_owned() } };
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
    }
}

fn go_on(konnect: &mut Konnect, word: &str, now: chrono::DateTime<chrono::Utc>) {
    if konnect.job.status.is_busy() {
        konnect.job.status = word.to_owned().into();
        konnect.job.updated_at = Some(now);
    }
}

/// As long as none of our requests can be under way: between our GET and our PUT Konnect gives no means to exclude anybody.
fn outsider(s: &mut Story, same: bool) {
    if s.konnect.job.status.as_str() != "running" && s.konnect.begun == 0 {
        s.konnect.job = if same { ours("accepted") } else { strangers("accepted") };
        s.konnect.job.updated_at = Some(s.clock.wall);
    }
}

fn world_is_mended(s: &mut Story) {
    s.restart();
    let (job, begun) = (s.konnect.job.clone(), s.konnect.begun);
    s.konnect = Konnect { job, begun, ..Konnect::idle() };
    (s.token, s.turn, s.write_takes, s.pause_after_intent) = (Ok(()), Turn::Ours, secs(0), None);
    s.suspend(false);
    s.single_pass();
}

fn comes_to_an_end(s: &mut Story) {
    for _ in 0..60 {
        let astray =
            s.is(&ConditionType::Stalled) && ["Superseded", "RemoteStateUnknown"].contains(&s.reason().as_str());
        if s.is(&ConditionType::Finished) || astray {
            return;
        }
        go_on(&mut s.konnect, "completed", s.clock.wall);
        let Step::Wait { wait, .. } = s.last else { panic!("{:?} and {:?}", s.last, s.ready()) };
        s.sleep(wait).single_pass();
    }
    panic!("no end: {:?}", s.ready());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_run_is_begun_at_most_and_every_life_comes_to_an_end(
        ignoring in any::<bool>(),
        seen in any::<bool>(),
        jitter in 0.0..1.0f64,
        events in prop::collection::vec(event(), 1..80),
    ) {
        let mut s = story(if ignoring { job().ignoring_the_webhook() } else { job() });
        s.jitter = jitter;
        s.konnect.job = if seen { ours("completed") } else { theirs("completed") };
        for event in events {
            apply(&mut s, event);
            prop_assert!(s.konnect.begun <= 1, "begun twice");
        }
        world_is_mended(&mut s);
        comes_to_an_end(&mut s);
        prop_assert!(s.konnect.begun <= 1, "begun twice");
    }
}
