//! Parse, don't validate: a spec and the installer's settings become one [`ValidatedJob`], or a reason why not. A pass does so once,
//! and goes by the result.

use kube::ResourceExt;

use crate::api::rules::is_canonical_uuid;
use crate::api::{
    AuditLogReplayJob, DuplicatePolicy, ExpiryPolicy, Reason, Scope, SubmissionState, Target, TimeRange, WebhookPolicy,
};
use crate::konnect::RemoteTarget;
use crate::replay::facts::policy::{Policy, Serialize};
use crate::replay::facts::version::VersionChoice;
use crate::replay::facts::window;
use crate::replay::scheduler::{Access, Account, Candidate, LaneKey, ObjectId, Route, SecretRef, TargetKey};

/// A job that can be sent as far as can be told without asking anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatedJob {
    /// Whose audit log, under the version of Konnect's API that is asked first.
    pub target: RemoteTarget,
    /// Whether that version is settled.
    pub version: VersionChoice,
    /// Which events.
    pub window: TimeRange,
    /// Where the token is.
    pub secret: SecretRef,
    /// Whether the next request is held back.
    pub suspend: bool,
    /// Whether an enabled webhook is required.
    pub webhook_policy: WebhookPolicy,
    /// What to do if the window was replayed before.
    pub duplicate_policy: DuplicatePolicy,
    /// What to do if its start has been deleted.
    pub expiry_policy: ExpiryPolicy,
    /// How often a failed run is followed by another.
    pub backoff_limit: u32,
    /// Seconds until a run must have been accepted.
    pub starting_deadline_seconds: Option<u32>,
    /// Seconds from then until it must have completed.
    pub active_deadline_seconds: Option<u32>,
    /// Why nothing may be sent for it, although what was sent is followed to its end: its region is no longer among those that
    /// objects may name.
    pub retired: Option<Refusal>,
    /// What may have one run at a time, as the installer serialises runs.
    pub serialize: Serialize,
}

/// Why a spec cannot be worked with. Another object is needed, or another setting of the installer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason in one word.
    pub reason: Reason,
    /// What is wrong and what to do.
    pub message: String,
}

/// A spec as a pass reads it, once.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// The job that it describes; its region may be one that objects may no longer name.
    parsed: Result<ValidatedJob, Refusal>,
    /// Its window, which can be right where other parts are not.
    pub(crate) window: Option<TimeRange>,
}

impl Spec {
    /// Reads the spec of `job`. All that admission checks is checked again, because a CRD can be older than the operator.
    pub fn of(job: &AuditLogReplayJob, policy: &Policy) -> Self {
        let window = window::parse(&job.spec.window);
        Self { window: window.as_ref().ok().copied(), parsed: ValidatedJob::of_any_region(job, window, policy) }
    }

    /// The job, if it can be worked with: `job` is the object of this spec.
    pub fn accepted(&self, job: &AuditLogReplayJob) -> Result<&ValidatedJob, &Refusal> {
        let validated = self.parsed.as_ref()?;
        match &validated.retired {
            Some(refusal) if !may_be_under_way(job) => Err(refusal),
            Some(_) | None => Ok(validated),
        }
    }

    /// What the scheduler needs to know of `job`, the object of this spec; `None` where it cannot be worked with. A region that objects
    /// may no longer name makes no difference: what was reserved in it is to be given up.
    pub fn candidate(&self, job: &AuditLogReplayJob, policy: &Policy) -> Option<Candidate> {
        let validated = self.parsed.as_ref().ok()?;
        let created = job.metadata.creation_timestamp.as_ref().map(crate::api::from_kube_time);
        Some(Candidate {
            id: ObjectId::of(job),
            route: validated.route(),
            expires_at: window::expires_at(validated.window, policy),
            created_at: created.unwrap_or_default(),
        })
    }

    /// The window, if the job adopts a run of it that is under way already.
    pub(crate) fn window_to_adopt(&self) -> Option<TimeRange> {
        let adopts = |job: &&ValidatedJob| job.duplicate_policy == DuplicatePolicy::Skip;
        self.parsed.as_ref().ok().filter(adopts).map(|job| job.window)
    }
}

impl ValidatedJob {
    /// Checks a spec, outside a pass.
    pub fn new(job: &AuditLogReplayJob, policy: &Policy) -> Result<Self, Refusal> {
        Spec::of(job, policy).accepted(job).cloned().map_err(Clone::clone)
    }

