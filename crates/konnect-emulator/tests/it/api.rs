//! Every endpoint, and every error on the wire.

use konnect_emulator::{ApiVersion, Role, Status, TargetKey, Unauthorized, Webhook, ZERO_TIME};
use reqwest::Method;
use serde_json::json;

use crate::support::{Bench, PORTAL, Reply, TOKEN, hours_ago, window};

#[tokio::test]
async fn a_job_that_was_never_set_up_is_unconfigured_with_zero_times() {
    let bench = Bench::start().await;
    let zero = "0001-01-01T00:00:00Z";
    let expected = json!({"status": "unconfigured", "start_at": zero, "end_at": zero, "updated_at": zero});
    for path in ["v2/audit-log-replay-job".to_owned(), format!("v3/portals/{PORTAL}/audit-log-replay-job")] {
        let reply = bench.get(&format!("{}/{path}", bench.emulator.base_url("eu"))).await;
        assert_eq!((reply.status, reply.json()), (200, expected.clone()));
    }
}

#[tokio::test]
async fn a_put_answers_202_with_the_job() {
    let bench = Bench::start().await;
    for scope in [format!("v2/portals/{PORTAL}"), "v3".to_owned()] {
        let url = format!("{}/{scope}/audit-log-replay-job", bench.emulator.base_url("eu"));
        bench.emulator.set_q2(konnect_emulator::Q2::Portal);
        let reply = bench.put(&url, &json!({"start_at": hours_ago(2), "end_at": hours_ago(1)})).await;
        let job = reply.json();
        assert_eq!((reply.status, &job["status"]), (202, &json!("accepted")));
        assert_eq!(job["start_at"], json!(hours_ago(2)), "whole seconds and Z: {job}");
        assert_ne!(job["updated_at"], ZERO_TIME);
    }
}

#[tokio::test]
async fn a_window_that_breaks_a_rule_is_a_400_that_names_the_field_and_konnects_word_for_the_rule() {
    let bench = Bench::start().await;
    let url = bench.url("audit-log-replay-job");
    let with_a_space = hours_ago(1).format("%Y-%m-%d %H:%M:%SZ").to_string();
    for (body, field, rule) in [
        (json!({"start_at": hours_ago(24 * 8), "end_at": hours_ago(1)}), "start_at", "invalid"),
        (json!({"start_at": hours_ago(1), "end_at": hours_ago(2)}), "end_at", "invalid"),
        (json!({"start_at": hours_ago(1), "end_at": hours_ago(-1)}), "end_at", "invalid"),
        (json!({"end_at": hours_ago(1)}), "start_at", "required"),
        (json!({"start_at": hours_ago(1), "end_at": "yesterday"}), "end_at", "is_date_time"),
        (json!({"start_at": hours_ago(2), "end_at": with_a_space}), "end_at", "is_date_time"),
        (json!({"start_at": 7, "end_at": hours_ago(1)}), "start_at", "is_string"),
        (json!({"start_at": null, "end_at": hours_ago(1)}), "start_at", "is_string"),
        (json!("no object"), "body", "invalid"),
    ] {
        let reply = bench.put(&url, &body).await;
        assert_eq!((reply.status, reply.header("content-type")), (400, "application/problem+json"), "{body}");
        let invalid = &reply.json()["invalid_parameters"][0];
        assert_eq!((&invalid["field"], &invalid["rule"]), (&json!(field), &json!(rule)), "{body}");
    }
    assert!(bench.emulator.runs(&bench.portal).unwrap().is_empty());
}

#[tokio::test]
async fn every_problem_has_a_fresh_instance_and_every_answer_a_date() {
    let bench = Bench::start().await;
    let url = format!("{}/v2/portals/unknown/audit-log-replay-job", bench.emulator.base_url("eu"));
    let (first, second) = (bench.get(&url).await, bench.get(&url).await);
    assert_eq!((first.status, first.header("content-type")), (404, "application/problem+json"));
    assert_ne!(first.json()["instance"], second.json()["instance"]);
    assert!(httpdate::parse_http_date(first.header("date")).is_ok());
    for key in ["status", "title", "detail", "type"] {
        assert!(first.json().get(key).is_some(), "{key}");
    }
}

