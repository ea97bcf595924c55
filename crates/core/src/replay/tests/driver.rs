//! Performing the steps of a story: questions are answered from the script, writes are stored, and what must hold of each is
//! asserted.

use std::time::Duration;

use chrono::TimeDelta;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::invariants;
use super::story::Story;
use crate::api::{ApiVersion, AuditLogReplayJobStatus, SubmissionState, TimeRange};
use crate::replay::{PutAnswer, Step, Turn, VersionChoice, Woken};

impl Story {
    pub(super) fn perform(&mut self, step: &Step) {
        match step {
            Step::TakeTurn => self.take_turn(),
            Step::ReadToken => {
                let token = self.token.clone();
                let (course, mut around) = self.around();
                let _: Woken = course.token(token, &mut around);
            }
            Step::ReadWebhook { .. } => self.read_webhook(),
            Step::ReadRemoteJob => self.read_remote(),
            Step::ReadOtherVersion => self.read_other_version(),
            Step::ReadSiblings => self.course.siblings(self.siblings.clone()),
            Step::WriteIntent(status) => self.write_intent(status),
            Step::Submit { id, window } => self.submit(id, *window),
            Step::WriteStatus(status) => self.write(status),
            Step::Wait { .. } | Step::AwaitChange => self.end(step),
            Step::Delete => {
                self.end(step);
                self.job.metadata.deletion_timestamp = Some(Time(kube_time(self.clock)));
            }
        }
    }

    /// Where a story says that others go first, another job has reserved the lane.
    fn take_turn(&mut self) {
        let first = self.course.candidate().cloned().map(|mut who| {
            who.id.name = "first".to_owned();
            who.id.uid = "first".to_owned();
            who
        });
        let now = self.clock.mono;
        if let Some(first) = &first {
            let _: Woken = if self.turn.is_some() {
                self.scheduler.reserve(first, now)
            } else {
                self.scheduler.gone(&first.id, now)
            };
        }
        let (course, mut around) = self.around();
        let _: Woken = course.take_turn(&mut around);
        if matches!(self.course.learned.turn, Some(Turn::Behind { .. } | Turn::Later)) && self.turn.is_some() {
            self.course.learned.turn.clone_from(&self.turn);
        }
    }

    fn end(&mut self, step: &Step) {
        let (course, mut around) = self.around();
        let _: Woken = course.end(step, &mut around);
    }

    fn read_webhook(&mut self) {
        assert!(self.course.learned.token == Some(Ok(())), "a call without a token");
        let at = self.clock;
        self.sleep(self.konnect.webhook_takes);
        let what = self.konnect.webhook_under(self.version(), self.clock.wall);
        let (course, mut around) = self.around();
        let _: Woken = course.webhook(at, what, &mut around);
    }

    fn read_remote(&mut self) {
        assert!(self.course.learned.token == Some(Ok(())), "a call without a token");
        let at = self.clock;
        self.sleep(self.konnect.get_takes);
        let what = self.konnect.get_under(self.version(), self.clock.wall);
        let (course, mut around) = self.around();
        let _: Woken = course.remote(at, what, &mut around);
    }

    fn read_other_version(&mut self) {
        assert!(self.course.learned.token == Some(Ok(())), "a call without a token");
        self.sleep(self.konnect.get_takes);
        let what = self.konnect.get_under(self.version().other(), self.clock.wall);
        self.course.other_version(what);
    }

    /// The version of Konnect's API that is asked first.
    fn version(&self) -> ApiVersion {
        VersionChoice::of(self.course.job()).asked_first()
    }

    fn write_intent(&mut self, status: &AuditLogReplayJobStatus) {
        let submission = status.submission.as_ref().unwrap();
        assert_eq!(submission.state, SubmissionState::Intended);
        self.course.intending(status, self.clock);
        if std::mem::take(&mut self.overtaken) {
            self.lose_to_another(status);
            return;
        }
        self.write(status);
        if let Some((mono, wall)) = self.pause_after_intent.take() {
            self.clock.mono += mono;
            self.clock.wall += wall;
        }
    }

    /// Another process was first: our write is refused because of its resourceVersion, and the object is read anew.
    fn lose_to_another(&mut self, status: &AuditLogReplayJobStatus) {
        let mut theirs = status.clone();
        theirs.submission.as_mut().unwrap().id = "of-another-process".to_owned();
        self.job.status = Some(theirs);
        self.course.overtaken(self.job.clone(), &self.policy, self.clock);
    }

    /// As the apiserver does it: the status is replaced, after a trip through JSON.
    fn write(&mut self, status: &AuditLogReplayJobStatus) {
        let mut stored: AuditLogReplayJobStatus =
            serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap();
        assert_eq!(stored, *status, "what is stored is what was meant");
        invariants::check(&self.status(), status, &self.job);
        self.sleep(self.write_takes);
        if let Some(drop) = self.definition_drops {
            drop(&mut stored);
        }
        self.job.status = Some(stored);
        self.writes.push(status.clone());
        self.course.wrote(self.job.clone(), &self.policy, self.clock);
        self.course.stored(status);
    }

    fn submit(&mut self, id: &str, window: TimeRange) {
        let recorded = self.submission();
        assert_eq!((recorded.id.as_str(), recorded.window), (id, window), "only what is recorded is sent");
        self.assert_shown_free();
        self.course.memory.sending(id);
        self.puts.push((self.clock, window));
        self.sent_under.push(self.version());
        self.sleep(self.konnect.put_takes);
        let answer = self.konnect.put_under(self.version(), window, self.clock.wall);
        if self.dies.is_none() {
            let answer = PutAnswer::new(&recorded, answer);
            let (course, mut around) = self.around();
            let _: Woken = course.answered(id, answer, &mut around);
        }
    }

    /// Invariant I2.
    fn assert_shown_free(&self) {
        let seen = self.course.learned.remote.as_ref().expect("a PUT without a GET");
        let reading = seen.what.as_ref().expect("a PUT after a GET that failed");
        assert!(!reading.value.status.is_busy(), "a PUT onto a busy target: {reading:?}");
        assert!(
            self.clock.mono.checked_sub(seen.at.mono).unwrap() <= Duration::from_secs(10),
            "too old by the monotonic clock"
        );
        let wall = self.clock.wall - seen.at.wall;
        assert!(wall >= TimeDelta::zero() && wall <= TimeDelta::seconds(10), "too old by the wall clock: {wall}");
        assert!(!self.job.spec.suspend, "a PUT although suspended");
        assert!(self.job.metadata.deletion_timestamp.is_none(), "a PUT for an object that is being deleted");
        let sent_at =
            self.clock.mono.checked_sub(self.course.memory.first_seen(&self.submission().id).unwrap()).unwrap();
        assert!(
            sent_at <= Duration::from_secs(10),
            "the settle time counts from the record, so the PUT must follow at once"
        );
    }
}

fn kube_time(clock: crate::replay::Clock) -> k8s_openapi::jiff::Timestamp {
    crate::api::to_micro_time(clock.wall).0
}
