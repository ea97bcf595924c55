//! The API server's audit log as values: which client asked what of which object, and what was
//! answered. Lets tests count writes instead of trusting the writer. Reads the file anew at each
//! question and keeps nothing.
//!
//! The log is written by the request itself and before its answer is complete, so that what a
//! client was told is in it.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::Deserialize;
use serde_json::Value;

use crate::{ControlPlane, Error};

/// One line of the log: one stage of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// The same for all stages of one request.
    pub audit_id: String,
    /// `ResponseComplete`; a watch has `ResponseStarted` first, and the other once it ends; `Panic`
    /// if the server did.
    pub stage: String,
    /// get, list, watch, create, update, patch, delete, deletecollection; for other paths the HTTP
    /// method in lower case.
    pub verb: String,
    /// The path with its query.
    pub request_uri: String,
    /// Who asked: `system:serviceaccount:<namespace>:<name>`, or the name in a client certificate.
    pub user: String,
    /// The client's name for itself.
    pub user_agent: Option<String>,
    /// The API group, "" for the core group; `None` where the path is no resource's, as are the
    /// next four.
    pub group: Option<String>,
    /// The plural, such as `configmaps`.
    pub resource: Option<String>,
    /// Such as `status`.
    pub subresource: Option<String>,
    /// The object's namespace.
    pub namespace: Option<String>,
    /// The object's name; absent for lists, and for creations, which carry it in the body.
    pub name: Option<String>,
    /// The HTTP status; absent if none was sent.
    pub code: Option<u16>,
    /// When the request came in.
    pub received: Option<MicroTime>,
    /// When this stage was reached.
    pub at: Option<MicroTime>,
    /// The request's body, a patch as it was sent; only for
    /// [`Options::audit_bodies_of`](crate::Options::audit_bodies_of).
    pub request_object: Option<Value>,
}

/// A place in the log, to count from later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditMark(u64);

/// Which events are meant. Each filter narrows; a filter on a field that an event lacks leaves the
/// event out.
#[derive(Debug, Clone)]
#[must_use]
pub struct AuditQuery {
    log: PathBuf,
    from: AuditMark,
    wanted: Vec<(Field, String)>,
    code: Option<u16>,
}

/// What a filter looks at.
#[derive(Debug, Clone, Copy)]
enum Field {
    Stage,
    Verb,
    User,
    Group,
    Resource,
    Subresource,
    Namespace,
    Name,
}

impl ControlPlane {
    /// All events so far, oldest first.
    pub fn audit_events(&self) -> Result<Vec<AuditEvent>, Error> {
        self.audit().events()
    }

    /// The log's end as of now, for [`AuditQuery::since`].
    pub fn audit_mark(&self) -> Result<AuditMark, Error> {
        self.audit().mark()
    }
}

impl AuditQuery {
    pub(crate) fn new(log: PathBuf) -> Self {
        Self { log, from: AuditMark(0), wanted: Vec::new(), code: None }
    }

    /// Only events after `mark`.
    pub fn since(self, mark: AuditMark) -> Self {
        Self { from: mark, ..self }
    }

    /// Only this stage; see [`AuditEvent::stage`].
    pub fn stage(self, stage: &str) -> Self {
        self.want(Field::Stage, stage)
    }

    /// Only this verb; see [`AuditEvent::verb`]. Server-side apply is a `patch`.
    pub fn verb(self, verb: &str) -> Self {
        self.want(Field::Verb, verb)
    }

    /// Only this user; see [`AuditEvent::user`].
    pub fn user(self, user: &str) -> Self {
        self.want(Field::User, user)
    }

    /// Only this API group, "" for the core group.
    pub fn group(self, group: &str) -> Self {
        self.want(Field::Group, group)
    }

    /// Only this resource, by its plural; its subresources too, unless [`AuditQuery::subresource`]
    /// says which.
    pub fn resource(self, plural: &str) -> Self {
        self.want(Field::Resource, plural)
    }

