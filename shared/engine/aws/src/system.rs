//! The ports of a running process for the clock, ids, randomness and tasks.

use std::{sync::Arc, time::Duration};

use alpes_ports::{Clock, Ids, Randomness, Tasks, World};
use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Ids for System {
    fn fresh(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn secret(&self) -> [u8; 32] {
        // 244 of the bits come from the operating system's secure generator. The others are the UUIDs' versions.
        let halves = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes);
        let mut secret = [0; 32];
        for (byte, random) in secret.iter_mut().zip(halves.as_flattened()) {
            *byte = *random;
        }
        secret
    }
}

impl Randomness for System {
    fn fraction(&self) -> f64 {
        // The last 32 bits of a UUID v4 are all random; jitter needs no more.
        let [.., a, b, c, d] = *Uuid::new_v4().as_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
    }
}

#[async_trait]
impl Tasks for System {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }
}

/// The clock, ids, randomness and tasks of this process. Sleeping and spawning need a tokio runtime.
#[must_use]
pub fn world() -> World {
    let system = Arc::new(System);
    World {
        clock: system.clone(),
        ids: system.clone(),
        randomness: system.clone(),
        tasks: system,
    }
}
