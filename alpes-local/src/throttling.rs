//! What AWS's quotas throttled: how often, by resource.
//!
//! With the option `--quotas aws`, each service holds machines of the crate `quotas`. They share this clock and these
//! counts. Without the option, there is no [`Throttling`], and a service asks no more than whether there is one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use quotas::Millis;
use serde::Serialize;

use crate::{
    clock::{Clock, SystemClock},
    waiting::lock,
};

/// The most resources that are counted. Beyond that, the one that was throttled longest ago is forgotten.
const RESOURCES: usize = 1_000;

/// What was throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Reads of a table, an index or a shard.
    Reads,
    /// Writes to a table or a shard. A write that an index throttles counts for the index.
    Writes,
    /// Invocations of a function.
    Invocations,
}

/// How often a resource was throttled since the runtime started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Throttled {
    /// The ARN of a table, index or function, or the ARN of a stream with `/` and the id of the shard.
    pub resource: String,
    /// What was throttled.
    pub work: Work,
    /// How often. An item of a batch and a record of `PutRecords` count each.
    pub count: u64,
    /// The last time, in milliseconds since 1970.
    pub last: u64,
}

/// The clock of all quotas, and the counts of what they throttled.
pub struct Throttling {
    clock: Arc<dyn Clock>,
    counts: Mutex<BTreeMap<(String, Work), (u64, u64)>>,
}

impl Throttling {
    /// Quotas by the computer's clock.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with_clock(Arc::new(SystemClock))
    }

    pub(crate) fn with_clock(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            counts: Mutex::default(),
        })
    }

    /// The time for machines of `quotas`. Read it while the machines are locked, so that it does not go back.
    pub(crate) fn now(&self) -> Millis {
        Millis(self.clock.millis())
    }

    /// Counts work that was throttled.
    pub(crate) fn note(&self, resource: String, work: Work) {
        let now = self.clock.millis();
        let mut counts = lock(&self.counts);
        let (count, last) = counts.entry((resource, work)).or_default();
        *count += 1;
        *last = now;
        if counts.len() > RESOURCES {
            let oldest = counts.iter().min_by_key(|(_, (_, last))| *last);
            let oldest = oldest.map(|(resource, _)| resource.clone());
            oldest.and_then(|oldest| counts.remove(&oldest));
        }
    }

    /// All that was throttled, in the order of resources.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Throttled> {
        let counts = lock(&self.counts);
        let all = counts.iter();
        all.map(|((resource, work), (count, last))| Throttled {
            resource: resource.clone(),
            work: *work,
            count: *count,
            last: *last,
        })
        .collect()
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::atomic::{AtomicU64, Ordering};

    use jiff::Timestamp;

    use super::*;
    use crate::time::at_millis;

    /// A clock that tests set.
    #[derive(Default)]
    pub(crate) struct Hand(AtomicU64);

    impl Hand {
        /// A clock at the beginning of a second.
        pub(crate) fn new() -> Arc<Self> {
            Arc::new(Self(AtomicU64::new(1_700_000_000_000)))
        }

        pub(crate) fn pass(&self, millis: u64) {
            self.0.fetch_add(millis, Ordering::Relaxed);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            at_millis(self.0.load(Ordering::Relaxed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::Hand, *};

    #[test]
    fn a_thousand_resources_are_counted_and_the_oldest_is_forgotten() {
        let clock = Hand::new();
        let throttling = Throttling::with_clock(clock.clone());
        for name in 0..=RESOURCES {
            throttling.note(format!("{name:04}"), Work::Writes);
            clock.pass(1);
        }
        throttling.note("0001".to_owned(), Work::Writes);
        let all = throttling.snapshot();
        assert_eq!(all.len(), RESOURCES);
        assert_eq!((all[0].resource.as_str(), all[0].count), ("0001", 2));
        assert_eq!(all[0].last, 1_700_000_000_000 + 1_001);
    }
}
