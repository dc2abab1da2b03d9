//! Properties of an event source mapping under every behaviour of its stream, function and owner: no record is lost
//! without a report, keys keep their order, a lane has one batch in flight, parents come before children, and no limit
//! is exceeded. A model checks each input and output without knowing the mapping's inside. The same test finds each
//! planted mistake.

#![cfg(test)]

mod case;
mod model;
mod planted;
mod run;

use std::collections::BTreeSet;

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngSeed, TestError, TestRunner},
};
use source_mapping::{Rule, Settings, StartingPosition};

use crate::{
    case::Case,
    planted::{Bug, Subject},
};

/// A runner that tries the same random cases each time, unless `PROPTEST_RNG_SEED` sets another seed.
fn runner(cases: u32, max_shrink_iters: u32) -> TestRunner {
    let asked = Config::default();
    TestRunner::new(Config {
        cases,
        max_shrink_iters,
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        failure_persistence: None,
        ..asked
    })
}

fn look(cases: u32, max_shrink_iters: u32, bug: Option<Bug>) -> Result<(), Box<TestError<Case>>> {
    let mut runner = runner(cases, max_shrink_iters);
    let looked = runner.run(&case::cases(), |case| run::run(&case, bug));
    looked.map_err(Box::new)
}

/// Runs twice as many cases as `PROPTEST_CASES` says, or 512 cases.
#[test]
fn all_that_aws_promises_holds() {
    if let Err(broken) = look(2 * Config::default().cases, 20_000, None) {
        panic!("{broken}");
    }
}

#[test]
fn the_same_case_runs_the_same_twice() {
    let same = runner(50, 0).run(&case::cases(), |case| {
        let (first, second) = (run::trace(&case), run::trace(&case));
        proptest::prop_assert_eq!(first, second);
        Ok(())
    });
    same.unwrap();
}

#[test]
fn planted_mistakes_are_found() {
    for bug in Bug::ALL {
        let found = look(3000, 0, Some(bug)).map_err(|found| *found);
        assert!(
            matches!(found, Err(TestError::Fail(..))),
            "{bug:?} was not found: {found:?}"
        );
    }
}

#[test]
fn the_runs_come_by_nearly_every_rule() {
    let mut fired = BTreeSet::new();
    let mut runner = runner(1, 0);
    for _ in 0..400 {
        let case = case::cases().new_tree(&mut runner).unwrap().current();
        for step in run::trace(&case) {
            fired.extend(step.rules);
        }
    }
    // Sizes, kinds of filters and malformed responses have tests of their own.
    let missing = Rule::ALL.iter().filter(|rule| !fired.contains(rule));
    let missing = missing.map(|rule| rule.id());
    let missing: Vec<_> = missing.filter(|id| !id.starts_with("filter-")).collect();
    let elsewhere = [
        "payload-limit",
        "report-list-misnamed",
        "report-malformed",
        "report-empty-identifier",
        "report-null-identifier",
        "report-bad-key",
        "settings-limits",
        "deleted",
        "read-limit-call",
    ];
    assert_eq!(missing, elsewhere);
}

#[test]
fn a_subject_without_a_mistake_is_the_mapping() {
    let settings = Settings::new(StartingPosition::TrimHorizon);
    let subject = Subject::new(settings.clone(), None);
    assert_eq!(subject.mapping.settings(), &settings);
}
