//! What each endpoint of the Konnect API does and answers.
//!
//! Reads requests and writes answers; the rules of replays are in `world` and `job`.

mod cursor;
mod destinations;
mod fields;
mod portals;
mod pull;
mod query;
mod webhook;

use chrono::{DateTime, Utc};
use http::Method;

use self::fields::{Fields, Invalid};
use self::query::Query;
use crate::Error;
use crate::api::Request;
use crate::behaviour::{PutAnswer, Unauthorized};
use crate::model::{Role, TargetKey, Window};
use crate::route::{PathKind, Route};
use crate::shared::Shared;
use crate::signing::Signing;
use crate::wire::Answer;
use crate::world::{Effect, Identity, Refusal, World};

/// Applies a request and says what to answer.
pub(crate) fn answer(shared: &Shared, request: &Request) -> Answer {
    let Some(route) = &request.route else {
        return Answer::gateway(404, "no Route matched with those values");
    };
    if !route.methods().contains(&request.method.as_str()) {
        return Answer::method_not_allowed(route.methods());
    }
    if route.kind == PathKind::Jwks {
        return Answer::json(200, &shared.signing.jwks());
    }
    let Some(identity) = &request.identity else {
        return unauthorized(shared);
    };
    if identity.role != Role::AuditLogAdmin {
        return Answer::forbidden();
    }
    let endpoint = Endpoint::new(route, identity, request, &shared.signing);
    shared.update(|world, now| match endpoint.answer(world, now) {
        Ok(answer) => answer,
        Err(Wrong::Unknown) => Answer::not_found(),
        Err(Wrong::Invalid(invalid)) if route.kind == PathKind::Portals => Answer::invalid_for_portals(&invalid),
        Err(Wrong::Invalid(invalid)) => Answer::invalid(&invalid),
    })
}

fn unauthorized(shared: &Shared) -> Answer {
    match shared.read(|world| world.behaviour().unauthorized) {
        Unauthorized::Problem => Answer::unauthorized(),
        Unauthorized::Gateway => Answer::gateway(401, "Unauthorized"),
    }
}

/// What Konnect's clock shows to who asks, where they ask.
pub(crate) fn clock(world: &World, request: &Request, now: DateTime<Utc>) -> DateTime<Utc> {
    let key = request.route.as_ref().zip(request.identity.as_ref()).map(|(route, identity)| key(route, identity));
    let target = key.and_then(|key| world.target(&key).ok());
    target.map_or(world.behaviour(), |target| target.job.behaviour()).clock(now)
}

/// Keeps and delivers what the call leaves in the organization's log (Q10).
pub(crate) fn leave_events(shared: &Shared, request: &Request) {
    let region = request.route.as_ref().and_then(|route| route.region.clone());
    let Some((region, identity)) = region.zip(request.identity.as_ref()) else { return };
    let key = TargetKey::organization(&identity.org, region);
    let effect: Option<Effect> = shared.update(|world, now| world.note_call(&key, request.trace_id, now));
    shared.perform(effect);
}

fn key(route: &Route, identity: &Identity) -> TargetKey {
    let region = route.region.clone().unwrap_or_default();
    TargetKey { org: identity.org.clone(), region, scope: route.scope.clone() }
}

/// Why a request was not carried out.
enum Wrong {
    /// There is no such thing, or Konnect has no such target: 404.
    Unknown,
    /// 400
    Invalid(Invalid),
}

impl From<Error> for Wrong {
    fn from(_: Error) -> Self {
        Self::Unknown
    }
}

impl From<Invalid> for Wrong {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

type Outcome = Result<Answer, Wrong>;

/// One endpoint, asked for by one token.
struct Endpoint<'a> {
    route: &'a Route,
    identity: &'a Identity,
    request: &'a Request,
    signing: &'a Signing,
    key: TargetKey,
}

impl<'a> Endpoint<'a> {
    fn new(route: &'a Route, identity: &'a Identity, request: &'a Request, signing: &'a Signing) -> Self {
        Self { route, identity, request, signing, key: key(route, identity) }
    }

    fn answer(&self, world: &mut World, now: DateTime<Utc>) -> Outcome {
        match self.route.kind {
            PathKind::ReplayJob | PathKind::Webhook | PathKind::WebhookStatus => self.of_target(world, now),
            PathKind::Destinations | PathKind::Destination => self.destinations(world, now),
            PathKind::Portals => self.portals(world),
            PathKind::AuditLogs => self.pull(world, now),
            PathKind::Jwks => Err(Wrong::Unknown),
        }
    }

    fn of_target(&self, world: &mut World, now: DateTime<Utc>) -> Outcome {
        let target = world.target_mut(&self.key)?;
        if target.only.is_some_and(|only| only != self.route.version) {
            return Err(Wrong::Unknown);
        }
        match (self.route.kind, &self.request.method) {
            (PathKind::ReplayJob, &Method::PUT) => self.replay(world, now),
            (PathKind::ReplayJob, _) => {
                let job = target.job.get(now);
                Ok(Answer::json(200, target.forced.as_ref().unwrap_or(&job)).bent(target.is_bent()))
            }
            (PathKind::WebhookStatus, _) => {
                let lag = target.job.behaviour().status_lag;
                Ok(Answer::json(200, &target.webhook.status_at(crate::model::earlier(now, lag))))
            }
            _ => self.webhook(world, now),
        }
    }

    fn replay(&self, world: &mut World, now: DateTime<Utc>) -> Outcome {
        let window = read_window(&self.fields()?)?;
        let before = world.target(&self.key)?.job.view().clone();
        let put = world.put(&self.key, window, &self.identity.token, now)?;
        let job = &world.target(&self.key)?.job;
        Ok(match put {
            Ok(made) => {
                let status = job.behaviour().put_status.code();
                match job.behaviour().put_answer {
                    PutAnswer::Job => Answer::json(status, &job.answer(&made)),
                    PutAnswer::Old => Answer::json(status, &job.answer(&before)),
                    PutAnswer::Empty => Answer::json(status, &serde_json::json!({})),
                    PutAnswer::Nothing => Answer::empty(status).bent(true),
                }
                .effective()
            }
            Err(Refusal::Invalid(invalid)) => Answer::invalid(&invalid),
            Err(Refusal::Off) => Answer::webhook_is_off(),
            Err(Refusal::Busy) => Answer::conflict(),
        })
    }

    fn fields(&self) -> Result<Fields, Invalid> {
        Fields::read(&self.request.body)
    }

    fn query(&self) -> Query {
        Query::read(&self.request.uri)
    }
}

fn read_window(fields: &Fields) -> Result<Window, Invalid> {
    match (fields.needed_time("start_at"), fields.needed_time("end_at")) {
        (Ok(start_at), Ok(end_at)) => Ok(Window { start_at, end_at }),
        (start_at, end_at) => Err([start_at.err(), end_at.err()].into_iter().flatten().flatten().collect()),
    }
}
