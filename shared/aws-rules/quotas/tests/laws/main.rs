//! The laws of a limit by the second: over any window no more is admitted than the limit allows, work below the limit
//! is never throttled, and work is throttled only when a second is used up. The same laws find each planted mistake.

#![cfg(test)]

mod concurrency;
mod forgetting;
mod history;
mod partitions;
mod planted;
mod shards;

use proptest::test_runner::{Config, RngSeed, TestRunner};

/// A runner that tries the same random cases each time, unless `PROPTEST_RNG_SEED` sets another seed.
fn runner() -> TestRunner {
    let asked = Config::default();
    TestRunner::new(Config {
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        failure_persistence: None,
        ..asked
    })
}
