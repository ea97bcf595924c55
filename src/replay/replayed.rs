//! Which objects may have replayed a window: an index by namespace, target and window, kept up by the watch, so that a look for duplicates
//! reads only the objects whose window covers the window asked for. It only says where to look; the objects decide.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::watcher;

use crate::runtime::objects::Guarded;
use konnect_replay_core::api::{AuditLogReplayJob, TimeRange};
use konnect_replay_core::replay::replayed_window;

/// Namespace and target in short, the end of the window and its start in seconds, and the name. Two targets that are one in short only
/// cost a second look.
type Place = (u64, i64, i64, Box<str>);

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

    /// The names of those in the namespace of `job` that may have replayed all of `window` of its target.
    pub(super) fn covering(&self, job: &AuditLogReplayJob, window: TimeRange) -> Vec<Box<str>> {
        let indexes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        indexes.iter().flat_map(|index| index.lock().covering(whose(job), window)).collect()
    }
}

/// What one watch has shown.
#[derive(Clone, Default)]
pub(super) struct Index(Arc<Mutex<Places>>);

impl Index {
    /// Takes note of what the watch shows.
    pub(super) fn see(&self, event: &watcher::Event<Guarded<AuditLogReplayJob>>) {
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
    fn see(&mut self, event: &watcher::Event<Guarded<AuditLogReplayJob>>) {
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

    fn covering(&self, whose: u64, window: TimeRange) -> Vec<Box<str>> {
        let (start, end) = (window.start_at.timestamp(), window.end_at.timestamp());
        let ends_late_enough = self.known.range((whose, end, i64::MIN, Box::default())..).take_while(|p| p.0 == whose);
        ends_late_enough.filter(|(_, _, begins, _)| *begins <= start).map(|(.., name)| name.clone()).collect()
    }
}

fn place(object: &Guarded<AuditLogReplayJob>) -> Option<Place> {
    let job = object.object().ok()?;
    let window = replayed_window(job)?;
    Some((whose(job), window.end_at.timestamp(), window.start_at.timestamp(), job.name_any().into_boxed_str()))
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

    fn object(name: &str, region: &str, (start, end): (&str, &str), code: u16) -> Guarded<AuditLogReplayJob> {
        let condition = json!({ "type": "Complete", "status": "True", "reason": "Completed", "message": "",
                                "observedGeneration": 1, "lastTransitionTime": "2026-11-20T10:00:00Z" });
        serde_json::from_value(json!({
            "apiVersion": "konnect-replay.dev/v1alpha1", "kind": "AuditLogReplayJob",
            "metadata": { "name": name, "namespace": "audit", "uid": name },
            "spec": {
                "target": { "region": region, "scope": "Organization" },
                "window": { "startAt": start, "endAt": end },
                "tokenSecretRef": { "name": "token" },
            },
            "status": {
                "observedGeneration": 1, "conditions": if code == 0 { vec![] } else { vec![condition] },
                "startTime": "2026-11-20T09:59:00Z",
                "konnect": { "status": "completed", "startAt": start, "endAt": end, "observedTime": "2026-11-20T10:00:00Z" },
                "webhook": { "lastAttemptTime": "2026-11-20T09:59:30Z", "lastResponseCode": code },
            },
        }))
        .unwrap()
    }

    const WINDOW: (&str, &str) = ("2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z");

    fn covering(replayed: &Replayed, region: &str) -> Vec<String> {
        let asking = object("asking", region, WINDOW, 0);
        let window = TimeRange { start_at: WINDOW.0.parse().unwrap(), end_at: WINDOW.1.parse().unwrap() };
        replayed.covering(asking.object().unwrap(), window).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn objects_that_replayed_all_of_the_window_to_the_target_are_found_and_no_others() {
        let replayed = Replayed::default();
        let index = replayed.add();
        let (start, end) = WINDOW;
        for (name, region, window, code) in [
            ("same", "eu", WINDOW, 200),
            ("longer", "eu", ("2026-11-20T07:00:00Z", "2026-11-20T21:00:00Z"), 200),
            ("a-second-late", "eu", ("2026-11-20T08:00:01Z", end), 200),
            ("a-second-short", "eu", (start, "2026-11-20T08:59:59Z"), 200),
            ("disjoint", "eu", ("2026-11-20T09:00:10Z", "2026-11-20T09:00:30Z"), 200),
            ("elsewhere", "us", WINDOW, 200),
            ("refused-by-the-receiver", "eu", WINDOW, 403),
            ("not-complete", "eu", WINDOW, 0),
        ] {
            index.see(&watcher::Event::Apply(object(name, region, window, code)));
        }
        assert_eq!(covering(&replayed, "eu"), ["refused-by-the-receiver", "same", "longer"]);
        assert_eq!(covering(&replayed, "us"), ["elsewhere"]);
    }

    #[test]
    fn what_is_deleted_or_missing_from_a_new_list_is_forgotten() {
        let replayed = Replayed::default();
        let (one, other) = (replayed.add(), replayed.add());
        other.see(&watcher::Event::Apply(object("of-another-watch", "eu", WINDOW, 200)));
        one.see(&watcher::Event::Apply(object("deleted", "eu", WINDOW, 200)));
        one.see(&watcher::Event::Apply(object("missed", "eu", WINDOW, 200)));
        one.see(&watcher::Event::Delete(object("deleted", "eu", WINDOW, 200)));
        assert_eq!(covering(&replayed, "eu"), ["missed", "of-another-watch"]);
        one.see(&watcher::Event::Init);
        one.see(&watcher::Event::InitApply(object("listed", "eu", WINDOW, 200)));
        assert_eq!(covering(&replayed, "eu"), ["missed", "of-another-watch"], "half a list is no list");
        one.see(&watcher::Event::InitDone);
        assert_eq!(covering(&replayed, "eu"), ["listed", "of-another-watch"]);
    }
}
