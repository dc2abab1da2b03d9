//! The time, and waiting for a time.

use std::time::Duration;

use jiff::Timestamp;

use crate::{names::now_millis, time::at_millis};

/// The longest sleep before the clock is looked at again. A computer that was suspended stops tokio's timers, but not
/// the clock.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// Tells the time in whole milliseconds.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// The time now in milliseconds since 1970.
    fn millis(&self) -> u64 {
        u64::try_from(self.now().as_millisecond()).unwrap_or_default()
    }
}

/// The computer's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        at_millis(now_millis())
    }
}

/// Returns when the clock shows this time.
pub(crate) async fn sleep_until(clock: &dyn Clock, until: Timestamp) {
    loop {
        let left = Duration::try_from(until.duration_since(clock.now())).unwrap_or_default();
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use jiff::SignedDuration;
    use tokio::time::Instant;

    use super::*;
    use crate::input::moment;

    /// A clock that runs with tokio's paused time.
    pub(crate) struct Paused {
        began: Timestamp,
        since: Instant,
    }

    impl Paused {
        /// A clock that shows this time now.
        pub(crate) fn at(began: Timestamp) -> Self {
            let since = Instant::now();
            Self { began, since }
        }
    }

    impl Clock for Paused {
        fn now(&self) -> Timestamp {
            let passed = SignedDuration::try_from(self.since.elapsed()).unwrap();
            moment((self.began + passed).as_millisecond())
        }
    }
}
