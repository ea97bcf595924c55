//! The record that each finished job leaves in the log.

use chrono::{TimeDelta, Utc};
use control_plane::proxy::{Fault, Point};
use konnect_emulator::Status;
use konnect_replay::evidence::SCHEMA;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::kubernetes::steps::Step;
use crate::support::{Operator, PATIENCE, PORTAL, World};

/// The published schema, made strict: a field that it does not name is an error here.
fn schema() -> jsonschema::Validator {
    let mut schema: Value = serde_json::from_str(include_str!("../../docs/evidence.schema.json")).unwrap();
    close(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
}

fn close(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut() {
        if object.contains_key("properties") {
            object.insert("additionalProperties".to_owned(), json!(false));
        }
        object.values_mut().for_each(close);
    }
    if let Some(items) = schema.as_array_mut() {
        items.iter_mut().for_each(close);
    }
}

fn is_valid(record: &Value) {
    let schema = schema();
    let errors: Vec<String> = schema.iter_errors(record).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?} in {record:#}");
}

async fn leads(replica: &Operator) {
    replica.wait_for_log("that it leads", |line| line["message"] == "leading").await;
}

/// What does not depend on when it was written.
fn timeless(mut record: Value) -> Value {
    for field in ["timestamp", "repeated"] {
        assert!(record.as_object_mut().unwrap().remove(field).is_some());
    }
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completed_job_leaves_one_record_that_tells_what_was_done() {
    let mut world = World::new().await;
    let job = world.create(world.job("done")).await;
    let lost = world.lose(&world.portal, &job, 2);
    let done = world.wait_until_complete("done").await;
    let record = world.operator().wait_for_evidence("done").await;
    world.received_once(&lost).await;

    is_valid(&record);
    let status = serde_json::to_value(done.status.as_ref().unwrap()).unwrap();
    let window = json!({ "startAt": job.spec.window.start_at, "endAt": job.spec.window.end_at });
    assert_eq!(record["schema"], SCHEMA);
    assert_eq!(record["id"], done.uid().unwrap());
    assert_eq!(record["repeated"], false);
    assert_eq!((&record["windowAsked"], &record["windowSent"]), (&window, &window));
    assert_eq!(record["replayTarget"]["portalID"], PORTAL);
    assert_eq!(
        (&record["replayTarget"]["konnectAPIVersion"], &record["replayTarget"]["konnectAPIVersionUsed"]),
        (&json!("Auto"), &json!("v2"))
    );
    assert_eq!(record["outcome"]["result"], "complete");
    assert_eq!(record["outcome"]["reason"], "Completed");
    assert_eq!((&record["finishedAt"], &record["startedAt"]), (&status["completionTime"], &status["startTime"]));
    assert_eq!(record["attempts"], 1);
    assert_eq!(record["konnect"]["status"], "completed");
    assert_eq!(record["webhookAfter"], status["webhook"]);
    assert_eq!(record["webhookBefore"], status["submission"]["webhook"]);
    assert_eq!(record["webhookBefore"]["enabled"], true);
    assert!(record["webhookAfter"]["destinationID"].is_string(), "{record:#}");
    assert_eq!(record["webhookAfter"]["lastResponseCode"], 200);
    assert_eq!(record["job"]["specManagers"].as_array().unwrap().len(), 1, "{record:#}");
    assert_eq!(record["job"]["fieldManager"], record["job"]["specManagers"][0]);
    let creator = done.managed_fields().iter().find(|entry| entry.subresource.is_none()).unwrap();
    assert_eq!(record["job"]["fieldManager"], creator.manager.clone().unwrap());

    // An edit after the end changes no past.
    world.suspend("done", true).await;
    world.wait("done", "seen", |job| job.status.as_ref().is_some_and(|s| s.observed_generation == 2)).await;
    assert_eq!(world.operator().evidence("done").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_fails_leaves_a_record_too() {
    let mut world = World::new().await;
    world.emulator.fail_next(&world.portal, 1).unwrap();
    world.create(world.job("failing").spec(|spec| spec.backoff_limit = 0)).await;
    world.wait_until_failed("failing").await;
    let record = world.operator().wait_for_evidence("failing").await;
    is_valid(&record);
    assert_eq!(
        (&record["outcome"]["result"], &record["outcome"]["reason"]),
        (&json!("failed"), &json!("BackoffLimitExceeded"))
    );
    assert_eq!(record["retries"]["failed"], 1);

    // Nothing was sent: the record says so.
    let now = Utc::now();
    let late = world.job("late").window(now - TimeDelta::hours(170), now - TimeDelta::hours(169));
    world.create(late).await;
    let record = world.operator().wait_for_evidence("late").await;
    is_valid(&record);
    assert_eq!((&record["windowSent"], &record["startedAt"]), (&Value::Null, &Value::Null));
    assert_eq!(record["outcome"]["reason"], "WindowExpired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_the_record_is_written_again_under_the_same_id() {
    let mut world = World::new().await;
    world.create(world.job("done")).await;
    world.wait_until_complete("done").await;
    let first = world.operator().wait_for_evidence("done").await;
    world.operator().signal("KILL");
    world.operator().exit().await;
    world.suspend("done", true).await;

    let next = world.start_operator(&[]).await;
    let again = next.wait_for_evidence("done").await;
    is_valid(&again);
    assert_eq!((&first["repeated"], &again["repeated"]), (&json!(false), &json!(true)));
    let (mut first, mut again) = (timeless(first), timeless(again));
    for record in [&mut first, &mut again] {
        // The edit after the end.
        assert!(record["job"].as_object_mut().unwrap().remove("generation").is_some());
    }
    assert_eq!(again, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_hands_over_in_order_leaves_nothing_to_repeat_and_a_killed_one_does() {
    let world = World::builder().without_operator().build().await;
    let mut first = world.start_replica();
    leads(&first).await;
    world.create(world.job("done")).await;
    world.wait_until_complete("done").await;
    first.wait_for_evidence("done").await;
    let second = world.start_replica();
    first.signal("TERM");
    first.exit().await;
    leads(&second).await;
    // A job of its own shows that it has come to work, and has seen the objects before.
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("next")).await;
    world.wait_for_reason("next", "Accepted").await;
    assert_eq!(second.evidence("done"), Vec::<Value>::new());

    second.signal("KILL");
    let third = world.start_replica();
    assert_eq!(third.wait_for_evidence("done").await["repeated"], true);
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    assert_eq!(third.wait_for_evidence("next").await["repeated"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_whose_write_got_no_answer_leaves_its_record_once_and_is_counted_once() {
    let mut world = World::builder().through_proxy().build().await;
    let end = Step::End.calls().namespace(&world.namespace).times(1);
    let cut = world.proxy().fault(end, Fault::Cut(Point::After));
    world.create(world.job("done")).await;
    world.proxy().wait_hits(cut, 1, PATIENCE).await.unwrap();
    let done = world.wait_until_complete("done").await;
    let record = world.operator().wait_for_evidence("done").await;
    is_valid(&record);
    assert_eq!(record["repeated"], false);
    assert_eq!(record["job"]["fieldManager"], done.managed_fields()[0].manager.clone().unwrap());
    let counted =
        "auditlogreplay_jobs_finished_total{konnect_region=\"eu\",outcome=\"complete\",reason=\"Completed\"} 1\n";
    assert!(world.operator().metrics().await.contains(counted));
    // An edit brings another pass over the object.
    world.suspend("done", true).await;
    world.wait("done", "seen", |job| job.status.as_ref().is_some_and(|s| s.observed_generation == 2)).await;
    assert_eq!(world.operator().evidence("done").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_the_end_and_its_record_the_next_one_leaves_it() {
    let mut world = World::builder().through_proxy().build().await;
    let end = Step::End.calls().namespace(&world.namespace).times(1);
    let held = world.proxy().fault(end, Fault::Hold(Point::After));
    world.create(world.job("done")).await;
    world.proxy().wait_hits(held, 1, PATIENCE).await.unwrap();
    world.wait_until_complete("done").await;
    world.operator().signal("KILL");
    world.operator().exit().await;
    world.proxy().release(held);
    assert_eq!(world.operator().evidence("done"), Vec::<Value>::new());
    let next = world.start_operator(&[]).await;
    let record = next.wait_for_evidence("done").await;
    is_valid(&record);
    assert_eq!(record["repeated"], true);
}
