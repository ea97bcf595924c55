//! Performing the steps of a story: questions are answered from the script, writes are stored, and what must hold of each is
//! asserted.

use std::time::Duration;

use chrono::TimeDelta;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::invariants;
use super::story::Story;
use crate::api::{ApiVersion, AuditLogReplayJobStatus, SubmissionState, TimeRange};
use crate::replay::{PutAnswer, Seen, Step, VersionChoice};

impl Story {
    pub(super) fn perform(&mut self, step: &Step) {
        match step {
            Step::TakeTurn => self.learned.turn = Some(self.turn.clone()),
            Step::ReadToken => {
                self.memory.read_token(&self.token);
                self.learned.token = Some(self.token.clone());
            }
            Step::ReadWebhook { .. } => self.read_webhook(),
            Step::ReadRemoteJob => self.read_remote(),
            Step::ReadOtherVersion => self.read_other_version(),
            Step::ReadSiblings => self.learned.siblings = Some(self.siblings.clone()),
            Step::WriteIntent(status) => self.write_intent(status),
            Step::Submit { id, window } => self.submit(id, *window),
            Step::WriteStatus(status) => self.write(status),
            Step::Wait { wait, cause } => {
                if cause.is_rest() {
                    self.memory.rest(self.job.metadata.generation.unwrap(), self.clock, *wait);
                }
            }
            Step::Delete => self.job.metadata.deletion_timestamp = Some(Time(kube_time(self.clock))),
            Step::AwaitChange => {}
        }
    }

    fn read_webhook(&mut self) {
        assert!(self.learned.token == Some(Ok(())), "a call without a token");
        let at = self.clock;
        self.sleep(self.konnect.webhook_takes);
        let what = self.konnect.webhook_under(self.version());
        self.memory.read_webhook(what.config.as_ref());
        self.learned.webhook = Some(Seen { at, what });
    }

    fn read_remote(&mut self) {
        assert!(self.learned.token == Some(Ok(())), "a call without a token");
        let at = self.clock;
        self.sleep(self.konnect.get_takes);
        let what = self.konnect.get_under(self.version(), self.clock.wall);
        self.memory.read_remote(what.as_ref().map(|r| &r.value), &self.job, self.clock);
        self.learned.remote = Some(Seen { at, what });
    }

    fn read_other_version(&mut self) {
        assert!(self.learned.token == Some(Ok(())), "a call without a token");
        self.sleep(self.konnect.get_takes);
        let what = self.konnect.get_under(self.version().other(), self.clock.wall);
        self.memory.read_other_version(what.as_ref().map(|r| &r.value));
        self.learned.other_version = Some(what);
    }

    /// The version of Konnect's API that is asked first.
    fn version(&self) -> ApiVersion {
        VersionChoice::of(&self.job).asked_first()
    }

    fn write_intent(&mut self, status: &AuditLogReplayJobStatus) {
        let submission = status.submission.as_ref().unwrap();
        assert_eq!(submission.state, SubmissionState::Intended);
        self.memory.intending(&submission.id, self.clock);
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
        self.memory.see(&self.job, self.clock);
    }

    /// As the apiserver does it: the status is replaced, after a trip through JSON.
    fn write(&mut self, status: &AuditLogReplayJobStatus) {
        let stored: AuditLogReplayJobStatus = serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap();
        assert_eq!(stored, *status, "what is stored is what was meant");
        invariants::check(&self.status(), status, &self.job);
        self.sleep(self.write_takes);
        let before = self.version();
        self.job.status = Some(stored);
        if self.version() != before {
            self.learned.forget_konnect();
        }
        self.writes.push(status.clone());
        self.memory.conflicts_recorded();
    }

    fn submit(&mut self, id: &str, window: TimeRange) {
        let recorded = self.submission();
        assert_eq!((recorded.id.as_str(), recorded.window), (id, window), "only what is recorded is sent");
        self.assert_shown_free();
        self.memory.sending(id);
        self.puts.push((self.clock, window));
        self.sent_under.push(self.version());
        self.sleep(self.konnect.put_takes);
        let answer = self.konnect.put_under(self.version(), window, self.clock.wall);
        if self.dies.is_none() {
            self.memory.answered(id, self.clock, PutAnswer::new(window, answer));
        }
    }

    /// Invariant I2.
    fn assert_shown_free(&self) {
        let seen = self.learned.remote.as_ref().expect("a PUT without a GET");
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
        let sent_at = self.clock.mono.checked_sub(self.memory.first_seen(&self.submission().id).unwrap()).unwrap();
        assert!(
            sent_at <= Duration::from_secs(10),
            "the settle time counts from the record, so the PUT must follow at once"
        );
    }
}

fn kube_time(clock: crate::replay::Clock) -> k8s_openapi::jiff::Timestamp {
    crate::api::to_micro_time(clock.wall).0
}
