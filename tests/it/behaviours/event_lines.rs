//! What the events of the organization's log may look like.

use konnect_emulator::{KongInitiated, TargetKey, Webhook};

use super::{End, Row, ends, one_try, world};
use crate::support::JobBuilder;

/// `kong_initiated` is on events of the organization only, on the tenth and the twelfth first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_type_kong_initiated_has_it_runs_once() {
    let world = world().await;
    for (name, region, kong_initiated, expected) in [
        ("a-boolean", "eu", KongInitiated::Boolean, r#""kong_initiated":true"#),
        ("a-string", "us", KongInitiated::String, r#""kong_initiated":"true""#),
    ] {
        let target = TargetKey::organization(&world.portal.org, region);
        world.emulator.set_webhook(&target, Webhook::new(world.receiver.url())).unwrap();
        let change = |behaviour: &mut konnect_emulator::Behaviour| behaviour.delivery.kong_initiated = kong_initiated;
        world.emulator.change_behaviour(&target, change).unwrap();
        let job = world.create(one_try(JobBuilder::organization(name, region))).await;
        let lost = world.lose(&target, &job, 12);
        ends(&world, &target, &Row { name, bend: |_| {}, ends: End::Complete }, &lost).await;
        let lines: Vec<_> = world.receiver.events().into_iter().map(|event| event.line).collect();
        assert_eq!(lines.iter().filter(|line| line.contains(expected)).count(), 2, "{name}: {lines:#?}");
    }
}
