//! `suspend`, `resume`.

use konnect_emulator::Status;

use super::Plugin;
use crate::support::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_held_back_and_let_go() {
    let world = World::new().await;
    world.create(world.job("held").suspended()).await;
    world.wait_for_reason("held", "Suspended").await;
    let plugin = Plugin::of(&world);
    assert_eq!(plugin.done(&["suspend", "held"]).await, "held is suspended already\n");
    let list = format!("kubectl replay list -n {}", world.namespace);
    let said = plugin.done(&["resume", "held"]).await;
    assert_eq!(said, format!("held resumed. To see when its turn comes: {list}\n"));
    world.wait_until_complete("held").await;

    for verb in ["suspend", "resume"] {
        let ran = plugin.run(&[verb, "held"]).await;
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.err.contains(&format!("held has finished (Completed): there is nothing to {verb}")), "{ran:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_suspends_is_told_that_a_run_goes_on() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("runs")).await;
    world.wait_for_reason("runs", "Accepted").await;
    let plugin = Plugin::of(&world);
    let said = plugin.done(&["suspend", "runs"]).await;
    assert!(said.contains("Its run continues, since Konnect cannot stop it"), "{said}");

    world.create(world.job("waits")).await;
    world.wait_for_reason("waits", "Queued").await;
    let said = plugin.done(&["suspend", "waits"]).await;
    assert!(said.contains("Nothing is asked of Konnect for it"), "{said}");
    world.wait_for_reason("waits", "Suspended").await;
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    world.wait_until_complete("runs").await;
    assert_eq!(world.runs().len(), 1);
}
