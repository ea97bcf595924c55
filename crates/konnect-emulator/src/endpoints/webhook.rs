//! The webhook of a target: read, changed and deleted.
//!
//! A PATCH changes what it names and nothing else. With nothing configured, turning it off changes nothing: the organization's
//! v2 form, which always answers, says so; all others have nothing to change, which is a 404.

use chrono::{DateTime, Utc};
use http::Method;

use super::fields::{Fields, Invalid, invalid, required};
use super::{Endpoint, Outcome, Wrong};
use crate::event::LogFormat;
use crate::webhook::{Webhook, uses_endpoint};
use crate::wire::{Answer, Rule};
use crate::world::World;

const DESTINATION: &str = "audit_log_destination_id";

impl Endpoint<'_> {
    pub(super) fn webhook(&self, world: &mut World, now: DateTime<Utc>) -> Outcome {
        match self.request.method {
            Method::PATCH => self.change_webhook(world, now),
            Method::DELETE => self.delete_webhook(world, now),
            _ => self.show_webhook(world),
        }
    }

    fn show_webhook(&self, world: &World) -> Outcome {
        let json = world.target(&self.key)?.webhook.to_json(&self.key.scope, self.route.version);
        json.map(|json| Answer::json(200, &json)).ok_or(Wrong::Unknown)
    }

    fn delete_webhook(&self, world: &mut World, now: DateTime<Utc>) -> Outcome {
        if world.target(&self.key)?.webhook.webhook.is_none() {
            return Err(Wrong::Unknown);
        }
        world.set_webhook(&self.key, None, now)?;
        Ok(Answer::empty(204).effective())
    }

    fn change_webhook(&self, world: &mut World, now: DateTime<Utc>) -> Outcome {
        let fields = self.fields()?;
        let present = world.target(&self.key)?.webhook.webhook.clone();
        let has_endpoint = uses_endpoint(&self.key.scope, self.route.version);
        let named = if has_endpoint { endpoint(present, &fields) } else { self.destination(world, present, &fields) }?;
        let enabled = fields.flag("enabled")?;
        let Some(mut webhook) = named else {
            return match enabled {
                Some(true) if has_endpoint => Err(required("endpoint").into()),
                Some(true) => Err(required(DESTINATION).into()),
                _ => self.show_webhook(world),
            };
        };
        webhook.enabled = enabled.unwrap_or(webhook.enabled);
        world.set_webhook(&self.key, Some(webhook), now)?;
        Ok(self.show_webhook(world)?.effective())
    }

    /// The destination that is named, or the present webhook.
    fn destination(
        &self,
        world: &World,
        present: Option<Webhook>,
        fields: &Fields,
    ) -> Result<Option<Webhook>, Invalid> {
        let Some(id) = fields.id(DESTINATION)? else { return Ok(present) };
        let known = world.destination(&self.key.org, &id);
        let enabled = present.is_some_and(|present| present.enabled);
        let unknown = || invalid(DESTINATION, Rule::MissingReference, "is not a destination of this organization");
        known.map(|known| Some(Webhook { enabled, ..known.webhook.clone() })).ok_or_else(unknown)
    }
}

/// The present webhook with what the body changes, or a new one if it names an endpoint.
fn endpoint(present: Option<Webhook>, fields: &Fields) -> Result<Option<Webhook>, Invalid> {
    let named = fields.url("endpoint")?;
    let log_format = fields.log_format()?;
    let skip_ssl_verification = fields.flag("skip_ssl_verification")?;
    let authorization = fields.filled_text("authorization")?;
    let new = || named.map(|url| Webhook::new(url).disabled().log_format(LogFormat::Cef));
    let Some(mut webhook) = present.or_else(new) else { return Ok(None) };
    webhook.url = named.map_or(webhook.url, str::to_owned);
    webhook.log_format = log_format.unwrap_or(webhook.log_format);
    webhook.skip_ssl_verification = skip_ssl_verification.unwrap_or(webhook.skip_ssl_verification);
    webhook.authorization = authorization.map(str::to_owned).or(webhook.authorization);
    Ok(Some(webhook))
}
