//! How long Lambda waits for things.

use std::time::Duration;

/// How long Lambda waits. The default is AWS's pace; tests use a faster one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The wait before the first retry of a failed asynchronous invocation: 1 minute. Before the second it is twice
    /// as long.
    pub retry: Duration,
    /// The first wait after a throttled asynchronous invocation: 1 second. It doubles each time.
    pub throttled: Duration,
    /// The longest wait after a throttled asynchronous invocation: 5 minutes.
    pub longest_throttled: Duration,
    /// The time that a function has to initialise before its first invocation: 10 seconds.
    pub init: Duration,
    /// The time after which an unused sandbox ends: 10 minutes.
    pub idle: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            retry: Duration::from_mins(1),
            throttled: Duration::from_secs(1),
            longest_throttled: Duration::from_mins(5),
            init: Duration::from_secs(10),
            idle: Duration::from_mins(10),
        }
    }
}