#[tokio::test]
async fn a_portal_is_known_in_its_region_and_organization_only() {
    let bench = Bench::start().await;
    let elsewhere = format!("{}/v2/portals/{PORTAL}/audit-log-replay-job", bench.emulator.base_url("us"));
    assert_eq!(bench.get(&elsewhere).await.status, 404);
    bench.emulator.add_organization("other", "kpat_other").unwrap();
    let url = bench.url("audit-log-replay-job");
    let foreign = bench.client.get(&url).bearer_auth("kpat_other").send().await.unwrap();
    assert_eq!(foreign.status(), 404);
    assert_eq!(bench.get(&url).await.status, 200);
}

#[tokio::test]
async fn global_and_unknown_paths_have_no_route() {
    let bench = Bench::start().await;
    for (region, path) in [("global", "v2/audit-log-replay-job"), ("eu", "v4/audit-log-replay-job"), ("eu", "")] {
        let reply = bench.get(&format!("{}/{path}", bench.emulator.base_url(region))).await;
        assert_eq!((reply.status, reply.header("content-type")), (404, "application/json"));
        assert!(reply.json().get("message").is_some());
    }
}

#[tokio::test]
async fn unknown_missing_and_revoked_tokens_are_a_401_of_the_service_or_of_the_gateway() {
    let bench = Bench::start().await;
    let url = bench.url("audit-log-replay-job");
    for unauthorized in [Unauthorized::Problem, Unauthorized::Gateway] {
        bench.emulator.change_every_behaviour(|behaviour| behaviour.unauthorized = unauthorized);
        bench.emulator.add_token("acme", "spat_short", Role::AuditLogAdmin).unwrap();
        bench.emulator.revoke_token("spat_short").unwrap();
        for token in [None, Some("kpat_unknown"), Some("spat_short")] {
            let request = bench.client.get(&url);
            let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
            let reply = Reply::read(request.send().await.unwrap()).await;
            assert_eq!(reply.status, 401);
            match unauthorized {
                Unauthorized::Problem => {
                    assert_eq!(reply.header("content-type"), "application/problem+json");
                    assert_eq!(
                        (&reply.json()["title"], &reply.json()["status"]),
                        (&json!("Unauthorized"), &json!(401))
                    );
                }
                Unauthorized::Gateway => {
                    assert_eq!(reply.header("content-type"), "application/json");
                    assert_eq!(reply.json(), json!({"message": "Unauthorized"}));
                }
            }
        }
    }
}

#[tokio::test]
async fn problems_have_the_texts_of_konnects_examples() {
    let bench = Bench::start().await;
    bench.emulator.add_token("acme", "spat_member", Role::Member).unwrap();
    bench.emulator.set_manual(&bench.portal, true).unwrap();
    let job = bench.url("audit-log-replay-job");
    let unauthorized = Reply::read(bench.client.get(&job).send().await.unwrap()).await;
    let forbidden = Reply::read(bench.client.get(&job).bearer_auth("spat_member").send().await.unwrap()).await;
    let not_found = bench.get(&job.replace(PORTAL, "0d0f7b52-0000-4c39-9f3c-1f7f5d6f9f11")).await;
    let bad_request = bench.put(&job, &json!([])).await;
    bench.put_job(window(2)).await;
    bench.emulator.advance(&bench.portal, Status::Running).unwrap();
    let conflict = bench.put_job(window(2)).await;
    for (reply, status, title, detail, prefix) in [
        (unauthorized, 401, "Unauthorized", "Unauthorized", "kong:trace:"),
        (forbidden, 403, "Forbidden", "You do not have permission to perform this action", "kong:trace:"),
        (not_found, 404, "Not Found", "Not Found", "kong:trace:"),
        (bad_request, 400, "Bad Request", "Could not parse request body", "konnect:trace:"),
        (conflict, 409, "Resource Conflict", "A replay job is currently running", "konnect:trace:"),
    ] {
        let problem = reply.json();
        assert_eq!((reply.status, &problem["status"]), (status, &json!(status)));
        assert_eq!((&problem["title"], &problem["detail"]), (&json!(title), &json!(detail)));
        let trace_id = problem["instance"].as_str().unwrap().strip_prefix(prefix).unwrap().to_owned();
        assert!(trace_id.parse::<i64>().unwrap() >= 0, "{trace_id}");
    }
}

