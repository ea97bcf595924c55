//! The background task: wakes when a job is due, and carries out deliveries.
//!
//! It decides nothing: `world` says what is to be done, and is told how it went.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use crate::delivery::deliver;
use crate::shared::Shared;
use crate::world::Effect;

/// Runs until aborted; deliveries under way end with it.
pub(crate) async fn run(shared: Arc<Shared>, mut work: UnboundedReceiver<Effect>) {
    let mut changes = shared.changes();
    let mut deliveries = JoinSet::new();
    loop {
        changes.mark_unchanged();
        let due = shared.tick();
        tokio::select! {
            _ = changes.changed() => {}
            () = sleep_until(due) => {}
            Some(effect) = work.recv() => {
                deliveries.spawn(perform(shared.clone(), effect));
            }
            Some(_) = deliveries.join_next() => {}
        }
    }
}

async fn sleep_until(due: Option<DateTime<Utc>>) {
    match due {
        Some(due) => {
            tokio::time::sleep((due - Utc::now()).to_std().unwrap_or(Duration::ZERO)).await;
        }
        None => std::future::pending().await,
    }
}

async fn perform(shared: Arc<Shared>, effect: Effect) {
    match effect {
        Effect::Live(target, events) => {
            let lag = shared.read(|world| world.target(&target).map(|target| target.job.behaviour().delivery.lag));
            tokio::time::sleep(lag.unwrap_or_default()).await;
            if let Err(reason) = deliver(&shared, &target, None, &events).await {
                tracing::info!(%target, events = events.len(), reason, "live delivery dropped; kept for replay");
            }
        }
        Effect::Replay(target, start) => {
            let events = shared.update(|world, now| world.events_in(&target, start.window, now));
            let outcome = deliver(&shared, &target, Some(start.run), &events).await;
            tracing::info!(%target, run = start.run, events = events.len(), ?outcome, "replay delivered");
            shared.update(|world, _| world.delivered(&target, start.run, outcome));
        }
    }
}
