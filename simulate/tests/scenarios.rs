//! Each scenario reaches the situation that it is about.

#![cfg(test)]

use std::{collections::BTreeSet, sync::Mutex};

use simulate::{Scenario, run};
use simulation::play_seeds;

/// Scenarios, each with occurrences that some of its first runs must count.
const ABOUT: &[(&str, &[&str])] = &[
    (
        "poison",
        &["log poison", "operator discarded unreadable records"],
    ),
    (
        "allergy",
        &[
            "operator deployed a build with a mistake",
            "lambda failed on a record",
            "mapping discarded",
        ],
    ),
    (
        "versions",
        &[
            "operator deployed a build: older",
            "operator deployed a build: newer",
        ],
    ),
    (
        "retention",
        &[
            "stream forgot records",
            "mapping expired",
            "operator rebuilt a view",
        ],
    ),
    ("too-large", &["large accepted", "large refused"]),
    (
        "compensation",
        &[
            "participant error RevertirPago",
            "participant silence RevertirConfirmacion",
            "operator repaired participants",
            "operator resumed a saga",
            "operator redrove an execution",
        ],
    ),
    (
        "resources",
        &[
            "fault conflict",
            "fault conflict among failed conditions",
            "fault throttled",
        ],
    ),
    ("gap", &["fault gap"]),
    ("publication", &["fault happens late", "fault kills before"]),
    ("stale-reads", &["fault stale read", "fault index lags"]),
    (
        "executions",
        &[
            "execution stopped",
            "execution timed out",
            "execution failed",
            "execution cancelled where it was stuck",
            "execution forgotten: NeedsIntervention",
            "execution redriven at once",
            "operator took over a saga",
        ],
    ),
    (
        "other-version",
        &[
            "operator deployed a state machine: older",
            "operator redrove an execution",
            "operator took over a saga",
        ],
    ),
    (
        "foreign",
        &[
            "other builds parked",
            "other builds saga",
            "other builds reaction",
            "timers a few things at once",
        ],
    ),
    ("given-up", &["mapping discarded", "fault throttled"]),
    ("mappings", &["mapping replaced"]),
    (
        "insistence",
        &[
            "operator resumed a saga in vain",
            "operator may not resume a saga any more",
            "operator undid a step by hand",
        ],
    ),
    (
        "lists",
        &[
            "fault slow",
            "reader followed a saga",
            "reader followed events",
            "reader read a report",
            "reader read everything",
            "reader read a list",
            "reader read a list of sagas",
            "refused a cancellation",
            "refused a resumption",
        ],
    ),
];

/// The most runs of a scenario.
const RUNS: u64 = 100;

/// The long searches look for broken promises. Here, a scenario runs until it has reached its situation.
#[test]
fn what_a_scenario_is_about_happens_and_its_promises_hold() {
    for (name, about) in ABOUT {
        let scenario = Scenario::named(name).unwrap();
        let counted = Mutex::new(BTreeSet::new());
        play_seeds(0, RUNS, |seed| {
            let report = run(scenario, seed, false);
            assert!(
                report.broken.is_empty(),
                "{name} {seed}: {:?}",
                report.broken
            );
            let counts = report.counts.into_keys();
            let mut counted = counted.lock().unwrap();
            counted.extend(counts.map(|(kind, name)| format!("{kind} {name}")));
            about.iter().all(|what| counted.contains(*what))
        });
        let counted = counted.into_inner().unwrap();
        for what in *about {
            assert!(counted.contains(*what), "{name}: no {what} in {counted:#?}");
        }
    }
}
