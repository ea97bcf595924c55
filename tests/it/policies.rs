//! What the policies and limits of a job do, with the real binary.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use konnect_emulator::{Emit, Hold, Outage, PathKind, Q3, Receiver, ReceiverOptions, Status, Webhook, Window};
use konnect_replay_core::api::{ConditionType, DuplicatePolicy, ExpiryPolicy};

use crate::support::{JobBuilder, PATIENCE, World, condition, ready_reason, window_of};

/// Two jobs with the same window.
fn twins(world: &World) -> (JobBuilder, JobBuilder) {
    let now = Utc::now();
    let (start, end) = (now - TimeDelta::hours(3), now - TimeDelta::hours(2));
    (world.job("first").window(start, end), world.job("again").window(start, end))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_made_again_is_skipped_and_says_so() {
    let world = World::new().await;
    let (first, again) = twins(&world);
    let job = world.create(first).await;
    let lost = world.lose(&world.portal, &job, 2);
    world.wait_until_complete("first").await;

    world.create(again).await;
    let skipped = world.wait_until_complete("again").await;

    assert_eq!(condition(&skipped, &ConditionType::Complete).unwrap().reason, "AlreadyReplayed");
    assert_eq!((world.puts(), world.runs().len()), (1, 1));

    // Pruned by a GitOps tool and made again: no object is left that remembers, but Konnect's last job does.
    world.delete("first").await;
    world.delete("again").await;
    let window = window_of(&job);
    world.create(world.job("pruned").window(window.start_at, window.end_at)).await;
    let skipped = world.wait_until_complete("pruned").await;
    assert_eq!(ready_reason(&skipped), "AlreadyReplayed");
    assert_eq!(world.puts(), 1);
    world.received_once(&lost).await;
}

/// The receiver refused the events of the first run and was repaired since: its success today did not deliver them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_deliveries_failed_is_no_reason_to_skip() {
    let world = World::new().await;
    world.emulator.set_q3(Q3::HandedOver);
    let (first, again) = twins(&world);
    world.receiver.set_outage(Outage::Answer(403));
    let job = world.create(first).await;
    let lost = world.lose(&world.portal, &job, 2);
    let refused = world.wait_until_complete("first").await;
    assert!(condition(&refused, &ConditionType::Complete).unwrap().message.contains("last answer was 403"));
    world.receiver.set_outage(None);
    world.emulator.emit(&world.portal, Emit::now(1)).unwrap();
    world
        .at_konnect("a live delivery", |e| e.deliveries().iter().any(|d| d.response_code == Some(200)).then_some(()))
        .await;

    world.create(again).await;
    let sent = world.wait_until_complete("again").await;

    assert_eq!((ready_reason(&sent).as_str(), world.puts()), ("Completed", 2));
    let events = world.receiver.wait_for_events(lost.len() + 1, PATIENCE).await.unwrap();
    assert!(lost.iter().all(|id| events.iter().any(|event| event.trace_id == *id)));
}

