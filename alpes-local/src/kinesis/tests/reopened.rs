//! Streams are there again after the store was closed.

use super::*;

#[test]
fn everything_is_there_again() {
    let folder = Folder::new();
    let first = Rig::in_folder(folder.clone());
    first.stream(2);
    first.put("k", "a");
    first.put("l", "b");
    first.ok(
        "RegisterStreamConsumer",
        json!({ "StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s", "ConsumerName": "c" }),
    );
    first.ok(
        "AddTagsToStream",
        json!({ "StreamName": "s", "Tags": { "t": "1" } }),
    );
    first.ok(
        "IncreaseStreamRetentionPeriod",
        json!({ "StreamName": "s", "RetentionPeriodHours": 30 }),
    );
    first
        .kinesis
        .ensure("s", 1, Mode::Provisioned, 30, &[])
        .unwrap();
    let last = first.put("k", "c");
    let iterator = first.iterator(&shard(2), &json!({}));
    let seen = |rig: &Rig| {
        let input = || json!({ "StreamName": "s" });
        (
            rig.ok("DescribeStream", input()),
            rig.ok("DescribeStreamSummary", input()),
            rig.ok("ListTagsForStream", input()),
            rig.kinesis.describe("s").unwrap(),
            [0, 1, 2].map(|number| rig.read_from_start(&shard(number))),
            rig.read(&iterator),
        )
    };
    let before = seen(&first);
    drop(first);

    let second = Rig::in_folder(folder);
    second.clock.store(1_600_000_000_000, Ordering::Relaxed);
    assert!(
        second.put("k", "d") > last,
        "numbers ascend even if the clock went back"
    );
    second.clock.store(1_700_000_000_000, Ordering::Relaxed);
    let mut after = seen(&second);
    assert_eq!(after.4[2].pop().unwrap(), "d");
    assert_eq!(after.5.pop().unwrap(), "d");
    after.3 = before.3.clone();
    assert_eq!(after, before);
}
