//! Answers that the wire mangles: late, slow, cut, sent elsewhere, or refused again and again. Each says its cause, and none sends
//! anything twice.

use std::time::Duration;

use konnect_emulator::{Action, Emulator, Fault, PathKind, Reply};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{Row, date_in, from_the_beginning, reply, row, world};
use crate::konnect_client::raw_server::RawServer;
use crate::support::{World, condition, is_true};
use konnect_replay_core::api::ConditionType;

/// Longer than any call may take.
const NEVER: Duration = Duration::from_hours(1);
const TIME_OVER: &str = "the time allowed for the call was over";

/// Whether some condition of the object has ever said `cause`.
fn said(world: &World, name: &str, cause: &str) -> bool {
    let conditions = |job: &konnect_replay_core::api::AuditLogReplayJob| {
        job.status.as_ref().is_some_and(|s| s.conditions.iter().any(|c| c.message.contains(cause)))
    };
    world.history.of(name).iter().any(conditions)
}

/// Runs rows as the other tables do; each object must name its cause meanwhile.
async fn each_names_its_cause(method: &str, rows: Vec<(Row, &'static str)>) {
    let world = world().await;
    let causes: Vec<_> = rows.iter().map(|(row, cause)| (row.name, *cause)).collect();
    let rows = rows.into_iter().map(|(row, _)| row).collect();
    from_the_beginning(&world, method, PathKind::ReplayJob, rows).await;
    for (name, cause) in causes {
        assert!(said(&world, name, cause), "{name} never says {cause:?}: {:#?}", world.states(name));
    }
}

/// A redirect to another host, where nobody may ever ask.
fn to_another_host(status: u16, host: &RawServer) -> Action {
    let headers = vec![("location".to_owned(), host.url("/eu/v2/audit-log-replay-job"))];
    Action::Answer(Reply { status, headers, ..Reply::default() })
}

fn half(applied: bool, status: u16) -> Action {
    Action::Answer(Reply { applied, ..reply(status, r#"{"status":"accep"#, "application/json") })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_answer_is_mangled_is_settled_and_its_cause_is_named() {
    let elsewhere = RawServer::answering(crate::wire::job_of_somebody()).await;
    let rows = vec![
        (row("put-head-then-silence", Action::SlowBody { each: NEVER }), TIME_OVER),
        (row("put-byte-a-second", Action::SlowBody { each: Duration::from_secs(1) }), TIME_OVER),
        (row("put-late", Action::Delay { time: Duration::from_secs(5) }).puts(2), TIME_OVER),
        (row("put-half", half(false, 202)).puts(2), "not a JSON object"),
        (row("put-half-taken", half(true, 202)), "not a JSON object"),
        (row("put-301-away", to_another_host(301, &elsewhere)).puts(2), "answered 301"),
        (row("put-307-away", to_another_host(307, &elsewhere)).puts(2), "answered 307"),
        (row("put-308-away", to_another_host(308, &elsewhere)).puts(2), "answered 308"),
        (row("put-503-twice", Action::status(503)).times(2).puts(3), "answered 503"),
    ];
    each_names_its_cause("PUT", rows).await;
    assert!(elsewhere.requests().is_empty(), "a redirect was followed: {:#?}", elsewhere.requests());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_whose_answer_is_mangled_is_repeated_and_its_cause_is_named() {
    let elsewhere = RawServer::answering(crate::wire::job_of_somebody()).await;
    let rows = vec![
        (row("get-head-then-silence", Action::SlowBody { each: NEVER }), TIME_OVER),
        (row("get-byte-a-second", Action::SlowBody { each: Duration::from_secs(1) }), TIME_OVER),
        (row("get-half", half(false, 200)).times(3), "not a JSON object"),
        (row("get-307-away", to_another_host(307, &elsewhere)).times(2), "answered 307"),
        (row("get-500-run", Action::status(500)).times(12), "answered 500"),
        (row("get-502-run", Action::status(502)).times(12), "answered 502"),
        (row("get-503-run", Action::status(503)).times(12), "answered 503"),
        (row("get-504-run", Action::status(504)).times(12), "answered 504"),
        (row("get-429-zero", Action::rate_limit(Some("0"))).times(5), "slow down (429)"),
    ];
    each_names_its_cause("GET", rows).await;
    assert!(elsewhere.requests().is_empty(), "a redirect was followed: {:#?}", elsewhere.requests());
}

/// A gateway may ask for any time. It is believed for a quarter of an hour at most, and whoever cannot wait says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absurd_retry_after_is_waited_for_until_somebody_asks_for_a_try() {
    let (year, huge) = (date_in(365 * 86_400), "99999999999999999999999".to_owned());
    for (name, value) in [("a-year", year), ("huge", huge)] {
        let world = World::new().await;
        let limit = Fault::new(Action::rate_limit(Some(&value))).method("PUT").path(PathKind::ReplayJob).times(1);
        world.emulator.add_fault(limit);
        let job = world.create(world.job(name)).await;
        let lost = world.lose(&world.portal, &job, 1);
        world.wait_for_reason(name, "RateLimited").await;
        // By then whatever waits for seconds, or for the 15 s of a 429 without a word, has sent again; the counterfactual is 15 min.
        tokio::time::sleep(Duration::from_secs(17)).await;
        assert_eq!(world.puts(), 1, "{value}");
        let now = json!({ "metadata": { "annotations": { "konnect-replay.dev/requested-at": "now" } } });
        world.jobs().patch(name, &PatchParams::default(), &Patch::Merge(now)).await.unwrap();
        world.wait_until_complete(name).await;
        assert_eq!((world.puts(), world.runs().len()), (2, 1));
        world.received_once(&lost).await;
    }
}

/// The gateway is down from one moment of a job's life to another, whatever is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_gateway_at_any_stage_delays_only() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let outage = async |status: u16| {
        let rule = world.emulator.add_fault(Fault::new(Action::status(status)));
        let hit = |e: &Emulator| e.faults().into_iter().find(|r| r.number == rule).filter(|r| r.hits >= 4).map(|_| ());
        world.at_konnect("four calls in the outage", hit).await;
        world.emulator.clear_faults();
    };
    let job = world.job("through-it");
    let lost = world.lose(&world.portal, &job.clone().build(), 1);
    let ((), created) = tokio::join!(outage(503), world.create(job));
    assert!(created.status.is_some());
    world.wait_for_reason("through-it", "Accepted").await;
    for status in [502, 504] {
        outage(status).await;
    }
    world.emulator.set_manual(&world.portal, false).unwrap();
    let done = world.wait_until_complete("through-it").await;
    assert!(is_true(&done, &ConditionType::Complete) && condition(&done, &ConditionType::Failed).is_none());
    assert_eq!((world.puts(), world.runs().len()), (1, 1));
    world.received_once(&lost).await;
}
