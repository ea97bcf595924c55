//! The objects: each with a window of its own on its portal, in which one event was lost.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use fastrand::Rng;
use futures::future::try_join_all;
use konnect_emulator::{Emit, Scope as RemoteScope, TargetKey, Window};
use konnect_replay_core::api::{
    AuditLogReplayJob, AuditLogReplayJobSpec, ConditionStatus, ConditionType, KonnectApiVersion, Scope, SecretKeyRef,
    Target, WindowSpec,
};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::Value;

use crate::Result;
use crate::stage::{Stage, secret_of};

/// From one window of a portal to the next. A repeat is sent with up to 59 s more, so windows never touch.
const SPACING: TimeDelta = TimeDelta::seconds(180);
const LENGTH: TimeDelta = TimeDelta::seconds(60);
/// Where the first windows lie: as far back as retention allows for hours to come.
const OLDEST: TimeDelta = TimeDelta::hours(160);

/// What is known of one object.
pub(crate) struct Item {
    pub(crate) target: TargetKey,
    pub(crate) window: Window,
    /// The trace id of the event that was lost.
    pub(crate) event: String,
    /// As it was last read; none before.
    pub(crate) last: Option<AuditLogReplayJob>,
    /// A user has deleted it.
    pub(crate) deleted: bool,
}

impl Item {
    /// Whether a window at Konnect is this object's: the one asked for, or one with up to 59 s more.
    pub(crate) fn is_its(&self, window: Window) -> bool {
        let more = window.end_at - self.window.end_at;
        window.start_at == self.window.start_at && more >= TimeDelta::zero() && more < TimeDelta::seconds(60)
    }

    /// Whether a condition of it is True.
    pub(crate) fn is(&self, type_: &ConditionType) -> bool {
        self.reason(type_).is_some()
    }

    /// The reason of a condition that is True.
    pub(crate) fn reason(&self, type_: &ConditionType) -> Option<&str> {
        let conditions = &self.last.as_ref()?.status.as_ref()?.conditions;
        let found = conditions.iter().find(|c| c.type_ == *type_ && c.status == ConditionStatus::True);
        found.map(|c| c.reason.as_str())
    }

    /// Whether nothing more is asked of it.
    fn is_done(&self) -> bool {
        self.deleted || self.is(&ConditionType::Finished)
    }
}

/// All objects that were made.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) items: BTreeMap<String, Item>,
    slots: BTreeMap<TargetKey, i32>,
    begin: Option<DateTime<Utc>>,
}

impl Work {
    /// Reads all objects anew. What is finished is kept here and taken out of the cluster, so that hours of soak do not fill it.
    pub(crate) async fn look(&mut self, stage: &Stage) -> Result<()> {
        let mut finished = Vec::new();
        for job in stage.jobs.list(&ListParams::default()).await? {
            let name = job.name_any();
            if let Some(item) = self.items.get_mut(&name) {
                item.last = Some(job);
                if item.is_done() {
                    finished.push(name);
                }
            }
        }
        let delete = finished.iter().map(async |name| stage.jobs.delete(name, &DeleteParams::default()).await);
        try_join_all(delete).await?;
        Ok(())
    }

    /// Makes as many objects as are missing, side by side.
    pub(crate) async fn fill(&mut self, stage: &Stage, objects: usize) -> Result<()> {
        let mut new = Vec::new();
        for number in self.made()..self.made() + objects.saturating_sub(self.unfinished()) {
            let Some(target) = stage.targets.get(number % stage.targets.len()) else { break };
            let window = self.next_window(target);
            let middle = window.start_at + LENGTH / 2;
            let event = stage.konnect.emit(target, Emit::at(1, middle).lost())?.pop().ok_or("no event was made")?;
            let name = format!("job-{number:05}");
            new.push(object(&name, target, window));
            self.items.insert(name, Item { target: target.clone(), window, event, last: None, deleted: false });
        }
        try_join_all(new.iter().map(async |job| stage.jobs.create(&PostParams::default(), job).await)).await?;
        Ok(())
    }

    /// A window that nobody has: not of another object, nor of an outsider.
    pub(crate) fn next_window(&mut self, target: &TargetKey) -> Window {
        let begin = *self.begin.get_or_insert_with(|| Utc::now().trunc_subsecs(0) - OLDEST);
        let slot = self.slots.entry(target.clone()).or_default();
        *slot += 1;
        let start = begin + SPACING * *slot;
        Window::new(start, start + LENGTH)
    }

    /// The name of some object that is not finished.
    pub(crate) fn some_unfinished(&self, rng: &mut Rng) -> Option<String> {
        let open: Vec<&String> = self.items.iter().filter(|(_, item)| !item.is_done()).map(|(name, _)| name).collect();
        rng.choice(open).cloned()
    }

    /// Deletes an object, as a user does. It is nobody's business any more whether it was finished.
    pub(crate) async fn delete(&mut self, stage: &Stage, name: &str) -> Result<()> {
        stage.jobs.delete(name, &DeleteParams::default()).await?;
        if let Some(item) = self.items.get_mut(name) {
            item.deleted = true;
        }
        Ok(())
    }

    /// Patches an object, as a user does. One that is over is gone.
    pub(crate) async fn patch(&self, stage: &Stage, name: &str, patch: &Value) -> Result<()> {
        if self.items.get(name).is_some_and(|item| !item.is_done()) {
            stage.jobs.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        }
        Ok(())
    }

    /// How many there have been.
    pub(crate) fn made(&self) -> usize {
        self.items.len()
    }

    /// How many are over, by themselves or by a user.
    pub(crate) fn finished(&self) -> usize {
        self.items.values().filter(|item| item.is_done()).count()
    }

    /// How many are not.
    pub(crate) fn unfinished(&self) -> usize {
        self.made() - self.finished()
    }
}

fn object(name: &str, target: &TargetKey, window: Window) -> AuditLogReplayJob {
    let portal_id = match &target.scope {
        RemoteScope::Portal(id) => Some(id.clone()),
        RemoteScope::Organization => None,
    };
    let remote = Target {
        region: target.region.clone(),
        scope: if portal_id.is_some() { Scope::Portal } else { Scope::Organization },
        portal_id,
        konnect_api_version: KonnectApiVersion::default(),
    };
    let secret = SecretKeyRef { name: secret_of(&target.org), key: "token".to_owned() };
    let spec = AuditLogReplayJobSpec::new(remote, WindowSpec::new(window.start_at, window.end_at), secret);
    AuditLogReplayJob::new(name, spec)
}
