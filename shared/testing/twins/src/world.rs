//! Time, ids, randomness and tasks that repeat exactly.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

use alpes_ports::{Clock, Ids, Randomness, Tasks, World};

/// A clock that advances only when a test advances it, or when a task sleeps.
#[derive(Debug)]
pub struct ManualClock {
    milliseconds: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            milliseconds: AtomicI64::new(start.as_millisecond()),
        }
    }

    /// Advances the clock.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.milliseconds.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.milliseconds.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

/// The ids 1, 2, 3 … in the form of UUIDs.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl Ids for SequentialIds {
    fn fresh(&self) -> Uuid {
        let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        // Set the version and variant bits of a UUID v7, so that the id parses as a UUID v7.
        Uuid::from_u128((7 << 76) | (2 << 62) | u128::from(count))
    }

    fn secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        secret[..16].copy_from_slice(self.fresh().as_bytes());
        secret
    }
}

/// The generator `SplitMix64`. It is small, and gives the same numbers for a seed on every machine.
#[derive(Debug)]
pub struct SeededRandomness(AtomicU64);

impl SeededRandomness {
    /// The sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next 64 bits.
    pub fn bits(&self) -> u64 {
        let state = self
            .0
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Randomness for SeededRandomness {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    fn fraction(&self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Sleeping advances the clock at once. A spawned task runs to its end before `spawn` returns.
struct InstantTasks(Arc<ManualClock>);

#[async_trait]
impl Tasks for InstantTasks {
    async fn sleep(&self, duration: Duration) {
        self.0.advance(duration);
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        futures::executor::block_on(task);
    }
}

/// A world that repeats exactly. Its clock starts at 2026-01-31T10:00:00Z, and advances only when a task sleeps or a
/// test advances it.
#[must_use]
pub fn world(seed: u64) -> (World, Arc<ManualClock>) {
    let start = Timestamp::from_second(1_769_853_600).unwrap_or_default();
    let clock = Arc::new(ManualClock::starting_at(start));
    let world = World {
        clock: clock.clone(),
        ids: Arc::new(SequentialIds::default()),
        randomness: Arc::new(SeededRandomness::new(seed)),
        tasks: Arc::new(InstantTasks(clock.clone())),
    };
    (world, clock)
}
