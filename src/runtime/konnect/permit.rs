//! The permit to call Konnect, for the length of one pass: see [`konnect_replay_core::replay::CallLimit`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::runtime::clock::Stopwatch;
use konnect_replay_core::replay::{CallLimit, ObjectId, Woken};

/// How soon an object without a permit asks again. An object in line is woken; this is for a wake-up that is lost.
pub(crate) const RETRY: Duration = Duration::from_secs(5);

/// Requeues objects of one kind.
pub(crate) trait Wake: Send + Sync {
    /// Requeues `who`, if it is of this kind. An id does not tell the kind: a pass over an object that this kind does not have finds
    /// nothing to do.
    fn wake(&self, who: &ObjectId);
}

/// The permits to call Konnect, of all kinds together: half of the workers for each base URL, so that one slow region cannot starve the
/// others.
pub(crate) struct Calls {
    limit: Mutex<CallLimit>,
    kinds: Mutex<Vec<Arc<dyn Wake>>>,
    stopwatch: Stopwatch,
}

impl Calls {
    /// Permits for a process with so many workers.
    pub(crate) fn new(workers: u16, stopwatch: Stopwatch) -> Self {
        Self { limit: Mutex::new(CallLimit::new(workers)), kinds: Mutex::default(), stopwatch }
    }

    /// Takes note of one more kind whose objects may stand in line.
    pub(crate) fn add_kind(&self, kind: Arc<dyn Wake>) {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).push(kind);
    }

    /// The permit for `who` to call Konnect at `base_url`. Without one it stands in line, and is woken.
    pub(crate) fn permit(&self, base_url: &str, who: &ObjectId) -> Option<Permit<'_>> {
        let (may_begin, woken) = self.limit().begin(base_url, who, self.stopwatch.clock().mono);
        self.wake_all(woken);
        may_begin.then(|| Permit { calls: self, base_url: base_url.to_owned() })
    }

    /// Whether objects stand in line for a call at `base_url`.
    pub(crate) fn has_line(&self, base_url: &str) -> bool {
        self.limit().has_line(base_url)
    }

    fn limit(&self) -> MutexGuard<'_, CallLimit> {
        // Nothing is done under this lock that could panic half-way.
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_all(&self, woken: Woken) {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        for who in woken {
            kinds.iter().for_each(|kind| kind.wake(&who));
        }
    }
}

/// The permit to call Konnect, until it is dropped.
#[must_use = "the permit ends when it is dropped"]
pub(crate) struct Permit<'a> {
    calls: &'a Calls,
    base_url: String,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let woken = self.calls.limit().ended(&self.base_url, self.calls.stopwatch.clock().mono);
        self.calls.wake_all(woken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps the names of the objects that were woken.
    #[derive(Default)]
    struct Names(Mutex<Vec<String>>);

    impl Wake for Names {
        fn wake(&self, who: &ObjectId) {
            self.0.lock().unwrap().push(who.name.clone());
        }
    }

    #[test]
    fn a_call_that_ends_wakes_the_next_in_line() {
        let (calls, names) = (Calls::new(16, Stopwatch::start()), Arc::new(Names::default()));
        calls.add_kind(Arc::clone(&names) as Arc<dyn Wake>);
        let who = |n: u32| ObjectId { namespace: "audit".into(), name: format!("job-{n}"), uid: n.to_string() };
        let ask = |n: u32| calls.permit("https://eu.api.konghq.com", &who(n));
        let mut permits: Vec<_> = (0..8).map(|n| ask(n).expect("half of 16")).collect();
        assert!(ask(8).is_none() && ask(9).is_none());
        assert!(calls.has_line("https://eu.api.konghq.com") && !calls.has_line("https://us.api.konghq.com"));
        assert!(names.0.lock().unwrap().is_empty(), "no call is free");
        permits.pop();
        assert_eq!(*names.0.lock().unwrap(), ["job-8"]);
        assert!(ask(9).is_none() && ask(8).is_some());
    }
}
