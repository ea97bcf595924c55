//! Limits concurrent Konnect calls per base URL to half of the workers, so that one slow region cannot starve the others. Jobs that
//! find no call free stand in line, and namespaces are served in turn: else a tenant with a thousand Secrets would keep everybody
//! waiting. A call that becomes free is promised to the next job in line, which is woken for it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::Woken;
use super::keys::ObjectId;

/// How long a call is promised. A pass that was woken begins at once, unless all workers are taken or the object is gone.
const PROMISED_FOR: Duration = Duration::from_secs(1);

/// The calls of all base URLs.
#[derive(Debug)]
pub struct CallLimit {
    share: usize,
    regions: HashMap<String, Region>,
}

#[derive(Debug, Default)]
struct Region {
    running: usize,
    line: VecDeque<Waiting>,
    /// By namespace of the line, when it was served last, counted in calls.
    served: HashMap<String, u64>,
    calls: u64,
}

#[derive(Debug)]
struct Waiting {
    who: ObjectId,
    /// When a call was promised to it.
    promised: Option<Duration>,
}

impl CallLimit {
    /// Half of `concurrency` for each base URL, at least one.
    pub fn new(concurrency: u16) -> Self {
        Self { share: usize::from(concurrency / 2).max(1), regions: HashMap::new() }
    }

    /// Lets `who` call Konnect at `base_url` until [`CallLimit::ended`]; else it stands in line. `now` is by the clock of the process.
    pub fn begin(&mut self, base_url: &str, who: &ObjectId, now: Duration) -> (bool, Woken) {
        let share = self.share;
        let region = self.regions.entry(base_url.to_owned()).or_default();
        region.drop_the_absent(now);
        let may_begin = region.begin(share, who);
        (may_begin, region.promise(share, now))
    }

    /// Whether jobs stand in line for a call at `base_url`.
    pub fn has_line(&self, base_url: &str) -> bool {
        self.regions.get(base_url).is_some_and(|region| !region.line.is_empty())
    }

    /// A call ended. Answers who may begin instead.
    pub fn ended(&mut self, base_url: &str, now: Duration) -> Woken {
        let share = self.share;
        let Some(region) = self.regions.get_mut(base_url) else { return Woken::default() };
        region.running = region.running.saturating_sub(1);
        region.drop_the_absent(now);
        let woken = region.promise(share, now);
        if region.running == 0 && region.line.is_empty() {
            self.regions.remove(base_url);
        }
        woken
    }
}

impl Region {
    fn begin(&mut self, share: usize, who: &ObjectId) -> bool {
        let place = self.line.iter().position(|waiting| waiting.who == *who);
        let is_promised =
            place.and_then(|place| self.line.get(place)).is_some_and(|waiting| waiting.promised.is_some());
        let promised = self.line.iter().filter(|waiting| waiting.promised.is_some()).count();
        let others_wait = self.line.iter().any(|waiting| waiting.promised.is_none() && waiting.who != *who);
        if is_promised || (!others_wait && self.running + promised < share) {
            place.map(|place| self.line.remove(place));
            self.running += 1;
            if !is_promised {
                self.serve(&who.namespace);
            }
            return true;
        }
        if place.is_none() {
            self.line.push_back(Waiting { who: who.clone(), promised: None });
        }
        false
    }

    /// Promises the calls that are free: to the namespace that was served longest ago, and in it to the first in line.
    fn promise(&mut self, share: usize, now: Duration) -> Woken {
        let mut promised = self.line.iter().filter(|waiting| waiting.promised.is_some()).count();
        let mut woken = Vec::new();
        while self.running + promised < share {
            let waiting = self.line.iter().enumerate().filter(|(_, waiting)| waiting.promised.is_none());
            let served = |who: &ObjectId| self.served.get(&who.namespace).copied().unwrap_or_default();
            let next = waiting.min_by_key(|(place, waiting)| (served(&waiting.who), *place)).map(|(place, _)| place);
            let Some(next) = next.and_then(|place| self.line.get_mut(place)) else { break };
            next.promised = Some(now);
            let who = next.who.clone();
            self.serve(&who.namespace);
            woken.push(who);
            promised += 1;
        }
        woken.into_iter().collect()
    }

