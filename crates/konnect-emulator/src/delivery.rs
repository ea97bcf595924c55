//! Sends events to a webhook: HTTP POST, one event a line, gzip, with Konnect's retry rules.
//!
//! It sends what it is given. Which events, and what their fate means for a run, is decided by `runner` and `job`.

use std::io::Write;
use std::time::Duration;

use chrono::Utc;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{StatusCode, redirect};

use crate::behaviour::{Behaviour, Q7};
use crate::event::{AuditEvent, LineStyle};
use crate::model::TargetKey;
use crate::record::Delivery;
use crate::shared::Shared;
use crate::signing::Key;
use crate::webhook::Webhook;

/// Sends events to the webhook configured now, batch by batch. Stops at the first batch that cannot be delivered.
///
/// `run` is the number of the replay, none for live delivery. Answers how many events arrived, or why not all did.
pub(crate) async fn deliver(
    shared: &Shared,
    target: &TargetKey,
    run: Option<u64>,
    events: &[AuditEvent],
) -> Result<usize, String> {
    let sender = Sender::new(shared, target, run)?;
    for batch in events.chunks(shared.batch_size) {
        sender.send(batch).await?;
    }
    Ok(events.len())
}

struct Sender<'a> {
    shared: &'a Shared,
    target: &'a TargetKey,
    run: Option<u64>,
    webhook: Webhook,
    behaviour: Behaviour,
    client: reqwest::Client,
}

/// How one attempt went, and what follows.
struct Attempt {
    delivery: Delivery,
    /// Whether the failure is of a kind that is tried again.
    may_retry: bool,
    /// What the receiver asked for.
    retry_after: Option<Duration>,
}

impl<'a> Sender<'a> {
    fn new(shared: &'a Shared, target: &'a TargetKey, run: Option<u64>) -> Result<Self, String> {
        let (webhook, behaviour) = shared.read(|world| {
            let found = world.target(target).map_err(|error| error.to_string())?;
            Ok::<_, String>((found.webhook.ready()?.clone(), found.job.behaviour().clone()))
        })?;
        let client = client(&webhook, behaviour.q11.attempt_timeout).map_err(|error| chain(&error))?;
        Ok(Self { shared, target, run, webhook, behaviour, client })
    }

    async fn send(&self, batch: &[AuditEvent]) -> Result<(), String> {
        let body = self.body(batch).map_err(|error| error.to_string())?;
        let mut waits = self.behaviour.delivery.waits.iter();
        for number in 1.. {
            let attempt = self.attempt(&body, batch, number).await;
            if attempt.delivery.is_delivered() {
                return Ok(());
            }
            let wait = waits.next().filter(|_| attempt.may_retry && !self.is_off());
            let Some(wait) = wait.map(|wait| self.wait(*wait, attempt.retry_after)) else {
                return Err(attempt.delivery.error.unwrap_or_else(|| "the receiver refused the events".to_owned()));
            };
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Whether the webhook has turned itself off meanwhile (Q12): then nothing more is sent.
    fn is_off(&self) -> bool {
        self.shared.read(|world| world.target(self.target).is_ok_and(|target| target.webhook.is_off()))
    }

    /// The usual wait, scaled, or the wait that the receiver asked for if that counts (Q11).
    fn wait(&self, usual: Duration, asked: Option<Duration>) -> Duration {
        let asked = asked.filter(|_| self.behaviour.q11.honours_retry_after);
        let seconds = asked.unwrap_or(usual).as_secs_f64() * self.shared.retry_scale;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
    }

    fn body(&self, batch: &[AuditEvent]) -> std::io::Result<Vec<u8>> {
        let is_again = self.run.is_some() && self.behaviour.q7 == Q7::New;
        let key = if is_again { Key::Second } else { Key::First };
        let style = LineStyle {
            format: self.webhook.log_format,
            types: self.behaviour.delivery.json_types,
            kong_initiated: self.behaviour.delivery.kong_initiated,
            key: self.webhook.signed.then_some(key),
        };
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        for event in batch {
            writeln!(gzip, "{}", event.line(style, &self.shared.signing))?;
        }
        gzip.finish()
    }

    /// One POST, written down.
    async fn attempt(&self, body: &[u8], batch: &[AuditEvent], number: u32) -> Attempt {
        let at = Utc::now();
        let answer = self.request(body).send().await;
        let may_retry = self.may_retry(&answer);
        let retry_after = answer.as_ref().ok().and_then(retry_after);
        let (message, response_code, error) = match answer.map(|response| response.status()) {
            Ok(status) if status.is_success() => (words(status), Some(status.as_u16()), None),
            Ok(status) => (words(status), Some(status.as_u16()), Some(format!("the receiver answered {status}"))),
            Err(error) => (chain(&error), None, Some(chain(&error))),
        };
        let delivery = Delivery {
            at,
            target: self.target.clone(),
            url: self.webhook.url.clone(),
            run: self.run,
            attempt: number,
            events: batch.len(),
            event_ids: batch.iter().map(|event| event.trace_id.clone()).collect(),
            response_code,
            error,
        };
        self.shared.update(|world, now| world.log_delivery(delivery.clone(), message, now));
        Attempt { delivery, may_retry, retry_after }
    }

    fn request(&self, body: &[u8]) -> reqwest::RequestBuilder {
        let encoding = self.behaviour.delivery.content_encoding.as_str();
        let request = self.client.post(&self.webhook.url).body(body.to_vec());
        let request = request.header("content-type", "text/plain").header("content-encoding", encoding);
        match &self.webhook.authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        }
    }

    /// Konnect tries again only after a connection error, a 500 or a 429.
    fn may_retry(&self, answer: &reqwest::Result<reqwest::Response>) -> bool {
        match answer {
            Ok(response) => matches!(response.status().as_u16(), 500 | 429),
            Err(error) => self.behaviour.delivery.retries_certificates || !is_about_a_certificate(error),
        }
    }
}

/// A status in words alone, as Konnect's examples have it: `Unauthorized`. One that has no name is its number.
fn words(status: StatusCode) -> String {
    status.canonical_reason().map_or_else(|| status.as_str().to_owned(), str::to_owned)
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    (response.status() == 429).then(|| Duration::from_secs(seconds))
}

fn is_about_a_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    // An `io::Error` does not show what it wraps as its source.
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        return error.get_ref().is_some_and(|inner| is_about_a_certificate(inner));
    }
    match error.downcast_ref::<rustls::Error>() {
        Some(error) => matches!(error, rustls::Error::InvalidCertificate(_)),
        None => error.source().is_some_and(is_about_a_certificate),
    }
}

/// A client for one delivery. It goes straight to the endpoint, whatever proxy the environment names, and reads the
/// system's certificates only when it will check one.
fn client(webhook: &Webhook, timeout: Duration) -> reqwest::Result<reqwest::Client> {
    let client = reqwest::Client::builder().timeout(timeout).no_proxy().redirect(redirect::Policy::none());
    let client = client.retry(reqwest::retry::never());
    let client = if webhook.skip_ssl_verification {
        client.tls_danger_accept_invalid_certs(true)
    } else if webhook.url.starts_with("https:") {
        client
    } else {
        client.tls_certs_only([])
    };
    client.build()
}

/// An error with its causes: reqwest's own text leaves out what went wrong.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
