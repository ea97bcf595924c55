//! `status`: what a job is for, how it stands, and what happened to it.

use chrono::{DateTime, TimeDelta, Utc};
use kube::ResourceExt;

use super::cli::StatusArgs;
use super::cluster::Cluster;
use super::error::PluginError;
use super::{Outcome, again, say, text, timeline, wait};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType, KonnectJob, Retries};
use konnect_replay_core::konnect::time;

pub(super) async fn run(cluster: &Cluster, args: &StatusArgs) -> Result<Outcome, PluginError> {
    let connection = cluster.connect().await?;
    let job = connection.get(&args.name).await?;
    if !args.wait.wait {
        say(&described(&job, &connection.flags, Utc::now()))?;
        return Ok(Outcome::Done);
    }
    let outcome = wait::until_finished(&connection, &job, args.wait.timeout).await?;
    if matches!(outcome, Outcome::Done | Outcome::Failed) {
        say(&format!("\n{}", described(&connection.get(&args.name).await?, &connection.flags, Utc::now())))?;
    }
    Ok(outcome)
}

fn described(job: &AuditLogReplayJob, flags: &str, now: DateTime<Utc>) -> String {
    let facts = facts(job, now).into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    let rows = timeline::of(job).into_iter().map(|step| vec![time::format(step.at), step.what]);
    let head = vec!["TIME".to_owned(), "WHAT HAPPENED".to_owned()];
    let steps = std::iter::once(head).chain(rows);
    let message = text::message(job);
    let message = next(job).map_or_else(|| message.to_owned(), |command| format!("{message}\n{command}{flags}"));
    format!("{}\n{message}\n\n{}", text::table(&facts.collect::<Vec<_>>()), text::table(&steps.collect::<Vec<_>>()))
}

/// The command that what is said leads to, for whoever does not want to write an object.
fn next(job: &AuditLogReplayJob) -> Option<String> {
    let name = job.name_any();
    if text::holds(job, &ConditionType::Suspended) {
        return Some(format!("To let it go on: kubectl replay resume {name}"));
    }
    again::is_of_use(job).then(|| format!("To have the window sent again: kubectl replay again {name}"))
}

fn facts(job: &AuditLogReplayJob, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let window = &job.spec.window;
    let mut facts = vec![
        ("Job", format!("{}, in namespace {}", job.name_any(), job.namespace().unwrap_or_default())),
        ("Target", text::target(&job.spec.target)),
        ("Asked for", format!("{} to {}", window.start_at, window.end_at)),
    ];
    if let Some(status) = &job.status {
        let sent = status.window.as_ref();
        let clamped = sent.filter(|sent| sent.clamped);
        facts.extend(clamped.map(|sent| ("Sent", text::span(sent.start_at, sent.end_at))));
        facts.extend(sent.map(|sent| ("Expires", expiry(sent.expires_at, now))));
        facts.extend(status.konnect.as_ref().map(|konnect| ("Konnect", konnects_word(konnect, job))));
        facts.extend(status.retries.as_ref().map(|retries| ("Runs", over(retries))));
        facts.extend(text::blocker(job).map(|who| ("Waits for", who.to_owned())));
    }
    facts.extend(deletion(job, now).map(|when| ("Deletion", when)));
    facts.push(("Status", text::state(job).to_owned()));
    facts
}

/// Konnect's word for its last job of the target, and for which window if that is none of this job's.
fn konnects_word(konnect: &KonnectJob, job: &AuditLogReplayJob) -> String {
    let word = konnect.status.to_string();
    let Some((start, end)) = konnect.start_at.zip(konnect.end_at) else { return word };
    if is_of(job, (start, end)) { word } else { format!("{word}, of another window: {}", text::span(start, end)) }
}

/// Whether what Konnect shows is what was asked for here. A run that is followed, or that was taken for the end, is.
fn is_of(job: &AuditLogReplayJob, shown: (DateTime<Utc>, DateTime<Utc>)) -> bool {
    let Some(status) = &job.status else { return false };
    let sent = status.submission.as_ref().map(|submission| submission.window);
    let planned = status.window.as_ref().map(|window| (window.start_at, window.end_at));
    text::holds(job, &ConditionType::Complete)
        || timeline::is_going_on(status)
        || [sent.map(|window| (window.start_at, window.end_at)), planned].contains(&Some(shown))
}

/// How many runs ended otherwise than completed, by how they ended.
fn over(retries: &Retries) -> String {
    let Retries { failed, superseded, ended_unseen, not_taken, not_shown, next_time: _, requested_at: _ } = retries;
    let kinds = [
        (failed, "failed"),
        (superseded, "superseded"),
        (ended_unseen, "ended unseen"),
        (not_taken, "not taken"),
        (not_shown, "never shown"),
    ];
    let kinds = kinds.iter().filter(|(count, _)| **count > 0).map(|(count, how)| format!("{count} {how}"));
    kinds.collect::<Vec<_>>().join(", ")
}

/// When the object goes by itself, if it does.
fn deletion(job: &AuditLogReplayJob, now: DateTime<Utc>) -> Option<String> {
    let life = TimeDelta::seconds(job.spec.ttl_seconds_after_finished?.into());
    let ended = job.status.as_ref().and_then(|status| status.completion_time.or(status.failed_time));
    Some(match ended.map(|ended| ended + life) {
        None => format!("{} after its end", text::brief(life)),
        Some(at) => {
            format!("{}, {} from now, {} after its end", time::format(at), text::brief(at - now), text::brief(life))
        }
    })
}

fn expiry(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at <= now {
        return format!("{}, past: Konnect has begun to delete its events", time::format(at));
    }
    format!("{}, in {}: Konnect begins to delete its events", time::format(at), text::brief(at - now))
}
