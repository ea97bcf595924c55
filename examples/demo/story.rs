//! What happens: an outage, a gap, a replay, and the gap is closed.

use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use futures::TryStreamExt;
use konnect_emulator::{Emit, Outage, Status, TargetKey, Window};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionStatus, ConditionType};
use kube::runtime::{WatchStreamExt, watcher};

use crate::Result;
use crate::cast::{Cast, PORTAL};
use crate::screen::{Row, indented, say, table_head, table_row};

/// How long anything may take before the demo says that it failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// Plays it.
pub(crate) async fn play(cast: &Cast) -> Result<()> {
    let outage = outage(cast).await?;
    foreign_replay(cast)?;
    let manifest = manifest(&outage);
    say(&format!("\n5. Applying an AuditLogReplayJob for the time of the outage:\n\n{}", indented(&manifest)));
    cast.apply(&manifest).await?;
    tokio::time::timeout(PATIENCE, follow(cast)).await.map_err(|_| "the job was not finished within a minute")??;
    ending(cast, &outage).await
}

/// What the outage did.
struct Gap {
    window: Window,
    emitted: usize,
    lost: usize,
}

/// Events are made all the time; while the receiver answers 503, Konnect gives up on them.
async fn outage(cast: &Cast) -> Result<Gap> {
    say(
        "\n3. Users sign in at the Dev Portal, and Konnect sends audit events to the SIEM. Then the SIEM answers 503 for a while.",
    );
    let start = Utc::now().trunc_subsecs(0);
    let before = emit(cast, 12).await?;
    cast.siem.wait_for_events(before, PATIENCE).await?;
    cast.siem.set_outage(Outage::Answer(503));
    let lost = emit(cast, 8).await?;
    cast.siem.set_outage(None);
    let after = emit(cast, 5).await?;
    cast.siem.wait_for_events(before + after, PATIENCE).await?;
    // A window has whole seconds, and its end must have passed.
    let end = Utc::now().trunc_subsecs(0) + TimeDelta::seconds(1);
    tokio::time::sleep((end - Utc::now()).to_std().unwrap_or_default()).await;
    let emitted = before + lost + after;
    say(&format!(
        "   Konnect made {emitted} events, the SIEM has {}: {lost} are missing, and Konnect will not send them by itself.",
        before + after
    ));
    Ok(Gap { window: Window::new(start, end), emitted, lost })
}

/// Makes events, and waits until Konnect has delivered them or given up.
async fn emit(cast: &Cast, count: usize) -> Result<usize> {
    let ids = cast.konnect.emit(&cast.portal, Emit::now(count))?;
    let settled = |d: &konnect_emulator::Delivery| {
        ids.iter().any(|id| d.event_ids.contains(id)) && (d.is_delivered() || d.response_code == Some(503))
    };
    let all = |konnect: &konnect_emulator::Emulator| konnect.deliveries().iter().any(settled).then_some(());
    cast.konnect.wait_for(PATIENCE, all).await?;
    Ok(count)
}

/// Konnect runs one replay at a time in a region. Somebody replays another portal just now.
fn foreign_replay(cast: &Cast) -> Result<()> {
    let other: &TargetKey = &cast.other_portal;
    say("\n4. Somebody else replays another portal of the region, so that Konnect will refuse ours (409) for a while.");
    let now = Utc::now().trunc_subsecs(0);
    cast.konnect.set_manual(other, true)?;
    cast.konnect.foreign_run(other, Window::new(now - TimeDelta::hours(3), now - TimeDelta::hours(2)))?;
    cast.konnect.advance(other, Status::Running)?;
    Ok(())
}

fn manifest(gap: &Gap) -> String {
    let time = |t: DateTime<Utc>| t.format("%Y-%m-%dT%H:%M:%SZ");
    format!(
        "apiVersion: konnect-replay.dev/v1alpha1\nkind: AuditLogReplayJob\nmetadata: {{name: siem-outage}}\nspec:\n  target: {{region: eu, portalID: \
         {PORTAL}}}\n  window: {{startAt: \"{}\", endAt: \"{}\"}}\n  tokenSecretRef: {{name: konnect-token}}\n",
        time(gap.window.start_at),
        time(gap.window.end_at),
    )
}

/// Prints a row for each change, until the object says that it is finished. The other replay ends after the second conflict.
async fn follow(cast: &Cast) -> Result<()> {
    table_head();
    let began = Instant::now();
    let mut last = None;
    let mut versions = Box::pin(watcher(cast.jobs(), watcher::Config::default()).default_backoff().applied_objects());
    while let Some(job) = versions.try_next().await? {
        let row = Row::of(&job);
        if let Some(row) = row.as_ref().filter(|_| row != last) {
            table_row(began.elapsed().as_secs_f64(), row);
        }
        last = row;
        if conflicts(&job) >= 1 && cast.konnect.job(&cast.other_portal)?.status == Status::Running {
            cast.konnect.advance(&cast.other_portal, Status::Completed)?;
        }
        if let Some(condition) = finished(&job) {
            return if condition == ConditionType::Complete { Ok(()) } else { Err("the job failed".into()) };
        }
    }
    Err("the watch ended".into())
}

fn conflicts(job: &AuditLogReplayJob) -> u32 {
    job.status.as_ref().map_or(0, |status| status.conflicts)
}

fn finished(job: &AuditLogReplayJob) -> Option<ConditionType> {
    let is_end = |c: &ConditionType| matches!(c, ConditionType::Complete | ConditionType::Failed);
    let conditions = &job.status.as_ref()?.conditions;
    conditions.iter().find(|c| is_end(&c.type_) && c.status == ConditionStatus::True).map(|c| c.type_.clone())
}

/// Counts what arrived.
async fn ending(cast: &Cast, gap: &Gap) -> Result<()> {
    cast.siem.wait_for_events(gap.emitted, PATIENCE).await?;
    let runs = cast.konnect.runs(&cast.portal)?.len();
    if runs != 1 {
        return Err(format!("Konnect ran {runs} replays of the portal instead of one").into());
    }
    let refused = cast.konnect.calls().iter().filter(|call| call.status == Some(409)).count();
    say(&format!(
        "\n6. The SIEM has all {} events now: {} recovered, {} received twice and de-duplicated by signature.\n   Konnect refused {refused} \
         request(s) with 409, accepted one, and ran one replay.",
        gap.emitted,
        gap.lost,
        cast.siem.duplicates(),
    ));
    Ok(())
}
