//! Replays and events of the world: which PUT is taken, which run may begin, which events a window holds.

use chrono::{DateTime, Utc};

use super::{Effect, Emit, Progress, Refusal, Target, World};
use crate::Error;
use crate::behaviour::{NewestEnd, PutWhileOff, Q4, Q9, Q10};
use crate::event::{AuditEvent, new_trace_id};
use crate::job::{JobView, Outcome};
use crate::model::{Status, TargetKey, Window, earlier};
use crate::settings::{Q1, Q2};
use crate::wire::{InvalidParameter, Rule};

impl World {
    /// A PUT of the replay job, by whichever way it came in.
    pub(crate) fn put(
        &mut self,
        key: &TargetKey,
        window: Window,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Result<JobView, Refusal>, Error> {
        let q1 = self.q1;
        let region_busy = self.region_refuses(key);
        let off = self.refuses_while_off(key)?;
        let behaviour = self.target_mut(key)?.job.behaviour();
        let (q4, clock, granularity) = (behaviour.q4, behaviour.clock(now), behaviour.granularity);
        let invalid = self.check(window, q4, clock);
        let window = granularity.round(window);
        let target = self.target_mut(key)?;
        if !invalid.is_empty() {
            return Ok(Err(Refusal::Invalid(invalid)));
        }
        if let Some(refusal) = off {
            return Ok(Err(refusal));
        }
        if region_busy {
            return Ok(Err(Refusal::Busy));
        }
        Ok(target.job.put(window, by, now, q1).map_err(|_| Refusal::Busy))
    }

    /// Why a PUT is refused because no webhook takes events, if it is.
    fn refuses_while_off(&mut self, key: &TargetKey) -> Result<Option<Refusal>, Error> {
        let target = self.target_mut(key)?;
        if target.webhook.ready().is_ok() {
            return Ok(None);
        }
        Ok(match target.job.behaviour().put_while_off {
            PutWhileOff::Accepted => None,
            PutWhileOff::Invalid => {
                let invalid = InvalidParameter::new("audit_log_webhook", Rule::Invalid, "must be enabled");
                Some(Refusal::Invalid(vec![invalid]))
            }
            PutWhileOff::Conflict => Some(Refusal::Off),
        })
    }

    fn check(&self, window: Window, q4: Q4, now: DateTime<Utc>) -> Vec<InvalidParameter> {
        let oldest = earlier(now, self.retention);
        let newest_end = match q4.newest_end {
            NewestEnd::Any => DateTime::<Utc>::MAX_UTC,
            NewestEnd::Now => now,
            NewestEnd::Ingested => earlier(now, q4.ingest_lag),
        };
        let mut invalid = Vec::new();
        for (field, time, newest) in [("start_at", window.start_at, now), ("end_at", window.end_at, newest_end)] {
            if time < oldest || time > newest {
                invalid.push(InvalidParameter::new(field, Rule::Invalid, "must be within the last 7 days"));
            }
        }
        if window.end_at < window.start_at {
            invalid.push(InvalidParameter::new("end_at", Rule::Invalid, "must not be before start_at"));
        }
        invalid
    }

    /// Q2: whether another target's run makes a PUT here answer 409.
    fn region_refuses(&self, key: &TargetKey) -> bool {
        self.q2 == Q2::Region
            && self
                .neighbours(key)
                .any(|target| target.job.is_running() || (self.q1 == Q1::Refuse && target.job.is_waiting()))
    }

    fn region_is_free(&self, key: &TargetKey) -> bool {
        self.q2 == Q2::Portal || !self.neighbours(key).any(|target| target.job.is_running())
    }

    fn neighbours<'a>(&'a self, key: &'a TargetKey) -> impl Iterator<Item = &'a Target> {
        self.targets.iter().filter(move |(other, _)| *other != key && key.same_region(other)).map(|(_, target)| target)
    }

    /// Moves every job on as far as time allows, and answers what is to be done. A run that ends lets another begin.
    pub(crate) fn tick(&mut self, now: DateTime<Utc>) -> Progress {
        let mut progress = Progress::default();
        while self.tick_once(now, &mut progress.effects) {
            progress.moved = true;
        }
        progress
    }

    fn tick_once(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) -> bool {
        let mut moved = false;
        for key in self.due(now) {
            let free = self.region_is_free(&key);
            let Some(target) = self.targets.get_mut(&key) else {
                continue;
            };
            let tick = target.job.tick(now, free);
            moved |= tick.moved;
            effects.extend(tick.start.map(|start| Effect::Replay(key, start)));
        }
        moved
    }

    fn due(&self, now: DateTime<Utc>) -> Vec<TargetKey> {
        let is_due = |target: &Target| target.job.due().is_some_and(|due| due <= now);
        self.targets.iter().filter(|(_, target)| is_due(target)).map(|(key, _)| key.clone()).collect()
    }

    /// When time alone will next change something after `now`.
    pub(crate) fn next_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.targets.values().filter_map(|target| target.job.due()).filter(|due| *due > now).min()
    }

