//! One pass over one object: ask [`next`] what to do, do it, add what was learned, and ask again, until it says to wait.

use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use tokio::sync::OwnedSemaphorePermit;
use tracing::debug;

use super::actions::KubeError;
use super::context::Context;
use super::log;
use super::memory::Kept;
use crate::api::{AuditLogReplayJob, AuditLogReplayJobStatus, TimeRange};
use crate::konnect::{CallError, Token};
use crate::replay::events;
use crate::replay::{
    Candidate, Clock, Learned, Observed, PutAnswer, Seen, Step, TroubleWith, Turn, ValidatedJob, WaitCause, holds_turn,
    is_finished, next,
};

/// Steps in one pass. The longest legitimate pass takes about twelve; more would be a decision that goes in circles.
const MAX_STEPS: usize = 32;
/// How often a pass reads the object anew after losing a write.
const MAX_CONFLICTS: usize = 3;
/// How long a request to Konnect may still take when the process is told to end, so that its answer is recorded.
const LAST_CALL: Duration = Duration::from_secs(10);
/// How soon to ask again for a right to call Konnect, when others of the region have them all.
const PERMIT_RETRY: Duration = Duration::from_millis(500);

/// A pass that could not be ended as decided.
#[derive(Debug, thiserror::Error)]
pub(super) enum PassError {
    /// The object could not be read or written.
    #[error(transparent)]
    Kube(#[from] KubeError),
    /// A decision that goes in circles.
    #[error("no end after {MAX_STEPS} steps; the last was {0}")]
    Circles(&'static str),
    /// A bug, contained to this pass.
    #[error("the pass panicked")]
    Panicked,
}

/// What one pass works with.
pub(super) struct Pass<'a> {
    ctx: &'a Context,
    kept: &'a mut Kept,
    job: AuditLogReplayJob,
    namespace: String,
    learned: Learned,
    token: Option<Token>,
    /// The right to call Konnect, for the whole pass once it is given.
    permit: Option<OwnedSemaphorePermit>,
    /// Of the last answer, where that was an error: for Events.
    trace_id: Option<String>,
    conflicts: usize,
}

/// What a step came to.
enum Outcome {
    /// Ask again.
    Go,
    /// The pass is over.
    End(Action),
}

impl<'a> Pass<'a> {
    pub(super) fn new(ctx: &'a Context, watched: &AuditLogReplayJob, kept: &'a mut Kept) -> Self {
        let job = kept.newest(watched);
        let namespace = job.namespace().unwrap_or_default();
        let (learned, token, permit, trace_id) = (Learned::default(), None, None, None);
        Self { ctx, kept, job, namespace, learned, token, permit, trace_id, conflicts: 0 }
    }

    pub(super) async fn run(mut self) -> Result<Action, PassError> {
        self.take_in();
        let mut last = "none";
        for _ in 0..MAX_STEPS {
            let step = self.decide();
            last = log::name(&step);
            debug!(namespace = self.namespace, name = self.job.name_any(), step = last, "step");
            if let Outcome::End(action) = self.perform(step).await? {
                return Ok(action);
            }
        }
        Err(PassError::Circles(last))
    }

    /// Takes note of what stands in the object before anything is decided.
    fn take_in(&mut self) {
        self.kept.memory.see(&self.job, self.ctx.clock());
        if holds_turn(&self.job, &self.kept.memory, None)
            && let Some(candidate) = self.candidate()
        {
            self.ctx.lanes().hold(&candidate);
        }
    }

    fn decide(&self) -> Step {
        let observed = Observed {
            clock: self.ctx.clock(),
            job: &self.job,
            learned: &self.learned,
            memory: &self.kept.memory,
            draw: &Context::draw(),
        };
        next(&observed, &self.ctx.config.policy)
    }

    async fn perform(&mut self, step: Step) -> Result<Outcome, PassError> {
        match step {
            Step::TakeTurn => self.take_turn(),
            Step::ReadSiblings => self.learned.siblings = Some(self.ctx.siblings(&self.job)),
            Step::ReadToken | Step::ReadWebhook { .. } | Step::ReadRemoteJob | Step::ReadOtherVersion => {
                return Ok(self.ask(&step).await);
            }
            Step::WriteIntent(status) => self.write_intent(&status).await?,
            Step::Submit { id, window } => return Ok(self.submit(&id, window).await),
            Step::WriteStatus(status) => self.write(&status).await?,
            Step::Delete => return self.delete().await,
            Step::Wait { .. } | Step::AwaitChange => return Ok(Outcome::End(self.end(&step))),
        }
        Ok(Outcome::Go)
    }

    fn candidate(&self) -> Option<Candidate> {
        Candidate::of(&self.job, &self.ctx.config.policy)
    }

