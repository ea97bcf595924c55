//! The main road: from `kubectl apply` to Complete, and what is written on it.

use chrono::{DateTime, Utc};
use konnect_emulator::{ApiVersion, Status, TargetKey, Webhook};
use konnect_replay_core::api::{ConditionStatus, ConditionType, SubmissionState};
use konnect_replay_core::konnect::RemoteStatus;
use serde_json::json;

use crate::support::{JobBuilder, PORTAL, World, condition, is_true, window_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_through_every_state_of_konnect_to_complete() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let job = world.create(world.job("outage")).await;
    let lost = world.lose(&world.portal, &job, 5);
    for (seen, next) in
        [("Accepted", Status::Pending), ("RemotePending", Status::Running), ("Running", Status::Completed)]
    {
        world.wait_for_reason("outage", seen).await;
        world.emulator.advance(&world.portal, next).unwrap();
    }

    let done = world.wait_until_complete("outage").await;

    assert_eq!(world.reasons("outage"), ["Pending", "Submitting", "Accepted", "RemotePending", "Running", "Completed"]);
    let words =
        world.history.of("outage").into_iter().filter_map(|job| job.status?.konnect.map(|k| k.status.to_string()));
    let mut words: Vec<String> = words.collect();
    words.dedup();
    assert_eq!(words, ["unconfigured", "accepted", "pending", "running", "completed"]);
    assert_eq!(world.runs().len(), 1);
    world.received_once(&lost).await;
    assert!(world.status_writes("outage").await <= 6, "{} status writes", world.status_writes("outage").await);

    let conditions: Vec<_> =
        done.status.unwrap().conditions.into_iter().map(|c| (c.type_, c.status, c.reason)).collect();
    let expected = [
        (ConditionType::Complete, "Completed"),
        (ConditionType::Finished, "Completed"),
        (ConditionType::Ready, "Completed"),
        (ConditionType::Submitted, "Accepted"),
        (ConditionType::CredentialsValid, "TokenAccepted"),
        (ConditionType::WebhookReady, "WebhookEnabled"),
    ];
    assert_eq!(conditions, expected.map(|(type_, reason)| (type_, ConditionStatus::True, reason.to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_of_a_completed_job_is_its_record() {
    let world = World::new().await;
    let webhook = Webhook::new(world.receiver.url());
    world.emulator.set_webhook(&world.portal, webhook.clone()).unwrap();
    let job = world.create(world.job("record")).await;
    world.lose(&world.portal, &job, 1);

    let done = world.wait_until_complete("record").await;

    let status = done.status.unwrap();
    let window = window_of(&job);
    let run = &world.runs()[0];
    assert_eq!(status.observed_generation, 1);
    let sent = status.window.unwrap();
    assert_eq!((sent.start_at, sent.end_at), (window.start_at, window.end_at));
    assert_eq!(sent.expires_at, window.start_at + chrono::TimeDelta::days(7));
    let konnect = status.konnect.unwrap();
    assert_eq!(
        (konnect.status, konnect.start_at, konnect.end_at),
        (RemoteStatus::Completed, Some(window.start_at), Some(window.end_at))
    );
    assert_eq!(konnect.updated_at, run.ended_at);
    let submission = status.submission.unwrap();
    assert_eq!((submission.state, submission.attempt), (SubmissionState::Accepted, 1));
    assert_eq!((submission.window.start_at, submission.window.end_at), (window.start_at, window.end_at));
    assert_eq!(submission.accepted.unwrap().status, RemoteStatus::Accepted);
    assert_eq!(submission.previous.unwrap().status, RemoteStatus::Unconfigured);
    assert!(submission.intent_time <= run.accepted_at);
    assert_eq!((status.attempts, status.conflicts, status.blocked_by, status.failed_time), (1, 0, None, None));
    assert!(status.start_time.unwrap() <= status.completion_time.unwrap());
    let evidence = status.webhook.unwrap();
    assert_eq!(
        (evidence.enabled, evidence.status.as_deref(), evidence.last_response_code),
        (Some(true), Some("active"), Some(200))
    );
    assert_eq!(evidence.destination_id, Some(webhook.destination_id));
    assert!(evidence.last_attempt_time.is_some());
}

/// The conditions of an object in flight: never Complete, never Reconciling and Stalled at once, and one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_version_on_the_way_says_what_kubectl_flux_and_argo_read() {
    let world = World::new().await;
    world.create(world.job("steps")).await;
    world.wait_until_complete("steps").await;
    let versions = world.history.of("steps");
    assert_eq!(versions[0].status.as_ref().unwrap().observed_generation, -1, "InProgress before the first visit");
    for job in versions.iter().skip(1).filter(|job| !is_true(job, &ConditionType::Finished)) {
        let conditions = &job.status.as_ref().unwrap().conditions;
        assert!(
            is_true(job, &ConditionType::Reconciling) && condition(job, &ConditionType::Stalled).is_none(),
            "{conditions:#?}"
        );
        assert_eq!(condition(job, &ConditionType::Ready).unwrap().status, ConditionStatus::False);
        assert!(conditions.iter().all(|c| c.observed_generation == Some(1)), "{conditions:#?}");
        assert!(condition(job, &ConditionType::Complete).or(condition(job, &ConditionType::Failed)).is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_konnect_reports_failed_is_failed() {
    let world = World::new().await;
    world.emulator.fail_next(&world.portal, 1).unwrap();
    world.create(world.job("unlucky").spec(|spec| spec.backoff_limit = 0)).await;

    let failed = world.wait_until_failed("unlucky").await;

    let condition = condition(&failed, &ConditionType::Failed).unwrap();
    assert_eq!(condition.reason, "BackoffLimitExceeded");
    assert!(condition.message.contains("create another AuditLogReplayJob"), "{}", condition.message);
    let status = failed.status.as_ref().unwrap();
    assert_eq!(status.konnect.as_ref().unwrap().status, RemoteStatus::Failed);
    assert!(status.failed_time.is_some() && status.completion_time.is_none());
    assert!(is_true(&failed, &ConditionType::Stalled) && is_true(&failed, &ConditionType::Finished));
    assert_eq!(world.runs().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_konnect_reports_failed_is_sent_again_with_growing_spacing() {
    let world = World::builder().flag("--backoff-base=2s").build().await;
    world.emulator.fail_next(&world.portal, 2).unwrap();
    let job = world.create(world.job("third-time-lucky")).await;
    let lost = world.lose(&world.portal, &job, 2);

    let done = world.wait_until_complete("third-time-lucky").await.status.unwrap();

    let runs = world.runs();
    assert_eq!((runs.len(), done.attempts), (3, 3), "{runs:#?}");
    // 1, then 5 times the base, each 20 % more or less, to the second: the time of the next try is recorded in whole seconds.
    let pause = |n: usize| (runs[n + 1].accepted_at - runs[n].ended_at.unwrap()).num_milliseconds();
    assert!(pause(0) >= 600 && pause(1) >= 7000, "{} and {} ms", pause(0), pause(1));
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_organisations_own_log_is_replayed() {
    let world = World::new().await;
    let organization = world.organization();
    world.emulator.set_webhook(&organization, Webhook::new(world.receiver.url())).unwrap();
    let job = world.create(JobBuilder::organization("acme", "eu")).await;
    let lost = world.lose(&organization, &job, 3);

    world.wait_until_complete("acme").await;

    assert_eq!(world.emulator.runs(&organization).unwrap().len(), 1);
    assert!(world.runs().is_empty(), "the portal has nothing to do with it");
    world.received_once(&lost).await;
    assert!(world.emulator.calls().iter().all(|call| !call.path.contains("portals")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_3_of_the_api_is_spoken_where_asked_for() {
    let world = World::new().await;
    world.emulator.set_portal_version(&world.portal, Some(ApiVersion::V3)).unwrap();
    let job = world.create(world.job("third").v3()).await;
    let lost = world.lose(&world.portal, &job, 2);
    world.emulator.set_webhook(&world.organization(), Webhook::new(world.receiver.url())).unwrap();

    world.wait_until_complete("third").await;
    world.create(JobBuilder::organization("third-acme", "eu").v3()).await;
    world.wait_until_complete("third-acme").await;

    world.received_once(&lost).await;
    assert!(
        world.emulator.calls().iter().all(|call| call.path.starts_with("/eu/v3/")),
        "{:#?}",
        world.emulator.calls()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_end_nothing_is_asked_and_nothing_written_even_by_a_new_process() {
    let mut world = World::new().await;
    world.create(world.job("done")).await;
    let done = world.wait_until_complete("done").await;
    let other = world.add_portal("us", PORTAL);
    world.operator().signal("TERM");
    assert!(world.operator().exit().await.success());
    let writes = world.status_writes("done").await;
    world.emulator.clear_calls();

    world.operator = Some(world.start_operator(&[]).await);
    // Its list shows the finished object first; this one is created later, and gets all the way through.
    world.create(JobBuilder::portal("later", "us", PORTAL)).await;
    world.wait_until_complete("later").await;

    assert_eq!(world.emulator.runs(&other).unwrap().len(), 1);
    assert!(world.emulator.calls().iter().all(|call| call.path.starts_with("/us/")), "{:#?}", world.emulator.calls());
    assert_eq!(world.status_writes("done").await, writes);
    assert_eq!(world.get("done").await, done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_a_finished_object_moves_nothing_but_observed_generation() {
    let world = World::new().await;
    world.create(world.job("edited")).await;
    let done = world.wait_until_complete("edited").await;
    let writes = world.status_writes("edited").await;
    world.emulator.clear_calls();

    world.suspend("edited", true).await;
    let seen = world.wait_now("edited", "observed", |job| job.status.as_ref().unwrap().observed_generation == 2).await;
    // An annotation is no new generation: nothing to do, and the next edit shows that nothing was done.
    world.patch("edited", json!({ "metadata": { "annotations": { "konnect-replay.dev/requested-at": "now" } } })).await;
    world.suspend("edited", false).await;
    let after = world.wait_now("edited", "observed", |job| job.status.as_ref().unwrap().observed_generation == 3).await;

    assert_eq!(world.status_writes("edited").await, writes + 2, "one write per edit of the spec");
    for job in [seen, after] {
        let mut status = job.status.unwrap();
        status.observed_generation = 1;
        // `kubectl wait` compares the generation of a condition, so it follows too.
        for condition in &mut status.conditions {
            condition.observed_generation = Some(1);
        }
        assert_eq!(Some(status), done.status);
    }
    assert!(world.emulator.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_get_shows_the_state_in_its_columns() {
    let world = World::new().await;
    let job = world.create(world.job("shown")).await;
    world.wait_until_complete("shown").await;
    let path = format!("/apis/konnect-replay.dev/v1alpha1/namespaces/{}/auditlogreplayjobs", world.namespace);
    let request = http::Request::get(path).header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    let table: serde_json::Value = world.client.request(request.body(Vec::new()).unwrap()).await.unwrap();
    let columns = |priority: u64| -> Vec<&str> {
        let columns = table["columnDefinitions"].as_array().unwrap().iter();
        columns.filter(|c| c["priority"] == priority).map(|c| c["name"].as_str().unwrap()).collect()
    };
    assert_eq!(columns(0), ["Name", "Status", "Konnect", "Region", "Start", "End", "Expires", "Age"]);
    assert_eq!(columns(1), ["Portal", "Attempts", "Conflicts", "Blocked-By", "API-Version"]);
    let cells = &table["rows"][0]["cells"];
    let window = &job.spec.window;
    let expected = json!(["shown", "Completed", "completed", "eu", window.start_at, window.end_at]);
    assert_eq!(cells.as_array().unwrap()[..6], expected.as_array().unwrap()[..]);
    assert_eq!(cells.as_array().unwrap()[8..], [json!(PORTAL), json!(1), json!(0), json!(null), json!("v2")]);

    // README shows such a line: the same columns in capitals, and as many cells.
    let readme = include_str!("../../README.md");
    let shown = readme.split_once("$ kubectl -n audit get alrj\n").unwrap().1;
    let lines: Vec<Vec<&str>> = shown.lines().take(2).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], columns(0).iter().map(|name| name.to_uppercase()).collect::<Vec<_>>());
    let cells = ["siem-outage", "Completed", "completed", "eu"];
    assert_eq!((lines[1].len(), &lines[1][..4]), (lines[0].len(), &cells[..]));
    assert!(lines[1][4..7].iter().all(|time| time.parse::<DateTime<Utc>>().is_ok()), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_two_regions_run_side_by_side() {
    let world = World::new().await;
    let other: TargetKey = world.add_portal("us", PORTAL);
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("slow")).await;
    world.wait_for_reason("slow", "Accepted").await;
    world.create(JobBuilder::portal("quick", "us", PORTAL)).await;
    world.wait_until_complete("quick").await;
    assert_eq!(world.emulator.runs(&other).unwrap().len(), 1);
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.wait_until_complete("slow").await;
    assert_eq!(world.runs()[0].status, Status::Completed);
}
