//! The one place where the world, the clock and the lock meet.
//!
//! Every change goes through [`Shared::update`], which also moves the jobs on, wakes whoever waits for a change and
//! hands the work that follows to `runner`. The lock is never held across an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};

use crate::Error;
use crate::api::Request;
use crate::contract::{self, Exchange};
use crate::settings::Options;
use crate::signing::Signing;
use crate::wire::Answer;
use crate::world::{Effect, World};

/// What all parts of one emulator hold.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    changes: watch::Sender<u64>,
    effects: mpsc::UnboundedSender<Effect>,
    pub(crate) signing: Signing,
    pub(crate) retry_scale: f64,
    pub(crate) batch_size: usize,
}

impl Shared {
    pub(crate) fn new(options: &Options) -> Result<(Self, mpsc::UnboundedReceiver<Effect>), Error> {
        let (effects, work) = mpsc::unbounded_channel();
        let shared = Self {
            world: Mutex::new(World::new(options)),
            changes: watch::Sender::new(0),
            effects,
            signing: Signing::generate()?,
            retry_scale: options.retry_scale,
            batch_size: options.batch_size.max(1),
        };
        Ok((shared, work))
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a call against `openapi.yaml`, and writes down what that does not allow.
    pub(crate) fn check(&self, call: u64, request: &Request, answer: &Answer) {
        if answer.bent {
            return;
        }
        let violations = contract::check(
            call,
            &Exchange {
                method: &request.method,
                uri: &request.uri,
                sent_as: request.content_type.as_deref(),
                sent: &request.body,
                status: answer.status,
                answered_as: answer.content_type(),
                answered: answer.body(),
            },
        );
        for violation in violations {
            tracing::debug!(?violation, path = %request.uri, "openapi.yaml does not allow this");
            self.lock().violations.push(violation);
        }
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the world, with every job up to date before and after.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut World, DateTime<Utc>) -> T) -> T {
        let now = Utc::now();
        let mut world = self.lock();
        self.perform(world.tick(now).effects);
        let result = change(&mut world, now);
        self.perform(world.tick(now).effects);
        drop(world);
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// Moves the jobs on, and answers when time alone will do so next.
    pub(crate) fn tick(&self) -> Option<DateTime<Utc>> {
        let now = Utc::now();
        let mut world = self.lock();
        let progress = world.tick(now);
        self.perform(progress.effects);
        let next = world.next_due(now);
        drop(world);
        if progress.moved {
            self.changes.send_modify(|count| *count += 1);
        }
        next
    }

    /// Hands work to the runner. Without a runner the emulator is stopping, and nothing is sent any more.
    pub(crate) fn perform(&self, effects: impl IntoIterator<Item = Effect>) {
        for effect in effects {
            let _ = self.effects.send(effect);
        }
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
