use source_mapping::{Input, Outcome, Record, Rule, Settings, StartingPosition};

use crate::support::{BEGIN, SHARD, World, numbers, seconds, settings, told};

fn from(starting_position: StartingPosition) -> World {
    World::creating(Settings {
        starting_position,
        ..settings()
    })
}

#[test]
fn the_oldest_record_that_is_left_is_the_first() {
    let mut world = from(StartingPosition::TrimHorizon);
    world.put("key", b"{}");
    world.wait(seconds(12 * 3600));
    world.put("key", b"{}");
    world.wait(seconds(12 * 3600));
    world.take(Input::ChangeTakesEffect);
    assert_eq!(numbers(&world.one()), [2]);
    assert_eq!(told(&world.outputs(), "expired"), []);
    world.proves(Rule::StartTrimHorizon);
}

#[test]
fn the_newest_record_is_the_last_that_is_not_read() {
    let mut world = from(StartingPosition::Latest);
    world.put_some(3);
    world.take(Input::ChangeTakesEffect);
    world.put("key", b"{}");
    world.wait(seconds(1));
    assert_eq!(numbers(&world.one()), [4]);
    assert_eq!(told(&world.outputs(), "skipped"), [1, 2, 3]);
    world.proves(Rule::StartLatest);
}

#[test]
fn the_first_record_of_the_time_is_the_first() {
    let mut world = from(StartingPosition::AtTimestamp(BEGIN.plus(seconds(10))));
    world.put("key", b"{}");
    world.wait(seconds(10));
    world.put("key", b"{}");
    // Arrival times are approximate: the arrival time of this record is earlier than the previous record's.
    let record = Record {
        sequence: 3.into(),
        partition_key: "key".into(),
        data: b"{}".as_slice().into(),
        arrived: BEGIN.plus(seconds(9)),
    };
    let shard = SHARD.into();
    world.take(Input::Appended {
        shard,
        records: vec![record],
    });
    world.take(Input::ChangeTakesEffect);
    assert_eq!(numbers(&world.one()), [2, 3]);
    assert_eq!(told(&world.outputs(), "skipped"), [1]);
    world.proves(Rule::StartAtTimestamp);
}

#[test]
fn what_was_skipped_stays_so_when_a_checkpoint_is_lost() {
    let mut world = from(StartingPosition::AtTimestamp(BEGIN.plus(seconds(10))));
    world.put_some(2);
    world.wait(seconds(10));
    world.put("key", b"{}");
    world.take(Input::ChangeTakesEffect);
    assert_eq!(world.end_one(Outcome::done()), [3]);
    world.put("key", b"{}");
    world.lose_lease(true);
    assert_eq!(numbers(&world.one()), [3, 4]);
}

#[test]
fn with_latest_what_arrives_before_reading_begins_is_missed() {
    let mut world = from(StartingPosition::Latest);
    world.wait(seconds(90));
    world.put("key", b"{}");
    world.wait(seconds(90));
    assert_eq!(world.invoked(), []);
    world.take(Input::ChangeTakesEffect);
    world.wait(seconds(90));
    assert_eq!(world.invoked(), []);
    assert_eq!(told(&world.outputs(), "skipped"), [1]);
    world.proves(Rule::StartEventually);
}

#[test]
fn a_shard_that_is_opened_later_is_read_from_its_beginning() {
    let mut world = from(StartingPosition::Latest);
    world.take(Input::ChangeTakesEffect);
    world.take(Input::Split {
        parent: SHARD.into(),
        children: ["left".into(), "right".into()],
    });
    world.put_in("left", "key", b"{}");
    world.wait(seconds(1));
    assert_eq!(numbers(&world.one()), [1]);
    world.proves(Rule::StartChild);
}
