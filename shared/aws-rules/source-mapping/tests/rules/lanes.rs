use std::time::Duration;

use source_mapping::{Choice, Outcome, Rule};

use crate::support::{SHARD, World, all_numbers, numbers, seconds};

/// A world with this many lanes. New keys take the lanes in turn.
fn with_factor(parallelization_factor: usize) -> World {
    let mut world = World::with(|with| {
        with.parallelization_factor = parallelization_factor;
        with.batch_size = 2;
    });
    let mut keys = 0;
    world.choose(Choice::LaneOfKey, move |_| {
        keys += 1;
        keys - 1
    });
    world
}

#[test]
fn records_of_a_key_stay_in_their_lane_in_order() {
    let mut world = with_factor(2);
    let keys = ["a", "b", "a", "b", "a", "b", "b"];
    let records: Vec<_> = keys.iter().map(|key| (*key, b"{}".as_slice())).collect();
    world.put_all_in(SHARD, &records);
    let first = world.invoked();
    assert_eq!(all_numbers(&first), [[1, 3], [2, 4]]);
    world.end(&first[1], Outcome::done());
    assert_eq!(numbers(&world.one()), [6, 7]);
    world.end(&first[0], Outcome::done());
    assert_eq!(numbers(&world.one()), [5]);
    world.proves(Rule::LanePerKey);
}

#[test]
fn as_many_batches_are_out_as_there_are_lanes() {
    let mut world = with_factor(3);
    let keys = ["a", "b", "c", "d", "e"];
    let records: Vec<_> = keys.iter().map(|key| (*key, b"{}".as_slice())).collect();
    world.put_all_in(SHARD, &records);
    assert_eq!(
        all_numbers(&world.invoked()),
        [vec![1, 4], vec![2, 5], vec![3]]
    );
    world.proves(Rule::LanesConcurrent);
}

#[test]
fn which_lane_goes_first_is_chosen() {
    let mut world = World::with(|with| with.parallelization_factor = 2);
    let mut keys = 0;
    world.choose(Choice::LaneOfKey, move |_| {
        keys += 1;
        keys - 1
    });
    world.wait(seconds(0));
    world.put_all_in(SHARD, &[("a", b"{}"), ("b", b"{}")]);
    let first = world.invoked();
    world.choose(Choice::NextLane, |options| options - 1);
    for invocation in &first {
        world.end(invocation, Outcome::Throttled);
    }
    let again = world.invoked();
    assert_eq!(all_numbers(&again), [[1], [2]]);
    world.lose_lease(false);
    world.choose(Choice::LaneOfKey, |_| 1);
    world.lose_lease(false);
    assert!(world.invoked().iter().all(|invocation| invocation.lane < 2));
}

#[test]
fn a_lane_waits_for_its_batch() {
    let mut world = with_factor(1);
    world.put("a", b"{}");
    let first = world.one();
    world.wait(seconds(1));
    world.put("b", b"{}");
    world.wait(seconds(100));
    assert_eq!(world.invoked(), []);
    world.end(&first, Outcome::done());
    assert_eq!(numbers(&world.one()), [2]);
    world.proves(Rule::OneBatchALane);
}

#[test]
fn what_failed_blocks_its_lane_and_may_pause_the_shard() {
    for paused in [false, true] {
        let mut world = with_factor(2);
        world.put_all_in(SHARD, &[("a", b"{}"), ("b", b"{}")]);
        let first = world.invoked();
        // Records for both lanes are read while both are busy.
        world.wait(seconds(1));
        world.put_all_in(SHARD, &[("a", b"{}"), ("b", b"{}")]);
        world.choose_all(move |choice, _| match choice {
            Choice::ShardPaused => u64::from(paused),
            Choice::BackOff => 500,
            _ => 0,
        });
        world.end(&first[0], Outcome::FunctionError);
        world.end(&first[1], Outcome::done());
        let others: &[&[u64]] = if paused { &[] } else { &[&[4]] };
        assert_eq!(all_numbers(&world.invoked()), others);
        world.wait(Duration::from_millis(500));
        let again = world.invoked();
        assert_eq!(numbers(&again[0]), [1]);
        world.end(&again[0], Outcome::done());
        let next = world.invoked();
        let expected: &[&[u64]] = if paused { &[&[3], &[4]] } else { &[&[3]] };
        assert_eq!(all_numbers(&next), expected);
        world.proves(Rule::LaneBlocked);
    }
}
