//! What the API server itself refuses, with which words, and what it fills in.

use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::support::{PORTAL, World, condition, is_true};

async fn world() -> World {
    World::builder().without_operator().build().await
}

fn valid() -> Value {
    json!({
        "apiVersion": "konnect-replay.dev/v1alpha1",
        "kind": "AuditLogReplayJob",
        "metadata": { "generateName": "job-" },
        "spec": {
            "target": { "region": "eu", "portalID": PORTAL },
            "window": { "startAt": "2026-11-20T08:00:00Z", "endAt": "2026-11-20T11:30:00Z" },
            "tokenSecretRef": { "name": "konnect-token" },
        },
    })
}

fn api(world: &World) -> Api<DynamicObject> {
    Api::namespaced_with(world.client.clone(), &world.namespace, &ApiResource::erase::<AuditLogReplayJob>(&()))
}

fn merge(base: &mut Value, patch: &Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, patch) => base.clone_from(patch),
    }
}

async fn create(world: &World, spec: Value) -> Result<Value, String> {
    let mut object = valid();
    merge(&mut object, &json!({ "spec": spec }));
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let created = api(world).create(&PostParams::default(), &object).await;
    created.map(|object| serde_json::to_value(object).unwrap()).map_err(|error| error.to_string())
}

fn window(start: &str, end: &str) -> Value {
    json!({ "window": { "startAt": start, "endAt": end } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_refused_and_the_message_says_what_to_do() {
    let world = world().await;
    let long = "x".repeat(300);
    let rows = [
        (json!({ "target": { "region": "global" } }), "global serves no replay, so name the region itself"),
        (json!({ "ttlSecondsAfterFinished": 0 }), "give 60 or more, or leave it out to keep the object"),
        (json!({ "ttlSecondsAfterFinished": 59 }), "give 60 or more, or leave it out to keep the object"),
        (json!({ "target": { "region": "EU" } }), "two lower-case letters of a Konnect region, such as eu"),
        (json!({ "target": { "region": "e" } }), "two lower-case letters"),
        (json!({ "target": { "region": "eu/../us" } }), "two lower-case letters"),
        (json!({ "target": { "region": "eu\n" } }), "two lower-case letters"),
        (json!({ "target": { "region": "" } }), "two lower-case letters"),
        (json!({ "target": { "region": long } }), "Too long"),
        (json!({ "target": { "region": null } }), "spec.target.region: Required value"),
        (json!({ "target": { "scope": "Team" } }), "supported values: \"Portal\", \"Organization\""),
        (json!({ "target": { "portalID": null } }), "portalID is required with scope Portal"),
        (json!({ "target": { "scope": "Organization" } }), "portalID is not allowed with scope Organization"),
        (json!({ "target": { "portalID": PORTAL.to_uppercase() } }), "portalID is a UUID in lower case with dashes"),
        (json!({ "target": { "portalID": PORTAL.replace('-', "") } }), "portalID is a UUID in lower case with dashes"),
        (json!({ "target": { "portalID": format!("{{{PORTAL}}}") } }), "portalID is a UUID in lower case with dashes"),
        (json!({ "target": { "portalID": format!("{PORTAL}\n") } }), "portalID is a UUID in lower case with dashes"),
        (json!({ "target": { "portalID": "../../organizations" } }), "portalID is a UUID in lower case with dashes"),
        (json!({ "target": { "portalID": "" } }), "portalID is a UUID in lower case with dashes"),
        (json!({ "target": { "portalID": long } }), "Too long"),
        (json!({ "target": { "konnectAPIVersion": "v1" } }), "supported values: \"Auto\", \"v2\", \"v3\""),
        (json!({ "target": null }), "spec.target: Required value"),
        (
            window("2026-11-20T11:30:00Z", "2026-11-20T08:00:00Z"),
            "endAt is before startAt: exchange them or correct one",
        ),
        (window("2026-11-01T00:00:00Z", "2026-11-08T00:00:01Z"), "longer than 7 days (168h)"),
        (window("2019-12-31T23:59:59Z", "2020-01-01T00:00:00Z"), "between 2020 and 2099"),
        (window("2099-12-31T23:00:00Z", "2100-01-01T00:00:00Z"), "between 2020 and 2099"),
        (json!({ "window": { "startAt": null } }), "spec.window.startAt: Required value"),
        (json!({ "window": { "endAt": null } }), "spec.window.endAt: Required value"),
        (json!({ "window": null }), "spec.window: Required value"),
        (json!({ "tokenSecretRef": { "name": "" } }), "spec.tokenSecretRef.name"),
        (json!({ "tokenSecretRef": { "name": "../other" } }), "name of a Secret has lower-case letters"),
        (json!({ "tokenSecretRef": { "name": "Token" } }), "give the name of a Secret in this namespace"),
        (json!({ "tokenSecretRef": { "name": long } }), "Too long"),
        (json!({ "tokenSecretRef": { "name": null } }), "spec.tokenSecretRef.name: Required value"),
        (json!({ "tokenSecretRef": { "key": "a/b" } }), "a key of a Secret has letters, digits"),
        (json!({ "tokenSecretRef": { "key": "" } }), "spec.tokenSecretRef.key"),
        (json!({ "tokenSecretRef": null }), "spec.tokenSecretRef: Required value"),
        (json!({ "webhookPolicy": "Sometimes" }), "supported values: \"RequireEnabled\", \"Ignore\""),
        (json!({ "suspend": "yes" }), "spec.suspend"),
    ];
    for (spec, expected) in rows {
        match create(&world, spec.clone()).await {
            Ok(created) => panic!("{spec} was admitted: {created:#}"),
            Err(message) => assert!(message.contains(expected), "{spec}: {message}"),
        }
    }
}

/// Times as `date --rfc-3339`, `PyYAML`, `strftime` and people write them. What the API server says, the plugin says too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_in_another_form_is_refused_with_the_form_to_write() {
    let world = world().await;
    let expected = "a time is RFC 3339 with a T, seconds and its zone: write it as 2026-11-20T08:00:00Z or \
                    2026-11-20T09:00:00+01:00";
    let others = [
        "2026-11-20 08:00:00+00:00",
        "2026-11-20 08:00:00Z",
        "2026-11-20t08:00:00z",
        "2026-11-20T08:00:00+0000",
        "2026-11-20T08:00:00",
        "2026-11-20T08:00Z",
        "2026-11-20T08:00:00,5Z",
        "2026-11-20T08:00:00.1234567891Z",
        "2026-11-20T08:00:60Z",
        "2026-11-20T24:30:00Z",
        "2026-11-20",
        "2026-11-31T11:30:00Z",
        "2026-02-29T11:30:00Z",
        "2026-11-20T08:00:00Z\n",
        "1763625600",
        "now",
        "",
    ];
    for other in others {
        for (field, window) in
            [("startAt", window(other, "2026-11-20T11:30:00Z")), ("endAt", window("2026-11-20T08:00:00Z", other))]
        {
            let message = create(&world, window).await.expect_err(other);
            let at = format!("spec.window.{field}: Invalid value");
            assert!(message.contains(&at) && message.contains(expected), "{other}: {message}");
        }
        let spec = json!({ "target": { "region": "eu", "portalID": PORTAL }, "tokenSecretRef": { "name": "t" },
            "window": { "startAt": other, "endAt": "2026-11-20T11:30:00Z" } });
        let broken = konnect_replay_core::api::violations(&serde_json::from_value(spec).unwrap());
        assert_eq!(broken.first().map(|broken| broken.message), Some(expected), "{other}: {broken:?}");
    }
}

/// A time in another form is told alone: nothing is said of an order that nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_times_that_cannot_be_read_nothing_else_is_said() {
    let world = world().await;
    let message = create(&world, window("2026-11-21 08:00:00Z", "2026-11-20T11:30:00Z")).await.unwrap_err();
    assert!(message.contains("write it as") && !message.contains("exchange them"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_right_is_admitted() {
    let world = world().await;
    let rows = [
        json!({}),
        json!({ "target": { "region": "zz", "konnectAPIVersion": "v3" } }),
        json!({ "target": { "konnectAPIVersion": "v2" } }),
        json!({ "target": { "konnectAPIVersion": "Auto" } }),
        json!({ "target": { "scope": "Organization", "portalID": null } }),
        window("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
        window("2026-11-01T00:00:00Z", "2026-11-08T00:00:00Z"),
        window("2026-11-20T08:00:00.123456789+02:00", "2026-11-20T11:30:00-05:30"),
        window("2020-01-01T00:00:00Z", "2020-01-01T01:00:00Z"),
        json!({ "tokenSecretRef": { "name": "a.b-c.d1", "key": "Konnect_TOKEN.txt" } }),
        json!({ "webhookPolicy": "Ignore", "suspend": true }),
    ];
    for spec in rows {
        let created = create(&world, spec.clone()).await;
        assert!(created.is_ok(), "{spec}: {created:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_out_is_filled_in() {
    let world = world().await;
    let created = create(&world, json!({})).await.unwrap();
    assert_eq!(
        created["spec"]["target"],
        json!({ "region": "eu", "scope": "Portal", "portalID": PORTAL, "konnectAPIVersion": "Auto" })
    );
    assert_eq!(created["spec"]["tokenSecretRef"], json!({ "name": "konnect-token", "key": "token" }));
    assert_eq!(
        (&created["spec"]["suspend"], &created["spec"]["webhookPolicy"]),
        (&json!(false), &json!("RequireEnabled"))
    );
    assert_eq!(created["status"]["observedGeneration"], -1, "kstatus says InProgress before the first visit");

    let nulls = json!({
        "target": { "scope": null, "konnectAPIVersion": null }, "tokenSecretRef": { "key": null },
        "suspend": null, "webhookPolicy": null,
    });
    let created = create(&world, nulls).await.unwrap();
    assert_eq!(created["spec"]["target"]["scope"], "Portal", "an explicit null is a value left out");
    assert_eq!(created["spec"]["tokenSecretRef"]["key"], "token");

    let organization =
        create(&world, json!({ "target": { "scope": "Organization", "portalID": null } })).await.unwrap();
    assert!(organization["spec"]["target"].get("portalID").is_none());
}

async fn patched(world: &World, name: &str, spec: &Value) -> Result<Value, String> {
    let patch = Patch::Merge(json!({ "spec": spec }));
    let patched = api(world).patch(name, &PatchParams::default(), &patch).await;
    patched.map(|object| serde_json::to_value(object).unwrap()).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn target_and_window_cannot_be_changed() {
    let world = world().await;
    let portal = create(&world, json!({})).await.unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    let organization = json!({ "target": { "scope": "Organization", "portalID": null } });
    let organization = create(&world, organization).await.unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    let (target, window) = ("target cannot be changed", "window cannot be changed");
    let another = "create another AuditLogReplayJob for the other";
    for (name, spec, expected) in [
        (&portal, json!({ "target": { "region": "us" } }), target),
        (&portal, json!({ "target": { "portalID": PORTAL.replace('6', "7") } }), target),
        (&portal, json!({ "target": { "konnectAPIVersion": "v3" } }), target),
        (&portal, json!({ "target": { "scope": "Organization", "portalID": null } }), target),
        (&organization, json!({ "target": { "scope": "Portal", "portalID": PORTAL } }), target),
        (&portal, json!({ "window": { "startAt": "2026-11-20T08:00:01Z" } }), window),
        (&portal, json!({ "window": { "endAt": "2026-11-20T11:30:01Z" } }), window),
    ] {
        let message = patched(&world, name, &spec).await.unwrap_err();
        assert!(message.contains(expected) && message.contains(another), "{spec}: {message}");
    }
    // Adding or removing the id alone meets the rule on the scope as well.
    for (name, spec) in [
        (&portal, json!({ "target": { "portalID": null } })),
        (&organization, json!({ "target": { "portalID": PORTAL } })),
    ] {
        assert!(patched(&world, name, &spec).await.unwrap_err().contains("portalID is"), "{spec}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_may_be_mended_at_any_time() {
    let world = World::new().await;
    world.create(world.job("mended")).await;
    world.wait_until_complete("mended").await;
    for spec in [
        json!({ "suspend": true }),
        json!({ "webhookPolicy": "Ignore" }),
        json!({ "tokenSecretRef": { "name": "other-token", "key": "other" } }),
        // The same values again are no change.
        json!({ "target": { "region": "eu" } }),
    ] {
        assert!(patched(&world, "mended", &spec).await.is_ok(), "{spec}");
    }
    let generation = world.get("mended").await.metadata.generation.unwrap();
    let seen = world
        .wait_now("mended", "observed", |job| job.status.as_ref().unwrap().observed_generation == generation)
        .await;
    assert!(is_true(&seen, &ConditionType::Complete));
    assert_eq!(world.runs().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_that_the_installer_does_not_allow_is_said_on_the_object() {
    let world = World::new().await;
    let job = create(&world, json!({ "target": { "region": "zz" } })).await.unwrap();
    let name = job["metadata"]["name"].as_str().unwrap();
    let stalled = world.wait_for_reason(name, "RegionNotAllowed").await;
    assert!(is_true(&stalled, &ConditionType::Stalled));
    let message = &condition(&stalled, &ConditionType::Ready).unwrap().message;
    assert!(message.contains("us, eu, au") && message.contains("--regions"), "{message}");
    assert!(world.emulator.calls().is_empty());
}

/// A status that the operator could not read would leave its object alone for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_the_program_cannot_read_is_refused() {
    let world = world().await;
    let created = create(&world, json!({})).await.unwrap();
    let name = created["metadata"]["name"].as_str().unwrap();
    let write = async |status: Value| {
        let patch = Patch::Merge(json!({ "status": status }));
        let written = api(&world).patch_status(name, &PatchParams::default(), &patch).await;
        let readable = written.as_ref().is_ok_and(|object| {
            let object = serde_json::to_value(object).unwrap();
            serde_json::from_value::<AuditLogReplayJob>(object).is_ok()
        });
        (written.is_ok(), readable)
    };
    for unreadable in [
        json!({ "attempts": 4_294_967_296_i64 }),
        json!({ "retries": { "failed": 4_294_967_296_i64 } }),
        json!({ "webhook": { "lastResponseCode": 2_147_483_648_i64 } }),
        json!({ "startTime": "2026-11-20T08:00:00+99:59" }),
        json!({ "startTime": "+12026-11-20T08:00:00Z" }),
    ] {
        assert_eq!(write(unreadable.clone()).await, (false, false), "{unreadable}");
    }
    for readable in [
        json!({ "attempts": 4_294_967_295_i64, "retries": { "failed": 4_294_967_295_i64 } }),
        json!({ "webhook": { "lastResponseCode": -2_147_483_648_i64 } }),
        json!({ "startTime": "9999-12-31T23:59:59.999999999Z" }),
    ] {
        assert_eq!(write(readable.clone()).await, (true, true), "{readable}");
    }
}
