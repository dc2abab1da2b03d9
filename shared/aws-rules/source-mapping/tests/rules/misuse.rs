//! Impossible inputs are refused, and change nothing.

use source_mapping::{Change, Input, InvocationId, Misuse, Outcome, Prompt, Record, Settings};

use crate::support::{BEGIN, SHARD, World, seconds, settings};

fn refused(world: &mut World, input: Input) -> Misuse {
    let before = format!("{:?}", world.mapping);
    let misuse = world.mapping.step(input, &mut Prompt).unwrap_err();
    assert_eq!(format!("{:?}", world.mapping), before);
    misuse
}

fn record(number: u64, length: usize) -> Record {
    Record {
        sequence: number.into(),
        partition_key: "key".into(),
        data: vec![0; length].into(),
        arrived: BEGIN,
    }
}

fn appended(shard: &str, records: Vec<Record>) -> Input {
    let shard = shard.into();
    Input::Appended { shard, records }
}

#[test]
fn shards_are_opened_and_closed_once() {
    let mut world = World::new(settings());
    let split = |parent: &str, children: [&str; 2]| Input::Split {
        parent: parent.into(),
        children: children.map(Into::into),
    };
    let merged = |parents: [&str; 2], child: &str| Input::Merged {
        parents: parents.map(Into::into),
        child: child.into(),
    };
    world.take(split(SHARD, ["a", "b"]));
    let wrong = [
        (Input::Opened("a".into()), Misuse::ShardExists("a".into())),
        (split("a", ["c", "c"]), Misuse::ShardExists("c".into())),
        (split("a", ["c", "b"]), Misuse::ShardExists("b".into())),
        (split("x", ["c", "d"]), Misuse::UnknownShard("x".into())),
        (split(SHARD, ["c", "d"]), Misuse::ShardClosed(SHARD.into())),
        (merged(["a", "a"], "c"), Misuse::ShardClosed("a".into())),
        (merged(["a", "x"], "c"), Misuse::UnknownShard("x".into())),
        (appended("x", vec![]), Misuse::UnknownShard("x".into())),
        (
            Input::LeaseLost {
                shard: "x".into(),
                checkpoint_too: false,
            },
            Misuse::UnknownShard("x".into()),
        ),
        (
            Input::ReadByOthers {
                shard: "x".into(),
                bytes: 0,
            },
            Misuse::UnknownShard("x".into()),
        ),
    ];
    for (input, misuse) in wrong {
        assert_eq!(refused(&mut world, input), misuse);
    }
}

#[test]
fn records_ascend_and_are_not_too_long() {
    let mut world = World::new(settings());
    world.take(appended(SHARD, vec![record(5, 1)]));
    for records in [
        vec![record(5, 1)],
        vec![record(4, 1)],
        vec![record(6, 1), record(5, 1)],
    ] {
        let number = records.last().unwrap().sequence.clone();
        let misuse = refused(&mut world, appended(SHARD, records));
        assert_eq!(misuse, Misuse::NotAscending(number));
    }
    let long = vec![record(6, 1024 * 1024), record(7, 1024 * 1024 + 1)];
    let misuse = refused(&mut world, appended(SHARD, long));
    assert_eq!(misuse, Misuse::TooLong(7.into()));
}

#[test]
fn an_invocation_ends_once_and_time_goes_on() {
    let (mut world, one) = World::delivering();
    world.end(&one, Outcome::done());
    for invocation in [one.id, InvocationId(99)] {
        let finished = Input::Finished {
            invocation,
            outcome: Outcome::done(),
        };
        let misuse = refused(&mut world, finished);
        assert_eq!(misuse, Misuse::UnknownInvocation(invocation));
    }
    world.wait(seconds(1));
    let misuse = refused(&mut world, Input::TimePassed(BEGIN));
    assert_eq!(misuse, Misuse::TimeGoesBack(BEGIN.plus(seconds(1))));
}

#[test]
fn changes_come_one_by_one() {
    let mut world = World::new(settings());
    assert_eq!(
        refused(&mut world, Input::ChangeTakesEffect),
        Misuse::NoChange
    );
    let wrong = Settings {
        batch_size: 0,
        ..settings()
    };
    let update = Input::ChangeAsked(Change::Update(Box::new(wrong)));
    assert!(matches!(refused(&mut world, update), Misuse::Settings(_)));
    world.ask(Change::Delete);
    let enable = || Input::ChangeAsked(Change::Enable);
    assert_eq!(refused(&mut world, enable()), Misuse::NoChange);
    world.take(Input::ChangeTakesEffect);
    assert_eq!(refused(&mut world, enable()), Misuse::NoChange);
}