    /// Moves a job by hand.
    pub(crate) fn advance(
        &mut self,
        key: &TargetKey,
        status: Status,
        now: DateTime<Utc>,
    ) -> Result<Option<Effect>, Error> {
        let start = self.target_mut(key)?.job.advance(status, now);
        Ok(start.map(|start| Effect::Replay(key.clone(), start)))
    }

    pub(crate) fn delivered(&mut self, key: &TargetKey, run: u64, outcome: Outcome) {
        if let Some(target) = self.targets.get_mut(key) {
            target.job.delivered(run, outcome);
        }
    }

    /// Makes and keeps events; drops those that have left retention.
    pub(crate) fn emit(&mut self, key: &TargetKey, emit: Emit, now: DateTime<Utc>) -> Result<Vec<AuditEvent>, Error> {
        let org_id = self.orgs.get(&key.org).map(|org| org.id.clone()).unwrap_or_default();
        let oldest = now - self.retention;
        let target = self.target_mut(key)?;
        let at = emit.at.unwrap_or(now);
        let serials = target.made..target.made + emit.count;
        target.made += emit.count;
        let new: Vec<_> = serials.map(|serial| AuditEvent::new(key, &org_id, at, serial)).collect();
        target.events.retain(|event| event.at >= oldest);
        target.events.extend(new.iter().cloned());
        Ok(new)
    }

    /// Keeps what a call of the API leaves in the organization's log (Q10), and answers it for live delivery.
    pub(crate) fn note_call(&mut self, key: &TargetKey, trace_id: i64, now: DateTime<Utc>) -> Option<Effect> {
        let trace_id = match self.target(key).map_or(self.behaviour().q10, |target| target.job.behaviour().q10) {
            Q10::Nothing => return None,
            Q10::OwnTrace => new_trace_id(),
            Q10::AnswersTrace => trace_id,
        };
        let org_id = self.orgs.get(&key.org)?.id.clone();
        let events = AuditEvent::of_call(&org_id, now, trace_id);
        let target = self.target_mut(key).ok()?;
        target.events.extend(events.iter().cloned());
        target.webhook.ready().is_ok().then(|| Effect::Live(key.clone(), events))
    }

    /// The events that the pull API has in a region (Q9), in order of time.
    pub(crate) fn pulled(&self, org: &str, region: &str, now: DateTime<Utc>) -> Vec<&AuditEvent> {
        let organization = TargetKey::organization(org, region);
        let q9 = self.target(&organization).map_or(self.behaviour().q9, |target| target.job.behaviour().q9);
        let is_meant = |key: &TargetKey| match q9 {
            Q9::OrganizationOnly => *key == organization,
            Q9::WithPortals => key.same_region(&organization),
        };
        let oldest = earlier(now, self.retention);
        let targets = self.targets.iter().filter(|(key, _)| is_meant(key));
        let events = targets.flat_map(|(_, target)| &target.events).filter(|event| event.at >= oldest);
        let mut events: Vec<_> = events.collect();
        events.sort_by_key(|event| event.at);
        events
    }

    /// The stored events of a window (Q4), in order of time.
    pub(crate) fn events_in(&self, key: &TargetKey, window: Window, now: DateTime<Utc>) -> Vec<AuditEvent> {
        let Some(target) = self.targets.get(key) else { return Vec::new() };
        let lag = target.job.behaviour().q4.ingest_lag;
        let oldest = earlier(now, self.retention);
        let newest = if lag.is_zero() { DateTime::<Utc>::MAX_UTC } else { earlier(now, lag) };
        let is_stored = |event: &&AuditEvent| oldest <= event.at && event.at <= newest;
        let mut events: Vec<_> =
            target.events.iter().filter(is_stored).filter(|event| window.contains(event.at)).cloned().collect();
        events.sort_by_key(|event| event.at);
        events
    }
}
