use std::sync::atomic::Ordering;

use source_mapping::StartingPosition;

use super::support::{BUCKET_ARN, World, spec, spec_with, until};

#[test]
fn after_a_restart_only_what_was_in_flight_comes_again() {
    let world = World::new();
    world.stream.put("0", &["a", "b", "hang"]);
    let uuid = world.run(async |mappings| {
        let uuid = mappings
            .ensure(spec_with(|spec| spec.settings.batch_size = 1))
            .await
            .unwrap();
        until("the hang", || world.function.data() == ["a", "b", "hang"]).await;
        uuid
    });
    world.run(async |mappings| {
        until("the second delivery", || {
            world.function.data() == ["a", "b", "hang", "hang"]
        })
        .await;
        assert_eq!(mappings.snapshot()[0].uuid, uuid);
        let declared = spec_with(|spec| spec.settings.batch_size = 1);
        assert_eq!(
            mappings.ensure(declared).await,
            Ok(uuid),
            "the declared mapping is there"
        );
    });
}

#[test]
fn a_report_that_was_not_delivered_is_delivered_after_a_restart() {
    let world = World::new();
    world.stream.put("0", &["fail"]);
    world.destination.refuses.store(true, Ordering::SeqCst);
    world.run(async |mappings| {
        mappings
            .ensure(spec_with(|spec| {
                spec.settings.maximum_retry_attempts = Some(0);
                spec.destination_arn = Some(BUCKET_ARN.to_owned());
            }))
            .await
            .unwrap();
        until("the checkpoint", || {
            let shards = &mappings.snapshot()[0].shards;
            shards
                .get("0")
                .is_some_and(|shard| shard.position.as_deref() == Some("1"))
        })
        .await;
    });
    assert!(world.destination.taken.lock().unwrap().is_empty());
    world.destination.refuses.store(false, Ordering::SeqCst);
    world.run(async |_| {
        until("the report", || {
            world.destination.taken.lock().unwrap().len() == 1
        })
        .await;
    });
    assert_eq!(world.function.data(), ["fail"]);
}

#[test]
fn starting_positions_are_found_once_and_shards_opened_meanwhile_are_read_whole() {
    let world = World::new();
    world.stream.put("0", &["before"]);
    world.run(async |mappings| {
        mappings
            .ensure(spec(StartingPosition::Latest))
            .await
            .unwrap();
        until("the beginning", || {
            mappings.snapshot()[0].shards.contains_key("0")
        })
        .await;
    });
    world.stream.put("0", &["after"]);
    world.stream.open("1", &["0"]);
    world.stream.open("2", &["0"]);
    world.stream.put("1", &["child"]);
    world.run(async |_| {
        until("both", || world.function.data() == ["after", "child"]).await;
    });
    // The closed parent and one child go with their records. A mapping reads on without them.
    world.stream.lose("0");
    world.stream.lose("2");
    world.run(async |mappings| {
        world.stream.put("1", &["later"]);
        until("the later one", || {
            world.function.data() == ["after", "child", "later"]
        })
        .await;
        assert!(!mappings.snapshot()[0].shards.contains_key("0"));
    });
}
