//! Jobs of two organisations, and a scheduler that a test reads as a sentence.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::ApiVersion;
use crate::replay::scheduler::{
    Access, Account, Candidate, LaneKey, ObjectId, Route, Scheduler, SecretRef, TargetKey, Turn, Woken,
};
use crate::replay::step::WaitCause;
use crate::replay::{Policy, Serialize, VersionChoice};

pub(super) const EU: &str = "https://eu.api.konghq.com";
pub(super) const US: &str = "https://us.api.konghq.com";

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn mins(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

/// A job of namespace `audit`, Secret `s` and portal `p` in region eu, whose window expires in an hour.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) base_url: String,
    pub(super) namespace: String,
    pub(super) secret: String,
    pub(super) portal: Option<String>,
    pub(super) version: VersionChoice,
    pub(super) needs_webhook: bool,
    pub(super) expires: i64,
    pub(super) serialize: Serialize,
}

pub(super) fn job(id: &str) -> Job {
    Job {
        id: id.to_owned(),
        base_url: EU.to_owned(),
        namespace: "audit".to_owned(),
        secret: "s".to_owned(),
        portal: Some("p".to_owned()),
        version: VersionChoice::Settled(ApiVersion::V2),
        needs_webhook: true,
        expires: 60,
        serialize: Serialize::Region,
    }
}

impl Job {
    pub(super) fn at(mut self, portal: &str) -> Self {
        self.portal = Some(portal.to_owned());
        self
    }

    pub(super) fn with(mut self, secret: &str) -> Self {
        self.secret = secret.to_owned();
        self
    }

    pub(super) fn of(mut self, namespace: &str) -> Self {
        self.namespace = namespace.to_owned();
        self
    }

    pub(super) fn in_region(mut self, base_url: &str) -> Self {
        self.base_url = base_url.to_owned();
        self
    }

    pub(super) fn for_the_organization(mut self) -> Self {
        self.portal = None;
        self
    }

    pub(super) fn under_v3(mut self) -> Self {
        self.version = VersionChoice::Settled(ApiVersion::V3);
        self
    }

    pub(super) fn finding_its_version(mut self) -> Self {
        self.version = VersionChoice::Open;
        self
    }

    pub(super) fn ignoring_the_webhook(mut self) -> Self {
        self.needs_webhook = false;
        self
    }

    pub(super) fn expiring_in(mut self, minutes: i64) -> Self {
        self.expires = minutes;
        self
    }

    pub(super) fn with_lanes_per_portal(mut self) -> Self {
        self.serialize = Serialize::Portal;
        self
    }

    pub(super) fn candidate(&self) -> Candidate {
        let begin: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
        let (base_url, namespace) = (self.base_url.clone(), self.namespace.clone());
        let secret = SecretRef { namespace: namespace.clone(), name: self.secret.clone(), key: "token".to_owned() };
        let account = Account { base_url: base_url.clone(), secret: secret.clone() };
        let target = match &self.portal {
            Some(id) => TargetKey::Portal { base_url, id: id.clone() },
            None => TargetKey::Organization(account.clone()),
        };
        let of_its_own = (self.serialize == Serialize::Portal).then(|| target.clone());
        Candidate {
            id: ObjectId { namespace, name: self.id.clone(), uid: format!("uid-{}", self.id) },
            route: Route {
                lane: LaneKey { account, target: of_its_own },
                access: Access { secret, target, version: self.version },
                needs_webhook: self.needs_webhook,
            },
            expires_at: begin + TimeDelta::minutes(self.expires),
            created_at: begin,
        }
    }
}

/// A scheduler at a moment.
pub(super) struct World {
    pub(super) scheduler: Scheduler,
    pub(super) now: Duration,
}

pub(super) fn world() -> World {
    World { scheduler: Scheduler::new(&Policy::default()), now: secs(1000) }
}

fn names(woken: Woken) -> Vec<String> {
    woken.into_iter().map(|id| id.name).collect()
}

impl World {
    pub(super) fn after(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    pub(super) fn waits(&mut self, job: &Job) -> Vec<String> {
        names(self.scheduler.wait(&job.candidate(), self.now))
    }

    pub(super) fn take(&mut self, job: &Job) -> Turn {
        self.scheduler.take(&job.candidate(), false, self.now).0
    }

    pub(super) fn starts(&mut self, job: &Job) -> bool {
        self.take(job) == Turn::Ours
    }

    /// Its pass ends because it found something; it looks again after a minute, or at once if its request was lost.
    pub(super) fn finds(&mut self, job: &Job, cause: WaitCause) -> Vec<String> {
        let wait = if cause == WaitCause::NotTaken { Duration::from_millis(1) } else { mins(1) };
        let found = self.scheduler.failed(&job.candidate(), cause, wait, self.now);
        names(found.and(self.scheduler.wait(&job.candidate(), self.now)))
    }

    /// It starts and finds something.
    pub(super) fn starts_and_finds(&mut self, job: &Job, cause: WaitCause) {
        assert!(self.starts(job), "{job:?} {:?}", self.take(job));
        let _: Vec<String> = self.finds(job, cause);
    }

    pub(super) fn completes(&mut self, job: &Job) -> Vec<String> {
        names(self.scheduler.gone(&job.candidate().id, self.now))
    }

    pub(super) fn idles(&mut self, job: &Job) -> Vec<String> {
        names(self.scheduler.idle(&job.candidate(), self.now))
    }

    pub(super) fn due(&mut self) -> Vec<String> {
        names(self.scheduler.due(self.now).0)
    }
}

pub(super) fn behind(name: &str) -> Turn {
    Turn::Behind { blocked_by: name.to_owned() }
}

pub(super) fn held_back(by: &str, cause: WaitCause) -> Turn {
    Turn::HeldBack { blocked_by: Some(by.to_owned()), cause }
}
