//! The shipped role is exactly what the program uses: what it called is taken from the API server's audit log.

use std::collections::BTreeSet;

use konnect_emulator::{Hold, PathKind};
use serde_json::{Value, json};

use crate::support::{Operator, PATIENCE, SERVICE_ACCOUNT, World};
use crate::time_to_live::{ended_long_ago, until_gone};

const SHIPPED: &str = include_str!("../../deploy/kustomize/base/rbac.yaml");

/// What may be done: API group, resource with its subresource, verb.
type Right = (String, String, String);

/// All rights of the roles in the file that is shipped.
fn granted() -> BTreeSet<Right> {
    let objects = SHIPPED.split("\n---\n").map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    let rules: Vec<Value> = objects.filter_map(|object| object["rules"].as_array().cloned()).flatten().collect();
    let words = |rule: &Value, key: &str| -> Vec<String> {
        rule[key].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in &rules {
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                rights.extend(words(rule, "verbs").into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
            }
        }
    }
    rights
}

/// What the program did in the namespaces of `world`, and to leases.
fn used(world: &World) -> BTreeSet<Right> {
    let leases = world.plane.audit().user(SERVICE_ACCOUNT).resource("leases");
    let events = [world.audit().user(SERVICE_ACCOUNT).events().unwrap(), leases.events().unwrap()].concat();
    let resource = |event: &control_plane::AuditEvent| {
        let parts = [event.resource.clone(), event.subresource.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join("/")
    };
    events.iter().map(|event| (event.group.clone().unwrap(), resource(event), event.verb.clone())).collect()
}

async fn leads(replica: &Operator) {
    replica.wait_for_log("that it leads", |line| line["message"] == "leading").await;
}

/// Lives through all that takes a right of its own. Who grants a right adds here what uses it.
async fn a_life(world: &World) {
    let mut replica = world.start_replica();
    leads(&replica).await;
    // An edit in the middle of a pass, so that its write is refused and the object is read again.
    let looking = world.emulator.hold(Hold::before().method("GET").path(PathKind::ReplayJob).times(1));
    let job = world.create(world.job("lived").spec(|spec| spec.ttl_seconds_after_finished = Some(60))).await;
    world.emulator.wait_held(looking, PATIENCE).await.unwrap();
    world.patch("lived", json!({ "metadata": { "labels": { "edited": "yes" } } })).await;
    world.emulator.release(looking).unwrap();
    ended_long_ago(world, "lived").await;
    until_gone(world, &job).await;
    replica.signal("TERM");
    assert_eq!(replica.exit().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_role_grants_what_is_used_and_nothing_else() {
    let world = World::builder().without_operator().build().await;
    a_life(&world).await;

    let refused = world.plane.audit().user(SERVICE_ACCOUNT).code(403).events().unwrap();
    assert!(refused.is_empty(), "used but not granted: {refused:#?}");
    let (granted, used) = (granted(), used(&world));
    let idle: Vec<_> = granted.difference(&used).collect();
    assert!(idle.is_empty(), "granted but not used: {idle:?}");
    // The rest is not in the shipped role at all, and came from elsewhere.
    let others: Vec<_> = used.difference(&granted).collect();
    assert!(others.is_empty(), "used by rights that the shipped role does not give: {others:?}");
}

#[test]
fn secrets_can_only_be_read_by_name() {
    let of_secrets: Vec<Right> = granted().into_iter().filter(|(_, resource, _)| resource == "secrets").collect();
    assert_eq!(of_secrets, [(String::new(), "secrets".to_owned(), "get".to_owned())]);
    assert!(granted().iter().all(|right| ![&right.0, &right.1, &right.2].iter().any(|word| word.contains('*'))));
}
