//! The scheduler against a list that is scanned each time, in random histories: the same choice in every lane after every step, no
//! lost wake-up, and, once all faults are over, every job goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::fixtures::*;
use crate::replay::WaitCause;
use crate::replay::scheduler::{Answer, Candidate, Key, LaneKey, ObjectId, Scheduler, Turn, Woken};

/// A job as the list has it.
#[derive(Clone, Debug, PartialEq)]
enum Doing {
    Waits,
    Reserves { until: Option<Duration> },
    Idles,
}

/// All jobs, in no order.
#[derive(Default)]
struct List(Vec<(Candidate, Doing)>);

impl List {
    fn set(&mut self, who: &Candidate, doing: Doing) {
        self.0.retain(|(other, _)| other.id != who.id);
        self.0.push((who.clone(), doing));
    }

    fn drop_ended(&mut self, now: Duration) {
        self.0.retain(|(_, doing)| !matches!(doing, Doing::Reserves { until: Some(until) } if *until <= now));
    }

    fn lanes(&self) -> BTreeSet<LaneKey> {
        self.0.iter().map(|(who, _)| who.route.lane.clone()).collect()
    }

    fn is_reserved(&self, who: &Candidate) -> bool {
        self.0.iter().any(|(other, doing)| {
            let shares = other.route.lane == who.route.lane || other.route.access.target == who.route.access.target;
            shares && matches!(doing, Doing::Reserves { .. })
        })
    }

    /// Which job of `lane` may start, by the rules of the module's documentation, job by job.
    fn choice(&self, s: &Scheduler, lane: &LaneKey, now: Duration) -> Option<ObjectId> {
        let known = s.lanes.get(lane)?;
        let waiting = self.0.iter().filter(|(who, doing)| who.route.lane == *lane && *doing == Doing::Waits);
        let free: Vec<&Candidate> = waiting.map(|(who, _)| who).filter(|who| !self.is_reserved(who)).collect();
        let order = |who: &Candidate| (who.expires_at, who.created_at, who.id.clone());
        let mut first = Vec::new();
        let (mut probes, mut puts) = (Vec::new(), Vec::new());
        for who in free {
            let keys = who.route.keys();
            let not_before = |key: &Key| s.backoff.not_before(key, who.route.account(), s.poll_interval);
            if keys.iter().filter_map(not_before).any(|at| at > now) {
                continue;
            }
            let is_found_by_a_put = |key: &&Key| matches!(key, Key::Busy(_) | Key::Put(_));
            let looked = keys.iter().filter(|key| !is_found_by_a_put(key)).filter_map(not_before).max();
            let put = keys.iter().filter(|key| matches!(key, Key::Put(_))).filter_map(not_before).max();
            match (looked, put) {
                (Some(_), _) => probes.push((known.groups[&who.route].probed, order(who))),
                (None, Some(since)) if known.put_failed => puts.push((since, order(who))),
                (None, _) => first.push(order(who)),
            }
        }
        let may_probe = known.probed.is_none_or(|probed| probed + s.poll_interval <= now);
        first.extend(probes.into_iter().min().map(|(_, place)| place).filter(|_| may_probe));
        first.into_iter().min().or_else(|| puts.into_iter().min().map(|(_, place)| place)).map(|(.., id)| id)
    }
}

