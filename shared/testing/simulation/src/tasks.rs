//! Sleeping in virtual time, on a clock that the test advances.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use alpes_ports::{Clock, Tasks};
use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use twins::ManualClock;

/// A sleeping task waits until another task or the test advances the clock. Spawned work does not run by itself: take
/// it with [`take_spawned`](Self::take_spawned) and run it.
pub struct VirtualTasks {
    clock: Arc<ManualClock>,
    spawned: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl VirtualTasks {
    /// Tasks that sleep on this clock.
    #[must_use]
    pub fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            clock,
            spawned: Mutex::default(),
        }
    }

    /// Takes the spawned work that has not run yet. Run each future as a process of its own.
    #[must_use]
    pub fn take_spawned(&self) -> Vec<BoxFuture<'static, ()>> {
        std::mem::take(&mut self.spawned.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Tasks for VirtualTasks {
    async fn sleep(&self, duration: Duration) {
        let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let until = self.clock.now().saturating_add(duration);
        let until = until.unwrap_or(Timestamp::MAX);
        poll_fn(|context| {
            if self.clock.now() >= until {
                return Poll::Ready(());
            }
            // A future that joins several futures polls only the woken ones, so wake this future at once.
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let mut spawned = self.spawned.lock().unwrap_or_else(PoisonError::into_inner);
        spawned.push(task);
    }
}
