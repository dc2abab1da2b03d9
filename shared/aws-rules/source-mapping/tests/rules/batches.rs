use source_mapping::{Outcome, PAYLOAD_LIMIT, Rule};

use crate::support::{World, numbers, seconds, settings};

#[test]
fn one_record_is_delivered_at_once() {
    let mut world = World::new(settings());
    world.put("key", b"{}");
    assert_eq!(numbers(&world.one()), [1]);
    world.proves(Rule::AtOnce);
}

#[test]
fn a_batch_has_no_more_records_than_its_size() {
    let mut world = World::with(|with| with.batch_size = 2);
    world.put_some(5);
    assert_eq!(world.end_one(Outcome::done()), [1, 2]);
    assert_eq!(world.end_one(Outcome::done()), [3, 4]);
    world.wait(seconds(1));
    assert_eq!(world.end_one(Outcome::done()), [5]);
    world.proves(Rule::BatchSize);
}

#[test]
fn what_does_not_fill_a_batch_waits_for_the_end_of_the_window() {
    let mut world = World::with(|with| with.batching_window = seconds(10));
    world.wait(seconds(3));
    world.put("key", b"{}");
    world.wait(seconds(3));
    world.put("key", b"{}");
    world.wait(seconds(3));
    assert_eq!(world.invoked(), []);
    world.wait(seconds(1));
    assert_eq!(numbers(&world.one()), [1, 2]);
    world.proves(Rule::BatchingWindow);
}

#[test]
fn windows_without_records_follow_one_another() {
    let mut world = World::with(|with| with.batching_window = seconds(10));
    world.wait(seconds(25));
    world.put("key", b"{}");
    world.wait(seconds(4));
    assert_eq!(world.invoked(), []);
    assert_eq!(
        world.mapping.wakes_at(),
        Some(crate::support::BEGIN.plus(seconds(30)))
    );
    world.wait(seconds(1));
    assert_eq!(numbers(&world.one()), [1]);
}

#[test]
fn the_next_window_begins_when_an_invocation_ends() {
    let mut world = World::with(|with| with.batching_window = seconds(10));
    world.put("key", b"{}");
    world.wait(seconds(10));
    let first = world.one();
    world.wait(seconds(7));
    world.put("key", b"{}");
    world.wait(seconds(1));
    world.end(&first, Outcome::done());
    world.wait(seconds(9));
    assert_eq!(world.invoked(), []);
    world.wait(seconds(1));
    assert_eq!(numbers(&world.one()), [2]);
    world.proves(Rule::BatchingWindowBegins);
}

#[test]
fn a_full_batch_does_not_wait() {
    let mut world = World::with(|with| {
        with.batching_window = seconds(300);
        with.batch_size = 3;
    });
    world.put_some(4);
    assert_eq!(world.end_one(Outcome::done()), [1, 2, 3]);
    assert_eq!(world.invoked(), []);
    world.proves(Rule::BatchFull);
}

#[test]
fn an_event_is_no_longer_than_6_mb() {
    let mut world = World::with(|with| with.batching_window = seconds(300));
    // 1 MiB takes 1.33 MiB in base64: four records fit, and five do not.
    let data = vec![b'x'; 1024 * 1024];
    let records = vec![("key", data.as_slice()); 5];
    world.put_all_in(crate::support::SHARD, &records);
    let first = world.one();
    assert_eq!(numbers(&first), [1, 2, 3, 4]);
    let event = world.mapping.event(&first);
    assert!(event.len() <= PAYLOAD_LIMIT);
    assert!(event.len() * 5 / 4 > PAYLOAD_LIMIT);
    world.proves(Rule::PayloadLimit);
}

#[test]
fn a_batch_is_of_one_shard() {
    let mut world = World::new(settings());
    world.take(source_mapping::Input::Opened("other".into()));
    world.put("key", b"{}");
    world.put_in("other", "key", b"{}");
    let invoked = world.invoked();
    assert_eq!(crate::support::all_numbers(&invoked), [[1], [2]]);
    assert_ne!(invoked[0].shard, invoked[1].shard);
    world.proves(Rule::OneShardABatch);
}
