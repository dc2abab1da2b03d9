use source_mapping::{Choice, Outcome, Rule, Settings};

use crate::support::{World, told};

/// A mapping that splits failed batches, whose settings are changed further by `change`.
fn bisecting(change: impl FnOnce(&mut Settings)) -> World {
    World::with(|with| {
        with.bisect_batch_on_function_error = true;
        change(with);
    })
}

#[test]
fn a_batch_is_split_until_it_succeeds() {
    let mut world = bisecting(|_| {});
    world.put_some(5);
    assert_eq!(world.end_one(Outcome::FunctionError), [1, 2, 3, 4, 5]);
    assert_eq!(world.end_one(Outcome::TimedOut), [1, 2]);
    assert_eq!(world.end_one(Outcome::done()), [1]);
    assert_eq!(world.end_one(Outcome::done()), [2]);
    assert_eq!(world.end_one(Outcome::done()), [3, 4, 5]);
    assert!(world.mapping.is_settled());
    world.proves(Rule::BisectHalves);
}

#[test]
fn splitting_is_free() {
    let mut world = bisecting(|with| with.maximum_retry_attempts = Some(0));
    world.put_some(4);
    world.end_one(Outcome::FunctionError);
    world.end_one(Outcome::FunctionError);
    assert_eq!(told(&world.outputs(), "discarded"), []);
    assert_eq!(world.end_one(Outcome::FunctionError), [1]);
    assert_eq!(told(&world.outputs(), "discarded"), [1]);
    world.proves(Rule::BisectFree);
}

/// The first half of a batch has failed before, as a part of the whole batch.
#[test]
fn parts_inherit_the_attempts_of_their_batch_or_begin_anew() {
    for (anew, attempts) in [(0, 2), (1, 3)] {
        let mut world = bisecting(|with| {
            with.maximum_retry_attempts = Some(2);
            with.report_batch_item_failures = true;
        });
        world.choose(Choice::PartsBeginAnew, move |_| anew);
        let put = world.put_some(2);
        // A report on the first record counts as an attempt, and an error splits the batch.
        world.end_one(Outcome::failed_at([&put[0]]));
        world.end_one(Outcome::FunctionError);
        for _ in 0..attempts {
            assert_eq!(world.end_one(Outcome::FunctionError), [1]);
        }
        assert_eq!(world.end_one(Outcome::done()), [2]);
        assert_eq!(told(&world.outputs(), "discarded"), [1]);
    }
}

#[test]
fn a_record_alone_is_retried() {
    let mut world = bisecting(|with| with.maximum_retry_attempts = Some(2));
    world.put_some(2);
    assert_eq!(world.end_one(Outcome::FunctionError), [1, 2]);
    for _ in 0..3 {
        assert_eq!(world.end_one(Outcome::FunctionError), [1]);
    }
    assert_eq!(world.end_one(Outcome::done()), [2]);
    assert_eq!(told(&world.outputs(), "discarded"), [1]);
    world.proves(Rule::BisectSingle);
}

#[test]
fn an_error_splits_though_reports_are_on() {
    let mut world = bisecting(|with| with.report_batch_item_failures = true);
    world.put_some(4);
    world.end_one(Outcome::FunctionError);
    assert_eq!(world.end_one(Outcome::done()), [1, 2]);
    assert_eq!(world.end_one(Outcome::done()), [3, 4]);
    world.proves(Rule::BisectRegardless);
}

#[test]
fn a_report_splits_where_it_says() {
    let mut world = bisecting(|with| {
        with.report_batch_item_failures = true;
        with.maximum_retry_attempts = Some(0);
    });
    let put = world.put_some(5);
    assert_eq!(
        world.end_one(Outcome::failed_at([&put[1]])),
        [1, 2, 3, 4, 5]
    );
    // A split is possible although no attempts are left, since a split does not count as an attempt.
    assert_eq!(world.end_one(Outcome::failed_at([&put[3]])), [2, 3, 4, 5]);
    assert_eq!(world.end_one(Outcome::done()), [4, 5]);
    assert_eq!(told(&world.outputs(), "discarded"), []);
    world.proves(Rule::BisectAtCheckpoint);
}