#[tokio::test]
async fn a_400_has_the_texts_of_the_example_for_its_field() {
    let bench = Bench::start().await;
    let base = bench.emulator.base_url("eu");
    let endpoint = json!({"name": "a", "endpoint": "siem", "log_format": "cef", "authorization": "b"});
    let destination = json!({"audit_log_destination_id": "unknown"});
    for (method, path, body, detail, reason) in [
        (Method::POST, "v3/audit-log-destinations", &endpoint, "Invalid endpoint", "must be a valid URL"),
        (Method::PATCH, "v2/audit-log-webhook", &endpoint, "Invalid endpoint", "must be a valid URL"),
        (
            Method::PATCH,
            "v3/audit-log-webhook",
            &destination,
            "Could not parse destination id",
            "destination id format is invalid",
        ),
    ] {
        let sent = bench.request(method, &format!("{base}/{path}")).body(body.to_string()).send().await.unwrap();
        let problem = Reply::read(sent).await.json();
        let found = (&problem["detail"], &problem["invalid_parameters"][0]["reason"]);
        assert_eq!(found, (&json!(detail), &json!(reason)), "{path}");
    }
}

#[tokio::test]
async fn a_token_without_the_role_is_a_403_until_it_has_it() {
    let bench = Bench::start().await;
    bench.emulator.add_token("acme", "spat_fresh", Role::Member).unwrap();
    let get = || async {
        let url = bench.url("audit-log-webhook");
        Reply::read(bench.client.get(url).bearer_auth("spat_fresh").send().await.unwrap()).await
    };
    let refused = get().await;
    assert_eq!((refused.status, refused.header("content-type")), (403, "application/problem+json"));
    bench.emulator.set_role("spat_fresh", Role::AuditLogAdmin).unwrap();
    assert_eq!(get().await.status, 200);
}

#[tokio::test]
async fn a_portal_of_one_version_is_unknown_in_the_other() {
    let bench = Bench::start().await;
    bench.emulator.set_portal_version(&bench.portal, Some(ApiVersion::V3)).unwrap();
    let url = bench.url("audit-log-replay-job");
    assert_eq!(bench.get(&url).await.status, 404);
    assert_eq!(bench.get(&url.replace("/v2/", "/v3/")).await.status, 200);
}

