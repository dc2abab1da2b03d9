//! Partitions of `DynamoDB` tables and indexes.

use crate::{Machine, Millis, PerKey, Units, bucket::Bucket};

/// The limits of one partition: 1,000 write units and 3,000 read units a second.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>
const WRITE_UNITS: u64 = 1_000;
const READ_UNITS: u64 = 3_000;

/// Reading or writing. A partition limits them apart from each other: it may throttle writes while reads go on.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/throttling-key-range-limit-exceeded-mitigation.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Reading.
    Read,
    /// Writing.
    Write,
}

/// A partition: the items with one partition key value, in a table or in a global secondary index.
///
/// In DynamoDB many values share a partition until their traffic makes DynamoDB split it, at best until a busy value
/// has a partition of its own. This model begins there. So it throttles what no splitting can help, and nothing else.
/// DynamoDB may throttle sooner, before it has split; a value whose items have a sort key may be split further, if no
/// local secondary index is there, so that it is throttled later.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html>
///
/// DynamoDB's burst capacity does not raise these limits.
/// <https://repost.aws/knowledge-center/dynamodb-spiky-workloads-short-intervals>
#[derive(Clone, Debug)]
pub struct Partition {
    reads: Bucket,
    writes: Bucket,
}

impl Default for Partition {
    fn default() -> Self {
        Self {
            reads: Bucket::of_a_second(parts(Units::whole(READ_UNITS))),
            writes: Bucket::of_a_second(parts(Units::whole(WRITE_UNITS))),
        }
    }
}

impl Partition {
    /// True if the partition has used up its second, so that an operation is throttled.
    pub fn is_starved(&mut self, now: Millis, access: Access) -> bool {
        self.bucket(access).left(now) <= 0
    }

    /// Charges an operation that was admitted. This may make a debt.
    pub fn charge(&mut self, now: Millis, access: Access, units: Units) {
        self.bucket(access).charge(now, parts(units));
    }

    /// Gives back what was charged for an operation that did not take place.
    pub fn refund(&mut self, now: Millis, access: Access, units: Units) {
        self.bucket(access).refund(now, parts(units));
    }

    fn bucket(&mut self, access: Access) -> &mut Bucket {
        match access {
            Access::Read => &mut self.reads,
            Access::Write => &mut self.writes,
        }
    }
}

impl Machine for Partition {
    fn is_idle(&mut self, now: Millis) -> bool {
        self.reads.is_full(now) && self.writes.is_full(now)
    }
}

fn parts(units: Units) -> i64 {
    i64::try_from(units.0).unwrap_or(i64::MAX)
}

/// What an operation costs in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge<K> {
    /// The partition.
    pub partition: K,
    /// Reading or writing.
    pub access: Access,
    /// The cost.
    pub units: Units,
}

/// The partitions of tables and of their indexes, by any key that tells them apart.
///
/// An operation is throttled if one of its partitions is starved. A write has a charge for the table's partition and
/// for each index's partition that it changes. So an index that is starved throttles writes to its table: DynamoDB
/// calls this back-pressure.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/gsi-throttling.html>
#[derive(Clone, Debug)]
pub struct Partitions<K>(PerKey<K, Partition>);

impl<K> Default for Partitions<K> {
    fn default() -> Self {
        Self(PerKey::default())
    }
}

impl<K: Ord + Clone> Partitions<K> {
    /// The charges whose partitions are starved. If there are any, the operation is throttled, and must not be charged.
    pub fn starved<'a>(&mut self, now: Millis, charges: &'a [Charge<K>]) -> Vec<&'a Charge<K>> {
        let starved = charges.iter().filter(|charge| {
            let partition = self.0.of(now, &charge.partition);
            partition.is_starved(now, charge.access)
        });
        starved.collect()
    }

    /// Charges an operation that took place.
    pub fn charge(&mut self, now: Millis, charges: &[Charge<K>]) {
        for charge in charges {
            let partition = self.0.of(now, &charge.partition);
            partition.charge(now, charge.access, charge.units);
        }
    }

    /// Gives back what was charged for an operation that did not take place.
    pub fn refund(&mut self, now: Millis, charges: &[Charge<K>]) {
        for charge in charges {
            let partition = self.0.of(now, &charge.partition);
            partition.refund(now, charge.access, charge.units);
        }
    }

    /// The count of partitions in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if no partition is in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
