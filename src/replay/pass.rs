//! One pass over one object: ask what to do ([`Course::next`]), do it, note down what it brought, and ask again, until it says to
//! wait.

use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use tracing::{debug, warn};

use super::announce::{self, Announcement, Outlet};
use super::context::Context;
use super::kept::Kept;
use super::siblings::siblings;
use super::{konnect, log};
use crate::runtime::clock::draw;
use crate::runtime::konnect::{Permit, RETRY, read_token};
use crate::runtime::objects::{KubeError, slimmed};
use crate::runtime::pass::{MAX_STEPS, PassError};
use konnect_replay_core::api::{AuditLogReplayJob, AuditLogReplayJobStatus};
use konnect_replay_core::konnect::Token;
use konnect_replay_core::replay::events;
use konnect_replay_core::replay::{Course, Policy, PutAnswer, Step, ValidatedJob};

/// How often a pass reads the object anew after losing a write.
const MAX_CONFLICTS: usize = 3;
/// How long a request to Konnect may still take when the process is told to end, so that its answer is recorded.
const LAST_CALL: Duration = Duration::from_secs(10);

/// What one pass works with.
pub(super) struct Pass<'a> {
    ctx: &'a Context,
    kept: &'a mut Kept,
    course: Course,
    namespace: String,
    token: Option<Token>,
    /// The permit to call Konnect, for the rest of the pass once it is granted.
    permit: Option<Permit<'a>>,
    announcement: Announcement,
    conflicts: usize,
    /// The last status that the API server took in this pass.
    taken: Option<AuditLogReplayJobStatus>,
}

/// What a step came to.
enum Outcome {
    /// Ask again.
    Go,
    /// The pass is over.
    End(Action),
}

impl<'a> Pass<'a> {
    /// Begins a pass over the newest version of the job that is known: the watch may lag behind our own writes.
    pub(super) fn new(ctx: &'a Context, watched: &AuditLogReplayJob, kept: &'a mut Kept) -> Self {
        let job = kept.own.newest(watched);
        let namespace = job.namespace().unwrap_or_default();
        let (course, woken) = Course::begin(job, &mut kept.memory, &mut ctx.scheduler(), ctx.policy(), ctx.clock());
        ctx.wake_all(woken);
        let announcement = Announcement::default();
        Self { ctx, kept, course, namespace, token: None, permit: None, announcement, conflicts: 0, taken: None }
    }

    /// However the pass ends, only a submission that may be under way stays reserved.
    pub(super) async fn run(mut self) -> Result<Action, PassError> {
        let result = self.steps().await;
        if result.is_err() {
            self.interrupted(false);
        }
        result
    }

    async fn steps(&mut self) -> Result<Action, PassError> {
        self.confirm().await;
        let mut last = "none";
        for _ in 0..MAX_STEPS {
            let step = self.decide();
            last = log::name(&step);
            debug!(namespace = self.namespace, name = self.job().name_any(), step = last, "step");
            if let Outcome::End(action) = self.perform(step).await? {
                return Ok(action);
            }
        }
        Err(PassError::Circles(last))
    }

    fn interrupted(&self, waits: bool) {
        let (memory, now) = (&self.kept.memory, self.ctx.clock().mono);
        let woken = self.course.interrupted(waits, memory, &mut self.ctx.scheduler(), self.policy(), now);
        self.ctx.wake_all(woken);
    }

    /// No call to Konnect is free: the job keeps its place in the queue of its lane, and is woken when it may call.
    fn stand_in_line(&self) -> Outcome {
        self.interrupted(true);
        Outcome::End(Action::requeue(RETRY))
    }

    fn job(&self) -> &AuditLogReplayJob {
        self.course.job()
    }

