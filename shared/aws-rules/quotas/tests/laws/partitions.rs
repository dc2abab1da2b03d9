//! Partitions of tables and indexes.

use proptest::prelude::*;
use quotas::{Access, Charge, Consistency, Millis, Partition, Partitions, Units, index_write};

use crate::{
    history::{Limited, laws, offers},
    runner,
};

/// The writes of a partition.
#[derive(Default)]
pub struct Writes(Partition);

impl Limited for Writes {
    const LIMIT: u64 = 1_000;
    const LARGEST: u64 = 800;
    const MAY_OWE: bool = true;

    fn offer(&mut self, now: Millis, amount: u64) -> bool {
        let admitted = !self.0.is_starved(now, Access::Write);
        if admitted {
            self.0.charge(now, Access::Write, Units::whole(amount));
        }
        admitted
    }
}

impl Writes {
    /// Charges an operation, whether or not it was admitted.
    pub fn charge_anyway(&mut self, now: Millis, amount: u64) {
        self.0.charge(now, Access::Write, Units::whole(amount));
    }
}

/// The reads of a partition.
#[derive(Default)]
struct Reads(Partition);

impl Limited for Reads {
    const LIMIT: u64 = 3_000;
    const LARGEST: u64 = 2_500;
    const MAY_OWE: bool = true;

    fn offer(&mut self, now: Millis, amount: u64) -> bool {
        let admitted = !self.0.is_starved(now, Access::Read);
        if admitted {
            self.0.charge(now, Access::Read, Units::whole(amount));
        }
        admitted
    }
}

#[test]
fn a_partition_keeps_the_laws_of_its_limits() {
    let writes = runner().run(&offers::<Writes>(), |offers| {
        laws(Writes::default, &offers).map_err(TestCaseError::fail)
    });
    writes.unwrap();
    let reads = runner().run(&offers::<Reads>(), |offers| {
        laws(Reads::default, &offers).map_err(TestCaseError::fail)
    });
    reads.unwrap();
}

#[test]
fn a_caller_that_offers_half_as_much_again_gets_the_limit_in_each_second() {
    let mut writes = Writes::default();
    for second in 0..5 {
        let offers = 0..1_500;
        let admitted = offers.filter(|n| writes.offer(Millis(second * 1_000 + n * 2 / 3), 1));
        assert_eq!(admitted.count(), 1_000, "second {second}");
    }
}

fn charge(partition: &'static str, access: Access, units: u64) -> Charge<&'static str> {
    Charge {
        partition,
        access,
        units: Units::whole(units),
    }
}

#[test]
fn a_starved_index_throttles_the_writes_that_change_it_and_no_others() {
    let mut partitions = Partitions::default();
    let now = Millis(500);
    let other = [
        charge("table/b", Access::Write, 1),
        charge("index/open", Access::Write, 1),
    ];
    for n in 0..500 {
        let write = [
            charge("table/a", Access::Write, 1),
            charge("index/open", Access::Write, 2),
        ];
        assert!(partitions.starved(now, &write).is_empty(), "{n}");
        partitions.charge(now, &write);
    }
    // The table's partitions have enough left. The error names the index.
    assert_eq!(partitions.starved(now, &other), [&other[1]]);
    assert!(
        partitions
            .starved(now, &[charge("table/a", Access::Write, 1)])
            .is_empty()
    );
    assert!(
        partitions
            .starved(now, &[charge("index/open", Access::Read, 1)])
            .is_empty()
    );
    assert!(partitions.starved(Millis(1_000), &other).is_empty());
}

#[test]
fn what_was_charged_in_vain_is_given_back() {
    let mut partitions = Partitions::default();
    let write = [charge("a", Access::Write, 1_000)];
    partitions.charge(Millis(0), &write);
    assert_eq!(partitions.starved(Millis(0), &write).len(), 1);
    partitions.refund(Millis(0), &write);
    assert!(partitions.starved(Millis(0), &write).is_empty());
    partitions.charge(Millis(0), &write);
    assert_eq!(partitions.starved(Millis(999), &write).len(), 1);
}

#[test]
fn a_clock_that_is_set_back_gives_nothing_and_takes_nothing() {
    let mut partition = Partition::default();
    partition.charge(Millis(9_000_000), Access::Write, Units::whole(1_500));
    assert!(partition.is_starved(Millis(3_000), Access::Write));
    assert!(!partition.is_starved(Millis(4_000), Access::Write));
}

#[test]
fn units_are_rounded_up_as_aws_says() {
    let whole = Units::whole;
    for (bytes, units) in [(0, 1), (1, 1), (1_024, 1), (1_025, 2), (409_600, 400)] {
        assert_eq!(Units::written(bytes), whole(units), "{bytes} bytes");
        assert_eq!(Units::written(bytes).in_transaction(), whole(2 * units));
    }
    for (bytes, units) in [(0, 1), (4_096, 1), (4_097, 2), (1 << 20, 256)] {
        let strong = Units::read(bytes, Consistency::Strong);
        let eventual = Units::read(bytes, Consistency::Eventual);
        assert_eq!(strong, whole(units), "{bytes} bytes");
        assert_eq!(eventual + eventual, strong);
        assert_eq!(strong.in_transaction(), whole(2 * units));
    }
    assert_eq!(whole(8).share(1, 4), whole(2));
}

#[test]
fn an_index_costs_by_the_change_of_its_entry() {
    let open = |bytes| Some(("open", 1, bytes));
    let closed = |bytes| Some(("closed", 1, bytes));
    let cost = |before, after| index_write(before, after, false);
    let units = |partition, units| (partition, Units::whole(units));
    assert_eq!(cost(None, open(100)), [units("open", 1)]);
    assert_eq!(cost(open(2_000), None), [units("open", 2)]);
    assert_eq!(cost(open(2_000), open(100)), [units("open", 2)]);
    assert_eq!(
        cost(open(2_000), closed(100)),
        [units("open", 2), units("closed", 1)]
    );
    assert_eq!(index_write(open(100), open(100), true), []);
    // An entry that moves within its partition is removed and added.
    assert_eq!(cost(open(100), Some(("open", 2, 100))).len(), 2);
    assert_eq!(cost(None, None), []);
}
