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
use konnect_replay_core::konnect::{RemoteTarget, Token};
use konnect_replay_core::replay::events;
use konnect_replay_core::replay::{Course, Policy, PutAnswer, SecretRef, Step};

/// How often a pass reads the object anew after losing a write.
const MAX_CONFLICTS: usize = 3;
/// How long a request to Konnect may still take when the end of the process is requested, so that its answer is recorded.
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

/// What is asked of the API server or of Konnect.
enum Question {
    /// The token, of the API server.
    Token,
    /// The webhook; `brief`: for the record alone.
    Webhook { brief: bool },
    /// Konnect's replay job.
    RemoteJob,
    /// The same under the other version of Konnect's API.
    OtherVersion,
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
        let namespace = watched.namespace().unwrap_or_default();
        let memory = std::mem::take(&mut kept.memory);
        let course = ctx.begin(watched, memory);
        let announcement = Announcement::default();
        Self { ctx, kept, course, namespace, token: None, permit: None, announcement, conflicts: 0, taken: None }
    }

    /// However the pass ends, only a submission that may be under way stays reserved.
    pub(super) async fn run(mut self) -> Result<Action, PassError> {
        let result = self.steps().await;
        if result.is_err() {
            self.interrupted(false);
        }
        self.kept.memory = self.course.memory;
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
        self.ctx.report(|around| self.course.interrupted(waits, around));
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
        self.course.next(self.policy(), self.ctx.clock(), &draw())
    }

    async fn perform(&mut self, step: Step) -> Result<Outcome, PassError> {
        match step {
            Step::TakeTurn => self.ctx.report(|around| self.course.take_turn(around)),
            Step::ReadSiblings => self.course.siblings(siblings(self.ctx, &self.course)),
            Step::ReadToken => return Ok(self.ask(Question::Token).await),
            Step::ReadWebhook { brief } => return Ok(self.call(Question::Webhook { brief }).await),
            Step::ReadRemoteJob => return Ok(self.call(Question::RemoteJob).await),
            Step::ReadOtherVersion => return Ok(self.call(Question::OtherVersion).await),
            // When the end of the process is requested, nothing new is recorded: the next leader would have to wait until it must show.
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

    /// Asks Konnect, if it may be called now.
    async fn call(&mut self, question: Question) -> Outcome {
        if self.may_call() { self.ask(question).await } else { self.stand_in_line() }
    }

    /// A question may be dropped at any moment: nothing is lost by it.
    async fn ask(&mut self, question: Question) -> Outcome {
        let told_to_end = self.ctx.shared.stop.clone();
        tokio::select! {
            () = self.learn(question) => Outcome::Go,
            () = told_to_end.requested() => Outcome::End(Action::await_change()),
        }
    }

    fn may_call(&mut self) -> bool {
        if self.permit.is_none() {
            let who = self.course.candidate();
            self.permit = who.and_then(|who| self.ctx.shared.calls.permit(who.route.base_url(), &who.id));
        }
        self.permit.is_some()
    }

    async fn learn(&mut self, question: Question) {
        let Ok(validated) = self.course.validated().cloned() else { return };
        match question {
            Question::Token => self.read_token(&validated.secret).await,
            Question::Webhook { brief } => self.read_webhook(&validated.target, brief).await,
            Question::RemoteJob => self.read_remote_job(&validated.target).await,
            Question::OtherVersion => self.read_other_version(&validated.target_under_other_version()).await,
        }
    }

    async fn read_token(&mut self, secret: &SecretRef) {
        let token = read_token(&self.ctx.shared, secret).await;
        let learned = token.as_ref().map(|_| ()).map_err(Clone::clone);
        self.ctx.report(|around| self.course.token(learned, around));
        self.token = token.ok();
    }

    async fn read_webhook(&mut self, target: &RemoteTarget, brief: bool) {
        let Some(token) = &self.token else { return };
        let at = self.ctx.clock();
        let what = konnect::read_webhook(&self.ctx.shared, target, token, brief).await;
        self.announcement.answered(what.config.as_ref().err());
        self.ctx.shared.metrics.webhook(target, &what);
        self.ctx.report(|around| self.course.webhook(at, what, around));
    }

    async fn read_remote_job(&mut self, target: &RemoteTarget) {
        let Some(token) = &self.token else { return };
        let at = self.ctx.clock();
        let what = konnect::read_remote(&self.ctx.shared, target, token).await;
        self.announcement.answered(what.as_ref().err());
        self.ctx.report(|around| self.course.remote(at, what, around));
    }

    async fn read_other_version(&mut self, other: &RemoteTarget) {
        let Some(token) = &self.token else { return };
        let what = Box::pin(konnect::read_remote(&self.ctx.shared, other, token)).await;
        self.course.other_version(what);
    }

    async fn write_intent(&mut self, status: &AuditLogReplayJobStatus) -> Result<(), PassError> {
        self.course.intending(status, self.ctx.clock());
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
        self.course.wrote(slimmed(written), self.ctx.policy(), self.ctx.clock());
    }

    /// The API server took this very status, and what it stored asks for it again: its definition of the object lacks a field and
    /// drops it. The pass continues to its end as if it had been kept. Never for an intent, which must be stored.
    fn suppose(&mut self, status: &AuditLogReplayJobStatus) {
        warn!(
            namespace = self.namespace,
            name = self.job().name_any(),
            "the definition of AuditLogReplayJob in this cluster is older than this program, and drops part of the status: upgrade it"
        );
        self.course.suppose(status, self.ctx.policy());
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
        self.course.overtaken(slimmed(job), self.ctx.policy(), self.ctx.clock());
        self.confirm().await;
        Ok(())
    }

    /// Sends the recorded submission, once. When the end is requested, a call under way gets a moment to finish; without its answer the
    /// outcome stays open, and the next leader settles it.
    async fn submit(&mut self, id: &str) -> Outcome {
        let recorded = self.job().status.as_ref().and_then(|status| status.submission.as_deref()).cloned();
        let target = self.course.validated().map(|validated| validated.target.clone());
        let (Ok(target), Some(token), Some(recorded)) = (target, self.token.clone(), recorded) else {
            return Outcome::End(Action::requeue(RETRY));
        };
        if self.ctx.shared.stop.is_requested() {
            return Outcome::End(Action::await_change());
        }
        self.course.memory.sending(id);
        let answer = tokio::select! {
            answer = konnect::submit(&self.ctx.shared, &target, &token, &recorded) => answer,
            () = self.ctx.shared.stop.requested_for(LAST_CALL) => PutAnswer::InDoubt("the operator was stopped".to_owned()),
        };
        log::answer(self.job(), &answer);
        if let PutAnswer::Refused(error) = &answer {
            let to = &mut Outlet { ctx: self.ctx, announcer: &mut self.kept.announcer };
            self.announcement.refused(to, self.course.job(), (id, error));
        }
        self.ctx.report(|around| self.course.answered(id, answer, around));
        Outcome::Go
    }

    fn end(&mut self, last: &Step) -> Action {
        self.ctx.report(|around| self.course.end(last, around));
        let to = &mut Outlet { ctx: self.ctx, announcer: &mut self.kept.announcer };
        announce::waiting(to, self.course.job());
        let wait = if let Step::Wait { wait, .. } = last { Some(*wait) } else { None };
        // Before that, if an Event will be due.
        let to_tell = events::look_again(self.job(), self.ctx.clock().wall);
        wait.into_iter().chain(to_tell).min().map_or_else(Action::await_change, Action::requeue)
    }
}
