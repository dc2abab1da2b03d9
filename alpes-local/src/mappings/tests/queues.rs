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
fn a_mapping_may_allow_more_batches_at_once_than_aws_begins_with() {
    let world = World::new();
    world.function.paused.store(true, Ordering::SeqCst);
    let bodies: Vec<_> = (0..8).map(|body| body.to_string()).collect();
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    world.queue.send(&bodies);
    world.run(async |mappings| {
        let declared = spec(|spec| {
            spec.settings.batch_size = 1;
            spec.maximum_concurrency = Some(7);
        });
        mappings.ensure(declared).await.unwrap();
        until("seven at once", || world.function.batches().len() == 7).await;
        world.function.resume();
        until("all", || world.function.data().len() == 8).await;
        assert_eq!(world.function.most_at_once.load(Ordering::SeqCst), 7);
    });
}

#[test]
fn a_window_gathers_and_a_stopped_mapping_gives_messages_back() {
    let world = World::new();
    world.queue.send(&["a"]);
    world.run(async |mappings| {
        let declared = spec(|spec| spec.settings.batching_window = Duration::from_mins(5));
        mappings.ensure(declared.clone()).await.unwrap();
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
        let mut declared = declared;
        declared.settings.enabled = false;
        mappings.ensure(declared).await.unwrap();
        assert_eq!(world.queue.visible_bodies(), ["c"]);
    });
}

#[test]
fn with_chaos_messages_come_again_and_none_is_lost() {
    let world = World::with_chaos(1);
    let bodies: Vec<_> = (100..160).map(|body| body.to_string()).collect();
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    world.queue.send(&bodies);
    world.run(async |mappings| {
        mappings.ensure(spec(|_| {})).await.unwrap();
        let queue = &world.queue;
        until("all are deleted", || {
            queue.visible_bodies().is_empty() && queue.hidden_bodies().is_empty()
        })
        .await;
        let mut data = world.function.data();
        assert!(data.len() > 60, "{} deliveries", data.len());
        data.sort();
        data.dedup();
        assert_eq!(data, bodies);
    });
}
