//! The CRD is taken away under a running operator, and put back.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use konnect_replay::api::ConditionType;
use kube::Api;
use kube::api::DeleteParams;
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;

use crate::support::{PATIENCE, World, is_true};

const CRD: &str = "auditlogreplayjobs.konnect-replay.dev";

/// All objects of the kind go with it.
async fn remove_the_crd(world: &World) {
    let crds: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    let deleted = crds.delete(CRD, &DeleteParams::default()).await.unwrap();
    let uid = deleted.left().unwrap().metadata.uid.unwrap();
    tokio::time::timeout(PATIENCE, await_condition(crds, CRD, is_deleted(&uid))).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crd_that_goes_and_comes_back_finds_the_operator_at_work() {
    let mut world = World::builder().on_its_own_api_server().through_proxy().build().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let job = world.job("survivor");
    world.create(job.clone()).await;
    world.wait_for_reason("survivor", "Accepted").await;

    remove_the_crd(&world).await;
    world.operator().wait_for_log("that its watch broke", |line| line["level"] == "WARN").await;
    world.plane.apply(include_str!("../../../crds/auditlogreplayjobs.yaml")).await.unwrap();
    world.create(job).await;
    // The same window, under way at Konnect since before: it is followed, and not sent again.
    world.wait_for_reason("survivor", "Adopted").await;
    world.emulator.set_manual(&world.portal, false).unwrap();

    let ended = world.wait("survivor", "Finished", |job| is_true(job, &ConditionType::Finished)).await;
    assert!(is_true(&ended, &ConditionType::Complete), "{:#?}", world.states("survivor"));
    world.ends_as_if_undisturbed("survivor").await;
    assert_eq!(world.puts(), 1);
}
