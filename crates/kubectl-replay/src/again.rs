//! `again`: a new job for the window of a finished one. The old one stays as the record that it is.

use chrono::Utc;
use kube::ResourceExt;

use super::cli::AgainArgs;
use super::cluster::{Cluster, Connection};
use super::error::PluginError;
use super::{Outcome, create, queue, remark, say, text};
use konnect_replay_core::api::{
    AuditLogReplayJob, AuditLogReplayJobSpec, ConditionType, DuplicatePolicy, REQUESTED_AT, Reason,
};

/// How many names are tried: whoever repeats a window more often names the jobs.
const NAMES: u32 = 99;

pub(super) async fn run(cluster: &Cluster, args: &AgainArgs) -> Result<Outcome, PluginError> {
    let connection = cluster.connect().await?;
    let old = connection.get(&args.name).await?;
    let spec = spec(&old, args, &connection.flags)?;
    let named = |name: &str| AuditLogReplayJob::new(name, spec.clone());
    let window = create::check(&named(&args.name), Utc::now())?;
    if let Some(format) = args.then.output {
        remark(&create::announced(window));
        let name = free_name(&connection, args).await?;
        return create::print(&create::in_namespace(named(&name), cluster), format);
    }
    say(&create::announced(window))?;
    let created = create_first_free(&connection, args, named).await?;
    create::follow(&connection, &created, &args.then).await
}

/// The same, as far as it was not about the first time. What completed was replayed: to have it again is to say so.
fn spec(old: &AuditLogReplayJob, args: &AgainArgs, flags: &str) -> Result<AuditLogReplayJobSpec, PluginError> {
    if !text::holds(old, &ConditionType::Finished) {
        return Err(PluginError::Unfit(unfinished(old, flags)));
    }
    let repeated = text::holds(old, &ConditionType::Complete).then_some(DuplicatePolicy::Replay);
    let mut spec = old.spec.clone();
    spec.suspend = false;
    spec.duplicate_policy = args.policies.duplicate_policy.or(repeated).unwrap_or(spec.duplicate_policy);
    spec.expiry_policy = args.policies.expiry_policy.unwrap_or(spec.expiry_policy);
    Ok(spec)
}

/// What goes on with a job that another one would only double.
fn unfinished(old: &AuditLogReplayJob, flags: &str) -> String {
    let (name, state) = (old.name_any(), text::state(old));
    if queue::is_under_way(old) {
        return format!(
            "{name} has not finished ({state}): it is under way. To follow it: kubectl replay status {name} --wait{flags}"
        );
    }
    let how = if old.spec.suspend {
        format!("To let it go on: kubectl replay resume {name}{flags}")
    } else {
        format!(
            "To have it tried now: kubectl annotate alrj {name} {REQUESTED_AT}=\"$(date -u +%FT%TZ)\" --overwrite{flags}"
        )
    };
    format!("{name} has not finished ({state}), so its window is still to be sent. {how}")
}

/// Whether another job for the window of a failed one may fare better: of some, the same once more would fail the same way.
pub(super) fn is_of_use(job: &AuditLogReplayJob) -> bool {
    text::holds(job, &ConditionType::Failed) && !queue::says(job, &[Reason::WindowExpired, Reason::InvalidRequest])
}

/// The names to try, in order: the one that was given, or the old one's with -again, -again-2 and so on.
fn names(args: &AgainArgs) -> Vec<String> {
    if let Some(name) = &args.new_name {
        return vec![name.clone()];
    }
    let base = without_again(&args.name);
    let numbered = (2..=NAMES).map(|number| format!("{base}-again-{number}"));
    std::iter::once(format!("{base}-again")).chain(numbered).collect()
}

fn without_again(name: &str) -> &str {
    match name.rsplit_once("-again") {
        Some((base, "")) => base,
        Some((base, number)) if number.strip_prefix('-').is_some_and(|n| n.parse::<u32>().is_ok()) => base,
        Some(_) | None => name,
    }
}

fn exhausted(args: &AgainArgs) -> PluginError {
    PluginError::Unfit(format!(
        "all names up to {}-again-{NAMES} are taken: give one with --new-name",
        without_again(&args.name)
    ))
}

/// Creates it under the first name that the API server takes, so that no two who ask at once meet.
async fn create_first_free(
    connection: &Connection,
    args: &AgainArgs,
    named: impl Fn(&str) -> AuditLogReplayJob,
) -> Result<AuditLogReplayJob, PluginError> {
    for name in names(args) {
        match create::create(connection, &named(&name)).await {
            Err(PluginError::Unfit(_)) if args.new_name.is_none() => {}
            outcome => return outcome,
        }
    }
    Err(exhausted(args))
}

/// A name that nobody has at the moment.
async fn free_name(connection: &Connection, args: &AgainArgs) -> Result<String, PluginError> {
    if let Some(name) = &args.new_name {
        return Ok(name.clone());
    }
    for name in names(args) {
        if connection.call(connection.jobs().get_opt(&name)).await?.is_none() {
            return Ok(name);
        }
    }
    Err(exhausted(args))
}

#[cfg(test)]
mod tests {
    use super::without_again;

    #[test]
    fn only_our_own_ending_is_taken_off_a_name() {
        for (name, base) in [
            ("siem-outage", "siem-outage"),
            ("siem-outage-again", "siem-outage"),
            ("siem-outage-again-2", "siem-outage"),
            ("outage-2026-11-20", "outage-2026-11-20"),
            ("never-again-please", "never-again-please"),
        ] {
            assert_eq!(without_again(name), base);
        }
    }
}
