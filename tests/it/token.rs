//! The token, repeated by the other side wherever an answer has room for it, with everything logged that can be: it shows nowhere.
//! Objects, Events, the log, the endpoints and the process are looked at when a world and its operator are dropped.

use std::panic::catch_unwind;
use std::process;
use std::time::Duration;

use clap::Parser;
use konnect_emulator::{Action, Fault, PathKind, Q2, Reply};
use konnect_replay::cli::{Cli, Command, LogFormat};
use konnect_replay::config::Config;
use konnect_replay::metrics::Metrics;
use konnect_replay::telemetry;
use konnect_replay_core::api::ConditionType;

use crate::support::{JobBuilder, PATIENCE, TOKEN, World, is_true, outlets, shows_a_token};

/// What a test process is told by, to panic.
const TOLD: &str = "KONNECT_REPLAY_TEST_PANICS";

/// An answer with the token in its body and in every header that the client reads, and some that it does not.
fn repeating(status: u16, body: &str) -> Action {
    let header = |name: &str, value: String| (name.to_owned(), value);
    Action::Answer(Reply {
        status,
        body: Some(body.replace("TOKEN", TOKEN).replace("ESCAPED", &escaped())),
        content_type: Some("application/json".to_owned()),
        headers: vec![
            header("location", format!("/eu/elsewhere?token={TOKEN}")),
            header("retry-after", TOKEN.to_owned()),
            header("date", TOKEN.to_owned()),
            header("www-authenticate", format!("Bearer error=\"invalid_token\", token=\"{TOKEN}\"")),
            header("authorization", format!("Bearer {TOKEN}")),
        ],
        applied: false,
    })
}

/// The token as JSON may write it too.
fn escaped() -> String {
    TOKEN.bytes().fold(String::new(), |text, byte| text + &format!("\\u{byte:04x}"))
}

/// Bodies with the token in each place that a condition, an Event or a log line is made from.
const BODIES: [&str; 4] = [
    r#"{"detail":"token TOKEN has expired","title":"TOKEN","instance":"kong:trace:TOKEN"}"#,
    r#"{"message":"Authorization: Bearer TOKEN","instance":"ESCAPED"}"#,
    r#"{"detail":"ESCAPED","instance":"TOKEN","invalid_parameters":[{"field":"TOKEN","reason":"is ESCAPED"}]}"#,
    r#"{"status":"TOKEN","start_at":"TOKEN","end_at":"ESCAPED","updated_at":"TOKEN"}"#,
];

/// Each status with each body, for a method and a path.
fn faults() -> Vec<(&'static str, PathKind, Action)> {
    let statuses = [200, 302, 400, 401, 403, 404, 409, 413, 429, 500];
    let answers = || statuses.into_iter().flat_map(|status| BODIES.map(|body| (status, body)));
    let calls = [("PUT", PathKind::ReplayJob), ("GET", PathKind::ReplayJob), ("GET", PathKind::Webhook)];
    let mut all: Vec<_> = calls
        .into_iter()
        .flat_map(|(method, path)| answers().map(move |(status, body)| (method, path, repeating(status, body))))
        .collect();
    let webhook = r#"{"enabled":true,"audit_log_destination_id":"TOKEN","endpoint":"ESCAPED"}"#;
    all.push(("GET", PathKind::Webhook, repeating(200, webhook)));
    let status = r#"{"webhook_enabled":true,"webhook_status":"ESCAPED","last_response_message":"TOKEN"}"#;
    all.push(("GET", PathKind::WebhookStatus, repeating(200, status)));
    all
}

