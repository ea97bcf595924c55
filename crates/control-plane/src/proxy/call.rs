//! What a request asks of the Kubernetes API, and which requests a rule is for.

use std::fmt;
use std::sync::Arc;

use http::{Method, Uri};
use serde_json::Value;

/// What is to be done, as RBAC and the audit log call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// One object is read.
    Get,
    /// All objects are read.
    List,
    /// Changes are followed.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH.
    Patch,
    /// DELETE, of one object or of many.
    Delete,
    /// Any other method.
    Other,
}

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What is to be done.
    pub verb: Verb,
    /// The plural name of the kind; for paths that name no objects, such as `/version`, the whole path.
    pub resource: String,
    /// Such as `status`.
    pub subresource: Option<String>,
    /// None for objects without one, and across all namespaces.
    pub namespace: Option<String>,
    /// None for a list, a watch and a create.
    pub name: Option<String>,
    /// The body; null if there is none, or none in JSON.
    pub body: Value,
    /// Path and query.
    pub uri: String,
}

impl Call {
    pub(super) fn new(method: &Method, uri: &Uri, body: &[u8]) -> Self {
        let place = Place::of(uri.path());
        let watches = uri.query().is_some_and(|q| q.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1")));
        let verb = match *method {
            Method::GET if watches => Verb::Watch,
            Method::GET if place.name.is_some() => Verb::Get,
            Method::GET => Verb::List,
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE => Verb::Delete,
            _ => Verb::Other,
        };
        let body = serde_json::from_slice(body).unwrap_or(Value::Null);
        let Place { resource, subresource, namespace, name } = place;
        Self { verb, resource, subresource, namespace, name, body, uri: uri.to_string() }
    }
}

/// What a path names.
struct Place {
    resource: String,
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
}

impl Place {
    fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let own = |part: Option<&&str>| part.map(|part| (*part).to_owned());
        let below = match parts.as_slice() {
            ["api", _, below @ ..] | ["apis", _, _, below @ ..] => below,
            _ => &[],
        };
        match below {
            // With something below it, the namespace is where the object is; alone, it is the object.
            ["namespaces", namespace, resource, rest @ ..] => Self {
                resource: (*resource).to_owned(),
                subresource: own(rest.get(1)),
                namespace: Some((*namespace).to_owned()),
                name: own(rest.first()),
            },
            [resource, rest @ ..] => Self {
                resource: (*resource).to_owned(),
                subresource: own(rest.get(1)),
                namespace: None,
                name: own(rest.first()),
            },
            [] => Self { resource: path.to_owned(), subresource: None, namespace: None, name: None },
        }
    }
}

/// Whether a body or an object is meant.
pub(super) type Look = Arc<dyn Fn(&Value) -> bool + Send + Sync>;

/// Which calls: all, narrowed part by part.
#[derive(Clone, Default)]
pub struct Calls {
    verb: Option<Verb>,
    resource: Option<String>,
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    body: Option<Look>,
    pub(super) times: Option<usize>,
}

impl Calls {
    /// All calls.
    pub fn any() -> Self {
        Self::default()
    }

    /// Only this verb.
    #[must_use]
    pub fn verb(mut self, verb: Verb) -> Self {
        self.verb = Some(verb);
        self
    }

    /// Only this kind, by its plural name.
    #[must_use]
    pub fn resource(mut self, plural: &str) -> Self {
        self.resource = Some(plural.to_owned());
        self
    }

    /// Only this subresource.
    #[must_use]
    pub fn subresource(mut self, name: &str) -> Self {
        self.subresource = Some(name.to_owned());
        self
    }

    /// Only this namespace.
    #[must_use]
    pub fn namespace(mut self, name: &str) -> Self {
        self.namespace = Some(name.to_owned());
        self
    }

    /// Only the object of this name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Only with a body (null if there is none) that fits.
    #[must_use]
    pub fn body_where(mut self, fits: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        self.body = Some(Arc::new(fits));
        self
    }

    /// Only the next `n` of them.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.times = Some(n);
        self
    }

    /// Whether `call` is one of them, however many there were before.
    pub fn fits(&self, call: &Call) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        self.verb.is_none_or(|verb| verb == call.verb)
            && same(&self.resource, Some(&call.resource))
            && same(&self.subresource, call.subresource.as_deref())
            && same(&self.namespace, call.namespace.as_deref())
            && same(&self.name, call.name.as_deref())
            && self.body.as_ref().is_none_or(|fits| fits(&call.body))
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("verb", &self.verb)
            .field("resource", &self.resource)
            .field("subresource", &self.subresource)
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .field("looks_at_body", &self.body.is_some())
            .field("times", &self.times)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, uri: &str) -> Call {
        Call::new(&method.parse().unwrap(), &uri.parse().unwrap(), br#"{"a":1}"#)
    }

    #[test]
    fn paths_read_as_the_audit_log_reads_them() {
        let read = |method, uri| {
            let call = call(method, uri);
            (call.verb, call.resource, call.subresource, call.namespace, call.name)
        };
        let some = |text: &str| Some(text.to_owned());
        for (method, uri, expected) in [
            ("GET", "/version", (Verb::List, "/version".to_owned(), None, None, None)),
            ("GET", "/api/v1/namespaces/a", (Verb::Get, "namespaces".to_owned(), None, None, some("a"))),
            ("GET", "/api/v1/namespaces/a/secrets/b", (Verb::Get, "secrets".to_owned(), None, some("a"), some("b"))),
            ("GET", "/apis/g/v1/things?limit=1&watch=true", (Verb::Watch, "things".to_owned(), None, None, None)),
            (
                "PATCH",
                "/apis/g/v1/namespaces/a/things/b/status?x=y",
                (Verb::Patch, "things".to_owned(), some("status"), some("a"), some("b")),
            ),
            ("POST", "/apis/g/v1/namespaces/a/things", (Verb::Create, "things".to_owned(), None, some("a"), None)),
        ] {
            assert_eq!(read(method, uri), expected, "{method} {uri}");
        }
    }

    #[test]
    fn each_part_narrows() {
        let patch = call("PATCH", "/apis/g/v1/namespaces/a/things/b/status");
        assert!(Calls::any().fits(&patch));
        assert!(Calls::any().verb(Verb::Patch).resource("things").subresource("status").fits(&patch));
        assert!(Calls::any().namespace("a").name("b").body_where(|body| body["a"] == 1).fits(&patch));
        for other in [
            Calls::any().verb(Verb::Get),
            Calls::any().resource("others"),
            Calls::any().subresource("scale"),
            Calls::any().namespace("b"),
            Calls::any().name("a"),
            Calls::any().body_where(|body| body["a"] == 2),
        ] {
            assert!(!other.fits(&patch), "{other:?}");
        }
    }
}
