//! What each endpoint of the Konnect API does and answers.
//!
//! Reads requests and writes answers; the rules of replays are in `world` and `job`.

use chrono::{DateTime, Utc};
use http::Method;
use serde_json::{Map, Value};

use crate::Error;
use crate::api::Request;
use crate::model::{Role, TargetKey, Window};
use crate::route::{PathKind, Route};
use crate::shared::Shared;
use crate::webhook::{Webhook, uses_endpoint};
use crate::wire::{Answer, InvalidParameter};
use crate::world::{Identity, Refusal, World};

/// Applies a request and says what to answer.
pub(crate) fn answer(shared: &Shared, request: &Request) -> Answer {
    let Some(route) = &request.route else {
        return Answer::gateway(404, "no Route matched with those values");
    };
    if route.kind == PathKind::Jwks {
        return keys(shared, &request.method);
    }
    let Some(identity) = &request.identity else {
        return Answer::gateway(401, "Unauthorized");
    };
    if identity.role != Role::AuditLogAdmin {
        return Answer::problem(403, "Your token does not have the role Audit Log Admin");
    }
    shared.update(|world, now| {
        let endpoint = Endpoint::new(route, identity);
        endpoint.answer(world, &request.method, &request.body, now).unwrap_or_else(|error| unknown(&error))
    })
}

fn keys(shared: &Shared, method: &Method) -> Answer {
    if method == Method::GET { Answer::json(200, &shared.signing.jwks()) } else { method_not_allowed() }
}

fn unknown(error: &Error) -> Answer {
    match error {
        Error::UnknownTarget(_) => Answer::problem(404, "The portal was not found"),
        other => Answer::problem(404, &other.to_string()),
    }
}

fn method_not_allowed() -> Answer {
    Answer::problem(405, "Method not allowed")
}

/// What Konnect's clock shows to who asks, where they ask.
pub(crate) fn clock(world: &World, request: &Request, now: DateTime<Utc>) -> DateTime<Utc> {
    let key = request.route.as_ref().zip(request.identity.as_ref()).map(|(route, identity)| key(route, identity));
    let target = key.and_then(|key| world.target(&key).ok());
    target.map_or(world.behaviour(), |target| target.job.behaviour()).clock(now)
}

fn key(route: &Route, identity: &Identity) -> TargetKey {
    let region = route.region.clone().unwrap_or_default();
    TargetKey { org: identity.org.clone(), region, scope: route.scope.clone() }
}

/// One endpoint, asked for by one token.
struct Endpoint<'a> {
    route: &'a Route,
    identity: &'a Identity,
    key: TargetKey,
}

impl<'a> Endpoint<'a> {
    fn new(route: &'a Route, identity: &'a Identity) -> Self {
        Self { route, identity, key: key(route, identity) }
    }

    fn answer(&self, world: &mut World, method: &Method, body: &[u8], now: DateTime<Utc>) -> Result<Answer, Error> {
        let target = world.target_mut(&self.key)?;
        if target.only.is_some_and(|only| only != self.route.version) {
            return Err(Error::UnknownTarget(self.key.clone()));
        }
        match (self.route.kind, method.as_str()) {
            (PathKind::ReplayJob, "GET") => {
                let job = target.job.get(now);
                Ok(Answer::json(200, target.forced.as_ref().unwrap_or(&job)))
            }
            (PathKind::Webhook, "GET") => Ok(self.webhook(world)?),
            (PathKind::WebhookStatus, "GET") => Ok(Answer::json(200, &target.webhook.status_json())),
            (PathKind::ReplayJob, "PUT") => self.replay(world, body, now),
            (PathKind::Webhook, "PUT" | "PATCH") => self.configure(world, method == Method::PUT, body, now),
            _ => Ok(method_not_allowed()),
        }
    }

    fn replay(&self, world: &mut World, body: &[u8], now: DateTime<Utc>) -> Result<Answer, Error> {
        let window = match read_object(body).and_then(|body| read_window(&body)) {
            Ok(window) => window,
            Err(invalid) => return Ok(Answer::invalid(&invalid)),
        };
        Ok(match world.put(&self.key, window, &self.identity.token, now)? {
            Ok(job) => Answer::json(202, &world.target(&self.key)?.job.answer(&job)).effective(),
            Err(Refusal::Invalid(invalid)) => Answer::invalid(&invalid),
            Err(Refusal::Busy) => Answer::problem(409, "A replay job is already in progress"),
        })
    }

