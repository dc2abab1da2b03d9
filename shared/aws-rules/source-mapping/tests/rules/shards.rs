use source_mapping::{Input, Misuse, Outcome, Prompt, Rule};

use crate::support::{SHARD, World, numbers, seconds, settings};

fn split(world: &mut World, parent: &str, children: [&str; 2]) {
    world.take(Input::Split {
        parent: parent.into(),
        children: children.map(Into::into),
    });
}

#[test]
fn a_parent_is_done_before_its_children() {
    let (mut world, first) = World::delivering();
    world.put("key", b"{}");
    split(&mut world, SHARD, ["left", "right"]);
    world.put_in("left", "key", b"{}");
    world.wait(seconds(10));
    assert_eq!(world.invoked(), []);
    world.end(&first, Outcome::FunctionError);
    assert_eq!(world.end_one(Outcome::done()), [1]);
    world.wait(seconds(10));
    assert_eq!(world.end_one(Outcome::done()), [2]);
    assert_eq!(numbers(&world.one()), [3]);
    world.proves(Rule::ParentFirst);
}

#[test]
fn grandchildren_wait_for_their_grandparents() {
    let mut world = World::new(settings());
    world.put("key", b"{}");
    split(&mut world, SHARD, ["left", "right"]);
    split(&mut world, "left", ["a", "b"]);
    world.put_in("a", "key", b"{}");
    world.wait(seconds(10));
    assert_eq!(world.end_one(Outcome::done()), [1]);
    assert_eq!(numbers(&world.one()), [2]);
}

#[test]
fn a_merged_shard_waits_for_both() {
    let mut world = World::new(settings());
    world.take(Input::Opened("other".into()));
    world.put("key", b"{}");
    world.put_in("other", "key", b"{}");
    let both = world.invoked();
    world.take(Input::Merged {
        parents: [SHARD.into(), "other".into()],
        child: "merged".into(),
    });
    world.put_in("merged", "key", b"{}");
    world.wait(seconds(10));
    world.end(&both[0], Outcome::done());
    world.wait(seconds(10));
    assert_eq!(world.invoked(), []);
    world.end(&both[1], Outcome::done());
    assert_eq!(numbers(&world.one()), [3]);
    world.proves(Rule::MergeWaits);
}

#[test]
fn what_was_split_and_merged_a_hundred_times_is_read_in_its_order() {
    let (mut world, first) = World::delivering();
    let mut whole = SHARD.to_owned();
    for round in 0..100 {
        let halves = ["left", "right"].map(|half| format!("{half}{round}"));
        split(&mut world, &whole, [&halves[0], &halves[1]]);
        whole = format!("whole{round}");
        world.take(Input::Merged {
            parents: halves.map(|half| half.as_str().into()),
            child: whole.as_str().into(),
        });
    }
    world.put_in(&whole, "key", b"{}");
    world.wait(seconds(10));
    assert_eq!(world.invoked(), []);
    world.end(&first, Outcome::done());
    assert_eq!(numbers(&world.one()), [2]);
}

#[test]
fn a_closed_shard_gives_what_it_has_and_takes_nothing() {
    let mut world = World::new(settings());
    world.put_some(2);
    world.invoked();
    world.lose_lease(false);
    split(&mut world, SHARD, ["left", "right"]);
    assert_eq!(numbers(&world.one()), [1, 2]);
    let appended = Input::Appended {
        shard: SHARD.into(),
        records: vec![],
    };
    let refused = world.mapping.step(appended, &mut Prompt);
    assert_eq!(refused, Err(Misuse::ShardClosed(SHARD.into())));
    world.proves(Rule::ClosedShard);
}
