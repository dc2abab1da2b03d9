use source_mapping::{Choice, Outcome, Output, Rule};

use crate::support::{SHARD, World, all_numbers, checkpoint, numbers, seconds};

#[test]
fn who_takes_a_shard_over_begins_at_the_checkpoint() {
    let mut world = World::with(|with| with.parallelization_factor = 2);
    let mut keys = 0;
    world.choose(Choice::LaneOfKey, move |options| {
        keys += 1;
        (keys - 1) % options
    });
    world.put_all_in(SHARD, &[("a", b"{}"), ("b", b"{}"), ("b", b"{}")]);
    let first = world.invoked();
    assert_eq!(all_numbers(&first), [vec![1], vec![2, 3]]);
    // The records of the second lane come after the first lane's unfinished record, so no checkpoint covers them.
    world.end(&first[1], Outcome::done());
    assert_eq!(checkpoint(&world.outputs()), None);
    world.lose_lease(false);
    assert_eq!(all_numbers(&world.invoked()), [vec![1], vec![2, 3]]);
    let shard = SHARD.into();
    let orphans = vec![first[0].id];
    assert_eq!(world.outputs(), [Output::GaveUp { shard, orphans }]);
    world.proves(Rule::AtLeastOnce);
}

#[test]
fn how_often_something_was_tried_is_forgotten_with_the_lease() {
    let mut world = World::with(|with| with.maximum_retry_attempts = Some(1));
    world.put("key", b"{}");
    world.end_one(Outcome::FunctionError);
    world.one();
    world.lose_lease(false);
    world.end_one(Outcome::FunctionError);
    assert_eq!(numbers(&world.one()), [1]);
}

#[test]
fn a_checkpoint_can_be_lost() {
    let mut world = World::with(|with| with.batch_size = 2);
    world.put_some(6);
    assert_eq!(world.end_one(Outcome::done()), [1, 2]);
    assert_eq!(world.end_one(Outcome::done()), [3, 4]);
    assert_eq!(checkpoint(&world.outputs()), Some(4));
    world.invoked();
    world.lose_lease(true);
    assert_eq!(world.end_one(Outcome::done()), [3, 4]);
    assert_eq!(world.end_one(Outcome::done()), [5, 6]);
    assert!(world.mapping.is_settled());
    world.proves(Rule::CheckpointLost);
}

#[test]
fn what_comes_of_an_orphan_changes_nothing() {
    let (mut world, first) = World::delivering();
    world.lose_lease(false);
    let second = world.one();
    assert_eq!(world.mapping.out().count(), 2);
    world.outputs();
    world.end(&first, Outcome::done());
    assert_eq!(world.outputs(), []);
    assert!(!world.mapping.is_settled());
    world.end(&second, Outcome::done());
    assert!(world.mapping.is_settled());
    world.wait(seconds(10));
    assert_eq!(world.invoked(), []);
    world.proves(Rule::LateOutcome);
}