    fn take_turn(&mut self) {
        let now = self.ctx.clock().mono;
        self.learned.turn = self.candidate().map(|candidate| {
            let mut lanes = self.ctx.lanes();
            lanes.resting(now).map_or_else(|| lanes.take(&candidate, now), |wait| Turn::NotYet { wait })
        });
    }

    /// A question may be dropped at any moment: nothing is lost by it.
    async fn ask(&mut self, step: &Step) -> Outcome {
        if !matches!(step, Step::ReadToken) && !self.may_call() {
            self.step_aside();
            return Outcome::End(Action::requeue(PERMIT_RETRY));
        }
        let told_to_end = self.ctx.stop.clone();
        tokio::select! {
            () = self.learn(step) => Outcome::Go,
            () = told_to_end.requested() => Outcome::End(Action::await_change()),
        }
    }

    /// One region that is slow must not take every worker.
    fn may_call(&mut self) -> bool {
        if self.permit.is_none() {
            self.permit = self.candidate().and_then(|who| self.ctx.permit(&who.base_url));
        }
        self.permit.is_some()
    }

    /// Gives the place up while others of the region make all its calls, unless a run may be under way: asked for anew, it tells
    /// what those calls have found out meanwhile.
    fn step_aside(&self) {
        if !holds_turn(&self.job, &self.kept.memory, None)
            && let Some(candidate) = self.candidate()
        {
            self.ctx.leave(&candidate.id);
        }
    }

    async fn learn(&mut self, step: &Step) {
        let Ok(validated) = ValidatedJob::new(&self.job, &self.ctx.config.policy) else { return };
        let at = self.ctx.clock();
        match (step, self.token.clone()) {
            (Step::ReadRemoteJob, Some(token)) => {
                let what = self.ctx.read_remote(&validated.target, &token).await;
                self.trace_id = trace_id(what.as_ref().err());
                let result = what.as_ref().map(|reading| &reading.value);
                self.kept.memory.read_remote(result, &self.job, self.ctx.clock());
                if what.is_ok() {
                    self.mended(|who| vec![TroubleWith::Secret(who.secret), TroubleWith::Region(who.base_url)]);
                }
                self.learned.remote = Some(Seen { at, what });
            }
            (Step::ReadWebhook { brief }, Some(token)) => {
                let what = self.ctx.read_webhook(&validated.target, &token, *brief).await;
                self.trace_id = trace_id(what.config.as_ref().err());
                self.kept.memory.read_webhook(what.config.as_ref());
                self.learned.webhook = Some(Seen { at, what });
            }
            (Step::ReadOtherVersion, Some(token)) => {
                let other = validated.target_under_other_version();
                let known = Box::pin(self.ctx.read_remote(&other, &token)).await.is_ok();
                self.kept.memory.read_other_version(known);
            }
            _ => {
                let token = self.ctx.read_token(&validated.secret).await;
                self.learned.token = Some(token.as_ref().map(|_| ()).map_err(Clone::clone));
                self.token = token.ok();
            }
        }
    }

    /// What was learned shows that trouble is over, for all who share it.
    fn mended(&self, what: impl FnOnce(Candidate) -> Vec<TroubleWith>) {
        self.candidate().map(what).into_iter().flatten().for_each(|with| self.ctx.mended(&with));
    }

    /// From before this write until the request is made, this process knows that it was not.
    async fn write_intent(&mut self, status: &AuditLogReplayJobStatus) -> Result<(), PassError> {
        if let Some(submission) = &status.submission {
            self.kept.memory.intending(&submission.id, self.ctx.clock());
        }
        self.mended(|who| vec![TroubleWith::Target(who.target)]);
        self.write(status).await
    }

    async fn write(&mut self, status: &AuditLogReplayJobStatus) -> Result<(), PassError> {
        match self.ctx.write_status(&self.namespace, &self.job, status).await {
            Ok(written) => {
                self.wrote(written);
                Ok(())
            }
            Err(KubeError::Conflict) if self.conflicts < MAX_CONFLICTS => self.read_anew().await,
            Err(error) => Err(error.into()),
        }
    }

