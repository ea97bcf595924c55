//! Which objects may have replayed a window: an index by namespace, target and end of the window, kept up by the watch, so that a look
//! for duplicates costs the same however many finished objects there are. It only says where to look; the objects say what is so.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use kube::ResourceExt;
use kube::runtime::watcher;

use super::context::Guarded;
use crate::api::AuditLogReplayJob;
use crate::replay::{SAME_WINDOW, replayed_end};

/// Namespace and target in short, the end of the window in seconds, and the name. Two targets that are one in short only cost a
/// second look.
type Place = (u64, i64, Box<str>);

/// The indexes of all watches.
#[derive(Default)]
pub(super) struct Replayed(Mutex<Vec<Index>>);

impl Replayed {
    /// The index of one more watch.
    pub(super) fn add(&self) -> Index {
        let index = Index::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(index.clone());
        index
    }

    /// The names of those in the namespace of `job` that may have replayed a window of its target which ends about `end`.
    pub(super) fn near(&self, job: &AuditLogReplayJob, end: DateTime<Utc>) -> Vec<Box<str>> {
        let indexes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        indexes.iter().flat_map(|index| index.lock().near(whose(job), end)).collect()
    }
}

/// What one watch has shown.
#[derive(Clone, Default)]
pub(super) struct Index(Arc<Mutex<Places>>);

impl Index {
    /// Takes note of what the watch shows.
    pub(super) fn see(&self, event: &watcher::Event<Guarded>) {
        self.lock().see(event);
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Places {
    known: BTreeSet<Place>,
    /// A list that is being read again takes the place of what was known when it is whole.
    coming: Option<BTreeSet<Place>>,
}

impl Places {
    fn see(&mut self, event: &watcher::Event<Guarded>) {
        match event {
            watcher::Event::Init => self.coming = Some(BTreeSet::new()),
            watcher::Event::InitApply(object) => self.coming.get_or_insert_default().extend(place(object)),
            watcher::Event::InitDone => self.known = self.coming.take().unwrap_or_default(),
            watcher::Event::Apply(object) => self.known.extend(place(object)),
            watcher::Event::Delete(object) => {
                place(object).map(|place| self.known.remove(&place));
            }
        }
    }

    fn near(&self, whose: u64, end: DateTime<Utc>) -> Vec<Box<str>> {
        let (first, last) = ((end - SAME_WINDOW).timestamp(), (end + SAME_WINDOW).timestamp());
        let range = (whose, first, Box::default())..(whose, last + 1, Box::default());
        self.known.range(range).map(|(.., name)| name.clone()).collect()
    }
}

fn place(object: &Guarded) -> Option<Place> {
    let job = object.job().ok()?;
    Some((whose(job), replayed_end(job)?.timestamp(), job.name_any().into_boxed_str()))
}

fn whose(job: &AuditLogReplayJob) -> u64 {
    let mut hasher = DefaultHasher::new();
    (job.namespace(), &job.spec.target.region, &job.spec.target.portal_id).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, region: &str, end: &str, complete: bool) -> Guarded {
        let condition = json!({ "type": "Complete", "status": "True", "reason": "Completed", "message": "",
                                "observedGeneration": 1, "lastTransitionTime": "2026-11-20T10:00:00Z" });
        let conditions = if complete { vec![condition] } else { Vec::new() };
        serde_json::from_value(json!({
            "apiVersion": "konnect-replay.dev/v1alpha1", "kind": "AuditLogReplayJob",
            "metadata": { "name": name, "namespace": "audit", "uid": name },
            "spec": {
                "target": { "region": region, "scope": "Organization" },
                "window": { "startAt": "2026-11-20T08:00:00Z", "endAt": end },
                "tokenSecretRef": { "name": "token" },
            },
            "status": { "observedGeneration": 1, "conditions": conditions },
        }))
        .unwrap()
    }

    const END: &str = "2026-11-20T09:00:00Z";

    fn near(replayed: &Replayed, region: &str) -> Vec<String> {
        let asking = object("asking", region, END, false);
        replayed.near(asking.job().unwrap(), END.parse().unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn complete_objects_of_the_target_and_time_are_found_and_no_others() {
        let replayed = Replayed::default();
        let index = replayed.add();
        for (name, region, end, complete) in [
            ("same", "eu", END, true),
            ("a-little-longer", "eu", "2026-11-20T09:00:59Z", true),
            ("a-little-shorter", "eu", "2026-11-20T08:59:01Z", true),
            ("longer", "eu", "2026-11-20T09:01:00Z", true),
            ("shorter", "eu", "2026-11-20T08:59:00Z", true),
            ("elsewhere", "us", END, true),
            ("not-complete", "eu", END, false),
        ] {
            index.see(&watcher::Event::Apply(object(name, region, end, complete)));
        }
        assert_eq!(near(&replayed, "eu"), ["a-little-shorter", "same", "a-little-longer"]);
        assert_eq!(near(&replayed, "us"), ["elsewhere"]);
    }

    #[test]
    fn what_is_deleted_or_missing_from_a_new_list_is_forgotten() {
        let replayed = Replayed::default();
        let (one, other) = (replayed.add(), replayed.add());
        other.see(&watcher::Event::Apply(object("of-another-watch", "eu", END, true)));
        one.see(&watcher::Event::Apply(object("deleted", "eu", END, true)));
        one.see(&watcher::Event::Apply(object("missed", "eu", END, true)));
        one.see(&watcher::Event::Delete(object("deleted", "eu", END, true)));
        assert_eq!(near(&replayed, "eu"), ["missed", "of-another-watch"]);
        one.see(&watcher::Event::Init);
        one.see(&watcher::Event::InitApply(object("listed", "eu", END, true)));
        assert_eq!(near(&replayed, "eu"), ["missed", "of-another-watch"], "half a list is no list");
        one.see(&watcher::Event::InitDone);
        assert_eq!(near(&replayed, "eu"), ["listed", "of-another-watch"]);
    }
}