#[derive(Clone, Debug)]
enum Event {
    /// It appears, or is touched, and asks for its turn.
    Ask(usize),
    /// A user asks for a try now.
    Insist(usize),
    /// Its pass ends with a failure.
    Fail(usize, WaitCause, u64),
    /// Its pass ends, and it waits for something of its own.
    Idle(usize),
    Complete(usize),
    /// A submission of its is found under way.
    Reserve(usize),
    /// Its object is gone.
    Vanish(usize, u64),
    Answered(usize, Answer),
    Accepted(usize),
    Token(usize),
    Webhook(usize),
    /// It names another Secret from now on.
    Edit(usize),
    Sleep(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let who = || 0..JOBS;
    let cause = prop::sample::select(vec![
        WaitCause::Secret,
        WaitCause::Credentials,
        WaitCause::RateLimit,
        WaitCause::Permission,
        WaitCause::Portal,
        WaitCause::RemoteJob,
        WaitCause::Rejected,
        WaitCause::Webhook,
        WaitCause::Konnect,
        WaitCause::Conflict,
        WaitCause::PutRefused,
        WaitCause::NotTaken,
    ]);
    let answer = prop::sample::select(vec![
        Answer::Busy,
        Answer::Free,
        Answer::Status(401),
        Answer::Status(403),
        Answer::Status(500),
        Answer::Nothing,
    ]);
    prop_oneof![
        8 => who().prop_map(Event::Ask),
        1 => who().prop_map(Event::Insist),
        8 => (who(), cause, 1..120u64).prop_map(|(who, cause, wait)| Event::Fail(who, cause, wait)),
        1 => who().prop_map(Event::Idle),
        2 => who().prop_map(Event::Complete),
        1 => who().prop_map(Event::Reserve),
        1 => (who(), 1..70u64).prop_map(|(who, left)| Event::Vanish(who, left)),
        3 => (who(), answer).prop_map(|(who, answer)| Event::Answered(who, answer)),
        2 => who().prop_map(Event::Accepted),
        1 => who().prop_map(Event::Token),
        1 => who().prop_map(Event::Webhook),
        1 => who().prop_map(Event::Edit),
        6 => (1..90u64).prop_map(Event::Sleep),
    ]
}

const JOBS: usize = 14;

/// Two organisations with two Secrets each, four portals, two regions, both versions, both policies.
fn jobs() -> Vec<Job> {
    (0..JOBS)
        .map(|n| {
            let portal = format!("p{}", n % 4);
            let job = job(&format!("j{n:02}"))
                .at(&portal)
                .with(&format!("s{}", n % 3))
                .expiring_in(i64::try_from(n * 7 % 11).unwrap());
            let job = if n % 5 == 0 { job.for_the_organization() } else { job };
            let job = if n % 4 == 1 { job.of("finance") } else { job };
            let job = if n % 6 == 2 { job.under_v3() } else { job };
            let job = if n % 7 == 3 { job.ignoring_the_webhook() } else { job };
            if n % 8 == 7 { job.in_region(US) } else { job }
        })
        .collect()
}

struct History {
    s: Scheduler,
    list: List,
    jobs: Vec<Job>,
    now: Duration,
    /// The jobs whose pass is on its way, or that come back by themselves.
    awake: BTreeSet<ObjectId>,
}

impl History {
    fn new() -> Self {
        let world = world();
        Self { s: world.scheduler, list: List::default(), jobs: jobs(), now: world.now, awake: BTreeSet::new() }
    }

    fn who(&self, n: usize) -> Candidate {
        self.jobs[n].candidate()
    }

    fn is_known(&self, who: &Candidate) -> bool {
        self.list.0.iter().any(|(other, _)| other.id == who.id)
    }

    fn woke(&mut self, woken: Woken) {
        self.awake.extend(woken);
    }

    fn ask(&mut self, who: &Candidate, insists: bool) -> bool {
        let reserves = self.list.0.iter().any(|(other, doing)| other == who && matches!(doing, Doing::Reserves { .. }));
        if !reserves {
            self.list.set(who, Doing::Waits);
        }
        let (turn, woken) = self.s.take(who, insists, self.now);
        self.woke(woken);
        self.awake.remove(&who.id);
        if turn == Turn::Ours {
            self.list.set(who, Doing::Reserves { until: None });
        }
        turn == Turn::Ours
    }