    fn of_any_region(
        job: &AuditLogReplayJob,
        window: Result<TimeRange, String>,
        policy: &Policy,
    ) -> Result<Self, Refusal> {
        let spec = &job.spec;
        let version = VersionChoice::of(job);
        let target = target(&spec.target, version, policy)?;
        let window = window.map_err(|e| Refusal {
            reason: Reason::InvalidWindow,
            message: format!("{e}. A window cannot be changed: delete this object and create it anew."),
        })?;
        let secret = SecretRef {
            namespace: job.namespace().unwrap_or_default(),
            name: spec.token_secret_ref.name.clone(),
            key: spec.token_secret_ref.key.clone(),
        };
        Ok(Self {
            target,
            version,
            window,
            secret,
            suspend: spec.suspend,
            webhook_policy: spec.webhook_policy,
            duplicate_policy: spec.duplicate_policy,
            expiry_policy: spec.expiry_policy,
            backoff_limit: spec.backoff_limit,
            starting_deadline_seconds: spec.starting_deadline_seconds,
            active_deadline_seconds: spec.active_deadline_seconds,
            retired: region_not_allowed(&spec.target, policy),
            serialize: policy.serialize,
        })
    }

    /// The same target under the other version of Konnect's API.
    pub fn target_under_other_version(&self) -> RemoteTarget {
        RemoteTarget { version: self.target.version.other(), ..self.target.clone() }
    }

    /// The target, which never has two requests of this operator at once. Two objects with the same key have the same target, under any
    /// version of Konnect's API.
    pub fn target_key(&self) -> TargetKey {
        let base_url = self.target.base_url.clone();
        match &self.target.portal_id {
            Some(id) => TargetKey::Portal { base_url, id: id.clone() },
            None => TargetKey::Organization(Account { base_url, secret: self.secret.clone() }),
        }
    }

    /// What the job must get through to reach Konnect.
    pub fn route(&self) -> Route {
        let target = self.target_key();
        let account = Account { base_url: self.target.base_url.clone(), secret: self.secret.clone() };
        let of_its_own = match self.serialize {
            Serialize::Region => None,
            Serialize::Portal => Some(target.clone()),
        };
        Route {
            lane: LaneKey { account, target: of_its_own },
            access: Access { secret: self.secret.clone(), target, version: self.version },
            needs_webhook: self.webhook_policy == WebhookPolicy::RequireEnabled,
        }
    }
}

/// Whether Konnect may be running something for it, by its record.
fn may_be_under_way(job: &AuditLogReplayJob) -> bool {
    let submission = job.status.as_ref().and_then(|status| status.submission.as_ref());
    let state = submission.map(|submission| &submission.state);
    state.is_some_and(|state: &SubmissionState| !state.is_over())
}

fn region_not_allowed(target: &Target, policy: &Policy) -> Option<Refusal> {
    (!policy.regions.contains(&target.region)).then(|| refused_region(target, policy))
}

fn refused_region(target: &Target, policy: &Policy) -> Refusal {
    let message = format!(
        "Region {:?} is not among those this operator was installed for ({}). Create an object for one of these, or have the region \
         added with --regions.",
        target.region,
        policy.regions.join(", "),
    );
    Refusal { reason: Reason::RegionNotAllowed, message }
}

fn target(target: &Target, version: VersionChoice, policy: &Policy) -> Result<RemoteTarget, Refusal> {
    // A region enters the host's name. One that was allowed once has this form; whatever has not is no region.
    if target.region.len() != 2 || !target.region.bytes().all(|b| b.is_ascii_lowercase()) {
        return Err(refused_region(target, policy));
    }
    Ok(RemoteTarget {
        base_url: policy.konnect_url.base(&target.region),
        region: target.region.clone(),
        portal_id: portal_id(target)?,
        version: version.asked_first(),
    })
}

fn portal_id(target: &Target) -> Result<Option<String>, Refusal> {
    let refuse = |message: &str| Refusal { reason: Reason::InvalidRequest, message: message.to_owned() };
    match (target.scope, &target.portal_id) {
        (Scope::Organization, None) => Ok(None),
        (Scope::Organization, Some(_)) => {
            Err(refuse("target.portalID is not allowed with scope Organization. Create an object without it."))
        }
        (Scope::Portal, None) => {
            Err(refuse("target.portalID is required with scope Portal. Create an object with it."))
        }
        (Scope::Portal, Some(id)) if is_canonical_uuid(id) => Ok(Some(id.clone())),
        (Scope::Portal, Some(_)) => Err(refuse(
            "target.portalID is not a UUID in lower case with dashes. Create an object with the portal's id.",
        )),
    }
}

impl ObjectId {
    /// Which object `job` is.
    pub fn of(job: &AuditLogReplayJob) -> Self {
        Self {
            namespace: job.namespace().unwrap_or_default(),
            name: job.name_any(),
            uid: job.uid().unwrap_or_default(),
        }
    }
}

impl Candidate {
    /// What the scheduler needs to know of an object, outside a pass: see [`Spec::candidate`].
    pub fn of(job: &AuditLogReplayJob, policy: &Policy) -> Option<Self> {
        Spec::of(job, policy).candidate(job, policy)
    }
}
