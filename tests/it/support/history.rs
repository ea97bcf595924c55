//! Every version of every object of a namespace, as a watch shows them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use konnect_replay_core::api::AuditLogReplayJob;
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// All versions seen so far, in order.
pub struct History {
    versions: Arc<Mutex<Vec<AuditLogReplayJob>>>,
    changed: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl History {
    /// Starts watching. Versions of objects created from now on are all seen.
    pub async fn start(client: Client, namespace: &str) -> Self {
        let versions = Arc::new(Mutex::new(Vec::new()));
        let (tell, changed) = watch::channel(0);
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let api: Api<DeserializeGuard<AuditLogReplayJob>> = Api::namespaced(client, namespace);
        let task = tokio::spawn({
            let (versions, mut ready) = (Arc::clone(&versions), Some(ready));
            async move {
                let stream = watcher(api, watcher::Config::default()).default_backoff();
                // An error is not the end: the stream goes on by itself.
                stream
                    .for_each(|event| {
                        match event {
                            Ok(watcher::Event::Apply(job) | watcher::Event::InitApply(job)) => {
                                versions.lock().unwrap().extend(job.0);
                            }
                            Ok(watcher::Event::InitDone) => drop(ready.take().map(|r| r.send(()))),
                            Ok(watcher::Event::Init | watcher::Event::Delete(_)) | Err(_) => {}
                        }
                        tell.send_modify(|n| *n += 1);
                        futures::future::ready(())
                    })
                    .await;
            }
        });
        is_ready.await.unwrap();
        Self { versions, changed, task }
    }

    /// Every version of one object, oldest first.
    pub fn of(&self, name: &str) -> Vec<AuditLogReplayJob> {
        self.versions.lock().unwrap().iter().filter(|job| job.name_any() == name).cloned().collect()
    }

    /// Every version of every object.
    pub fn all(&self) -> Vec<AuditLogReplayJob> {
        self.versions.lock().unwrap().clone()
    }

    /// Waits until the newest version of `name` fits.
    pub async fn wait_now(
        &self,
        name: &str,
        limit: Duration,
        fits: impl Fn(&AuditLogReplayJob) -> bool,
    ) -> Option<AuditLogReplayJob> {
        self.until(limit, || self.of(name).pop().filter(|job| fits(job))).await
    }

    /// Waits until a version of `name` fits; versions that have passed count too.
    pub async fn wait(
        &self,
        name: &str,
        limit: Duration,
        fits: impl Fn(&AuditLogReplayJob) -> bool,
    ) -> Option<AuditLogReplayJob> {
        self.until(limit, || self.of(name).into_iter().find(|job| fits(job))).await
    }

    async fn until<T>(&self, limit: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
        let mut changed = self.changed.clone();
        let found = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = look() {
                    return Some(found);
                }
                changed.changed().await.ok()?;
            }
        };
        tokio::time::timeout(limit, found).await.ok().flatten()
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.task.abort();
    }
}
