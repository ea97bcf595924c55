//! Waiting for others: runs at Konnect that nobody here asked for, and the queue of a lane.

use chrono::{DateTime, TimeDelta, Utc};
use konnect_emulator::{Q2, Status, TargetKey};
use konnect_replay_core::api::{ConditionType, SubmissionState};
use konnect_replay_core::konnect::RemoteStatus;

use crate::support::{JobBuilder, PATIENCE, PORTAL, World, condition, is_true, ready_reason, window_of};

const OTHER_PORTAL: &str = "0d0f7b52-0000-4c39-9f3c-1f7f5d6f9f11";
const THIRD_PORTAL: &str = "0d0f7b52-0000-4c39-9f3c-1f7f5d6f9f12";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_that_answers_409_for_long_is_waited_for_and_then_used_once() {
    let world = World::builder().emulator(|options| options.q2 = Q2::Region).build().await;
    let other = world.add_portal("eu", OTHER_PORTAL);
    world.foreign_run(&other);
    world.emulator.advance(&other, Status::Running).unwrap();
    let job = world.create(world.job("patient")).await;
    let lost = world.lose(&world.portal, &job, 3);

    let blocked = world.wait_for_reason("patient", "BlockedByRemoteJob").await;
    world.at_konnect("six refusals", |_| (world.calls("PUT").len() >= 6).then_some(())).await;

    let status = blocked.status.as_ref().unwrap();
    assert_eq!(status.blocked_by.as_deref(), Some("external"));
    assert!(is_true(&blocked, &ConditionType::Reconciling) && condition(&blocked, &ConditionType::Failed).is_none());
    let message = &condition(&blocked, &ConditionType::Ready).unwrap().message;
    assert!(message.contains("409") && message.contains("sent when that is over"), "{message}");
    let (writes, puts) = (world.status_writes("patient").await, world.calls("PUT").len());
    assert!(writes <= puts + 3, "{writes} writes for {puts} refused requests");

    world.emulator.advance(&other, Status::Completed).unwrap();
    let done = world.wait_until_complete("patient").await.status.unwrap();

    let refused = world.calls("PUT").iter().filter(|call| call.status == Some(409)).count();
    assert_eq!(done.conflicts as usize, refused);
    assert!(done.last_conflict_time.is_some());
    assert_eq!((done.attempts, done.blocked_by, world.runs().len()), (1, None, 1));
    assert_eq!(world.reasons("patient")[..4], ["Pending", "Submitting", "BlockedByRemoteJob", "Accepted"]);
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_run_of_the_portal_is_never_overwritten_in_whatever_state() {
    let states = [Status::Accepted, Status::Pending, Status::Running].map(a_foreign_run_in);
    futures::future::join_all(states).await;
}

async fn a_foreign_run_in(state: Status) {
    let world = World::new().await;
    let foreign = world.foreign_run(&world.portal);
    world.emulator.advance(&world.portal, state.clone()).unwrap();
    world.create(world.job("polite")).await;

    let blocked = world.wait_for_reason("polite", "BlockedByRemoteJob").await;
    world.more_looks(3).await;

    assert_eq!(world.puts(), 0, "{state}");
    let status = blocked.status.as_ref().unwrap();
    assert_eq!(status.blocked_by.as_deref(), Some("external"));
    assert_eq!(status.konnect.as_ref().unwrap().status.to_string(), state.as_str());
    assert!(status.submission.is_none());
    let writes = world.status_writes("polite").await;

    world.emulator.advance(&world.portal, Status::Running).unwrap();
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    world.emulator.set_manual(&world.portal, false).unwrap();
    let done = world.wait_until_complete("polite").await;

    let runs = world.runs();
    assert_eq!(runs.len(), 2, "{runs:#?}");
    assert_eq!((runs[0].window, &runs[0].status, runs[0].replaced_by), (foreign, &Status::Completed, None));
    let gap = runs[1].accepted_at - runs[0].ended_at.unwrap();
    assert!(gap >= TimeDelta::milliseconds(600), "its owner has two poll intervals to see its end, not {gap}");
    assert!(writes <= 2, "{writes} writes while waiting");
    assert_eq!(done.status.unwrap().conflicts, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_run_of_the_very_same_window_is_adopted() {
    let world = World::builder().without_operator().build().await;
    let job = world.create(world.job("lucky")).await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.emulator.foreign_run(&world.portal, window_of(&job)).unwrap();
    let lost = world.lose(&world.portal, &job, 2);

    let _operator = world.start_operator(&[]).await;
    let adopted = world.wait_for_reason("lucky", "Adopted").await;
    assert_eq!(adopted.status.as_ref().unwrap().submission.as_ref().unwrap().state, SubmissionState::Adopted);
    assert_eq!(condition(&adopted, &ConditionType::Submitted).unwrap().reason, "Adopted");
    world.emulator.set_manual(&world.portal, false).unwrap();
    let done = world.wait_until_complete("lucky").await;

    assert_eq!((world.puts(), world.runs().len()), (0, 1));
    assert_eq!(condition(&done, &ConditionType::Complete).unwrap().reason, "Adopted");
    assert_eq!(done.status.as_ref().unwrap().attempts, 0, "Konnect accepted nothing for this object");
    world.received_once(&lost).await;
}

/// The window is the only key that Konnect gives: what was replayed before must not be taken for this run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_window_completed_before_is_told_apart_from_this_run() {
    let world = World::builder().without_operator().build().await;
    let job = world.create(world.job("again")).await;
    let window = window_of(&job);
    world.emulator.foreign_run(&world.portal, window).unwrap();
    world.emulator.wait_for_status(&world.portal, &Status::Completed, PATIENCE).await.unwrap();

    let _operator = world.start_operator(&[]).await;
    let done = world.wait_until_complete("again").await;

    let runs = world.runs();
    assert_eq!(runs.len(), 2);
    assert_ne!(runs[1].window, window);
    assert!(runs[1].window.start_at <= window.start_at && runs[1].window.end_at >= window.end_at);
    let sent = done.status.unwrap().window.unwrap();
    assert_eq!((sent.start_at, sent.end_at), (runs[1].window.start_at, runs[1].window.end_at));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_word_before_the_request_counts_as_busy_and_is_shown() {
    let world = World::new().await;
    world.foreign_run(&world.portal);
    world.emulator.advance(&world.portal, Status::from("paused")).unwrap();
    world.create(world.job("puzzled")).await;

    let blocked = world.wait_for_reason("puzzled", "BlockedByRemoteJob").await;
    world.more_looks(3).await;

    assert_eq!(world.puts(), 0);
    assert_eq!(
        blocked.status.as_ref().unwrap().konnect.as_ref().unwrap().status,
        RemoteStatus::from("paused".to_owned())
    );
    assert!(condition(&blocked, &ConditionType::Ready).unwrap().message.contains("paused"));
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.wait_until_complete("puzzled").await;
    assert_eq!(world.runs().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_word_during_the_run_is_shown_and_followed() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let job = world.create(world.job("puzzled")).await;
    let lost = world.lose(&world.portal, &job, 2);
    world.wait_for_reason("puzzled", "Accepted").await;
    world.emulator.advance(&world.portal, Status::from("paused")).unwrap();

    let unknown = world.wait_for_reason("puzzled", "RemoteStateUnknown").await;
    assert!(condition(&unknown, &ConditionType::Ready).unwrap().message.contains("paused"));
    assert!(is_true(&unknown, &ConditionType::Reconciling));
    world.emulator.advance(&world.portal, Status::Running).unwrap();
    world.wait_for_reason("puzzled", "Running").await;
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.wait_until_complete("puzzled").await;

    assert_eq!(world.runs().len(), 1);
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_one_lane_go_one_after_the_other_the_earliest_expiry_first() {
    let world = World::builder().emulator(|options| options.q2 = Q2::Region).build().await;
    let others = [world.add_portal("eu", OTHER_PORTAL), world.add_portal("eu", THIRD_PORTAL)];
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("first")).await;
    world.wait_for_reason("first", "Accepted").await;
    let now = chrono::Utc::now();
    let aged = |name, portal, hours| {
        let start = now - TimeDelta::hours(hours);
        JobBuilder::portal(name, "eu", portal).window(start, start + TimeDelta::hours(1))
    };
    for (name, portal, hours) in [("young", OTHER_PORTAL, 5), ("old", THIRD_PORTAL, 50)] {
        world.create(aged(name, portal, hours)).await;
        // Each is the next of its lane when it comes: the second is older than the first.
        let queued = world.wait_for_reason(name, "Queued").await;
        assert_eq!(queued.status.as_ref().unwrap().blocked_by.as_deref(), Some("first"), "{name}");
        assert!(condition(&queued, &ConditionType::Ready).unwrap().message.contains("AuditLogReplayJob first"));
    }
    world.more_looks(3).await;
    assert_eq!(world.puts(), 1, "those that wait send nothing");
    world.emulator.set_manual(&world.portal, false).unwrap();
    for name in ["first", "old", "young"] {
        world.wait_until_complete(name).await;
    }

    let run = |target| world.emulator.runs(target).unwrap().remove(0);
    let (young, old) = (run(&others[0]), run(&others[1]));
    assert!(world.runs()[0].ended_at.unwrap() <= old.accepted_at);
    assert!(old.ended_at.unwrap() <= young.accepted_at);
    assert_eq!(world.get("young").await.status.unwrap().conflicts, 0, "who waits in the queue causes no 409");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_jobs_of_one_portal_never_run_at_once_whatever_their_secrets() {
    let world = World::new().await;
    world.create_token("second-token", "token", crate::support::TOKEN.as_bytes()).await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("first")).await;
    world.wait_for_reason("first", "Accepted").await;
    let now = chrono::Utc::now();
    world
        .create(
            world
                .job("second")
                .secret("second-token", "token")
                .window(now - TimeDelta::hours(9), now - TimeDelta::hours(8)),
        )
        .await;
    world.wait_for_reason("second", "Queued").await;
    world.more_looks(2).await;
    assert_eq!(world.puts(), 1);
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.wait_until_complete("second").await;
    let runs = world.runs();
    assert!(runs[0].ended_at.unwrap() <= runs[1].accepted_at && runs[0].replaced_by.is_none(), "{runs:#?}");
}

/// Two namespaces, one portal: they wait for each other, and neither learns what the other's objects are called.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_another_namespace_is_waited_for_and_not_named() {
    let (world, other) =
        (World::builder().without_operator().build().await, World::builder().without_operator().build().await);
    let namespaces = format!("--watch-namespaces={},{}", world.namespace, other.namespace);
    let _operator = world.start_operator(&[&namespaces]).await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("secret-name")).await;
    world.wait_for_reason("secret-name", "Accepted").await;

    let start = chrono::Utc::now() - TimeDelta::hours(9);
    other.create(other.job("behind").window(start, start + TimeDelta::hours(1))).await;
    let queued = other.wait_for_reason("behind", "Queued").await;
    assert_eq!(queued.status.as_ref().unwrap().blocked_by.as_deref(), Some("other"));
    assert!(!serde_json::to_string(&queued).unwrap().contains("secret-name"));
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.wait_until_complete("secret-name").await;
    other.wait_until_complete("behind").await;

    let runs = world.runs();
    assert_eq!(runs.len(), 2, "both at the one Konnect that this operator speaks to");
    assert!(runs[0].ended_at.unwrap() <= runs[1].accepted_at && runs[0].replaced_by.is_none());
}

/// What is one job's own trouble holds up nobody else of its lane.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_be_sent_does_not_hold_up_the_lane() {
    let world = World::new().await;
    let other = world.add_portal("eu", OTHER_PORTAL);
    world.emulator.set_webhook(&other, None).unwrap();
    let now = chrono::Utc::now();
    let stuck = [
        ("no-webhook", JobBuilder::portal("no-webhook", "eu", OTHER_PORTAL), "WaitingForWebhook"),
        ("no-portal", JobBuilder::portal("no-portal", "eu", THIRD_PORTAL), "PortalNotFound"),
        ("no-key", world.job("no-key").secret("konnect-token", "other"), "WaitingForCredentials"),
        ("later", world.job("later").window(now, now + TimeDelta::hours(1)), "WaitingForWindowEnd"),
        ("held", world.job("held").suspended(), "Suspended"),
    ];
    for (name, job, reason) in stuck {
        // Their windows expire first, so that each of them would go first.
        let job =
            if name == "later" { job } else { job.window(now - TimeDelta::hours(30), now - TimeDelta::hours(29)) };
        world.create(job).await;
        world.wait_for_reason(name, reason).await;
    }
    world.create(world.job("free")).await;
    world.wait_until_complete("free").await;
    assert_eq!(ready_reason(&world.get("held").await), "Suspended");
    assert!(world.emulator.calls().iter().all(|call| call.method == "GET" || call.path.contains(PORTAL)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_konnect_deletes_first_goes_first_also_after_a_restart() {
    let mut world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("holder")).await;
    world.wait_for_reason("holder", "Accepted").await;
    // Asked for in an order that is not that of their expiry, on three portals of one lane.
    let now = chrono::Utc::now();
    for (name, portal, hours) in
        [("third", OTHER_PORTAL, 10), ("first", THIRD_PORTAL, 100), ("fourth", PORTAL, 5), ("second", OTHER_PORTAL, 50)]
    {
        if portal != PORTAL {
            world.add_portal("eu", portal);
        }
        let start = now - TimeDelta::hours(hours);
        world.create(JobBuilder::portal(name, "eu", portal).window(start, start + TimeDelta::hours(1))).await;
        world.wait_for_reason(name, "Queued").await;
    }
    world.operator().signal("KILL");
    world.operator().exit().await;
    world.operator = Some(world.start_operator(&[]).await);
    world.emulator.set_manual(&world.portal, false).unwrap();

    let mut ended = Vec::new();
    for name in ["holder", "first", "second", "third", "fourth"] {
        ended.push(world.wait_until_complete(name).await.status.unwrap().start_time.unwrap());
    }
    assert!(ended.is_sorted(), "each began after the one before: {ended:?}");
    let accepted = world.emulator.calls().into_iter().filter(|call| call.method == "PUT" && call.status == Some(202));
    assert_eq!(accepted.count(), 5, "and none was refused or sent twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_secrets_on_one_portal_never_overlap() {
    let world = World::builder().emulator(|options| options.q2 = Q2::Portal).build().await;
    world.create_token("another-token", "token", crate::support::TOKEN.as_bytes()).await;
    let now = chrono::Utc::now();
    let names: Vec<String> = (0..6).map(|n| format!("job-{n}")).collect();
    for (n, name) in (0_i64..).zip(&names) {
        let start = now - TimeDelta::hours(20 + n);
        let job = world.job(name).window(start, start + TimeDelta::minutes(30));
        world.create(if n % 2 == 0 { job } else { job.secret("another-token", "token") }).await;
    }
    for name in &names {
        world.wait_until_complete(name).await;
    }
    let mut runs = world.runs();
    runs.sort_by_key(|run| run.accepted_at);
    assert_eq!((runs.len(), world.puts()), (names.len(), names.len()), "{runs:#?}");
    for pair in runs.windows(2) {
        assert!(pair[0].ended_at.is_some_and(|ended| ended <= pair[1].accepted_at), "{pair:#?}");
    }
}

/// When the windows begin that Konnect has run for `target`, in the order of their runs.
fn starts_of_runs(world: &World, target: &TargetKey) -> Vec<DateTime<Utc>> {
    let mut runs = world.emulator.runs(target).unwrap();
    runs.sort_by_key(|run| run.accepted_at);
    runs.iter().map(|run| run.window.start_at).collect()
}

/// More lanes than workers for their region: who finds none free keeps its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_a_lane_holds_also_where_workers_are_few() {
    let world = World::builder().flag("--concurrency=2").emulator(|options| options.q2 = Q2::Portal).build().await;
    let now = chrono::Utc::now();
    let portal_of = |lane: i64| format!("00000000-0000-4000-8000-{lane:012}");
    let job = |lane: i64, place: i64| {
        let start = now - TimeDelta::hours(100 - 10 * place);
        let job = JobBuilder::portal(&format!("lane-{lane}-{place}"), "eu", &portal_of(lane));
        job.secret(&format!("token-{lane}"), "token").window(start, start + TimeDelta::hours(1))
    };
    let mut portals = Vec::new();
    for lane in 0..4 {
        world.create_token(&format!("token-{lane}"), "token", crate::support::TOKEN.as_bytes()).await;
        let portal = world.add_portal("eu", &portal_of(lane));
        world.emulator.set_manual(&portal, true).unwrap();
        portals.push(portal);
        world.create(job(lane, 5)).await;
        world.wait_for_reason(&format!("lane-{lane}-5"), "Accepted").await;
        for place in [3, 1, 2, 0] {
            world.create(job(lane, place)).await;
            world.wait_for_reason(&format!("lane-{lane}-{place}"), "Queued").await;
        }
    }
    for portal in &portals {
        world.emulator.set_manual(portal, false).unwrap();
    }

    for (lane, portal) in portals.iter().enumerate() {
        for place in 0..4 {
            world.wait_until_complete(&format!("lane-{lane}-{place}")).await;
        }
        let starts = starts_of_runs(&world, portal);
        assert!(starts.len() == 5 && starts[1..].is_sorted(), "lane {lane}: {starts:?}");
    }
}

/// At a start objects are looked at in any order. None is sent before another of its lane that expires first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_start_the_earliest_goes_first_whichever_is_looked_at_first() {
    let world = World::builder().without_operator().build().await;
    let now = chrono::Utc::now();
    // What is listed first expires last.
    for n in 0..6 {
        let start = now - TimeDelta::hours(10 + 10 * n);
        world.create(world.job(&format!("job-{n}")).window(start, start + TimeDelta::hours(1))).await;
    }
    let _operator = world.start_operator(&["--concurrency=1"]).await;
    for n in 0..6 {
        world.wait_until_complete(&format!("job-{n}")).await;
    }
    let starts = starts_of_runs(&world, &world.portal);
    assert!(starts.len() == 6 && starts.is_sorted(), "{starts:?}");
}
