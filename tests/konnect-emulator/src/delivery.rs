//! Sends events to a webhook: HTTP POST, one event a line, gzip, with Konnect's retry rules.
//!
//! It sends what it is given. Which events, and what their fate means for a run, is decided by `runner` and `job`.

use std::io::Write;
use std::time::Duration;

use chrono::Utc;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::redirect;

use crate::event::AuditEvent;
use crate::model::TargetKey;
use crate::record::Delivery;
use crate::shared::Shared;
use crate::webhook::Webhook;

/// Attempts of one batch: the first and at most 4 retries.
const ATTEMPTS: u32 = 5;

/// Sends events to the webhook configured now, batch by batch. Stops at the first batch that cannot be delivered.
///
/// `run` is the number of the replay, none for live delivery. Answers how many events arrived, or why not all did.
pub(crate) async fn deliver(
    shared: &Shared,
    target: &TargetKey,
    run: Option<u64>,
    events: &[AuditEvent],
) -> Result<usize, String> {
    let webhook = shared.read(|world| world.target(target).ok().and_then(|target| target.webhook.enabled().cloned()));
    let webhook = webhook.ok_or("no webhook is enabled")?;
    let client = client(&webhook, shared.delivery_timeout).map_err(|error| chain(&error))?;
    let sender = Sender { shared, target, run, webhook: &webhook, client };
    for batch in events.chunks(shared.batch_size) {
        sender.send(batch).await?;
    }
    Ok(events.len())
}

struct Sender<'a> {
    shared: &'a Shared,
    target: &'a TargetKey,
    run: Option<u64>,
    webhook: &'a Webhook,
    client: reqwest::Client,
}

impl Sender<'_> {
    async fn send(&self, batch: &[AuditEvent]) -> Result<(), String> {
        let body = self.body(batch).map_err(|error| error.to_string())?;
        for attempt in 1.. {
            let delivery = self.attempt(&body, batch, attempt).await;
            if delivery.is_delivered() {
                return Ok(());
            }
            if !may_retry(attempt, delivery.response_code) {
                return Err(delivery.error.unwrap_or_else(|| "the receiver refused the events".to_owned()));
            }
            tokio::time::sleep(retry_delay(attempt, self.shared.retry_scale)).await;
        }
        Ok(())
    }

    fn body(&self, batch: &[AuditEvent]) -> std::io::Result<Vec<u8>> {
        let signing = self.webhook.signed.then_some(&self.shared.signing);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        for event in batch {
            writeln!(gzip, "{}", event.line(self.webhook.log_format, signing))?;
        }
        gzip.finish()
    }

    /// One POST, written down.
    async fn attempt(&self, body: &[u8], batch: &[AuditEvent], attempt: u32) -> Delivery {
        let at = Utc::now();
        let answer = self.request(body).send().await.map(|response| response.status());
        let (message, response_code, error) = match answer {
            Ok(status) if status.is_success() => (status.to_string(), Some(status.as_u16()), None),
            Ok(status) => (status.to_string(), Some(status.as_u16()), Some(format!("the receiver answered {status}"))),
            Err(error) => (chain(&error), None, Some(chain(&error))),
        };
        let delivery = Delivery {
            at,
            target: self.target.clone(),
            url: self.webhook.url.clone(),
            run: self.run,
            attempt,
            events: batch.len(),
            event_ids: batch.iter().map(|event| event.trace_id.clone()).collect(),
            response_code,
            error,
        };
        self.shared.update(|world, _| world.log_delivery(delivery.clone(), message));
        delivery
    }

    fn request(&self, body: &[u8]) -> reqwest::RequestBuilder {
        let request = self.client.post(&self.webhook.url).body(body.to_vec());
        let request = request.header("content-type", "text/plain").header("content-encoding", "application/gzip");
        match &self.webhook.authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        }
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

/// Konnect tries again only after a connection error, a 500 or a 429.
fn may_retry(attempt: u32, response_code: Option<u16>) -> bool {
    attempt < ATTEMPTS && matches!(response_code, None | Some(500 | 429))
}

/// 1, 3, 9 and 27 s after the first to the fourth attempt, scaled.
fn retry_delay(attempt: u32, scale: f64) -> Duration {
    let seconds = 3_u32.saturating_pow(attempt.saturating_sub(1)).min(30);
    Duration::try_from_secs_f64(f64::from(seconds) * scale).unwrap_or(Duration::ZERO)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_retries_within_thirty_seconds_each() {
        let delays: Vec<_> = (1..ATTEMPTS).map(|attempt| retry_delay(attempt, 1.0).as_secs()).collect();
        assert_eq!(delays, [1, 3, 9, 27]);
        assert_eq!(retry_delay(1, 0.01), Duration::from_millis(10));
        assert_eq!(retry_delay(1, -1.0), Duration::ZERO);
    }

    #[test]
    fn only_what_konnect_retries_is_retried() {
        for (code, expected) in
            [(None, true), (Some(500), true), (Some(429), true), (Some(503), false), (Some(401), false)]
        {
            assert_eq!(may_retry(1, code), expected, "{code:?}");
            assert!(!may_retry(ATTEMPTS, code));
        }
    }
}
