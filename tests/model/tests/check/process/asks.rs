//! What a pass is told when it asks for other objects or for the webhook.

use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::konnect::{Webhook, WebhookStatus};
use konnect_replay_core::replay::{Sibling, ValidatedJob, WebhookReading};

use super::lies::distorted;
use super::{Kept, Rules};
use crate::konnect::{Object, Receiver};
use crate::time::Tick;

/// The Complete objects whose records show all of a window replayed, as the watch has shown them.
pub(super) fn siblings(rules: &Rules, kept: &[Kept], object: Object) -> Vec<Sibling> {
    let job = rules.statuses.object(object, kept[object].cached);
    let validated = ValidatedJob::new(&job, &rules.policy).expect("a job of the model is valid");
    let others = kept.iter().enumerate().filter(|(other, kept)| *other != object && !kept.gone);
    let shown = others.map(|(other, kept)| distorted(rules, rules.statuses.object(other, kept.cached)));
    let at_the_target = |other: &AuditLogReplayJob| {
        ValidatedJob::new(other, &rules.policy).is_ok_and(|other| other.target_key() == validated.target_key())
    };
    shown.filter(at_the_target).filter_map(|other| Sibling::covering(validated.window, &other, &rules.policy)).collect()
}

/// What the webhook's endpoints say while the receiver is so.
pub(super) fn webhook(receiver: Receiver, now: Tick) -> WebhookReading {
    let config = Webhook {
        enabled: Some(receiver.enabled),
        audit_log_destination_id: Some(format!("destination-{}", receiver.destination)),
        ..Webhook::default()
    };
    let status = WebhookStatus {
        webhook_enabled: Some(receiver.enabled),
        last_response_code: Some(if receiver.refuses { 403 } else { 200 }),
        last_attempt_at: Some(crate::time::instant(now)),
        ..WebhookStatus::default()
    };
    WebhookReading { config: Ok(config), status: Some(status) }
}

/// A webhook that works, where nothing else is this model's matter.
pub(super) fn webhook_that_works() -> WebhookReading {
    let config = Webhook { enabled: Some(true), ..Webhook::default() };
    let status =
        WebhookStatus { webhook_enabled: Some(true), last_response_code: Some(200), ..WebhookStatus::default() };
    WebhookReading { config: Ok(config), status: Some(status) }
}