    fn webhook(&self, world: &World) -> Result<Answer, Error> {
        let json = world.target(&self.key)?.webhook.to_json(&self.key.scope, self.route.version);
        Ok(json.map_or_else(
            || Answer::problem(404, "No audit log webhook is configured"),
            |json| Answer::json(200, &json),
        ))
    }

    /// PUT and PATCH of the webhook. They differ in `enabled`, which a PUT without it turns off.
    fn configure(&self, world: &mut World, replace: bool, body: &[u8], now: DateTime<Utc>) -> Result<Answer, Error> {
        let webhook = read_object(body).and_then(|body| {
            let mut webhook = self.destination(world, &body)?;
            webhook.enabled = read(&body, "enabled")?.unwrap_or(!replace && webhook.enabled);
            Ok(webhook)
        });
        match webhook {
            Ok(webhook) => {
                world.set_webhook(&self.key, Some(webhook), now)?;
                Ok(self.webhook(world)?.effective())
            }
            Err(invalid) => Ok(Answer::invalid(&invalid)),
        }
    }

    /// Where the events shall go: by endpoint for the organization's v2 form, else by destination id, else as before.
    fn destination(&self, world: &World, body: &Map<String, Value>) -> Result<Webhook, Invalid> {
        let now = world.target(&self.key).ok().and_then(|target| target.webhook.webhook.clone());
        if uses_endpoint(&self.key.scope, self.route.version) {
            return with_endpoint(now, body);
        }
        let field = "audit_log_destination_id";
        let Some(id) = read::<String>(body, field)? else {
            return now.ok_or_else(|| required(field));
        };
        let known = world.destination(&self.key.org, &id).cloned();
        let enabled = now.is_some_and(|now| now.enabled);
        let unknown = || vec![InvalidParameter::new(field, "exists", "is not a destination of this organization")];
        known.map(|webhook| Webhook { enabled, ..webhook }).ok_or_else(unknown)
    }
}

type Invalid = Vec<InvalidParameter>;

fn with_endpoint(now: Option<Webhook>, body: &Map<String, Value>) -> Result<Webhook, Invalid> {
    let mut webhook = match read::<String>(body, "endpoint")? {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
            now.map_or_else(|| Webhook::new(&url).disabled(), |now| Webhook { url: url.clone(), ..now })
        }
        Some(_) => {
            return Err(vec![InvalidParameter::new("endpoint", "uri", "must be an http or https URL")]);
        }
        None => now.ok_or_else(|| required("endpoint"))?,
    };
    webhook.log_format = read(body, "log_format")?.unwrap_or(webhook.log_format);
    webhook.skip_ssl_verification = read(body, "skip_ssl_verification")?.unwrap_or(webhook.skip_ssl_verification);
    webhook.authorization = read(body, "authorization")?.or(webhook.authorization);
    Ok(webhook)
}

fn read_object(body: &[u8]) -> Result<Map<String, Value>, Invalid> {
    serde_json::from_slice(body).map_err(|error| vec![InvalidParameter::new("body", "json", error.to_string())])
}

fn read_window(body: &Map<String, Value>) -> Result<Window, Invalid> {
    let start_at = read_time(body, "start_at");
    let end_at = read_time(body, "end_at");
    match (start_at, end_at) {
        (Ok(start_at), Ok(end_at)) => Ok(Window { start_at, end_at }),
        (start_at, end_at) => Err([start_at.err(), end_at.err()].into_iter().flatten().flatten().collect()),
    }
}

fn read_time(body: &Map<String, Value>, field: &'static str) -> Result<DateTime<Utc>, Invalid> {
    let text: String = read(body, field)?.ok_or_else(|| required(field))?;
    let time = DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc());
    time.map_err(|_| vec![InvalidParameter::new(field, "date-time", "must be an RFC 3339 date-time")])
}

/// A field that may be missing or null, but not of another type.
fn read<T: serde::de::DeserializeOwned>(body: &Map<String, Value>, field: &'static str) -> Result<Option<T>, Invalid> {
    let value = body.get(field).cloned().unwrap_or_default();
    serde_json::from_value(value).map_err(|error| vec![InvalidParameter::new(field, "type", error.to_string())])
}

fn required(field: &'static str) -> Invalid {
    vec![InvalidParameter::new(field, "required", "is a required field")]
}
