//! The limits on the number and size of a shard's reads.

use std::{collections::VecDeque, time::Duration};

use crate::{Millis, Rule};

/// The limit of calls to a shard per second, for all its readers together.
pub(crate) const CALLS_A_SECOND: usize = 5;
/// The limit of bytes that a shard returns per second, for all its readers together.
const BYTES_A_SECOND: u64 = 2 * 1024 * 1024;
/// The limit of bytes that one call returns.
pub(crate) const BYTES_A_CALL: usize = 10 * 1024 * 1024;
/// The limit of records that one call returns.
pub(crate) const RECORDS_A_CALL: usize = 10_000;
/// The pause between Lambda's reads of a shard without new records.
pub(crate) const POLL_EVERY: Duration = Duration::from_secs(1);

/// The reads of a shard that still count for its limits.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadLimits {
    reads: VecDeque<(Millis, u64)>,
}

impl ReadLimits {
    /// The limit that another read would exceed now; `None` if it would exceed none.
    pub(crate) fn broken(&mut self, now: Millis) -> Option<Rule> {
        self.reads
            .retain(|(at, bytes)| seconds(now, *at) == 0 || left(now, *at, *bytes) > 0);
        let recent = self.reads.iter().filter(|(at, _)| seconds(now, *at) == 0);
        if recent.count() >= CALLS_A_SECOND {
            return Some(Rule::ReadLimitCalls);
        }
        let left: u64 = self
            .reads
            .iter()
            .map(|(at, bytes)| left(now, *at, *bytes))
            .sum();
        (left >= BYTES_A_SECOND).then_some(Rule::ReadLimitBytes)
    }

    /// Counts a read.
    pub(crate) fn count(&mut self, now: Millis, bytes: u64) {
        self.reads.push_back((now, bytes));
    }
}

fn seconds(now: Millis, at: Millis) -> u64 {
    now.since(at).as_secs()
}

/// The bytes of a read that are still charged to later seconds.
fn left(now: Millis, at: Millis, bytes: u64) -> u64 {
    bytes.saturating_sub(seconds(now, at).saturating_mul(BYTES_A_SECOND))
}
