//! Chaos finds functions that rely on luck, and no others.
//!
//! The program starts the runtime once for each seed, with a stream of two shards and four functions that keep a ledger
//! of its records: one is correct, and three have a mistake each. See `function.rs`. Each ledger is judged when all
//! records are delivered.

#![cfg(test)]

mod judge;
mod runtime;
#[path = "../rules/wire.rs"]
mod wire;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

use crate::{
    judge::{Records, complaint},
    runtime::Runtime,
};

/// The mistakes that were planted.
const MISTAKES: [&str; 3] = ["adds", "order", "early"];
/// The seeds of the gate.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// So many runtimes are up at once. More would wait for the processor.
const AT_ONCE: usize = 3;
/// So long the last record of a round waits, so that a kind runtime has delivered the others by then.
const GAP: Duration = Duration::from_millis(150);
const ROUNDS: u64 = 16;

/// The mistakes that a seed finds. The correct function must be right.
async fn found(seed: Option<u64>) -> BTreeSet<&'static str> {
    let runtime = Runtime::start(seed).await;
    let mut records = Records::default();
    for round in 0..ROUNDS {
        let first = records.of_round(round, &["ana", "bea", "carlos", "diego"]);
        runtime.put(&first).await;
        match seed {
            Some(_) => sleep(GAP).await,
            None => runtime.idle(Duration::from_millis(50)).await,
        }
        let last = records.of_round(round, &["elena"]);
        runtime.put(&last).await;
    }
    // After the longest pause of a mapping nothing comes any more.
    runtime.idle(Duration::from_millis(1_500)).await;
    let correct = runtime.ledger("none").await;
    for property in MISTAKES {
        let told = complaint(property, &correct, &records);
        assert_eq!(told, None, "seed {seed:?}");
    }
    let mut found = BTreeSet::new();
    for mistake in MISTAKES {
        let ledger = runtime.ledger(mistake).await;
        if let Some(told) = complaint(mistake, &ledger, &records) {
            println!("seed {seed:?} finds {mistake}: {told}");
            found.insert(mistake);
        }
    }
    println!("seed {seed:?}: {}", runtime.chaos().await);
    found
}

/// The mistakes that some of these seeds find.
async fn found_by(seeds: impl IntoIterator<Item = u64>) -> BTreeSet<&'static str> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for seed in seeds {
        let turns = turns.clone();
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            found(Some(seed)).await
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correct_function_passes_every_seed_and_each_mistake_is_found_by_one() {
    let found = found_by(SEEDS).await;
    assert_eq!(found, BTreeSet::from(MISTAKES));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_runtime_finds_none_of_the_mistakes() {
    assert_eq!(found(None).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn a_correct_function_passes_many_seeds() {
    let found = found_by(100..140).await;
    assert_eq!(found, BTreeSet::from(MISTAKES));
}
