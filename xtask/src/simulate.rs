//! `simulate`: builds the world in which the whole system runs, and hands on what it is to look for.

use std::process::Command;

use crate::args::Args;
use crate::failure::{Result, fail};
use crate::package::cargo;
use crate::shell::{capture, command, run};
use crate::workspace::Workspace;

/// A profile of its own: fast, and quick to build.
const OPTIMISED: &str = "simulate";
/// The profile of everything else that the gate builds.
const USUAL: &str = "dev";

/// So many seeds come by everything that there is, see `simulate::exercised`.
const SEEDS: &str = "10000";
/// So many seeds are played by two builds: each scenario a few times.
const COMPARED: &str = "100";

/// `simulate …`, built with a profile.
fn built(workspace: &Workspace, profile: &str) -> Command {
    let words = [
        "run",
        "--quiet",
        "--profile",
        profile,
        "--package",
        "simulate",
        "--",
    ];
    let mut simulate = command(cargo(), &words);
    simulate.current_dir(&workspace.root);
    simulate
}

/// Runs `simulate …`.
pub fn simulate(workspace: &Workspace, args: Args) -> Result<()> {
    run(built(workspace, OPTIMISED).args(args.remaining()))
}

/// Searches as long as a gate may.
pub fn search(workspace: &Workspace) -> Result<()> {
    run(built(workspace, OPTIMISED).args(["--seeds", SEEDS]))
}

/// A seed is one trace, whoever built what plays it.
pub fn compare(workspace: &Workspace) -> Result<()> {
    let digests = |profile| capture(built(workspace, profile).args(["--digests", COMPARED]));
    let (usual, optimised) = (digests(USUAL)?, digests(OPTIMISED)?);
    let mut pairs = usual.lines().zip(optimised.lines());
    match pairs.find(|(one, other)| one != other) {
        Some((one, other)) => fail(format!("one build says {one}, the other {other}")),
        None if usual != optimised => fail("one build played more seeds than the other"),
        None => Ok(()),
    }
}
