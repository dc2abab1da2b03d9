//! The command `test --chaos`: the end-to-end tests on unkind local runtimes, seed after seed.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::env;

use command_line::Words;

use crate::failure::{Explain, Result, fail};
use crate::gate::e2e;
use crate::http::request;
use crate::local_runtime::{Runtime, free_port};
use crate::own_runtime::OwnRuntime;
use crate::package::{Built, for_local_runtime};
use crate::progress::note;
use crate::runtime_env::Target;
use crate::workspace::Workspace;

/// The seeds of a run without options, and of `test --all`.
const FIRST: u64 = 1;
const ONE: u64 = 1;
const SOME: u64 = 3;

/// Sizes of the largest tests. Under chaos each reservation takes long, and many seeds find more than many reservations.
const SIZES: [(&str, &str); 7] = [
    ("ALPES_E2E_ANALITICA", "30"),
    ("ALPES_E2E_CROWD", "10"),
    ("ALPES_E2E_KILL", "30"),
    ("ALPES_E2E_MIXED", "20"),
    ("ALPES_E2E_RACE", "10"),
    ("ALPES_E2E_REBUILD", "30"),
    ("ALPES_E2E_VOLUME", "40"),
];

/// How many tests run at a time. A saga gives up a step whose function is slow several times, and chaos kills functions,
/// which start slowly.
const THREADS: &str = "4";

/// Runs the seeds that the options name.
pub fn of_words(workspace: &Workspace, words: &Words) -> Result<()> {
    let first = words.number("--chaos").unwrap_or(FIRST);
    let count = words.number("--seeds").unwrap_or(ONE);
    let built = for_local_runtime(workspace, &workspace.functions()?)?;
    seeds(workspace, &built, first, count)
}

/// Runs as many seeds as fit into the longest form of the gate.
pub fn some_seeds(workspace: &Workspace, built: &Built) -> Result<()> {
    seeds(workspace, built, FIRST, SOME)
}

/// Runs all of the seeds, also after one that fails, and names those that failed.
fn seeds(workspace: &Workspace, built: &Built, first: u64, count: u64) -> Result<()> {
    let mut failed = vec![];
    let last = first.saturating_add(count.saturating_sub(1));
    for seed in first..=last {
        if let Err(error) = one_seed(workspace, built, seed) {
            note(&error.to_string());
            note(&format!("again: {}", repeated(seed)));
            failed.push(seed);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let commands: Vec<_> = failed.iter().copied().map(repeated).collect();
    fail(format!(
        "{} of {count} seeds of chaos failed. To run each again:\n{}",
        failed.len(),
        commands.join("\n")
    ))
}

/// The command that runs a seed again.
fn repeated(seed: u64) -> String {
    format!("cargo xtask test --chaos {seed}")
}

fn one_seed(workspace: &Workspace, built: &Built, seed: u64) -> Result<()> {
    let (name, text) = (format!("chaos-{seed}"), seed.to_string());
    let own = OwnRuntime {
        chaos: Some(&text),
        ..OwnRuntime::new(&name, free_port()?, built)
    };
    own.run(workspace, |runtime, target| {
        let name = format!("end to end, with chaos of seed {seed}");
        let result = e2e(workspace, &smaller(target), &name, THREADS);
        // A runtime that does not answer any more has failed the tests too, so their result counts.
        if let Ok(acts) = acts(runtime) {
            note(&format!("chaos of seed {seed}: {acts}"));
        }
        result
    })
}

/// The target with the sizes of the tests, unless the caller's environment has them.
fn smaller(target: &Target) -> Target {
    let sizes = SIZES.iter().filter(|(name, _)| env::var(name).is_err());
    let sizes = sizes.map(|(name, size)| ((*name).to_owned(), (*size).to_owned()));
    Target {
        folder: target.folder.clone(),
        variables: target.variables.iter().cloned().chain(sizes).collect(),
    }
}

/// The acts of a runtime's chaos, in words.
fn acts(runtime: &Runtime<'_>) -> Result<String> {
    let url = format!("{}/_alpes/chaos", runtime.endpoint.url);
    let answer = request("GET", &url, None)?;
    in_words(&answer.body).explain(format!("{url} answered {}", answer.status))
}

/// The counts in the runtime's report, by kind, the most frequent first.
fn in_words(report: &str) -> serde_json::Result<String> {
    let mut report: BTreeMap<String, serde_json::Value> = serde_json::from_str(report)?;
    let acts = report.remove("acts").unwrap_or_default();
    let acts: BTreeMap<String, u64> = serde_json::from_value(acts)?;
    let mut acts: Vec<_> = acts.iter().collect();
    acts.sort_by_key(|(_, count)| Reverse(**count));
    let words: Vec<_> = acts
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    Ok(words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_told_the_most_frequent_first() {
        let report = r#"{"seed": 7, "acts": {"conflict": 1, "throttle": 3, "lost-reply": 9}}"#;
        let told = "lost-reply 9, throttle 3, conflict 1";
        assert_eq!(in_words(report).unwrap(), told);
        assert!(in_words("{}").is_err());
    }
}