    fn happens(&mut self, event: &Event) {
        let now = self.now;
        match event {
            Event::Sleep(seconds) => self.now += secs(*seconds),
            Event::Ask(n) | Event::Insist(n) => {
                let who = self.who(*n);
                self.ask(&who, matches!(event, Event::Insist(_)));
            }
            Event::Edit(n) => self.jobs[*n].secret = format!("s{}", (n + 1) % 3),
            Event::Complete(n) => {
                let who = self.who(*n);
                self.list.0.retain(|(other, _)| other.id != who.id);
                let woken = self.s.gone(&who.id, now);
                self.woke(woken);
            }
            Event::Vanish(n, left) => self.vanish(*n, now + secs(*left)),
            Event::Fail(n, ..) | Event::Idle(n) | Event::Reserve(n) if !self.is_known(&self.who(*n)) => {}
            Event::Fail(n, cause, wait) => {
                let who = self.who(*n);
                let woken = self.s.failed(&who, *cause, secs(*wait), now).and(self.s.wait(&who, now));
                self.woke(woken);
                self.list.set(&who, Doing::Waits);
                self.awake.insert(who.id);
            }
            Event::Idle(n) => {
                let who = self.who(*n);
                let woken = self.s.idle(&who, now);
                self.woke(woken);
                self.list.set(&who, Doing::Idles);
            }
            Event::Reserve(n) => {
                let who = self.who(*n);
                let woken = self.s.reserve(&who, now);
                self.woke(woken);
                self.list.set(&who, Doing::Reserves { until: None });
            }
            Event::Answered(n, answer) => {
                let woken = self.s.answered(&self.who(*n).route, *answer, now);
                self.woke(woken);
            }
            Event::Accepted(n) => {
                let woken = self.s.accepted(&self.who(*n).route, now);
                self.woke(woken);
            }
            Event::Token(n) => {
                let woken = self.s.token_found(&self.who(*n).route, now);
                self.woke(woken);
            }
            Event::Webhook(n) => {
                let woken = self.s.webhook_enabled(&self.who(*n).route, now);
                self.woke(woken);
            }
        }
        let (woken, _) = self.s.due(self.now);
        self.woke(woken);
        self.list.drop_ended(self.now);
    }

    fn vanish(&mut self, n: usize, until: Duration) {
        let who = self.who(n);
        let woken = self.s.vanished(&who.id, until, self.now);
        self.woke(woken);
        let reserving = self.list.0.iter_mut().find(|(other, _)| other.id == who.id);
        match reserving {
            Some((_, Doing::Reserves { until: end })) => {
                end.get_or_insert(until);
            }
            Some(_) | None => self.list.0.retain(|(other, _)| other.id != who.id),
        }
    }

    fn check(&self, after: &Event) -> Result<(), TestCaseError> {
        for lane in self.list.lanes() {
            let expected = self.list.choice(&self.s, &lane, self.now);
            prop_assert_eq!(&self.s.startable(&lane, self.now), &expected, "after {:?}", after);
            if let Some(id) = expected {
                let woken = self.s.lanes[&lane].woken.as_ref();
                let is_told = self.awake.contains(&id) || woken.is_some_and(|woken| woken.id == id && woken.may_start);
                prop_assert!(is_told, "{id:?} may start and does not know it, after {after:?}");
            }
        }
        for key in self.s.backoff.keys() {
            prop_assert!(self.s.users.contains_key(key), "{key:?} has no job any more");
        }
        Ok(())
    }

    /// All faults are over: each job that is woken starts, and completes.
    fn ends(mut self) -> Result<(), TestCaseError> {
        let mut left: BTreeMap<ObjectId, Candidate> = BTreeMap::new();
        for n in 0..JOBS {
            let who = self.who(n);
            let (_, woken) = self.s.take(&who, false, self.now);
            self.woke(woken);
            self.awake.insert(who.id.clone());
            self.list.set(&who, Doing::Waits);
            left.insert(who.id.clone(), who);
        }
        // Every run under way ends.
        for who in left.values() {
            let woken = self.s.wait(who, self.now);
            self.woke(woken);
        }
        let begun = self.now;
        while !left.is_empty() {
            while let Some(id) = self.awake.pop_first() {
                let Some(who) = left.get(&id).cloned() else { continue };
                let (turn, woken) = self.s.take(&who, false, self.now);
                self.woke(woken);
                if turn == Turn::Ours {
                    let woken = self.s.answered(&who.route, Answer::Free, self.now);
                    let woken = woken.and(self.s.token_found(&who.route, self.now));
                    let woken = woken.and(self.s.webhook_enabled(&who.route, self.now));
                    let woken = woken.and(self.s.accepted(&who.route, self.now)).and(self.s.gone(&id, self.now));
                    self.woke(woken);
                    left.remove(&id);
                }
            }
            self.now += secs(1);
            let (woken, _) = self.s.due(self.now);
            self.woke(woken);
            prop_assert!(self.now - begun < mins(40), "never go: {:?}", left.keys().collect::<Vec<_>>());
        }
        let (_, _) = self.s.due(self.now + mins(2));
        prop_assert_eq!(self.s, world().scheduler, "nothing is kept");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_chooses_as_a_list_does_loses_no_wake_up_and_lets_every_job_go(
        events in prop::collection::vec(event(), 1..80),
    ) {
        let mut history = History::new();
        for event in &events {
            history.happens(event);
            history.check(event)?;
        }
        history.ends()?;
    }
}
