use source_mapping::{Choice, Outcome, Output, Rule};

use crate::support::{BEGIN, SHARD, World, numbers, seconds, settings, told};

const DAY: u64 = 24 * 3600;

#[test]
fn what_is_gone_before_it_is_delivered_is_lost() {
    let (mut world, out) = World::delivering();
    world.put("key", b"{}");
    world.wait(seconds(10));
    world.put("key", b"{}");
    assert_eq!(world.mapping.wakes_at(), Some(BEGIN.plus(seconds(11))));
    world.wait(seconds(DAY - 10));
    assert_eq!(told(&world.outputs(), "expired"), [2]);
    world.end(&out, Outcome::done());
    assert_eq!(numbers(&world.one()), [3]);
    world.proves(Rule::RetentionUnread);
}

#[test]
fn what_is_gone_is_not_tried_again() {
    let mut world = World::new(settings());
    world.put("key", b"{}");
    world.choose(Choice::BackOff, |_| 60_000);
    world.end_one(Outcome::FunctionError);
    world.wait(seconds(DAY - 1));
    let out = world.one();
    world.wait(seconds(1));
    // The invocation in flight may finish. Only a further delivery would have to read the records from the stream.
    assert_eq!(told(&world.outputs(), "expired"), []);
    world.end(&out, Outcome::FunctionError);
    let outputs = world.outputs();
    assert_eq!(told(&outputs, "expired"), [1]);
    assert_eq!(told(&outputs, "discarded"), []);
    assert!(world.mapping.is_settled());
    world.proves(Rule::RetentionRetried);
}

#[test]
fn what_was_out_when_it_was_lost_is_told_when_its_shard_is_given_up() {
    let (mut world, out) = World::delivering();
    world.wait(seconds(DAY));
    assert_eq!(told(&world.outputs(), "expired"), []);
    world.lose_lease(false);
    assert_eq!(told(&world.outputs(), "expired"), [1]);
    world.end(&out, Outcome::done());
    assert!(world.mapping.is_settled());
}

#[test]
fn a_mapping_that_rests_loses_records_too() {
    let mut world = World::new(settings());
    world.ask(source_mapping::Change::Disable);
    world.take(source_mapping::Input::ChangeTakesEffect);
    world.put("key", b"{}");
    assert_eq!(world.mapping.wakes_at(), Some(BEGIN.plus(seconds(DAY))));
    world.wait(seconds(DAY));
    assert_eq!(told(&world.outputs(), "expired"), [1]);
}

#[test]
fn iterator_age_is_that_of_the_last_record_when_the_function_is_done() {
    let (mut world, first) = World::delivering();
    world.wait(seconds(7));
    world.end(&first, Outcome::FunctionError);
    let (shard, age) = (SHARD.into(), seconds(7));
    let outputs = world.outputs();
    assert!(outputs.contains(&Output::IteratorAge { shard, age }));
    world.proves(Rule::IteratorAge);
}
