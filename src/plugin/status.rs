//! `status`: what a job is for, how it stands, and what happened to it.

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::cli::StatusArgs;
use super::cluster::Cluster;
use super::error::PluginError;
use super::{Outcome, say, text, timeline, wait};
use crate::api::AuditLogReplayJob;
use crate::konnect::time;

pub(super) async fn run(cluster: &Cluster, args: &StatusArgs) -> Result<Outcome, PluginError> {
    let connection = cluster.connect().await?;
    let job = connection.get(&args.name).await?;
    if !args.wait.wait {
        say(&described(&job, Utc::now()))?;
        return Ok(Outcome::Done);
    }
    let outcome = wait::until_finished(&connection, &job, args.wait.timeout).await?;
    if matches!(outcome, Outcome::Done | Outcome::Failed) {
        say(&format!("\n{}", described(&connection.get(&args.name).await?, Utc::now())))?;
    }
    Ok(outcome)
}

fn described(job: &AuditLogReplayJob, now: DateTime<Utc>) -> String {
    let facts = facts(job, now).into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    let rows = timeline::of(job).into_iter().map(|step| vec![time::format(step.at), step.what]);
    let head = vec!["TIME".to_owned(), "WHAT HAPPENED".to_owned()];
    let steps = std::iter::once(head).chain(rows);
    format!(
        "{}\n{}\n\n{}",
        text::table(&facts.collect::<Vec<_>>()),
        text::message(job),
        text::table(&steps.collect::<Vec<_>>())
    )
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
        facts.extend(status.konnect.as_ref().map(|konnect| ("Konnect", konnect.status.to_string())));
        facts.extend(status.blocked_by.clone().map(|who| ("Waits for", who)));
    }
    facts.push(("Status", text::state(job).to_owned()));
    facts
}

fn expiry(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let left = if at <= now { "past".to_owned() } else { format!("in {}", text::brief(at - now)) };
    format!("{}, {left}: Konnect begins to delete its events", time::format(at))
}
