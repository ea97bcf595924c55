//! A scripted Konnect: the job that it has, the webhook, and how it answers.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::fixtures::{api, secs, unconfigured};
use crate::api::{ApiVersion, TimeRange};
use crate::konnect::{CallError, Reading, RemoteJob, RemoteStatus, Webhook, WebhookStatus};
use crate::replay::WebhookReading;

/// How a PUT is answered, and whether it has an effect.
#[derive(Clone, Debug)]
pub(super) enum Put {
    /// 202 with the job.
    Taken,
    /// 2xx with this job, and no effect.
    Answer(RemoteJob),
    /// This error, and no effect.
    Refused(CallError),
    /// This error, although the run was begun.
    TakenBut(CallError),
}

pub(super) struct Konnect {
    /// The job as it is.
    pub(super) job: RemoteJob,
    /// What GET shows instead of the job.
    pub(super) shown: Option<RemoteJob>,
    /// What GET of the job fails with.
    pub(super) get_fails: Option<CallError>,
    /// The next answers to PUT; 202 when they have run out.
    pub(super) puts: VecDeque<Put>,
    /// The answer to every PUT, once `puts` has run out.
    pub(super) every_put: Put,
    pub(super) webhook: Result<Webhook, CallError>,
    pub(super) webhook_status: Option<WebhookStatus>,
    /// Whether Konnect tells of no time of a delivery.
    pub(super) never_delivered: bool,
    /// Konnect's clock against ours, or no `Date` header.
    pub(super) date: Option<TimeDelta>,
    /// How long GET goes on showing what was there before a PUT.
    pub(super) lag: TimeDelta,
    /// To how many seconds Konnect cuts both ends of a window that it takes.
    pub(super) granularity: i64,
    pub(super) lagging: Option<(DateTime<Utc>, RemoteJob)>,
    /// The versions of the API under which it knows the target.
    pub(super) known_under: Vec<ApiVersion>,
    /// What everything under v3 fails with.
    pub(super) v3_fails: Option<CallError>,
    /// Whether the job is a run that one of our PUTs has begun.
    pub(super) mine: bool,
    /// How many runs of ours were begun anew although the one before was under way, or had completed, and stood there.
    pub(super) doubled: usize,
    /// How many runs our PUTs have begun.
    pub(super) begun: usize,
    pub(super) get_takes: Duration,
    pub(super) put_takes: Duration,
    pub(super) webhook_takes: Duration,
}

impl Konnect {
    /// A target that nobody has replayed yet, with an enabled webhook.
    pub(super) fn idle() -> Self {
        Self {
            job: unconfigured(),
            shown: None,
            get_fails: None,
            puts: VecDeque::new(),
            every_put: Put::Taken,
            webhook: Ok(webhook(true)),
            webhook_status: Some(deliveries("active", 200)),
            never_delivered: false,
            date: Some(TimeDelta::zero()),
            lag: TimeDelta::zero(),
            granularity: 1,
            lagging: None,
            known_under: vec![ApiVersion::V2, ApiVersion::V3],
            v3_fails: None,
            mine: false,
            doubled: 0,
            begun: 0,
            get_takes: secs(1),
            put_takes: secs(1),
            webhook_takes: secs(1),
        }
    }

    /// The answer to every call under this version of the API.
    fn fails_under(&self, version: ApiVersion) -> Option<CallError> {
        let failed = self.v3_fails.clone().filter(|_| version == ApiVersion::V3);
        failed.or_else(|| (!self.known_under.contains(&version)).then(|| api(404)))
    }

    pub(super) fn get_under(&self, version: ApiVersion, now: DateTime<Utc>) -> Result<Reading<RemoteJob>, CallError> {
        self.fails_under(version).map_or_else(|| self.get(now), Err)
    }

    pub(super) fn put_under(
        &mut self,
        version: ApiVersion,
        window: TimeRange,
        now: DateTime<Utc>,
    ) -> Result<RemoteJob, CallError> {
        match self.fails_under(version) {
            Some(error) => Err(error),
            None => self.put(window, now),
        }
    }

    pub(super) fn webhook_under(&self, version: ApiVersion, now: DateTime<Utc>) -> WebhookReading {
        match self.fails_under(version) {
            Some(error) => WebhookReading { config: Err(error), status: None },
            None => self.webhook(now),
        }
    }

    fn get(&self, now: DateTime<Utc>) -> Result<Reading<RemoteJob>, CallError> {
        match &self.get_fails {
            Some(error) => Err(error.clone()),
            None => Ok(Reading {
                value: self.shown.clone().or_else(|| self.lags(now)).unwrap_or_else(|| self.job.clone()),
                date: self.date.map(|skew| now + skew),
            }),
        }
    }

    fn lags(&self, now: DateTime<Utc>) -> Option<RemoteJob> {
        self.lagging.as_ref().filter(|(until, _)| now < *until).map(|(_, before)| before.clone())
    }

    fn put(&mut self, window: TimeRange, now: DateTime<Utc>) -> Result<RemoteJob, CallError> {
        match self.puts.pop_front().unwrap_or_else(|| self.every_put.clone()) {
            Put::Taken => Ok(self.begin(window, now)),
            Put::Answer(job) => Ok(job),
            Put::Refused(error) => Err(error),
            Put::TakenBut(error) => {
                self.begin(window, now);
                Err(error)
            }
        }
    }

    fn begin(&mut self, window: TimeRange, now: DateTime<Utc>) -> RemoteJob {
        self.begun += 1;
        self.doubled += usize::from(self.mine && self.job.status != RemoteStatus::Failed);
        self.mine = true;
        self.lagging = Some((now + self.lag, self.job.clone()));
        self.job = RemoteJob {
            status: RemoteStatus::Accepted,
            start_at: Some(self.cut(window.start_at)),
            end_at: Some(self.cut(window.end_at)),
            updated_at: Some(now),
        };
        self.job.clone()
    }

    fn cut(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        time - TimeDelta::seconds(time.timestamp().rem_euclid(self.granularity))
    }

    /// A delivery is always just being made, unless a test gives its time.
    fn webhook(&self, now: DateTime<Utc>) -> WebhookReading {
        let status = self.webhook.as_ref().ok().and(self.webhook_status.clone());
        let status = status.map(|status| WebhookStatus {
            last_attempt_at: status.last_attempt_at.or(Some(now)).filter(|_| !self.never_delivered),
            ..status
        });
        WebhookReading { config: self.webhook.clone(), status }
    }
}

pub(super) fn webhook(enabled: bool) -> Webhook {
    Webhook { enabled: Some(enabled), audit_log_destination_id: Some("destination-1".to_owned()), endpoint: None }
}

pub(super) fn deliveries(status: &str, code: i32) -> WebhookStatus {
    WebhookStatus {
        webhook_enabled: Some(true),
        webhook_status: Some(status.to_owned()),
        last_attempt_at: None,
        last_response_code: Some(code),
    }
}
