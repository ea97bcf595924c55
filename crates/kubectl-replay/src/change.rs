//! `suspend` and `resume`: one field of the spec, and what follows from it.

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::cluster::{Cluster, Connection};
use super::error::PluginError;
use super::{Outcome, again, queue, say, text, timeline};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};

pub(super) async fn suspend(cluster: &Cluster, name: &str) -> Result<Outcome, PluginError> {
    let connection = cluster.connect().await?;
    let Some(job) = changed(&connection, name, true).await? else { return Ok(Outcome::Done) };
    let is_going_on = job.status.as_ref().is_some_and(timeline::is_going_on);
    let what_follows = if is_going_on {
        "Its run continues, since Konnect cannot stop it, and is followed to its end; no other is asked for."
    } else if queue::is_under_way(&job) {
        "Whether Konnect took its last request is not known yet: if so, that run goes on, since Konnect cannot stop it; no other is asked \
         for."
    } else {
        "Nothing is asked of Konnect for it until it is resumed; Konnect deletes events past its retention meanwhile."
    };
    say(&format!("{name} suspended. {what_follows}"))?;
    Ok(Outcome::Done)
}

pub(super) async fn resume(cluster: &Cluster, name: &str) -> Result<Outcome, PluginError> {
    let connection = cluster.connect().await?;
    if changed(&connection, name, false).await?.is_some() {
        say(&format!("{name} resumed. To see when its turn comes: kubectl replay list{}", connection.flags))?;
    }
    Ok(Outcome::Done)
}

/// Sets the field, unless it is set already (`None`) or the job is past all changes.
async fn changed(connection: &Connection, name: &str, suspend: bool) -> Result<Option<AuditLogReplayJob>, PluginError> {
    let job = connection.get(name).await?;
    if text::holds(&job, &ConditionType::Finished) {
        return Err(too_late(connection, &job, suspend));
    }
    if job.spec.suspend == suspend {
        say(&format!("{name} {} already", if suspend { "is suspended" } else { "is not suspended" }))?;
        return Ok(None);
    }
    let patch = Patch::Merge(json!({ "spec": { "suspend": suspend } }));
    connection.call(connection.jobs().patch(name, &PatchParams::default(), &patch)).await.map(Some)
}

fn too_late(connection: &Connection, job: &AuditLogReplayJob, suspend: bool) -> PluginError {
    let (name, state) = (job.name_any(), text::state(job));
    let again = || format!(". To have its window sent again: kubectl replay again {name}{}", connection.flags);
    let instead = (!suspend && again::is_of_use(job)).then(again).unwrap_or_default();
    let verb = if suspend { "suspend" } else { "resume" };
    PluginError::Unfit(format!("{name} has finished ({state}): there is nothing to {verb}{instead}"))
}
