//! What a watch says, and which of it a rule is for.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::call::Look;
use super::{Call, Calls};

/// One event of a watch.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object it is about.
    pub object: Value,
}

impl Event {
    fn text(&self, pointer: &str) -> &str {
        self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventFault {
    /// It waits until the rule is released, and so do all after it on the same watch: the view stands still.
    Hold,
    /// It never arrives.
    Drop,
    /// It arrives twice.
    Duplicate,
    /// It is put aside until the rule is released, and those after it overtake it.
    Late,
}

/// Which events: all, narrowed part by part.
#[derive(Clone, Default)]
pub struct Events {
    watches: Calls,
    kind: Option<String>,
    name: Option<String>,
    uid: Option<String>,
    object: Option<Look>,
    pub(super) times: Option<usize>,
}

impl Events {
    /// All events of the watches that these calls open.
    pub fn of(watches: Calls) -> Self {
        Self { watches, ..Self::default() }
    }

    /// Only of this type, such as `DELETED`.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    /// Only of objects of this name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Only of this very object, not of another of the same name.
    #[must_use]
    pub fn uid(mut self, uid: &str) -> Self {
        self.uid = Some(uid.to_owned());
        self
    }

    /// Only of objects that fit.
    #[must_use]
    pub fn object_where(mut self, fits: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        self.object = Some(Arc::new(fits));
        self
    }

    /// Only the next `n` of them.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.times = Some(n);
        self
    }

    pub(super) fn fits(&self, watch: &Call, event: &Event) -> bool {
        let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        self.watches.fits(watch)
            && same(&self.kind, &event.kind)
            && same(&self.name, event.text("/metadata/name"))
            && same(&self.uid, event.text("/metadata/uid"))
            && self.object.as_ref().is_none_or(|fits| fits(&event.object))
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("watches", &self.watches)
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("uid", &self.uid)
            .field("looks_at_object", &self.object.is_some())
            .field("times", &self.times)
            .finish()
    }
}