    fn policy(&self) -> &'a Policy {
        self.ctx.policy()
    }

    fn decide(&self) -> Step {
        self.course.next(&self.kept.memory, self.policy(), self.ctx.clock(), &draw())
    }

    async fn perform(&mut self, step: Step) -> Result<Outcome, PassError> {
        match step {
            Step::TakeTurn => self.take_turn(),
            Step::ReadSiblings => self.course.siblings(siblings(self.ctx, self.course.job())),
            Step::ReadToken | Step::ReadWebhook { .. } | Step::ReadRemoteJob | Step::ReadOtherVersion => {
                return Ok(self.ask(&step).await);
            }
            // When the process is told to end, nothing new is recorded: the next leader would have to wait until it must show.
            Step::WriteIntent(_) if self.ctx.shared.stop.is_requested() => {
                return Ok(Outcome::End(Action::await_change()));
            }
            Step::WriteIntent(status) => self.write_intent(&status).await?,
            Step::Submit { id, .. } => return Ok(self.submit(&id).await),
            Step::WriteStatus(status) if self.taken.as_ref() == Some(&*status) => self.suppose(&status),
            Step::WriteStatus(status) => self.write(&status).await?,
            Step::Delete => return self.delete().await,
            Step::Wait { .. } | Step::AwaitChange => return Ok(Outcome::End(self.end(&step))),
        }
        Ok(Outcome::Go)
    }

    fn take_turn(&mut self) {
        let (policy, clock) = (self.policy(), self.ctx.clock());
        let woken = self.course.take_turn(&self.kept.memory, &mut self.ctx.scheduler(), policy, clock);
        self.ctx.wake_all(woken);
    }

    /// A question may be dropped at any moment: nothing is lost by it.
    async fn ask(&mut self, step: &Step) -> Outcome {
        if !matches!(step, Step::ReadToken) && !self.may_call() {
            return self.stand_in_line();
        }
        let told_to_end = self.ctx.shared.stop.clone();
        tokio::select! {
            () = self.learn(step) => Outcome::Go,
            () = told_to_end.requested() => Outcome::End(Action::await_change()),
        }
    }

    fn may_call(&mut self) -> bool {
        if self.permit.is_none() {
            let who = self.course.candidate(self.policy());
            self.permit = who.and_then(|who| self.ctx.shared.calls.permit(who.route.base_url(), &who.id));
        }
        self.permit.is_some()
    }

    async fn learn(&mut self, step: &Step) {
        let Ok(validated) = ValidatedJob::new(self.job(), self.policy()) else { return };
        let at = self.ctx.clock();
        match (step, self.token.clone()) {
            (Step::ReadRemoteJob, Some(token)) => {
                let what = konnect::read_remote(&self.ctx.shared, &validated.target, &token).await;
                self.announcement.answered(what.as_ref().err());
                let (at, memory) = ((at, self.ctx.clock()), &mut self.kept.memory);
                let woken = self.course.remote(at, what, memory, &mut self.ctx.scheduler(), self.ctx.policy());
                self.ctx.wake_all(woken);
            }
            (Step::ReadWebhook { brief }, Some(token)) => {
                let what = konnect::read_webhook(&self.ctx.shared, &validated.target, &token, *brief).await;
                self.announcement.answered(what.config.as_ref().err());
                self.ctx.shared.metrics.webhook(&validated.target, &what);
                let (at, memory) = ((at, self.ctx.clock()), &mut self.kept.memory);
                let woken = self.course.webhook(at, what, memory, &mut self.ctx.scheduler(), self.ctx.policy());
                self.ctx.wake_all(woken);
            }
            (Step::ReadOtherVersion, Some(token)) => {
                let other = validated.target_under_other_version();
                let what = Box::pin(konnect::read_remote(&self.ctx.shared, &other, &token)).await;
                self.course.other_version(what, &mut self.kept.memory);
            }
            _ => {
                let token = read_token(&self.ctx.shared, &validated.secret).await;
                let learned = token.as_ref().map(|_| ()).map_err(Clone::clone);
                let (memory, now) = (&mut self.kept.memory, self.ctx.clock().mono);
                let woken = self.course.token(learned, memory, &mut self.ctx.scheduler(), self.ctx.policy(), now);
                self.ctx.wake_all(woken);
                self.token = token.ok();
            }
        }
    }

    async fn write_intent(&mut self, status: &AuditLogReplayJobStatus) -> Result<(), PassError> {
        self.course.intending(status, &mut self.kept.memory, self.ctx.clock());
        self.write(status).await
    }

    async fn write(&mut self, status: &AuditLogReplayJobStatus) -> Result<(), PassError> {
        match self.ctx.shared.objects().write_status(self.job(), status).await {
            Ok(written) => {
                self.wrote(written);
                self.course.stored(status);
                self.taken = Some(status.clone());
                Ok(())
            }
            Err(KubeError::Conflict) if self.conflicts < MAX_CONFLICTS => self.read_anew().await,
            // Certainly refused: the watch will show the change that came before it.
            Err(KubeError::Conflict) => Err(KubeError::Conflict.into()),
            Err(error) => {
                self.kept.unconfirmed = Some(Box::new(self.job().clone()));
                Err(error.into())
            }
        }
    }

    /// Only the version that was looked at is deleted: an edit that was made meanwhile is looked at first.
    async fn delete(&mut self) -> Result<Outcome, PassError> {
        match self.ctx.shared.objects().delete(self.job()).await {
            Ok(()) => {
                log::deleted(self.job());
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
        self.kept.unconfirmed = None;
        let to = &mut Outlet { ctx: self.ctx, announcer: &mut self.kept.announcer };
        self.announcement.written(to, self.course.job(), &written);
        let clock = self.ctx.clock();
        self.course.wrote(slimmed(written), &mut self.kept.own, &mut self.kept.memory, clock);
    }

    /// The API server took this very status, and what it stored asks for it again: its definition of the object lacks a field and
    /// drops it. The work goes on as if it had been kept, to the end of this pass. Never for an intent, which must be stored.
    fn suppose(&mut self, status: &AuditLogReplayJobStatus) {
        warn!(
            namespace = self.namespace,
            name = self.job().name_any(),
            "the definition of AuditLogReplayJob in this cluster is older than this program, and drops part of the status: upgrade it"
        );
        self.course.suppose(status);
    }

    /// A write whose answer was lost is reported when the object shows that it landed.
    async fn confirm(&mut self) {
        let landed = |before: &AuditLogReplayJob| before.resource_version() != self.job().resource_version();
        if !self.kept.unconfirmed.as_deref().is_some_and(landed) {
            return;
        }
        // The watch leaves out `managedFields`, which the record of a job needs.
        let whole = self.read().await.ok();
        let after = whole.filter(|whole| whole.uid() == self.job().uid()).unwrap_or_else(|| self.job().clone());
        if let Some(before) = self.kept.unconfirmed.take() {
            let to = &mut Outlet { ctx: self.ctx, announcer: &mut self.kept.announcer };
            self.announcement.written(to, &before, &after);
        }
    }

    /// Reads the job anew, past the watch's store.
    async fn read(&self) -> Result<AuditLogReplayJob, KubeError> {
        self.ctx.shared.objects().get(&self.namespace, &self.job().name_any()).await
    }

    async fn read_anew(&mut self) -> Result<(), PassError> {
        self.conflicts += 1;
        let job = self.read().await?;
        if job.uid() != self.job().uid() {
            return Err(KubeError::Gone.into());
        }
        self.course.overtaken(slimmed(job), &mut self.kept.own, &mut self.kept.memory, self.ctx.clock());
        self.confirm().await;
        Ok(())
    }

    /// Sends the recorded submission, once. When told to end, a call under way gets a moment to finish; without its answer the
    /// outcome stays open, and the next leader settles it.
    async fn submit(&mut self, id: &str) -> Outcome {
        let recorded = self.job().status.as_ref().and_then(|status| status.submission.as_deref()).cloned();
        let parts = (ValidatedJob::new(self.job(), self.policy()), self.token.clone(), recorded);
        let (Ok(validated), Some(token), Some(recorded)) = parts else {
            return Outcome::End(Action::requeue(RETRY));
        };
        if self.ctx.shared.stop.is_requested() {
            return Outcome::End(Action::await_change());
        }
        self.kept.memory.sending(id);
        let answer = tokio::select! {
            answer = konnect::submit(&self.ctx.shared, &validated.target, &token, &recorded) => answer,
            () = self.ctx.shared.stop.requested_for(LAST_CALL) => PutAnswer::InDoubt("the operator was stopped".to_owned()),
        };
        log::answer(self.job(), &answer);
        if let PutAnswer::Refused(error) = &answer {
            let to = &mut Outlet { ctx: self.ctx, announcer: &mut self.kept.announcer };
            self.announcement.refused(to, self.course.job(), (id, error));
        }
        let (memory, clock) = (&mut self.kept.memory, self.ctx.clock());
        let woken = self.course.answered(id, answer, memory, &mut self.ctx.scheduler(), self.ctx.policy(), clock);
        self.ctx.wake_all(woken);
        Outcome::Go
    }

    fn end(&mut self, last: &Step) -> Action {
        let (clock, memory) = (self.ctx.clock(), &mut self.kept.memory);
        let woken = self.course.end(last, memory, &mut self.ctx.scheduler(), self.ctx.policy(), clock);
        self.ctx.wake_all(woken);
        let to = &mut Outlet { ctx: self.ctx, announcer: &mut self.kept.announcer };
        announce::waiting(to, self.course.job());
        let wait = if let Step::Wait { wait, .. } = last { Some(*wait) } else { None };
        // Before that, if an Event will be due.
        let to_tell = events::look_again(self.job(), clock.wall);
        wait.into_iter().chain(to_tell).min().map_or_else(Action::await_change, Action::requeue)
    }
}