/// What the kubeconfig lets its bearer do is nobody's business either.
fn own_credential(world: &World) -> String {
    let kubeconfig = std::fs::read_to_string(&world.kubeconfig).unwrap();
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut words = kubeconfig.split(|c| !is_part(c)).filter(|word| !word.is_empty());
    words.find(|word| *word == "token").and_then(|_| words.next()).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_every_answer_repeats_shows_nowhere_with_everything_logged() {
    let world = World::builder()
        .flag("--serialize=portal")
        .flag("--concurrency=128")
        .emulator(|options| options.q2 = Q2::Portal)
        .logging("trace")
        .build()
        .await;
    let faults = faults();
    let names: Vec<String> = (0..faults.len()).map(|number| format!("repeated-{number}")).collect();
    for (number, (method, path, action)) in faults.into_iter().enumerate() {
        let portal = format!("0d0f7b52-2222-4c39-9f3c-{number:012x}");
        world.add_portal("eu", &portal);
        world.emulator.add_fault(Fault::new(action).method(method).path(path).portal(&portal).times(1));
        world.create(JobBuilder::portal(&names[number], "eu", &portal)).await;
    }
    for name in &names {
        world.wait(name, "Finished", |job| is_true(job, &ConditionType::Finished)).await;
    }
    let unmet: Vec<_> = world.emulator.faults().into_iter().filter(|rule| rule.hits == 0).collect();
    assert!(unmet.is_empty(), "never met: {unmet:#?}");
    let log = world.operator.as_ref().unwrap().log();
    assert!(log.iter().any(|line| line.contains("[redacted]")), "what was repeated is said, without the token");
    assert!(log.iter().any(|line| line.contains("\"TRACE\"")), "everything is logged");
    let own = own_credential(&world);
    assert!(own.len() > 100 && !log.iter().any(|line| line.contains(&own)), "the operator logged its own credential");
}

/// The watchdogs of this file and of every other test bark.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_and_its_endpoints_show_is_seen() {
    for text in [TOKEN.to_owned(), base64_of(TOKEN), base64_of(&format!("Bearer {TOKEN}"))] {
        assert!(shows_a_token(&text), "{text}");
    }
    let world = World::new().await;
    let shown = world.operator.as_ref().unwrap().outlets();
    let found = |name: &str| shown.iter().find(|(outlet, _)| outlet.ends_with(name)).unwrap().1.clone();
    assert!(found("cmdline").contains("--watch-namespaces") && found("environ").contains("KUBECONFIG="));
    assert!(found("/healthz").starts_with("HTTP/1.1 200") && found("/metrics").starts_with("HTTP/1.1"));
    let mut told = process::Command::new("sleep").arg("600").env("TOKEN", TOKEN).spawn().unwrap();
    // The kernel lets the parent go on a moment before the environment can be read.
    let seen = async {
        while !outlets(told.id(), None).iter().any(|(_, text)| shows_a_token(text)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, seen).await;
    told.kill().unwrap();
    told.wait().unwrap();
    assert!(seen.is_ok(), "a token in the environment");
}

fn base64_of(text: &str) -> String {
    serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).unwrap().as_str().unwrap().to_owned()
}

/// A panic's text may hold anything. The place of the panic is enough to mend it.
#[test]
fn a_panic_is_logged_with_its_place_and_without_its_text() {
    let this = std::env::current_exe().unwrap();
    let child = process::Command::new(this)
        .args(["--exact", "token::panics_if_told_to", "--nocapture"])
        .env(TOLD, "1")
        .output();
    let child = child.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && said.contains("panic: this is a bug") && said.contains("token.rs:"), "{said}");
    assert!(!shows_a_token(&said), "{said}");
}

/// The other half of the test above: what a process does that logs as the operator does.
#[test]
fn panics_if_told_to() {
    if std::env::var_os(TOLD).is_some() {
        let Command::Run(args) = Cli::parse_from(["konnect-replay", "run"]).command else { unreachable!() };
        let metrics = Metrics::new(&Config::new(*args).unwrap());
        telemetry::init(LogFormat::Json, metrics);
        catch_unwind(|| panic!("{TOKEN} in a panic")).unwrap_err();
    }
}