#[tokio::test]
async fn an_organization_of_one_version_is_unknown_in_the_other() {
    let bench = Bench::start().await;
    let organization = TargetKey::organization("acme", "eu");
    let base = bench.emulator.base_url("eu");
    for (only, other) in [(ApiVersion::V2, "v3"), (ApiVersion::V3, "v2")] {
        bench.emulator.set_portal_version(&organization, Some(only)).unwrap();
        for path in ["audit-log-replay-job", "audit-log-webhook", "audit-log-webhook/status"] {
            assert_eq!(bench.get(&format!("{base}/{other}/{path}")).await.status, 404, "{other} {path}");
        }
        let webhook = bench.request(Method::PATCH, &format!("{base}/{other}/audit-log-webhook"));
        assert_eq!(webhook.body(r#"{"enabled":false}"#).send().await.unwrap().status(), 404, "{other}");
    }
}

#[tokio::test]
async fn the_webhook_shows_as_documented() {
    let bench = Bench::start().await;
    let base = bench.emulator.base_url("eu");
    let portal = bench.get(&bench.url("audit-log-webhook")).await.json();
    assert_eq!((&portal["enabled"], portal["audit_log_destination_id"].is_string()), (&json!(true), true));
    assert_eq!(bench.get(&format!("{base}/v3/audit-log-webhook")).await.status, 404);
    let unconfigured = json!({"enabled": false, "endpoint": "unconfigured"});
    assert_eq!(bench.get(&format!("{base}/v2/audit-log-webhook")).await.json(), unconfigured, "as kongctl reads it");
    let organization = TargetKey::organization("acme", "eu");
    bench.emulator.set_webhook(&organization, Webhook::new("http://127.0.0.1:9/logs")).unwrap();
    let v2 = bench.get(&format!("{base}/v2/audit-log-webhook")).await.json();
    assert_eq!((&v2["endpoint"], &v2["log_format"]), (&json!("http://127.0.0.1:9/logs"), &json!("json")));
    let v3 = bench.get(&format!("{base}/v3/audit-log-webhook")).await.json();
    assert!(v3["audit_log_destination_id"].is_string() && v3.get("endpoint").is_none());
    bench.emulator.set_webhook(&bench.portal, None).unwrap();
    assert_eq!(bench.get(&bench.url("audit-log-webhook")).await.status, 404);
    assert_eq!(bench.get(&bench.url("audit-log-webhook/status")).await.json()["webhook_status"], "unconfigured");
}

#[tokio::test]
async fn the_public_key_is_served_without_a_token() {
    let bench = Bench::start().await;
    let url = format!("{}/v2/audit-log-webhook/jwks.json", bench.emulator.base_url("eu"));
    let reply = Reply::read(bench.client.get(url).send().await.unwrap()).await;
    assert_eq!((reply.status, &reply.json()["keys"][0]["kty"]), (200, &json!("OKP")));
    assert_eq!(reply.json(), bench.emulator.jwks());
}

#[tokio::test]
async fn other_methods_are_a_405_that_names_those_there_are() {
    let bench = Bench::start().await;
    let base = bench.emulator.base_url("eu");
    for (method, path, allowed) in [
        (Method::DELETE, "v2/audit-log-replay-job", "GET, PUT"),
        (Method::PUT, "v2/audit-log-webhook", "GET, PATCH"),
        (Method::DELETE, "v2/audit-log-webhook", "GET, PATCH"),
        (Method::PUT, "v3/audit-log-webhook", "GET, PATCH, DELETE"),
        (Method::POST, "v3/audit-log-webhook/status", "GET"),
        (Method::PUT, "v2/audit-log-webhook/jwks.json", "GET"),
        (Method::PUT, "v3/audit-log-destinations", "GET, POST"),
        (Method::PUT, "v3/audit-log-destinations/x", "GET, PATCH, DELETE"),
        (Method::POST, "v3/portals", "GET"),
        (Method::POST, "v3/audit-logs", "GET"),
    ] {
        let response = bench.request(method.clone(), &format!("{base}/{path}")).send().await.unwrap();
        let reply = Reply::read(response).await;
        assert_eq!((reply.status, reply.header("allow")), (405, allowed), "{method} {path}");
    }
    let portal = bench.request(Method::PUT, &bench.url("audit-log-webhook")).send().await.unwrap();
    assert_eq!(Reply::read(portal).await.header("allow"), "GET, PATCH, DELETE");
}

#[tokio::test]
async fn every_call_is_in_the_log_without_the_tokens_value() {
    let bench = Bench::start().await;
    bench.put_job(window(2)).await;
    bench.client.get(bench.url("audit-log-webhook")).bearer_auth("kpat_unknown").send().await.unwrap();
    let calls = bench.emulator.calls();
    let [put, get] = calls.as_slice() else { panic!("two calls: {calls:?}") };
    assert_eq!((put.method.as_str(), put.status, put.effect), ("PUT", Some(202), true));
    assert_eq!((put.org.as_deref(), put.token.as_deref()), (Some("acme"), Some("acme/token-1")));
    assert!(put.path.starts_with("/eu/v2/portals/") && put.body.contains("start_at"));
    assert_eq!((get.token.as_deref(), get.status, get.effect), (None, Some(401), false));
    assert!(!format!("{calls:?}").contains(TOKEN));
    bench.emulator.clear_calls();
    assert!(bench.emulator.calls().is_empty());
}
