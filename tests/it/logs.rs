//! What the log says where nobody has set anything, and how to make it say more.

use konnect_emulator::{Role, Status};
use serde_json::Value;

use crate::support::{Operator, PATIENCE, World};

fn lines(operator: &Operator) -> Vec<Value> {
    operator.log().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn is_debug(line: &Value) -> bool {
    line["level"] == "DEBUG"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transition_is_one_line_with_all_that_finds_it_and_a_poll_is_none() {
    let world = World::builder().without_operator().build().await;
    let operator = world.start_with_default_log().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("quiet")).await;
    let accepted = operator.wait_for_log("that it was accepted", |line| line["reason"] == "Accepted").await;
    for field in ["namespace", "name", "uid", "region", "attempt"] {
        assert!(!accepted[field].is_null(), "{field} is not in {accepted}");
    }
    assert_eq!(accepted["severity"], "INFO", "{accepted}");
    let with_spans = lines(&operator).into_iter().find(|line| !line["spans"].is_null() || !line["span"].is_null());
    assert_eq!(with_spans, None, "what libraries say of their own spans stands in no line");
    world.emulator.advance(&world.portal, Status::Running).unwrap();
    operator.wait_for_log("that it runs", |line| line["reason"] == "Running").await;
    let before = operator.log().len();
    world.more_looks(5).await;
    assert_eq!(operator.log().len(), before, "{:#?}", operator.log());
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    operator.wait_for_evidence("quiet").await;
    world.wait_until_complete("quiet").await;

    let all = lines(&operator);
    let reasons: Vec<&str> = all.iter().filter_map(|line| line["reason"].as_str()).collect();
    assert_eq!(reasons, world.reasons("quiet"), "{all:#?}");
    let foreign = |line: &&Value| !line["target"].as_str().unwrap().starts_with("konnect_replay");
    assert_eq!(all.iter().find(foreign), None, "libraries are quiet");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn konnects_trace_id_is_in_the_log_and_nowhere_else() {
    let mut world = World::new().await;
    world.emulator.set_role(crate::support::TOKEN, Role::Member).unwrap();
    world.create(world.job("refused")).await;
    let waiting = world.wait_for_reason("refused", "WaitingForCredentials").await;
    let is_it = |line: &Value| line["reason"] == "WaitingForCredentials";
    let line = world.operator().wait_for_log("that it waits", is_it).await;
    let trace_id = line["trace_id"].as_str().unwrap_or_else(|| panic!("no trace id in {line}"));
    assert!(!trace_id.is_empty() && !serde_json::to_string(&waiting).unwrap().contains(trace_id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigusr1_turns_debug_lines_on_and_off() {
    let world = World::builder().without_operator().build().await;
    let operator = world.start_with_default_log().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("watched")).await;
    world.wait_for_reason("watched", "Accepted").await;
    assert!(!lines(&operator).iter().any(is_debug));

    operator.signal("USR1");
    operator.wait_for_log("a debug line", is_debug).await;
    operator.signal("USR1");
    operator.wait_for_log("that they are off", |line| line["on"] == false).await;
    world.more_looks(3).await;
    let all = lines(&operator);
    let off = all.iter().position(|line| line["on"] == false).unwrap();
    // A pass that was under way may have had its line made already.
    let after = all.iter().skip(off).filter(|line| is_debug(line)).count();
    assert!(after <= 1, "{all:#?}");
}

/// By default a line that cannot be written is a panic, and one in the panic's own line ends the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_reads_the_log_the_work_goes_on() {
    let world = World::builder().without_operator().build().await;
    let mut operator = world.start_unread();
    let job = world.create(world.job("unheard")).await;
    let lost = world.lose(&world.portal, &job, 1);
    world.wait_until_complete("unheard").await;
    world.received_once(&lost).await;
    assert!(operator.is_running());
    assert!(world.receiver.wait_for_events(1, PATIENCE).await.is_ok());
}