    fn serve(&mut self, namespace: &str) {
        self.calls += 1;
        self.served.insert(namespace.to_owned(), self.calls);
    }

    fn drop_the_absent(&mut self, now: Duration) {
        self.line.retain(|waiting| waiting.promised.is_none_or(|promised| now < promised + PROMISED_FOR));
        let line = &self.line;
        self.served.retain(|namespace, _| line.iter().any(|waiting| waiting.who.namespace == *namespace));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://eu.api.konghq.com";
    const START: Duration = Duration::ZERO;

    fn job(id: &str) -> ObjectId {
        let (namespace, name) = id.split_once('/').unwrap();
        ObjectId { namespace: namespace.into(), name: name.into(), uid: id.into() }
    }

    fn begins(calls: &mut CallLimit, id: &str, now: Duration) -> bool {
        calls.begin(BASE, &job(id), now).0
    }

    fn ended(calls: &mut CallLimit, now: Duration) -> Vec<String> {
        calls.ended(BASE, now).into_iter().map(|id| id.name).collect()
    }

    fn full() -> CallLimit {
        let mut calls = CallLimit::new(4);
        assert!(begins(&mut calls, "x/a", START) && begins(&mut calls, "x/b", START));
        calls
    }

    #[test]
    fn jobs_of_one_namespace_get_it_in_turn_however_often_others_ask() {
        let mut calls = full();
        for name in ["x/c", "x/d", "x/c", "x/d", "x/d"] {
            assert!(!begins(&mut calls, name, START));
        }
        assert_eq!(ended(&mut calls, START), ["c"]);
        assert!(!begins(&mut calls, "x/a", START) && !begins(&mut calls, "x/d", START), "it is promised to c");
        assert!(begins(&mut calls, "x/c", START));
        assert_eq!(ended(&mut calls, START), ["d"]);
        assert_eq!(ended(&mut calls, START), ["a"], "a asked again after d");
        assert!(begins(&mut calls, "x/a", START) && begins(&mut calls, "x/d", START));
    }

    #[test]
    fn namespaces_are_served_in_turn_however_many_jobs_one_has() {
        let mut calls = full();
        for n in 0..1000 {
            assert!(!begins(&mut calls, &format!("crowd/{n:03}"), START));
        }
        assert!(!begins(&mut calls, "lone/z", START));
        let mut order = Vec::new();
        for _ in 0..4 {
            for id in calls.ended(BASE, START) {
                assert!(calls.begin(BASE, &id, START).0);
                order.push(format!("{}/{}", id.namespace, id.name));
            }
        }
        assert_eq!(order, ["crowd/000", "lone/z", "crowd/001", "crowd/002"]);
    }

    #[test]
    fn a_job_that_does_not_come_is_dropped_from_the_line() {
        let mut calls = full();
        assert!(!begins(&mut calls, "x/gone", START) && !begins(&mut calls, "x/next", START));
        assert_eq!(ended(&mut calls, START), ["gone"]);
        let (begins_now, woken) = calls.begin(BASE, &job("x/other"), PROMISED_FOR);
        assert!(!begins_now);
        assert_eq!(woken, [job("x/next")].into_iter().collect());
        assert!(begins(&mut calls, "x/next", PROMISED_FOR));
    }

    #[test]
    fn a_base_url_that_is_full_holds_up_no_other_and_nothing_is_kept_of_one_at_rest() {
        let mut calls = full();
        assert!(calls.begin("https://us.api.konghq.com", &job("x/c"), START).0);
        for _ in 0..2 {
            assert_eq!(ended(&mut calls, START), [""; 0]);
        }
        assert_eq!(calls.regions.len(), 1);
        assert_eq!(CallLimit::new(1).share, 1, "one worker is a share too");
    }
}
