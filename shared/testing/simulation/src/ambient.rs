//! Time, ids, randomness and waiting for a process of a [`Kernel`].

use std::{sync::Arc, time::Duration};

use alpes_ports::{Clock, Ids, Randomness, Tasks, World};
use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::Kernel;

/// The clock of one machine, which differs from the world's clock by `skew`.
struct OwnClock {
    kernel: Kernel,
    skew: SignedDuration,
}

impl Clock for OwnClock {
    fn now(&self) -> Timestamp {
        let now = self.kernel.told().saturating_add(self.skew);
        now.unwrap_or(Timestamp::MAX)
    }
}

/// UUIDs of version 7, from a clock and from seeded randomness.
struct OwnIds {
    kernel: Kernel,
    clock: OwnClock,
}

impl Ids for OwnIds {
    fn fresh(&self) -> Uuid {
        let millis = u128::try_from(self.clock.now().as_millisecond()).unwrap_or(0);
        let below = |bits: u32| u128::from(self.kernel.dice().below(1 << bits));
        let (high, low) = (below(12), below(62));
        Uuid::from_u128((millis << 80) | (7 << 76) | (high << 64) | (2 << 62) | low)
    }

    fn secret(&self) -> [u8; 32] {
        [self.fresh(), self.fresh()]
            .map(Uuid::into_bytes)
            .concat()
            .try_into()
            .unwrap_or_default()
    }
}

struct OwnTasks(Kernel);

#[async_trait]
impl Tasks for OwnTasks {
    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn("task", task);
    }
}

struct OwnRandomness(Kernel);

impl Randomness for OwnRandomness {
    #[expect(clippy::cast_precision_loss, reason = "32 bits fit a double exactly")]
    fn fraction(&self) -> f64 {
        self.0.dice().below(1 << 32) as f64 / (1_u64 << 32) as f64
    }
}

impl Kernel {
    /// The world of a machine whose clock is off by `skew`.
    #[must_use]
    pub fn world(&self, skew: SignedDuration) -> World {
        let clock = || OwnClock {
            kernel: self.clone(),
            skew,
        };
        World {
            clock: Arc::new(clock()),
            ids: Arc::new(OwnIds {
                kernel: self.clone(),
                clock: clock(),
            }),
            randomness: Arc::new(OwnRandomness(self.clone())),
            tasks: Arc::new(OwnTasks(self.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trace;

    #[test]
    fn ids_are_of_version_7_and_of_their_time() {
        let kernel = Kernel::new(
            1,
            Timestamp::from_second(1_769_853_600).unwrap(),
            Trace::default(),
        );
        let world = kernel.world(SignedDuration::from_millis(7));
        let (one, other) = (world.ids.fresh(), world.ids.fresh());
        assert_ne!(one, other);
        for id in [one, other] {
            assert_eq!(id.get_version_num(), 7);
            let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
            assert_eq!((seconds, nanos), (1_769_853_600, 7_000_000));
        }
    }
}
