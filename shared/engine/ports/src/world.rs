//! Time, identity, randomness and concurrency, as ports.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

/// The date and time. Never assume that this clock is monotonic.
pub trait Clock: Send + Sync {
    /// The present instant, in UTC.
    fn now(&self) -> Timestamp;
}

/// Fresh identifiers.
pub trait Ids: Send + Sync {
    /// A new UUID of version 7 (RFC 9562): unique, and ordered by its millisecond of creation.
    fn fresh(&self) -> Uuid;

    /// 32 bytes that nobody can guess, for a secret that is stored.
    fn secret(&self) -> [u8; 32];
}

/// Random numbers, for jitter only: the correctness of a result must not depend on them.
pub trait Randomness: Send + Sync {
    /// A number from 0 (inclusive) to 1 (exclusive).
    fn fraction(&self) -> f64;
}

/// Pauses and background tasks.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// Returns after `duration`, or later.
    async fn sleep(&self, duration: Duration);

    /// Runs `task` to its end in the background. The call returns at once.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// The clock, ids, randomness and tasks in one value. Every component takes these four ports in this form.
#[derive(Clone)]
pub struct World {
    /// The date and time.
    pub clock: Arc<dyn Clock>,
    /// Fresh identifiers.
    pub ids: Arc<dyn Ids>,
    /// Randomness, for jitter.
    pub randomness: Arc<dyn Randomness>,
    /// Pauses and background tasks.
    pub tasks: Arc<dyn Tasks>,
}

/// The pause before attempt `attempt` (0 for the first retry): exponential with full jitter.
///
/// Full jitter spreads the writers of one item over the whole interval. With full jitter, a group of writers finishes
/// soonest (AWS Architecture Blog, "Exponential Backoff And Jitter").
#[must_use]
pub fn jittered(base: Duration, cap: Duration, attempt: u32, fraction: f64) -> Duration {
    let ceiling = base.saturating_mul(2_u32.saturating_pow(attempt)).min(cap);
    ceiling.mul_f64(fraction.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_cap_and_scales_with_chance() {
        let pause = |attempt, fraction| {
            jittered(
                Duration::from_millis(10),
                Duration::from_millis(100),
                attempt,
                fraction,
            )
        };
        assert_eq!(pause(0, 1.0), Duration::from_millis(10));
        assert_eq!(pause(2, 0.5), Duration::from_millis(20));
        assert_eq!(pause(40, 1.0), Duration::from_millis(100));
        assert_eq!(pause(3, 0.0), Duration::ZERO);
    }
}
