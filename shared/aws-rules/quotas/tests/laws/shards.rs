//! Shards.

use proptest::prelude::*;
use quotas::{BYTES_A_READ, Millis, ReadLimit, Shard};

use crate::{
    history::{Limited, laws, offers},
    runner,
};

/// The bytes into a shard.
#[derive(Default)]
struct BytesIn(Shard);

impl Limited for BytesIn {
    const LIMIT: u64 = 1 << 20;
    const LARGEST: u64 = 1 << 20;
    const MAY_OWE: bool = false;

    fn offer(&mut self, now: Millis, amount: u64) -> bool {
        self.0.put(now, usize::try_from(amount).unwrap())
    }
}

/// The bytes out of a shard. The offers must be far enough apart for five reads a second.
#[derive(Default)]
struct BytesOut(Shard);

impl Limited for BytesOut {
    const LIMIT: u64 = 2 << 20;
    const LARGEST: u64 = 10 << 20;
    const MAY_OWE: bool = true;

    fn offer(&mut self, now: Millis, amount: u64) -> bool {
        let begun = self.0.read(now);
        if begun.is_ok() {
            self.0.returned(now, usize::try_from(amount).unwrap());
        }
        assert_ne!(begun, Err(ReadLimit::Reads));
        begun.is_ok()
    }
}

#[test]
fn a_shard_keeps_the_laws_of_its_bytes() {
    let bytes = runner().run(&offers::<BytesIn>(), |offers| {
        laws(BytesIn::default, &offers).map_err(TestCaseError::fail)
    });
    bytes.unwrap();
    let spread = offers::<BytesOut>().prop_map(|offers| {
        let spread = offers
            .into_iter()
            .map(|(gap, amount)| (gap.max(250), amount));
        spread.collect::<Vec<_>>()
    });
    let bytes = runner().run(&spread, |offers| {
        laws(BytesOut::default, &offers).map_err(TestCaseError::fail)
    });
    bytes.unwrap();
}

#[test]
fn a_shard_takes_a_thousand_records_a_second() {
    let mut shard = Shard::default();
    let mut taken = |second: u64| {
        let puts = (0..1_500).filter(|n| shard.put(Millis(second * 1_000 + n * 2 / 3), 100));
        puts.count()
    };
    assert_eq!([taken(0), taken(1), taken(5)], [1_000; 3]);
}

#[test]
fn a_record_that_does_not_fit_leaves_room_for_smaller_ones() {
    let mut shard = Shard::default();
    assert!(shard.put(Millis(0), 1_000_000));
    assert!(!shard.put(Millis(0), 100_000));
    assert!(shard.put(Millis(0), 40_000));
    // A record of 1 MiB has a key too, and is larger than the limit. It has a second of its own.
    let largest = (1 << 20) + 256;
    assert!(!shard.put(Millis(999), largest));
    assert!(shard.put(Millis(1_000), largest));
    assert!(!shard.put(Millis(1_999), 256));
    assert!(shard.put(Millis(2_000), 256));
}

#[test]
fn all_standard_readers_of_a_shard_share_five_reads_a_second() {
    let mut shard = Shard::default();
    // Seven readers that each read once a second.
    for second in 0..10 {
        let read = (0..7).filter(|n| shard.read(Millis(second * 1_000 + n * 100)).is_ok());
        assert_eq!(read.count(), 5);
    }
    assert_eq!(shard.read(Millis(9_999)), Err(ReadLimit::Reads));
}

#[test]
fn after_the_largest_read_reads_are_throttled_for_up_to_five_seconds() {
    let mut shard = Shard::default();
    shard.read(Millis(200)).unwrap();
    shard.returned(Millis(200), BYTES_A_READ);
    for late in 1..5 {
        assert_eq!(shard.read(Millis(late * 1_000)), Err(ReadLimit::Bytes));
    }
    assert_eq!(shard.read(Millis(5_000)), Ok(()));
}
