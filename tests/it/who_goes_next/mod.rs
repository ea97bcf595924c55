//! Which job goes next: a failure of one job holds up only jobs that share what failed. Each test has a job that cannot go on, and
//! others behind it that must.

mod foreign_runs;
mod organisations;
mod requests;
mod unread_runs;
mod views;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use konnect_emulator::{Emulator, Role};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};

use crate::support::{JobBuilder, Operator, World, is_true, ready_reason};

/// Two namespaces with one operator and one Konnect, which is that of the first.
struct Neighbours {
    here: World,
    there: World,
    _operator: Operator,
}

impl Neighbours {
    async fn new() -> Self {
        let (here, there) =
            (World::builder().without_operator().build().await, World::builder().without_operator().build().await);
        let namespaces = format!("--watch-namespaces={},{}", here.namespace, there.namespace);
        let operator = here.start_operator(&[&namespaces]).await;
        Self { here, there, _operator: operator }
    }
}

/// A token of an organisation, in a Secret of that name.
async fn give_token(konnect: &Emulator, organisation: &str, namespace: &World, secret: &str) {
    let token = format!("spat_canary-of-{secret}-in-{}", namespace.namespace);
    konnect.add_token(organisation, &token, Role::AuditLogAdmin).unwrap();
    namespace.create_token(secret, "token", token.as_bytes()).await;
}

/// Ends all tokens of [`give_token`] with these names.
fn revoke(konnect: &Emulator, namespace: &World, secret: &str) {
    konnect.revoke_token(&format!("spat_canary-of-{secret}-in-{}", namespace.namespace)).unwrap();
}

/// The start of a window so long ago, which decides the place in the queue.
fn ago(hours: i64) -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0) - TimeDelta::hours(hours)
}

/// With a window of half an hour that began so long ago.
fn aged(job: JobBuilder, hours: i64) -> JobBuilder {
    job.window(ago(hours), ago(hours) + TimeDelta::minutes(30))
}

/// The id of one of several portals.
fn portal_id(number: usize) -> String {
    format!("0d0f7b52-0000-4c39-9f3d-{number:012x}")
}

fn is_finished(job: &AuditLogReplayJob) -> bool {
    is_true(job, &ConditionType::Finished)
}

/// The job completes because its own window was sent.
async fn is_sent(world: &World, name: &str) {
    let done = world.wait_until_complete(name).await;
    assert_eq!(ready_reason(&done), "Completed", "{name}: {:#?}", world.states(name));
}
