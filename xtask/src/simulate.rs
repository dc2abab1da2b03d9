//! The command `simulate`: builds the simulation and passes the command's words on to it.

use std::process::Command;

use command_line::Words;

use crate::failure::{Result, fail};
use crate::package::program;
use crate::shell::{capture, command, run, stand_in};
use crate::workspace::Workspace;

/// The profile of the simulation: fast to run, and quick to build.
pub const OPTIMISED: &str = "simulate";
/// The profile of all other builds in the gate.
const USUAL: &str = "dev";

/// The number of seeds in the gate, which suffices to reach everything that `simulate::exercised` lists.
const SEEDS: &str = "10000";
/// The number of seeds that are compared between two builds: each scenario a few times.
const COMPARED: &str = "100";

/// The command `simulate WORDS`, built in this profile.
fn built(workspace: &Workspace, profile: &str, words: &[&str]) -> Result<Command> {
    let program = program(workspace, "simulate", &["--profile", profile])?;
    let mut simulate = command(program, words);
    simulate.current_dir(&workspace.root);
    Ok(simulate)
}

/// Runs `simulate …`.
pub fn simulate(workspace: &Workspace, words: &Words) -> Result<()> {
    let program = program(workspace, "simulate", &["--profile", OPTIMISED])?;
    let mut simulate = command(program, &[]);
    stand_in(
        simulate
            .args(words.handed_on())
            .current_dir(&workspace.root),
    )
}

/// Runs the simulation with as many seeds as the gate requires.
pub fn search(workspace: &Workspace) -> Result<()> {
    run(&mut built(workspace, OPTIMISED, &["--seeds", SEEDS])?)
}

/// Checks that both profiles give the same trace for each seed.
pub fn compare(workspace: &Workspace) -> Result<()> {
    let digests = |profile| capture(&mut built(workspace, profile, &["--digests", COMPARED])?);
    let (usual, optimised) = (digests(USUAL)?, digests(OPTIMISED)?);
    let mut pairs = usual.lines().zip(optimised.lines());
    match pairs.find(|(one, other)| one != other) {
        Some((one, other)) => fail(format!("one build says {one}, the other {other}")),
        None if usual != optimised => fail("one build played more seeds than the other"),
        None => Ok(()),
    }
}
