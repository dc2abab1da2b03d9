use std::sync::atomic::Ordering;

use source_mapping::StartingPosition;

use super::support::{BUCKET_ARN, World, spec, spec_with, until};
use crate::mappings::{Act, Counts};

#[test]
fn records_are_delivered_in_order_and_a_failing_one_is_split_off_and_reported() {
    let world = World::new();
    world.stream.put("0", &["a", "b", "fail", "c"]);
    world.run(async |mappings| {
        let mut feed = mappings.subscribe();
        let uuid = mappings
            .ensure(spec_with(|spec| {
                spec.settings.bisect_batch_on_function_error = true;
                spec.settings.maximum_retry_attempts = Some(0);
                spec.destination_arn = Some(BUCKET_ARN.to_owned());
            }))
            .await
            .unwrap();
        until("the report", || {
            !world.destination.taken.lock().unwrap().is_empty()
        })
        .await;
        until("the rest", || {
            world.function.data().last().is_some_and(|last| last == "c")
        })
        .await;
        let batches = world.function.batches();
        let expected = [
            vec!["a", "b", "fail", "c"],
            vec!["a", "b"],
            vec!["fail", "c"],
            vec!["fail"],
            vec!["c"],
        ];
        assert_eq!(batches, expected);

        let taken = world.destination.taken.lock().unwrap().clone();
        let [(arn, report, key)] = taken.as_slice() else {
            panic!("{taken:?}");
        };
        assert_eq!(arn, BUCKET_ARN);
        assert_eq!(report["requestContext"]["requestId"], "request-4");
        assert_eq!(report["responseContext"]["executedVersion"], "7");
        assert_eq!(report["KinesisBatchInfo"]["startSequenceNumber"], "3");
        assert!(key.starts_with(&format!("aws/lambda/{uuid}/0/")), "{key}");

        until("the view", || {
            mappings.snapshot()[0].shards["0"].position.as_deref() == Some("4")
        })
        .await;
        let view = &mappings.snapshot()[0];
        let shard = &view.shards["0"];
        assert_eq!(
            (shard.bisections, shard.discarded, shard.retries),
            (2, 1, 4)
        );
        assert!(shard.in_flight.is_empty());
        assert_eq!((view.state, view.last_result.as_str()), ("Enabled", "OK"));
        let counts = Counts {
            polled: 4,
            filtered_out: 0,
            invoked: 10,
            failed_invoke: 7,
            dropped: 0,
            on_failure_destination_delivered: 1,
        };
        assert_eq!(view.counts, counts);

        let mut rules = vec![];
        let mut acts = vec![];
        while let Ok(event) = feed.try_recv() {
            rules.extend(event.rules);
            acts.extend(event.acts);
        }
        for rule in [
            "start-trim-horizon",
            "bisect-halves",
            "retry-attempts",
            "destination-payload",
        ] {
            assert!(rules.contains(&rule), "{rule}: {rules:?}");
        }
        let condition = "RetryAttemptsExhausted";
        assert!(acts.contains(&Act::Discarded {
            records: 1,
            condition
        }));
    });
}

#[test]
fn a_throttle_is_no_attempt() {
    let world = World::new();
    world.stream.put("0", &["a"]);
    world.function.throttles.store(1, Ordering::SeqCst);
    world.run(async |mappings| {
        mappings
            .ensure(spec_with(|spec| {
                spec.settings.maximum_retry_attempts = Some(0);
            }))
            .await
            .unwrap();
        until("the delivery", || world.function.data() == ["a"]).await;
    });
}

#[test]
fn children_are_read_after_all_records_of_their_parents() {
    let world = World::new();
    world.stream.put("0", &["p1", "p2"]);
    world.function.paused.store(true, Ordering::SeqCst);
    world.run(async |mappings| {
        mappings
            .ensure(spec_with(|spec| spec.settings.batch_size = 1))
            .await
            .unwrap();
        until("the first", || world.function.data() == ["p1"]).await;
        world.stream.open("1", &["0"]);
        world.stream.open("2", &["0"]);
        world.stream.put("1", &["l"]);
        world.stream.put("2", &["r"]);
        world.stream.open("3", &["1", "2"]);
        world.stream.put("3", &["m"]);
        world.function.resume();
        until("the merged shard", || world.function.data().len() == 5).await;
        let data = world.function.data();
        assert_eq!(data[..2], ["p1", "p2"]);
        assert_eq!(data[4], "m");
        until("the end of the parents", || {
            let shards = mappings.snapshot()[0].shards.clone();
            ["0", "1", "2"]
                .iter()
                .all(|id| shards.get(*id).is_some_and(|shard| shard.finished))
        })
        .await;
    });
}

#[test]
fn latest_begins_after_what_there_is_and_a_time_at_the_first_record_since() {
    let world = World::new();
    world.stream.put_at("0", &["old"], 1_000);
    world.stream.put_at("0", &["new"], 2_000);
    world.run(async |mappings| {
        mappings
            .ensure(spec(StartingPosition::Latest))
            .await
            .unwrap();
        // The stream keeps records of 1970 only in this test, so a mapping gives them up as too old.
        let mut at_time = spec(StartingPosition::AtTimestamp(source_mapping::Millis(2_000)));
        at_time.consumer = None;
        mappings.ensure(at_time).await.unwrap();
        world.stream.put("0", &["fresh"]);
        until("both deliveries", || {
            world.function.data() == ["fresh", "fresh"]
        })
        .await;
        let dropped = mappings
            .snapshot()
            .iter()
            .map(|view| view.counts.dropped)
            .max();
        assert_eq!(
            dropped,
            Some(1),
            "`new` is too old, and `old` was never read"
        );
    });
}

#[test]
fn more_records_than_memory_takes_are_each_delivered_once() {
    let world = World::new();
    let names: Vec<_> = (0..45_000).map(|number: u32| number.to_string()).collect();
    let data: Vec<_> = names.iter().map(String::as_str).collect();
    world.stream.put("0", &data);
    world.run(async |mappings| {
        mappings
            .ensure(spec_with(|spec| spec.settings.batch_size = 3_000))
            .await
            .unwrap();
        until("all deliveries", || world.function.batches().len() >= 15).await;
        until("the checkpoint", || {
            mappings.snapshot()[0].shards["0"].position.as_deref() == Some("45000")
        })
        .await;
        assert_eq!(world.function.data(), names);
    });
}
