//! The list of Dev Portals, and the pull API.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use konnect_emulator::{ApiVersion, Emit, Q8, Q9, Q10, TargetKey};
use serde_json::{Value, json};

use crate::support::{Bench, LIMIT, PORTAL, hours_ago};

const SECOND: &str = "7c2f5a1b-3e4d-4f6a-8b9c-0d1e2f3a4b5c";
const THIRD: &str = "8d3f5a1b-3e4d-4f6a-8b9c-0d1e2f3a4b5c";

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|portal| portal["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn portals_are_listed_by_region_and_version_in_numbered_pages() {
    let bench = Bench::start().await;
    let second = bench.emulator.add_portal("acme", "eu", SECOND).unwrap();
    bench.emulator.add_portal("acme", "eu", THIRD).unwrap();
    bench.emulator.add_portal("acme", "us", "9e3f5a1b-3e4d-4f6a-8b9c-0d1e2f3a4b5c").unwrap();
    bench.emulator.set_portal_version(&bench.portal, Some(ApiVersion::V2)).unwrap();
    bench.emulator.set_portal_version(&second, Some(ApiVersion::V3)).unwrap();
    let list = async |path: &str| bench.get(&format!("{}/{path}", bench.emulator.base_url("eu"))).await.json();
    assert_eq!(ids(&list("v2/portals").await), [PORTAL, THIRD], "those that v2 knows");
    let all = list("v3/portals").await;
    assert_eq!(ids(&all), [SECOND, THIRD], "those that v3 knows");
    assert_eq!(all["meta"], json!({"page": {"number": 1, "size": 10, "total": 2}}));
    let page = list("v3/portals?page[size]=1&page[number]=2").await;
    assert_eq!((ids(&page), &page["meta"]["page"]["total"]), (vec![THIRD], &json!(2)));
    assert_eq!(ids(&list("v3/portals?page[size]=1&page[number]=3").await), Vec::<&str>::new());
    assert_eq!(ids(&list("v3/portals?filter[id][eq]=8d3f5a1b-3e4d-4f6a-8b9c-0d1e2f3a4b5c").await), [THIRD]);
    assert_eq!(ids(&list("v3/portals?filter[name][contains]=7c2f").await), [SECOND]);
    assert_eq!(ids(&list("v3/portals?page[size]=101").await).len(), 2, "Kong names no largest page");
}

#[tokio::test]
async fn a_page_of_portals_that_is_no_number_is_refused_as_in_the_examples() {
    let bench = Bench::start().await;
    for field in ["page[size]", "page[number]"] {
        let refused = bench.get(&format!("{}/v3/portals?{field}=x", bench.emulator.base_url("eu"))).await.json();
        let instance = refused["instance"].as_str().unwrap();
        assert!(instance.starts_with("kong:trace:"), "{instance}");
        assert_eq!((&refused["title"], &refused["detail"]), (&json!("Invalid Request"), &json!("Invalid Parameters")));
        let reason = format!("\"{field}\" must be a number");
        let invalid = json!([{"field": field, "rule": "is_number", "reason": reason, "source": "query"}]);
        assert_eq!(refused["invalid_parameters"], invalid);
        let refused = bench.get(&format!("{}/v3/portals?{field}=0", bench.emulator.base_url("eu"))).await.json();
        assert_eq!(refused["invalid_parameters"][0]["rule"], "min", "{refused}");
    }
}

