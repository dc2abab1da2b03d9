//! Invocations with chaos.

use std::collections::{BTreeMap, BTreeSet};

use alpes_local::invoke::Invoker;
use serde_json::json;

use crate::support::{World, event, until};

/// So many invocations are queued.
const EVENTS: usize = 120;

#[tokio::test(flavor = "multi_thread")]
async fn events_come_twice_with_the_same_id_and_none_is_lost_although_processes_die() {
    let world = World::with_chaos(3);
    world.put("f").await;
    let mut ids = BTreeSet::new();
    for number in 0..EVENTS {
        let order = event(json!({ "number": number }));
        ids.insert(world.lambda.enqueue("f", order).await.unwrap());
    }
    let noted = || -> BTreeMap<String, usize> {
        let mut noted = BTreeMap::new();
        for line in world.noted() {
            let id = line["requestId"].as_str().unwrap().to_owned();
            *noted.entry(id).or_default() += 1;
        }
        noted
    };
    until("each event came", || {
        noted().keys().cloned().collect::<BTreeSet<_>>() == ids
    })
    .await;
    let counts = world.chaos.as_ref().unwrap().counts();
    for kind in ["invoked-twice", "invocation-delayed", "killed-after"] {
        assert!(counts.contains_key(kind), "{counts:?}");
    }
    until("some event came twice", || {
        noted().values().any(|times| *times > 1)
    })
    .await;
    world.end();
}
