//! The rules of event source mappings, shown over the wire: real streams, real mappings, and a function that is a real
//! process. Prints each rule and what was seen.
//!
//! The program starts the runtime with `template.yaml`. Its functions are the binary `probe`, which does what each
//! record orders, and appends a line to a file for each invocation before it obeys.
//!
//! Records must grow old for some rules, so the program takes a minute, and `cargo test` skips it:
//!
//!     cargo test -p alpes-local --test rules -- --ignored --nocapture

#![cfg(test)]

mod batches;
mod failures;
mod filters;
mod harness;
mod life;
mod positions;
mod reports;
mod runtime;
mod scenario;
mod scene;
mod shards;
mod wire;

use std::{collections::BTreeMap, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::{harness::Harness, runtime::Runtime, scenario::Scenario, scene::Scene};

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
#[ignore = "takes a minute, in which records grow old"]
async fn rules_can_be_seen_from_outside() {
    let runtime = Runtime::start();
    let harness = Harness::new(&runtime);
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
