//! Publishing Events about objects of any kind: from a bounded queue, by a task of its own, so that no pass waits for it or fails because
//! of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use k8s_openapi::api::events::v1::Event as KubeEvent;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::objects::{FIELD_MANAGER, brief, may_pass};
use konnect_replay_core::api::to_micro_time;

/// Events that may wait to be published; further ones are left out.
const QUEUE: usize = 1024;
/// Longest call.
const CALL: Duration = Duration::from_secs(5);
/// Spacing of tries while the API server does not answer; then the Event is left out.
const RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// How long the end of the process may be held up by Events that are still to be published.
const LAST_CALL: Duration = Duration::from_secs(2);
/// Longest part of an object's name in the name of its Events, which have 253 characters too.
const NAME_CHARS: usize = 120;

/// One Event about an object.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// What the operator was doing, for the field that Events must have.
    pub(crate) action: &'static str,
    /// Why, in one word.
    pub(crate) reason: &'static str,
    /// `Normal` or `Warning`.
    pub(crate) type_: &'static str,
    /// What happened, for people: at most 1,024 bytes.
    pub(crate) note: String,
    /// Tells it from all other Events about the same object, also after a restart: an Event that is published twice is one.
    pub(crate) key: String,
}

/// Where passes hand Events in.
pub(crate) struct Publisher {
    queue: Sender<KubeEvent>,
    instance: String,
    overflowing: AtomicBool,
}

/// The task that publishes.
pub(crate) struct Publishing {
    task: JoinHandle<()>,
    last_call: oneshot::Sender<()>,
}

/// Starts publishing.
pub(crate) fn start(client: Client) -> (Publisher, Publishing) {
    let (queue, waiting) = channel(QUEUE);
    let (last_call, told) = oneshot::channel();
    let instance = std::env::var("HOSTNAME").ok().filter(|name| (1..=128).contains(&name.len()));
    let instance = instance.unwrap_or_else(|| FIELD_MANAGER.to_owned());
    let task = tokio::spawn(publish_all(client, waiting, told));
    (Publisher { queue, instance, overflowing: AtomicBool::new(false) }, Publishing { task, last_call })
}

impl Publisher {
    /// Hands an Event in, and returns at once whatever becomes of it.
    pub(crate) fn publish<K: Resource<DynamicType = ()>>(&self, object: &K, event: Event, at: DateTime<Utc>) {
        let is_full = self.queue.try_send(self.kube_event(object, event, at)).is_err();
        if is_full && !self.overflowing.swap(true, Ordering::Relaxed) {
            warn!("there are more Events than the API server takes: some are left out");
        } else if !is_full {
            self.overflowing.store(false, Ordering::Relaxed);
        }
    }

    fn kube_event<K: Resource<DynamicType = ()>>(&self, object: &K, event: Event, at: DateTime<Utc>) -> KubeEvent {
        KubeEvent {
            metadata: ObjectMeta {
                name: Some(name(object, &event.key)),
                namespace: object.namespace(),
                ..ObjectMeta::default()
            },
            action: Some(event.action.to_owned()),
            event_time: Some(to_micro_time(at)),
            note: Some(event.note),
            reason: Some(event.reason.to_owned()),
            regarding: Some(object.object_ref(&())),
            reporting_controller: Some(FIELD_MANAGER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(event.type_.to_owned()),
            ..KubeEvent::default()
        }
    }
}

/// One Event about one object has one name, whichever replica publishes it and how often.
fn name<K: Resource>(object: &K, key: &str) -> String {
    let (name, uid) = (object.name_any(), object.uid().unwrap_or_default());
    let short = name.chars().take(NAME_CHARS).collect::<String>();
    format!("{}.{uid}.{key}", short.trim_end_matches(['-', '.']))
}

impl Publishing {
    /// Publishes what was handed in so far, within a moment, and ends.
    pub(crate) async fn finish(self) {
        // An error means that the task has ended already.
        let _ = self.last_call.send(());
        if timeout(LAST_CALL, self.task).await.is_err() {
            debug!("some Events could not be published before the end");
        }
    }
}

async fn publish_all(client: Client, mut waiting: Receiver<KubeEvent>, mut last_call: oneshot::Receiver<()>) {
    let mut complaint = Complaint::default();
    loop {
        let event = tokio::select! {
            event = waiting.recv() => event,
            _ = &mut last_call, if !waiting.is_closed() => {
                waiting.close();
                continue;
            }
        };
        let Some(event) = event else { return };
        complaint.about(create(&client, &event).await);
    }
}

/// Why an Event was left out.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the API server did not answer within {}", humantime::format_duration(CALL))]
    Timeout,
    #[error(transparent)]
    Kube(#[from] kube::Error),
}

impl Failure {
    /// Whether the same call may work soon.
    fn may_pass(&self) -> bool {
        match self {
            Self::Kube(error) => may_pass(error),
            Self::Timeout => true,
        }
    }

