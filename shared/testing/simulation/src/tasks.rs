//! Sleeping in virtual time.

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

/// Sleeping is waiting until the clock is there, which somebody else moves on; others go on meanwhile. What is spawned is to be
/// taken and run.
pub struct VirtualTasks {
    clock: Arc<ManualClock>,
    spawned: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl VirtualTasks {
    /// Tasks by this clock.
    #[must_use]
    pub fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            clock,
            spawned: Mutex::default(),
        }
    }

    /// What was spawned and has not run yet; each is to be run as a process of its own.
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
            // Whoever waits for several at once asks only those again that want it.
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
