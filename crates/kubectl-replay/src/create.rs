//! `create`: from arguments to an object, checked here with the words of the API server, then printed or created.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use kube::ResourceExt;
use kube::api::PostParams;

use super::cli::{CreateArgs, Format, ThenArgs};
use super::cluster::{Cluster, Connection};
use super::error::PluginError;
use super::{Outcome, remark, say, text, wait};
use konnect_replay_core::api::{
    AuditLogReplayJob, AuditLogReplayJobSpec, ExpiryPolicy, Scope, SecretKeyRef, Target, TimeRange, WindowSpec,
    violations,
};
use konnect_replay_core::konnect::time;
use konnect_replay_core::replay::{Policy, ValidatedJob};

/// Who owns the fields of what is created here.
const FIELD_MANAGER: &str = "kubectl-replay";
/// Whoever prints an object may mean to keep it where it is applied again and again.
const NOT_FOR_GIT: &str =
    "Leave --ttl out of what a tool applies from Git: it would make the object again each time it is deleted.";

pub(super) async fn run(cluster: &Cluster, args: &CreateArgs) -> Result<Outcome, PluginError> {
    let now = Utc::now();
    let job = job(args, now);
    let window = check(&job, now)?;
    if let Some(format) = args.then.output {
        remark(&announced(window));
        if args.ttl.is_some() {
            remark(NOT_FOR_GIT);
        }
        return print(&in_namespace(job, cluster), format);
    }
    let connection = cluster.connect().await?;
    say(&announced(window))?;
    let created = create(&connection, &job).await?;
    follow(&connection, &created, &args.then).await
}

fn job(args: &CreateArgs, now: DateTime<Utc>) -> AuditLogReplayJob {
    let scope = if args.organization { Scope::Organization } else { Scope::Portal };
    let target = Target {
        region: args.region.clone(),
        scope,
        portal_id: args.portal.clone(),
        konnect_api_version: args.konnect_api_version,
    };
    let secret = SecretKeyRef { name: args.secret.clone(), key: args.secret_key.clone() };
    let mut spec = AuditLogReplayJobSpec::new(target, window(args, now), secret);
    spec.suspend = args.suspend;
    spec.webhook_policy = args.webhook_policy.unwrap_or(spec.webhook_policy);
    spec.duplicate_policy = args.policies.duplicate_policy.unwrap_or(spec.duplicate_policy);
    spec.expiry_policy = args.policies.expiry_policy.unwrap_or(spec.expiry_policy);
    spec.backoff_limit = args.backoff_limit.unwrap_or(spec.backoff_limit);
    spec.starting_deadline_seconds = args.starting_deadline;
    spec.active_deadline_seconds = args.active_deadline;
    spec.ttl_seconds_after_finished = args.ttl;
    let name = args.name.clone().unwrap_or_else(|| name_of(&spec));
    AuditLogReplayJob::new(&name, spec)
}

/// A name that says what the job is for. The same arguments make the same name, so that a command given twice makes one job.
fn name_of(spec: &AuditLogReplayJobSpec) -> String {
    let whose = spec.target.portal_id.as_deref().map_or("org", |id| id.get(..8).unwrap_or(id));
    let compact = |text: &str| text.replace(['-', ':'], "").to_lowercase();
    let length = text::instants(&spec.window).map(|(start, end)| end - start).unwrap_or_default();
    format!("{}-{whose}-{}-{}", spec.target.region, compact(&spec.window.start_at), exactly(length))
}

/// A duration that no other shares.
fn exactly(span: TimeDelta) -> String {
    let seconds = u64::try_from(span.num_seconds()).unwrap_or_default();
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string().replace(' ', "")
}

/// Whether the API server and the operator would take it; the window in whole seconds.
pub(super) fn check(job: &AuditLogReplayJob, now: DateTime<Utc>) -> Result<TimeRange, PluginError> {
    let broken = violations(&job.spec);
    if !broken.is_empty() {
        return Err(PluginError::Invalid(broken));
    }
    // Which regions the installer allows is not known here; the object says so at once.
    let policy = Policy { regions: vec![job.spec.target.region.clone()], ..Policy::default() };
    let validated = ValidatedJob::new(job, &policy).map_err(|refusal| PluginError::Usage(refusal.message))?;
    match late(validated.window, job.spec.expiry_policy, now, &policy) {
        Some(why) => Err(PluginError::Usage(why)),
        None => Ok(validated.window),
    }
}