#[tokio::test]
async fn every_documented_filter_of_portals_by_id_and_name_is_served_and_no_other_is_ignored() {
    let bench = Bench::start().await;
    bench.emulator.add_portal("acme", "eu", SECOND).unwrap();
    let list = async |query: &str| bench.get(&format!("{}/v3/portals?{query}", bench.emulator.base_url("eu"))).await;
    for (query, expected) in [
        (format!("filter[id]={SECOND}"), vec![SECOND]),
        (format!("filter[id][neq]={SECOND}"), vec![PORTAL]),
        (format!("filter[id][oeq]={SECOND},{PORTAL}"), vec![PORTAL, SECOND]),
        ("filter[name]=portal-7c2f5a1b".to_owned(), vec![SECOND]),
        ("filter[name][neq]=portal-7c2f5a1b".to_owned(), vec![PORTAL]),
        ("filter[name][oeq]=portal-7c2f5a1b,other".to_owned(), vec![SECOND]),
        ("filter[name][ocontains]=6b1e,7c2f".to_owned(), vec![PORTAL, SECOND]),
        ("filter[name][contains]=7c2f&filter[id][eq]=none".to_owned(), vec![]),
    ] {
        assert_eq!(ids(&list(&query).await.json()), expected, "{query}");
    }
    for field in ["filter[name][like]", "filter[description]", "filter[id][contains]", "sort"] {
        let refused = list(&format!("{field}=x")).await;
        let first = &refused.json()["invalid_parameters"][0];
        assert_eq!((refused.status, &first["field"], &first["rule"]), (400, &json!(field), &json!("unknown_property")));
    }
}