    /// In few words, without the Event itself.
    fn brief(&self) -> String {
        match self {
            Self::Kube(error) => brief(error),
            Self::Timeout => self.to_string(),
        }
    }
}

async fn create(client: &Client, event: &KubeEvent) -> Result<(), Failure> {
    let events: Api<KubeEvent> = Api::namespaced(client.clone(), event.namespace().as_deref().unwrap_or_default());
    for pause in RETRIES {
        match create_once(&events, event).await {
            Err(failure) if failure.may_pass() => tokio::time::sleep(pause).await,
            outcome => return outcome,
        }
    }
    create_once(&events, event).await
}

async fn create_once(events: &Api<KubeEvent>, event: &KubeEvent) -> Result<(), Failure> {
    let created = timeout(CALL, events.create(&PostParams::default(), event)).await.map_err(|_| Failure::Timeout)?;
    match created {
        // It was published before.
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        outcome => Ok(outcome.map(drop)?),
    }
}

/// Failures are logged once, until one succeeds.
#[derive(Default)]
struct Complaint(bool);

impl Complaint {
    fn about(&mut self, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => self.0 = false,
            Err(failure) if !self.0 => {
                self.0 = true;
                warn!(
                    error = failure.brief(),
                    "Events cannot be published; may this account create events.events.k8s.io? Nothing else depends on them"
                );
            }
            Err(failure) => debug!(error = failure.brief(), "an Event was left out"),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn object(name: &str) -> ConfigMap {
        let uid = Some("3f2a9c1e-0000-4c39-9f3c-1f7f5d6f9f10".to_owned());
        ConfigMap {
            metadata: ObjectMeta { name: Some(name.to_owned()), uid, ..ObjectMeta::default() },
            ..ConfigMap::default()
        }
    }

    fn event(key: &str) -> Event {
        Event { action: "Replay", reason: "Completed", type_: "Normal", note: "done".to_owned(), key: key.to_owned() }
    }

    /// A server that takes connections and answers nothing.
    #[tokio::test]
    async fn an_api_server_that_never_answers_holds_nobody_up() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let client = Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let (publisher, publishing) = start(client);
        for n in 0..QUEUE * 3 {
            publisher.publish(&object("held-up"), event(&n.to_string()), Utc::now());
        }
        assert!(publisher.overflowing.load(Ordering::Relaxed), "what does not fit is left out");
        // Its 1,024 Events, waited for, would take hours.
        timeout(Duration::from_mins(5), publishing.finish()).await.unwrap();
    }

    #[test]
    fn names_are_valid_however_long_the_objects_is() {
        assert_eq!(name(&object("a"), "completed-7"), "a.3f2a9c1e-0000-4c39-9f3c-1f7f5d6f9f10.completed-7");
        let long = format!("{}-{}", "x".repeat(NAME_CHARS - 1), "y".repeat(120));
        let name = name(&object(&long), "startingdeadlineexceeded-18446744073709551615");
        assert!(name.len() <= 253 && name.contains("x.3f2a"), "{name}");
    }
}
