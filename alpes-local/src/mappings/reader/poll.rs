//! Polling a shard within the quota that all its standard readers share.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use quotas::READS_A_SECOND;
use source_mapping::{Record, Rule};
use tokio::time::Instant;

use super::Reader;
use crate::{error::AwsError, kinesis::quota::EXCEEDED, mappings::effects::ids};

/// The pause between two polls of a shard without more records.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// On AWS a read takes time, so readers do not stay in step. Here each pause is longer by up to so much. Otherwise the
/// readers that come first in a second would be the same ones each second, and could use up the quota forever.
const UNSTEADY: Duration = Duration::from_millis(100);

impl Reader {
    /// Reads the shard once. The reader polls on, whether or not records arrive, as Lambda does: so empty reads use the
    /// quota too.
    pub(super) fn poll(&mut self) -> Result<(), AwsError> {
        let Some((records, bytes)) = self.window.room() else {
            return Ok(());
        };
        let (streams, stream) = (&self.era.core.streams, &self.era.stream);
        let shard = &self.start.shard;
        // A shard that was closed before an empty read has no more records.
        let closed = self.era.is_closed(shard)?;
        let read = streams.poll_after(stream, shard, self.window.last(), records, bytes);
        let pause = match read {
            // AWS does not say when Lambda repeats a refused read.
            Err(error) if error.code == EXCEEDED => POLL_EVERY + up_to(POLL_EVERY),
            Err(error) => return Err(error),
            Ok(records) if records.is_empty() => {
                self.caught_up = true;
                (self.behind, self.exhausted) = (!closed, closed);
                POLL_EVERY + up_to(UNSTEADY)
            }
            Ok(records) => self.take_polled(records)?,
        };
        self.next_read = Instant::now() + pause;
        Ok(())
    }

    /// Gives the machine the records of a read, and returns the pause until the next read.
    fn take_polled(&mut self, records: Vec<Record>) -> Result<Duration, AwsError> {
        self.append(records)?;
        let era = &self.era;
        let newest = era.core.streams.latest(&era.stream, &self.start.shard)?;
        self.caught_up = newest.as_ref() <= self.window.last();
        let (rules, pause): (&[Rule], _) = if self.caught_up {
            (&[Rule::PollOnceASecond], POLL_EVERY + up_to(UNSTEADY))
        } else {
            let rules = &[Rule::PollOnceASecond, Rule::CatchesUp];
            (rules, POLL_EVERY / READS_A_SECOND)
        };
        era.core
            .tell(&era.live, Some(&self.name), ids(rules), vec![]);
        Ok(pause)
    }
}

/// A random pause.
fn up_to(longest: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1_000;
    longest * u32::try_from(random).unwrap_or_default() / 1_000
}
