//! The functions for other parts of the runtime.

use source_mapping::{Millis, SequenceNumber, ShardId};

use super::*;

fn data(records: &[source_mapping::Record]) -> Vec<&str> {
    let texts = records
        .iter()
        .map(|record| std::str::from_utf8(&record.data));
    texts.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_mapping_reads_after_its_position() {
    let rig = Rig::new();
    rig.stream(1);
    let shard = ShardId::from("shardId-000000000000");
    assert_eq!(rig.kinesis.latest("s", &shard).unwrap(), None);
    rig.put("k", "a");
    rig.pass(10);
    rig.put("k", "b");
    rig.put("k", "c");
    let read = |after: Option<&SequenceNumber>, records, bytes| {
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
        rig.kinesis
            .read_after(arn, &shard, after, records, bytes)
            .unwrap()
    };
    let all = read(None, 100, 1000);
    assert_eq!(data(&all), ["a", "b", "c"]);
    assert_eq!(all[1].arrived, Millis(1_700_000_000_010));
    assert_eq!(&*all[1].partition_key, "k");
    assert_eq!(data(&read(Some(&all[0].sequence), 1, 1000)), ["b"]);
    assert_eq!(data(&read(None, 100, 4)), ["a", "b"]);
    assert_eq!(
        data(&read(None, 100, 0)),
        ["a"],
        "the first record always comes"
    );
    let latest = rig.kinesis.latest("s", &shard).unwrap();
    assert_eq!(latest.as_ref(), Some(&all[2].sequence));
    assert!(read(latest.as_ref(), 100, 1000).is_empty());
    let before = |millis| rig.kinesis.before_time("s", &shard, millis).unwrap();
    assert_eq!(before(1_700_000_000_000), None);
    assert_eq!(before(1_700_000_000_001).as_ref(), Some(&all[0].sequence));
    let error = rig
        .kinesis
        .read_after("s", &shard, Some(&5.into()), 1, 1)
        .unwrap_err();
    assert_eq!(error.code, "InvalidArgumentException");
}

#[test]
fn listeners_hear_of_records_and_shards_and_the_end() {
    let rig = Rig::new();
    rig.stream(1);
    let mut changes = rig.kinesis.changes("s").unwrap();
    assert!(!changes.has_changed().unwrap());
    rig.put("k", "a");
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    rig.kinesis
        .ensure("s", 2, Mode::Provisioned, 24, &[])
        .unwrap();
    assert!(changes.has_changed().unwrap());
    rig.ok("DeleteStream", json!({ "StreamName": "s" }));
    assert!(changes.has_changed().is_err());
    assert_eq!(
        rig.kinesis.changes("s").unwrap_err().code,
        "ResourceNotFoundException"
    );
}

#[test]
fn ensure_creates_changes_and_leaves_alone() {
    let rig = Rig::new();
    let consumers = ["reader".to_owned()];
    let ensure = |shards, hours| {
        let mode = Mode::Provisioned;
        rig.kinesis.ensure("s", shards, mode, hours, &consumers)
    };
    ensure(2, 48).unwrap();
    rig.put("k", "a");
    let made = rig.kinesis.describe("s").unwrap();
    assert_eq!((made.retention_hours, made.shards.len()), (48, 2));
    assert_eq!(made.consumers, consumers);
    assert_eq!(
        made.shards.iter().map(|shard| shard.records).sum::<u64>(),
        1
    );
    ensure(2, 48).unwrap();
    assert_eq!(rig.kinesis.describe("s").unwrap(), made);
    ensure(4, 24).unwrap();
    let topology = rig.kinesis.topology("s").unwrap();
    let closed: Vec<_> = topology.iter().map(|shard| shard.closed).collect();
    assert_eq!(closed, [true, true, false, false, false, false]);
    assert_eq!(topology[2].parents, [topology[0].id.clone()]);
    rig.put("k", "b");
    let counted = rig.kinesis.describe("s").unwrap();
    assert_eq!(
        counted
            .shards
            .iter()
            .map(|shard| shard.records)
            .sum::<u64>(),
        2
    );
    assert_eq!(ensure(9, 24).unwrap_err().code, "LimitExceededException");
    assert_eq!(ensure(4, 23).unwrap_err().code, "InvalidArgumentException");
    assert_eq!(ensure(0, 24).unwrap_err().code, "ValidationException");
    rig.kinesis.ensure("s", 1, Mode::OnDemand, 24, &[]).unwrap();
    assert_eq!(rig.kinesis.topology("s").unwrap(), topology);
}