    /// Only this subresource, "" for the object itself.
    pub fn subresource(self, subresource: &str) -> Self {
        self.want(Field::Subresource, subresource)
    }

    /// Only this namespace.
    pub fn namespace(self, namespace: &str) -> Self {
        self.want(Field::Namespace, namespace)
    }

    /// Only the object of this name.
    pub fn name(self, name: &str) -> Self {
        self.want(Field::Name, name)
    }

    /// Only answers with this HTTP status.
    pub fn code(self, code: u16) -> Self {
        Self { code: Some(code), ..self }
    }

    /// The events meant, oldest first.
    pub fn events(&self) -> Result<Vec<AuditEvent>, Error> {
        let text = self.read()?;
        let parsed =
            text.lines().map(|line| serde_json::from_str::<Line>(line).map(AuditEvent::from).map_err(Error::AuditLine));
        parsed.filter(|event| event.as_ref().map_or(true, |event| self.means(event))).collect()
    }

    /// How many they are.
    pub fn count(&self) -> Result<usize, Error> {
        Ok(self.events()?.len())
    }

    fn want(mut self, field: Field, value: &str) -> Self {
        self.wanted.push((field, value.to_owned()));
        self
    }

    fn means(&self, event: &AuditEvent) -> bool {
        let code = self.code.is_none_or(|code| event.code == Some(code));
        code && self.wanted.iter().all(|(field, value)| field.of(event) == Some(value))
    }

    fn mark(&self) -> Result<AuditMark, Error> {
        Ok(AuditMark(self.from.0 + self.read()?.len() as u64))
    }

    /// The whole lines from the mark on: the last line may be in the middle of being written. No
    /// file yet: no request yet.
    fn read(&self) -> Result<String, Error> {
        let mut text = match read_from(&self.log, self.from.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            outcome => outcome.map_err(Error::io("reading the audit log"))?,
        };
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        Ok(text)
    }
}

impl Field {
    fn of(self, event: &AuditEvent) -> Option<&str> {
        match self {
            Self::Stage => Some(&event.stage),
            Self::Verb => Some(&event.verb),
            Self::User => Some(&event.user),
            Self::Group => event.group.as_deref(),
            Self::Resource => event.resource.as_deref(),
            Self::Subresource => event.resource.as_ref().map(|_| event.subresource.as_deref().unwrap_or_default()),
            Self::Namespace => event.namespace.as_deref(),
            Self::Name => event.name.as_deref(),
        }
    }
}

fn read_from(log: &std::path::Path, offset: u64) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // Not as text at once: a line being written may end within a character, and is cut off later.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// An event of audit.k8s.io/v1, as far as it is used here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "auditID")]
    audit_id: String,
    stage: String,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    user: User,
    user_agent: Option<String>,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
    request_object: Option<Value>,
    request_received_timestamp: Option<MicroTime>,
    stage_timestamp: Option<MicroTime>,
}

#[derive(Deserialize, Default)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectRef {
    #[serde(default)]
    api_group: String,
    resource: Option<String>,
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct ResponseStatus {
    code: Option<u16>,
}

impl From<Line> for AuditEvent {
    fn from(line: Line) -> Self {
        let (group, resource, subresource, namespace, name) = match line.object_ref {
            Some(at) => (Some(at.api_group), at.resource, at.subresource, at.namespace, at.name),
            None => (None, None, None, None, None),
        };
        Self {
            audit_id: line.audit_id,
            stage: line.stage,
            verb: line.verb,
            request_uri: line.request_uri,
            user: line.user.username,
            user_agent: line.user_agent,
            group,
            resource,
            subresource,
            namespace,
            name,
            code: line.response_status.and_then(|status| status.code),
            received: line.request_received_timestamp,
            at: line.stage_timestamp,
            request_object: line.request_object,
        }
    }
}
