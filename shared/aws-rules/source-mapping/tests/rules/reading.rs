use source_mapping::{Choice, Input, Outcome, Reads, Rule};

use crate::support::{BEGIN, SHARD, World, all_numbers, numbers, seconds, settings};

const MIB: usize = 1024 * 1024;

#[test]
fn a_shard_is_asked_once_a_second() {
    let mut world = World::new(settings());
    world.put("key", b"{}");
    world.end_one(Outcome::done());
    world.put("key", b"{}");
    assert_eq!(world.mapping.wakes_at(), Some(BEGIN.plus(seconds(1))));
    world.wait(seconds(1));
    world.end_one(Outcome::done());
    // Reads without records give no output, but still happen once a second.
    world.wait(std::time::Duration::from_millis(3300));
    world.put("key", b"{}");
    assert_eq!(world.invoked(), []);
    assert_eq!(world.mapping.wakes_at(), Some(BEGIN.plus(seconds(5))));
    world.proves(Rule::PollOnceASecond);
}

#[test]
fn a_read_may_be_late() {
    let mut world = World::creating(settings());
    world.choose(Choice::PollDelay, |_| 700);
    world.take(Input::ChangeTakesEffect);
    world.put("key", b"{}");
    assert_eq!(world.invoked(), []);
    world.wait(seconds(1));
    assert_eq!(numbers(&world.one()), [1]);
}

#[test]
fn while_there_is_more_reads_do_not_wait_for_a_second() {
    let mut world = World::new(settings());
    world.choose(Choice::HeldBack, |options| options / 2);
    world.put_some(4);
    assert_eq!(world.end_one(Outcome::done()), [1, 2]);
    world.wait(std::time::Duration::from_millis(200));
    assert_eq!(world.end_one(Outcome::done()), [3]);
    world.proves(Rule::CatchesUp);
}

#[test]
fn others_read_too() {
    let mut world = World::new(settings());
    world.wait(seconds(10));
    let shard = || SHARD.into();
    for _ in 0..5 {
        world.take(Input::ReadByOthers {
            shard: shard(),
            bytes: 10,
        });
    }
    world.put("key", b"{}");
    assert_eq!(world.invoked(), []);
    world.wait(seconds(1));
    assert_eq!(numbers(&world.one()), [1]);
    world.proves(Rule::ReadLimitCalls);
}

#[test]
fn a_shard_gives_2_mb_a_second() {
    let mut world = World::new(settings());
    world.wait(seconds(10));
    let (shard, bytes) = (SHARD.into(), u64::try_from(10 * MIB).unwrap());
    world.take(Input::ReadByOthers { shard, bytes });
    world.put("key", b"{}");
    for _ in 0..5 {
        assert_eq!(world.invoked(), []);
        world.wait(seconds(1));
    }
    assert_eq!(numbers(&world.one()), [1]);
    world.proves(Rule::ReadLimitBytes);
}

#[test]
fn one_read_gives_10_mb_and_10_000_records() {
    let mut world = World::with(|with| with.batch_size = 10_000);
    world.put_some(10_001);
    assert_eq!(world.end_one(Outcome::done()).len(), 10_000);
    world.wait(seconds(1));
    assert_eq!(world.end_one(Outcome::done()), [10_001]);
    world.proves(Rule::ReadLimitCall);

    let mut world = World::with(|with| with.batch_size = 10_000);
    let data = vec![0; MIB - 3];
    let records = vec![("key", data.as_slice()); 12];
    world.put_all_in(SHARD, &records);
    let mut delivered = vec![];
    while let Some(one) = world.invoked().pop() {
        delivered.extend(numbers(&one));
        world.end(&one, Outcome::done());
    }
    assert_eq!(delivered, (1..=10).collect::<Vec<_>>());
    world.wait(seconds(4));
    assert!(!world.mapping.is_settled());
    assert_eq!(world.invoked(), []);
    world.wait(seconds(2));
    assert_eq!(numbers(&world.one()), [11, 12]);
    world.proves(Rule::ReadLimitCall);
}

#[test]
fn with_fan_out_nothing_waits_for_a_poll() {
    let mut world = World::with(|with| with.reads = Reads::FanOut);
    world.wait(std::time::Duration::from_millis(1234));
    for _ in 0..10 {
        let (shard, bytes) = (SHARD.into(), u64::try_from(10 * MIB).unwrap());
        world.take(Input::ReadByOthers { shard, bytes });
        world.put("key", b"{}");
        world.end_one(Outcome::done());
    }
    world.proves(Rule::FanOut);
}

#[test]
fn a_retry_with_fan_out_shares_the_limits_of_the_shard() {
    let mut world = World::with(|with| with.reads = Reads::FanOut);
    world.put("key", b"{}");
    for _ in 0..5 {
        let (shard, bytes) = (SHARD.into(), 100);
        world.take(Input::ReadByOthers { shard, bytes });
    }
    assert_eq!(world.end_one(Outcome::FunctionError), [1]);
    assert_eq!(world.invoked(), []);
    world.wait(seconds(1));
    assert_eq!(world.end_one(Outcome::done()), [1]);
    world.proves(Rule::FanOutRetry);
}

#[test]
fn not_more_is_read_ahead_than_fills_the_lanes() {
    let mut world = World::with(|with| {
        with.parallelization_factor = 2;
        with.batch_size = 1;
    });
    let lanes = ["a", "b"];
    let mut keys = 0;
    world.choose(Choice::LaneOfKey, move |_| {
        keys += 1;
        keys - 1
    });
    world.put(lanes[0], b"{}");
    let blocked = world.one();
    for _ in 0..2 {
        world.put(lanes[0], b"{}");
        world.wait(seconds(1));
    }
    // Two records wait for the blocked lane, as many as both lanes could hold. So the other lane gets no record either.
    world.put(lanes[1], b"{}");
    world.wait(seconds(10));
    assert_eq!(world.invoked(), []);
    world.end(&blocked, Outcome::done());
    assert_eq!(all_numbers(&world.invoked()), [[2], [4]]);
    world.proves(Rule::ReadAhead);
}

#[test]
fn what_the_caller_reads_is_taken_at_once() {
    let mut world = World::with(|with| with.reads = Reads::ByCaller);
    for number in 1..=9 {
        world.put("key", b"{}");
        assert_eq!(world.end_one(Outcome::FunctionError), [number]);
        // A retry delivers records that the mapping has, so it is no read of the shard.
        assert_eq!(world.end_one(Outcome::done()), [number]);
    }
}