async fn pull(bench: &Bench, query: &str) -> Value {
    let reply = bench.get(&format!("{}/v3/audit-logs{query}", bench.emulator.base_url("eu"))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

fn items(page: &Value) -> &Vec<Value> {
    page["data"].as_array().unwrap()
}

#[tokio::test]
async fn the_pull_api_has_what_no_webhook_ever_received() {
    let bench = Bench::start().await;
    let organization = TargetKey::organization("acme", "eu");
    let made = bench.emulator.emit(&organization, Emit::at(30, hours_ago(2)).lost()).unwrap();
    bench.emulator.emit(&bench.portal, Emit::now(5)).unwrap();
    let first = pull(&bench, "").await;
    assert_eq!((items(&first).len(), &first["meta"]["page"]["size"]), (20, &json!(20)), "20 a page");
    let (mut seen, mut query) = (Vec::new(), "?page[size]=7".to_owned());
    loop {
        let page = pull(&bench, &query).await;
        seen.extend(items(&page).iter().map(|item| item["trace_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["meta"]["page"]["next"].as_str() else { break };
        query = format!("?{}", next.split_once('?').unwrap().1);
    }
    assert_eq!(seen, made, "each once, and none of a portal");
    let kinds: BTreeSet<_> = items(&first).iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["authentication", "authorization", "gateway_access"]);
}

#[tokio::test]
async fn pulled_events_are_filtered_by_time_and_type() {
    let bench = Bench::start().await;
    let organization = TargetKey::organization("acme", "eu");
    for hours in [30, 3, 2] {
        bench.emulator.emit(&organization, Emit::at(3, hours_ago(hours)).lost()).unwrap();
    }
    let count = async |query: String| items(&pull(&bench, &query).await).len();
    let time = |hours| hours_ago(hours).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    assert_eq!(count(format!("?filter[ts][gte]={}", time(3))).await, 6, "both ends are inclusive");
    assert_eq!(count(format!("?filter[ts][gte]={}&filter[ts][lte]={}", time(30), time(3))).await, 6);
    assert_eq!(count(format!("?filter[ts][lte]={}", time(30))).await, 3);
    for kind in ["authorization", "authentication", "gateway_access"] {
        assert_eq!(count(format!("?filter[type]={kind}")).await, 3);
    }
    for (query, rule) in [
        ("page[size]=1001", "max"),
        ("page[size]=0", "min"),
        ("page[size]=x", "is_number"),
        ("filter[ts][gt]=2026-11-20T08:00:00Z", "unknown_property"),
        ("filter[type]=access", "enum"),
        ("filter[ts][gte]=yesterday", "is_date_time"),
        ("page[after]=none", "invalid"),
    ] {
        let refused = bench.get(&format!("{}/v3/audit-logs?{query}", bench.emulator.base_url("eu"))).await;
        let first = &refused.json()["invalid_parameters"][0];
        assert_eq!((refused.status, &first["rule"], &first["source"]), (400, &json!(rule), &json!("query")), "{query}");
    }
    bench.emulator.emit(&organization, Emit::at(1000, hours_ago(1)).lost()).unwrap();
    assert_eq!(count("?page[size]=1000".to_owned()).await, 1000);
}

#[tokio::test]
async fn q8_says_whether_the_signature_is_that_of_the_webhook() {
    for (q8, same) in [(Q8::Same, true), (Q8::Other, false)] {
        let bench = Bench::start().await;
        let organization = TargetKey::organization("acme", "eu");
        bench.emulator.change_every_behaviour(|behaviour| behaviour.q8 = q8);
        bench.emulator.set_webhook(&organization, konnect_emulator::Webhook::new(bench.receiver.url())).unwrap();
        bench.emulator.emit(&organization, Emit::now(1)).unwrap();
        let line = bench.receiver.wait_for_events(1, LIMIT).await.unwrap()[0].line.clone();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(items(&pull(&bench, "").await)[0]["signature"] == line["sig"], same, "{q8:?}");
    }
}

#[tokio::test]
async fn q9_says_whether_logins_at_portals_can_be_pulled() {
    for (q9, count) in [(Q9::OrganizationOnly, 1), (Q9::WithPortals, 3)] {
        let bench = Bench::start().await;
        bench.emulator.change_every_behaviour(|behaviour| behaviour.q9 = q9);
        bench.emulator.emit(&TargetKey::organization("acme", "eu"), Emit::at(1, hours_ago(1)).lost()).unwrap();
        bench.emulator.emit(&bench.portal, Emit::at(2, hours_ago(1)).lost()).unwrap();
        let page = pull(&bench, "").await;
        assert_eq!(items(&page).len(), count, "{q9:?}");
        assert_eq!(items(&page).iter().filter(|item| item["portal_id"] == PORTAL).count(), count - 1);
    }
}

#[tokio::test]
async fn q10_says_what_a_call_leaves_in_the_log() {
    for (q10, events, shared) in [(Q10::Nothing, 0, false), (Q10::OwnTrace, 2, false), (Q10::AnswersTrace, 2, true)] {
        let bench = Bench::start().await;
        bench.emulator.change_every_behaviour(|behaviour| behaviour.q10 = q10);
        let url = format!("{}/v3/audit-log-destinations/{SECOND}", bench.emulator.base_url("eu"));
        let refused = bench.get(&url).await;
        assert_eq!(refused.status, 404);
        let instance = refused.json()["instance"].as_str().unwrap().to_owned();
        bench.emulator.change_every_behaviour(|behaviour| behaviour.q10 = Q10::Nothing);
        let page = pull(&bench, "").await;
        let types: Vec<_> = items(&page).iter().map(|item| item["type"].clone()).collect();
        assert_eq!(types.len(), events, "{q10:?}");
        assert_eq!(types, [json!("authentication"), json!("authorization")][..events]);
        let traces = items(&page).iter().map(|item| format!("kong:trace:{}", item["trace_id"].as_str().unwrap()));
        assert!(traces.into_iter().all(|trace| (trace == instance) == shared), "{q10:?}");
    }
}

#[tokio::test]
async fn what_is_older_than_seven_days_cannot_be_pulled() {
    let bench = Bench::start().await;
    let organization = TargetKey::organization("acme", "eu");
    let at = Utc::now() - TimeDelta::days(7) + TimeDelta::minutes(5);
    bench.emulator.emit(&organization, Emit::at(1, at).lost()).unwrap();
    bench.emulator.emit(&organization, Emit::at(1, at - TimeDelta::minutes(10)).lost()).unwrap();
    let from = (at - TimeDelta::days(1)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    assert_eq!(items(&pull(&bench, &format!("?filter[ts][gte]={from}")).await).len(), 1);
}
