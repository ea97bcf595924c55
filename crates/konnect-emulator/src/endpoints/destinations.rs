//! Destinations: listed, made, shown, changed and deleted.

use chrono::{DateTime, Utc};
use http::Method;
use serde_json::{Value, json};

use super::fields::required;
use super::{Endpoint, Outcome, Wrong, cursor};
use crate::behaviour::UnsetTime;
use crate::event::LogFormat;
use crate::model::wire_time;
use crate::route::PathKind;
use crate::webhook::Webhook;
use crate::wire::Answer;
use crate::world::{Destination, World};

/// Items of a page where the client does not say. Konnect's own number is not documented.
const PAGE_SIZE: usize = 10;

impl Endpoint<'_> {
    pub(super) fn destinations(&self, world: &mut World, now: DateTime<Utc>) -> Outcome {
        match (self.route.kind, &self.request.method) {
            (PathKind::Destinations, &Method::POST) => self.make_destination(world, now),
            (PathKind::Destinations, _) => self.list_destinations(world),
            (_, &Method::PATCH) => self.change_destination(world, now),
            (_, &Method::DELETE) => self.delete_destination(world),
            _ => Ok(Answer::json(200, &to_json(self.known(world)?, unset(world)))),
        }
    }

    fn known<'w>(&self, world: &'w World) -> Result<&'w Destination, Wrong> {
        world.destination(&self.identity.org, &self.route.item).ok_or(Wrong::Unknown)
    }

    fn list_destinations(&self, world: &World) -> Outcome {
        let query = self.query();
        query.allow(&["filter[name]", "filter[name][eq]", "filter[name][contains]"])?;
        let size = query.count("page[size]")?.unwrap_or(PAGE_SIZE);
        let is_meant = |destination: &&Destination| query.passes("name", &destination.name);
        let mut all: Vec<_> = world.destinations(&self.identity.org).filter(is_meant).collect();
        all.sort_by_key(|destination| (destination.created_at, destination.webhook.destination_id.clone()));
        let path = format!("/api/{}/audit-log-destinations", self.route.version.as_str());
        let key = |destination: &&Destination| destination.webhook.destination_id.clone();
        let page = cursor::page(&query, &path, (all, size), key)?;
        let unset = unset(world);
        let data: Vec<Value> = page.items.into_iter().map(|one| to_json(one, unset)).collect();
        // The list's `meta` is the page itself; the pull API's has it under `page`. So say the specifications.
        Ok(Answer::json(200, &json!({"data": data, "meta": page.meta})))
    }

    fn make_destination(&self, world: &mut World, now: DateTime<Utc>) -> Outcome {
        let fields = self.fields()?;
        let name = fields.needed_text("name")?.to_owned();
        let url = fields.url("endpoint")?.ok_or_else(|| required("endpoint"))?;
        let authorization = Some(fields.needed_text("authorization")?.to_owned());
        let log_format: LogFormat = fields.log_format()?.ok_or_else(|| required("log_format"))?;
        let skip_ssl_verification = fields.flag("skip_ssl_verification")?.unwrap_or_default();
        let webhook = Webhook { authorization, skip_ssl_verification, ..Webhook::new(url).log_format(log_format) };
        let org = self.identity.org.clone();
        let made = Destination { org, name, webhook, created_at: now, updated_at: None };
        let answer = Answer::json(201, &to_json(&made, unset(world))).effective();
        world.set_destination(made, now);
        Ok(answer)
    }

    fn change_destination(&self, world: &mut World, now: DateTime<Utc>) -> Outcome {
        let mut changed = self.known(world)?.clone();
        let fields = self.fields()?;
        changed.name = fields.filled_text("name")?.map_or(changed.name, str::to_owned);
        let webhook = &mut changed.webhook;
        webhook.url = fields.url("endpoint")?.map_or_else(|| webhook.url.clone(), str::to_owned);
        webhook.log_format = fields.log_format()?.unwrap_or(webhook.log_format);
        webhook.skip_ssl_verification = fields.flag("skip_ssl_verification")?.unwrap_or(webhook.skip_ssl_verification);
        webhook.authorization =
            fields.filled_text("authorization")?.map(str::to_owned).or(webhook.authorization.take());
        changed.updated_at = Some(now);
        let answer = Answer::json(200, &to_json(&changed, unset(world))).effective();
        world.set_destination(changed, now);
        Ok(answer)
    }

    fn delete_destination(&self, world: &mut World) -> Outcome {
        let id = self.known(world)?.webhook.destination_id.clone();
        if world.remove_destination(&id) {
            Ok(Answer::empty(204).effective())
        } else {
            Ok(Answer::problem(409, "The destination is used by a webhook"))
        }
    }
}

/// How an unset time is written: a destination belongs to no target, so that the behaviour of all of them counts.
fn unset(world: &World) -> UnsetTime {
    world.behaviour().times.unset
}

/// Its value of `Authorization` is never shown.
fn to_json(destination: &Destination, unset: UnsetTime) -> Value {
    let updated_at = destination.updated_at.map_or_else(|| unset.text().to_owned(), |at| wire_time(Some(at)));
    let webhook = &destination.webhook;
    json!({
        "id": webhook.destination_id,
        "name": destination.name,
        "endpoint": webhook.url,
        "log_format": webhook.log_format,
        "skip_ssl_verification": webhook.skip_ssl_verification,
        "created_at": wire_time(Some(destination.created_at)),
        "updated_at": updated_at,
    })
}
