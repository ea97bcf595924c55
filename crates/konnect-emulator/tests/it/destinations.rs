//! Destinations: their five operations, and what a change means for the webhooks that point there.

use konnect_emulator::{Emit, MISPRINTED_ZERO_TIME, TargetKey, UnsetTime, Webhook, ZERO_TIME};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, LIMIT, Reply};

fn url(bench: &Bench, version: &str, rest: &str) -> String {
    format!("{}/{version}/audit-log-destinations{rest}", bench.emulator.base_url("eu"))
}

async fn send(bench: &Bench, method: Method, url: &str, body: &Value) -> Reply {
    Reply::read(bench.request(method, url).body(body.to_string()).send().await.unwrap()).await
}

async fn delete(bench: &Bench, url: &str) -> Reply {
    Reply::read(bench.request(Method::DELETE, url).send().await.unwrap()).await
}

fn siem(bench: &Bench, name: &str) -> Value {
    json!({"name": name, "endpoint": bench.receiver.url(), "log_format": "json", "authorization": "Bearer siem"})
}

async fn make(bench: &Bench, version: &str, name: &str) -> Value {
    let made = send(bench, Method::POST, &url(bench, version, ""), &siem(bench, name)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()
}

#[tokio::test]
async fn a_destination_is_made_shown_changed_and_deleted_in_both_versions() {
    let bench = Bench::start().await;
    for version in ["v2", "v3"] {
        let made = make(&bench, version, "siem").await;
        let shown = url(&bench, version, &format!("/{}", made["id"].as_str().unwrap()));
        assert_eq!(bench.get(&shown).await.json(), made);
        assert_eq!((&made["name"], &made["log_format"]), (&json!("siem"), &json!("json")));
        assert!(made.get("authorization").is_none(), "it is never shown");
        let changed = send(&bench, Method::PATCH, &shown, &json!({"name": "other", "log_format": "cps"})).await.json();
        assert_eq!((&changed["name"], &changed["log_format"]), (&json!("other"), &json!("cps")));
        assert_eq!((&changed["endpoint"], &changed["created_at"]), (&made["endpoint"], &made["created_at"]));
        assert_ne!(changed["updated_at"], made["updated_at"]);
        assert_eq!(delete(&bench, &shown).await.status, 204);
        assert_eq!(delete(&bench, &shown).await.status, 404);
        assert_eq!(bench.get(&shown).await.status, 404);
        assert_eq!(send(&bench, Method::PATCH, &shown, &json!({})).await.status, 404);
    }
}

#[tokio::test]
async fn what_is_missing_or_odd_is_named() {
    let bench = Bench::start().await;
    for (field, value, rule) in [
        ("name", None, "required"),
        ("endpoint", None, "required"),
        ("endpoint", Some(json!("")), "required"),
        ("endpoint", Some(json!("siem")), "invalid"),
        ("log_format", None, "required"),
        ("log_format", Some(json!("xml")), "enum"),
        ("authorization", None, "required"),
        ("authorization", Some(json!("")), "required"),
        ("name", Some(json!("")), "required"),
        ("skip_ssl_verification", Some(json!("no")), "is_boolean"),
    ] {
        let mut body = siem(&bench, "siem");
        body.as_object_mut().unwrap().remove(field);
        body.as_object_mut().unwrap().extend(value.map(|value| (field.to_owned(), value)));
        let refused = send(&bench, Method::POST, &url(&bench, "v3", ""), &body).await;
        let first = &refused.json()["invalid_parameters"][0];
        assert_eq!((refused.status, &first["field"], &first["rule"]), (400, &json!(field), &json!(rule)), "{body}");
    }
}

#[tokio::test]
async fn a_change_cannot_blank_what_a_new_destination_must_have() {
    let bench = Bench::start().await;
    let made = make(&bench, "v3", "siem").await;
    let shown = url(&bench, "v3", &format!("/{}", made["id"].as_str().unwrap()));
    for field in ["name", "endpoint", "authorization"] {
        let refused = send(&bench, Method::PATCH, &shown, &json!({field: ""})).await;
        let first = &refused.json()["invalid_parameters"][0];
        assert_eq!((refused.status, &first["field"], &first["rule"]), (400, &json!(field), &json!("required")));
    }
    assert_eq!(bench.get(&shown).await.json(), made);
}

/// Kong's own example of a new destination has an `id`, which the schema beside it does not have.
#[tokio::test]
async fn kongs_example_of_a_new_destination_is_no_violation() {
    let bench = Bench::start().await;
    let example = json!({
        "id": "07ec3858-066b-4629-bdc5-d4aa893b424d",
        "name": "My Destination",
        "endpoint": "https://example.com/audit-log",
        "authorization": "Bearer token",
        "log_format": "cef",
        "skip_ssl_verification": false,
    });
    let request = bench.request(Method::POST, &url(&bench, "v3", ""));
    let request = request.header("content-type", "application/json; charset=utf-8").body(example.to_string());
    let made = Reply::read(request.send().await.unwrap()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_ne!(made.json()["id"], example["id"], "Konnect gives the ids");
    assert_eq!(bench.emulator.violations(), []);
}

#[tokio::test]
async fn a_destination_that_was_never_changed_has_the_zero_time() {
    let bench = Bench::start().await;
    for (unset, text) in [(UnsetTime::Valid, ZERO_TIME), (UnsetTime::Misprinted, MISPRINTED_ZERO_TIME)] {
        bench.emulator.change_every_behaviour(|behaviour| behaviour.times.unset = unset);
        let made = make(&bench, "v3", "siem").await;
        assert_eq!(made["updated_at"], text);
        assert_ne!(made["created_at"], text);
    }
}

#[tokio::test]
async fn a_cursor_ends_with_the_destination_that_it_names() {
    let bench = Bench::start().await;
    make(&bench, "v3", "one").await;
    make(&bench, "v3", "two").await;
    let page = bench.get(&url(&bench, "v3", "?page[size]=2")).await.json();
    let next = page["meta"]["next"].as_str().unwrap().split_once('?').unwrap().1.to_owned();
    assert_eq!(bench.get(&url(&bench, "v3", &format!("?{next}"))).await.status, 200);
    let last = page["data"][1]["id"].as_str().unwrap();
    assert_eq!(delete(&bench, &url(&bench, "v3", &format!("/{last}"))).await.status, 204);
    let refused = bench.get(&url(&bench, "v3", &format!("?{next}"))).await;
    assert_eq!((refused.status, &refused.json()["invalid_parameters"][0]["rule"]), (400, &json!("invalid")));
}

#[tokio::test]
async fn a_filter_that_kong_does_not_have_is_refused() {
    let bench = Bench::start().await;
    make(&bench, "v2", "one").await;
    let by_name = bench.get(&url(&bench, "v2", "?filter[name]=one")).await.json();
    assert_eq!(by_name["data"].as_array().unwrap().len(), 1);
    let refused = bench.get(&url(&bench, "v3", "?filter[name][neq]=one")).await;
    let first = &refused.json()["invalid_parameters"][0];
    assert_eq!((refused.status, &first["rule"]), (400, &json!("unknown_property")));
}

#[tokio::test]
async fn the_list_is_paged_by_cursor_and_filtered_by_name() {
    let bench = Bench::start().await;
    let made = ["one", "two", "three"];
    for name in made {
        make(&bench, "v3", name).await;
    }
    let list = async |query: String| bench.get(&url(&bench, "v3", &query)).await.json();
    let names = |list: &Value| -> Vec<String> {
        list["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = list(String::new()).await;
    assert_eq!(
        (all["data"].as_array().unwrap().len(), &all["meta"]["next"]),
        (4, &Value::Null),
        "one is the bench's own"
    );
    let (mut seen, mut query) = (Vec::new(), "?page[size]=3".to_owned());
    loop {
        let page = list(query).await;
        seen.extend(names(&page));
        let Some(next) = page["meta"]["next"].as_str() else { break };
        assert!(next.starts_with("/api/v3/audit-log-destinations?"), "{next}");
        query = format!("?{}", next.split_once('?').unwrap().1);
    }
    assert_eq!(seen[1..], made);
    assert_eq!(names(&list("?filter[name][eq]=two".to_owned()).await), ["two"]);
    assert_eq!(names(&list("?filter[name][contains]=t".to_owned()).await).len(), 3, "the bench's own has a t, too");
    assert_eq!(bench.get(&url(&bench, "v3", "?page[after]=none")).await.status, 400);
}

#[tokio::test]
async fn destinations_are_the_organizations_own_whatever_the_region() {
    let bench = Bench::start().await;
    let id = make(&bench, "v3", "siem").await["id"].as_str().unwrap().to_owned();
    for region in ["us", "global"] {
        let there = format!("{}/v2/audit-log-destinations/{id}", bench.emulator.base_url(region));
        assert_eq!(bench.get(&there).await.status, 200, "{region}");
    }
    bench.emulator.add_organization("other", "kpat_other").unwrap();
    let foreign =
        bench.client.get(url(&bench, "v3", &format!("/{id}"))).bearer_auth("kpat_other").send().await.unwrap();
    assert_eq!(foreign.status(), 404);
}

#[tokio::test]
async fn a_change_reaches_the_webhooks_that_point_there_and_nobody_deletes_what_is_in_use() {
    let bench = Bench::start().await;
    let body = json!({"name": "down", "endpoint": "http://127.0.0.1:9/", "log_format": "cef", "authorization": "x"});
    let made = send(&bench, Method::POST, &url(&bench, "v3", ""), &body).await.json();
    let shown = url(&bench, "v3", &format!("/{}", made["id"].as_str().unwrap()));
    let webhook = json!({"audit_log_destination_id": made["id"], "enabled": true});
    let organization = format!("{}/v3/audit-log-webhook", bench.emulator.base_url("eu"));
    for webhook_url in [bench.url("audit-log-webhook"), organization] {
        assert_eq!(send(&bench, Method::PATCH, &webhook_url, &webhook).await.json(), webhook);
    }
    assert_eq!(delete(&bench, &shown).await.status, 409);
    send(&bench, Method::PATCH, &shown, &json!({"endpoint": bench.receiver.url()})).await;
    bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
    bench.emulator.emit(&TargetKey::organization("acme", "eu"), Emit::now(1)).unwrap();
    let events = bench.receiver.wait_for_events(2, LIMIT).await.unwrap();
    assert!(events.iter().all(|event| event.line.contains("CEF:0")), "{events:#?}");
    assert_eq!(bench.get(&bench.url("audit-log-webhook")).await.json(), webhook);
    for key in [&bench.portal, &TargetKey::organization("acme", "eu")] {
        bench.emulator.set_webhook(key, Webhook::new("http://127.0.0.1:9")).unwrap();
    }
    assert_eq!(delete(&bench, &shown).await.status, 204);
}
