//! What a test sees and does at the emulated Konnect of its world.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use konnect_emulator::{Call, Emit, Emulator, Run, SignatureCheck, TargetKey, Window};
use konnect_replay_core::api::AuditLogReplayJob;

use super::{PATIENCE, PORTAL, World};

impl World {
    /// Requests of replay jobs to the portal of this world.
    pub fn calls(&self, method: &str) -> Vec<Call> {
        let is_meant = |call: &Call| {
            call.method == method && call.path.contains(PORTAL) && call.path.ends_with("audit-log-replay-job")
        };
        self.emulator.calls().into_iter().filter(is_meant).collect()
    }

    /// PUTs of replay jobs that reached Konnect, whatever the target.
    pub fn puts(&self) -> usize {
        self.emulator.calls().iter().filter(|call| call.method == "PUT").count()
    }

    /// Waits until the operator has looked at the portal's replay job `n` more times.
    pub async fn more_looks(&self, n: usize) {
        let before = self.calls("GET").len();
        let looked = self.emulator.wait_for(PATIENCE, |_| (self.calls("GET").len() >= before + n).then_some(())).await;
        assert!(looked.is_ok(), "Konnect was not asked {n} more times");
    }

    /// Waits until something holds at Konnect.
    pub async fn at_konnect<T>(&self, what: &str, look: impl FnMut(&Emulator) -> Option<T>) -> T {
        let found = self.emulator.wait_for(PATIENCE, look).await;
        found.unwrap_or_else(|_| panic!("not seen at Konnect: {what}; calls were {:#?}", self.emulator.calls()))
    }

    /// The runs of the portal of this world.
    pub fn runs(&self) -> Vec<Run> {
        self.emulator.runs(&self.portal).unwrap()
    }

    /// How often jobs of this world were sent again because others were in the way of seeing how they ended: on a busy machine an
    /// operator can look too late.
    pub async fn repeats(&self) -> usize {
        let jobs = self.jobs().list(&kube::api::ListParams::default()).await.unwrap();
        let retries = jobs.items.into_iter().filter_map(|job| job.status?.retries);
        retries.map(|retries| (retries.superseded + retries.ended_unseen) as usize).sum()
    }

    /// Makes events in the middle of the window of `job` that live delivery has lost.
    pub fn lose(&self, portal: &TargetKey, job: &AuditLogReplayJob, count: usize) -> Vec<String> {
        let window = window_of(job);
        let middle = window.start_at + (window.end_at - window.start_at) / 2;
        self.emulator.emit(portal, Emit::at(count, middle).lost()).unwrap()
    }

    /// Waits until these events, and no others, have been received once each, with good signatures.
    pub async fn received_once(&self, ids: &[String]) {
        let events = self.receiver.wait_for_events(ids.len(), PATIENCE).await.unwrap();
        let received: Vec<&str> = events.iter().map(|e| e.trace_id.as_str()).collect();
        assert_eq!(received, ids);
        assert!(events.iter().all(|e| e.signature == SignatureCheck::Valid), "{events:#?}");
        assert_eq!((self.receiver.duplicates(), self.receiver.unreadable()), (0, 0));
    }

    /// Somebody else of the organisation replays an hour of long ago on `portal`, in a run that moves only by hand.
    pub fn foreign_run(&self, portal: &TargetKey) -> Window {
        let start = Utc::now() - TimeDelta::hours(48);
        let window = Window::new(whole_seconds(start), whole_seconds(start + TimeDelta::hours(1)));
        self.emulator.set_manual(portal, true).unwrap();
        self.emulator.foreign_run(portal, window).unwrap();
        window
    }
}

/// The window of an object as Konnect gets it.
pub fn window_of(job: &AuditLogReplayJob) -> Window {
    let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    Window::new(time(&job.spec.window.start_at), time(&job.spec.window.end_at))
}

fn whole_seconds(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(0)
}