/// The webhook points to another destination than at the first run: that has got nothing yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_went_to_another_destination_is_no_reason_to_skip() {
    let world = World::new().await;
    let (first, again) = twins(&world);
    let job = world.create(first).await;
    let lost = world.lose(&world.portal, &job, 2);
    world.wait_until_complete("first").await;
    world.received_once(&lost).await;
    let options = ReceiverOptions { jwks: Some(world.emulator.jwks()), ..ReceiverOptions::default() };
    let moved_to = Receiver::start(options).await.unwrap();
    world.emulator.set_webhook(&world.portal, Webhook::new(moved_to.url())).unwrap();
    world.emulator.emit(&world.portal, Emit::now(1)).unwrap();
    moved_to.wait_for_events(1, PATIENCE).await.unwrap();

    world.create(again).await;
    let sent = world.wait_until_complete("again").await;

    assert_eq!((ready_reason(&sent).as_str(), world.puts()), ("Completed", 2));
    let events = moved_to.wait_for_events(lost.len() + 1, PATIENCE).await.unwrap();
    assert!(lost.iter().all(|id| events.iter().any(|event| event.trace_id == *id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_that_are_near_and_share_no_second_are_both_sent() {
    let world = World::new().await;
    let start = Utc::now().trunc_subsecs(0) - TimeDelta::hours(3);
    let of = |name: &str, from: i64, to: i64| {
        world.job(name).window(start + TimeDelta::seconds(from), start + TimeDelta::seconds(to))
    };
    for (name, from, to) in [("first", 0, 10), ("next", 50, 60), ("wider", -50, 110)] {
        let job = world.create(of(name, from, to)).await;
        let lost = world.lose(&world.portal, &job, 1);
        assert_eq!(ready_reason(&world.wait_until_complete(name).await), "Completed", "{name}");
        world
            .at_konnect("its event", |_| world.receiver.events().iter().any(|e| e.trace_id == lost[0]).then_some(()))
            .await;
    }
    for (name, from, to) in [("within", -50, 60), ("the-same", -50, 110)] {
        world.create(of(name, from, to)).await;
        assert_eq!(ready_reason(&world.wait_until_complete(name).await), "AlreadyReplayed", "{name}");
    }
    // Each end is a second beyond what was sent.
    for (name, from, to) in [("begins-before", -51, 60), ("ends-after", 0, 111)] {
        world.create(of(name, from, to)).await;
        assert_eq!(ready_reason(&world.wait_until_complete(name).await), "Completed", "{name}");
    }
    assert_eq!(world.puts(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_replay_it_is_sent_once_more_under_a_window_of_its_own() {
    let world = World::new().await;
    let (first, again) = twins(&world);
    world.create(first).await;
    world.wait_until_complete("first").await;

    world.create(again.spec(|spec| spec.duplicate_policy = DuplicatePolicy::Replay)).await;
    world.wait_until_complete("again").await;

    let runs = world.runs();
    assert_eq!(runs.len(), 2);
    assert_ne!(runs[0].window, runs[1].window, "the window is the only key that Konnect gives");
    assert!((runs[1].window.end_at - runs[0].window.end_at).num_seconds() <= 59);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clamp_sends_what_is_left_and_says_what_is_not() {
    let world = World::builder().flag("--retention=2h").build().await;
    let now = Utc::now().trunc_subsecs(0);
    let (start, end) = (now - TimeDelta::hours(3), now - TimeDelta::hours(1));
    world.create(world.job("fails").window(start, end)).await;
    let failed = world.wait_until_failed("fails").await;
    assert_eq!(condition(&failed, &ConditionType::Failed).unwrap().reason, "WindowExpired");

    let clamped = world.job("clamped").window(start, end).spec(|spec| spec.expiry_policy = ExpiryPolicy::Clamp);
    world.create(clamped).await;
    let done = world.wait_until_complete("clamped").await;

    let run = &world.runs()[0];
    assert!(run.window.start_at > now - TimeDelta::hours(2) && run.window.end_at == end, "{run:?}");
    let planned = done.status.as_ref().unwrap().window.as_ref().unwrap();
    assert_eq!((planned.start_at, planned.clamped), (run.window.start_at, true));
    assert_eq!(world.runs().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_in_whose_place_another_stands_is_sent_again_after_its_spacing() {
    let world = World::builder().flag("--backoff-base=1s").build().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let job = world.create(world.job("pushed-aside")).await;
    world.wait_for_reason("pushed-aside", "Accepted").await;
    let now = Utc::now().trunc_subsecs(0);
    let theirs = Window::new(now - TimeDelta::hours(30), now - TimeDelta::hours(29));
    world.emulator.foreign_run(&world.portal, theirs).unwrap();
    world.wait_for_reason("pushed-aside", "Superseded").await;
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.emulator.advance(&world.portal, Status::Completed).unwrap();

    let done = world.wait_until_complete("pushed-aside").await.status.unwrap();

    let runs = world.runs();
    assert_eq!(runs.len(), 3, "ours, theirs, ours again: {runs:#?}");
    assert_eq!((runs[1].window, &runs[1].status), (theirs, &Status::Completed), "nobody else's job is overwritten");
    assert_eq!(runs[2].status, Status::Completed);
    assert!((runs[2].window.start_at - window_of(&job).start_at).num_seconds().abs() <= 59);
    assert_eq!(done.attempts, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ended_unseen_is_repeated_once() {
    let world = World::builder().flag("--backoff-base=1s").build().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("unseen")).await;
    world.wait_for_reason("unseen", "Accepted").await;
    world.emulator.advance(&world.portal, Status::Running).unwrap();
    world.wait_for_reason("unseen", "Running").await;
    let looking = world.emulator.hold(Hold::before().method("GET").path(PathKind::ReplayJob).times(1));
    world.emulator.wait_held(looking, PATIENCE).await.unwrap();
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    let now = Utc::now().trunc_subsecs(0);
    let theirs = Window::new(now - TimeDelta::hours(30), now - TimeDelta::hours(29));
    world.emulator.foreign_run(&world.portal, theirs).unwrap();
    world.emulator.release(looking).unwrap();

    world.wait_for_reason("unseen", "RemoteStateUnknown").await;
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    world.wait_until_complete("unseen").await;

    assert_eq!(world.runs().len(), 3, "ours, theirs, ours once more: {:#?}", world.runs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_does_not_get_to_start_in_time_is_failed_and_never_sent() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.foreign_run(&world.portal);
    world.create(world.job("late").spec(|spec| spec.starting_deadline_seconds = Some(2))).await;
    let failed = world.wait_until_failed("late").await;
    assert_eq!(condition(&failed, &ConditionType::Failed).unwrap().reason, "StartingDeadlineExceeded");
    assert_eq!(world.puts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_passed_while_nobody_watched_does_not_call_a_completed_run_late() {
    let mut world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("in-time").spec(|spec| spec.active_deadline_seconds = Some(3))).await;
    world.wait_for_reason("in-time", "Accepted").await;
    world
        .create(world.job("too-late").window(ago(20), ago(19)).spec(|spec| spec.active_deadline_seconds = Some(3)))
        .await;
    world.operator().signal("KILL");
    world.operator().exit().await;
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    let started = world.get("in-time").await.status.unwrap().start_time.unwrap();
    while Utc::now() < started + TimeDelta::seconds(4) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    world.operator = Some(world.start_operator(&[]).await);
    world.wait_until_complete("in-time").await;
    // The next one of the lane hangs at Konnect, and this operator sees its deadline pass.
    let late = world.wait_until_failed("too-late").await;
    assert_eq!(condition(&late, &ConditionType::Failed).unwrap().reason, "DeadlineExceeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_value_of_the_annotation_tries_now() {
    let world = World::builder().flag("--retry-interval=10m").build().await;
    world.create(world.job("impatient").secret("later", "token")).await;
    world.wait_for_reason("impatient", "WaitingForCredentials").await;
    world.create_token("later", "token", crate::support::TOKEN.as_bytes()).await;
    let now = serde_json::json!({ "metadata": { "annotations": { "konnect-replay.dev/requested-at": "now" } } });
    world.patch("impatient", now).await;
    world.wait_until_complete("impatient").await;
    assert_eq!(world.puts(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_installations_on_one_portal_take_turns_and_overwrite_nobody() {
    let ours = World::builder().pace(Duration::from_secs(1)).flag("--poll-interval=2s").build().await;
    ours.emulator.set_q1(konnect_emulator::Q1::Refuse);
    let konnect = format!("--konnect-url={}", ours.emulator.url_template());
    let theirs = World::builder().flag("--poll-interval=2s").flag(&konnect).build().await;
    ours.create(ours.job("ours-0").window(ago(60), ago(59))).await;
    // Two that begin at the same moment can slip in between each other's GET and PUT: that is one of the stated assumptions.
    ours.wait_for_reason("ours-0", "Accepted").await;
    for n in 0..3_i64 {
        if n > 0 {
            ours.create(ours.job(&format!("ours-{n}")).window(ago(20 + 2 * n), ago(19 + 2 * n))).await;
        }
        theirs.create(ours.job(&format!("theirs-{n}")).window(ago(40 + 2 * n), ago(39 + 2 * n))).await;
    }
    for n in 0..3 {
        ours.wait_until_complete(&format!("ours-{n}")).await;
        theirs.wait_until_complete(&format!("theirs-{n}")).await;
    }
    let runs = ours.runs();
    assert!(runs.iter().all(|run| run.replaced_by.is_none()), "{runs:#?}");
    assert_eq!(runs.len(), 6 + ours.repeats().await + theirs.repeats().await, "{runs:#?}");
}

fn ago(hours: i64) -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0) - TimeDelta::hours(hours)
}
