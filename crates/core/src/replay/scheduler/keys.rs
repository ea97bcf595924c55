//! What jobs share: lanes, targets, and the keys of the backoff table. Everything here is derived from a job's spec, so that two
//! jobs with the same [`Route`] wait for exactly the same things.

use chrono::{DateTime, Utc};

use crate::replay::facts::version::VersionChoice;

/// An object of a cluster, and which one of that name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID: a re-created object is another one.
    pub uid: String,
}

/// Where a token is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    /// Namespace of the object; no other can be named.
    pub namespace: String,
    /// Name of the Secret.
    pub name: String,
    /// Key in its data.
    pub key: String,
}

/// A token at one base URL. It stands for an organisation, whose id no answer of Konnect shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// Where Konnect is, without a trailing slash.
    pub base_url: String,
    /// Where the token is kept.
    pub secret: SecretRef,
}

/// What never has two requests of this operator at once. A portal's id is the same for every token. An organisation has no id
/// in the spec, so its token stands for it: two Secrets are two organisations until Konnect's GET shows otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKey {
    /// One Dev Portal.
    Portal {
        /// Where Konnect is.
        base_url: String,
        /// The portal's id.
        id: String,
    },
    /// The organisation that a token belongs to.
    Organization(Account),
}

/// What has one run at a time: all targets of an account, or each of them with `--serialize portal`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneKey {
    /// The token, and where.
    pub account: Account,
    /// Set with `--serialize portal`.
    pub target: Option<TargetKey>,
}

/// One target as one token sees it under one version of Konnect's API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    /// Where the token is kept.
    pub secret: SecretRef,
    /// Whose audit log.
    pub target: TargetKey,
    /// Under which version of Konnect's API.
    pub version: VersionChoice,
}

/// The way of a job to its target. Jobs with the same route are alike to the scheduler, but for their place in the queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Its lane.
    pub lane: LaneKey,
    /// Its target, as its token sees it.
    pub access: Access,
    /// Whether it waits for an enabled webhook (`webhookPolicy: RequireEnabled`).
    pub needs_webhook: bool,
}

/// What a failure concerns, and so which jobs wait because of it: every job that has this key, and no other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The Secret, as Kubernetes answers: missing, unreadable, no token in it.
    Secret(SecretRef),
    /// The token at one base URL: Konnect answered 401 or 429.
    Token(Account),
    /// A run that Konnect refuses others of the account for (409), although the GET shows the target free.
    Busy(Account),
    /// What a GET found at one target: 403, 404, another run, no answer.
    Target(Access),
    /// The webhook of one target is off, or cannot be read.
    Webhook(Access),
    /// A PUT at one target that was refused or lost.
    Put(Access),
    /// Konnect at one base URL: no answer, or 5xx, for two accounts.
    Region(String),
}

impl Access {
    /// The same under the version that is asked. A job that has not found its version yet (`Auto`) asks v2 first, and shares what v2 says
    /// of webhooks and requests; whether v2 knows the target concerns it in another way.
    pub(super) fn asked(&self) -> Self {
        Self { version: VersionChoice::Settled(self.version.asked_first()), ..self.clone() }
    }
}

impl Route {
    /// The token, and where.
    pub fn account(&self) -> &Account {
        &self.lane.account
    }

    /// Where Konnect is.
    pub fn base_url(&self) -> &str {
        &self.lane.account.base_url
    }

    /// The keys of its jobs, what holds up most jobs first.
    pub(super) fn keys(&self) -> Vec<Key> {
        let (account, access) = (self.account(), &self.access);
        let webhook = self.needs_webhook.then(|| Key::Webhook(access.asked()));
        let others = [
            Key::Secret(access.secret.clone()),
            Key::Region(account.base_url.clone()),
            Key::Token(account.clone()),
            Key::Target(access.clone()),
            Key::Busy(account.clone()),
            Key::Put(access.asked()),
        ];
        others.into_iter().chain(webhook).collect()
    }
}

/// What the scheduler knows of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which object.
    pub id: ObjectId,
    /// Its way to Konnect.
    pub route: Route,
    /// When its window begins to be deleted at Konnect.
    pub expires_at: DateTime<Utc>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A job's place in the queue of its lane: what Konnect deletes first goes first, then what was created first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// When its window begins to be deleted at Konnect.
    pub(super) expires_at: DateTime<Utc>,
    /// When the object was created.
    pub(super) created_at: DateTime<Utc>,
    /// Decides among equals.
    pub(super) id: ObjectId,
}

impl Candidate {
    pub(super) fn place(&self) -> Place {
        Place { expires_at: self.expires_at, created_at: self.created_at, id: self.id.clone() }
    }
}
