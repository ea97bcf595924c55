//! The webhook over the API: read, changed, deleted, and its status in every documented combination.

use konnect_emulator::{Emit, Emulator, Outage, TargetKey, Webhook};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, LIMIT, Reply};

impl Bench {
    async fn patch(&self, url: &str, body: &Value) -> Reply {
        Reply::read(self.request(Method::PATCH, url).body(body.to_string()).send().await.unwrap()).await
    }

    async fn delete(&self, url: &str) -> Reply {
        Reply::read(self.request(Method::DELETE, url).send().await.unwrap()).await
    }

    fn organization(&self, version: &str) -> String {
        format!("{}/{version}/audit-log-webhook", self.emulator.base_url("eu"))
    }
}

fn first_invalid(reply: &Reply) -> (u16, Value, Value) {
    let first = &reply.json()["invalid_parameters"][0];
    (reply.status, first["field"].clone(), first["rule"].clone())
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let bench = Bench::start().await;
    let url = bench.url("audit-log-webhook");
    let id = bench.get(&url).await.json()["audit_log_destination_id"].clone();
    let off = bench.patch(&url, &json!({"enabled": false})).await;
    assert_eq!((off.status, off.json()), (200, json!({"enabled": false, "audit_log_destination_id": id})));
    let same = bench.patch(&url, &json!({"audit_log_destination_id": id})).await;
    assert_eq!(same.json()["enabled"], false);
    let on = bench.patch(&url, &json!({"enabled": true})).await;
    assert_eq!(on.json(), json!({"enabled": true, "audit_log_destination_id": id}));
    assert_eq!(bench.patch(&url, &json!({})).await.json(), on.json());
}

#[tokio::test]
async fn null_and_other_types_are_refused() {
    let bench = Bench::start().await;
    let (portal, organization) = (bench.url("audit-log-webhook"), bench.organization("v2"));
    for (url, body, field, rule) in [
        (&portal, json!({"enabled": null}), "enabled", "is_boolean"),
        (&portal, json!({"enabled": "yes"}), "enabled", "is_boolean"),
        (&portal, json!({"audit_log_destination_id": null}), "audit_log_destination_id", "is_uuid"),
        (&portal, json!({"audit_log_destination_id": "unknown"}), "audit_log_destination_id", "is_uuid"),
        (
            &portal,
            json!({"audit_log_destination_id": "0d0f7b52-0000-4c39-9f3c-1f7f5d6f9f11"}),
            "audit_log_destination_id",
            "missing_reference",
        ),
        (&organization, json!({"endpoint": null}), "endpoint", "is_string"),
        (&organization, json!({"endpoint": "ftp://a"}), "endpoint", "invalid"),
        (&organization, json!({"endpoint": "http://a", "log_format": null}), "log_format", "enum"),
        (&organization, json!({"endpoint": "http://a", "log_format": "xml"}), "log_format", "enum"),
        (&organization, json!({"endpoint": "http://a", "authorization": null}), "authorization", "is_string"),
        (
            &organization,
            json!({"endpoint": "http://a", "skip_ssl_verification": 1}),
            "skip_ssl_verification",
            "is_boolean",
        ),
        (&organization, json!({"enabled": true}), "endpoint", "required"),
    ] {
        let before = bench.get(url).await.json();
        assert_eq!(first_invalid(&bench.patch(url, &body).await), (400, json!(field), json!(rule)), "{body}");
        assert_eq!(bench.get(url).await.json(), before, "nothing has changed");
    }
}

#[tokio::test]
async fn an_endpoint_without_a_format_gets_cef() {
    let bench = Bench::start().await;
    let url = bench.organization("v2");
    let made = bench.patch(&url, &json!({"endpoint": bench.receiver.url()})).await.json();
    assert_eq!(
        (&made["log_format"], &made["enabled"]),
        (&json!("cef"), &json!(false)),
        "both are the documented defaults"
    );
    let changed = bench.patch(&url, &json!({"log_format": "cps", "enabled": true})).await.json();
    assert_eq!((&changed["log_format"], &changed["endpoint"]), (&json!("cps"), &json!(bench.receiver.url())));
    assert!(bench.get(&bench.organization("v3")).await.json()["audit_log_destination_id"].is_string());
}

#[tokio::test]
async fn turning_off_what_is_not_configured_changes_nothing() {
    let bench = Bench::start().await;
    bench.emulator.set_webhook(&bench.portal, None).unwrap();
    let unconfigured = json!({"enabled": false, "endpoint": "unconfigured"});
    let off = bench.patch(&bench.organization("v2"), &json!({"enabled": false})).await;
    assert_eq!((off.status, off.json()), (200, unconfigured.clone()));
    for url in [bench.organization("v3"), bench.url("audit-log-webhook")] {
        assert_eq!(bench.patch(&url, &json!({"enabled": false})).await.status, 404);
        let on = bench.patch(&url, &json!({"enabled": true})).await;
        assert_eq!(first_invalid(&on), (400, json!("audit_log_destination_id"), json!("required")));
    }
    assert_eq!(bench.get(&bench.organization("v2")).await.json(), unconfigured);
}

#[tokio::test]
async fn a_webhook_is_deleted_where_konnect_deletes_it() {
    let bench = Bench::start().await;
    let organization = TargetKey::organization("acme", "eu");
    bench.emulator.set_webhook(&organization, Webhook::new(bench.receiver.url())).unwrap();
    for url in [bench.url("audit-log-webhook"), bench.organization("v3")] {
        let gone = bench.delete(&url).await;
        assert_eq!((gone.status, gone.body.as_str()), (204, ""));
        assert_eq!(bench.get(&url).await.status, 404);
        assert_eq!(bench.delete(&url).await.status, 404);
        let status = bench.get(&format!("{url}/status")).await.json();
        assert_eq!(status, json!({"webhook_enabled": false, "webhook_status": "unconfigured"}));
    }
    assert_eq!(bench.get(&bench.organization("v2")).await.json()["endpoint"], "unconfigured");
}

#[tokio::test]
async fn the_status_has_every_documented_combination() {
    let bench = Bench::start().await;
    let url = bench.url("audit-log-webhook");
    let status = || async {
        let status = bench.get(&bench.url("audit-log-webhook/status")).await.json();
        (status["webhook_enabled"].clone(), status["webhook_status"].clone(), status.get("last_attempt_at").is_some())
    };
    assert_eq!(status().await, (json!(true), json!("active"), false), "no attempts yet");
    bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
    let attempts = |count: usize| {
        bench.emulator.wait_for(LIMIT, move |e: &Emulator| (e.deliveries().len() >= count).then_some(()))
    };
    attempts(1).await.unwrap();
    assert_eq!(status().await, (json!(true), json!("active"), true), "the last attempt was successful");
    bench.receiver.set_outage(Outage::Answer(503));
    bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
    attempts(2).await.unwrap();
    assert_eq!(status().await, (json!(true), json!("inactive"), true), "the last attempt failed");
    bench.patch(&url, &json!({"enabled": false})).await;
    assert_eq!(status().await, (json!(false), json!("inactive"), true), "it failed, and was turned off");
    bench.emulator.set_webhook(&bench.portal, Webhook::new("http://127.0.0.1:9").disabled()).unwrap();
    assert_eq!(status().await, (json!(false), json!("active"), false), "saved, and not in use");
    bench.delete(&url).await;
    assert_eq!(status().await, (json!(false), json!("unconfigured"), false), "none");
}
