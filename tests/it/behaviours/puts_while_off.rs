//! What Konnect may answer to a request while the webhook is off. The operator asks for the webhook first and waits for it, unless
//! the job says not to.

use konnect_emulator::{PutWhileOff, Webhook};
use konnect_replay_core::api::ConditionType;

use super::{ends, one_try, portal_id, row, world};
use crate::support::{JobBuilder, condition};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_while_the_webhook_is_off_fails_is_refused_or_waits_as_konnect_has_it() {
    let world = &world().await;
    let rows =
        [("accepted", PutWhileOff::Accepted), ("invalid", PutWhileOff::Invalid), ("conflict", PutWhileOff::Conflict)];
    let each = rows.into_iter().enumerate().map(async |(number, (name, put_while_off))| {
        let portal = portal_id(number);
        let target = world.add_portal("eu", &portal);
        world.emulator.change_behaviour(&target, |behaviour| behaviour.put_while_off = put_while_off).unwrap();
        world.emulator.set_webhook(&target, Webhook::new(world.receiver.url()).disabled()).unwrap();
        let job = one_try(JobBuilder::portal(name, "eu", &portal).ignoring_the_webhook());
        let job = world.create(job).await;
        let lost = world.lose(&target, &job, 2);
        match put_while_off {
            // The run was taken, and had nowhere to go.
            PutWhileOff::Accepted => ends(world, &target, &row(name, |_| {}).fails(), &lost).await,
            PutWhileOff::Invalid => {
                let failed = world.wait_until_failed(name).await;
                assert_eq!(condition(&failed, &ConditionType::Failed).unwrap().reason, "InvalidRequest");
                assert!(world.emulator.runs(&target).unwrap().is_empty());
            }
            // It looks like another run, which is waited for.
            PutWhileOff::Conflict => {
                world.wait_for_reason(name, "BlockedByRemoteJob").await;
                assert!(world.emulator.runs(&target).unwrap().is_empty());
                world.emulator.set_webhook(&target, Webhook::new(world.receiver.url())).unwrap();
                ends(world, &target, &row(name, |_| {}), &lost).await;
            }
        }
    });
    futures::future::join_all(each).await;
}
