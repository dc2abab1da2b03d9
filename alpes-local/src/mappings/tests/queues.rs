use std::{sync::atomic::Ordering, time::Duration};

use source_mapping::{Settings, StartingPosition};

use super::support::{QUEUE_ARN, World, until};
use crate::mappings::MappingSpec;

fn spec(change: impl FnOnce(&mut MappingSpec)) -> MappingSpec {
    let mut settings = Settings::new(StartingPosition::TrimHorizon);
    settings.batch_size = 2;
    let mut spec = MappingSpec {
        function: "worker".to_owned(),
        source_arn: QUEUE_ARN.to_owned(),
        consumer: None,
        settings,
        destination_arn: None,
        maximum_concurrency: None,
    };
    change(&mut spec);
    spec
}

#[test]
fn messages_are_deleted_when_the_function_is_done_with_them() {
    let world = World::new();
    world.queue.send(&["a", "b", "c", "fail"]);
    world.run(async |mappings| {
        mappings.ensure(spec(|_| {})).await.unwrap();
        until("two batches", || world.function.batches().len() == 2).await;
        until("the deletion", || {
            world.queue.hidden_bodies() == ["c", "fail"]
        })
        .await;
        let view = &mappings.snapshot()[0];
        assert_eq!((view.counts.invoked, view.counts.failed_invoke), (4, 2));
    });
}

#[test]
fn an_answer_that_names_messages_keeps_these_only() {
    let world = World::new();
    world.queue.send(&["a", "report"]);
    world.run(async |mappings| {
        mappings
            .ensure(spec(|spec| spec.settings.report_batch_item_failures = true))
            .await
            .unwrap();
        until("the deletion", || world.queue.hidden_bodies() == ["report"]).await;
    });
}

#[test]
fn batches_at_once_are_limited() {
    let world = World::new();
    world.function.paused.store(true, Ordering::SeqCst);
    world
        .queue
        .send(&["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    world.run(async |mappings| {
        mappings
            .ensure(spec(|spec| spec.maximum_concurrency = Some(3)))
            .await
            .unwrap();
        until("three at once", || world.function.batches().len() == 3).await;
        world.function.resume();
        until("all", || {
            world.queue.hidden_bodies().is_empty() && world.function.data().len() == 9
        })
        .await;
        assert_eq!(world.function.most_at_once.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn a_window_gathers_and_a_stopped_mapping_gives_messages_back() {
    let world = World::new();
    world.queue.send(&["a"]);
    world.run(async |mappings| {
        let declared = spec(|spec| spec.settings.batching_window = Duration::from_mins(5));
        let uuid = mappings.ensure(declared).await.unwrap();
        until("the message is gathered", || {
            world.queue.hidden_bodies() == ["a"]
        })
        .await;
        world.queue.send(&["b"]);
        until("a full batch", || world.function.batches() == [["a", "b"]]).await;
        world.queue.send(&["c"]);
        until("the next one is gathered", || {
            world.queue.hidden_bodies().contains(&"c".to_owned())
        })
        .await;
        mappings.disable(uuid).await.unwrap();
        assert_eq!(world.queue.visible_bodies(), ["c"]);
    });
}
