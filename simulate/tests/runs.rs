//! Runs hold, repeat, and find what is wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use simulate::{Planted, SCENARIOS, Scenario, run, run_with};

#[test]
fn every_scenario_holds_under_some_seeds() {
    for scenario in SCENARIOS {
        for seed in 0..6 {
            let report = run(scenario, seed, false);
            assert!(
                report.broken.is_empty(),
                "{} {seed}: {:?}",
                scenario.name,
                report.broken
            );
        }
    }
}

#[test]
fn one_seed_is_one_trace() {
    for scenario in SCENARIOS {
        let (one, same) = (run(scenario, 7, true), run(scenario, 7, true));
        assert_eq!(one.trace.text(), same.trace.text(), "{}", scenario.name);
        let digest = run(scenario, 7, false).trace.digest();
        assert_eq!(one.trace.digest(), digest, "{}", scenario.name);
        assert_ne!(run(scenario, 8, false).trace.digest(), digest);
    }
}

#[test]
fn each_fault_happens() {
    let scenario = Scenario::named("todo").unwrap();
    let reports = (0..80).map(|seed| run(scenario, seed, false));
    let counts = reports.flat_map(|report| report.counts.into_keys());
    let names: BTreeSet<_> = counts
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    for name in [
        "fault fails before",
        "fault fails after",
        "fault happens twice",
        "fault happens late",
        "fault kills before",
        "fault kills after",
        "fault slow",
        "lambda throttled",
        "lambda timed out",
        "lambda started twice",
        "mapping split",
        "mapping merge",
        "mapping lease lost",
        "schedule late",
        "schedule twice",
        "schedule silent",
        "clocks back",
        "clocks forward",
        "operator rebuilt a view",
        "operator deployed everything anew",
    ] {
        assert!(names.contains(name), "{name} never happened: {names:#?}");
    }
}

#[test]
fn what_is_planted_is_found() {
    let scenario = Scenario::named("todo").unwrap();
    for planted in Planted::ALL {
        let mut reports = (0..10).map(|seed| run_with(scenario, seed, false, Some(planted)));
        let found = reports.find(|report| !report.broken.is_empty());
        assert!(found.is_some(), "{planted:?} is not found");
    }
}
