//! Idle machines are forgotten, and nobody notices.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quotas::{Access, Charge, Millis, Partition, Partitions, Units};

use crate::runner;

#[test]
fn forgetting_changes_no_answer_and_bounds_the_memory() {
    let offer = (0..700_u64, 0..12_u8, 1..1_500_u64);
    let offers = prop::collection::vec(offer, 1..200);
    let run = runner().run(&offers, |offers| {
        let mut partitions = Partitions::default();
        let mut kept = BTreeMap::<u8, Partition>::new();
        let mut used = BTreeMap::new();
        let mut at = 0;
        for (gap, partition, units) in offers {
            at += gap;
            let now = Millis(at);
            let units = Units::whole(units);
            let write = [Charge {
                partition,
                access: Access::Write,
                units,
            }];
            let starved = !partitions.starved(now, &write).is_empty();
            let same = kept.entry(partition).or_default();
            prop_assert_eq!(starved, same.is_starved(now, Access::Write));
            if !starved {
                partitions.charge(now, &write);
                same.charge(now, Access::Write, units);
            }
            used.insert(partition, at / 1_000);
            // 1,500 units are paid in two seconds.
            let recent = used.values().filter(|second| at / 1_000 - **second <= 2);
            prop_assert!(partitions.len() <= recent.count());
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn the_keys_of_earlier_seconds_take_no_memory() {
    let mut partitions = Partitions::default();
    let mut most = BTreeSet::new();
    for key in 0..200_000_u64 {
        let write = [Charge {
            partition: key,
            access: Access::Write,
            units: Units::whole(1),
        }];
        partitions.charge(Millis(key / 10), &write);
        most.insert(partitions.len());
    }
    assert_eq!(most.last(), Some(&10_000), "the keys of one second");
}
