//! The control API does what the handle does.

use konnect_emulator::{Options, Scope, Status, TargetKey};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, LIMIT, PORTAL, Reply, hours_ago, quick, window};

async fn controlled() -> Bench {
    let control = Some("127.0.0.1:0".parse().unwrap());
    Bench::with(Options { control, ..quick() }).await
}

async fn call(bench: &Bench, method: Method, path: &str, body: Value) -> Reply {
    let url = format!("{}{path}", bench.emulator.control_url().unwrap());
    let request = bench.client.request(method, url);
    Reply::read(request.body(body.to_string()).send().await.unwrap()).await
}

async fn ok(bench: &Bench, method: Method, path: &str, body: Value) -> Value {
    let reply = call(bench, method, path, body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.json()
}

#[tokio::test]
async fn a_world_can_be_made_and_a_replay_followed_by_hand() {
    let bench = controlled().await;
    let target = format!("/targets/new/us/{PORTAL}");
    let at = |rest: &str| format!("{target}{rest}");
    let org = ok(&bench, Method::PUT, "/organizations/new", json!({"token": "kpat_new"})).await;
    assert_eq!(org["token_name"], "new/token-1");
    ok(&bench, Method::PUT, &at(""), json!({})).await;
    ok(&bench, Method::PUT, &at("/webhook"), json!({"url": bench.receiver.url()})).await;
    ok(&bench, Method::PUT, &at("/timings"), json!({"accepted_ms": 1, "pending_ms": 1, "running_ms": 1})).await;
    let emitted = ok(&bench, Method::POST, &at("/events"), json!({"count": 2, "at": hours_ago(2), "lost": true})).await;
    assert_eq!(emitted["event_ids"].as_array().unwrap().len(), 2);
    ok(&bench, Method::PUT, &at("/manual"), json!({"manual": true})).await;
    let run = ok(&bench, Method::POST, &at("/runs"), json!(window(2))).await;
    assert_eq!(run["run"], 1);
    let job = ok(&bench, Method::POST, &at("/advance"), json!({"status": "running"})).await;
    assert_eq!(job["status"], "running");
    bench.receiver.wait_for_events(2, LIMIT).await.unwrap();
    ok(&bench, Method::PUT, &at("/manual"), json!({"manual": false})).await;
    let key = TargetKey { org: "new".to_owned(), region: "us".to_owned(), scope: Scope::Portal(PORTAL.to_owned()) };
    bench.emulator.wait_for_status(&key, &Status::Completed, LIMIT).await.unwrap();
    assert_eq!(ok(&bench, Method::GET, &at("/runs"), json!({})).await[0]["events"], 2);
    assert_eq!(ok(&bench, Method::GET, &at("/events"), json!({})).await.as_array().unwrap().len(), 2);
    assert_eq!(ok(&bench, Method::GET, "/deliveries", json!({})).await[0]["run"], 1);
    assert_eq!(ok(&bench, Method::GET, "/targets", json!({})).await.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn faults_questions_and_records_are_reached() {
    let bench = controlled().await;
    let fault = json!({"method": "GET", "path": "replay-job", "times": 1, "action": {"type": "answer", "status": 502}});
    assert_eq!(ok(&bench, Method::POST, "/faults", fault).await["number"], 1);
    assert_eq!(bench.get(&bench.url("audit-log-replay-job")).await.status, 502);
    assert_eq!(ok(&bench, Method::GET, "/faults", json!({})).await[0]["hits"], 1);
    ok(&bench, Method::DELETE, "/faults", json!({})).await;
    assert!(bench.emulator.faults().is_empty());

    let asked =
        ok(&bench, Method::PATCH, "/questions", json!({"q1": "refuse", "q2": "portal", "q5": "only_put"})).await;
    assert_eq!((&asked["q1"], &asked["q2"], &asked["q5"]), (&json!("refuse"), &json!("portal"), &json!("only_put")));
    assert_eq!((&asked["q3"], &asked["q6"]), (&json!("delivered"), &json!("keeps_window")));
    assert_eq!(asked["q4"], json!({"ingest_lag_ms": 0, "newest_end": "now"}));
    assert_eq!(ok(&bench, Method::GET, "/calls", json!({})).await[0]["status"], 502);
    ok(&bench, Method::DELETE, "/calls", json!({})).await;
    ok(&bench, Method::DELETE, "/deliveries", json!({})).await;
    assert!(bench.emulator.calls().is_empty());
    assert!(ok(&bench, Method::GET, "/changes?after=1", json!({})).await["changes"].as_u64().unwrap() > 1);
}

#[tokio::test]
async fn a_target_can_be_bent() {
    let bench = controlled().await;
    let at = |rest: &str| format!("/targets/acme/eu/{PORTAL}{rest}");
    ok(&bench, Method::PUT, &at("/forced-job"), json!({"odd": true})).await;
    assert_eq!(bench.get_job().await, json!({"odd": true}));
    ok(&bench, Method::DELETE, &at("/forced-job"), json!({})).await;
    assert_eq!(bench.get_job().await["status"], "unconfigured");
    ok(&bench, Method::PUT, &at("/fail-next"), json!({"runs": 1})).await;
    bench.put_job(window(2)).await;
    bench.emulator.wait_for_status(&bench.portal, &Status::Failed, LIMIT).await.unwrap();
    ok(&bench, Method::PUT, &at("/version"), json!({"only": "v3"})).await;
    assert_eq!(bench.get(&bench.url("audit-log-replay-job")).await.status, 404);
    ok(&bench, Method::DELETE, &at("/webhook"), json!({})).await;
    assert_eq!(ok(&bench, Method::GET, &at(""), json!({})).await["webhook"], Value::Null);
}

#[tokio::test]
async fn a_behaviour_is_patched_for_one_target_or_for_all() {
    let bench = controlled().await;
    let own = format!("/targets/acme/eu/{PORTAL}/behaviour");
    let patched = ok(&bench, Method::PATCH, &own, json!({"updated_at": "missing", "get_lag": [{"changes": 1}]})).await;
    assert_eq!(patched["get_lag"], json!([{"changes": 1}]));
    ok(&bench, Method::PATCH, "/behaviour", json!({"q5": "only_put", "clock_offset_ms": -5000})).await;
    let now = ok(&bench, Method::GET, &own, json!({})).await;
    assert_eq!((&now["updated_at"], &now["q5"]), (&json!("missing"), &json!("only_put")), "each keeps what it had");
    let later = format!("/targets/acme/eu/{}", "later");
    ok(&bench, Method::PUT, &later, json!({})).await;
    let common = ok(&bench, Method::GET, "/behaviour", json!({})).await;
    assert_eq!(ok(&bench, Method::GET, &later, json!({})).await["behaviour"], common);
    assert_eq!((&common["updated_at"], &common["clock_offset_ms"]), (&json!("usual"), &json!(-5000)));
}

#[tokio::test]
async fn requests_are_held_and_released() {
    let bench = controlled().await;
    assert_eq!(ok(&bench, Method::GET, "/holds/points", json!({})).await[3]["name"], "after PUT replay-job");
    let rule = json!({"point": "after", "method": "PUT", "path": "replay-job"});
    assert_eq!(ok(&bench, Method::POST, "/holds", rule).await["id"], 1);
    for end in ["release-next", "release"] {
        let put = bench.put_job(window(2));
        let release = async {
            let held = ok(&bench, Method::GET, "/holds/1/held", json!({})).await;
            assert_eq!((&held["held"], &held["released"]), (&json!(1), &json!(false)));
            ok(&bench, Method::POST, &format!("/holds/1/{end}"), json!({})).await;
        };
        let (reply, ()) = tokio::join!(put, release);
        assert_eq!(reply.status, 202);
        bench.emulator.wait_for_status(&bench.portal, &Status::Completed, LIMIT).await.unwrap();
    }
    assert_eq!(ok(&bench, Method::GET, "/holds/1", json!({})).await["released"], true);
    ok(&bench, Method::POST, "/holds", json!({"point": "before"})).await;
    ok(&bench, Method::DELETE, "/holds", json!({})).await;
    assert_eq!(ok(&bench, Method::GET, "/holds", json!({})).await[1]["released"], true);
    ok(&bench, Method::POST, "/holds/2/cut", json!({})).await;
}

#[tokio::test]
async fn the_contract_its_violations_and_the_rate_limits_are_reached() {
    let bench = controlled().await;
    let contract = call(&bench, Method::GET, "/openapi.yaml", json!({})).await;
    assert_eq!((contract.status, contract.body.as_str()), (200, konnect_emulator::OPENAPI));
    let limits = json!([{"per": "token", "requests": 1, "window_ms": 600_000, "retry_after": true}]);
    ok(&bench, Method::PUT, "/rate-limits", limits.clone()).await;
    assert_eq!(ok(&bench, Method::GET, "/rate-limits", json!({})).await, limits);
    bench.get(&bench.url("audit-log-replay-job?verbose=1")).await;
    assert_eq!(bench.get(&bench.url("audit-log-replay-job")).await.status, 429);
    let violations = ok(&bench, Method::GET, "/violations", json!({})).await;
    assert_eq!(violations, json!([{"call": 1, "part": "request", "text": "parameter verbose is not declared"}]));
}

#[tokio::test]
async fn tokens_come_and_go() {
    let bench = controlled().await;
    let body = json!({"token": "spat_2", "role": "member"});
    assert_eq!(ok(&bench, Method::POST, "/organizations/acme/tokens", body).await["token_name"], "acme/token-2");
    let get = || async {
        bench.client.get(bench.url("audit-log-webhook")).bearer_auth("spat_2").send().await.unwrap().status()
    };
    assert_eq!(get().await, 403);
    ok(&bench, Method::POST, "/tokens/role", json!({"token": "spat_2", "role": "audit_log_admin"})).await;
    assert_eq!(get().await, 200);
    ok(&bench, Method::POST, "/tokens/revoke", json!({"token": "spat_2"})).await;
    assert_eq!(get().await, 401);
}

#[tokio::test]
async fn mistakes_get_a_clear_error() {
    let bench = controlled().await;
    for (method, path, body, status, named) in [
        (Method::GET, "/targets/acme/eu/unknown", json!({}), 404, "unknown"),
        (Method::GET, "/targets/acme/europe/p1", json!({}), 400, "europe"),
        (Method::PUT, "/targets/nobody/eu/p1", json!({}), 404, "nobody"),
        (Method::POST, "/tokens/revoke", json!({"token": "kpat_0"}), 404, "token"),
        (Method::POST, "/faults", json!({"acton": 1}), 400, "acton"),
        (Method::GET, "/holds/7", json!({}), 404, "7"),
        (Method::POST, "/holds", json!({"point": "between"}), 400, "between"),
        (Method::PATCH, "/behaviour", json!({"q99": 1}), 400, "q99"),
        (Method::GET, "/nowhere", json!({}), 404, "GET /"),
        (Method::GET, "/ca.pem", json!({}), 404, "TLS"),
    ] {
        let reply = call(&bench, method, path, body).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.body);
        assert!(reply.json()["error"].as_str().unwrap().contains(named), "{path}: {}", reply.body);
    }
}
