//! `list`: the jobs in the order in which they go.

use chrono::{DateTime, Utc};
use kube::ResourceExt;
use kube::api::ListParams;

use super::cli::ListArgs;
use super::cluster::{Cluster, Connection, Guarded};
use super::error::PluginError;
use super::queue::{Place, Queue, says};
use super::{Outcome, remark, say, text};
use konnect_replay_core::api::{AuditLogReplayJob, Reason};
use konnect_replay_core::replay::{Candidate, ObjectId, Policy};

/// Objects per page.
const PAGE: u32 = 500;
/// What a job says that waits for nothing but the end of its window; the last until the operator has seen it resumed.
const BEFORE_THE_END: &[Reason] = &[Reason::Pending, Reason::WaitingForWindowEnd, Reason::Suspended];
/// What the places rest on. They are no promise.
const ESTIMATE: &str = "\
PLACE is an estimate from the objects, for an operator with --serialize region: of one region and Secret, what expires first goes first.
Failures that jobs share, and jobs of other namespaces on the same target, can change the order.";

pub(super) async fn run(cluster: &Cluster, args: &ListArgs) -> Result<Outcome, PluginError> {
    let connection = cluster.connect().await?;
    let objects = list(&connection, args.all_namespaces).await?;
    let jobs: Vec<&AuditLogReplayJob> = objects.iter().filter_map(|object| object.0.as_ref().ok()).collect();
    let now = Utc::now();
    let queue = Queue::new(jobs.iter().copied(), now);
    let (mut shown, hidden): (Vec<_>, Vec<_>) =
        jobs.into_iter().partition(|job| args.finished || queue.place(job) != Place::Finished);
    queue.sort(&mut shown);
    if shown.is_empty() {
        let where_ =
            if args.all_namespaces { String::new() } else { format!(" in namespace {}", connection.namespace) };
        remark(&format!("No unfinished jobs{where_}."));
    } else {
        let rows = shown.iter().map(|job| row(job, &queue, now));
        say(&text::table(&std::iter::once(head()).chain(rows).map(|row| cells(row, *args)).collect::<Vec<_>>()))?;
    }
    footnotes(&objects, hidden.len(), shown.iter().any(|job| matches!(queue.place(job), Place::InLine(_))));
    Ok(Outcome::Done)
}

async fn list(connection: &Connection, all: bool) -> Result<Vec<Guarded>, PluginError> {
    let api = connection.guarded(all);
    let mut params = ListParams::default().limit(PAGE);
    let mut objects = Vec::new();
    loop {
        let page = connection.call(api.list(&params)).await?;
        objects.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(objects),
        }
    }
}

type Row = [String; 8];

fn head() -> Row {
    ["NAMESPACE", "PLACE", "NAME", "STATUS", "REGION", "WINDOW", "EXPIRES", "WAITS FOR"].map(str::to_owned)
}

/// One namespace needs no column.
fn cells(row: Row, args: ListArgs) -> Vec<String> {
    row.into_iter().skip(usize::from(!args.all_namespaces)).collect()
}

fn row(job: &AuditLogReplayJob, queue: &Queue, now: DateTime<Utc>) -> Row {
    let place = match queue.place(job) {
        Place::Now => "now".to_owned(),
        Place::InLine(place) => place.to_string(),
        Place::Aside | Place::Finished => text::NOTHING.to_owned(),
    };
    [
        job.namespace().unwrap_or_default(),
        place,
        job.name_any(),
        text::state(job).to_owned(),
        job.spec.target.region.clone(),
        format!("{} +{}", job.spec.window.start_at, length(job)),
        expires(job, now),
        waits_for(job, queue),
    ]
}

fn length(job: &AuditLogReplayJob) -> String {
    text::instants(&job.spec.window).map_or_else(|| text::NOTHING.to_owned(), |(start, end)| text::brief(end - start))
}

/// How long until Konnect begins to delete its events: what the order goes by.
fn expires(job: &AuditLogReplayJob, now: DateTime<Utc>) -> String {
    let sent = job.status.as_ref().and_then(|status| status.window.as_ref()).map(|window| window.expires_at);
    match sent.or_else(|| Candidate::of(job, &Policy::default()).map(|candidate| candidate.expires_at)) {
        Some(at) if at <= now => "past".to_owned(),
        Some(at) => text::brief(at - now),
        None => text::NOTHING.to_owned(),
    }
}

/// What the object says itself; else which job the scheduler says goes first; else what the state means.
fn waits_for(job: &AuditLogReplayJob, queue: &Queue) -> String {
    if let Some(said) = text::blocker(job) {
        return said.to_owned();
    }
    match queue.blocker(job) {
        Some(blocker) => named(&blocker, job),
        None => cause(job, queue).unwrap_or(text::NOTHING).to_owned(),
    }
}

fn named(blocker: &ObjectId, job: &AuditLogReplayJob) -> String {
    if job.namespace().as_deref() == Some(&blocker.namespace) {
        blocker.name.clone()
    } else {
        format!("{}/{}", blocker.namespace, blocker.name)
    }
}

fn cause(job: &AuditLogReplayJob, queue: &Queue) -> Option<&'static str> {
    let is = |reasons: &[Reason]| says(job, reasons);
    match queue.place(job) {
        Place::Finished => None,
        Place::Now => Some("Konnect"),
        Place::InLine(_) => Some("the operator"),
        Place::Aside if job.spec.suspend => Some("resume"),
        Place::Aside if is(&[Reason::RemoteFailed, Reason::Superseded, Reason::RemoteStateUnknown]) => {
            Some("its next try")
        }
        Place::Aside if is(&[Reason::KonnectUnavailable, Reason::RateLimited]) => Some("Konnect"),
        Place::Aside if text::is_unseen(job) || is(BEFORE_THE_END) => Some("the end of its window"),
        Place::Aside => Some("a correction, see its status"),
    }
}

fn footnotes(objects: &[Guarded], finished: usize, lines: bool) {
    if lines {
        remark(ESTIMATE);
    }
    if finished > 0 {
        remark(&format!("Not shown: {finished} finished (--finished)."));
    }
    for object in objects.iter().filter_map(|object| object.0.as_ref().err()) {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        remark(&format!("Not shown: {name}, which this version cannot read: {}", object.error));
    }
}