/// What Konnect has deleted cannot be sent again; better said now than by a job that fails at once.
fn late(window: TimeRange, expiry: ExpiryPolicy, now: DateTime<Utc>, policy: &Policy) -> Option<String> {
    let kept = TimeDelta::from_std(policy.retention).unwrap_or_default();
    let since = time::format(now - kept);
    if now >= window.end_at + kept {
        return Some(format!(
            "Konnect keeps audit logs for {}, so all events of this window are deleted: nothing before {since} can be sent again",
            text::brief(kept)
        ));
    }
    (now >= window.start_at + kept && expiry == ExpiryPolicy::Fail).then(|| {
        format!(
            "Konnect keeps audit logs for {}, so it has deleted the events of this window before {since}. To have the rest sent, \
             add --expiry-policy Clamp",
            text::brief(kept)
        )
    })
}

/// The times that were meant, in full, whatever was typed.
pub(super) fn announced(window: TimeRange) -> String {
    format!("Window: {}", text::span(window.start_at, window.end_at))
}

/// With the namespace that was asked for, if any: a manifest without one goes where it is applied.
pub(super) fn in_namespace(mut job: AuditLogReplayJob, cluster: &Cluster) -> AuditLogReplayJob {
    job.metadata.namespace = cluster.named_namespace().map(str::to_owned);
    job
}

/// The object as a manifest, with no status: that is the operator's.
pub(super) fn print(job: &AuditLogReplayJob, format: Format) -> Result<Outcome, PluginError> {
    let wrong = |error: &dyn std::fmt::Display| PluginError::Print(error.to_string());
    let mut value = serde_json::to_value(job).map_err(|e| wrong(&e))?;
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    let printed = match format {
        Format::Yaml => serde_saphyr::to_string(&value).map_err(|e| wrong(&e))?,
        Format::Json => serde_json::to_string_pretty(&value).map_err(|e| wrong(&e))?,
    };
    say(printed.trim_end())?;
    Ok(Outcome::Done)
}

pub(super) async fn create(connection: &Connection, job: &AuditLogReplayJob) -> Result<AuditLogReplayJob, PluginError> {
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let created =
        connection.call(connection.jobs().create(&params, job)).await.map_err(|error| taken(error, job, connection))?;
    say(&format!("{} created in namespace {}", created.name_any(), connection.namespace))?;
    Ok(created)
}

fn taken(error: PluginError, job: &AuditLogReplayJob, connection: &Connection) -> PluginError {
    if !is_taken(&error) {
        return error;
    }
    let name = job.name_any();
    PluginError::Unfit(format!(
        "there is a job named {name} already: see kubectl replay status {name}{}, or give this one another name",
        connection.flags
    ))
}

/// Whether the name is in use.
pub(super) fn is_taken(error: &PluginError) -> bool {
    matches!(error, PluginError::Cluster { error, .. } if matches!(&**error, kube::Error::Api(status) if status.is_already_exists()))
}

/// Waits for its end, if that was asked for.
pub(super) async fn follow(
    connection: &Connection,
    job: &AuditLogReplayJob,
    then: &ThenArgs,
) -> Result<Outcome, PluginError> {
    if then.wait.wait { wait::until_finished(connection, job, then.wait.timeout).await } else { Ok(Outcome::Done) }
}

/// The window that was meant at `now`. Fractions are rounded as the operator rounds them.
fn window(args: &CreateArgs, now: DateTime<Utc>) -> WindowSpec {
    let now = now.trunc_subsecs(0);
    let back = args.last.and_then(|last| TimeDelta::from_std(last).ok()).unwrap_or_default();
    let start = args.from.unwrap_or(now - back).trunc_subsecs(0);
    let end = args.to.unwrap_or(now);
    let whole = end.trunc_subsecs(0);
    WindowSpec::new(start, if whole == end { end } else { whole + TimeDelta::seconds(1) })
}
