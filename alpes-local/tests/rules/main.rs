//! The rules of event source mappings, shown over the wire: real streams, real mappings, and a function that is a real
//! process. Prints each rule and what was seen.
//!
//! The program needs a running runtime, which these variables of the environment name:
//!
//! - `ALPES_LOCAL_URL`: the runtime's address, for example `http://127.0.0.1:4566`;
//! - `PROBE_FILE`: the file to which the functions `probe` and `probe-limited` append a JSON line for each invocation,
//!   before they obey its orders: `{"request_id": …, "shard": …, "sequences": […], …}`.
//!
//! Both functions have the same code and a time-out of 3 seconds. They read each record's data as an order, and take data
//! without an order as `ok`:
//!
//! - `{"do":"ok"}`, `{"do":"fail"}`, `{"do":"exit"}`, `{"do":"sleep","ms":400}`;
//! - `{"do":"report"}`: the answer names the record as failed;
//! - `{"do":"answer","answer":…}`: the answer is this JSON value.

#![cfg(test)]

mod batches;
mod failures;
mod filters;
mod harness;
mod life;
mod positions;
mod reports;
mod scenario;
mod scene;
mod shards;
mod wire;

use std::{collections::BTreeMap, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::{harness::Harness, scenario::Scenario, scene::Scene};

/// So many scenarios run at once. More would wait for processes to start.
const AT_ONCE: usize = 8;

fn scenarios() -> Vec<Scenario> {
    [
        batches::scenarios(),
        positions::scenarios(),
        failures::scenarios(),
        reports::scenarios(),
        shards::scenarios(),
        filters::scenarios(),
        life::scenarios(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_can_be_seen_from_outside() {
    let Some(harness) = Harness::connect() else {
        println!("no rule is shown: ALPES_LOCAL_URL and PROBE_FILE are not set");
        return;
    };
    let (seen, failed) = show_all(harness).await;
    for (rule, seen) in &seen {
        println!("{rule}: {seen}");
    }
    assert!(failed.is_empty(), "not seen: {failed:#?}");
    assert!(seen.len() >= 50, "only {} rules", seen.len());
}

/// Runs all scenarios. Returns what was seen for each rule, and the rules that were not seen, with the reasons.
async fn show_all(harness: Arc<Harness>) -> (BTreeMap<&'static str, String>, Vec<String>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for scenario in scenarios() {
        let (scene, turns) = (Scene::new(harness.clone()), turns.clone());
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            let seen = tokio::spawn(scenario.show(scene.clone())).await;
            scene.end().await;
            (scenario, seen)
        });
    }
    let (mut seen, mut failed) = (BTreeMap::new(), vec![]);
    while let Some(ended) = tasks.join_next().await {
        let (scenario, outcome) = ended.unwrap();
        for rule in scenario.rules {
            match &outcome {
                Ok(text) => drop(seen.insert(rule.id(), text.clone())),
                Err(error) => failed.push(format!("{}: {error}", rule.id())),
            }
        }
    }
    (seen, failed)
}

#[test]
fn each_scenario_shows_rules_and_no_rule_is_shown_twice() {
    let mut rules: Vec<_> = scenarios()
        .into_iter()
        .flat_map(|scenario| scenario.rules)
        .collect();
    let all = rules.len();
    rules.sort();
    rules.dedup();
    assert_eq!(rules.len(), all, "a rule is shown twice");
    assert!(all >= 50, "only {all} rules");
}
