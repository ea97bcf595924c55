//! Candidates against leases in memory, on a clock that runs ahead whenever everybody waits.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use k8s_openapi::api::coordination::v1::Lease;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::*;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Answered,
    /// Not even taken.
    Refused,
    /// Taken, and answered to nobody: the client gives up.
    Unheard,
    /// Taken so much later, and answered to nobody.
    Late(Duration),
    /// Lost on the way.
    Lost,
}

type Rule = dyn Fn(&Method) -> Fate + Send + Sync;

/// An API server with one lease, as far as the election asks for it.
#[derive(Clone)]
struct Server {
    stored: Arc<Mutex<Option<Lease>>>,
    calls: Arc<Mutex<Vec<Method>>>,
}

impl Server {
    fn new() -> Self {
        Self { stored: Arc::default(), calls: Arc::default() }
    }

    /// A candidate's way to it.
    fn client(&self, rule: impl Fn(&Method) -> Fate + Send + Sync + 'static) -> Client {
        let (server, rule): (Self, Arc<Rule>) = (self.clone(), Arc::new(rule));
        let service = tower::service_fn(move |request: Request<Body>| -> BoxFuture<'static, _> {
            let (server, rule) = (server.clone(), Arc::clone(&rule));
            Box::pin(async move { Ok::<_, Infallible>(server.call(request, &*rule).await) })
        });
        Client::new(service, "default")
    }

    fn candidate(&self, identity: &str) -> Leadership {
        Leadership::new(&self.client(|_| Fate::Answered), "default", "lease", identity)
    }

    async fn call(&self, request: Request<Body>, rule: &Rule) -> Response<Body> {
        let method = request.method().clone();
        let body = request.into_body().collect_bytes().await.unwrap();
        let fate = rule(&method);
        self.calls.lock().unwrap().push(method.clone());
        let no_answer = || answer(StatusCode::GATEWAY_TIMEOUT, &json!({}));
        match fate {
            Fate::Answered => self.take(&method, &body),
            Fate::Refused => answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({})),
            Fate::Unheard => {
                self.take(&method, &body);
                sleep(CALL).await;
                no_answer()
            }
            Fate::Late(delay) => {
                let server = self.clone();
                tokio::spawn(async move {
                    sleep(delay).await;
                    server.take(&method, &body);
                });
                sleep(CALL).await;
                no_answer()
            }
            Fate::Lost => {
                sleep(CALL).await;
                no_answer()
            }
        }
    }

    fn take(&self, method: &Method, body: &[u8]) -> Response<Body> {
        let mut stored = self.stored.lock().unwrap();
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        if *method != Method::GET {
            let mut lease: Lease = serde_json::from_slice(body).unwrap();
            let is_on_this = stored.as_ref().map(version) == version(&lease).map(Some);
            if !is_on_this {
                return answer(StatusCode::CONFLICT, &json!({}));
            }
            let next: u64 = version(&lease).map_or(0, |version| version.parse().unwrap()) + 1;
            lease.metadata.resource_version = Some(next.to_string());
            *stored = Some(lease);
        }
        match &*stored {
            Some(lease) => answer(StatusCode::OK, &serde_json::to_value(lease).unwrap()),
            None => answer(StatusCode::NOT_FOUND, &json!({})),
        }
    }

    /// As somebody else edits it.
    fn edit(&self, change: impl FnOnce(&mut Lease)) {
        let mut stored = self.stored.lock().unwrap();
        let lease = stored.as_mut().unwrap();
        change(lease);
        lease.metadata.resource_version = Some("1000".to_owned());
    }

    fn called(&self, method: &Method) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| *call == method).count()
    }
}

fn answer(status: StatusCode, object: &Value) -> Response<Body> {
    let reason = if status == StatusCode::NOT_FOUND { "NotFound" } else { "Other" };
    let failure =
        json!({ "kind": "Status", "status": "Failure", "code": status.as_u16(), "reason": reason, "message": "" });
    let text = if status.is_success() { object } else { &failure }.to_string();
    Response::builder().status(status).body(Body::from(text.into_bytes())).unwrap()
}

/// From when to when somebody led; to the end of the test if there is no end.
type Reign = (Instant, Option<Instant>);

/// All of them.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<Vec<Reign>>>);

struct Running(Record, usize);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.lock().unwrap()[self.1].1 = Some(Instant::now());
    }
}

impl Record {
    fn begin(&self) -> Running {
        let mut terms = self.0.lock().unwrap();
        terms.push((Instant::now(), None));
        Running(self.clone(), terms.len() - 1)
    }

    fn terms(&self) -> Vec<Reign> {
        self.0.lock().unwrap().clone()
    }
}

