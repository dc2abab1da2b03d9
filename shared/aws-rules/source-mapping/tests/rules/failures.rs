use std::time::Duration;

use source_mapping::{Choice, Outcome, Output, Rule};

use crate::support::{SHARD, World, numbers, seconds, settings, told};

#[test]
fn an_error_is_of_the_whole_batch() {
    let mut world = World::new(settings());
    world.put_some(3);
    assert_eq!(world.end_one(Outcome::FunctionError), [1, 2, 3]);
    let again = world.one();
    assert_eq!((numbers(&again), again.earlier), (vec![1, 2, 3], 1));
    world.proves(Rule::FunctionError);
    world.proves(Rule::RetryWholeBatch);
}

#[test]
fn who_is_late_or_dies_has_failed() {
    for outcome in [Outcome::TimedOut, Outcome::Killed] {
        let mut world = World::with(|with| with.maximum_retry_attempts = Some(0));
        world.put("key", b"{}");
        world.end_one(outcome);
        assert_eq!(told(&world.outputs(), "discarded"), [1]);
        world.proves(Rule::TimeoutIsError);
    }
}

#[test]
fn who_returns_is_done() {
    let mut world = World::new(settings());
    world.put_some(3);
    world.end_one(Outcome::Returned(b"anything".into()));
    assert!(world.mapping.is_settled());
    world.proves(Rule::WholeBatchDone);
}

#[test]
fn without_a_limit_a_batch_is_tried_again_and_again() {
    let mut world = World::new(settings());
    world.put("key", b"{}");
    for _ in 0..1000 {
        assert_eq!(world.end_one(Outcome::FunctionError), [1]);
    }
    world.end_one(Outcome::done());
    assert_eq!(told(&world.outputs(), "discarded"), []);
    world.proves(Rule::RetryForever);
}

#[test]
fn a_batch_is_delivered_once_more_often_than_it_is_retried() {
    for most in 0..4 {
        let mut world = World::with(|with| with.maximum_retry_attempts = Some(most));
        world.put_some(2);
        for _ in 0..=most {
            assert_eq!(world.end_one(Outcome::FunctionError), [1, 2]);
        }
        assert_eq!(world.invoked(), []);
        assert_eq!(told(&world.outputs(), "discarded"), [1, 2]);
        world.proves(Rule::RetryAttempts);
    }
}

#[test]
fn a_retry_may_wait() {
    let mut world = World::new(settings());
    world.choose(Choice::BackOff, |_| 300);
    world.put("key", b"{}");
    world.end_one(Outcome::FunctionError);
    let due = world.mapping.now().plus(Duration::from_millis(300));
    assert_eq!(world.mapping.wakes_at(), Some(due));
    world.wait(Duration::from_millis(200));
    assert_eq!(world.invoked(), []);
    world.wait(Duration::from_millis(100));
    assert_eq!(numbers(&world.one()), [1]);
    world.proves(Rule::BackOff);
}

#[test]
fn the_longest_pause_doubles_until_progress() {
    let mut world = World::with(|with| with.report_batch_item_failures = true);
    world.choose(Choice::BackOff, |options| options - 1);
    let put = world.put_some(2);
    let mut pauses = vec![];
    let mut pause = |world: &mut World, outcome| {
        world.end_one(outcome);
        let pause = world.mapping.wakes_at().unwrap().since(world.mapping.now());
        pauses.push(pause.as_millis());
        world.wait(pause);
    };
    for _ in 0..4 {
        pause(&mut world, Outcome::FunctionError);
        pause(&mut world, Outcome::Throttled);
    }
    for _ in 0..100 {
        pause(&mut world, Outcome::FunctionError);
    }
    pause(&mut world, Outcome::failed_at([&put[1]]));
    pause(&mut world, Outcome::FunctionError);
    let mut expected = vec![
        500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000,
    ];
    expected.extend([300_000; 98]);
    expected.extend([500, 1_000]);
    assert_eq!(pauses, expected);
}

#[test]
fn throttles_do_not_count_and_do_not_split() {
    let mut world = World::with(|with| {
        with.maximum_retry_attempts = Some(0);
        with.bisect_batch_on_function_error = true;
    });
    world.put_some(2);
    for _ in 0..10 {
        assert_eq!(world.end_one(Outcome::Throttled), [1, 2]);
    }
    let again = world.one();
    assert_eq!((numbers(&again), again.earlier), (vec![1, 2], 0));
    assert_eq!(world.outputs(), []);
    world.proves(Rule::ThrottleNoAttempt);
}

#[test]
fn throttles_end_when_records_are_too_old() {
    let mut world = World::with(|with| with.maximum_record_age = Some(seconds(60)));
    world.put("key", b"{}");
    world.choose(Choice::BackOff, |options| options - 1);
    for pause in [500, 1_000, 2_000, 4_000, 8_000, 16_000] {
        world.end_one(Outcome::Throttled);
        world.wait(Duration::from_millis(pause));
    }
    world.end_one(Outcome::Throttled);
    world.wait(seconds(32));
    assert_eq!(world.invoked(), []);
    assert_eq!(told(&world.outputs(), "discarded"), [1]);
}

#[test]
fn what_is_too_old_is_not_delivered() {
    let mut world = World::with(|with| with.maximum_record_age = Some(seconds(60)));
    world.put("key", b"{}");
    let first = world.one();
    world.put("key", b"{}");
    world.wait(seconds(30));
    world.put("key", b"{}");
    world.wait(seconds(31));
    world.end(&first, Outcome::FunctionError);
    // The first record was delivered before, and the second record was never delivered.
    assert_eq!(numbers(&world.one()), [3]);
    assert_eq!(told(&world.outputs(), "discarded"), [1, 2]);
    world.proves(Rule::RecordAge);
}

#[test]
fn what_is_exactly_as_old_as_allowed_is_delivered() {
    let mut world = World::with(|with| with.maximum_record_age = Some(seconds(60)));
    world.put("key", b"{}");
    let first = world.one();
    world.wait(seconds(60));
    world.end(&first, Outcome::FunctionError);
    assert_eq!(numbers(&world.one()), [1]);
}

#[test]
fn after_a_discarded_batch_comes_the_next() {
    let mut world = World::with(|with| {
        with.maximum_retry_attempts = Some(0);
        with.batch_size = 2;
    });
    world.put_some(3);
    world.end_one(Outcome::FunctionError);
    assert_eq!(world.end_one(Outcome::done()), [3]);
    let outputs = world.outputs();
    let through = outputs.iter().rev().find_map(|output| match output {
        Output::Checkpointed { shard, through } => Some((shard.to_string(), through.clone())),
        _ => None,
    });
    assert_eq!(through, Some((SHARD.to_owned(), 3.into())));
    world.proves(Rule::DiscardContinues);
}