    /// Only the version that was looked at is deleted: whoever edits the object at this moment is heard first.
    async fn delete(&mut self) -> Result<Outcome, PassError> {
        match self.ctx.delete_job(&self.namespace, &self.job).await {
            Ok(()) => {
                log::deleted(&self.job);
                Ok(Outcome::End(self.end(&Step::Delete)))
            }
            Err(KubeError::Conflict) if self.conflicts < MAX_CONFLICTS => {
                self.read_anew().await?;
                Ok(Outcome::Go)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn wrote(&mut self, written: AuditLogReplayJob) {
        self.kept.memory.conflicts_recorded();
        log::transition(&self.job, &written);
        self.announce_write(&written);
        self.kept.wrote(self.job.resource_version().unwrap_or_default(), &written);
        self.job = written;
    }

    fn announce_write(&mut self, written: &AuditLogReplayJob) {
        let (before, clock) = (self.job.status.clone().unwrap_or_default(), self.ctx.clock());
        let events = self.kept.announcer.written(&before, written, self.trace_id.as_deref(), clock);
        for event in events {
            self.ctx.events.publish(written, event, clock.wall);
        }
    }

    /// Somebody else wrote first: what they wrote counts. What was learned of the world still holds.
    async fn read_anew(&mut self) -> Result<(), PassError> {
        self.conflicts += 1;
        let job = self.ctx.read_job(&self.namespace, &self.job.name_any()).await?;
        if job.uid() != self.job.uid() {
            return Err(KubeError::Gone.into());
        }
        self.job = job;
        self.kept.memory.see(&self.job, self.ctx.clock());
        Ok(())
    }

    /// Sends the recorded submission, once. When told to end, a call under way gets a moment to finish; without its answer the
    /// outcome stays open, and whoever comes next settles it.
    async fn submit(&mut self, id: &str, window: TimeRange) -> Outcome {
        let (Ok(validated), Some(token)) = (ValidatedJob::new(&self.job, &self.ctx.config.policy), self.token.clone())
        else {
            return Outcome::End(Action::requeue(PERMIT_RETRY));
        };
        if self.ctx.stop.is_requested() {
            return Outcome::End(Action::await_change());
        }
        self.kept.memory.sending(id);
        let answer = tokio::select! {
            answer = self.ctx.submit(&validated.target, &token, window) => answer,
            () = self.ctx.stop.requested_for(LAST_CALL) => PutAnswer::InDoubt("the operator was stopped".to_owned()),
        };
        log::answer(&self.job, &answer);
        self.announce_refusal(id, &answer);
        self.kept.memory.answered(id, self.ctx.clock(), answer);
        Outcome::Go
    }

    fn announce_refusal(&mut self, id: &str, answer: &PutAnswer) {
        let PutAnswer::Refused(error) = answer else { return };
        self.trace_id = trace_id(Some(error));
        let (status, clock) = (self.job.status.clone().unwrap_or_default(), self.ctx.clock());
        if let Some(event) = self.kept.announcer.refused(&status, id, error, clock) {
            self.ctx.events.publish(&self.job, event, clock.wall);
        }
    }

    fn announce_waiting(&mut self) {
        let clock = self.ctx.clock();
        if let Some(event) = self.kept.announcer.waiting(&self.job, clock) {
            self.ctx.events.publish(&self.job, event, clock.wall);
        }
    }

    fn end(&mut self, step: &Step) -> Action {
        self.announce_waiting();
        if !matches!(step, Step::Wait { cause: WaitCause::Turn | WaitCause::Resting, .. }) {
            self.keep_or_leave_turn(step);
        }
        match step {
            Step::Wait { wait, cause } => {
                let clock: Clock = self.ctx.clock();
                if cause.is_rest() {
                    self.kept.memory.rest(self.job.metadata.generation.unwrap_or_default(), clock, *wait);
                }
                self.share_trouble(*cause, clock.mono + *wait);
                self.look_again(Some(*wait))
            }
            _ => self.look_again(None),
        }
    }

    /// After `wait`, or before that when there is something to tell.
    fn look_again(&self, wait: Option<Duration>) -> Action {
        let to_tell = events::look_again(&self.job, self.ctx.clock().wall);
        wait.into_iter().chain(to_tell).min().map_or_else(Action::await_change, Action::requeue)
    }

    fn keep_or_leave_turn(&self, last: &Step) {
        let Some(candidate) = self.candidate().filter(|_| !holds_turn(&self.job, &self.kept.memory, Some(last))) else {
            return;
        };
        if *last == Step::AwaitChange || is_finished(&self.job) {
            self.ctx.retire(&candidate.id);
        } else {
            self.ctx.leave(&candidate.id);
        }
    }

    /// What this job waits for may be what others would wait for too: they need not ask.
    fn share_trouble(&self, cause: WaitCause, again: Duration) {
        if let Some(candidate) = self.candidate()
            && let Some(with) = TroubleWith::of(&candidate, cause)
        {
            self.ctx.lanes().in_trouble(with, &candidate.id, again);
        }
    }
}

fn trace_id(error: Option<&CallError>) -> Option<String> {
    error.and_then(CallError::trace_id).map(str::to_owned)
}