/// Leads for so long, and says how the one before left.
fn lead_for(
    candidate: Leadership,
    record: &Record,
    work: Duration,
) -> JoinHandle<(Option<Departure>, Option<Succession>)> {
    let record = record.clone();
    tokio::spawn(async move {
        let mut how = None;
        let term = candidate
            .lead(pending(), async |succession| {
                how = Some(succession);
                let _term = record.begin();
                sleep(work).await;
                Departure::Settled
            })
            .await;
        let departure = if let Term::Ended(departure) = term { Some(departure) } else { None };
        (departure, how)
    })
}

/// With the next renewal: another may lead already.
async fn assert_lost_at_once(leads: JoinHandle<(Option<Departure>, Option<Succession>)>) {
    let lost = Instant::now();
    assert_eq!(leads.await.unwrap().0, None);
    assert!(lost.elapsed() <= 2 * SECOND, "{:?}", lost.elapsed());
}

const LONG: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_leader_renews_by_one_call_each_two_seconds() {
    let (server, record) = (Server::new(), Record::default());
    let leads = lead_for(server.candidate("only"), &record, LONG);
    sleep(LONG + SECOND).await;
    assert_eq!(leads.await.unwrap(), (Some(Departure::Settled), Some(Succession::Unknown)), "there was no lease");
    assert_eq!((server.called(&Method::GET), server.called(&Method::POST)), (1, 1));
    let renewals = server.called(&Method::PUT) - 1;
    assert!((1_799..=1_800).contains(&renewals), "{renewals}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_given_back_is_taken_at_once_and_in_order() {
    let (server, record) = (Server::new(), Record::default());
    // Not when who stands by would look again anyway because the lease ran out when it first saw it.
    let first = lead_for(server.candidate("first"), &record, 50 * SECOND);
    sleep(SECOND).await;
    let second = lead_for(server.candidate("second"), &record, LONG);
    assert_eq!(first.await.unwrap().0, Some(Departure::Settled));
    let ended = Instant::now();
    assert_eq!(second.await.unwrap().1, Some(Succession::InOrder));
    let (began, _) = record.terms()[1];
    assert!(began - ended <= 2 * SECOND, "{:?}", began - ended);
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_one_that_died_is_taken_when_it_has_run_out_and_not_before() {
    let (server, record) = (Server::new(), Record::default());
    let first = lead_for(server.candidate("first"), &record, LONG);
    sleep(SECOND).await;
    let second = lead_for(server.candidate("second"), &record, 60 * SECOND);
    sleep(60 * SECOND + SECOND / 2).await;
    let renewed = server.called(&Method::PUT);
    first.abort();
    let died = Instant::now();
    assert_eq!(second.await.unwrap().1, Some(Succession::Unclean));
    let (began, _) = record.terms()[1];
    assert_eq!(renewed, 30);
    // It was renewed 1.5 s before, and looked at up to 2 s after that.
    let waited = began - died;
    assert!(waited >= Duration::from_millis(13_500) && waited <= Duration::from_millis(15_500), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_heard_ends_before_another_may_lead() {
    for fate in [Fate::Lost, Fate::Refused] {
        let (server, record) = (Server::new(), Record::default());
        let cut = Instant::now() + 61 * SECOND;
        let client = server.client(move |_| if Instant::now() < cut { Fate::Answered } else { fate });
        let first = lead_for(Leadership::new(&client, "default", "lease", "first"), &record, LONG);
        sleep(SECOND).await;
        let second = lead_for(server.candidate("second"), &record, SECOND);
        assert_eq!(first.await.unwrap().0, None);
        second.await.unwrap();
        let [(_, Some(ended)), (began, _)] = record.terms()[..] else { panic!("{:?}", record.terms()) };
        assert_eq!(ended, cut + 9 * SECOND, "{fate:?}: 10 s after its last renewal");
        assert!(began > ended);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_is_lost_costs_nobody_the_lease() {
    let (server, record) = (Server::new(), Record::default());
    let (from, until) = (Instant::now() + 60 * SECOND, Instant::now() + 65 * SECOND);
    let client = server.client(move |method| {
        let now = Instant::now();
        if *method == Method::PUT && now >= from && now < until { Fate::Unheard } else { Fate::Answered }
    });
    let leads = lead_for(Leadership::new(&client, "default", "lease", "only"), &record, LONG);
    assert_eq!(leads.await.unwrap().0, Some(Departure::Settled));
    assert_eq!((record.terms().len(), server.called(&Method::GET)), (1, 2), "one look, at why there was a conflict");
}

#[tokio::test(start_paused = true)]
async fn what_others_write_beside_the_name_stays_and_another_name_ends_it() {
    let (server, record) = (Server::new(), Record::default());
    let leads = lead_for(server.candidate("first"), &record, LONG);
    sleep(61 * SECOND).await;
    let labels = Some([("team".to_owned(), "siem".to_owned())].into());
    server.edit(|lease| lease.metadata.labels = labels.clone());
    sleep(60 * SECOND).await;
    assert!(!leads.is_finished());
    assert_eq!(server.stored.lock().unwrap().as_ref().unwrap().metadata.labels, labels);
    server.edit(|lease| lease.spec.as_mut().unwrap().holder_identity = Some("another".to_owned()));
    assert_lost_at_once(leads).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_deleted_is_lost() {
    let (server, record) = (Server::new(), Record::default());
    let leads = lead_for(server.candidate("first"), &record, LONG);
    sleep(61 * SECOND).await;
    *server.stored.lock().unwrap() = None;
    assert_lost_at_once(leads).await;
}

/// A process that gets SIGTERM while its request for the lease is on its way would else leave a lease that no replica renews.
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_won_while_told_to_stop_is_given_back_at_once() {
    let (server, record) = (Server::new(), Record::default());
    let first = lead_for(server.candidate("first"), &record, 50 * SECOND);
    sleep(SECOND).await;
    let slow = server.clone();
    let service = tower::service_fn(move |request: Request<Body>| -> BoxFuture<'static, _> {
        let server = slow.clone();
        Box::pin(async move {
            if request.method() == Method::PUT {
                sleep(3 * SECOND).await;
            }
            Ok::<_, Infallible>(server.call(request, &|_: &Method| Fate::Answered).await)
        })
    });
    let second = Leadership::new(&Client::new(service, "default"), "default", "lease", "second");
    let stopped = first.await.unwrap();
    assert_eq!(stopped.0, Some(Departure::Settled));
    // The lease is free: the look at it is answered at once, and the write that takes it 3 s later.
    let began = Instant::now();
    let term = second.lead(sleep(2 * SECOND), async |_| panic!("no work is begun")).await;
    assert_eq!(term, Term::NotBegun);
    assert!(began.elapsed() >= 3 * SECOND, "{:?}", began.elapsed());
    assert_eq!(lease::holder(server.stored.lock().unwrap().as_ref().unwrap()), None);
    let third = lead_for(server.candidate("third"), &record, SECOND);
    assert_eq!(third.await.unwrap().1, Some(Succession::InOrder), "nothing was begun in between");
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_is_told_to_stop_ends_at_once_whatever_the_api_server_does() {
    let server = Server::new();
    let client = server.client(|_| Fate::Lost);
    let began = Instant::now();
    let candidate = Leadership::new(&client, "default", "lease", "only");
    let term = candidate.lead(sleep(SECOND), async |_| panic!("no work is begun")).await;
    assert_eq!((term, began.elapsed()), (Term::NotBegun, SECOND));
}

/// Whatever becomes of whose calls, in any order: at no moment do two lead, and somebody does as soon as calls are answered.
#[tokio::test(start_paused = true)]
async fn never_two_at_once() {
    for seed in 0..8 {
        let (server, record) = (Server::new(), Record::default());
        let quiet = Instant::now() + 1_200 * SECOND;
        let mut candidates = Vec::new();
        for n in 0..3 {
            let dice = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed * 10 + n)));
            let client = server.client(move |_| fate(&mut dice.lock().unwrap(), Instant::now() < quiet));
            let record = record.clone();
            candidates.push(tokio::spawn(async move {
                let mut dice = fastrand::Rng::with_seed(seed * 100 + n);
                for term in 0.. {
                    let candidate = Leadership::new(&client, "default", "lease", &format!("{n}-{term}"));
                    let length = Duration::from_millis(dice.u64(100..90_000));
                    // One in three dies instead of leaving in order.
                    let ends = lead_for(candidate, &record, if Instant::now() > quiet { LONG } else { length });
                    let dies = if dice.u8(..3) == 0 { length / 2 } else { LONG * 2 };
                    let abort = ends.abort_handle();
                    if tokio::time::timeout(dies, ends).await.is_err() {
                        abort.abort();
                    }
                    // The next process is there a moment later.
                    sleep(Duration::from_millis(dice.u64(10..3_000))).await;
                }
            }));
        }
        sleep(1_400 * SECOND).await;
        candidates.iter().for_each(JoinHandle::abort);
        let terms = record.terms();
        for (one, next) in terms.iter().zip(terms.iter().skip(1)) {
            assert!(one.1.is_some_and(|ended| ended <= next.0), "seed {seed}: {one:?} and {next:?}");
        }
        assert!(terms.len() > 10 && terms.last().is_some_and(|(_, ended)| ended.is_none()), "seed {seed}: {terms:?}");
    }
}

fn fate(dice: &mut fastrand::Rng, trouble: bool) -> Fate {
    match dice.u8(..20) {
        _ if !trouble => Fate::Answered,
        0 => Fate::Refused,
        1 | 2 => Fate::Unheard,
        3 => Fate::Late(Duration::from_millis(dice.u64(1..20_000))),
        4 | 5 => Fate::Lost,
        _ => Fate::Answered,
    }
}
