//! Shards of Kinesis streams.

use crate::{Machine, Millis, bucket::Bucket};

// All numbers here: <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>
const RECORDS_IN: i64 = 1_000;
const BYTES_IN: i64 = 1 << 20;
const BYTES_OUT: i64 = 2 << 20;
/// The most reads a second, of all standard consumers together.
pub const READS_A_SECOND: u32 = 5;
/// The most records that one read returns.
pub const RECORDS_A_READ: usize = 10_000;
/// The most bytes that one read returns.
pub const BYTES_A_READ: usize = 10 << 20;

/// The limit that throttles a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadLimit {
    /// Five reads a second, for all standard consumers together.
    Reads,
    /// 2 MB a second. A read may return up to 10 MB; then reads are throttled for up to 5 seconds.
    Bytes,
}

/// A shard: 1,000 records and 1 MB a second in; 5 reads and 2 MB a second out, for all consumers without enhanced
/// fan-out together.
///
/// A throttled read does not count as one of the five; AWS does not say whether it does there.
/// <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>
#[derive(Clone, Debug)]
pub struct Shard {
    records_in: Bucket,
    bytes_in: Bucket,
    reads: Bucket,
    bytes_out: Bucket,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            records_in: Bucket::of_a_second(RECORDS_IN),
            bytes_in: Bucket::of_a_second(BYTES_IN),
            reads: Bucket::of_a_second(READS_A_SECOND.into()),
            bytes_out: Bucket::of_a_second(BYTES_OUT),
        }
    }
}

impl Shard {
    /// Takes a record of this size: its data and its partition key. False if the record is throttled; nothing is
    /// charged then, and a smaller record may still be taken.
    #[must_use]
    pub fn put(&mut self, now: Millis, bytes: usize) -> bool {
        let bytes = amount(bytes);
        let taken = self.records_in.has(now, 1) && self.bytes_in.has(now, bytes);
        if taken {
            self.records_in.charge(now, 1);
            self.bytes_in.charge(now, bytes);
        }
        taken
    }

    /// Begins a read, and counts it.
    ///
    /// # Errors
    ///
    /// The limit that throttles the read.
    pub fn read(&mut self, now: Millis) -> Result<(), ReadLimit> {
        if self.bytes_out.left(now) <= 0 {
            return Err(ReadLimit::Bytes);
        }
        if !self.reads.has(now, 1) {
            return Err(ReadLimit::Reads);
        }
        self.reads.charge(now, 1);
        Ok(())
    }

    /// Charges the size of a read's answer.
    pub fn returned(&mut self, now: Millis, bytes: usize) {
        self.bytes_out.charge(now, amount(bytes));
    }
}

impl Machine for Shard {
    fn is_idle(&mut self, now: Millis) -> bool {
        let buckets = [
            &mut self.records_in,
            &mut self.bytes_in,
            &mut self.reads,
            &mut self.bytes_out,
        ];
        buckets.into_iter().all(|bucket| bucket.is_full(now))
    }
}

fn amount(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
