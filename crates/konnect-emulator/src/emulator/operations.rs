//! What a test or a demo does with an emulator: make a world, bend it, and read what happened.

use serde_json::Value;

use super::Emulator;
use crate::Error;
use crate::contract::Violation;
use crate::event::AuditEvent;
use crate::fault::{Fault, FaultRule};
use crate::job::JobView;
use crate::limit::{Limits, RateLimit};
use crate::model::{ApiVersion, Role, Status, TargetKey, Window};
use crate::record::{Call, Delivery, Run};
use crate::settings::Timings;
use crate::webhook::Webhook;
use crate::world::Emit;

/// Who and what there is.
impl Emulator {
    /// Adds an organization with an administrator's token, and answers the token's name. Known names are kept.
    ///
    /// # Errors
    /// None today; the type leaves room for limits.
    pub fn add_organization(&self, name: &str, token: &str) -> Result<String, Error> {
        self.handle.add_organization(name, token)
    }

    /// Adds a token, and answers the name that it has in [`Call::token`] and [`Run::by`].
    ///
    /// # Errors
    /// When the organization is unknown.
    pub fn add_token(&self, org: &str, token: &str, role: Role) -> Result<String, Error> {
        self.handle.update(|world| world.add_token(org, token, role))
    }

    /// Gives a token another role, as an administrator of the organization would.
    ///
    /// # Errors
    /// When no token has that value.
    pub fn set_role(&self, token: &str, role: Role) -> Result<(), Error> {
        self.handle.update(|world| world.set_role(token, role)).then_some(()).ok_or(Error::UnknownToken)
    }

    /// Ends a token: from now on it answers 401.
    ///
    /// # Errors
    /// When no token has that value.
    pub fn revoke_token(&self, token: &str) -> Result<(), Error> {
        self.handle.update(|world| world.revoke_token(token)).then_some(()).ok_or(Error::UnknownToken)
    }

    /// Adds a Dev Portal, and answers its key. The organization's own target needs no adding.
    ///
    /// # Errors
    /// When the organization is unknown.
    pub fn add_portal(&self, org: &str, region: &str, portal_id: &str) -> Result<TargetKey, Error> {
        let key = TargetKey::portal(org, region, portal_id);
        self.handle.update(|world| world.add_portal(&key))?;
        Ok(key)
    }

    /// Makes a portal known in one version of the API only; none makes it known in both, as at first.
    ///
    /// # Errors
    /// When the portal is unknown.
    pub fn set_portal_version(&self, key: &TargetKey, only: Option<ApiVersion>) -> Result<(), Error> {
        self.handle.update(|world| world.target_mut(key).map(|target| target.only = only))
    }

    /// Configures a target's webhook; none takes it away.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn set_webhook(&self, key: &TargetKey, webhook: impl Into<Option<Webhook>>) -> Result<(), Error> {
        self.handle.set_webhook(key, webhook.into())
    }

    /// Makes audit events, delivers them in the background to the webhook if one is enabled, and answers their trace ids.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn emit(&self, key: &TargetKey, emit: Emit) -> Result<Vec<String>, Error> {
        self.handle.emit(key, emit)
    }

    /// The events kept for replays, in the order made.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn events(&self, key: &TargetKey) -> Result<Vec<AuditEvent>, Error> {
        self.handle.look(key, |target| target.events.clone())
    }
}

/// Replay jobs.
impl Emulator {
    /// The replay job as it is, whatever [`Emulator::force_job`] makes GET answer.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn job(&self, key: &TargetKey) -> Result<JobView, Error> {
        self.handle.look(key, |target| target.job.view().clone())
    }

    /// Every accepted PUT, oldest first.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn runs(&self, key: &TargetKey) -> Result<Vec<Run>, Error> {
        self.handle.look(key, |target| target.job.runs().to_vec())
    }

    /// Sets how long a target's runs stay in each state.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn set_timings(&self, key: &TargetKey, timings: Timings) -> Result<(), Error> {
        self.handle.update(|world| world.target_mut(key).map(|target| target.job.set_timings(timings)))
    }

    /// With true, a target's job changes its state only by [`Emulator::advance`].
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn set_manual(&self, key: &TargetKey, manual: bool) -> Result<(), Error> {
        self.handle.update(|world| world.target_mut(key).map(|target| target.job.set_manual(manual)))
    }

    /// Moves a job to a state at once, any word included. `running` begins the delivery; an end does not wait for it.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn advance(&self, key: &TargetKey, status: Status) -> Result<(), Error> {
        self.handle.advance(key, status)
    }

    /// Makes the next `runs` runs send nothing and end `failed`.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn fail_next(&self, key: &TargetKey, runs: u32) -> Result<(), Error> {
        self.handle.update(|world| world.target_mut(key).map(|target| target.job.fail_next(runs)))
    }

    /// A PUT by somebody else of the organization, by the same rules as one over HTTP. Answers the run's number.
    ///
    /// # Errors
    /// When the target is unknown, or the PUT would have been refused.
    pub fn foreign_run(&self, key: &TargetKey, window: Window) -> Result<u64, Error> {
        self.handle.foreign_run(key, window)
    }

    /// Makes GET of the job answer exactly this JSON, until it is set to none. What is behind it goes on.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn force_job(&self, key: &TargetKey, json: impl Into<Option<Value>>) -> Result<(), Error> {
        let json = json.into();
        self.handle.update(|world| world.target_mut(key).map(|target| target.forced = json))
    }
}

/// Faults and records.
impl Emulator {
    /// Adds a rule at the end of the list, and answers its number.
    pub fn add_fault(&self, fault: Fault) -> u64 {
        self.handle.update(|world| world.faults.add(fault))
    }

    /// The rules, with what is left of each.
    pub fn faults(&self) -> Vec<FaultRule> {
        self.handle.shared.read(|world| world.faults.rules().to_vec())
    }

    /// Takes all rules away.
    pub fn clear_faults(&self) {
        self.handle.update(|world| world.faults.clear());
    }

    /// The calls to the Konnect API since the last clearing, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.handle.shared.read(|world| world.calls.to_vec())
    }

    /// Forgets the calls.
    pub fn clear_calls(&self) {
        self.handle.update(|world| world.calls.clear());
    }

    /// What of the calls so far `openapi.yaml` does not allow, faults and jobs by hand left out.
    pub fn violations(&self) -> Vec<Violation> {
        self.handle.shared.read(|world| world.violations.to_vec())
    }

    /// Limits how many requests are answered, from now on; none lifts all limits.
    pub fn set_rate_limits(&self, limits: impl IntoIterator<Item = RateLimit>) {
        let limits: Vec<_> = limits.into_iter().collect();
        self.handle.update(|world| world.limits = Limits::new(&limits));
    }

    /// The delivery attempts since the last clearing, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.handle.shared.read(|world| world.deliveries.to_vec())
    }

    /// Forgets the delivery attempts.
    pub fn clear_deliveries(&self) {
        self.handle.update(|world| world.deliveries.clear());
    }
}
